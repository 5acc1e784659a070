package gemini

import (
	"bytes"
	"net/http"
	"strings"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/scan"
)

// maxMessage is how much of an error's text is looked at.
const maxMessage = 4096

// failure is an error as the service words it. Its message is for classification alone and never leaves this package: services echo prompts in it.
type failure struct {
	message string
	code    int           // the HTTP status, again
	status  string        // the canonical code, such as RESOURCE_EXHAUSTED
	reason  string        // of an ErrorInfo among the details
	delay   time.Duration // of a RetryInfo
	spent   bool          // a quota that does not come back within minutes
	limit   bool          // a quota that does
}

// Fail classifies an answer whose status is not 200.
func (Dialect) Fail(r dialect.Response) *dialect.Error {
	var f call
	c := read(r.Body, &f)
	if c.failure == nil {
		body := bytes.TrimSpace(r.Body)
		c.failure = &failure{message: string(body[:min(len(body), maxMessage)])}
	}
	return c.failure.error(r.Status, r.Header, c.usage)
}

// error makes the error that promptd acts on. The header may be nil.
func (f *failure) error(status int, h http.Header, u dialect.Usage) *dialect.Error {
	judged := status
	if status == http.StatusOK {
		if judged = f.code; judged < 400 || judged > 599 {
			judged = statusOf(f.status)
		}
	}
	message := strings.ToLower(f.message)
	wait := f.wait(h, message)
	e := &dialect.Error{Status: status, Usage: u, Code: f.name(), Outcome: f.outcome(judged, message, wait)}
	switch e.Outcome {
	case dialect.RateLimited, dialect.OverloadedProvider, dialect.Timeout: // Of a quota that is spent for a day the service says to come back in seconds.
		e.Wait = wait
	}
	return e
}

// name is the service's own code. It may not carry text.
func (f *failure) name() string {
	for _, s := range [...]string{f.reason, f.status} {
		if s != "" && len(s) <= 100 && !strings.ContainsFunc(s, notInName) {
			return s
		}
	}
	return ""
}

// outcome judges by the details, then by what the message says, then by the status.
func (f *failure) outcome(status int, message string, wait time.Duration) dialect.Outcome {
	switch {
	case f.reason == "BILLING_DISABLED":
		return dialect.Quota
	case strings.HasPrefix(f.reason, "API_KEY_"): // An unknown or expired key is a 400.
		return dialect.Auth
	case status == http.StatusTooManyRequests:
		return f.quota(message, wait)
	case status == 499: // CANCELLED. It was not the caller: nobody reads an answer to a call that was left.
		return dialect.Timeout
	case status == http.StatusBadRequest:
		return byMessage(message)
	case status == 0:
		return dialect.Unknown
	default:
		return dialect.OfStatus(status)
	}
}

// quota tells a limit per minute from money and days: both come as RESOURCE_EXHAUSTED, and both say "quota".
func (f *failure) quota(message string, wait time.Duration) dialect.Outcome {
	switch {
	case f.spent, has(message, "credits are depleted", "spending cap", "spend cap", "enable billing"):
		return dialect.Quota
	case f.limit || wait > 0:
		return dialect.RateLimited
	case has(message, "exceeded your current quota"):
		return dialect.Quota // Without a word of when it comes back.
	default:
		return dialect.RateLimited
	}
}

// byMessage judges a 400, whose code says INVALID_ARGUMENT or FAILED_PRECONDITION of everything.
func byMessage(message string) dialect.Outcome {
	switch {
	case has(message, "api key not valid", "api key expired", "api key not found", "user location is not supported"):
		return dialect.Auth
	case has(message, "enable billing"):
		return dialect.Quota
	case has(message, "input token count", "maximum number of tokens allowed", "context window", "context length"):
		return dialect.ContextExceeded
	case has(message, "request payload size exceeds"):
		return dialect.TooLarge
	case has(message, "too many states", "response_schema", "responseschema", "response_json_schema", "responsejsonschema", "response schema",
		"function_declarations", "functiondeclaration", "parametersjsonschema", "parameters_json_schema", "function_calling_config",
		"response mime type", "response_mime_type", "json mode is not enabled", "function calling is not enabled", "forced function calling",
		"schema in generationconfig", "undefined schema"):
		return dialect.SchemaRejected
	case strings.TrimSpace(message) == "request contains an invalid argument.":
		// 2026-11 (schema-subsets, section 8): the usual cause is the schema, and the service does not say. A weaker mode shows whether it was.
		return dialect.SchemaRejected
	default:
		return dialect.BadRequest
	}
}

func has(message string, phrases ...string) bool {
	for _, p := range phrases {
		if strings.Contains(message, p) {
			return true
		}
	}
	return false
}

// statusOf is the HTTP status of a canonical code, for an error inside a 200 that names no status; 0 for none.
func statusOf(code string) int {
	switch code {
	case "INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE":
		return http.StatusBadRequest
	case "UNAUTHENTICATED":
		return http.StatusUnauthorized
	case "PERMISSION_DENIED":
		return http.StatusForbidden
	case "NOT_FOUND":
		return http.StatusNotFound
	case "ABORTED", "ALREADY_EXISTS":
		return http.StatusConflict
	case "RESOURCE_EXHAUSTED":
		return http.StatusTooManyRequests
	case "CANCELLED":
		return 499
	case "INTERNAL", "UNKNOWN", "DATA_LOSS":
		return http.StatusInternalServerError
	case "UNIMPLEMENTED":
		return http.StatusNotImplemented
	case "UNAVAILABLE":
		return http.StatusServiceUnavailable
	case "DEADLINE_EXCEEDED":
		return http.StatusGatewayTimeout
	default:
		return 0
	}
}

// wait is how long the service asks to wait: in the details, which most of its answers have instead of a header, in a header, or in words.
func (f *failure) wait(h http.Header, message string) time.Duration {
	d := f.delay
	if d <= 0 {
		d = dialect.RetryAfter(h)
	}
	if d <= 0 {
		d = retryIn(message)
	}
	return min(d, dialect.MaxWait)
}

// retryIn reads "Please retry in 34.4s." of a message in lower case.
func retryIn(message string) time.Duration {
	_, rest, found := strings.Cut(message, "retry in ")
	if !found {
		return 0
	}
	end := strings.IndexFunc(rest, func(r rune) bool { return !strings.ContainsRune("0123456789.hmsnµu", r) })
	if end < 0 {
		end = len(rest)
	}
	return duration(strings.TrimRight(rest[:end], "."))
}

func duration(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0
	}
	return max(d, 0)
}

// readFailure reads the member error: an object, or a text. What says nothing is no error.
func readFailure(s *scan.Scanner) *failure {
	var f failure
	switch {
	case s.Kind() == '"':
		f.message = cut(s.Text())
	case s.Object():
		f.members(s)
	}
	if f == (failure{}) {
		return nil
	}
	return &f
}

func (f *failure) members(s *scan.Scanner) {
	for {
		name, more := s.Member()
		if !more {
			return
		}
		switch string(name) {
		case "code":
			f.code = s.Int()
		case "message":
			f.message = cut(s.Text())
		case "status":
			f.status = s.Text()
		case "details":
			f.details(s)
		}
	}
}

// details reads ErrorInfo, RetryInfo and QuotaFailure, each of which has members of its own.
func (f *failure) details(s *scan.Scanner) {
	if !s.Array() {
		return
	}
	for s.Item() {
		if !s.Object() {
			continue
		}
		for {
			name, more := s.Member()
			if !more {
				break
			}
			switch string(name) {
			case "reason":
				f.reason = s.Text()
			case "retryDelay":
				f.delay = duration(s.Text())
			case "violations":
				f.violations(s)
			}
		}
	}
}

// violations says which quotas were exceeded: one of a day, or one that is nothing at all, is not worth a wait.
func (f *failure) violations(s *scan.Scanner) {
	if !s.Array() {
		return
	}
	for s.Item() {
		if !s.Object() {
			continue
		}
		for {
			name, more := s.Member()
			if !more {
				break
			}
			switch string(name) {
			case "quotaId":
				id := s.Text()
				f.spent = f.spent || strings.Contains(id, "PerDay")
				f.limit = f.limit || strings.Contains(id, "PerMinute")
			case "quotaValue":
				f.spent = f.spent || s.Text() == "0"
			}
		}
	}
}

func cut(s string) string { return s[:min(len(s), maxMessage)] }
