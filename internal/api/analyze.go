package api

import (
	"context"
	"errors"
	"iter"
	"net/http"

	"github.com/promptd/promptd/internal/body"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/idempotency"
	"github.com/promptd/promptd/internal/pipeline"
	"github.com/promptd/promptd/internal/prompt"
)

// analyze is POST /v1/analyze: one prompt to one validated result.
func (s *Server) analyze(c *call) error {
	in, err := s.admitPrompt(c)
	if err != nil {
		return err
	}
	v, err := body.Decode(in.raw)
	if err != nil {
		return err
	}
	q, err := prompt.Read(v, s.deps.Settings().Defaults)
	if err != nil {
		return err
	}
	q.ClientRequestID = c.clientID
	if q.Stream {
		return s.analyzeStream(c, in.admission, q, in.name, in.raw)
	}
	return c.once(in.name, in.raw, func(ctx context.Context) (idempotency.Response, error) {
		answer, err := s.deps.Pipeline.Run(ctx, in.admission, q)
		if err != nil {
			return idempotency.Response{}, c.failed(err)
		}
		c.id = answer.RequestID
		return idempotency.Response{Status: http.StatusOK, ContentType: mediaJSON, Body: append(answer.Append(make([]byte, 0, len(answer.Data)+1024)), '\n')}, nil
	})
}

// failed takes over the pipeline's request id.
func (c *call) failed(err error) error {
	var failure *pipeline.Failure
	if errors.As(err, &failure) {
		c.id = failure.RequestID
	}
	return err
}

// clientRequestID reads the caller's own id of the request.
func clientRequestID(r *http.Request) (string, error) {
	values := r.Header.Values("X-Request-ID")
	if len(values) == 0 {
		return "", nil
	}
	if len(values) > 1 || !goodRequestID(values[0]) {
		return "", fault.Invalid("", "format", "X-Request-ID must match [A-Za-z0-9._:-]{1,128}", "Send another X-Request-ID, or none.")
	}
	return values[0], nil
}

func goodRequestID(id string) bool {
	const most = 128
	if id == "" || len(id) > most {
		return false
	}
	for i := range len(id) {
		switch c := id[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == ':', c == '-':
		default:
			return false
		}
	}
	return true
}

// analyzeStream answers with server-sent events. A fault before the first event answers with its status. Under an idempotency key the first request
// streams; a repeated one gets the result, or the fault, without the events before it.
func (s *Server) analyzeStream(c *call, a pipeline.Admission, q prompt.Prompt, name idempotency.Name, raw []byte) error {
	kept, replayed, err := c.work(name, raw, func(ctx context.Context) (idempotency.Response, error) { return s.stream(c, ctx, a, q) })
	switch {
	case err != nil:
		return err
	case !replayed:
		return nil // Its events are out.
	case kept.Status != http.StatusOK:
		return c.kept(kept)
	}
	c.w.Header().Set("Idempotent-Replayed", "true")
	c.openStream()
	return c.stream.send("result", trimmed(kept.Body))
}

// stream runs the request and sends its events as they come.
func (s *Server) stream(c *call, ctx context.Context, a pipeline.Admission, q prompt.Prompt) (idempotency.Response, error) {
	next, stop := iter.Pull2(s.deps.Pipeline.Stream(ctx, a, q))
	defer stop()
	for {
		event, err, ok := next()
		switch {
		case !ok:
			return idempotency.Response{}, fault.New(fault.Timeout, "the caller went away before the answer")
		case err != nil:
			return idempotency.Response{}, c.failed(err)
		}
		if c.stream == nil {
			c.openStream()
		}
		if sent := c.event(event); sent != nil && ctx.Err() != nil {
			return idempotency.Response{}, sent // The caller has gone, and nobody repeats this request; the pipeline is told by stop.
		}
		if event.Answer != nil {
			return idempotency.Response{Status: http.StatusOK, ContentType: mediaJSON, Body: append(event.Answer.Append(nil), '\n')}, nil
		}
	}
}

func (c *call) event(e pipeline.Event) error {
	switch {
	case e.Attempt != nil:
		return c.stream.send("attempt", e.Attempt.Append(nil))
	case e.Partial != nil:
		return c.stream.send("partial", append(e.Partial.Append([]byte(`{"data":`)), '}'))
	case e.Answer != nil:
		c.id = e.Answer.RequestID
		return c.stream.send("result", e.Answer.Append(nil))
	default:
		return nil
	}
}
