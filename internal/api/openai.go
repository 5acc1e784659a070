package api

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dropin"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/idempotency"
	"github.com/promptd/promptd/internal/pipeline"
)

// chatCompletions is POST /v1/chat/completions, responses POST /v1/responses: promptd for programs that speak OpenAI's API.
func (s *Server) chatCompletions(c *call) error { return s.dropIn(c, dialect.Chat) }

func (s *Server) responses(c *call) error { return s.dropIn(c, dialect.Responses) }

// dropIn answers a request in a format of OpenAI's: by the pipeline where the answer has a schema, else by the relay.
func (s *Server) dropIn(c *call, format dialect.Format) error {
	in, err := s.admitPrompt(c)
	if err != nil {
		return err
	}
	q, err := dropin.Read(format, in.raw, s.deps.Settings().Defaults)
	if err != nil {
		return err
	}
	c.words.schemaAt = q.SchemaAt()
	q.Prompt.ClientRequestID = c.clientID
	run := func(ctx context.Context) (idempotency.Response, error) { return s.validated(ctx, c, in.admission, q) }
	switch {
	case q.Form == dropin.Free && q.Stream:
		run = func(ctx context.Context) (idempotency.Response, error) {
			return s.relayStream(ctx, c, q, in.name.Key != "")
		}
	case q.Form == dropin.Free:
		run = func(ctx context.Context) (idempotency.Response, error) { return s.relay(ctx, c, q) }
	case q.Stream:
		run = func(ctx context.Context) (idempotency.Response, error) {
			return s.validatedStream(ctx, c, in.admission, q, in.name.Key != "")
		}
	default:
		return c.once(in.name, in.raw, run)
	}
	if !q.Stream {
		return c.once(in.name, in.raw, run)
	}
	kept, replayed, err := c.work(in.name, in.raw, run)
	if err != nil || !replayed {
		return err // What there was to say is out.
	}
	c.w.Header().Set("Idempotent-Replayed", "true")
	return c.kept(kept)
}

// validated answers with data that satisfies the schema.
func (s *Server) validated(ctx context.Context, c *call, a pipeline.Admission, q *dropin.Request) (idempotency.Response, error) {
	answer, err := s.deps.Pipeline.Run(ctx, a, q.Prompt)
	if err != nil {
		return idempotency.Response{}, c.failed(err)
	}
	c.id = answer.RequestID
	reply := replyOf(answer)
	reply.Text = answer.Data
	return idempotency.Response{Status: http.StatusOK, ContentType: mediaJSON, Body: q.Whole(&reply)}, nil
}

// replyOf is what an answer of the pipeline says at its end.
func replyOf(a *pipeline.Answer) dropin.Reply {
	r := dropin.Reply{
		ID: a.RequestID, Model: a.Model, Created: time.Now(), Stop: dialect.StopComplete, Usage: a.Usage, Ours: dropin.AppendOurs(make([]byte, 0, 1024), dropin.OursOf(a)),
	}
	r.Usage.Known = r.Usage.Known || a.Cached || a.Coalesced // An answer of another call has used nothing.
	return r
}

// validatedStream streams text that is a beginning of the validated answer, and nothing before it is certain: until the first piece, faults answer with
// their status.
func (s *Server) validatedStream(ctx context.Context, c *call, a pipeline.Admission, q *dropin.Request, keep bool) (idempotency.Response, error) {
	next, stop := iter.Pull2(s.deps.Pipeline.Stream(ctx, a, q.Prompt))
	defer stop()
	model := q.Model
	if model == "" {
		model = dropin.Auto
	}
	out := &written{c: c, keep: keep, stream: q.NewStream(dropin.Reply{ID: c.id, Model: model, Created: time.Now()})}
	var growing dropin.Growing
	for {
		event, err, ok := next()
		switch {
		case !ok:
			return idempotency.Response{}, fault.New(fault.Timeout, "the caller went away before the answer")
		case err != nil:
			return idempotency.Response{}, c.failed(err)
		}
		switch {
		case event.Partial != nil:
			err = out.text(growing.Grow(*event.Partial))
		case event.Answer != nil:
			c.id = event.Answer.RequestID
			err = out.text(growing.End(event.Answer.Valid.Value()))
			reply := replyOf(event.Answer)
			out.send(out.stream.End(&reply))
		}
		if err != nil && ctx.Err() != nil {
			return idempotency.Response{}, err // The caller has gone, and nobody repeats this request; the pipeline is told by stop.
		}
		if event.Answer != nil {
			return idempotency.Response{Status: http.StatusOK, ContentType: mediaEvents, Body: out.kept}, nil
		}
	}
}

// written sends the events of a stream that promptd writes itself.
type written struct {
	c      *call
	stream *dropin.Stream
	keep   bool
	kept   []byte
}

// text sends a piece of text; the first opens the stream.
func (o *written) text(piece string) error {
	if piece == "" {
		return nil
	}
	var b []byte
	if o.c.stream == nil {
		o.c.openStream()
		o.c.words.sent = o.stream
		b = o.stream.Begin()
	}
	return o.send(append(b, o.stream.Text(piece)...))
}

func (o *written) send(b []byte) error {
	if o.keep {
		o.kept = append(o.kept, b...)
	}
	return o.c.stream.pass(b)
}

// relay answers with what a service says.
func (s *Server) relay(ctx context.Context, c *call, q *dropin.Request) (idempotency.Response, error) {
	a, _, err := s.deps.Relay.Do(ctx, c.caller, q, nil)
	if err != nil {
		return idempotency.Response{}, c.failed(err)
	}
	c.id = a.RequestID
	h := c.w.Header()
	named(h, a.Provider, a.Model)
	h["X-Promptd-Attempts"] = []string{strconv.Itoa(a.Attempts)}
	if a.Cost.Known {
		h["X-Promptd-Cost-Usd"] = []string{string(a.Cost.Append(nil))}
	}
	return idempotency.Response{Status: a.Status, ContentType: a.ContentType, Body: a.Body}, nil
}

// named says in headers who answered: a body that is relayed has no room for it.
func named(h http.Header, provider, model string) {
	h["X-Promptd-Provider"], h["X-Promptd-Model"] = []string{provider}, []string{model}
}

// wording is how the errors of a route are worded that speaks a format of OpenAI's.
type wording struct {
	format   dialect.Format
	schemaAt string
	// sent is the stream of events that was begun.
	sent *dropin.Stream
}

// worded words a fault.
func (c *call) worded(f *fault.Fault, failure *pipeline.Failure) dropin.Error {
	e := dropin.ErrorOf(c.words.format, c.words.schemaAt, f)
	e.Ours = c.ours(f, failure)
	return e
}

// failure answers with an error after the beginning of a stream.
func (c *call) failStream(f *fault.Fault, failure *pipeline.Failure) {
	e := c.worded(f, failure)
	b := e.AppendEvent(nil, c.words.format, 0)
	if c.words.sent != nil {
		b = c.words.sent.Fail(e)
	}
	_ = c.stream.pass(b) //nolint:errcheck // As in send.
}

// errorBody gives the body of an error and its type.
func (c *call) errorBody(f *fault.Fault, failure *pipeline.Failure) (contentType string, body []byte) {
	if c.words == nil {
		return mediaProblem, append(c.document(f, failure), '\n')
	}
	return mediaJSON, append(c.worded(f, failure).Append(make([]byte, 0, 512)), '\n')
}

// ours is the problem document without what the error says itself.
func (c *call) ours(f *fault.Fault, failure *pipeline.Failure) []byte {
	document := c.document(f, failure)
	at := strings.Index(string(document), `"request_id":`) // The caller's own texts are behind it.
	return append([]byte{'{'}, document[at:]...)
}

// isFailure finds the pipeline's failure in an error's chain.
func isFailure(err error) *pipeline.Failure {
	var failure *pipeline.Failure
	errors.As(err, &failure)
	return failure
}
