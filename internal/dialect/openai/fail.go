package openai

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/scan"
)

// maxMessage is how much of an error's text is looked at; some services send whole pages or prompts.
const maxMessage = 4096

// failure is an error as the service words it. Its message is for classification alone and never leaves this package: services echo prompts in it.
type failure struct {
	message string
	kind    string // error.type
	code    string // error.code, of any kind
	param   string
	inner   string // Azure's innererror.code, Google's status
	status  int    // the inner status, where one is named
}

// Fail classifies an answer whose status is not 200.
func (Dialect) Fail(r dialect.Response) *dialect.Error {
	body := bytes.TrimSpace(r.Body)
	if n := len(body); n > 1 && body[0] == '[' && body[n-1] == ']' { // Google wraps errors in a list
		body = bytes.TrimSpace(body[1 : n-1])
	}
	var tool toolCall
	c := read(body, &tool)
	f := c.failure
	if f == nil {
		f = &failure{message: string(body[:min(len(body), maxMessage)])}
	}
	return f.error(r.Status, r.Header, &c)
}

// error makes the error that promptd acts on.
func (f *failure) error(status int, h http.Header, c *chunk) *dialect.Error {
	f.unwrap()
	judged := status
	if status == http.StatusOK {
		judged = f.status
		if n, err := strconv.Atoi(f.code); err == nil && n >= 400 && n < 600 {
			judged = n
		}
	}
	e := &dialect.Error{Status: status, Usage: c.usage, Code: f.name(judged), Outcome: f.outcome(judged)}
	switch e.Outcome {
	case dialect.RateLimited, dialect.OverloadedProvider, dialect.Timeout, dialect.Quota:
		e.Wait = wait(h, f.message)
	}
	if e.Outcome == dialect.Quota && e.Wait > 0 && f.inner == "RESOURCE_EXHAUSTED" {
		e.Outcome = dialect.RateLimited // Google words limits per minute as quota, and says when to come back
	}
	return e
}

// name is the service's own code, if it looks like one: a code may not carry text.
func (f *failure) name(status int) string {
	for _, s := range [...]string{f.code, f.inner, f.kind} {
		if s == "" || s == strconv.Itoa(status) || strings.ContainsFunc(s, notInCode) {
			continue
		}
		return s[:min(len(s), 100)]
	}
	return ""
}

func notInCode(r rune) bool {
	return notInName(r) && r != '.' && r != ':' && r != '/'
}

// outcome judges by the service's code, then by what its message says, then by the status.
func (f *failure) outcome(status int) dialect.Outcome {
	message := strings.ToLower(f.message)
	if strings.HasPrefix(message, "request too large") || strings.Contains(message, ": request too large") {
		return dialect.TooLarge // 429 or 413: no wait makes this request fit
	}
	for _, code := range [...]string{f.code, f.inner, f.kind} {
		if o, ok := byCode(strings.ToLower(code), status); ok {
			return o
		}
	}
	if strings.HasPrefix(f.param, "response_format") || strings.HasPrefix(f.param, "text.format") || strings.HasPrefix(f.param, "tools[") {
		return dialect.SchemaRejected
	}
	if o, ok := byMessage(message); ok && status < 500 && status != http.StatusUnauthorized {
		return o
	}
	if status == 0 {
		return byKind(strings.ToLower(f.kind))
	}
	return dialect.OfStatus(status)
}

// byCode knows the codes and types that mean one thing wherever they occur.
func byCode(code string, status int) (dialect.Outcome, bool) {
	switch code {
	case "insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "billing_error", "insufficient_balance", "insufficient_credits",
		"credits_exhausted", "credit_limit_reached", "out_of_credits", "payment_required":
		return dialect.Quota, true
	case "context_length_exceeded", "exceed_context_size_error", "context_window_exceeded", "model_context_window_exceeded":
		return dialect.ContextExceeded, true
	case "invalid_json_schema", "invalid_schema", "json_schema_unsupported":
		return dialect.SchemaRejected, true
	case "content_filter", "content_policy_violation", "responsibleaipolicyviolation", "content_blocked", "moderation_blocked", "invalid_prompt",
		"bio_policy", "misalignment_policy_violation", "image_content_policy_violation":
		return dialect.Filtered, true
	case "json_validate_failed", "tool_use_failed": // Groq: the model's answer broke the form
		return dialect.Invalid, true
	case "rate_limit_exceeded", "rate_limit_error", "rate_limited", "too_many_requests", "resource_exhausted":
		if status == http.StatusRequestEntityTooLarge {
			return dialect.TooLarge, true // Groq
		}
		if status == http.StatusOK || status == 0 || status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
			return dialect.RateLimited, code != "resource_exhausted" // Google's needs its message read
		}
	case "invalid_api_key", "authentication_error", "permission_error", "permission_denied", "unauthenticated":
		return dialect.Auth, true
	case "request_too_large", "string_above_max_length", "image_too_large", "image_file_too_large":
		return dialect.TooLarge, true
	}
	return dialect.Unknown, false
}

// byMessage knows the wordings of services whose codes say nothing.
func byMessage(message string) (dialect.Outcome, bool) {
	has := func(phrases ...string) bool {
		for _, p := range phrases {
			if strings.Contains(message, p) {
				return true
			}
		}
		return false
	}
	switch {
	case has("invalid schema for", "json schema conversion failed", "failed to parse grammar", "not supported by xgrammar", "grammar error:",
		"unimplemented keys", "schema is too complex", "compiled grammar is too large", "levels of nesting"):
		return dialect.SchemaRejected, true
	case has("response_format", "json_schema", "response format", "structured output") && has("unavailable", "not support", "unsupported", "invalid"):
		return dialect.SchemaRejected, true
	case has("maximum context length", "context length", "context window", "available context size", "prompt is too long", "input is too long"):
		return dialect.ContextExceeded, true
	case has("content management policy", "content policy", "content_policy", "safety system", "content filter", "requires moderation", "flagged for"):
		return dialect.Filtered, true
	case has("insufficient balance", "credit balance", "insufficient credits", "out of credits", "exceeded your current quota", "billing hard limit"):
		return dialect.Quota, true
	}
	return dialect.Unknown, false
}

// byKind judges an error inside a 200 that names no status.
func byKind(kind string) dialect.Outcome {
	switch kind {
	case "tokens", "requests":
		return dialect.RateLimited
	case "server_error", "api_error", "overloaded_error", "unavailable_error", "service_unavailable", "internal_error", "internalservererror":
		return dialect.OverloadedProvider
	case "timeout", "timeout_error", "vector_store_timeout":
		return dialect.Timeout
	case "invalid_request_error", "badrequesterror", "not_found_error", "data_residency_mismatch", "invalid_image", "invalid_image_format", "invalid_base64_image",
		"invalid_image_url", "image_too_small", "image_parse_error", "invalid_image_mode", "unsupported_image_media_type", "empty_image_file",
		"failed_to_download_image", "image_file_not_found":
		return dialect.BadRequest
	default:
		return dialect.Unknown
	}
}

// unwrap looks into a message that is itself an error in JSON, as Google's OpenAI face sends.
func (f *failure) unwrap() {
	text := strings.TrimSpace(f.message)
	text = strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")
	if text = strings.TrimSpace(text); !strings.HasPrefix(text, "{") {
		return
	}
	var tool toolCall
	if inner := read([]byte(text), &tool).failure; inner != nil && inner.message != "" {
		f.message = inner.message
		f.kind, f.param, f.inner = or(inner.kind, f.kind), or(inner.param, f.param), or(inner.inner, f.inner)
		if f.code == "" {
			f.code = inner.code
		}
	}
}

// readFailure reads the member error: an object, or a text. What says nothing is no error.
func readFailure(s *scan.Scanner) *failure {
	if s.Kind() == '"' {
		text := s.Text()
		if text == "" {
			return nil
		}
		return &failure{message: cut(text)}
	}
	if !s.Object() {
		return nil
	}
	var f failure
	for {
		name, more := s.Member()
		if !more {
			break
		}
		switch string(name) {
		case "message":
			f.message = flatten(s)
		case "type":
			f.kind = s.Text()
		case "code":
			f.code = s.Text()
		case "param":
			f.param = s.Text()
		case "status_code":
			f.status = s.Int()
		case "status":
			if s.Kind() == '0' {
				f.status = s.Int()
			} else {
				f.inner = or(f.inner, s.Text())
			}
		case "innererror":
			f.inner = or(readInner(s), f.inner)
		case "metadata":
			f.message = cut(f.message + " " + string(s.Raw()))
		}
	}
	if f == (failure{}) {
		return nil
	}
	return &f
}

func readInner(s *scan.Scanner) (code string) {
	if !s.Object() {
		return ""
	}
	for {
		name, more := s.Member()
		if !more {
			return code
		}
		if string(name) == "code" {
			code = s.Text()
		}
	}
}

// flatten reads a text, or the JSON text of what stands in its place.
func flatten(s *scan.Scanner) string {
	if s.Kind() == '"' {
		return cut(s.Text())
	}
	return cut(string(s.Raw()))
}

func cut(s string) string { return s[:min(len(s), maxMessage)] }
