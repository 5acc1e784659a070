package openai

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/value"
)

// A batch of this family is a file of JSON lines, uploaded beforehand, and a batch object that names it. Results are in two more files: what succeeded, and what
// failed or was not made. batch_read.go reads the answers. Dialects of the same services differ in the endpoint and in what a line's body is: they call the
// functions below.

// Endpoint is what a line of a batch is sent to; the services name it from their root, whatever the base URL is.
const Endpoint = "/v1/chat/completions"

// BatchBounds are OpenAI's: 50,000 requests and 200 MB a file.
// 2026-11: developers.openai.com, guide Batch API, Rate limits. Others of the family take as many or do not say.
func BatchBounds() dialect.BatchBounds {
	return dialect.BatchBounds{Entries: 50_000, Bytes: 200_000_000, Labels: true}
}

// BatchBounds are those of the family.
func (Dialect) BatchBounds() dialect.BatchBounds { return BatchBounds() }

// BatchEntry makes a line of the input file.
func (d Dialect) BatchEntry(id string, c dialect.Call) ([]byte, error) {
	return BatchEntry(d, Endpoint, id, c)
}

// BatchRequests gives the requests of a step.
func (Dialect) BatchRequests(step dialect.BatchStep, b *dialect.Batch, entries [][]byte) ([]dialect.Request, error) {
	return BatchRequests(Endpoint, step, b, entries)
}

// DecodeBatch reads a file object or a batch object.
func (Dialect) DecodeBatch(step dialect.BatchStep, body io.Reader) (dialect.Batch, error) {
	return DecodeBatch(step, body)
}

// DecodeBatches reads a page of batch objects.
func (Dialect) DecodeBatches(body io.Reader) ([]dialect.Batch, string, error) {
	return DecodeBatches(body)
}

// BatchResults reads the output file or the error file.
func (d Dialect) BatchResults(body io.Reader) iter.Seq2[dialect.BatchResult, error] {
	return BatchResults(d, body)
}

var _ dialect.Batcher = Dialect{}

// BatchEntry makes a line of a call in a dialect of the family.
func BatchEntry(d dialect.Dialect, endpoint, id string, c dialect.Call) ([]byte, error) {
	c.Stream = false
	r, err := d.Encode(c)
	if err != nil {
		return nil, err
	}
	if id == "" || !ValidName(id) {
		return nil, errors.New("openai: an id in a batch has 1 to 64 letters, digits, _ and -")
	}
	dst := make([]byte, 0, len(r.Body)+len(id)+len(endpoint)+64)
	dst = append(append(dst, `{"custom_id":"`...), id...)
	dst = append(append(dst, `","method":"POST","url":"`...), endpoint...)
	dst = append(append(dst, `","body":`...), r.Body...)
	return append(dst, '}'), nil
}

// BatchRequests gives the requests of a step for an endpoint.
func BatchRequests(endpoint string, step dialect.BatchStep, b *dialect.Batch, entries [][]byte) ([]dialect.Request, error) {
	switch step {
	case dialect.BatchUpload:
		return upload(b.Label, entries)
	case dialect.BatchCreate:
		return create(endpoint, b)
	case dialect.BatchList:
		path := "/batches?limit=100"
		if b.ID != "" {
			path += "&after=" + url.QueryEscape(b.ID)
		}
		return []dialect.Request{ask(http.MethodGet, path)}, nil
	case dialect.BatchFetch:
		return files(http.MethodGet, "/content", b.OutputFile, b.ErrorFile)
	case dialect.BatchForget:
		return files(http.MethodDelete, "", b.InputFile, b.OutputFile, b.ErrorFile)
	}
	if b.ID == "" {
		return nil, errNoID
	}
	switch step {
	case dialect.BatchLook:
		return []dialect.Request{ask(http.MethodGet, "/batches/"+url.PathEscape(b.ID))}, nil
	case dialect.BatchCancel:
		return []dialect.Request{ask(http.MethodPost, "/batches/"+url.PathEscape(b.ID)+"/cancel")}, nil
	default:
		return nil, nil
	}
}

var errNoID = errors.New("openai: the batch has no id")

// ask is a request without a body.
func ask(method, path string) dialect.Request {
	return dialect.Request{Method: method, Path: path, Header: http.Header{"Accept": {"application/json"}}}
}

// files are the requests about those files that there are.
func files(method, suffix string, names ...string) ([]dialect.Request, error) {
	var list []dialect.Request
	for _, name := range names {
		if name != "" {
			list = append(list, ask(method, "/files/"+url.PathEscape(name)+suffix))
		}
	}
	return list, nil
}

// upload makes the form with the input file. Its boundary is made of the label and stands in no entry.
func upload(label string, entries [][]byte) ([]dialect.Request, error) {
	if label == "" || !ValidName(label) {
		return nil, errors.New("openai: a batch's label has 1 to 64 letters, digits, _ and -")
	}
	size := 0
	for _, e := range entries {
		size += len(e) + 1
	}
	boundary := boundaryOf(label, entries)
	dst := make([]byte, 0, size+len(label)+3*len(boundary)+256)
	dst = append(append(append(dst, "--"...), boundary...), "\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--"...)
	dst = append(append(dst, boundary...), "\r\nContent-Disposition: form-data; name=\"file\"; filename=\""...)
	dst = append(append(dst, label...), ".jsonl\"\r\nContent-Type: application/jsonl\r\n\r\n"...)
	for _, e := range entries {
		dst = append(append(dst, e...), '\n')
	}
	dst = append(append(append(dst, "\r\n--"...), boundary...), "--\r\n"...)
	header := http.Header{"Content-Type": {"multipart/form-data; boundary=" + boundary}, "Accept": {"application/json"}}
	return []dialect.Request{{Method: http.MethodPost, Path: "/files", Header: header, Body: dst}}, nil
}

// boundaryOf counts up until the boundary stands in no entry. A prompt would have to hold them all for this to take long, and it does not know the label.
func boundaryOf(label string, entries [][]byte) string {
	for n := 0; ; n++ {
		boundary := "batch-" + label[:min(len(label), 40)] + "-" + strconv.Itoa(n)
		taken := false
		for _, e := range entries {
			taken = taken || bytes.Contains(e, []byte(boundary))
		}
		if !taken {
			return boundary
		}
	}
}

// create makes the batch of an uploaded file. The label stands in the metadata, by which the batch is found again.
func create(endpoint string, b *dialect.Batch) ([]dialect.Request, error) {
	if b.InputFile == "" {
		return nil, errors.New("openai: a batch needs its input file")
	}
	dst := value.AppendQuoted([]byte(`{"input_file_id":`), b.InputFile)
	dst = value.AppendQuoted(append(dst, `,"endpoint":`...), endpoint)
	dst = value.AppendQuoted(append(dst, `,"completion_window":"24h","metadata":{"`+labelKey+`":`...), b.Label)
	r := Post(append(dst, "}}"...), false)
	r.Path = "/batches"
	return []dialect.Request{r}, nil
}

// labelKey is the member of the metadata that holds the label.
const labelKey = "promptd_batch"
