package api

import (
	"encoding/json"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/repair"
)

// The types below document what hand-written encoders write and hand-written readers read; nothing is ever encoded from them. Tests hold them to the wire:
// every answer that the tests see is validated against the document that is made of them.

// AnalyzeRequest is the body of POST /v1/analyze.
type AnalyzeRequest struct {
	Prompt   string    `json:"prompt,omitempty" minLength:"1" maxLength:"10000" doc:"The text to analyse: 1 to 10,000 code points after normalising, or what limits.prompt_chars says for the key. Characters that can hide text are taken out first."`
	Messages []Message `json:"messages,omitempty" minItems:"1" maxItems:"100" doc:"Turns of a conversation that stand for prompt. At least one is the user's."`
	// Template and Parameters stand for prompt too.
	Template   templateRefShape `json:"template,omitempty" doc:"A registered template that stands for prompt: name or name@version. A schema that is bound to it holds; its options hold where the request says nothing else."`
	Parameters objectShaped     `json:"parameters,omitempty" doc:"The template's parameters by their names; null is a parameter that is not given."`
	Schema     wantedShape      `json:"schema,omitempty" doc:"A JSON Schema of draft 2020-12 (default), 2019-09, 7, 6 or 4 that the data has to satisfy, or a registered one by reference: name or name@version. Without one the default result schema holds: intent, subject, entities."`
	Format     string           `json:"format,omitempty" enum:"json,xml,yaml,toon" default:"json" doc:"For xml, yaml and toon the answer holds the text as output beside the data."`
	Stream     bool             `json:"stream,omitempty" default:"false" doc:"Answer with server-sent events."`
	Options    Options          `json:"options,omitempty"`
	// State goes on with an answer that needed input.
	State   string       `json:"state,omitempty" minLength:"1" maxLength:"262144" doc:"The state of an answer with needs_input, to go on with: schema and options are in it. Beside it stands what the person said: prompt, or answers."`
	Answers objectShaped `json:"answers,omitempty" doc:"With state, in place of prompt: what the person said to single questions, as an object from their pointers to texts. What is left out is asked again."`
}

// TransformSchema says that prompt and messages exclude each other.
func (AnalyzeRequest) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	only := func(field string, without ...string) *huma.Schema {
		one := &huma.Schema{Required: []string{field}}
		for _, other := range without {
			one.Not = &huma.Schema{AnyOf: append(anyOf(one.Not), &huma.Schema{Required: []string{other}})}
		}
		return one
	}
	s.OneOf = []*huma.Schema{
		only("prompt", "state"), only("messages"), only("template"), only("state", "schema", "format", "options"),
	}
	s.DependentRequired = map[string][]string{"parameters": {"template"}, "answers": {"state"}}
	s.Properties["prompt"].Extensions = map[string]any{"pattern": visible} // The generator compiles patterns as Go does, which has no \u.
	s.Properties["messages"].Extensions = map[string]any{"contains": map[string]any{
		"type": "object", "properties": map[string]any{"role": map[string]any{"const": "user"}}, "required": []string{"role"},
	}}
	s.Properties["schema"].AdditionalProperties = true
	return s
}

// anyOf gives the alternatives of a schema, if there is one.
func anyOf(s *huma.Schema) []*huma.Schema {
	if s == nil {
		return nil
	}
	return s.AnyOf
}

// visible matches texts that hold at least one character which normalising can keep: one that is not invisible (prompt/invisible.go).
const visible = `[^\u0000\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb]`

// Options are the choices of a request.
type Options struct {
	IncludeConfidence bool    `json:"include_confidence,omitempty" default:"true" doc:"Say how sure the answer is, where that was measured."`
	LanguageDetection bool    `json:"language_detection,omitempty" default:"true" doc:"Tell the language of the prompt."`
	Provenance        bool    `json:"provenance,omitempty" enum:"false" default:"false" doc:"Belongs to a later version."`
	CacheTTL          int     `json:"cache_ttl,omitempty" minimum:"60" maximum:"86400" default:"3600" doc:"How many seconds the answer is kept in the cache."`
	BypassCache       bool    `json:"bypass_cache,omitempty" default:"false" doc:"Neither read the cache nor join an identical request in flight; the answer is still kept."`
	Provider          *string `json:"provider,omitempty" nullable:"true" doc:"The provider to ask, by its configured name."`
	Model             *string `json:"model,omitempty" nullable:"true" doc:"The model to ask: a name, which any provider that has it may answer, or provider/name."`
	Routing           string  `json:"routing,omitempty" enum:"least-busy,cost,latency,quality,weighted" doc:"The strategy that orders providers and models; the configuration's where it is left out."`
	Temperature       float64 `json:"temperature,omitempty" minimum:"0" maximum:"2" default:"0.1"`
	MaxTokens         int     `json:"max_tokens,omitempty" minimum:"1" maximum:"1000000" default:"2048" doc:"The room of the answer. A pinned model's own limit holds too."`
	TimeoutMS         int     `json:"timeout_ms,omitempty" minimum:"100" maximum:"600000" default:"30000" doc:"The time for everything, in milliseconds."`
	MaxAttempts       int     `json:"max_attempts,omitempty" minimum:"1" maximum:"10" default:"4" doc:"How many calls to providers a request may make: retries, re-asks and fallbacks all count."`
	Coercion          string  `json:"coercion,omitempty" enum:"safe,off,lenient" default:"safe" doc:"How far a value may be aligned to the schema's types; each change is reported."`
	Missing           string  `json:"missing,omitempty" enum:"null,ask,fail" default:"null" doc:"What becomes of what the schema requires and the text does not say: null leaves it to the schema, ask gives questions and a state to go on with, fail is a 422 that says what is missing."`
	PII               string  `json:"pii,omitempty" enum:"off" default:"off" doc:"Hiding personal data belongs to a later version."`
	RedactLogs        bool    `json:"redact_logs,omitempty" default:"false" doc:"Keep the texts of this request out of the history."`
}

// Message is one turn.
type Message struct {
	Role    string       `json:"role" enum:"system,user,assistant"`
	Content contentShape `json:"content" doc:"A text, or its parts in order."`
}

// contentShape is a text or an array of parts.
type contentShape struct{}

// Schema allows both.
func (contentShape) Schema(r huma.Registry) *huma.Schema {
	one := 1
	return &huma.Schema{AnyOf: []*huma.Schema{
		{Type: huma.TypeString, MinLength: &one, Extensions: map[string]any{"pattern": visible}},
		{Type: huma.TypeArray, MinItems: &one, Items: &huma.Schema{OneOf: []*huma.Schema{
			r.Schema(reflect.TypeFor[TextPart](), true, ""), r.Schema(reflect.TypeFor[ImagePart](), true, ""),
		}}},
	}}
}

// TextPart is a piece of text.
type TextPart struct {
	Type string `json:"type" enum:"text"`
	Text string `json:"text" minLength:"1"`
}

// TransformSchema wants something visible.
func (TextPart) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	s.Properties["text"].Extensions = map[string]any{"pattern": visible}
	return s
}

// ImagePart is an image.
type ImagePart struct {
	Type     string   `json:"type" enum:"image_url"`
	ImageURL ImageURL `json:"image_url"`
}

// ImageURL holds an image.
type ImageURL struct {
	URL    string `json:"url" pattern:"^data:image/(png|jpeg|webp|gif);base64,(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)$" doc:"A data: URL with the image in base64. Other URLs are refused: a provider that fetches a caller's URL is a request forgery by proxy."`
	Detail string `json:"detail,omitempty" enum:"auto,low,high" default:"auto"`
}

// Answer is a validated answer.
type Answer struct {
	RequestID          string      `json:"request_id" doc:"promptd's id of the request, for GET /v1/requests/{id}."`
	ClientRequestID    string      `json:"client_request_id,omitempty" doc:"The X-Request-ID of the caller."`
	Data               any         `json:"data" doc:"The value: it satisfies the whole schema of the request. null with needs_input."`
	OutputFormat       string      `json:"output_format" enum:"json,xml,toon,yaml"`
	Output             string      `json:"output,omitempty" doc:"The value as text, where the format is not json."`
	Template           string      `json:"template,omitempty" doc:"The template that the request named, as name@version."`
	ValidationStatus   string      `json:"validation_status" enum:"passed,needs_input" doc:"needs_input with options.missing: ask alone: the text does not say what the schema requires."`
	Questions          []Question  `json:"questions,omitempty" doc:"With needs_input: what to ask the person."`
	State              *string     `json:"state,omitempty" doc:"With needs_input: what to go on with, for 24 hours. It is opaque; null where it would be longer than 262,144 bytes."`
	Validation         Validation  `json:"validation"`
	OriginalLanguage   *string     `json:"original_language" doc:"ISO 639-1, und where it can't be told, null where it was not asked for."`
	LanguageConfidence *float64    `json:"language_confidence" minimum:"0" maximum:"1"`
	Confidence         *float64    `json:"confidence" minimum:"0" maximum:"1" doc:"null where nothing measured it."`
	ConfidenceSource   *string     `json:"confidence_source" doc:"What measured it: logprobs or evidence."`
	ProviderUsed       string      `json:"provider_used"`
	ModelUsed          string      `json:"model_used"`
	Attempts           []Attempt   `json:"attempts" doc:"Every call to a provider. Empty where the answer was cached or shared."`
	Usage              TokenUsage  `json:"usage"`
	CostUSD            costShape   `json:"cost_usd" doc:"What the attempts cost in US dollars; null where a price is not known, 0 where the answer was cached or shared."`
	Cached             bool        `json:"cached" doc:"The answer came from the cache."`
	Coalesced          bool        `json:"coalesced" doc:"The answer came from an identical request in flight."`
	CacheKey           string      `json:"cache_key" pattern:"^[0-9a-f]{64}$" doc:"For DELETE /v1/cache?key=."`
	ProcessingTimeMS   millisShape `json:"processing_time_ms"`
	OverheadMS         millisShape `json:"overhead_ms" doc:"promptd's own share of it."`
}

// Question is what to ask the person who wrote the text.
type Question struct {
	Pointer  string `json:"pointer" doc:"The place in the data that the text says nothing about."`
	Question string `json:"question" doc:"In the language of the text."`
}

// millisShape is a duration.
type millisShape struct{}

// Schema is a number of milliseconds.
func (millisShape) Schema(huma.Registry) *huma.Schema {
	zero := 0.0
	return &huma.Schema{Type: huma.TypeNumber, Minimum: &zero, Description: "Milliseconds."}
}

// Validation is the report of an answer.
type Validation struct {
	Errors      []ValidationEntry `json:"errors" doc:"Empty where the answer passed."`
	MoreErrors  int               `json:"more_errors,omitempty" doc:"How many entries were left out."`
	Repairs     []Repair          `json:"repairs" doc:"What was put right in the model's text so that it parsed."`
	Coercions   []Coercion        `json:"coercions" doc:"What was aligned with the schema's types."`
	Reasks      int               `json:"reasks" doc:"How often the model was shown its errors."`
	Schema      string            `json:"schema" doc:"The schema that judged: name@version of a registered one, else the beginning of its content hash."`
	DialectMode string            `json:"dialect_mode" doc:"How the model was held to the schema: strict, tool, grammar, json or prompt."`
}

// ValidationEntry is one violation.
type ValidationEntry struct {
	Keyword       string `json:"keyword" doc:"The violated keyword; TRUNCATED for an unfinished answer, MISSING for what the text does not say, LIMIT where judging was given up."`
	Pointer       string `json:"pointer" doc:"The place in the value, as a JSON pointer."`
	SchemaPointer string `json:"schema_pointer"`
	Expected      string `json:"expected"`
	Actual        string `json:"actual"`
	Message       string `json:"message"`
	Hint          string `json:"hint"`
}

// Repair is one thing put right in a text.
type Repair struct {
	Kind   repairShape `json:"kind"`
	Offset int         `json:"offset" doc:"The place in the model's text, in bytes."`
}

type repairShape struct{}

// Schema lists the kinds.
func (repairShape) Schema(huma.Registry) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString}
	for _, k := range repair.Kinds() {
		s.Enum = append(s.Enum, string(k))
	}
	return s
}

// Coercion is one value aligned with the schema.
type Coercion struct {
	Kind    string `json:"kind"`
	Pointer string `json:"pointer"`
	Before  any    `json:"before"`
	After   any    `json:"after"`
}

// Attempt is one call to one provider.
type Attempt struct {
	N            int          `json:"n" minimum:"1"`
	Provider     string       `json:"provider"`
	Model        string       `json:"model"`
	Mode         string       `json:"mode" doc:"strict, tool, grammar, json or prompt."`
	Outcome      outcomeShape `json:"outcome"`
	Status       int          `json:"status" doc:"The provider's HTTP status; 0 where there was no answer."`
	StartedAt    time.Time    `json:"started_at"`
	QueueMS      millisShape  `json:"queue_ms"`
	FirstTokenMS *float64     `json:"first_token_ms" doc:"null where the answer came whole."`
	TotalMS      millisShape  `json:"total_ms"`
	InputTokens  int64        `json:"input_tokens" minimum:"0"`
	OutputTokens int64        `json:"output_tokens" minimum:"0"`
	CostUSD      costShape    `json:"cost_usd"`
	Batch        bool         `json:"batch,omitempty" doc:"A provider's batch API answered it, at the price of batches."`
	Error        string       `json:"error,omitempty" doc:"The provider's own error code."`
	Reason       string       `json:"reason,omitempty" doc:"Why this provider and model was asked: the strategy with its figure, or what made a further attempt necessary."`
	Skipped      []Skipped    `json:"skipped,omitempty" doc:"Candidates that were passed over before this one."`
}

// Skipped is a candidate that was passed over.
type Skipped struct {
	Candidate string `json:"candidate" doc:"provider/model."`
	Why       string `json:"why"`
}

type outcomeShape struct{}

// Schema lists the outcomes.
func (outcomeShape) Schema(huma.Registry) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString}
	for o := dialect.Unknown; o <= dialect.Cancelled; o++ {
		s.Enum = append(s.Enum, o.String())
	}
	return s
}

// TokenUsage counts tokens.
type TokenUsage struct {
	InputTokens       int64 `json:"input_tokens" minimum:"0"`
	OutputTokens      int64 `json:"output_tokens" minimum:"0"`
	CachedInputTokens int64 `json:"cached_input_tokens" minimum:"0" doc:"Those of the input tokens that the provider had cached."`
}

// Partial is the data of a partial event.
type Partial struct {
	Data any `json:"data" doc:"The fields that are complete and valid so far. Each snapshot holds every value of the earlier ones unchanged."`
}

// Problem is a problem document (RFC 9457).
type Problem struct {
	Type             string       `json:"type" format:"uri-reference" doc:"Where the code is explained."`
	Title            string       `json:"title"`
	Status           int          `json:"status" minimum:"400" maximum:"599"`
	Detail           string       `json:"detail"`
	Code             codeShape    `json:"code"`
	RequestID        string       `json:"request_id"`
	ClientRequestID  string       `json:"client_request_id,omitempty"`
	Errors           []entryShape `json:"errors" doc:"The single faults: of the request, each with a JSON pointer into its body, or of the answer."`
	Remediation      string       `json:"remediation" doc:"What to do about it."`
	ValidationStatus string       `json:"validation_status,omitempty" enum:"failed"`
	Validation       *Validation  `json:"validation,omitempty" doc:"Where an answer was judged."`
	Attempts         []Attempt    `json:"attempts,omitempty" doc:"Where providers were asked."`
	Usage            *TokenUsage  `json:"usage,omitempty"`
	CostUSD          costShape    `json:"cost_usd,omitempty"`
}

type codeShape struct{}

// Schema lists the codes.
func (codeShape) Schema(huma.Registry) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString}
	for _, c := range fault.Codes() {
		s.Enum = append(s.Enum, c.String())
	}
	return s
}

// entryShape is an entry of errors[].
type entryShape struct{}

// Schema is one of the two kinds of entry.
func (entryShape) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{AnyOf: []*huma.Schema{r.Schema(reflect.TypeFor[RequestFault](), true, ""), r.Schema(reflect.TypeFor[ValidationEntry](), true, "")}}
}

// RequestFault is one fault of a request.
type RequestFault struct {
	Pointer string `json:"pointer" doc:"A JSON pointer into the body; empty where it is the whole body, a header or the query."`
	Rule    string `json:"rule"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// CreateKeyRequest is the body of POST /v1/keys.
type CreateKeyRequest struct {
	Name             string         `json:"name" pattern:"^[^\\x00-\\x1f\\x7f-\\x9f]{1,200}$" doc:"The program or person that uses the key."`
	Team             string         `json:"team,omitempty" pattern:"^[A-Za-z0-9._-]{1,64}$" default:"default"`
	Scopes           scopesShape    `json:"scopes,omitempty" doc:"What the key may do; without it all but admin."`
	RateLimitPerHour int            `json:"rate_limit_per_hour,omitempty" minimum:"0" maximum:"1000000000" doc:"0 is no limit; without it the configured default holds."`
	TokensPerMinute  int            `json:"tokens_per_minute,omitempty" minimum:"0" maximum:"1000000000" doc:"Tokens that its calls may read and write in a minute; 0 is no limit."`
	MaxConcurrency   int            `json:"max_concurrency,omitempty" minimum:"0" maximum:"1000000000" doc:"Requests at the same time; 0 is no limit."`
	PromptChars      int            `json:"prompt_chars,omitempty" minimum:"0" maximum:"1000000000" doc:"The key's own limits.prompt_chars; 0 is the configured one."`
	Models           []string       `json:"models,omitempty" maxItems:"100" pattern:"^[^\\x00-\\x1f\\x7f-\\x9f]{1,200}$" doc:"The models that the key may use, as name or provider/name; empty allows all."`
	Budget           *BudgetRequest `json:"budget,omitempty" doc:"What its calls may cost; null is no budget."`
	ExpiresAt        *time.Time     `json:"expires_at,omitempty" nullable:"true" doc:"A time in the future. Without one the key does not expire."`
}

// TransformSchema wants one scope at least where scopes are named.
func (CreateKeyRequest) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	one := 1
	s.Properties["scopes"].MinItems = &one
	orNull(s, "budget")
	return s
}

// RotateKeyRequest is the body of POST /v1/keys/{id}/rotate.
type RotateKeyRequest struct {
	GraceSeconds int `json:"grace_seconds,omitempty" minimum:"0" maximum:"2592000" default:"0" doc:"How long the secret before stays valid; 0 ends it at once."`
}

// keyTexts describe the fields of key.Key, which package key documents in Go alone.
func keyTexts() map[string]string {
	return map[string]string{
		"prefix":              "The beginning of the secret, by which its owner recognises it.",
		"rate_limit_per_hour": "null where the configured default holds, 0 where there is no limit.",
		"tokens_per_minute":   "0 where there is no limit.",
		"max_concurrency":     "0 where there is no limit.",
		"prompt_chars":        "Left out where limits.prompt_chars holds.",
		"models":              "The models that the key may use; empty allows all.",
		"expires_at":          "Left out where the key does not expire.",
		"revoked_at":          "Left out while the key is not revoked.",
		"last_used_at":        "Left out before the first use; half a minute exact.",
	}
}

// example reads a JSON literal of this package; a test reads every one of them.
func example(text string) any { return json.RawMessage(text) }

type paramShape = huma.Param

func textSchema(text string) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Description: text}
}

func objectSchema(text string) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, Description: text}
}

func nameSchema(names ...any) *huma.Schema { return &huma.Schema{Type: huma.TypeString, Enum: names} }
