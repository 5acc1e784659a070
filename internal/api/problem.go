package api

import (
	"errors"
	"log/slog"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/limit"
	"github.com/promptd/promptd/internal/pipeline"
)

// problem answers with an RFC 9457 problem document. This is the one place where an error becomes HTTP.
func (c *call) problem(err error) {
	if c.r.Context().Err() != nil {
		defer func() { c.w.status = gone }()
	}
	f := c.known(err)
	var failure *pipeline.Failure
	errors.As(err, &failure)
	if c.stream != nil && c.words != nil {
		c.failStream(f, failure)
		return
	}
	if c.stream != nil {
		_ = c.stream.send("error", c.document(f, failure)) //nolint:errcheck // As in send.
		return
	}
	if c.w.status != 0 {
		return // Something was sent already; a second answer would corrupt it.
	}
	h := c.w.Header()
	contentType, body := c.errorBody(f, failure)
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")
	if wait := retryAfter(f); wait != "" {
		h.Set("Retry-After", wait)
	}
	if c.words != nil && errors.Is(f, limit.ErrCost) {
		h.Set("X-Should-Retry", "false") // OpenAI's SDKs repeat every 429 otherwise, with or without a time.
	}
	if f.Code == fault.Unauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	_ = c.send(f.Code.Status(), body) //nolint:errcheck // It has none.
}

// known gives the fault of an error. One inside promptd is logged: the caller is not told what it was.
func (c *call) known(err error) *fault.Fault {
	f := fault.Of(err)
	if f.Code != fault.Internal {
		return f
	}
	if c.r.Context().Err() != nil {
		return fault.New(fault.Timeout, "the caller went away before the answer").Because(err)
	}
	c.server.deps.Log.LogAttrs(c.r.Context(), slog.LevelError, "request failed inside promptd",
		slog.String("http.request.id", c.id), slog.String("error.message", err.Error()))
	return f
}

// gone is the status that is counted where the caller left before its answer. It is never sent, and no fault of the service.
const gone = 499

func retryAfter(f *fault.Fault) string {
	switch {
	case f.RetryAfter > 0:
		return limit.RetryAfterHeader(f.RetryAfter)
	case errors.Is(f, limit.ErrCost):
		return "" // No time is the right one.
	case f.Code == fault.RateLimitExceeded, f.Code == fault.Overloaded:
		return "1"
	default:
		return ""
	}
}

// document writes the problem document.
func (c *call) document(f *fault.Fault, failure *pipeline.Failure) []byte {
	return pipeline.Problem{Fault: f, Failure: failure, RequestID: c.id, ClientRequestID: c.clientID}.Append(make([]byte, 0, 512))
}
