package provider_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/llamacpp"
	"github.com/promptd/promptd/internal/dialect/openai"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/provider/providertest"
	"github.com/promptd/promptd/internal/schema/lowering"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "sk-very-secret-credential"

// account is an account at a service of the test, with whatever change the test makes to it.
func account(tb testing.TB, url string, change func(*provider.Account)) *provider.Provider {
	tb.Helper()
	a := provider.Account{
		Name: "svc", Dialect: openai.New(), BaseURL: url + "/v1", Timeout: 30 * time.Second, FirstByteTimeout: 30 * time.Second,
		Header: http.Header{"Authorization": {"Bearer " + secret}},
		Models: []provider.Model{{Name: "m", Price: provider.Price{Known: true, Input: 2_000_000_000, CachedInput: 1_000_000_000, CacheWrite: 2_500_000_000, Output: 8_000_000_000}}},
	}
	if change != nil {
		change(&a)
	}
	transport := provider.Transport()
	tb.Cleanup(transport.CloseIdleConnections)
	p, err := provider.New(a, transport)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func question(text string) dialect.Call {
	return dialect.Call{
		Messages: []dialect.Message{{Role: dialect.User, Parts: []dialect.Part{{Text: text}}}}, Output: dialect.Output{Mode: lowering.Prompt}, MaxTokens: 500,
	}
}

// collect is a sink that keeps what comes.
func collect(into *string) func(string) error {
	return func(text string) error {
		*into += text
		return nil
	}
}

func await(tb testing.TB, done func() bool) {
	tb.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	limit := time.After(20 * time.Second)
	for !done() {
		select {
		case <-tick.C:
		case <-limit:
			tb.Fatal("waited 20 s in vain")
		}
	}
}

// failure is the error as a *dialect.Error, which every error of a call is.
func failure(tb testing.TB, err error) *dialect.Error {
	tb.Helper()
	var failed *dialect.Error
	if !errors.As(err, &failed) {
		tb.Fatalf("the error is %T: %v, want a *dialect.Error", err, err)
	}
	return failed
}

func TestCallGivesReplyAndRecord(t *testing.T) {
	t.Parallel()
	service := providertest.New(t, providertest.Settings{})
	p := account(t, service.URL(), nil)
	for _, streamed := range []bool{false, true} {
		service.Queue(providertest.Reply{Text: "an answer", Usage: &providertest.Usage{PromptTokens: 100, CachedTokens: 40, CompletionTokens: 10, ReasoningTokens: 4}})
		var sink func(string) error
		var text string
		if streamed {
			sink = collect(&text)
		}
		before := time.Now()
		reply, a, err := p.Call(t.Context(), &p.Models()[0], question("x"), sink)
		took := time.Since(before)
		if err != nil || reply.Text != "an answer" || streamed && text != reply.Text {
			t.Fatalf("streamed %v: %q, sink %q, %v", streamed, reply.Text, text, err)
		}
		if a.Provider != "svc" || a.Model != "m" || a.Mode != lowering.Prompt || a.Outcome != dialect.OK || a.Status != http.StatusOK || a.Error != "" {
			t.Errorf("record %+v", a)
		}
		if want := (dialect.Usage{Input: 100, CachedInput: 40, Output: 10, Reasoning: 4, Known: true}); a.Usage != want {
			t.Errorf("usage %+v, want %+v", a.Usage, want)
		}
		// 60 × $2 + 40 × $1 + 10 × $8 for a million, in nano-dollars.
		if want := (provider.Cost{Nano: 240_000, Known: true}); a.Cost != want {
			t.Errorf("cost %+v, want %+v", a.Cost, want)
		}
		if a.StartedAt.Before(before) || a.Total <= 0 || a.Total > took || a.Queue > a.Total || (a.FirstToken > 0) != streamed || a.FirstToken > a.Total {
			t.Errorf("streamed %v: started %s, queue %s, first token %s, total %s of %s", streamed, a.StartedAt, a.Queue, a.FirstToken, a.Total, took)
		}
	}
	for _, e := range service.Exchanges() {
		if got := e.Header.Get("Authorization"); got != "Bearer "+secret || e.Path != "/v1/chat/completions" || e.Model != "m" {
			t.Errorf("sent %q to %s for %s", got, e.Path, e.Model)
		}
	}
	if p.InFlight() != 0 {
		t.Errorf("%d calls under way after the end", p.InFlight())
	}
}

func TestStopsAreOutcomes(t *testing.T) {
	t.Parallel()
	service := providertest.New(t, providertest.Settings{})
	p := account(t, service.URL(), nil)
	for _, c := range []struct {
		reply providertest.Reply
		want  dialect.Outcome
	}{
		{providertest.Reply{Text: "x"}, dialect.OK},
		{providertest.Reply{Text: "x", Stop: "tool_calls"}, dialect.OK},
		{providertest.Reply{Text: "x", Stop: "length"}, dialect.Truncated},
		{providertest.Reply{Refusal: "no"}, dialect.Refused},
		{providertest.Reply{Text: "x", Stop: "content_filter"}, dialect.Filtered},
		{providertest.Reply{Text: "x", Stop: "whim"}, dialect.Unknown},
		{providertest.Reply{Text: strings.Repeat("long", 600)}, dialect.Truncated}, // max_tokens is sent
	} {
		service.Queue(c.reply, c.reply)
		for _, sink := range []func(string) error{nil, func(string) error { return nil }} {
			if _, a, err := p.Call(t.Context(), &p.Models()[0], question("x"), sink); err != nil || a.Outcome != c.want {
				t.Errorf("%+v is %s (%v), want %s", c.reply, a.Outcome, err, c.want)
			}
		}
	}
}

// Each fault comes out as the outcome by which the pipeline acts, whole and streamed; faults that pass are worth a repeat, others are not; and no error
// holds the credential.
func TestFaultsAreOutcomes(t *testing.T) {
	t.Parallel()
	some := func(o ...dialect.Outcome) []dialect.Outcome { return o }
	broken := some(dialect.Connection)
	for fault, want := range map[providertest.Fault][]dialect.Outcome{
		providertest.RateLimited: some(dialect.RateLimited), providertest.Overloaded: some(dialect.OverloadedProvider),
		providertest.ServerError: some(dialect.OverloadedProvider), providertest.GatewayPage: some(dialect.OverloadedProvider),
		providertest.ErrorInside: some(dialect.OverloadedProvider), providertest.NotJSON: some(dialect.Unknown, dialect.Connection),
		providertest.EmptyBody: broken, providertest.CutBeforeHeaders: broken, providertest.CutBody: broken,
		providertest.LengthTooLong: some(dialect.Connection, dialect.OK), providertest.LengthTooShort: broken, providertest.NoEnd: broken,
		providertest.SlowFirstByte: some(dialect.OK), providertest.Stalled: broken, providertest.Unauthorized: some(dialect.Auth),
		providertest.QuotaExceeded: some(dialect.Quota), providertest.BadRequest: some(dialect.BadRequest), providertest.SchemaRejected: some(dialect.SchemaRejected),
		providertest.ContextExceeded: some(dialect.ContextExceeded), providertest.ContentBlocked: some(dialect.Filtered), providertest.TooLarge: some(dialect.TooLarge),
		providertest.Redirected: some(dialect.BadRequest),
	} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			const n = 30
			service := providertest.New(t, providertest.Settings{
				Slow: 10 * time.Millisecond, Stall: 10 * time.Millisecond, Shares: providertest.Shares{Transport: 1}, Faults: []providertest.Fault{fault},
			})
			for i := range n {
				p := account(t, service.URL(), nil) // A new one each time: what asked to be left alone would be.
				var sink func(string) error
				if i%2 == 1 {
					sink = func(string) error { return nil }
				}
				_, a, err := p.Call(t.Context(), &p.Models()[0], question(fmt.Sprint("case ", i)), sink)
				if !slices.Contains(want, a.Outcome) {
					t.Errorf("streamed %v: %s (%v), want %s", sink != nil, a.Outcome, err, want)
				}
				if a.Outcome == dialect.OK {
					continue
				}
				failed := failure(t, err)
				if failed.Outcome != a.Outcome || strings.Contains(err.Error(), secret) || strings.Contains(a.Error, secret) {
					t.Errorf("the error is %v, the record's outcome %s", err, a.Outcome)
				}
				if passes := slices.Contains(providertest.Transient(), fault); provider.Retryable(a.Outcome) != passes {
					t.Errorf("%s after %s is retryable: %v", a.Outcome, fault, !passes)
				}
			}
			// A connection that was kept may be found dead when it is used, and Go's client then sends the call again by itself, once.
			if got := service.Requests(); got < n || fault != providertest.CutBeforeHeaders && got > n {
				t.Errorf("%d requests came of %d calls", got, n)
			}
		})
	}
}

func TestAnUnreachableServiceIsAConnectionFault(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	for _, base := range []string{"http://" + listener.Addr().String(), "http://user:" + secret + "@" + listener.Addr().String(), "http://host.invalid"} {
		p := account(t, base, nil)
		_, a, err := p.Call(t.Context(), &p.Models()[0], question("x"), nil)
		if failed := failure(t, err); failed.Outcome != dialect.Connection || a.Status != 0 || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %+v, %v", base, a, err)
		}
	}
}

func TestABadCredentialIsNotRepeated(t *testing.T) {
	t.Parallel()
	service := providertest.New(t, providertest.Settings{})
	p := account(t, service.URL(), func(a *provider.Account) { a.Header = http.Header{"Authorization": {"Bearer " + secret + "\n"}} })
	if _, _, err := p.Call(t.Context(), &p.Models()[0], question("x"), nil); err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("a header that cannot be sent: %v", err)
	}
	if service.Requests() != 0 {
		t.Error("it was sent")
	}
}

// Whatever ends a call early, the service notices at once, and the outcome says what it was.
func TestTimeLimitsEndACall(t *testing.T) {
	t.Parallel()
	never := make(chan struct{})
	const short, long = 50 * time.Millisecond, time.Minute
	for _, c := range []struct {
		name           string
		timeout, first time.Duration
		deadline       time.Duration
		streamed       bool
		after          int // bytes of the answer that come before it stalls
		want           dialect.Outcome
	}{
		{"the request's deadline", long, long, short, false, 0, dialect.Timeout},
		{"the request's deadline, streamed", long, long, short, true, 0, dialect.Timeout},
		{"the request's deadline within a stream", long, long, short, true, 900, dialect.Timeout},
		{"the request's deadline within a body", long, long, short, false, 100, dialect.Timeout},
		{"the attempt's timeout", short, long, long, false, 0, dialect.Timeout},
		{"the attempt's timeout within a stream", short, long, long, true, 900, dialect.Timeout},
		{"no deadline but the attempt's", short, long, 0, false, 0, dialect.Timeout},
		{"the first byte", long, short, long, true, 0, dialect.Timeout},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			service := providertest.New(t, providertest.Settings{})
			service.Queue(providertest.Reply{Text: strings.Repeat("word", 100), Hold: never, HoldAfter: c.after})
			p := account(t, service.URL(), func(a *provider.Account) { a.Timeout, a.FirstByteTimeout = c.timeout, c.first })
			ctx, began := t.Context(), time.Now()
			if c.deadline > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, c.deadline)
				defer cancel()
			}
			var sink func(string) error
			if c.streamed {
				sink = func(string) error { return nil }
			}
			_, a, err := p.Call(ctx, &p.Models()[0], question("x"), sink)
			if failed := failure(t, err); failed.Outcome != c.want || a.Outcome != c.want {
				t.Errorf("%v, recorded as %s, want %s", err, a.Outcome, c.want)
			}
			if took := time.Since(began); took < short || took > 10*time.Second {
				t.Errorf("it took %s, want about %s", took, short)
			}
			await(t, func() bool { return service.InFlight() == 0 })
			if e := service.Exchanges(); len(e) != 1 || !e[0].Left {
				t.Errorf("the service has not noticed: %+v", e)
			}
		})
	}
}

func TestFirstByteTimeoutEndsWithTheFirstByte(t *testing.T) {
	t.Parallel()
	service := providertest.New(t, providertest.Settings{})
	const limit = 150 * time.Millisecond
	p := account(t, service.URL(), func(a *provider.Account) { a.FirstByteTimeout = limit })
	service.Queue(
		providertest.Reply{Text: "twelve bytes", TokenDelay: 2 * limit}, // a slow stream
		providertest.Reply{Text: "whole", Delay: 2 * limit},             // an answer in one piece has no first byte before its last
	)
	var text string
	if _, _, err := p.Call(t.Context(), &p.Models()[0], question("x"), collect(&text)); err != nil || text != "twelve bytes" {
		t.Errorf("a slow stream: %q, %v", text, err)
	}
	if reply, _, err := p.Call(t.Context(), &p.Models()[0], question("x"), nil); err != nil || reply.Text != "whole" {
		t.Errorf("a slow whole answer: %q, %v", reply.Text, err)
	}
}

func TestNoLimitMeansNone(t *testing.T) {
	t.Parallel()
	service := providertest.New(t, providertest.Settings{Latency: 20 * time.Millisecond})
	p := account(t, service.URL(), func(a *provider.Account) { a.Timeout, a.FirstByteTimeout = 0, 0 })
	for _, sink := range []func(string) error{nil, func(string) error { return nil }} {
		if _, _, err := p.Call(t.Context(), &p.Models()[0], question("x"), sink); err != nil {
			t.Error(err)
		}
	}
}

func TestCancellationReachesTheService(t *testing.T) {
	t.Parallel()
	never := make(chan struct{})
	for _, streamed := range []bool{false, true} {
		service := providertest.New(t, providertest.Settings{})
		service.Queue(providertest.Reply{Text: "late", Hold: never})
		p := account(t, service.URL(), nil)
		ctx, cancel := context.WithCancelCause(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			var sink func(string) error
			if streamed {
				sink = func(string) error { return nil }
			}
			_, a, err := p.Call(ctx, &p.Models()[0], question("x"), sink)
			if failed := failure(t, err); failed.Outcome != dialect.Cancelled || a.Outcome != dialect.Cancelled {
				t.Errorf("streamed %v: %v, recorded as %s", streamed, err, a.Outcome)
			}
		})
		await(t, func() bool { return service.InFlight() == 1 && p.InFlight() == 1 })
		cancel(errors.New("the client is gone"))
		wg.Wait()
		await(t, func() bool { return service.InFlight() == 0 })
		if e := service.Exchanges(); len(e) != 1 || !e[0].Left {
			t.Errorf("streamed %v: the service has not noticed", streamed)
		}
	}
}

func TestASinkThatFailsEndsTheCall(t *testing.T) {
	t.Parallel()
	service := providertest.New(t, providertest.Settings{})
	never := make(chan struct{})
	service.Queue(providertest.Reply{Text: strings.Repeat("word", 100), Hold: never, HoldAfter: 2000})
	p := account(t, service.URL(), nil)
	full := errors.New("the client is gone")
	_, a, err := p.Call(t.Context(), &p.Models()[0], question("x"), func(string) error { return full })
	if failed := failure(t, err); failed.Outcome != dialect.Cancelled || !errors.Is(err, full) || a.FirstToken == 0 {
		t.Errorf("%v, %+v", err, a)
	}
	await(t, func() bool { return service.InFlight() == 0 })
	if e := service.Exchanges(); !e[0].Left {
		t.Error("the service goes on")
	}
}

func TestSlotsBoundTheCallsUnderWay(t *testing.T) {
	t.Parallel()
	const slots, calls = 2, 6
	gate := make(chan struct{})
	var mu sync.Mutex
	now, most := 0, 0
	service := providertest.New(t, providertest.Settings{Answer: func(providertest.Request) (string, bool) {
		mu.Lock()
		now++
		most = max(most, now)
		mu.Unlock()
		<-gate
		mu.Lock()
		now--
		mu.Unlock()
		return "x", true
	}})
	p := account(t, service.URL(), func(a *provider.Account) { a.MaxConcurrency = slots })
	var wg sync.WaitGroup
	queued := make([]time.Duration, calls)
	for i := range calls {
		wg.Go(func() {
			_, a, err := p.Call(t.Context(), &p.Models()[0], question("x"), nil)
			if err != nil {
				t.Error(err)
			}
			queued[i] = a.Queue
		})
	}
	await(t, func() bool { return p.InFlight() == calls && service.InFlight() == slots }) // Those that wait count: the provider is that busy.

	// One more has no time to wait for its turn: it is not sent.
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, a, err := p.Call(ctx, &p.Models()[0], question("y"), nil)
	if failed := failure(t, err); failed.Outcome != dialect.OverloadedProvider || !errors.Is(err, provider.ErrBusy) || a.Status != 0 || service.Requests() != slots {
		t.Errorf("%v, %+v after %d requests", err, a, service.Requests())
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, _, err = p.Call(gone, &p.Models()[0], question("y"), nil); failure(t, err).Outcome != dialect.Cancelled {
		t.Errorf("a call that was cancelled in the queue: %v", err)
	}
	if p.InFlight() != calls {
		t.Errorf("%d in flight after two gave up waiting, want %d", p.InFlight(), calls)
	}
	close(gate)
	wg.Wait()
	waited := 0
	for _, q := range queued {
		if q > 10*time.Millisecond {
			waited++
		}
	}
	if most != slots || waited != calls-slots || p.InFlight() != 0 {
		t.Errorf("%d calls at once, %d of %d waited, %d left; want %d and %d", most, waited, calls, p.InFlight(), slots, calls-slots)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	service := providertest.New(t, providertest.Settings{})
	p := account(t, service.URL(), nil)
	for _, status := range []int{301, 302, 303, 307, 308} {
		before := service.Requests()
		service.Queue(providertest.Reply{Status: status, Header: http.Header{"Location": {service.URL() + "/v1/chat/completions"}}, Body: "elsewhere"})
		_, a, err := p.Call(t.Context(), &p.Models()[0], question("x"), nil)
		if failed := failure(t, err); failed.Outcome != dialect.BadRequest || a.Status != status || service.Requests() != before+1 {
			t.Errorf("%d: %v after %d requests", status, err, service.Requests()-before)
		}
	}
}

func TestWhatCannotBeEncodedIsNotSent(t *testing.T) {
	t.Parallel()
	service := providertest.New(t, providertest.Settings{})
	p := account(t, service.URL(), nil)
	q := question("x")
	q.Output.Mode = lowering.Grammar
	if _, a, err := p.Call(t.Context(), &p.Models()[0], q, nil); failure(t, err).Outcome != dialect.BadRequest || a.Outcome != dialect.BadRequest || service.Requests() != 0 {
		t.Errorf("%v, %+v after %d requests", err, a, service.Requests())
	}
}

func TestFailedCallsCostWhatTheServiceSays(t *testing.T) {
	t.Parallel()
	service := providertest.New(t, providertest.Settings{})
	p := account(t, service.URL(), nil)
	service.Queue(
		providertest.Reply{Body: `{"choices":[],"usage":{"prompt_tokens":1000000,"completion_tokens":0,"total_tokens":1000000}}`},
		providertest.Reply{Text: "x", NoUsage: true},
	)
	_, a, err := p.Call(t.Context(), &p.Models()[0], question("x"), nil)
	if err == nil || a.Cost != (provider.Cost{Nano: 2_000_000_000, Known: true}) || a.Usage.Input != 1_000_000 {
		t.Errorf("a failed call: %v, %+v", err, a)
	}
	if _, a, err = p.Call(t.Context(), &p.Models()[0], question("x"), nil); err != nil || a.Cost.Known {
		t.Errorf("without usage: %v, cost %+v, want it unknown", err, a.Cost)
	}
}

func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	service := providertest.New(t, providertest.Settings{})
	p := account(t, service.URL(), nil)
	big := strings.Repeat("x", 17<<20)
	service.Queue(providertest.Reply{Text: big, Chunks: []string{big}}, providertest.Reply{Text: big, Chunks: []string{big}}, providertest.Reply{Status: 500, Body: big})
	if _, _, err := p.Call(t.Context(), &p.Models()[0], question("x"), nil); failure(t, err).Outcome != dialect.Invalid {
		t.Errorf("a whole answer of 17 MiB: %v", err)
	}
	if _, _, err := p.Call(t.Context(), &p.Models()[0], question("x"), func(string) error { return nil }); failure(t, err).Outcome == dialect.OK {
		t.Errorf("a streamed answer of 17 MiB: %v", err)
	}
	_, _, err := p.Call(t.Context(), &p.Models()[0], question("x"), func(string) error { return nil })
	if failed := failure(t, err); len(err.Error()) > 500 || failed.Outcome == dialect.OK {
		t.Errorf("an error of 17 MiB: %.100v", err)
	}
}

func TestPathsAndQueriesOfBaseAndDialectAreJoined(t *testing.T) {
	t.Parallel()
	service := providertest.New(t, providertest.Settings{})
	for base, want := range map[string]string{
		"": "/v1/chat/completions", "/": "/v1/chat/completions", "/openai/": "/openai/v1/chat/completions", "/a%2Fb": "/a/b/v1/chat/completions",
	} {
		p := account(t, service.URL(), func(a *provider.Account) { a.Dialect, a.BaseURL = llamacpp.New(), service.URL()+base })
		if _, _, err := p.Call(t.Context(), &p.Models()[0], question(base), nil); err != nil {
			t.Errorf("%q: %v", base, err)
		}
		e := service.Exchanges()
		if got := e[len(e)-1].Path; got != want {
			t.Errorf("base path %q leads to %q, want %q", base, got, want)
		}
	}
}
