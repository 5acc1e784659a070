package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Request is what POST /v1/analyze takes. One of Prompt, Messages and Template must be given; or State with Prompt or Answers, and nothing else.
type Request struct {
	Prompt   string    `json:"prompt,omitempty"`
	Messages []Message `json:"messages,omitempty"`
	// Template names a registered template, as name or name@version; Parameters are its parameters.
	Template   string         `json:"template,omitempty"`
	Parameters map[string]any `json:"parameters,omitempty"`
	// Schema is a JSON Schema: raw JSON ([json.RawMessage]), anything that encodes as one, or a string that refers to a registered one.
	// Without it the answer has the default form.
	Schema any `json:"schema,omitempty"`
	// Format is json (the default), xml, yaml or toon.
	Format  string   `json:"format,omitempty"`
	Options *Options `json:"options,omitempty"`
	// State goes on with an answer that needed input. Beside it stands what the person said: Prompt, or Answers to single questions by their pointers.
	State   string            `json:"state,omitempty"`
	Answers map[string]string `json:"answers,omitempty"`

	// ClientRequestID is the caller's own id of the request, sent as X-Request-ID; the server keeps it beside its own.
	ClientRequestID string `json:"-"`
	// IdempotencyKey makes the server give the same answer again instead of asking a model twice. Empty: one is made where the client may try again.
	IdempotencyKey string `json:"-"`
}

// Message is one turn of a conversation that stands for the prompt: a role of system, user or assistant.
type Message struct {
	Role string `json:"role"`
	// Content is a string or a list of parts.
	Content any `json:"content"`
}

// Part is a part of a message's content.
type Part struct {
	// Type is text or image_url.
	Type     string    `json:"type"`
	Text     string    `json:"text,omitempty"`
	ImageURL *ImageURL `json:"image_url,omitempty"`
}

// ImageURL is an image as a data: URL.
type ImageURL struct {
	URL string `json:"url"`
}

// Options are the choices of one request. What is nil or empty has the server's default.
type Options struct {
	IncludeConfidence *bool    `json:"include_confidence,omitempty"`
	LanguageDetection *bool    `json:"language_detection,omitempty"`
	Provenance        *bool    `json:"provenance,omitempty"`
	CacheTTL          int      `json:"cache_ttl,omitempty"` // in seconds
	BypassCache       bool     `json:"bypass_cache,omitempty"`
	Provider          string   `json:"provider,omitempty"`
	Model             string   `json:"model,omitempty"`
	Routing           string   `json:"routing,omitempty"`
	Temperature       *float64 `json:"temperature,omitempty"`
	MaxTokens         int      `json:"max_tokens,omitempty"`
	// Timeout is sent in whole milliseconds, as timeout_ms.
	Timeout     time.Duration `json:"-"`
	MaxAttempts int           `json:"max_attempts,omitempty"`
	Coercion    string        `json:"coercion,omitempty"`
	// Missing is null (the default), ask or fail.
	Missing    string `json:"missing,omitempty"`
	PII        string `json:"pii,omitempty"`
	RedactLogs bool   `json:"redact_logs,omitempty"`
}

// MarshalJSON writes the timeout in milliseconds.
func (o Options) MarshalJSON() ([]byte, error) {
	type plain Options
	return json.Marshal(struct {
		plain
		TimeoutMS int64 `json:"timeout_ms,omitempty"`
	}{plain(o), o.Timeout.Milliseconds()})
}

// NeedsInput is the ValidationStatus of an answer under missing: ask whose text does not say what the schema requires.
const NeedsInput = "needs_input"

// Question is what to ask the person who wrote the text.
type Question struct {
	// Pointer is the place in the data that the text says nothing about.
	Pointer  string `json:"pointer"`
	Question string `json:"question"`
}

// Answer is a result that has passed the whole schema, or, with the ValidationStatus NeedsInput, what to ask.
type Answer struct {
	RequestID       string `json:"request_id"`
	ClientRequestID string `json:"client_request_id"`
	// Data is the value as JSON, whatever the format: names in their order, numbers to their last digit.
	Data json.RawMessage `json:"data"`
	// Template is the template that the request named, as name@version.
	Template     string `json:"template,omitempty"`
	OutputFormat string `json:"output_format"`
	// Output is the text in the format that was asked for; empty for json.
	Output           string `json:"output"`
	ValidationStatus string `json:"validation_status"`
	// Questions are what to ask where input is needed, State what to go on with; it is empty where it would be too long.
	Questions  []Question `json:"questions,omitempty"`
	State      string     `json:"state,omitempty"`
	Validation Validation `json:"validation"`
	// OriginalLanguage is an ISO 639-1 code, or und; empty where it was not looked for.
	OriginalLanguage   string   `json:"original_language"`
	LanguageConfidence *float64 `json:"language_confidence"`
	// Confidence is nil where there is no evidence for any; ConfidenceSource says how it was obtained.
	Confidence       *float64  `json:"confidence"`
	ConfidenceSource string    `json:"confidence_source"`
	ProviderUsed     string    `json:"provider_used"`
	ModelUsed        string    `json:"model_used"`
	Attempts         []Attempt `json:"attempts"`
	Usage            Tokens    `json:"usage"`
	// CostUSD is nil where the cost is not known.
	CostUSD          *json.Number `json:"cost_usd"`
	Cached           bool         `json:"cached"`
	Coalesced        bool         `json:"coalesced"`
	CacheKey         string       `json:"cache_key"`
	ProcessingTimeMS float64      `json:"processing_time_ms"`
	OverheadMS       float64      `json:"overhead_ms"`

	// Raw is the whole answer as it came.
	Raw json.RawMessage `json:"-"`
}

// Decode reads the data into a Go value.
func (a *Answer) Decode(into any) error {
	if err := json.Unmarshal(a.Data, into); err != nil {
		return fmt.Errorf("decode data: %w", err)
	}
	return nil
}

// Validation is the report on how the answer came to be valid, or why not.
type Validation struct {
	Errors []Defect `json:"errors"`
	// MoreErrors counts what the list leaves out.
	MoreErrors  int        `json:"more_errors"`
	Repairs     []Repair   `json:"repairs"`
	Coercions   []Coercion `json:"coercions"`
	Reasks      int        `json:"reasks"`
	Schema      string     `json:"schema"`
	DialectMode string     `json:"dialect_mode"`
}

// Repair is something that was wrong in the model's text and was put right; Offset counts its bytes.
type Repair struct {
	Kind   string `json:"kind"`
	Offset int    `json:"offset"`
}

// Coercion is a value that was fitted to the schema's type.
type Coercion struct {
	Kind    string          `json:"kind"`
	Pointer string          `json:"pointer"`
	Before  json.RawMessage `json:"before"`
	After   json.RawMessage `json:"after"`
}

// Attempt is one call to one provider.
type Attempt struct {
	N            int          `json:"n"`
	Provider     string       `json:"provider"`
	Model        string       `json:"model"`
	Mode         string       `json:"mode"`
	Outcome      string       `json:"outcome"`
	Status       int          `json:"status"`
	StartedAt    time.Time    `json:"started_at"`
	QueueMS      float64      `json:"queue_ms"`
	FirstTokenMS *float64     `json:"first_token_ms"`
	TotalMS      float64      `json:"total_ms"`
	InputTokens  int64        `json:"input_tokens"`
	OutputTokens int64        `json:"output_tokens"`
	CostUSD      *json.Number `json:"cost_usd"`
	Error        string       `json:"error,omitempty"`
	// Reason says why this candidate was asked, Skipped which were passed over before.
	Reason  string    `json:"reason,omitempty"`
	Skipped []Skipped `json:"skipped,omitempty"`
}

// Skipped is a candidate that was passed over: provider/model, and why.
type Skipped struct {
	Candidate string `json:"candidate"`
	Why       string `json:"why"`
}

// Tokens counts what models read and wrote.
type Tokens struct {
	InputTokens       int64 `json:"input_tokens"`
	OutputTokens      int64 `json:"output_tokens"`
	CachedInputTokens int64 `json:"cached_input_tokens"`
}

// Analyze turns one prompt into data that satisfies the schema. An answer that could not be made valid is an [Error] with [CodeValidationFailed].
func (c *Client) Analyze(ctx context.Context, r Request) (*Answer, error) {
	k, err := analyzeCall(r, false)
	if err != nil {
		return nil, err
	}
	id := r.IdempotencyKey
	if id == "" && c.retries > 0 {
		id = rand.Text()
	}
	if id != "" {
		k.header.Set("Idempotency-Key", id)
		k.repeatable = true
	}
	raw, err := c.do(ctx, k)
	if err != nil {
		return nil, err
	}
	return readAnswer(raw)
}

func readAnswer(raw []byte) (*Answer, error) {
	a := &Answer{Raw: bytes.TrimSpace(raw)}
	if err := json.Unmarshal(raw, a); err != nil {
		return nil, fmt.Errorf("the answer is not what promptd sends: %w", err)
	}
	if a.ValidationStatus == "" || len(a.Data) == 0 {
		return nil, errors.New("the answer is not what promptd sends: it has no data or no validation_status")
	}
	return a, nil
}

func analyzeCall(r Request, stream bool) (call, error) {
	body, err := encode(struct {
		Request
		Stream bool `json:"stream,omitempty"`
	}{r, stream})
	if err != nil {
		return call{}, err
	}
	k := call{method: http.MethodPost, path: "/v1/analyze", body: body, header: http.Header{}, stream: stream}
	if r.ClientRequestID != "" {
		k.header.Set("X-Request-ID", r.ClientRequestID)
	}
	return k, nil
}

// encode writes a body. Texts stay as they are: escaping for HTML would only make them longer.
func encode(v any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encode the request: %w", err)
	}
	return out.Bytes(), nil
}
