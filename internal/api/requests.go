package api

import (
	"encoding/json"
	"net/http"
	"time"

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
	SchemaHash       string          `json:"schema_hash,omitempty"`
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
		ValidationStatus: r.ValidationStatus, Provider: r.Provider, Model: r.Model, SchemaHash: r.SchemaHash, DialectMode: r.DialectMode, Cached: r.Cached,
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
	f.ValidationStatus, f.After = text("validation_status"), usage.Cursor(text("cursor"))
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
	if err := c.query().done(); err != nil {
		return err
	}
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
	if err := c.query().done(); err != nil {
		return err
	}
	if err := s.flushed(c); err != nil {
		return err
	}
	if err := s.deps.History.Delete(c.r.Context(), key.OfTeam(c.caller.Team), c.r.PathValue("id")); err != nil {
		return err
	}
	return c.empty()
}
