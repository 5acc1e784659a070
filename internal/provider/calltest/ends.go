package calltest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/provider/providertest"
)

// oversize answers end in an error long before the service is done: neither memory nor time goes into what is of no use.
func oversize(t *testing.T, f Form) {
	both(t, func(t *testing.T, streamed bool) {
		service := f.service(t, providertest.Settings{Text: "an answer", Shares: providertest.Shares{Transport: 1}, Faults: []providertest.Fault{providertest.Oversize}})
		p := f.account(t, service, Key, nil)
		r := ask(t, p, plain(), streamed)
		if r.err == nil || r.err.Outcome != dialect.Invalid && r.err.Outcome != dialect.Unknown {
			t.Errorf("got %v", r.err)
		}
		const most = 16 << 20 // package provider's bound
		if n := len(strings.Join(r.pieces, "")); n > most {
			t.Errorf("%d bytes of text were handed on", n)
		}
		await(t, "the service notices that nobody reads on", func() bool { return left(service) })
	})
}

// timeout is a call that gives nothing, and who ends it.
type timeout struct {
	name     string
	fault    providertest.Fault
	streamed bool
	// limit sets the account's limit; nil leaves the end to the request's deadline.
	limit func(*provider.Account, time.Duration)
}

// timeouts end a call that gives nothing: for want of the first byte in a stream, for want of the whole elsewhere, and at the request's own deadline.
func timeouts(t *testing.T, f Form) {
	first := func(a *provider.Account, d time.Duration) { a.FirstByteTimeout = d }
	attempt := func(a *provider.Account, d time.Duration) { a.Timeout = d }
	for _, c := range []timeout{
		{"first byte", providertest.StalledFirst, true, first},
		{"attempt, streamed", providertest.StalledLater, true, attempt},
		{"attempt, whole", providertest.StalledLater, false, attempt},
		{"headers, whole", providertest.StalledFirst, false, attempt},
		{"deadline, streamed", providertest.StalledLater, true, nil},
		{"deadline, whole", providertest.StalledFirst, false, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			// On a busy machine a short time may be over before the service has the request; then there is nothing to notice.
			const shortest, longest = 30 * time.Millisecond, 5 * time.Second
			for d := shortest; !f.timesOut(t, c, d); d *= 4 {
				if d > longest {
					t.Fatalf("within %s no request came to the service", d)
				}
			}
		})
	}
}

// timesOut brings a timeout about; false where the time was over before the service had the request.
func (f Form) timesOut(t *testing.T, c timeout, d time.Duration) bool {
	t.Helper()
	service := f.service(t, providertest.Settings{Stall: time.Minute})
	service.Queue(providertest.Reply{Text: "an answer", Fault: c.fault, CutAt: 1})
	ctx := t.Context()
	p := f.account(t, service, Key, func(a *provider.Account) {
		if c.limit != nil {
			c.limit(a, d)
		}
	})
	if c.limit == nil {
		limited, cancel := context.WithTimeout(ctx, d)
		defer cancel()
		ctx = limited
	}
	_, a, err := p.Call(ctx, &p.Models()[0], plain(), sinkOf(c.streamed))
	var failed *dialect.Error
	if !errors.As(err, &failed) || failed.Outcome != dialect.Timeout || a.Outcome != dialect.Timeout {
		t.Errorf("got %v, recorded %s; want %s", err, a.Outcome, dialect.Timeout)
	}
	if service.Requests() == 0 {
		return false
	}
	await(t, "the service notices that nobody waits", func() bool { return left(service) })
	return true
}

// left reports whether the service has seen that its only client left.
func left(service *providertest.Server) bool {
	e := service.Exchanges()
	return service.InFlight() == 0 && len(e) == 1 && e[0].Left
}

func sinkOf(streamed bool) func(string) error {
	if !streamed {
		return nil
	}
	return func(string) error { return nil }
}

// cancellation reaches the service at once, before the first byte and within the answer: its connection ends.
func cancellation(t *testing.T, f Form) {
	const text = "an answer that is long enough to be held within"
	never := make(chan struct{})
	for name, after := range map[string]int{"before the first byte": 0, "within the answer": 60} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			both(t, func(t *testing.T, streamed bool) {
				service := f.service(t, providertest.Settings{})
				service.Queue(providertest.Reply{Text: text, Hold: never, HoldAfter: after})
				p := f.account(t, service, Key, nil)
				ctx, cancel := context.WithCancelCause(t.Context())
				var wg sync.WaitGroup
				wg.Go(func() {
					_, a, err := p.Call(ctx, &p.Models()[0], plain(), sinkOf(streamed))
					var failed *dialect.Error
					if !errors.As(err, &failed) || failed.Outcome != dialect.Cancelled || a.Outcome != dialect.Cancelled {
						t.Errorf("got %v, recorded %s", err, a.Outcome)
					}
				})
				await(t, "the call is under way", func() bool { return service.InFlight() == 1 && p.InFlight() == 1 })
				cancel(errors.New("the client is gone"))
				wg.Wait()
				await(t, "the service notices", func() bool { return left(service) })
				if p.InFlight() != 0 {
					t.Errorf("%d calls in flight after the end", p.InFlight())
				}
			})
		})
	}
}

// leaves ends a stream whose receiver has enough.
func leaves(t *testing.T, f Form) {
	service := f.service(t, providertest.Settings{})
	never := make(chan struct{})
	service.Queue(providertest.Reply{Text: strings.Repeat("word", 200), Hold: never, HoldAfter: 6000})
	p := f.account(t, service, Key, nil)
	full := errors.New("the client is gone")
	_, a, err := p.Call(t.Context(), &p.Models()[0], plain(), func(string) error { return full })
	if a.Outcome != dialect.Cancelled || !errors.Is(err, full) || a.FirstToken == 0 {
		t.Errorf("%v, recorded %s", err, a.Outcome)
	}
	await(t, "the service notices", func() bool { return left(service) })
}
