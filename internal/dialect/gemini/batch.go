package gemini

import (
	"errors"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/value"
)

// A batch of the Gemini API carries its requests inline, and its results come inside the operation that stands for it. The other way, by files, takes more, but
// its upload goes to another address than all else. batch_read.go reads the answers. Vertex has another API for batches, over its own storage, and none here.

// BatchBounds are those of inline requests: 20 MB for all of the request, of which the envelope takes some. The number is our own: results come in one answer,
// which is read in one piece.
// 2026-11: ai.google.dev, Batch API, Inline requests.
func (Dialect) BatchBounds() dialect.BatchBounds {
	return dialect.BatchBounds{Entries: 1000, Bytes: 18_000_000, Labels: true}
}

// mostResults bounds the answer with the results, in bytes: 1,000 of them at 64 KiB.
const mostResults = 64 << 20

// BatchEntry makes an inline request.
func (Dialect) BatchEntry(id string, c dialect.Call) ([]byte, error) {
	if err := check(c.Output); err != nil {
		return nil, err
	}
	if id == "" || len(id) > maxName || strings.ContainsFunc(id, notInName) {
		return nil, errors.New("gemini: an id in a batch has 1 to 64 letters, digits, _ and -")
	}
	body, err := bodyOf(c)
	if err != nil {
		return nil, err
	}
	dst := make([]byte, 0, len(body)+len(id)+48)
	dst = append(append(dst, `{"request":`...), body...)
	return append(append(append(dst, `,"metadata":{"key":"`...), id...), `"}}`...), nil
}

// BatchRequests gives the requests of a step. What is looked at and what is fetched is the same operation: once it is done the results are in it.
func (Dialect) BatchRequests(step dialect.BatchStep, b *dialect.Batch, entries [][]byte) ([]dialect.Request, error) {
	switch step {
	case dialect.BatchUpload:
		return nil, nil
	case dialect.BatchCreate:
		return create(b, entries)
	case dialect.BatchList:
		path := "/batches?pageSize=100"
		if b.ID != "" {
			path += "&pageToken=" + url.QueryEscape(b.ID)
		}
		return []dialect.Request{ask(http.MethodGet, path)}, nil
	}
	name, ok := strings.CutPrefix(b.ID, "batches/")
	if !ok || name == "" {
		return nil, errors.New("gemini: the batch has no name such as batches/abc")
	}
	path := "/batches/" + url.PathEscape(name)
	switch step {
	case dialect.BatchLook, dialect.BatchFetch:
		return []dialect.Request{ask(http.MethodGet, path)}, nil
	case dialect.BatchCancel:
		return []dialect.Request{ask(http.MethodPost, path+":cancel")}, nil
	case dialect.BatchForget:
		return []dialect.Request{ask(http.MethodDelete, path)}, nil
	default:
		return nil, nil
	}
}

// ask is a request without a body.
func ask(method, path string) dialect.Request {
	return dialect.Request{Method: method, Path: path, Header: http.Header{"Accept": {"application/json"}}}
}

// create makes the request that begins a batch. The label is its display name, by which it is found again.
func create(b *dialect.Batch, entries [][]byte) ([]dialect.Request, error) {
	address, err := pathOf(b.Model, false)
	if err != nil {
		return nil, err
	}
	size := 256
	for _, e := range entries {
		size += len(e) + 1
	}
	dst := append(make([]byte, 0, size), `{"batch":{"displayName":`...)
	dst = append(value.AppendQuoted(dst, b.Label), `,"inputConfig":{"requests":{"requests":[`...)
	for i, e := range entries {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, e...)
	}
	r := ask(http.MethodPost, strings.TrimSuffix(address, ":generateContent")+":batchGenerateContent")
	r.Header["Content-Type"] = []string{"application/json"}
	r.Body = append(dst, `]}}}}`...)
	return []dialect.Request{r}, nil
}

// DecodeBatch reads an operation.
func (Dialect) DecodeBatch(_ dialect.BatchStep, body io.Reader) (dialect.Batch, error) {
	text, err := dialect.ReadBatchBody(body, mostResults)
	if err != nil {
		return dialect.Batch{}, err
	}
	return readBatch(text)
}

// DecodeBatches reads a page of operations.
func (Dialect) DecodeBatches(body io.Reader) ([]dialect.Batch, string, error) {
	text, err := dialect.ReadBatchBody(body, mostResults)
	if err != nil {
		return nil, "", err
	}
	return readBatches(text)
}

// BatchResults reads the results in an operation.
func (d Dialect) BatchResults(body io.Reader) iter.Seq2[dialect.BatchResult, error] {
	return func(yield func(dialect.BatchResult, error) bool) {
		text, err := dialect.ReadBatchBody(body, mostResults)
		if err == nil {
			err = d.results(text, func(r dialect.BatchResult) bool { return yield(r, nil) })
		}
		if err != nil {
			yield(dialect.BatchResult{}, err)
		}
	}
}

var _ dialect.Batcher = Dialect{}
