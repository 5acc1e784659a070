package openai

import (
	"io"
	"iter"
	"net/http"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/scan"
)

// DecodeBatch reads the file object that an upload answers with, or a batch object.
func DecodeBatch(step dialect.BatchStep, body io.Reader) (dialect.Batch, error) {
	text, err := dialect.ReadBatchBody(body, dialect.MaxBatchBody)
	if err != nil {
		return dialect.Batch{}, err
	}
	s := scan.New(text)
	b, failed := readBatch(&s)
	if failed != nil {
		return b, failed.error(http.StatusOK, nil, &chunk{})
	}
	if s.End(); s.Fault() != scan.None {
		return dialect.Batch{}, unread(s.Fault())
	}
	if b.ID == "" {
		return dialect.Batch{}, unread(scan.Malformed)
	}
	if step == dialect.BatchUpload {
		return dialect.Batch{InputFile: b.ID}, nil
	}
	return b, nil
}

// unread is the error of an answer about a batch that can't be read.
func unread(f scan.Fault) *dialect.Error {
	if f == scan.Unfinished {
		return &dialect.Error{Outcome: dialect.Connection, Status: http.StatusOK, Code: codeCut}
	}
	return &dialect.Error{Outcome: dialect.Unknown, Status: http.StatusOK, Code: codeMalformed}
}

// DecodeBatches reads a page of batch objects. The cursor is the last one's id.
func DecodeBatches(body io.Reader) (page []dialect.Batch, next string, err error) {
	text, err := dialect.ReadBatchBody(body, dialect.MaxBatchBody)
	if err != nil {
		return nil, "", err
	}
	s := scan.New(text)
	more := false
	for s.Object(); ; {
		name, ok := s.Member()
		if !ok {
			break
		}
		switch string(name) {
		case "error":
			if f := readFailure(&s); f != nil {
				return nil, "", f.error(http.StatusOK, nil, &chunk{})
			}
		case "has_more":
			more = s.True()
		case "data":
			page = readBatches(&s)
		}
	}
	if s.End(); s.Fault() != scan.None {
		return nil, "", unread(s.Fault())
	}
	if more && len(page) > 0 {
		next = page[len(page)-1].ID
	}
	return page, next, nil
}

func readBatches(s *scan.Scanner) (page []dialect.Batch) {
	if !s.Array() {
		return nil
	}
	for s.Item() {
		if b, _ := readBatch(s); b.ID != "" {
			page = append(page, b)
		}
	}
	return page
}

// readBatch reads one object; of a file object it finds the id.
func readBatch(s *scan.Scanner) (b dialect.Batch, failed *failure) {
	if !s.Object() {
		s.Skip()
		return b, nil
	}
	for {
		name, more := s.Member()
		if !more {
			return b, failed
		}
		switch string(name) {
		case "id":
			b.ID = s.Text()
		case "model":
			b.Model = s.Text()
		case "status":
			b.State = state(s.Text())
		case "input_file_id":
			b.InputFile = s.Text()
		case "output_file_id":
			b.OutputFile = s.Text()
		case "error_file_id":
			b.ErrorFile = s.Text()
		case "created_at":
			b.CreatedAt = seconds(s)
		case "expires_at":
			b.ExpiresAt = seconds(s)
		case "metadata":
			b.Label = label(s)
		case "errors":
			b.Code = reason(s)
		case "error":
			failed = readFailure(s)
		}
	}
}

func seconds(s *scan.Scanner) time.Time {
	const latest = 253_402_300_799 // The end of the year 9999.
	if f := s.Float(); f > 0 && f <= latest {
		return time.Unix(int64(f), 0).UTC()
	}
	return time.Time{}
}

func label(s *scan.Scanner) (text string) {
	if !s.Object() {
		return ""
	}
	for {
		name, more := s.Member()
		if !more {
			return text
		}
		if string(name) == labelKey {
			text = s.Text()
		}
	}
}

// reason finds the first code among the errors of a batch.
func reason(s *scan.Scanner) (code string) {
	if !s.Object() {
		return ""
	}
	for {
		name, more := s.Member()
		if !more {
			return code
		}
		if string(name) != "data" {
			continue
		}
		if !s.Array() {
			continue
		}
		for s.Item() {
			if f := readFailure(s); f != nil && code == "" {
				code = dialect.BatchCode(f.code)
			}
		}
	}
}

// state maps a native status. What is being cancelled is still under way: some of its calls may yet be answered.
func state(native string) dialect.BatchState {
	switch native {
	case "validating":
		return dialect.BatchQueued
	case "in_progress", "finalizing", "cancelling":
		return dialect.BatchRunning
	case "completed":
		return dialect.BatchDone
	case "failed":
		return dialect.BatchFailed
	case "expired":
		return dialect.BatchExpired
	case "cancelled":
		return dialect.BatchCancelled
	default:
		return dialect.BatchUnknown
	}
}

// BatchResults reads the lines of an output or error file in a dialect of the family.
func BatchResults(d dialect.Dialect, body io.Reader) iter.Seq2[dialect.BatchResult, error] {
	return dialect.BatchLines(body, func(line []byte) (dialect.BatchResult, bool) { return readLine(d, line) })
}

// readLine reads one line: a response, or the reason why there is none.
func readLine(d dialect.Dialect, line []byte) (r dialect.BatchResult, ok bool) {
	var answer *dialect.Response
	var failed *failure
	s := scan.New(line)
	for s.Object(); ; {
		name, more := s.Member()
		if !more {
			break
		}
		switch string(name) {
		case "custom_id":
			r.ID = s.Text()
		case "response":
			answer = readResponse(&s)
		case "error":
			failed = readFailure(&s)
		}
	}
	if !s.End() {
		return r, false
	}
	switch {
	case answer == nil && failed == nil:
		return dialect.MalformedResult(r.ID), true
	case answer == nil:
		r.Err = unmade(failed)
	case answer.Status == http.StatusOK:
		reply, err := d.Decode(*answer)
		if err != nil {
			r.Err = asError(err)
			break
		}
		r.Reply = reply
	default:
		r.Err = d.Fail(*answer)
	}
	return r, true
}

// asError gives a dialect's error as what it is.
func asError(err error) *dialect.Error {
	if e, ok := err.(*dialect.Error); ok { //nolint:errorlint // Decode gives no other.
		return e
	}
	return &dialect.Error{Outcome: dialect.Unknown, Cause: err}
}

// unmade judges a call that has no response: the batch ended before it, or the service says another reason.
func unmade(f *failure) *dialect.Error {
	switch f.code {
	case "batch_expired":
		return dialect.Unmade("", dialect.CodeBatchExpired).Err
	case "batch_cancelled":
		return dialect.Unmade("", dialect.CodeBatchCancelled).Err
	}
	e := f.error(http.StatusOK, nil, &chunk{})
	e.Status = 0 // There was no answer, and there is nothing to be paid.
	return e
}

// readResponse reads the response of a line; nil where there is none.
func readResponse(s *scan.Scanner) *dialect.Response {
	if !s.Object() {
		s.Skip()
		return nil
	}
	r := &dialect.Response{}
	for {
		name, more := s.Member()
		if !more {
			break
		}
		switch string(name) {
		case "status_code":
			r.Status = s.Int()
		case "request_id":
			if id := s.Text(); id != "" {
				r.Header = http.Header{"X-Request-Id": {id}}
			}
		case "body":
			r.Body = s.Raw()
		}
	}
	if r.Status == 0 || len(r.Body) == 0 {
		return nil
	}
	return r
}
