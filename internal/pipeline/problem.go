package pipeline

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/value"
)

// Problem is a fault as an RFC 9457 document: the same for an answer, an item of a batch and a job's row.
type Problem struct {
	Fault *fault.Fault
	// Failure is what a request that reached the pipeline adds; nil for one that did not.
	Failure *Failure
	// RequestID is ours, ClientRequestID the caller's own; the second may be empty.
	RequestID, ClientRequestID string
}

// Append writes the document. The caller's own texts are not in it: entries name places and rules.
func (p Problem) Append(dst []byte) []byte {
	f, row := p.Fault, p.Fault.Code.Row()
	dst = append(dst, `{"type":`...)
	dst = value.AppendQuoted(dst, "/docs#"+strings.ToLower(row.Name))
	dst = append(dst, `,"title":`...)
	dst = value.AppendQuoted(dst, row.Title)
	dst = append(dst, `,"status":`...)
	dst = strconv.AppendInt(dst, int64(row.Status), 10)
	dst = append(dst, `,"detail":`...)
	dst = value.AppendQuoted(dst, f.Detail)
	dst = append(dst, `,"code":`...)
	dst = value.AppendQuoted(dst, row.Name)
	dst = append(dst, `,"request_id":`...)
	dst = value.AppendQuoted(dst, p.RequestID)
	if p.ClientRequestID != "" {
		dst = append(dst, `,"client_request_id":`...)
		dst = value.AppendQuoted(dst, p.ClientRequestID)
	}
	dst = append(dst, `,"errors":`...)
	dst = p.appendEntries(dst)
	remediation := f.Remediation
	if remediation == "" {
		remediation = row.Remediation
	}
	dst = append(dst, `,"remediation":`...)
	dst = value.AppendQuoted(dst, remediation)
	if p.Failure != nil {
		dst = p.Failure.AppendDetails(dst)
	}
	return append(dst, '}')
}

// appendEntries writes errors[]: the request's faults, or the entries of the validation report.
func (p Problem) appendEntries(dst []byte) []byte {
	switch {
	case len(p.Fault.Entries) == 0 && p.Failure != nil && p.Failure.Validation != nil:
		return AppendEntries(dst, p.Failure.Validation.Errors)
	case len(p.Fault.Entries) == 0:
		return append(dst, "[]"...)
	}
	raw, err := json.Marshal(p.Fault.Entries)
	if err != nil {
		return append(dst, "[]"...)
	}
	return append(dst, raw...)
}
