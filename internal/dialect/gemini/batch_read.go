package gemini

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/scan"
)

// readBatch reads one operation.
func readBatch(text []byte) (dialect.Batch, error) {
	s := scan.New(text)
	b, failed := operation(&s)
	if s.End(); s.Fault() != scan.None {
		return dialect.Batch{}, unread(s.Fault())
	}
	if b.ID == "" {
		if failed != nil {
			return dialect.Batch{}, failed.error(http.StatusOK, nil, dialect.Usage{})
		}
		return dialect.Batch{}, unread(scan.Malformed)
	}
	return b, nil
}

func unread(f scan.Fault) *dialect.Error {
	if f == scan.Unfinished {
		return &dialect.Error{Outcome: dialect.Connection, Status: http.StatusOK, Code: codeCut}
	}
	return &dialect.Error{Outcome: dialect.Unknown, Status: http.StatusOK, Code: codeMalformed}
}

// readBatches reads a page of operations.
func readBatches(text []byte) (page []dialect.Batch, next string, err error) {
	var failed *failure
	s := scan.New(text)
	for s.Object(); ; {
		name, more := s.Member()
		if !more {
			break
		}
		switch string(name) {
		case "error":
			failed = readFailure(&s)
		case "nextPageToken":
			next = s.Text()
		case "operations", "batches":
			if !s.Array() {
				continue
			}
			for s.Item() {
				if b, _ := operation(&s); b.ID != "" {
					page = append(page, b)
				}
			}
		}
	}
	switch s.End(); {
	case s.Fault() != scan.None:
		return nil, "", unread(s.Fault())
	case failed != nil:
		return nil, "", failed.error(http.StatusOK, nil, dialect.Usage{})
	default:
		return page, next, nil
	}
}

// operation reads what an operation says of its batch, and steps over the results. An error in it is the end of the batch, not of the request for it.
func operation(s *scan.Scanner) (b dialect.Batch, failed *failure) {
	if !s.Object() {
		s.Skip()
		return b, nil
	}
	done := false
	for {
		name, more := s.Member()
		if !more {
			break
		}
		switch string(name) {
		case "name":
			b.ID = s.Text()
		case "done":
			done = s.True()
		case "metadata":
			aboutBatch(s, &b)
		case "error":
			failed = readFailure(s)
		}
	}
	switch {
	case failed != nil && failed.status == "CANCELLED", failed != nil && failed.code == 1: // google.rpc.Code.CANCELLED.
		b.State = dialect.BatchCancelled
	case failed != nil:
		b.State, b.Code = dialect.BatchFailed, dialect.BatchCode(failed.name())
	case done && !b.State.Ended():
		b.State = dialect.BatchDone
	}
	return b, failed
}

// aboutBatch reads the metadata of an operation.
func aboutBatch(s *scan.Scanner, b *dialect.Batch) {
	if !s.Object() {
		return
	}
	for {
		name, more := s.Member()
		if !more {
			return
		}
		switch string(name) {
		case "model":
			b.Model = strings.TrimPrefix(s.Text(), "models/")
		case "displayName":
			b.Label = s.Text()
		case "state":
			b.State = batchState(s.Text())
		case "createTime":
			if t, err := time.Parse(time.RFC3339, s.Text()); err == nil {
				b.CreatedAt = t.UTC()
			}
		}
	}
}

// batchState maps a native state. The API says BATCH_STATE_, its clients and documents JOB_STATE_ as well.
func batchState(native string) dialect.BatchState {
	word := strings.TrimPrefix(strings.TrimPrefix(native, "BATCH_STATE_"), "JOB_STATE_")
	switch word {
	case "PENDING", "QUEUED":
		return dialect.BatchQueued
	case "RUNNING", "CANCELLING", "UPDATING":
		return dialect.BatchRunning
	case "SUCCEEDED", "PARTIALLY_SUCCEEDED":
		return dialect.BatchDone
	case "FAILED":
		return dialect.BatchFailed
	case "EXPIRED":
		return dialect.BatchExpired
	case "CANCELLED":
		return dialect.BatchCancelled
	default:
		return dialect.BatchUnknown
	}
}

// results gives the results in an operation; they are in its response and, the same again, in its metadata's output. false of give ends it.
func (d Dialect) results(text []byte, give func(dialect.BatchResult) bool) error {
	list := resultsIn(text)
	s := scan.New(text)
	s.Skip()
	if s.End(); s.Fault() != scan.None {
		return unread(s.Fault())
	}
	s = scan.New(list)
	if !s.Array() {
		return nil
	}
	for s.Item() {
		if !give(d.result(s.Raw())) {
			return nil
		}
	}
	return nil
}

// resultsIn finds the list of results; nil where there is none.
func resultsIn(text []byte) []byte {
	for _, path := range [...][]string{{"response", "inlinedResponses"}, {"metadata", "output", "inlinedResponses"}} {
		at := text
		for _, name := range append(path, "inlinedResponses") {
			at = member(at, name)
		}
		if len(at) > 0 && at[0] == '[' {
			return at
		}
	}
	return nil
}

// member gives the text of a member of an object; nil where there is none.
func member(text []byte, name string) (found []byte) {
	s := scan.New(text)
	if !s.Object() {
		return nil
	}
	for {
		at, more := s.Member()
		if !more {
			return found
		}
		if string(at) == name {
			found = s.Raw()
		}
	}
}

// result reads what became of one request: a response, or an error in its place.
func (d Dialect) result(text []byte) dialect.BatchResult {
	var r dialect.BatchResult
	key := scan.New(member(member(text, "metadata"), "key"))
	r.ID = key.Text()
	answer := member(text, "response")
	failed := answer == nil && member(text, "error") != nil
	if failed {
		answer = text
	}
	if answer == nil {
		return dialect.MalformedResult(r.ID)
	}
	reply, err := d.Decode(dialect.Response{Status: http.StatusOK, Body: answer})
	switch {
	case err == nil:
		r.Reply = reply
	case !errors.As(err, &r.Err):
		return dialect.MalformedResult(r.ID)
	case failed:
		r.Err.Status = 0 // There was no answer, and there is nothing to be paid.
	}
	return r
}
