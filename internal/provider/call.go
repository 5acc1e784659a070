package provider

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/promptd/promptd/internal/dialect"
)

// Bounds of what is read of an answer.
const (
	mostBody      = 16 << 20
	mostErrorBody = 64 << 10
)

// Call makes one call and gives the reply with the attempt's record; N is the caller's to fill. The error is a *dialect.Error. Where it is also an
// [ErrNotSent], nothing was sent and there is no attempt to record. In a streamed call each piece of text is handed to sink as it comes;
// whatever sink returns ends the call.
func (p *Provider) Call(ctx context.Context, m *Model, c dialect.Call, sink func(text string) error) (dialect.Reply, Attempt, error) {
	a := Attempt{Provider: p.account.Name, Model: m.Name, Mode: c.Output.Mode, StartedAt: time.Now()}
	c.Model, c.Capability, c.Stream = m.Name, m.Capability, sink != nil
	encoded, err := p.account.Dialect.Encode(c)
	if err != nil {
		failed := a.conclude(dialect.Reply{}, m, &dialect.Error{Outcome: dialect.BadRequest, Cause: err})
		return dialect.Reply{}, a, failed
	}
	t, err := p.live.admit(ctx, m, estimate(&c, len(encoded.Body), int(p.live.track(m).output.Load())))
	if err != nil {
		failed := a.conclude(dialect.Reply{}, m, err)
		return dialect.Reply{}, a, failed
	}
	var failed *dialect.Error
	defer func() { t.settle(&a, failed) }()
	a.Queue = time.Since(a.StartedAt)
	reply, err := p.call(ctx, encoded, t.holder.credential, sink, &a)
	if failed = a.conclude(reply, m, err); failed != nil {
		return reply, a, failed
	}
	return reply, a, nil
}

// conclude fills in what became of the attempt, and gives its error as what it is; nil where there was none.
func (a *Attempt) conclude(reply dialect.Reply, m *Model, err error) *dialect.Error {
	a.Total = time.Since(a.StartedAt)
	a.Usage, a.Outcome = reply.Usage, stopOutcome(reply.Stop)
	var failed *dialect.Error
	if err != nil {
		if !errors.As(err, &failed) {
			failed = &dialect.Error{Outcome: dialect.Unknown, Cause: err}
		}
		a.Outcome, a.Error = failed.Outcome, failed.Code
		if failed.Status != 0 {
			a.Status = failed.Status
		}
		if failed.Usage.Known {
			a.Usage = failed.Usage
		}
	}
	if !countable(a.Usage) {
		a.Usage = dialect.Usage{}
	}
	a.Cost = m.Price.Of(a.Usage)
	return failed
}

// countable reports whether a service's counts of tokens can be true. One below nothing makes all of them doubtful: their sum would lower what has been
// used of a limit, and a total less a negative count is more than was written.
func countable(u dialect.Usage) bool {
	return min(u.Input, u.CachedInput, u.CacheWrite, u.LongCacheWrite, u.Output, u.Reasoning) >= 0
}

func stopOutcome(s dialect.Stop) dialect.Outcome {
	switch s {
	case dialect.StopComplete, dialect.StopTool:
		return dialect.OK
	case dialect.StopTruncated:
		return dialect.Truncated
	case dialect.StopRefused:
		return dialect.Refused
	case dialect.StopFiltered:
		return dialect.Filtered
	case dialect.StopPaused:
		return dialect.Paused
	default:
		return dialect.Unknown
	}
}

func (p *Provider) call(ctx context.Context, encoded dialect.Request, k Credential, sink func(string) error, a *Attempt) (dialect.Reply, error) {
	// The attempt's own limit matters only where the request has more time than that.
	if deadline, ok := ctx.Deadline(); p.account.Timeout > 0 && (!ok || time.Until(deadline) > p.account.Timeout) {
		limited, cancel := context.WithTimeout(ctx, p.account.Timeout)
		defer cancel()
		ctx = limited
	}
	if sink != nil {
		return p.stream(ctx, encoded, k, sink, a)
	}
	resp, err := p.send(ctx, encoded, k)
	if err != nil {
		return dialect.Reply{}, transport(ctx, err)
	}
	defer resp.Body.Close() //nolint:errcheck // Nothing can be done about it, and the body was read.
	a.Status = resp.StatusCode
	if resp.StatusCode != http.StatusOK {
		_, failed := p.fail(ctx, resp)
		return dialect.Reply{}, failed
	}
	body, err := read(resp, mostBody)
	if err != nil {
		return dialect.Reply{}, transport(ctx, err)
	}
	return p.account.Dialect.Decode(dialect.Response{Status: resp.StatusCode, Header: resp.Header, Body: body})
}

func (p *Provider) stream(ctx context.Context, encoded dialect.Request, k Credential, sink func(string) error, a *Attempt) (dialect.Reply, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	first := time.AfterFunc(cmp.Or(p.account.FirstByteTimeout, math.MaxInt64), func() { cancel(errFirstByte) })
	defer first.Stop()
	resp, err := p.send(ctx, encoded, k)
	if err != nil {
		return dialect.Reply{}, transport(ctx, err)
	}
	defer resp.Body.Close() //nolint:errcheck // Nothing can be done about it.
	a.Status = resp.StatusCode
	if resp.StatusCode != http.StatusOK {
		_, failed := p.fail(ctx, resp)
		return dialect.Reply{}, failed
	}
	// Whatever comes, a comment or a thought, shows that the service is at work; the first text may be long in coming.
	body := &begun{src: resp.Body, first: first}
	for delta, err := range p.account.Dialect.Stream(&bounded{src: body, left: mostBody}) {
		if a.FirstToken == 0 {
			a.FirstToken = time.Since(a.StartedAt)
		}
		switch {
		case err != nil:
			return dialect.Reply{}, broken(ctx, err)
		case delta.Text != "":
			if err := a.handOn(func() error { return sink(delta.Text) }); err != nil {
				return dialect.Reply{}, &dialect.Error{Outcome: dialect.Cancelled, Cause: err}
			}
		}
		if delta.Reply != nil {
			delta.Reply.RequestID = dialect.RequestID(resp.Header, delta.Reply.RequestID)
			return *delta.Reply, nil
		}
	}
	return dialect.Reply{}, &dialect.Error{Outcome: dialect.Connection, Status: resp.StatusCode, Cause: io.ErrUnexpectedEOF}
}

// begun ends the wait for the first byte.
type begun struct {
	src   io.Reader
	first *time.Timer
}

func (b *begun) Read(p []byte) (int, error) {
	n, err := b.src.Read(p)
	if n > 0 && b.first != nil {
		b.first.Stop()
		b.first = nil
	}
	return n, err
}

// errFirstByte is the cause of a cancellation for want of a first event.
var errFirstByte = errors.New("no first byte within first_byte_timeout")

func (p *Provider) send(ctx context.Context, encoded dialect.Request, k Credential) (*http.Response, error) {
	target, err := p.target(encoded.Path)
	if err != nil {
		return nil, err
	}
	header := make(http.Header, len(p.account.Header)+len(encoded.Header)+2)
	for name, values := range encoded.Header {
		header[name] = values
	}
	if k.Header != "" {
		header.Set(k.Header, k.Value)
	}
	for name, values := range p.account.Header {
		header[name] = values
	}
	prepare := func(ctx context.Context) *http.Request {
		header := header
		if p.account.Signer != nil { // It adds its own, each time others.
			header = header.Clone()
		}
		return (&http.Request{
			Method: encoded.Method, URL: target, Host: target.Host, Header: header, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Body: io.NopCloser(bytes.NewReader(encoded.Body)), ContentLength: int64(len(encoded.Body)),
			GetBody: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(encoded.Body)), nil },
		}).WithContext(ctx)
	}
	resp, err := p.deliver(ctx, encoded.Body, prepare)
	if err != nil {
		// The standard error repeats the whole URL, which may hold a credential.
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		return nil, err
	}
	return resp, nil
}

// target is the address of a path below the base URL. Both may have a query, and paths keep their escapes: a model's name may hold a slash.
func (p *Provider) target(path string) (*url.URL, error) {
	path, query, _ := strings.Cut(path, "?")
	target := *p.base
	target.RawPath = p.base.EscapedPath() + path
	plain, err := url.PathUnescape(target.RawPath)
	if err != nil {
		return nil, errPath
	}
	target.Path = plain
	if query != "" && target.RawQuery != "" {
		query = "&" + query
	}
	target.RawQuery += query
	return &target, nil
}

var errPath = errors.New("the dialect's path is not escaped rightly")

func read(resp *http.Response, most int64) ([]byte, error) {
	size := resp.ContentLength
	if size > most {
		return nil, errTooLong
	}
	if size >= 0 {
		body := make([]byte, size)
		_, err := io.ReadFull(resp.Body, body)
		return body, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, most+1))
	if err == nil && int64(len(body)) > most {
		return nil, errTooLong
	}
	return body, err
}

var errTooLong = errors.New("the answer is longer than 16 MiB")

// transport makes an outcome of a fault below HTTP.
func transport(ctx context.Context, err error) *dialect.Error {
	var judged *dialect.Error
	if errors.As(err, &judged) {
		return judged
	}
	e := &dialect.Error{Outcome: dialect.Connection, Cause: err}
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errFirstByte), errors.Is(cause, context.DeadlineExceeded):
		e.Outcome = dialect.Timeout
	case cause != nil:
		e.Outcome = dialect.Cancelled
	case errors.Is(err, errTooLong):
		e.Outcome = dialect.Invalid
	}
	return e
}
