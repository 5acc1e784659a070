package anthropic

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/scan"
)

// maxMessage is how much of an error's text is looked at.
const maxMessage = 4096

// failure is an error as the service words it. Its message is for classification alone and never leaves this package: services echo prompts in it.
type failure struct {
	kind    string // error.type
	code    string // error.details.error_code, or the code of a gateway's own error
	message string
}

// Fail classifies an answer whose status is not 200.
func (Dialect) Fail(r dialect.Response) *dialect.Error {
	body := bytes.TrimSpace(r.Body)
	if n := len(body); n > 1 && body[0] == '[' && body[n-1] == ']' { // Google wraps errors in a list
		body = bytes.TrimSpace(body[1 : n-1])
	}
	var m message
	m.read(body)
	f := m.failure
	if f == nil {
		f = &failure{message: cut(string(body[:min(len(body), maxMessage)]))}
	}
	return f.error(r.Status, r.Header, m.usage.total())
}

// error makes the error that promptd acts on.
func (f *failure) error(status int, h http.Header, u dialect.Usage) *dialect.Error {
	judged := status
	if status == http.StatusOK {
		judged = 0
		if n, err := strconv.Atoi(f.code); err == nil && n >= 400 && n < 600 {
			judged = n
		}
	}
	e := &dialect.Error{Status: status, Usage: u, Code: f.name(), Outcome: f.outcome(judged)}
	switch e.Outcome {
	case dialect.RateLimited, dialect.OverloadedProvider, dialect.Timeout:
		e.Wait = wait(h)
	}
	if e.Outcome == dialect.RateLimited && e.Wait == 0 && h.Get("X-Should-Retry") == "false" {
		e.Outcome = dialect.Quota // No wait ends this limit: credit for long contexts, or a contract's sum.
	}
	return e
}

// name is the service's own code, if it looks like one: a code may not carry text.
func (f *failure) name() string {
	for _, s := range [...]string{f.code, f.kind} {
		if _, err := strconv.Atoi(s); s == "" || err == nil || strings.ContainsFunc(s, notInCode) {
			continue
		}
		return s[:min(len(s), 100)]
	}
	return ""
}

func notInCode(r rune) bool {
	return notInName(r) && r != '.' && r != ':' && r != '/'
}

// outcome judges by the service's code and type, then by what its message says, then by the status.
func (f *failure) outcome(status int) dialect.Outcome {
	if o, ok := byCode(f.code); ok {
		return o
	}
	message := strings.ToLower(f.message)
	switch f.kind {
	case "billing_error":
		return dialect.Quota
	case "authentication_error", "permission_error":
		return dialect.Auth
	case "request_too_large":
		return dialect.TooLarge
	case "overloaded_error":
		return dialect.OverloadedProvider
	case "timeout_error":
		return dialect.Timeout
	}
	if status < 500 && status != http.StatusUnauthorized {
		if o, ok := byMessage(message); ok {
			return o
		}
	}
	switch f.kind {
	case "rate_limit_error":
		return dialect.RateLimited
	case "invalid_request_error", "not_found_error":
		if status == 0 {
			return dialect.BadRequest
		}
	case "api_error":
		if status == 0 {
			return dialect.OverloadedProvider
		}
	}
	return dialect.OfStatus(status)
}

// byCode knows the codes that say more than the type and the status beside them. 2026-11: anthropic 2.12.0 lists them.
func byCode(code string) (dialect.Outcome, bool) {
	switch code {
	case "enforced_spend_limit_reached", "contract_spend_limit_reached", "linked_organization_spend_limit_reached", "linked_organization_billing_unavailable",
		"credit_balance_too_low":
		return dialect.Quota, true // The first two come as 429.
	case "organization_on_hold":
		return dialect.Auth, true
	case "request_body_too_large_after_decoding", "image_dimensions_too_large":
		return dialect.TooLarge, true
	case "ramp_limit_exceeded":
		return dialect.RateLimited, true
	default:
		return dialect.Unknown, false
	}
}

// byMessage knows the wordings of errors whose type is invalid_request_error, or none: the type says nothing of the way out.
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
	case has("output_config.format", "output_format", "schema is too complex", "compiled grammar is too large", "output_config: extra inputs"):
		return dialect.SchemaRejected, true
	case strings.HasPrefix(message, "tools."), has(".input_schema", "tool_choice"):
		return dialect.SchemaRejected, true // The tool is promptd's own. Models that think refuse to be forced.
	case has("structured output") && has("not support", "unsupported", "unavailable"):
		return dialect.SchemaRejected, true
	case has("prompt is too long", "exceed context limit", "context window", "input is too long"):
		return dialect.ContextExceeded, true
	case has("content filtering policy", "content filter", "violates our usage policy"):
		return dialect.Filtered, true
	case has("credit balance", "api usage limits", "extra usage is required", "usage credits"):
		return dialect.Quota, true
	case has("image exceeds", "image dimensions exceed"):
		return dialect.TooLarge, true
	}
	return dialect.Unknown, false
}

// wait reads how long the service asks to wait: in so many words, else until the exhausted limit is full again. It says nothing of it in bodies.
func wait(h http.Header) time.Duration {
	if d := dialect.RetryAfter(h); d > 0 {
		return d
	}
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return 0
	}
	var longest time.Duration
	for _, of := range [...]string{"Requests", "Tokens", "Input-Tokens", "Output-Tokens"} {
		if h.Get("Anthropic-Ratelimit-"+of+"-Remaining") != "0" {
			continue
		}
		if reset, err := time.Parse(time.RFC3339, h.Get("Anthropic-Ratelimit-"+of+"-Reset")); err == nil {
			longest = max(longest, reset.Sub(now))
		}
	}
	return min(longest, dialect.MaxWait)
}

// readFailure reads the member error: an object, or a text. What says nothing is no error.
func readFailure(s *scan.Scanner) *failure {
	if s.Kind() == '"' {
		if text := s.Text(); text != "" {
			return &failure{message: cut(text)}
		}
		return nil
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
		case "type":
			f.kind = s.Text()
		case "message":
			f.message = cut(s.Text())
		case "code": // gateways, and Google
			if f.code == "" {
				f.code = s.Text()
			}
		case "details":
			f.details(s)
		}
	}
	if f == (failure{}) {
		return nil
	}
	return &f
}

func (f *failure) details(s *scan.Scanner) {
	if !s.Object() {
		return
	}
	for {
		name, more := s.Member()
		if !more {
			return
		}
		if string(name) == "error_code" {
			f.code = s.Text()
		}
	}
}

func cut(s string) string { return s[:min(len(s), maxMessage)] }
