package api

import (
	"context"
	"crypto/sha256"
	"errors"
	"iter"
	"net/http"

	"github.com/promptd/promptd/internal/body"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/idempotency"
	"github.com/promptd/promptd/internal/limit"
	"github.com/promptd/promptd/internal/pipeline"
	"github.com/promptd/promptd/internal/prompt"
)

// analyze is POST /v1/analyze: one prompt to one validated result.
func (s *Server) analyze(c *call) error {
	admission, err := s.deps.Pipeline.Admit(c.r.Context(), c.caller, 1)
	if admission.Limited {
		limitHeaders(c, admission)
	}
	if err != nil {
		c.drain()
		return err
	}
	raw, err := c.raw()
	if err != nil {
		return err
	}
	v, err := body.Decode(raw)
	if err != nil {
		return err
	}
	q, err := prompt.Read(v, s.deps.Settings().Defaults)
	if err != nil {
		return err
	}
	if q.ClientRequestID, err = clientRequestID(c.r); err != nil {
		return err
	}
	name, err := idempotencyKey(c)
	if err != nil {
		return err
	}
	switch {
	case q.Stream && name.Key != "":
		return fault.Invalid("/stream", "exclusive", "stream: true and Idempotency-Key exclude each other", "Leave one of them out: events can't be replayed.")
	case q.Stream:
		return s.analyzeStream(c, admission, q)
	case name.Key != "":
		return s.analyzeOnce(c, admission, q, name, sha256.Sum256(append([]byte("POST /v1/analyze\n"), raw...)))
	}
	answer, err := s.deps.Pipeline.Run(c.r.Context(), admission, q)
	if err != nil {
		return c.failed(err)
	}
	c.id = answer.RequestID
	return c.bytes(http.StatusOK, append(answer.Append(make([]byte, 0, 2048)), '\n'))
}

// failed takes over the pipeline's request id.
func (c *call) failed(err error) error {
	var failure *pipeline.Failure
	if errors.As(err, &failure) {
		c.id = failure.RequestID
	}
	return err
}

func limitHeaders(c *call, a pipeline.Admission) {
	named := limit.Named{Name: "hour", Policy: limit.PerHour(c.caller.RateLimitPerHour), Decision: a.Decision}
	h := c.w.Header()
	h[limit.PolicyField] = []string{limit.PolicyHeader(named)}
	h["Ratelimit"] = []string{limit.RemainingHeader(named)}
}

// clientRequestID reads the caller's own id of the request.
func clientRequestID(r *http.Request) (string, error) {
	id := r.Header.Get("X-Request-ID")
	const most = 128
	if len(id) > most {
		return "", badRequestID()
	}
	for i := range len(id) {
		switch c := id[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == ':', c == '-':
		default:
			return "", badRequestID()
		}
	}
	return id, nil
}

func badRequestID() error {
	return fault.Invalid("", "format", "X-Request-ID must match [A-Za-z0-9._:-]{1,128}", "Send another X-Request-ID, or none.")
}

// idempotencyKey reads the Idempotency-Key header.
func idempotencyKey(c *call) (idempotency.Name, error) {
	values, given := c.r.Header["Idempotency-Key"]
	if !given {
		return idempotency.Name{}, nil
	}
	const most = 255
	text := values[0]
	bad := len(values) > 1 || text == "" || len(text) > most
	for i := range len(text) {
		bad = bad || text[i] < 0x21 || text[i] > 0x7e
	}
	if bad {
		return idempotency.Name{}, fault.Invalid("", "format", "Idempotency-Key must be 1 to 255 visible ASCII characters", "A UUID for each logical request is a good choice.")
	}
	return idempotency.Name{Team: c.caller.Team, Key: text}, nil
}

// analyzeOnce runs a request under its idempotency key: the same key and body give the same answer.
func (s *Server) analyzeOnce(c *call, a pipeline.Admission, q prompt.Prompt, name idempotency.Name, sum idempotency.Body) error {
	kept, replayed, err := s.deps.Idempotency.Do(c.r.Context(), name, sum, func(ctx context.Context) (idempotency.Response, error) {
		answer, err := s.deps.Pipeline.Run(ctx, a, q)
		if err != nil {
			f := fault.Of(err)
			id := c.id
			var failure *pipeline.Failure
			if errors.As(err, &failure) {
				id = failure.RequestID
			}
			if f.Code.Status() >= http.StatusInternalServerError {
				return idempotency.Response{}, err // Not final: the same key may be tried again.
			}
			return idempotency.Response{Status: f.Code.Status(), ContentType: "application/problem+json", Body: append(problemDocument(f, id, failure), '\n')}, nil
		}
		return idempotency.Response{Status: http.StatusOK, ContentType: "application/json", Body: append(answer.Append(nil), '\n')}, nil
	})
	if err != nil {
		return c.failed(err)
	}
	h := c.w.Header()
	h.Set("Content-Type", kept.ContentType)
	if replayed {
		h.Set("Idempotent-Replayed", "true")
	}
	c.w.WriteHeader(kept.Status)
	_, _ = c.w.Write(kept.Body) //nolint:errcheck // As in bytes.
	return nil
}

// analyzeStream answers with server-sent events. A fault before the first event answers with its status.
func (s *Server) analyzeStream(c *call, a pipeline.Admission, q prompt.Prompt) error {
	next, stop := iter.Pull2(s.deps.Pipeline.Stream(c.r.Context(), a, q))
	defer stop()
	event, err, ok := next()
	if err != nil {
		return c.failed(err)
	}
	out := openStream(c.r.Context(), c.w)
	defer out.close()
	for ok {
		if err != nil {
			_ = c.failed(err) //nolint:errcheck // It gives the same error back.
			var failure *pipeline.Failure
			errors.As(err, &failure)
			return out.send("error", problemDocument(fault.Of(err), c.id, failure))
		}
		if err := c.event(out, event); err != nil {
			return nil //nolint:nilerr // The caller has gone; the pipeline is told by stop.
		}
		event, err, ok = next()
	}
	return nil
}

func (c *call) event(out *stream, e pipeline.Event) error {
	switch {
	case e.Attempt != nil:
		return out.send("attempt", e.Attempt.Append(nil))
	case e.Partial != nil:
		return out.send("partial", append(e.Partial.Append([]byte(`{"data":`)), '}'))
	case e.Answer != nil:
		c.id = e.Answer.RequestID
		return out.send("result", e.Answer.Append(nil))
	default:
		return nil
	}
}
