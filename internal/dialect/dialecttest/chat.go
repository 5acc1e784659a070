package dialecttest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/promptd/promptd/internal/dialect"
)

// ChatCompletions is the reference reading of chat completions, for all dialects of that family: plain encoding/json, one event after the other, without
// any tolerance that the recorded exchanges do not need.
func ChatCompletions(f *Fixture) (Want, bool) {
	if f.API == "responses" || f.URL != "" && !strings.Contains(f.URL, "/chat/completions") {
		return Want{}, false
	}
	if outcome, wait, ok := recordedFailure(f.File); ok {
		return Want{Outcome: outcome, Wait: wait}, true
	}
	var r chatReading
	if !f.Streamed() {
		r.add(f.Body)
		if r.arguments != "" {
			r.text = r.arguments // In one piece the prose before a call can be left out.
		}
		return r.want(), true
	}
	payloads := f.Payloads
	if f.Form == "sse" {
		for line := range bytes.Lines(f.Body) {
			if data, ok := bytes.CutPrefix(bytes.TrimRight(line, "\r\n"), []byte("data:")); ok {
				payloads = append(payloads, bytes.TrimSpace(data))
			}
		}
	}
	for _, p := range payloads {
		r.add(p)
	}
	return r.want(), true
}

// EventStream frames payloads as server-sent events with the end mark of chat completions.
func EventStream(payloads [][]byte) []byte {
	var b bytes.Buffer
	for _, p := range payloads {
		b.WriteString("data: ")
		if err := json.Compact(&b, p); err != nil {
			b.Write(p)
		}
		b.WriteString("\n\n")
	}
	b.WriteString("data: [DONE]\n\n")
	return b.Bytes()
}

// recordedFailure says what the recorded failures are, read by a person.
func recordedFailure(file string) (dialect.Outcome, time.Duration, bool) {
	seconds := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	for _, f := range [...]struct {
		file    string
		outcome dialect.Outcome
		wait    time.Duration
	}{
		{"openai/error_400-response_format_type.json", dialect.SchemaRejected, 0},
		{"openai/error_400-schema_additionalProperties.json", dialect.SchemaRejected, 0},
		{"openai/error_400-schema_nesting.json", dialect.SchemaRejected, 0},
		{"openai/error_400-schema_required.json", dialect.SchemaRejected, 0},
		{"openai/error_400-sync-2.json", dialect.BadRequest, 0},
		{"openai/error_400-sync.json", dialect.BadRequest, 0},
		{"openai/error_400-unsupported_parameter.json", dialect.BadRequest, 0},
		{"openai/error_404-sync.json", dialect.BadRequest, 0},
		{"openai/error_429-request_too_large_for_tpm.json", dialect.TooLarge, 0},
		{"openai/error_429-tpm.json", dialect.RateLimited, seconds(3.89)},
		{"openai/error_500-server_error.json", dialect.OverloadedProvider, 0},
		{"azure-openai/error_400-content_filter.json", dialect.Filtered, 0},
		{"deepseek/error_400-json_schema_unavailable.json", dialect.SchemaRejected, 0},
		{"groq/error_400-json_validate_failed.json", dialect.Invalid, 0},
		{"groq/error_400-sync-tools-2.json", dialect.Invalid, 0},
		{"groq/error_400-sync-tools.json", dialect.Invalid, 0},
		{"groq/error_404-sync-2.json", dialect.BadRequest, 0},
		{"groq/error_404-sync.json", dialect.BadRequest, 0},
		{"groq/error_413-request_too_large.json", dialect.TooLarge, 0},
		{"groq/error_429-tpm.json", dialect.RateLimited, seconds(12)},
		{"mistral/error_422-extra_forbidden.json", dialect.BadRequest, 0},
		{"mistral/error_429-rate_limited.json", dialect.RateLimited, 0},
		{"mistral/error_429-requests_rate_limit.json", dialect.RateLimited, 0},
		{"mistral/error_503-service_tier_capacity.json", dialect.OverloadedProvider, 0},
		{"openrouter/error_429-sync.json", dialect.RateLimited, 0},
	} {
		if f.file == file {
			return f.outcome, f.wait, true
		}
	}
	return dialect.Unknown, 0, false
}

// chatReading puts an answer together.
type chatReading struct {
	text, refusal, stop, model string
	arguments                  string
	logprobs                   int
	tool, failed               bool
	firstTool                  *chatTool
	usage                      dialect.Usage
	code                       int
}

type chatTool struct {
	Index    *int   `json:"index"`
	ID       string `json:"id"`
	Function struct {
		Arguments json.RawMessage `json:"arguments"`
	} `json:"function"`
}

type chatMessage struct {
	Content   json.RawMessage `json:"content"`
	Refusal   string          `json:"refusal"`
	ToolCalls []chatTool      `json:"tool_calls"`
}

type chatUsage struct {
	Prompt        int `json:"prompt_tokens"`
	Completion    int `json:"completion_tokens"`
	Total         int `json:"total_tokens"`
	PromptDetails struct {
		Cached  int `json:"cached_tokens"`
		Written int `json:"cache_write_tokens"`
	} `json:"prompt_tokens_details"`
	CompletionDetails struct {
		Reasoning int `json:"reasoning_tokens"`
	} `json:"completion_tokens_details"`
	CacheHit    int `json:"prompt_cache_hit_tokens"`
	Cached      int `json:"num_cached_tokens"`
	CachedPlain int `json:"cached_tokens"`
	Created     int `json:"cache_creation_input_tokens"`
	Reasoning   int `json:"reasoning_tokens"`
}

func (r *chatReading) add(payload []byte) {
	var c struct {
		Model   string `json:"model"`
		Choices []struct {
			Index    int          `json:"index"`
			Message  *chatMessage `json:"message"`
			Delta    *chatMessage `json:"delta"`
			Stop     string       `json:"finish_reason"`
			Error    *chatError   `json:"error"`
			Logprobs *struct {
				Content []json.RawMessage `json:"content"`
			} `json:"logprobs"`
		} `json:"choices"`
		Usage *chatUsage `json:"usage"`
		Groq  struct {
			Usage *chatUsage `json:"usage"`
		} `json:"x_groq"`
		Error *chatError `json:"error"`
	}
	if json.Unmarshal(payload, &c) != nil {
		return // the end mark
	}
	r.fail(c.Error)
	if c.Model != "" {
		r.model = c.Model
	}
	if c.Usage == nil {
		c.Usage = c.Groq.Usage
	}
	if c.Usage != nil {
		r.usage = c.Usage.read()
	}
	for _, choice := range c.Choices {
		if choice.Index != 0 {
			continue
		}
		r.fail(choice.Error)
		if choice.Stop != "" {
			r.stop = choice.Stop
		}
		if choice.Logprobs != nil {
			r.logprobs += len(choice.Logprobs.Content)
		}
		if choice.Delta != nil {
			r.message(choice.Delta)
		} else if choice.Message != nil {
			r.message(choice.Message)
		}
	}
}

type chatError struct {
	Code       json.RawMessage `json:"code"`
	StatusCode int             `json:"status_code"`
}

func (r *chatReading) fail(e *chatError) {
	if e == nil {
		return
	}
	r.failed = true
	_ = json.Unmarshal(e.Code, &r.code) //nolint:errcheck // A code that is a text stays one.
	if e.StatusCode != 0 {
		r.code = e.StatusCode
	}
}

func (r *chatReading) message(m *chatMessage) {
	var text string
	var parts []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	if json.Unmarshal(m.Content, &text) != nil && json.Unmarshal(m.Content, &parts) == nil {
		for _, p := range parts {
			if p.Type == "text" {
				text += p.Text
			}
		}
	}
	r.text += text
	r.refusal += m.Refusal
	for i := range m.ToolCalls {
		t := &m.ToolCalls[i]
		r.tool = true
		if r.firstTool == nil {
			r.firstTool = t
		}
		first := r.firstTool
		if t != first && (t.Index != nil && first.Index != nil && *t.Index != *first.Index || t.Index == nil && t.ID != "" && t.ID != first.ID) {
			continue
		}
		var arguments string
		if json.Unmarshal(t.Function.Arguments, &arguments) == nil {
			r.text += arguments
			r.arguments += arguments
		}
	}
}

func (u *chatUsage) read() dialect.Usage {
	out := dialect.Usage{
		Input: u.Prompt, Output: u.Completion, Known: true,
		CachedInput: max(u.PromptDetails.Cached, u.CacheHit, u.Cached, u.CachedPlain), CacheWrite: max(u.PromptDetails.Written, u.Created),
		Reasoning: max(u.CompletionDetails.Reasoning, u.Reasoning),
	}
	// What the total has beyond prompt and completion is output too, and so is reasoning that both leave out.
	switch beside := u.Total - u.Prompt - u.Completion; {
	case beside > 0 && out.Reasoning == 0:
		out.Output, out.Reasoning = u.Completion+beside, beside
	case beside > 0 && beside == out.Reasoning, out.Reasoning > u.Completion:
		out.Output += out.Reasoning
	}
	return out
}

func (r *chatReading) want() Want {
	if r.failed {
		w := Want{Outcome: dialect.Unknown}
		switch {
		case r.stop == "length":
			w.Outcome = dialect.Truncated
		case r.code == http.StatusBadRequest:
			w.Outcome = dialect.Invalid // Groq's tool_use_failed is the only one recorded.
		case r.code >= http.StatusInternalServerError:
			w.Outcome = dialect.OverloadedProvider
		case r.code == http.StatusTooManyRequests:
			w.Outcome = dialect.RateLimited
		}
		return w
	}
	w := Want{Text: r.text, Refusal: r.refusal, NativeStop: r.stop, Usage: r.usage, Logprobs: r.logprobs, Model: r.model}
	switch {
	case r.stop == "stop" && r.refusal != "":
		w.Stop = dialect.StopRefused
	case r.stop == "stop" && r.tool, r.stop == "tool_calls":
		w.Stop = dialect.StopTool
	case r.stop == "stop":
		w.Stop = dialect.StopComplete
	case r.stop == "length", r.stop == "model_length":
		w.Stop = dialect.StopTruncated
	case r.stop == "content_filter":
		w.Stop = dialect.StopFiltered
	}
	return w
}
