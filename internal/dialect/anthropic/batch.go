package anthropic

import (
	"errors"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/scan"
)

// BatchBounds are 100,000 requests and 256 MB. A batch has no name of its creator's, so one whose creation was not answered can't be found again.
// 2026-11: docs.claude.com, API reference, Create a Message Batch. The bound of bytes is kept a little below: the envelope counts as well.
func (Dialect) BatchBounds() dialect.BatchBounds {
	return dialect.BatchBounds{Entries: 100_000, Bytes: 250_000_000}
}

// BatchEntry makes an element of requests.
func (d Dialect) BatchEntry(id string, c dialect.Call) ([]byte, error) {
	c.Stream = false
	r, err := d.Encode(c)
	if err != nil {
		return nil, err
	}
	if id == "" || len(id) > 64 || strings.ContainsFunc(id, notInName) {
		return nil, errors.New("anthropic: an id in a batch has 1 to 64 letters, digits, _ and -")
	}
	dst := make([]byte, 0, len(r.Body)+len(id)+32)
	dst = append(append(dst, `{"custom_id":"`...), id...)
	dst = append(append(dst, `","params":`...), r.Body...)
	return append(dst, '}'), nil
}

const batchesPath = Path + "/batches"

// BatchRequests gives the requests of a step. Results are asked for below the base URL and not at results_url, which would take the credential wherever an
// answer says.
func (Dialect) BatchRequests(step dialect.BatchStep, b *dialect.Batch, entries [][]byte) ([]dialect.Request, error) {
	method, path := http.MethodGet, batchesPath
	var body []byte
	switch step {
	case dialect.BatchUpload:
		return nil, nil
	case dialect.BatchCreate:
		method, body = http.MethodPost, append(join([]byte(`{"requests":[`), entries), "]}"...)
	case dialect.BatchList:
		path += "?limit=100"
		if b.ID != "" {
			path += "&after_id=" + url.QueryEscape(b.ID)
		}
	default:
		if b.ID == "" {
			return nil, errors.New("anthropic: the batch has no id")
		}
		path += "/" + url.PathEscape(b.ID)
		switch step {
		case dialect.BatchFetch:
			path += "/results"
		case dialect.BatchCancel:
			method, path = http.MethodPost, path+"/cancel"
		case dialect.BatchForget:
			method = http.MethodDelete
		}
	}
	header := http.Header{"Accept": {"application/json"}, "Anthropic-Version": {version}}
	if body != nil {
		header["Content-Type"] = []string{"application/json"}
	}
	return []dialect.Request{{Method: method, Path: path, Header: header, Body: body}}, nil
}

// join writes entries with commas between them.
func join(dst []byte, entries [][]byte) []byte {
	size := len(dst) + 2
	for _, e := range entries {
		size += len(e) + 1
	}
	dst = append(make([]byte, 0, size), dst...)
	for i, e := range entries {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, e...)
	}
	return dst
}

// DecodeBatch reads a batch object.
func (Dialect) DecodeBatch(_ dialect.BatchStep, body io.Reader) (dialect.Batch, error) {
	text, err := dialect.ReadBatchBody(body, dialect.MaxBatchBody)
	if err != nil {
		return dialect.Batch{}, err
	}
	s := scan.New(text)
	b := readBatch(&s)
	if s.End(); s.Fault() != scan.None || b.ID == "" {
		return dialect.Batch{}, ofBatch(text, s.Fault())
	}
	return b, nil
}

// ofBatch is the error of an answer that is no batch: the service's own, or that it can't be read.
func ofBatch(text []byte, f scan.Fault) *dialect.Error {
	if f == scan.Unfinished {
		return &dialect.Error{Outcome: dialect.Connection, Status: http.StatusOK, Code: codeCut}
	}
	var m message
	if m.read(text); m.failure != nil {
		return m.failure.error(http.StatusOK, nil, dialect.Usage{})
	}
	return &dialect.Error{Outcome: dialect.Unknown, Status: http.StatusOK, Code: codeMalformed}
}

// DecodeBatches reads a page of batch objects.
func (Dialect) DecodeBatches(body io.Reader) (page []dialect.Batch, next string, err error) {
	text, err := dialect.ReadBatchBody(body, dialect.MaxBatchBody)
	if err != nil {
		return nil, "", err
	}
	s := scan.New(text)
	more, listed := false, false
	for s.Object(); ; {
		name, ok := s.Member()
		if !ok {
			break
		}
		switch string(name) {
		case "has_more":
			more = s.True()
		case "last_id":
			next = s.Text()
		case "data":
			page, listed = readBatches(&s), true
		}
	}
	if s.End(); s.Fault() != scan.None || !listed {
		return nil, "", ofBatch(text, s.Fault())
	}
	if !more {
		next = ""
	}
	return page, next, nil
}

func readBatches(s *scan.Scanner) (page []dialect.Batch) {
	if !s.Array() {
		return nil
	}
	for s.Item() {
		if b := readBatch(s); b.ID != "" {
			page = append(page, b)
		}
	}
	return page
}

func readBatch(s *scan.Scanner) (b dialect.Batch) {
	if !s.Object() {
		s.Skip()
		return b
	}
	for {
		name, more := s.Member()
		if !more {
			return b
		}
		switch string(name) {
		case "id":
			b.ID = s.Text()
		case "processing_status":
			b.State = batchState(s.Text())
		case "created_at":
			b.CreatedAt = instant(s)
		case "expires_at":
			b.ExpiresAt = instant(s)
		}
	}
}

func instant(s *scan.Scanner) time.Time {
	t, err := time.Parse(time.RFC3339, s.Text())
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// batchState maps a native status. A batch that has ended has results, each of which says what became of it: also one that was cancelled or ran out of time.
func batchState(native string) dialect.BatchState {
	switch native {
	case "in_progress", "canceling":
		return dialect.BatchRunning
	case "ended":
		return dialect.BatchDone
	default:
		return dialect.BatchUnknown
	}
}

// BatchResults reads the lines of the results.
func (d Dialect) BatchResults(body io.Reader) iter.Seq2[dialect.BatchResult, error] {
	return dialect.BatchLines(body, d.readLine)
}

func (d Dialect) readLine(line []byte) (r dialect.BatchResult, ok bool) {
	kind, answer := "", []byte(nil)
	s := scan.New(line)
	for s.Object(); ; {
		name, more := s.Member()
		if !more {
			break
		}
		switch string(name) {
		case "custom_id":
			r.ID = s.Text()
		case "result":
			kind, answer = readResult(&s)
		}
	}
	if !s.End() {
		return r, false
	}
	switch {
	case kind == "expired":
		return dialect.Unmade(r.ID, dialect.CodeBatchExpired), true
	case kind == "canceled":
		return dialect.Unmade(r.ID, dialect.CodeBatchCancelled), true
	case kind == "succeeded" && answer != nil:
		reply, err := d.Decode(dialect.Response{Status: http.StatusOK, Body: answer})
		if err == nil {
			r.Reply = reply
			return r, true
		}
		if errors.As(err, &r.Err) {
			return r, true
		}
	case kind == "errored" && answer != nil:
		r.Err = ofBatch(answer, scan.None)
		r.Err.Status = 0 // It stands in place of an answer: there is nothing to be paid.
		return r, true
	}
	return dialect.MalformedResult(r.ID), true
}

// readResult gives the type of a result, and its message or error.
func readResult(s *scan.Scanner) (kind string, answer []byte) {
	if !s.Object() {
		s.Skip()
		return "", nil
	}
	for {
		name, more := s.Member()
		if !more {
			return kind, answer
		}
		switch string(name) {
		case "type":
			kind = s.Text()
		case "message", "error":
			answer = s.Raw()
		}
	}
}

var _ dialect.Batcher = Dialect{}
