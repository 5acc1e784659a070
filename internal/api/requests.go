package api

import (
	"encoding/json"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/usage"
)

// Request is one request of the history as the API shows it.
type Request struct {
	RequestID        string          `json:"request_id"`
	ClientRequestID  string          `json:"client_request_id,omitempty"`
	Team             key.TeamID      `json:"team"`
	Key              key.ID          `json:"key"`
	CreatedAt        time.Time       `json:"created_at"`
	Status           int             `json:"status"`
	Code             string          `json:"code,omitempty"`
	ValidationStatus string          `json:"validation_status,omitempty"`
	Provider         string          `json:"provider,omitempty"`
	Model            string          `json:"model,omitempty"`
	Schema           string          `json:"schema,omitempty" doc:"The version of the registered schema, as name@version; left out for any other."`
	SchemaHash       string          `json:"schema_hash,omitempty"`
	Template         string          `json:"template,omitempty" doc:"The template that the request named, as name@version. Lists leave it out."`
	DialectMode      string          `json:"dialect_mode,omitempty"`
	Cached           bool            `json:"cached"`
	Coalesced        bool            `json:"coalesced"`
	Language         string          `json:"language,omitempty"`
	InputTokens      int64           `json:"input_tokens"`
	OutputTokens     int64           `json:"output_tokens"`
	CachedInput      int64           `json:"cached_input_tokens"`
	CostUSD          usage.Cost      `json:"cost_usd"`
	ProcessingMS     float64         `json:"processing_time_ms"`
	OverheadMS       float64         `json:"overhead_ms"`
	Attempts         json.RawMessage `json:"attempts,omitempty"`
	Validation       json.RawMessage `json:"validation,omitempty"`
	Prompt           string          `json:"prompt,omitempty"`
	Answer           json.RawMessage `json:"answer,omitempty"`
}

// Requests is a page of the history.
type Requests struct {
	Data       []Request    `json:"data"`
	NextCursor usage.Cursor `json:"next_cursor,omitempty"`
}

func shown(r *usage.Record) Request {
	out := Request{
		RequestID: r.RequestID, ClientRequestID: r.ClientRequestID, Team: r.Team, Key: r.Key, CreatedAt: r.Time.UTC(), Status: r.Status, Code: r.Code,
		ValidationStatus: r.ValidationStatus, Provider: r.Provider, Model: r.Model, Schema: r.Schema, SchemaHash: r.SchemaHash, Template: r.Template, DialectMode: r.DialectMode, Cached: r.Cached,
		Coalesced: r.Coalesced, Language: r.Language, InputTokens: r.Tokens.Input, OutputTokens: r.Tokens.Output, CachedInput: r.Tokens.CachedInput,
		CostUSD: r.Cost, ProcessingMS: milliseconds(r.Processing), OverheadMS: milliseconds(r.Overhead),
		Attempts: r.Attempts, Validation: r.Validation, Prompt: r.Prompt,
	}
	if r.Answer != "" {
		out.Answer = json.RawMessage(r.Answer)
	}
	return out
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// flushed waits until the requests of before are readable, so that a caller finds what it has just done.
func (s *Server) flushed(c *call) error { return s.deps.Recorded.Flush(c.r.Context()) }

// listRequests is GET /v1/requests.
func (s *Server) listRequests(c *call) error {
	q := c.query()
	f := usage.Filter{Limit: q.number("limit", usage.DefaultPage, 1, usage.MaxPage), From: q.time("from"), To: q.time("to"), Status: q.number("status", 0, 100, 599)}
	text := func(name string) string { s, _ := q.text(name); return s }
	f.Key, f.Provider, f.Model, f.Schema = key.ID(text("key")), text("provider"), text("model"), text("schema")
	f.ValidationStatus, f.After = q.enum("validation_status", "", "passed", "failed", "needs_input"), usage.Cursor(text("cursor"))
	if err := q.done(); err != nil {
		return err
	}
	if err := s.flushed(c); err != nil {
		return err
	}
	list, next, err := s.deps.History.Requests(c.r.Context(), key.OfTeam(c.caller.Team), f)
	if err != nil {
		return err
	}
	page := Requests{Data: make([]Request, 0, len(list)), NextCursor: next}
	for i := range list {
		page.Data = append(page.Data, shown(&list[i]))
	}
	return c.json(http.StatusOK, page)
}

// readRequest is GET /v1/requests/{id}.
func (s *Server) readRequest(c *call) error {
	if err := s.flushed(c); err != nil {
		return err
	}
	r, err := s.deps.History.Request(c.r.Context(), key.OfTeam(c.caller.Team), c.r.PathValue("id"))
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, shown(&r))
}

// deleteRequest is DELETE /v1/requests/{id}.
func (s *Server) deleteRequest(c *call) error {
	if err := s.flushed(c); err != nil {
		return err
	}
	if err := s.deps.History.Delete(c.r.Context(), key.OfTeam(c.caller.Team), c.r.PathValue("id")); err != nil {
		return err
	}
	return c.empty()
}

// TransformSchema says what the raw parts are.
func (Request) TransformSchema(r huma.Registry, s *huma.Schema) *huma.Schema {
	s.Properties["attempts"] = r.Schema(reflect.TypeFor[[]Attempt](), true, "")
	s.Properties["validation"] = r.Schema(reflect.TypeFor[Validation](), true, "")
	s.Properties["answer"].Description = "The data of the answer, where texts are kept."
	return s
}

const exampleRequest = `{"request_id": "0199f3c2-a4b1-7c5e-9d3e-6f708192a3b4", "team": "billing", "key": "` + exampleKeyID + `", "created_at": "2026-11-24T08:00:00Z", "status": 200,
	"validation_status": "passed", "provider": "gemini", "model": "gemini-2.5-flash", "dialect_mode": "strict", "cached": false, "coalesced": false, "language": "en",
	"input_tokens": 210, "output_tokens": 48, "cached_input_tokens": 0, "cost_usd": 0.000183, "processing_time_ms": 812.4, "overhead_ms": 0.41}`

func requestID() map[string]*huma.Param {
	return map[string]*huma.Param{"id": idParameter("The request_id of an answer.", `^[^/\u0000-\u001f\u007f\ufffd]{1,200}$`, "0199f3c2-a4b1-7c5e-9d3e-6f708192a3b4")}
}

func docListRequests() operation {
	return operation{
		id: "listRequests", tag: "history", summary: "List requests", text: "Those of the caller's team, the newest first, without their attempts and texts.",
		query: []*huma.Param{
			limitParameter(usage.DefaultPage, usage.MaxPage), cursorParameter(usage.CursorPattern),
			timeParameter("from", "Requests from then on."), timeParameter("to", "Requests before then."),
			numberParameter("status", "Requests answered with that HTTP status.", 100, 599, nil),
			enumParameter("validation_status", "Requests whose answer was judged so.", "", "passed", "failed", "needs_input"),
			textParameter("key", "Requests of one key, by its id."), textParameter("provider", "Requests answered by one provider."),
			textParameter("model", "Requests answered by one model."), textParameter("schema", "Requests with one registered schema: name@version, or name for all of its versions."),
		},
		answers: []reply{jsonReply(http.StatusOK, reflect.TypeFor[Requests](), "A page of requests.", example(`{"data": [`+exampleRequest+`]}`))},
	}
}

func docReadRequest() operation {
	return operation{
		id: "readRequest", tag: "history", summary: "Read a request", text: "With every attempt, the validation report, and the texts where they are kept.",
		path: requestID(), codes: notFound(), answers: []reply{jsonReply(http.StatusOK, reflect.TypeFor[Request](), "The request.", example(exampleRequest))},
	}
}

func docDeleteRequest() operation {
	return operation{
		id: "deleteRequest", tag: "history", summary: "Remove a request", text: "With its texts. What it used and cost stays in the sums.",
		path: requestID(), codes: notFound(), answers: []reply{{status: http.StatusNoContent, text: "The request is removed."}},
	}
}
