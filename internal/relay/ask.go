package relay

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dropin"
	"github.com/promptd/promptd/internal/pipeline"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/router"
)

// order says who may be asked, the first first. The error is what the caller's key does not allow, or why nobody can be asked.
func (r *Relay) order(x *exchange) (router.Order, error) {
	if err := x.admit(); err != nil {
		return router.Order{}, err
	}
	o := &x.Prompt.Options
	all, err := r.deps.Pool.Candidates(o.Provider, o.Model)
	if err != nil {
		return router.Order{}, err
	}
	asked := x.Prompt
	asked.Text = x.said
	if n := x.Images(); n > 0 { // Only a model that sees can be asked, wherever the images lie.
		asked.Messages = []prompt.Message{{Role: "user", Parts: slices.Repeat([]prompt.Part{{Image: "data:"}}, n)}}
	}
	x.question = &router.Question{Prompt: &asked, Caller: x.who, Schema: r.text, SchemaName: "text", Strategy: r.deps.Settings().Strategy}
	fit, err := router.Fit(x.question, all)
	if err != nil {
		return router.Order{}, err
	}
	return r.deps.Router.Order(x.question, fit), nil
}

// ask makes one attempt at a candidate. The error is a *dialect.Error, or a fault where the candidate's dialect can't express the request.
func (r *Relay) ask(ctx context.Context, x *exchange, c provider.Candidate) (*Answer, error) {
	if carrier, ok := c.Provider.Dialect().(dialect.Carrier); ok {
		if path, ok := carrier.Carries(x.Format); ok {
			return r.forward(ctx, x, c, path)
		}
	}
	return r.translate(ctx, x, c)
}

// forward hands the body on as it is.
func (r *Relay) forward(ctx context.Context, x *exchange, c provider.Candidate, path string) (*Answer, error) {
	accept := "application/json"
	if x.Stream {
		accept = "text/event-stream"
	}
	request := dialect.Request{
		Method: http.MethodPost, Path: path, Body: x.Body(c.Model.Name),
		Header: http.Header{"Content-Type": {"application/json"}, "Accept": {accept}},
	}
	sink, rest := x.sink(c), func() error { return nil }
	if sink != nil && x.Format == dialect.Chat && !x.Usage && !c.Model.Capability.Deviations.NoStreamOptions {
		request.Body = x.CountedBody(c.Model.Name)
		u := &uncounted{sink: sink}
		sink, rest = u.write, u.end
	}
	paid, err := r.open(ctx, x, c)
	if err != nil {
		return nil, err
	}
	var a provider.Attempt
	defer func() { paid.Close(&a, err) }()
	calling, span := r.deps.Meter.Call(ctx, c.Provider.Name(), c.Model.Name)
	raw, reply, a, err := c.Provider.Forward(calling, c.Model, request, sink)
	if x.began { // Else the end of what was no answer is nobody's.
		if lost := rest(); lost != nil && err == nil {
			err = &dialect.Error{Outcome: dialect.Cancelled, Cause: lost}
		}
	}
	r.note(x, &a, err)
	span.End(&a, err)
	x.reply = reply
	var e *dialect.Error
	if errors.As(err, &e) && passes(e, raw) && !x.began {
		return x.answer(c, raw.Status, "application/json", raw.Body), nil
	}
	if err != nil {
		return nil, err
	}
	body := raw.Body
	if x.Explain && len(body) > 0 {
		body = spliced(body, x.ours(c))
	}
	return x.answer(c, raw.Status, cmp.Or(raw.ContentType, "application/json"), body), nil
}

// sink hands a service's bytes on to the caller; nil where the answer is wanted whole.
func (x *exchange) sink(c provider.Candidate) func([]byte) error {
	if x.out == nil {
		return nil
	}
	return func(b []byte) error {
		x.begin(c, "text/event-stream")
		return x.out.Write(b)
	}
}

// spliced puts ours at the end of an answer that is an object.
func spliced(body, ours []byte) []byte {
	end := len(body)
	for end > 0 && (body[end-1] == ' ' || body[end-1] == '\n' || body[end-1] == '\r' || body[end-1] == '\t') {
		end--
	}
	if end == 0 || body[end-1] != '}' {
		return body
	}
	out := make([]byte, 0, len(body)+len(ours)+12)
	out = append(append(out, body[:end-1]...), `,"promptd":`...)
	return append(append(out, ours...), '}')
}

// translate hands on the conversation in the candidate's own format, and writes the answer in the caller's.
func (r *Relay) translate(ctx context.Context, x *exchange, c provider.Candidate) (*Answer, error) {
	call, err := x.Call()
	if err != nil {
		return nil, err
	}
	head := dropin.Reply{ID: x.id, Model: c.Model.Name, Created: x.started}
	var stream *dropin.Stream
	var sink func(string) error
	if x.out != nil {
		stream = x.NewStream(head)
		sink = func(text string) error {
			if x.begin(c, "text/event-stream") {
				if err := x.out.Write(stream.Begin()); err != nil {
					return err
				}
			}
			return x.out.Write(stream.Text(text))
		}
	}
	paid, err := r.open(ctx, x, c)
	if err != nil {
		return nil, err
	}
	var a provider.Attempt
	defer func() { paid.Close(&a, err) }()
	calling, span := r.deps.Meter.Call(ctx, c.Provider.Name(), c.Model.Name)
	reply, a, err := c.Provider.Call(calling, c.Model, call, sink)
	r.note(x, &a, err)
	span.End(&a, err)
	x.reply = reply
	switch {
	case err != nil:
		return nil, err
	case reply.Stop == dialect.StopError || reply.Stop == dialect.StopPaused:
		return nil, &dialect.Error{Outcome: dialect.Unknown, Status: http.StatusOK}
	}
	head.Text, head.Refusal, head.Stop, head.Usage = reply.Text, reply.Refusal, reply.Stop, reply.Usage
	if head.Stop == dialect.StopRefused && head.Refusal == "" {
		const declined = "The model declined to answer."
		head.Refusal = declined
		if !x.began { // What was streamed as text is not said again.
			head.Refusal, head.Text = cmp.Or(reply.Text, declined), ""
		}
	}
	if x.Explain {
		head.Ours = x.ours(c)
	}
	if stream == nil {
		return x.answer(c, http.StatusOK, "application/json", x.Whole(&head)), nil
	}
	if x.begin(c, "text/event-stream") {
		if err := x.out.Write(stream.Begin()); err != nil {
			return nil, &dialect.Error{Outcome: dialect.Cancelled, Cause: err}
		}
	}
	if err := x.out.Write(stream.End(&head)); err != nil {
		return nil, &dialect.Error{Outcome: dialect.Cancelled, Cause: err}
	}
	return x.answer(c, http.StatusOK, "text/event-stream", nil), nil
}

// begin tells the caller's side that an answer comes; it reports whether that was the beginning.
func (x *exchange) begin(c provider.Candidate, contentType string) bool {
	if x.began {
		return false
	}
	x.began = true
	if x.hurry != nil {
		x.hurry.Stop()
	}
	x.out.Begin(Head{x.id, c.Provider.Name(), c.Model.Name, contentType})
	return true
}

// note keeps the record of an attempt; one that was not sent is none. The router hears how the service fares, and of no answer that it passed: nobody judges one here.
func (r *Relay) note(x *exchange, a *provider.Attempt, err error) {
	x.asked += a.Total
	if errors.Is(err, provider.ErrNotSent) {
		return
	}
	a.N, a.Reason = len(x.attempts)+1, x.why
	x.attempts = append(x.attempts, *a)
	r.deps.Router.Note(a)
}

func (x *exchange) answer(c provider.Candidate, status int, contentType string, body []byte) *Answer {
	a := &Answer{Head: Head{x.id, c.Provider.Name(), c.Model.Name, contentType}, Status: status, Body: body, Attempts: len(x.attempts)}
	_, a.Cost = pipeline.Total(x.attempts)
	return a
}

// ours is the object that stands beside theirs as promptd.
func (x *exchange) ours(c provider.Candidate) []byte {
	_, cost := pipeline.Total(x.attempts)
	return dropin.AppendOurs(nil, dropin.Ours{
		RequestID: x.id, Provider: c.Provider.Name(), Model: c.Model.Name, Attempts: x.attempts, Cost: cost,
		Processing: time.Since(x.started), Overhead: max(0, time.Since(x.started)-x.asked),
	})
}
