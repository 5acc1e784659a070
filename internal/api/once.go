package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"strconv"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/idempotency"
	"github.com/promptd/promptd/internal/pipeline"
)

// idempotencyKey reads the Idempotency-Key header; the name is zero without one.
func idempotencyKey(c *call) (idempotency.Name, error) {
	values, given := c.r.Header["Idempotency-Key"]
	if !given {
		return idempotency.Name{}, nil
	}
	const most = 255
	if len(values) > 1 {
		return idempotency.Name{}, fault.Invalid("", "format", "the request has "+strconv.Itoa(len(values))+" headers Idempotency-Key; one is taken", "Send one key for each logical request.")
	}
	text := values[0]
	bad := text == "" || len(text) > most
	for i := range len(text) {
		bad = bad || text[i] < 0x21 || text[i] > 0x7e
	}
	if bad {
		return idempotency.Name{}, fault.Invalid("", "format", "Idempotency-Key must be 1 to 255 visible ASCII characters", "A UUID for each logical request is a good choice.")
	}
	return idempotency.Name{Team: c.caller.Team, Key: text}, nil
}

// once answers with what run gives. Under an idempotency key it runs once: the same key and body give the same answer.
func (c *call) once(name idempotency.Name, raw []byte, run func(context.Context) (idempotency.Response, error)) error {
	kept, replayed, err := c.work(name, raw, run)
	if err != nil {
		return err
	}
	if replayed {
		c.w.Header().Set("Idempotent-Replayed", "true")
	}
	return c.kept(kept)
}

// work runs under the idempotency key if there is one. What is begun under a key goes on when the caller has gone, so that its next try finds the
// answer; the request's own limit of time still holds.
func (c *call) work(name idempotency.Name, raw []byte, run func(context.Context) (idempotency.Response, error)) (idempotency.Response, bool, error) {
	if name.Key == "" {
		r, err := run(c.r.Context())
		return r, false, err
	}
	sum := sha256.New()
	sum.Write([]byte(c.r.Method + " " + c.r.URL.Path + "\n"))
	sum.Write(raw)
	var failed error
	kept, replayed, err := c.server.deps.Idempotency.Do(c.r.Context(), name, idempotency.Body(sum.Sum(nil)), func(ctx context.Context) (idempotency.Response, error) {
		on, done := c.server.ending.outlive(ctx)
		defer done()
		r, err := run(on)
		if err == nil {
			return r, nil
		}
		f := fault.Of(err)
		if f.Code.Status() >= http.StatusInternalServerError {
			return idempotency.Response{}, err // Not final: the same key may be tried again.
		}
		failed = err
		var failure *pipeline.Failure
		errors.As(err, &failure)
		contentType, body := c.errorBody(f, failure)
		return idempotency.Response{Status: f.Code.Status(), ContentType: contentType, Body: body}, nil
	})
	if err == nil && failed != nil {
		err = failed // Said by the one place that says faults, in a stream by its last event.
	}
	return kept, replayed, err
}

// kept answers with a response as it was kept.
func (c *call) kept(r idempotency.Response) error {
	h := c.w.Header()
	h.Set("Content-Type", r.ContentType)
	return c.send(r.Status, r.Body)
}

func trimmed(body []byte) []byte { return bytes.TrimRight(body, "\n") }

// send answers with a body whose type is set.
func (c *call) send(status int, body []byte) error {
	h := c.w.Header()
	if h["Cache-Control"] == nil {
		h["Cache-Control"] = []string{"no-store"}
	}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	c.answersRequestID()
	c.w.WriteHeader(status)
	if c.r.Method != http.MethodHead {
		_, _ = c.w.Write(body) //nolint:errcheck // A caller that went away gets nothing, and nobody is left to be told.
	}
	return nil
}

// answersRequestID says under which id the request is known: the caller's own, else promptd's.
func (c *call) answersRequestID() {
	id := c.clientID
	if id == "" {
		id = c.id
	}
	c.w.Header()["X-Request-Id"] = []string{id}
}
