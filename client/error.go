package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The codes of problem documents.
const (
	CodeInvalidRequest       = "INVALID_REQUEST"
	CodeInvalidSchema        = "INVALID_SCHEMA"
	CodeUnauthorized         = "UNAUTHORIZED"
	CodeForbidden            = "FORBIDDEN"
	CodeBudgetExceeded       = "BUDGET_EXCEEDED"
	CodeNotFound             = "NOT_FOUND"
	CodeMethodNotAllowed     = "METHOD_NOT_ALLOWED"
	CodeNotAcceptable        = "NOT_ACCEPTABLE"
	CodeConflict             = "CONFLICT"
	CodeGone                 = "GONE"
	CodeUnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE"
	CodePayloadTooLarge      = "PAYLOAD_TOO_LARGE"
	CodeValidationFailed     = "VALIDATION_FAILED"
	CodeContentRefused       = "CONTENT_REFUSED"
	CodeRateLimitExceeded    = "RATE_LIMIT_EXCEEDED"
	CodeInternalError        = "INTERNAL_ERROR"
	CodeProviderError        = "LLM_PROVIDER_ERROR"
	CodeOverloaded           = "OVERLOADED"
	CodeTimeout              = "TIMEOUT"
)

// Error is what the server answered instead of a result: an RFC 9457 problem document. Where something between client and server answered, Code is empty.
type Error struct {
	Type            string   `json:"type"`
	Title           string   `json:"title"`
	Status          int      `json:"status"`
	Detail          string   `json:"detail"`
	Code            string   `json:"code"`
	RequestID       string   `json:"request_id"`
	ClientRequestID string   `json:"client_request_id"`
	Errors          []Defect `json:"errors"`
	Remediation     string   `json:"remediation"`
	// Validation, Attempts, Usage and Cost are there where a model was asked and its answer did not pass.
	Validation *Validation  `json:"validation"`
	Attempts   []Attempt    `json:"attempts"`
	Usage      *Tokens      `json:"usage"`
	CostUSD    *json.Number `json:"cost_usd"`

	// RetryAfter is how long the server asks to wait; 0 where it says nothing.
	RetryAfter time.Duration `json:"-"`
	// Raw is the answer's body where it was JSON.
	Raw json.RawMessage `json:"-"`
}

// Defect is one entry of a problem's errors or of a validation report: a fault of the request has a Rule, one of the model's answer a Keyword.
type Defect struct {
	// Pointer is a JSON pointer into the request's body, or into the answer.
	Pointer string `json:"pointer"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	Rule    string `json:"rule,omitempty"`

	Keyword       string `json:"keyword,omitempty"`
	SchemaPointer string `json:"schema_pointer,omitempty"`
	Expected      string `json:"expected,omitempty"`
	Actual        string `json:"actual,omitempty"`
}

// Error says code and detail.
func (e *Error) Error() string {
	name := e.Code
	if name == "" {
		name = "status " + strconv.Itoa(e.Status)
	}
	if e.Detail == "" {
		return name
	}
	return name + ": " + e.Detail
}

// IsCode reports whether the error's chain holds an [Error] with the code.
func IsCode(err error, code string) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}

// UnreachableError says that no answer came from the server.
type UnreachableError struct {
	// Server is the address that was called.
	Server string
	Err    error
}

// Error says who did not answer and why.
func (e *UnreachableError) Error() string {
	return fmt.Sprintf("no answer from %s: %v", e.Server, e.Err)
}

// Unwrap gives the cause.
func (e *UnreachableError) Unwrap() error { return e.Err }

// unreachable leaves the caller's own cancellation what it is, and keeps the request's URL out of the text: the server's address is enough.
func unreachable(ctx context.Context, server string, err error) error {
	if cause := ctx.Err(); cause != nil {
		return fmt.Errorf("call %s: %w", server, cause)
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return &UnreachableError{Server: server, Err: err}
}

// mostProblem bounds what is read of an answer that is an error.
const mostProblem = 8 << 20

// problem reads an error out of an answer.
func problem(response *http.Response) error {
	e := &Error{}
	// What can't be read leaves the status to say it.
	raw, _ := io.ReadAll(io.LimitReader(response.Body, mostProblem)) //nolint:errcheck // As above.
	if json.Unmarshal(raw, e) != nil || e.Code == "" {
		e = &Error{Title: http.StatusText(response.StatusCode), Detail: firstLine(raw, response)}
	}
	if json.Valid(raw) {
		e.Raw = bytes.TrimSpace(raw)
	}
	e.Status = response.StatusCode
	e.RetryAfter = retryAfter(response.Header.Get("Retry-After"), time.Now())
	return e
}

// firstLine shows what answered where it was not promptd.
func firstLine(raw []byte, response *http.Response) string {
	if !strings.HasPrefix(response.Header.Get("Content-Type"), "text/plain") {
		return "the answer is not one of promptd; is the server's address right?"
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(raw)), "\n")
	const most = 200
	if len(line) > most {
		line = line[:most]
	}
	return strings.ToValidUTF8(line, "")
}

// retryAfter reads the header: seconds or a date.
func retryAfter(text string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseInt(text, 10, 32); err == nil {
		return max(0, time.Duration(seconds)*time.Second)
	}
	if when, err := http.ParseTime(text); err == nil {
		return max(0, when.Sub(now))
	}
	return 0
}
