package providertest

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"time"

	"github.com/promptd/promptd/internal/value"
)

// OpenAI's batches: a file of lines is uploaded, a batch names it, and two more files have the results.

// batchWindow is how long a batch may take.
const batchWindow = 24 * time.Hour

// openAIDeed finds out what a request to OpenAI's files and batches wants.
func (s *Server) openAIDeed(r *http.Request, body []byte) (deed, bool) {
	rest, ok := strings.CutPrefix(r.URL.EscapedPath(), "/v1")
	if !ok {
		return deed{}, false
	}
	d := deed{wire: openAI{}}
	head, id, _ := strings.Cut(strings.TrimPrefix(rest, "/"), "/")
	id, tail, _ := strings.Cut(id, "/")
	switch r.Method + " " + head + " " + tail {
	case "POST files ":
		d.step, d.do = "upload", func() (int, []byte) { return s.uploadFile(r, body) }
	case "GET files content":
		d.step, d.do = "fetch", func() (int, []byte) { return s.fileContent(id) }
	case "DELETE files ":
		d.step, d.do = "forget", func() (int, []byte) { return s.deleteFile(id) }
	case "POST batches ":
		d.step, d.do = "create", func() (int, []byte) { return s.createBatch(body) }
	case "POST batches cancel":
		d.step, d.do = "cancel", func() (int, []byte) { return s.openAIBatch(id, func(b *madeBatch) { b.Cancelled = true }) }
	case "GET batches ":
		if id == "" {
			d.step, d.do = "list", func() (int, []byte) { return s.listOpenAI(r.URL.Query().Get("after")) }
			break
		}
		d.step, d.do = "look", func() (int, []byte) { return s.openAIBatch(id, nil) }
	default:
		return deed{}, false
	}
	return d, true
}

// uploadFile takes a form with a file and its purpose.
func (s *Server) uploadFile(r *http.Request, body []byte) (int, []byte) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" {
		return refused(openAI{}, http.StatusBadRequest, "the file is to come as multipart/form-data")
	}
	var purpose, name string
	var file []byte
	for parts := multipart.NewReader(bytes.NewReader(body), params["boundary"]); ; {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return refused(openAI{}, http.StatusBadRequest, "the form is broken")
		}
		text, err := io.ReadAll(part)
		if err != nil {
			return refused(openAI{}, http.StatusBadRequest, "the form is broken")
		}
		switch part.FormName() {
		case "purpose":
			purpose = string(text)
		case "file":
			name, file = part.FileName(), text
		}
	}
	if purpose != "batch" || name == "" || len(file) == 0 {
		return refused(openAI{}, http.StatusBadRequest, "file and purpose are wanted")
	}
	s.shelf.mu.Lock()
	defer s.shelf.mu.Unlock()
	if s.shelf.files == nil {
		s.shelf.files = map[string][]byte{}
	}
	id := "file-" + strings.TrimSuffix(name, ".jsonl")
	s.shelf.files[id] = bytes.Clone(file)
	return http.StatusOK, object(member("id", str(id)), member("object", str("file")), member("bytes", num(len(file))), member("purpose", str("batch"))).Append(nil)
}

// createBatch makes a batch of an uploaded file.
func (s *Server) createBatch(body []byte) (int, []byte) {
	asked, err := value.Decode(body, value.Limits{})
	if err != nil {
		return refused(openAI{}, http.StatusBadRequest, "the body is not JSON")
	}
	b := &madeBatch{MadeBatch: MadeBatch{ID: "batch_", Label: text(asked, "/metadata/promptd_batch")}, wire: openAI{}, input: text(asked, "/input_file_id")}
	endpoint := text(asked, "/endpoint")
	if endpoint == "/v1/responses" {
		b.wire = responses{}
	}
	s.shelf.mu.Lock()
	file, ok := s.shelf.files[b.input]
	s.shelf.mu.Unlock()
	if !ok || text(asked, "/completion_window") != "24h" {
		return refused(openAI{}, http.StatusBadRequest, "the input file is not there, or the window is not 24h")
	}
	for line := range bytes.Lines(file) {
		v, err := value.Decode(line, value.Limits{})
		if err != nil || text(v, "/url") != endpoint || text(v, "/method") != http.MethodPost || text(v, "/custom_id") == "" {
			return refused(openAI{}, http.StatusBadRequest, "a line of the file is not as it should be")
		}
		call, _ := v.Get("body")
		if b.Model = text(call, "/model"); b.Model == "" {
			return refused(openAI{}, http.StatusBadRequest, "a line names no model")
		}
		b.entries = append(b.entries, entry{id: text(v, "/custom_id"), path: endpoint, body: call.Append(nil)})
	}
	return http.StatusOK, s.openAIObject(s.begin(b)).Append(nil)
}

// openAIBatch looks at a batch, or does something with it.
func (s *Server) openAIBatch(id string, do func(*madeBatch)) (int, []byte) {
	b := s.found(id)
	if b == nil {
		return refused(openAI{}, http.StatusNotFound, "No such batch")
	}
	if do != nil {
		s.shelf.mu.Lock()
		do(b)
		s.shelf.mu.Unlock()
	} else {
		s.look(b)
	}
	return http.StatusOK, s.openAIObject(b).Append(nil)
}

// openAIObject is a batch object.
func (s *Server) openAIObject(b *madeBatch) value.Value {
	s.shelf.mu.Lock()
	defer s.shelf.mu.Unlock()
	status, output, failures, errors := "in_progress", value.Null(), value.Null(), value.Null()
	switch {
	case b.ended == BatchDone:
		status = "completed"
	case b.ended == BatchFailed:
		status = "failed"
		errors = object(member("object", str("list")), member("data", value.Array(object(member("code", str("token_limit_exceeded")), member("message", str("scripted"))))))
	case b.ended != "":
		status = string(b.ended)
	case b.Cancelled:
		status = "cancelling"
	case b.Looked == 0:
		status = "validating"
	}
	if len(b.lines) > 0 {
		output = str("file-out-" + b.ID)
	}
	if len(b.errors) > 0 {
		failures = str("file-err-" + b.ID)
	}
	return object(
		member("id", str(b.ID)), member("object", str("batch")), member("status", str(status)), member("errors", errors), member("input_file_id", str(b.input)),
		member("output_file_id", output), member("error_file_id", failures), member("created_at", num(int(b.begun.Unix()))), member("expires_at", num(int(b.begun.Add(batchWindow).Unix()))),
		member("metadata", object(member("promptd_batch", str(b.Label)))))
}

// listOpenAI lists the batches, the newest first, two a page.
func (s *Server) listOpenAI(after string) (int, []byte) {
	page, more := s.page(after)
	var list []value.Value
	for _, b := range page {
		list = append(list, s.openAIObject(b))
	}
	return http.StatusOK, object(member("object", str("list")), member("data", value.Array(list...)), member("has_more", value.Bool(more))).Append(nil)
}

// page gives the batches behind one.
func (s *Server) page(after string) (page []*madeBatch, more bool) {
	const size = 2
	s.shelf.mu.Lock()
	defer s.shelf.mu.Unlock()
	begun := after == ""
	for i := len(s.shelf.made) - 1; i >= 0; i-- {
		b := s.shelf.made[i]
		switch {
		case !begun:
			begun = b.ID == after
		case b.Forgotten:
		case len(page) == size:
			return page, true
		default:
			page = append(page, b)
		}
	}
	return page, false
}

// fileContent gives an output or error file.
func (s *Server) fileContent(id string) (int, []byte) {
	s.shelf.mu.Lock()
	defer s.shelf.mu.Unlock()
	for _, b := range s.shelf.made {
		switch {
		case b.Forgotten:
		case id == "file-out-"+b.ID:
			return http.StatusOK, append(bytes.Join(b.lines, []byte("\n")), '\n')
		case id == "file-err-"+b.ID:
			return http.StatusOK, append(bytes.Join(b.errors, []byte("\n")), '\n')
		}
	}
	return refused(openAI{}, http.StatusNotFound, "No such File object")
}

// deleteFile forgets an uploaded file, and the batch whose file it is.
func (s *Server) deleteFile(id string) (int, []byte) {
	s.shelf.mu.Lock()
	defer s.shelf.mu.Unlock()
	delete(s.shelf.files, id)
	for _, b := range s.shelf.made {
		b.Forgotten = b.Forgotten || id == "file-out-"+b.ID
	}
	return http.StatusOK, object(member("id", str(id)), member("deleted", value.Bool(true))).Append(nil)
}

// openAILine is a line of the output or error file.
func openAILine(id string, fate BatchLine, status int, body []byte) []byte {
	response, failed := value.Null(), value.Null()
	switch fate {
	case LineExpired:
		failed = object(member("code", str("batch_expired")), member("message", str("This request could not be executed before the completion window expired.")))
	case LineCancelled:
		failed = object(member("code", str("batch_cancelled")), member("message", str("This request was cancelled.")))
	default:
		response = object(member("status_code", num(status)), member("request_id", str("req_"+id)), member("body", raw(body)))
	}
	return object(member("id", str("batch_req_"+id)), member("custom_id", str(id)), member("response", response), member("error", failed)).Append(nil)
}
