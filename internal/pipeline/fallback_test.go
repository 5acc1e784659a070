package pipeline

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/openai"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/provider/providertest"
	"github.com/promptd/promptd/internal/schema/lowering"
)

// chain is a pipeline in front of scripted providers that are asked in their order: each is dearer than the one before, and requests ask by cost.
type chain struct {
	*harness
	services []*providertest.Server
}

func newChain(t *testing.T, able ...dialect.Capability) *chain {
	t.Helper()
	c := &chain{harness: setup(t, rig{})}
	transport := provider.Transport()
	t.Cleanup(transport.CloseIdleConnections)
	var list []*provider.Provider
	for i, capability := range able {
		service := providertest.New(t, providertest.Settings{Text: `{"n":7}`, Keep: 100})
		price := int64(i+1) * 1e9
		p, err := provider.New(provider.Account{
			Name: []string{"one", "two", "three"}[i], Dialect: openai.New(), BaseURL: service.URL() + "/v1", Timeout: 10 * time.Second, FirstByteTimeout: 5 * time.Second,
			Models: []provider.Model{{Name: "m", Capability: capability, Price: provider.Price{Known: true, Input: price, CachedInput: price, CacheWrite: price, Output: price}}},
		}, transport)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
		c.services = append(c.services, service)
	}
	c.deps.Pool.Set(list)
	return c
}

// left waits until a service has seen that its caller went away. The call is held for ever, so only a cancellation ends it.
func (c *chain) left(t *testing.T, service *providertest.Server) {
	t.Helper()
	for {
		if list := service.Exchanges(); len(list) > 0 && list[len(list)-1].Left {
			return
		}
		if t.Context().Err() != nil {
			t.Fatal("the call was not cancelled")
		}
		time.Sleep(time.Millisecond) //nolint:forbidigo // The service is real, so its clock is too.
	}
}

func byCost(schema, options string) string {
	if options != "" {
		options = "," + options
	}
	return request(schema, `"routing":"cost"`+options)
}

// calls lists who was asked with what outcome.
func calls(attempts []provider.Attempt) string {
	var list []string
	for _, a := range attempts {
		list = append(list, a.Provider+" "+a.Outcome.String())
	}
	return strings.Join(list, ", ")
}

func TestAnotherCandidateIsAskedWhereItMayHelp(t *testing.T) {
	t.Parallel()
	twice := func(r providertest.Reply) []providertest.Reply { return []providertest.Reply{r, r} }
	for name, c := range map[string]struct {
		first  []providertest.Reply
		want   string
		reason string // of the last attempt
	}{
		"overload":             {[]providertest.Reply{{Status: 503}}, "one overloaded, two ok", "fallback after overloaded; cost: $"},
		"a cut connection":     {[]providertest.Reply{{Text: `{"n":7}`, Fault: providertest.CutBody}}, "one connection, two ok", "fallback after connection"},
		"a limit":              {[]providertest.Reply{{Text: "x", Fault: providertest.RateLimited}}, "one rate_limited, two ok", "fallback after rate_limited"},
		"bad credentials":      {[]providertest.Reply{{Text: "x", Fault: providertest.Unauthorized}}, "one auth, two ok", "fallback after auth"},
		"no quota":             {[]providertest.Reply{{Text: "x", Fault: providertest.QuotaExceeded}}, "one quota, two ok", "fallback after quota"},
		"a bad request":        {[]providertest.Reply{{Text: "x", Fault: providertest.BadRequest}}, "one bad_request, two ok", "fallback after bad_request"},
		"a refusal":            {[]providertest.Reply{{Refusal: "I can't."}}, "one refused, two ok", "fallback after refused"},
		"a filter":             {[]providertest.Reply{{Text: "x", Stop: "content_filter"}}, "one filtered, two ok", "fallback after refused"},
		"invalid twice":        {twice(says(`{"n":"many"}`)), "one invalid, one invalid, two ok", "fallback after invalid; cost: $"},
		"invalid once":         {[]providertest.Reply{says(`{"n":"many"}`), says(`{"n":8}`)}, "one invalid, one ok", "re-ask with what was wrong"},
		"a schema not taken":   {[]providertest.Reply{schemaRefused(nil)}, "one schema_rejected, one ok", "the service refused the schema: another mode"},
		"no mode left":         {[]providertest.Reply{schemaRefused(nil), schemaRefused(nil), schemaRefused(nil)}, "one schema_rejected, one schema_rejected, one schema_rejected, two ok", "fallback after schema_rejected"},
		"an unfinished answer": {[]providertest.Reply{{Text: `{"n":7}`, Stop: "something_new"}}, "one unknown, two ok", "fallback after unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ch := newChain(t, dialect.Capability{}, dialect.Capability{})
			ch.services[0].Queue(c.first...)
			a := ch.must(t, byCost(small, ``))
			if got := calls(a.Attempts); got != c.want {
				t.Fatalf("got the attempts %s, want %s", got, c.want)
			}
			last := a.Attempts[len(a.Attempts)-1]
			if !strings.HasPrefix(last.Reason, c.reason) || a.Provider != last.Provider || !strings.HasPrefix(a.Attempts[0].Reason, "cost: $") {
				t.Errorf("answered by %s; reasons %q and %q, want %q", a.Provider, a.Attempts[0].Reason, last.Reason, c.reason)
			}
		})
	}
}

func TestTheNextCandidateGetsTheCallersSchemaForItself(t *testing.T) {
	t.Parallel()
	ch := newChain(t, dialect.Capability{}, dialect.Capability{Modes: []lowering.Mode{lowering.JSON}})
	optional := `{"type":"object","properties":{"n":{"type":"integer"},"maybe":{"type":"string"}},"required":["n"],"additionalProperties":false}`
	ch.services[0].Queue(says(`{"n":"many","maybe":null}`), says(`{"n":"many","maybe":null}`))
	a := ch.must(t, byCost(optional, ``))
	if got := calls(a.Attempts); got != "one invalid, one invalid, two ok" || a.Validation.Mode != lowering.JSON || a.Valid.Value().String() != `{"n":7}` {
		t.Fatalf("got %s in mode %s: %s", got, a.Validation.Mode, a.Valid.Value())
	}
	ch.service = ch.services[1]
	second := ch.exchanges(t, 1)[0]
	if body := string(second.Body); strings.Contains(body, "json_schema") || !strings.Contains(body, "json_object") || len(second.Messages) != 2 || strings.Contains(body, "many") {
		t.Errorf("the second candidate was sent %s", body)
	}
}

func TestAModelWithMoreRoomIsAskedWhereOneHasNone(t *testing.T) {
	t.Parallel()
	ch := newChain(t, dialect.Capability{MaxOutput: 64}, dialect.Capability{MaxOutput: 50}, dialect.Capability{MaxOutput: 4096})
	ch.services[0].Queue(providertest.Reply{Text: `{"n":`, Stop: "length"})
	a := ch.must(t, byCost(small, `"max_tokens":100`))
	if got := calls(a.Attempts); got != "one truncated, three ok" {
		t.Fatalf("got the attempts %s, want that the one with less room is passed over", got)
	}
	ch.service = ch.services[2]
	if room := ch.exchanges(t, 1)[0].MaxTokens; room != 128 {
		t.Errorf("it got room for %d tokens, want twice what was too little", room)
	}
}

func TestAPinnedModelIsNotReplaced(t *testing.T) {
	t.Parallel()
	for _, pin := range []string{`"provider":"one"`, `"model":"one/m"`, `"provider":"one","model":"m"`} {
		ch := newChain(t, dialect.Capability{}, dialect.Capability{})
		ch.services[0].Queue(providertest.Reply{Text: "x", Fault: providertest.Unauthorized})
		f := ch.refused(t, byCost(small, pin), fault.ProviderError)
		if len(f.Attempts) != 1 || !strings.HasSuffix(f.Attempts[0].Reason, "; fallback is off") || ch.services[1].Requests() != 0 {
			t.Errorf("%s: got %s, %q", pin, calls(f.Attempts), f.Attempts[0].Reason)
		}
	}
	// A bare name is any provider's that has it.
	ch := newChain(t, dialect.Capability{}, dialect.Capability{})
	ch.services[0].Queue(providertest.Reply{Status: 503})
	if a := ch.must(t, byCost(small, `"model":"m"`)); calls(a.Attempts) != "one overloaded, two ok" {
		t.Errorf("got %s", calls(a.Attempts))
	}
}

func TestTheFaultTellsTheWholeStory(t *testing.T) {
	t.Parallel()
	ch := newChain(t, dialect.Capability{}, dialect.Capability{})
	ch.services[0].Queue(says(`{"n":"many"}`), says(`{"n":"many"}`))
	ch.services[1].Queue(providertest.Reply{Text: "x", Fault: providertest.Unauthorized})
	ch.services[0].Queue(says(`{"n":"many"}`))
	f := ch.refused(t, byCost(small, `"max_attempts":4`), fault.ValidationFailed)
	if got := calls(f.Attempts); got != "one invalid, one invalid, two auth, one invalid" || !strings.Contains(f.Fault.Detail, "4 attempts at one/m, two/m") || f.Validation == nil {
		t.Errorf("got %s: %s", got, f.Fault.Detail)
	}
	// What is wrong with an account does not hide what was wrong with the answer.
	ch = newChain(t, dialect.Capability{}, dialect.Capability{})
	ch.services[0].Queue(providertest.Reply{Refusal: "I can't."})
	ch.services[1].Queue(providertest.Reply{Text: "x", Fault: providertest.Unauthorized})
	if f := ch.refused(t, byCost(small, ``), fault.ContentRefused); calls(f.Attempts) != "one refused, two auth" {
		t.Errorf("got %s", calls(f.Attempts))
	}
}

func TestACallThatHangsGetsHalfOfTheTime(t *testing.T) {
	t.Parallel()
	ch := newChain(t, dialect.Capability{}, dialect.Capability{})
	hold := make(chan struct{})
	defer close(hold)
	ch.services[0].Queue(providertest.Reply{Text: `{"n":1}`, Hold: hold})
	a := ch.must(t, byCost(small, `"timeout_ms":3000`))
	if got, took := calls(a.Attempts), a.Attempts[0].Total; got != "one timeout, two ok" || took < 1400*time.Millisecond || took > 2900*time.Millisecond {
		t.Errorf("got %s, the first after %v, want half of three seconds", got, took)
	}
	// Alone it gets all of it.
	ch.services[0].Queue(providertest.Reply{Text: `{"n":1}`, Hold: hold})
	if f := ch.refused(t, byCost(small, `"timeout_ms":500,"provider":"one"`), fault.Timeout); len(f.Attempts) != 1 || f.Attempts[0].Total < 400*time.Millisecond {
		t.Errorf("got %s", calls(f.Attempts))
	}
}

func TestAStreamThatIsBeingWrittenIsNotCutAtHalf(t *testing.T) {
	t.Parallel()
	ch := newChain(t, dialect.Capability{}, dialect.Capability{})
	// Ten pieces in 1.5 of 2 seconds; a silence of half of what remains would be too long.
	ch.services[0].Queue(providertest.Reply{Text: `{"n":7777777777}`, Chunks: strings.Split(`{"n":777777`, ""), TokenDelay: 150 * time.Millisecond})
	ch.services[0].Queue(providertest.Reply{Text: `{"n":7}`})
	a, err := ch.Admit(t.Context(), ch.who, 1)
	if err != nil {
		t.Fatal(err)
	}
	for e, err := range ch.Stream(t.Context(), a, read(t, byCost(small, `"timeout_ms":2000,"max_attempts":2`))) {
		if e.Attempt != nil && e.Attempt.Total < 1200*time.Millisecond {
			t.Errorf("got %s after %v", calls([]provider.Attempt{*e.Attempt}), e.Attempt.Total)
		}
		if e.Attempt != nil || err != nil {
			break
		}
	}
}

func TestAStreamGoesOnAtAnotherCandidateAndKeepsWhatWasShown(t *testing.T) {
	t.Parallel()
	ch := newChain(t, dialect.Capability{}, dialect.Capability{})
	two := `{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"integer"}},"required":["a","b"],"additionalProperties":false}`
	ch.services[0].Queue(providertest.Reply{Text: `{"a":"first","b":1}`, Stop: "something_new", Chunks: []string{`{"a":"first",`, `"b":`, `1}`}})
	ch.services[1].Queue(says(`{"a":"second","b":2}`))
	a, err := ch.Admit(t.Context(), ch.who, 1)
	if err != nil {
		t.Fatal(err)
	}
	var shown []string
	var told []provider.Attempt
	var answer *Answer
	for e, err := range ch.Stream(t.Context(), a, read(t, byCost(two, ``))) {
		switch {
		case err != nil:
			t.Fatal(err)
		case e.Partial != nil:
			shown = append(shown, e.Partial.String())
		case e.Attempt != nil:
			told = append(told, *e.Attempt)
		case e.Answer != nil:
			answer = e.Answer
		}
	}
	if answer == nil || calls(told) != "one unknown, two ok" || calls(answer.Attempts) != calls(told) {
		t.Fatalf("told %s, answered %+v", calls(told), answer)
	}
	if got, _ := answer.Valid.Value().Get("a"); got.Text() != "first" || len(shown) == 0 || !strings.Contains(shown[0], "first") {
		t.Errorf("shown %s, answered %s: want that what was shown stays", shown, answer.Valid.Value())
	}
}

func TestASecondCandidateIsAskedWhereTheFirstIsSlow(t *testing.T) {
	t.Parallel()
	ch := newChain(t, dialect.Capability{}, dialect.Capability{})
	settings := ch.attempts.settings
	ch.attempts.settings = func() Settings { s := settings(); s.HedgeAfter = 30 * time.Millisecond; return s }
	hold := make(chan struct{})
	defer close(hold)
	ch.services[0].Queue(providertest.Reply{Text: `{"n":1}`, Hold: hold})
	a := ch.must(t, byCost(small, ``))
	if got := calls(a.Attempts); got != "one cancelled, two ok" || a.Provider != "two" || !strings.HasPrefix(a.Attempts[1].Reason, "hedge after 30ms; cost: $") || !strings.HasPrefix(a.Attempts[0].Reason, "cost: $") {
		t.Errorf("got %s by %s: %q", got, a.Provider, a.Attempts[1].Reason)
	}
	ch.left(t, ch.services[0])
	// Where the second fails the first is waited for.
	late := make(chan struct{})
	ch.services[0].Queue(providertest.Reply{Text: `{"n":1}`, Hold: late})
	ch.services[1].Queue(providertest.Reply{Status: 503})
	go func() {
		for ch.services[1].Requests() < 2 || ch.services[1].InFlight() > 0 {
			time.Sleep(time.Millisecond) //nolint:forbidigo // The service is real, so its clock is too.
		}
		time.Sleep(20 * time.Millisecond) //nolint:forbidigo // As above, from the service to the caller.
		close(late)
	}()
	b := ch.must(t, `{"prompt":"another","schema":`+small+`,"options":{"routing":"cost"}}`)
	if got := calls(b.Attempts); got != "one ok, two overloaded" || b.Provider != "one" || b.Valid.Value().String() != `{"n":1}` {
		t.Errorf("got %s by %s: %s", got, b.Provider, b.Valid.Value())
	}
	// A quick answer needs no second one.
	before := ch.services[1].Requests()
	if c := ch.must(t, `{"prompt":"a third","schema":`+small+`,"options":{"routing":"cost","max_attempts":1}}`); len(c.Attempts) != 1 || ch.services[1].Requests() != before {
		t.Errorf("got %s", calls(c.Attempts))
	}
}

func TestACallIsCancelledAtOnceWhenNobodyWaitsForIt(t *testing.T) {
	t.Parallel()
	for _, body := range []string{byCost(small, ``), byCost(small, `"bypass_cache":true`)} {
		ch := newChain(t, dialect.Capability{}, dialect.Capability{})
		hold := make(chan struct{})
		defer close(hold)
		ch.services[0].Queue(providertest.Reply{Text: `{"n":1}`, Hold: hold})
		ctx, leave := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			_, err := ch.askAs(ctx, t, ch.who, body)
			ended <- err
		}()
		for ch.services[0].InFlight() == 0 {
			time.Sleep(time.Millisecond) //nolint:forbidigo // The service is real, so its clock is too.
		}
		leave()
		if err := <-ended; !fault.Is(err, fault.Timeout) {
			t.Errorf("got %v", err)
		}
		ch.left(t, ch.services[0])
		if n := ch.services[1].Requests(); n != 0 {
			t.Errorf("the second candidate got %d requests", n)
		}
	}
}

func TestNobodyLeftToAskIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{account: func(a *provider.Account) {
		a.Breaker = provider.BreakerConfig{FailureShare: 0.5, MinCalls: 1, Window: time.Minute, OpenFor: time.Minute}
	}})
	h.service.Queue(providertest.Reply{Status: 500})
	h.refused(t, request(small, `"max_attempts":1`), fault.ProviderError)
	f := h.refused(t, request(small, ``), fault.ProviderError)
	if h.service.Requests() != 1 || len(f.Attempts) != 0 || !strings.Contains(f.Fault.Detail, "scripted/m: breaker open for") || f.Fault.RetryAfter < 50*time.Second {
		t.Errorf("got %+v after %d requests", f.Fault, h.service.Requests())
	}
}
