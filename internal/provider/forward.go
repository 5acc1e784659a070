package provider

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/scan"
)

// Raw is an answer in the service's own bytes.
type Raw struct {
	Status int
	// ContentType is as the service named it.
	ContentType string
	// Body is the whole answer, or what a service said that refused; a streamed answer went to the sink.
	Body []byte
}

// Forward makes one call whose body is in the service's own format already, under the same limits and with the same account as Call. The answer comes back in its own
// bytes, and is read on the way for the record alone: its text, usage and end. A streamed answer is handed to sink as it comes, whole reads at a time, from
// its first event that is no error on; an error before that event finds nothing sent. What can't be understood is handed on all the same.
//
// The error is a *dialect.Error as Call's is. With a status of 400 or more the answer that said so stands in Raw.
func (p *Provider) Forward(ctx context.Context, m *Model, r dialect.Request, sink func([]byte) error) (Raw, dialect.Reply, Attempt, error) {
	a := Attempt{Provider: p.account.Name, Model: m.Name, StartedAt: time.Now()}
	t, err := p.live.admit(ctx, m, estimate(&dialect.Call{}, len(r.Body), int(p.live.track(m).output.Load())))
	if err != nil {
		failed := a.conclude(dialect.Reply{}, m, err)
		return Raw{}, dialect.Reply{}, a, failed
	}
	var failed *dialect.Error
	defer func() { t.settle(&a, failed) }()
	a.Queue = time.Since(a.StartedAt)
	var raw Raw
	var reply dialect.Reply
	if sink != nil {
		raw, reply, err = p.forwardStream(ctx, r, t.holder.credential, sink, &a)
	} else {
		raw, reply, err = p.forwardWhole(ctx, r, t.holder.credential, &a)
	}
	if failed = a.conclude(reply, m, err); failed != nil {
		if t.holder.credential.shownIn(raw.Body) {
			raw.Body = nil
		}
		return raw, reply, a, failed
	}
	if key := t.holder.credential.key(); key != nil && bytes.Contains(raw.Body, key) {
		raw.Body = bytes.ReplaceAll(raw.Body, key, []byte(hidden))
	}
	return raw, reply, a, nil
}

func (p *Provider) forwardWhole(ctx context.Context, r dialect.Request, k Credential, a *Attempt) (Raw, dialect.Reply, error) {
	if deadline, ok := ctx.Deadline(); p.account.Timeout > 0 && (!ok || time.Until(deadline) > p.account.Timeout) {
		limited, cancel := context.WithTimeout(ctx, p.account.Timeout)
		defer cancel()
		ctx = limited
	}
	resp, err := p.send(ctx, r, k)
	if err != nil {
		return Raw{}, dialect.Reply{}, transport(ctx, err)
	}
	defer resp.Body.Close() //nolint:errcheck // Nothing can be done about it, and the body was read.
	a.Status = resp.StatusCode
	raw := Raw{Status: resp.StatusCode, ContentType: resp.Header.Get("Content-Type")}
	if resp.StatusCode != http.StatusOK {
		raw.Body, err = p.fail(ctx, resp)
		return raw, dialect.Reply{}, err
	}
	if raw.Body, err = read(resp, mostBody); err != nil {
		return Raw{}, dialect.Reply{}, transport(ctx, err)
	}
	reply, err := p.account.Dialect.Decode(dialect.Response{Status: resp.StatusCode, Header: resp.Header, Body: raw.Body})
	return raw, reply, err
}

func (p *Provider) forwardStream(ctx context.Context, r dialect.Request, k Credential, sink func([]byte) error, a *Attempt) (Raw, dialect.Reply, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// A model may write for longer than any one answer should take, so the account's timeout bounds silence here.
	silence := time.AfterFunc(cmp.Or(p.account.FirstByteTimeout, p.account.Timeout, math.MaxInt64), func() { cancel(errSilence) })
	defer silence.Stop()
	resp, err := p.send(ctx, r, k)
	if err != nil {
		return Raw{}, dialect.Reply{}, transport(ctx, err)
	}
	defer resp.Body.Close() //nolint:errcheck // Nothing can be done about it.
	a.Status = resp.StatusCode
	raw := Raw{Status: resp.StatusCode, ContentType: resp.Header.Get("Content-Type")}
	if resp.StatusCode != http.StatusOK {
		raw.Body, err = p.fail(ctx, resp)
		return raw, dialect.Reply{}, err
	}
	tee := &tee{src: resp.Body, sink: sink, attempt: a, silence: silence, patience: p.account.Timeout}
	var over *veil
	if key := k.key(); key != nil {
		over = &veil{key: key, next: sink}
		tee.sink = over.write
	}
	reply, err := p.follow(tee)
	if over != nil && tee.failed == nil {
		tee.failed = over.end()
	}
	if tee.failed != nil {
		return raw, reply, &dialect.Error{Outcome: dialect.Cancelled, Cause: tee.failed}
	}
	return raw, reply, broken(ctx, err)
}

// errSilence is the cause of a cancellation for want of the next byte.
var errSilence = fmt.Errorf("nothing came within the provider's timeout: %w", context.DeadlineExceeded)

// follow reads a stream to its end. Behind the dialect's end, and behind what the dialect does not understand, the rest is handed on as well.
func (p *Provider) follow(t *tee) (reply dialect.Reply, err error) {
	for delta, failed := range p.account.Dialect.Stream(t) {
		if delta.Reply != nil {
			reply = *delta.Reply
		}
		err = failed
	}
	if err != nil && !t.released {
		return reply, err
	}
	if _, rest := io.Copy(io.Discard, t); rest != nil && err == nil && reply.Stop == dialect.StopError {
		err = &dialect.Error{Outcome: dialect.Connection, Status: http.StatusOK, Cause: rest}
	}
	return reply, err
}

// tee hands on what is read. It keeps the beginning back until the first event is whole and no error: until then another candidate can still be asked.
type tee struct {
	src      io.Reader
	sink     func([]byte) error
	attempt  *Attempt
	silence  *time.Timer
	patience time.Duration
	held     []byte
	released bool
	failed   error // the sink's
	stray    error // what was read is no stream
}

// mostHeld bounds the beginning; a first event that is longer is no error, and a beginning without one is no stream.
const mostHeld = 64 << 10

// errNoStream ends the reading of a page or a document in place of a stream.
var errNoStream = errors.New("the service answers with something that is no event stream")

// Read reads from the service.
func (t *tee) Read(b []byte) (int, error) {
	if failed := cmp.Or(t.failed, t.stray); failed != nil {
		return 0, failed
	}
	n, err := t.src.Read(b)
	if n > 0 {
		if t.attempt.FirstToken == 0 {
			t.attempt.FirstToken = time.Since(t.attempt.StartedAt)
		}
		t.silence.Stop() // The caller's slowness is not the service's silence.
		t.failed = t.attempt.handOn(func() error { return t.pass(b[:n]) })
		if t.failed != nil {
			return n, t.failed
		}
		if t.patience > 0 {
			t.silence.Reset(t.patience)
		}
	}
	return n, err
}

func (t *tee) pass(b []byte) error {
	if t.released {
		return t.sink(b)
	}
	t.held = append(t.held, b...)
	if len(t.held) < mostHeld && (!wholeEvent(t.held) || isError(t.held)) {
		return nil
	}
	if !bytes.Contains(t.held, []byte("data:")) {
		t.stray = errNoStream
		return nil
	}
	t.released = true
	held := t.held
	t.held = nil
	return t.sink(held)
}

// wholeEvent reports whether a text holds an event with data and its end.
func wholeEvent(b []byte) bool {
	_, rest, ok := bytes.Cut(b, []byte("data:"))
	return ok && (bytes.Contains(rest, []byte("\n\n")) || bytes.Contains(rest, []byte("\r\n\r\n")) || bytes.Contains(rest, []byte("\r\r")))
}

// isError reports whether the first event's data is an error.
func isError(b []byte) bool {
	_, data, _ := bytes.Cut(b, []byte("data:"))
	if end := bytes.IndexAny(data, "\r\n"); end >= 0 {
		data = data[:end]
	}
	s := scan.New(data)
	if !s.Object() {
		return false
	}
	for {
		name, more := s.Member()
		if !more {
			return false
		}
		switch string(name) {
		case "error":
			if !s.Null() {
				return true
			}
		case "type":
			if s.Text() == "error" {
				return true
			}
		}
	}
}
