package providertest

import (
	"bytes"
	"net/http"
	"strings"
	"time"

	"github.com/promptd/promptd/internal/value"
)

// The batches whose calls stand in the request that creates them: Anthropic's and Gemini's.

// anthropicDeed finds out what a request to Anthropic's batches wants.
func (s *Server) anthropicDeed(r *http.Request, body []byte) (deed, bool) {
	rest, ok := strings.CutPrefix(r.URL.EscapedPath(), "/v1/messages/batches")
	if !ok {
		return deed{}, false
	}
	d := deed{wire: anthropic{}}
	id, tail, _ := strings.Cut(strings.TrimPrefix(rest, "/"), "/")
	switch {
	case r.Header.Get("Anthropic-Version") != anthropicVersion:
		d.step, d.do = "look", func() (int, []byte) {
			return refused(anthropic{}, http.StatusBadRequest, "anthropic-version: header is required")
		}
	case r.Method == http.MethodPost && id == "":
		d.step, d.do = "create", func() (int, []byte) { return s.createMessages(body) }
	case r.Method == http.MethodGet && id == "":
		d.step, d.do = "list", func() (int, []byte) { return s.listMessages(r.URL.Query().Get("after_id")) }
	case r.Method == http.MethodGet && tail == "results":
		d.step, d.do = "fetch", func() (int, []byte) { return s.messageResults(id) }
	case r.Method == http.MethodPost && tail == "cancel":
		d.step, d.do = "cancel", func() (int, []byte) { return s.messageBatch(id, func(b *madeBatch) { b.Cancelled = true }) }
	case r.Method == http.MethodDelete && tail == "":
		d.step, d.do = "forget", func() (int, []byte) { return s.messageBatch(id, func(b *madeBatch) { b.Forgotten = true }) }
	case r.Method == http.MethodGet && tail == "":
		d.step, d.do = "look", func() (int, []byte) { return s.messageBatch(id, nil) }
	default:
		return deed{}, false
	}
	return d, true
}

func (s *Server) createMessages(body []byte) (int, []byte) {
	asked, err := value.Decode(body, value.Limits{})
	requests, _ := asked.Get("requests")
	if err != nil || requests.Len() == 0 {
		return refused(anthropic{}, http.StatusBadRequest, "requests: a list that is not empty is wanted")
	}
	b := &madeBatch{MadeBatch: MadeBatch{ID: "msgbatch_"}, wire: anthropic{}}
	for _, one := range requests.Items() {
		params, _ := one.Get("params")
		b.Model = text(params, "/model")
		b.entries = append(b.entries, entry{id: text(one, "/custom_id"), path: "/v1/messages", body: params.Append(nil)})
	}
	return http.StatusOK, s.messageObject(s.begin(b)).Append(nil)
}

func (s *Server) messageBatch(id string, do func(*madeBatch)) (int, []byte) {
	b := s.found(id)
	if b == nil {
		return refused(anthropic{}, http.StatusNotFound, "Batch not found")
	}
	if do != nil {
		s.shelf.mu.Lock()
		do(b)
		s.shelf.mu.Unlock()
	} else {
		s.look(b)
	}
	return http.StatusOK, s.messageObject(b).Append(nil)
}

// messageObject is a batch object. A batch that could not be begun is not known here: one that failed has ended with results that all say so.
func (s *Server) messageObject(b *madeBatch) value.Value {
	s.shelf.mu.Lock()
	defer s.shelf.mu.Unlock()
	status, results := "in_progress", value.Null()
	switch {
	case b.ended != "":
		status, results = "ended", str(s.URL()+"/v1/messages/batches/"+b.ID+"/results")
	case b.Cancelled:
		status = "canceling"
	}
	return object(
		member("id", str(b.ID)), member("type", str("message_batch")), member("processing_status", str(status)), member("results_url", results),
		member("created_at", str(b.begun.UTC().Format(time.RFC3339))), member("expires_at", str(b.begun.Add(batchWindow).UTC().Format(time.RFC3339))))
}

func (s *Server) listMessages(after string) (int, []byte) {
	page, more := s.page(after)
	var list []value.Value
	last := value.Null()
	for _, b := range page {
		list = append(list, s.messageObject(b))
		last = str(b.ID)
	}
	return http.StatusOK, object(member("data", value.Array(list...)), member("has_more", value.Bool(more)), member("last_id", last)).Append(nil)
}

func (s *Server) messageResults(id string) (int, []byte) {
	b := s.found(id)
	if b == nil {
		return refused(anthropic{}, http.StatusNotFound, "Batch not found")
	}
	s.shelf.mu.Lock()
	defer s.shelf.mu.Unlock()
	if b.ended == "" {
		return refused(anthropic{}, http.StatusBadRequest, "the batch has not ended")
	}
	if b.ended == BatchFailed {
		var lines [][]byte
		for _, id := range b.IDs {
			r := anthropic{}.fail(failure{fault: ServerError})
			lines = append(lines, anthropicLine(id, LineFailed, r.status, bytes.Join(r.pieces, nil)))
		}
		return http.StatusOK, append(bytes.Join(lines, []byte("\n")), '\n')
	}
	return http.StatusOK, append(bytes.Join(b.lines, []byte("\n")), '\n')
}

// anthropicLine is a line of the results.
func anthropicLine(id string, fate BatchLine, status int, body []byte) []byte {
	result := object(member("type", str("succeeded")), member("message", raw(body)))
	switch {
	case fate == LineExpired:
		result = object(member("type", str("expired")))
	case fate == LineCancelled:
		result = object(member("type", str("canceled")))
	case status != http.StatusOK:
		result = object(member("type", str("errored")), member("error", raw(body)))
	}
	return object(member("custom_id", str(id)), member("result", result)).Append(nil)
}

// geminiDeed finds out what a request to Gemini's batches wants.
func (s *Server) geminiDeed(r *http.Request, body []byte) (deed, bool) {
	path := r.URL.EscapedPath()
	d := deed{wire: gemini{}}
	if model, ok := strings.CutSuffix(path, ":batchGenerateContent"); ok && r.Method == http.MethodPost {
		d.step, d.do = "create", func() (int, []byte) { return s.createOperation(model, body) }
		return d, true
	}
	rest, ok := strings.CutPrefix(path, "/v1beta/batches")
	if !ok {
		return deed{}, false
	}
	id, cancel := strings.CutSuffix(strings.TrimPrefix(rest, "/"), ":cancel")
	switch {
	case r.Method == http.MethodGet && id == "":
		d.step, d.do = "list", func() (int, []byte) { return s.listOperations(r.URL.Query().Get("pageToken")) }
	case r.Method == http.MethodPost && cancel:
		d.step, d.do = "cancel", func() (int, []byte) { return s.operation(id, func(b *madeBatch) { b.Cancelled = true }) }
	case r.Method == http.MethodDelete:
		d.step, d.do = "forget", func() (int, []byte) { return s.operation(id, func(b *madeBatch) { b.Forgotten = true }) }
	case r.Method == http.MethodGet:
		d.step, d.do = "look", func() (int, []byte) { return s.operation(id, nil) }
	default:
		return deed{}, false
	}
	return d, true
}

func (s *Server) createOperation(model string, body []byte) (int, []byte) {
	asked, err := value.Decode(body, value.Limits{})
	requests, _ := asked.Lookup("/batch/inputConfig/requests/requests")
	if err != nil || requests.Len() == 0 || text(asked, "/batch/displayName") == "" {
		return refused(gemini{}, http.StatusBadRequest, "batch.displayName and batch.inputConfig are wanted")
	}
	b := &madeBatch{wire: gemini{}, MadeBatch: MadeBatch{
		ID: "batches/", Label: text(asked, "/batch/displayName"), Model: model[strings.LastIndexByte(model, '/')+1:],
	}}
	for _, one := range requests.Items() {
		request, _ := one.Get("request")
		b.entries = append(b.entries, entry{id: text(one, "/metadata/key"), path: model + ":generateContent", body: request.Append(nil)})
	}
	return http.StatusOK, s.operationObject(s.begin(b), false).Append(nil)
}

func (s *Server) operation(id string, do func(*madeBatch)) (int, []byte) {
	b := s.found("batches/" + id)
	if b == nil {
		return refused(gemini{}, http.StatusNotFound, "Requested entity was not found.")
	}
	if do != nil {
		s.shelf.mu.Lock()
		do(b)
		s.shelf.mu.Unlock()
		return http.StatusOK, []byte("{}")
	}
	s.look(b)
	return http.StatusOK, s.operationObject(b, true).Append(nil)
}

func (s *Server) listOperations(after string) (int, []byte) {
	page, more := s.page(after)
	var list []value.Value
	token := value.Null()
	for _, b := range page {
		list = append(list, s.operationObject(b, false))
		if more {
			token = str(b.ID)
		}
	}
	return http.StatusOK, object(member("operations", value.Array(list...)), member("nextPageToken", token)).Append(nil)
}

// operationObject is an operation, with its results where they are wanted.
func (s *Server) operationObject(b *madeBatch, results bool) value.Value {
	s.shelf.mu.Lock()
	defer s.shelf.mu.Unlock()
	state := "BATCH_STATE_RUNNING"
	switch b.ended {
	case "":
		if b.Looked == 0 {
			state = "BATCH_STATE_PENDING"
		}
	case BatchDone:
		state = "BATCH_STATE_SUCCEEDED"
	default:
		state = "BATCH_STATE_" + strings.ToUpper(string(b.ended))
	}
	members := []value.Member{
		member("name", str(b.ID)),
		member("metadata", object(
			member("@type", str("type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch")), member("model", str("models/"+b.Model)),
			member("displayName", str(b.Label)), member("createTime", str(b.begun.UTC().Format(time.RFC3339))), member("state", str(state)))),
	}
	if b.ended != "" {
		members = append(members, member("done", value.Bool(true)))
	}
	if b.ended != "" && b.ended != BatchFailed && results {
		var list []value.Value
		for _, line := range b.lines {
			list = append(list, raw(line))
		}
		members = append(members, member("response", object(member("inlinedResponses", object(member("inlinedResponses", value.Array(list...)))))))
	}
	return object(members...)
}

// geminiLine is an inline result. What was not made has the status of that in gRPC's words.
func geminiLine(id string, fate BatchLine, status int, body []byte) []byte {
	key := member("metadata", object(member("key", str(id))))
	switch {
	case fate == LineExpired:
		return object(member("error", object(member("code", num(4)), member("message", str("Deadline expired before operation could complete.")))), key).Append(nil)
	case fate == LineCancelled:
		return object(member("error", object(member("code", num(1)), member("message", str("The operation was cancelled.")))), key).Append(nil)
	case status == http.StatusOK:
		return object(member("response", raw(body)), key).Append(nil)
	default:
		failed, _ := raw(body).Get("error")
		return object(member("error", failed), key).Append(nil)
	}
}
