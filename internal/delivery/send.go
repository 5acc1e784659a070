package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/promptd/promptd/internal/fault"
)

// errEnding is why sends are ended when the sender does.
var errEnding = errors.New("delivery: the sender ends")

// insistFor is how long the outcome of a send is offered to a store that does not take it. It is within the lease, which the heartbeat prolongs.
const insistFor = 30 * time.Second

// deliver sends one delivery and writes what became of it. It gives what the send says of the host.
func (s *Sender) deliver(ctx context.Context, token string, c *Claimed) verdict {
	began := s.cfg.Now()
	if c.Missing != "" {
		s.record(ctx, token, c, Result{Status: Failed, Error: c.Missing})
		return unclear
	}
	if err := s.prepare(ctx, token, c); err != nil {
		s.unprepared(ctx, token, c, err)
		return unclear
	}
	now := s.cfg.Now()
	answer, err := s.cfg.Transport.Send(ctx, Request{URL: c.URL, Header: headers(&c.Message, now, c.Secrets), Body: c.Message.Payload})
	took := s.cfg.Now().Sub(now)
	switch {
	case errors.Is(context.Cause(ctx), ErrLeaseLost):
		return unclear // It is somebody else's now; so is what is written of it.
	case ctx.Err() != nil:
		s.record(ctx, token, c, Result{Status: Pending}) // Given back: others send it.
		return unclear
	}
	attempt, verdict := judge(c.URL, answer, err)
	attempt.At, attempt.Took = now, took
	r := s.next(c, attempt, answer.RetryAfter, s.cfg.Now().Sub(began))
	s.record(ctx, token, c, r)
	return verdict
}

// headers are those of a message signed at a time.
func headers(m *Message, now time.Time, secrets []Secret) http.Header {
	h := http.Header{}
	h.Set("Content-Type", "application/json")
	h.Set("Webhook-Id", string(m.ID))
	h.Set("Webhook-Timestamp", strconv.FormatInt(now.Unix(), 10))
	h.Set("Webhook-Signature", Sign(m.ID, now, m.Payload, secrets...))
	if m.Trace != "" {
		h.Set("Traceparent", m.Trace)
	}
	return h
}

// prepare composes the payload where it is not there yet, and keeps it before it is sent, so that every attempt and replay sends the same bytes.
func (s *Sender) prepare(ctx context.Context, token string, c *Claimed) error {
	if len(c.Message.Payload) > 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, storeLimit)
	defer cancel()
	data, err := s.cfg.Composer.Compose(ctx, c.Message)
	if err != nil {
		return fmt.Errorf("compose %s: %w", c.Message.ID, err)
	}
	c.Message.Payload = Envelope(c.Message.Event, c.Message.At, data)
	return s.cfg.Store.Keep(ctx, token, c.ID, c.Message.Payload)
}

// Envelope is the body of a message: its type, when it happened, and what it tells of, byte for byte.
func Envelope(event Event, at time.Time, data json.RawMessage) []byte {
	b := append([]byte(`{"type":"`), event...)
	b = append(b, `","timestamp":"`...)
	b = at.UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","data":`...)
	return append(append(b, data...), '}')
}

// unprepared writes that a message could not be composed. What is no longer kept fails; anything else is tried again.
func (s *Sender) unprepared(ctx context.Context, token string, c *Claimed, err error) {
	switch {
	case errors.Is(err, ErrLeaseLost):
	case fault.Is(err, fault.NotFound), fault.Is(err, fault.Gone):
		s.record(ctx, token, c, Result{Status: Failed, Error: ErrorPayload})
	default:
		s.complain(ctx, err)
		again, more := wait(1, s.cfg.Chance(), 0, s.cfg.MaxAge-c.Age)
		status := Pending
		if !more {
			status = Failed
		}
		s.record(ctx, token, c, Result{Status: status, Error: ErrorPayload, Again: again})
	}
}

// judge makes an attempt of what came back, and says what that says of the host.
func judge(url string, a Answer, err error) (*Attempt, verdict) {
	attempt := &Attempt{URL: url, Status: a.Status, Answer: beginning(a.Text, MostAnswer)}
	var failed *SendError
	switch {
	case errors.As(err, &failed):
		attempt.Error, attempt.Detail = failed.Kind, beginning(failed.Detail, MostDetail)
		if failed.Kind == ErrorURL || failed.Kind == ErrorBlocked {
			return attempt, unclear
		}
		return attempt, dead
	case err != nil:
		attempt.Error, attempt.Detail = ErrorProtocol, "the send failed"
		return attempt, dead
	case a.Status >= 200 && a.Status < 300:
		return attempt, alive
	case a.Status == http.StatusGone:
		attempt.Error, attempt.Detail = ErrorGone, "the target answered 410 and is told nothing more"
	case a.Status >= 300 && a.Status < 400:
		attempt.Error, attempt.Detail = ErrorRedirect, "the target answered with a redirect, which is not followed"
	default:
		attempt.Error, attempt.Detail = ErrorStatus, "the target answered "+strconv.Itoa(a.Status)
	}
	switch a.Status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return attempt, dead
	default:
		return attempt, alive
	}
}

// next decides how a delivery goes on after an attempt.
func (s *Sender) next(c *Claimed, a *Attempt, asked, took time.Duration) Result {
	r := Result{Attempt: a, Status: Delivered, Error: a.Error}
	switch a.Error {
	case "":
	case ErrorGone:
		r.Status, r.Disable = Failed, c.Endpoint != ""
	default:
		var more bool
		if r.Again, more = wait(c.Tries+1, s.cfg.Chance(), asked, s.cfg.MaxAge-c.Age-took); more {
			r.Status = Pending
		} else {
			r.Status = Failed
		}
	}
	return r
}

// record writes an outcome. A store that does not take it is asked again for a while: what was delivered and is not written is sent once more.
func (s *Sender) record(ctx context.Context, token string, c *Claimed, r Result) {
	if errors.Is(context.Cause(ctx), ErrLeaseLost) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), insistFor)
	defer cancel()
	for pause := 100 * time.Millisecond; ; pause *= 2 {
		within, end := context.WithTimeout(ctx, storeLimit)
		err := s.cfg.Store.Record(within, token, c.ID, r)
		end()
		switch {
		case err == nil:
			if r.Attempt != nil {
				s.cfg.OnAttempt(c.Message.Event, *r.Attempt, r.Status)
			}
			return
		case errors.Is(err, ErrLeaseLost):
			return
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			s.cfg.OnError(fmt.Errorf("record what became of %s: %w", c.ID, err))
			return
		}
	}
}
