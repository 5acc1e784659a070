package api

import (
	"context"
	"net/http"
	"time"

	"github.com/promptd/promptd/internal/dropin"
	"github.com/promptd/promptd/internal/idempotency"
	"github.com/promptd/promptd/internal/relay"
)

// relayStream sends a service's stream on as it comes. There are no heartbeats in it: what the service sends may come in pieces of an event.
func (s *Server) relayStream(ctx context.Context, c *call, q *dropin.Request, keep bool) (idempotency.Response, error) {
	out := &passed{c: c, out: http.NewResponseController(c.w), keep: keep}
	a, began, err := s.deps.Relay.Do(ctx, c.caller, q, out)
	switch {
	case err != nil && !began:
		return idempotency.Response{}, c.failed(err)
	case out.gone && err == nil:
		c.w.status = gone
		return idempotency.Response{Status: a.Status, ContentType: mediaEvents, Body: out.kept}, nil
	case err != nil:
		err = c.failed(err)
		f := c.known(err)
		_ = out.Write(c.worded(f, isFailure(err)).AppendEvent([]byte("\n\n"), q.Format, 0)) //nolint:errcheck // A caller that has gone is told nothing.
		if c.r.Context().Err() != nil {
			c.w.status = gone
		}
		return idempotency.Response{}, err
	case !began: // A service said what is wrong with the request.
		c.id = a.RequestID
		named(c.w.Header(), a.Provider, a.Model)
		return idempotency.Response{Status: a.Status, ContentType: a.ContentType, Body: a.Body}, c.kept(idempotency.Response{Status: a.Status, ContentType: a.ContentType, Body: a.Body})
	default:
		out.end()
		return idempotency.Response{Status: a.Status, ContentType: mediaEvents, Body: out.kept}, nil
	}
}

// passed is the caller's end of a relayed stream.
type passed struct {
	c   *call
	out *http.ResponseController
	// keep gathers the stream for a repetition under the same idempotency key. It goes on when the caller has gone, which is when it is wanted.
	keep bool
	kept []byte
	gone bool
}

// Begin sends the headers with the first bytes.
func (p *passed) Begin(head relay.Head) {
	p.c.id = head.RequestID
	h := p.c.w.Header()
	h["Content-Type"] = []string{mediaEvents}
	h["Cache-Control"] = []string{"no-store"}
	h["X-Accel-Buffering"] = []string{"no"} // nginx would hold the events back.
	named(h, head.Provider, head.Model)
	p.c.answersRequestID()
	p.c.w.WriteHeader(http.StatusOK)
}

// Write sends bytes on at once. A reader that does not read must not hold its place for ever.
func (p *passed) Write(b []byte) error {
	if p.keep && len(p.kept) <= idempotency.MaxBody { // What is longer is not kept, so it need not be gathered.
		p.kept = append(p.kept, b...)
	}
	if p.gone {
		return nil
	}
	err := p.send(b)
	if p.keep && err != nil {
		p.gone, err = true, nil
	}
	return err
}

func (p *passed) send(b []byte) error {
	_ = p.out.SetWriteDeadline(time.Now().Add(patience)) //nolint:errcheck // Writers without deadlines are those of tests.
	if _, err := p.c.w.Write(b); err != nil {
		return err
	}
	return p.out.Flush()
}

// end lets the connection's next request begin without a deadline.
func (p *passed) end() {
	_ = p.out.SetWriteDeadline(time.Time{}) //nolint:errcheck // Likewise.
}
