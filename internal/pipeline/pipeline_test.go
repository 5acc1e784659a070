package pipeline

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/provider/providertest"
	"github.com/promptd/promptd/internal/value"
)

func TestAnAnswerIsJudgedAndExplained(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{})
	h.service.Queue(says("Sure!\n```json\n{\"n\": \"7\",}\n```"))
	a := h.must(t, request(small, ``))
	if got := a.Valid.Value().String(); got != `{"n":7}` {
		t.Errorf("data = %s, want {\"n\":7}", got)
	}
	out, err := value.Decode(a.Append(nil), value.Limits{})
	if err != nil {
		t.Fatalf("the answer is no JSON: %v\n%s", err, a.Append(nil))
	}
	for pointer, want := range map[string]string{
		"/validation_status": `"passed"`, "/provider_used": `"scripted"`, "/model_used": `"m"`, "/cached": `false`, "/coalesced": `false`, "/output_format": `"json"`,
		"/validation/reasks": `0`, "/validation/dialect_mode": `"strict"`, "/validation/coercions/0/kind": `"string_to_number"`, "/validation/coercions/0/pointer": `"/n"`,
		"/attempts/0/outcome": `"ok"`, "/attempts/0/n": `1`, "/attempts/0/status": `200`, "/original_language": `"en"`, "/confidence_source": `"evidence"`,
	} {
		if got, _ := out.Lookup(pointer); got.String() != want {
			t.Errorf("%s = %s, want %s", pointer, got, want)
		}
	}
	if len(a.Validation.Repairs) == 0 {
		t.Error("no repair is reported")
	}
	r := h.history.last(t)
	if r.Status != 200 || r.ValidationStatus != "passed" || r.Answer != `{"n":7}` || r.Prompt != "There are 7 apples." || !r.Cost.Known {
		t.Errorf("recorded %+v", r)
	}
	for _, step := range []string{"admit", "normalise", "check", "resolve", "lookup", "language", "attempts", "plan", "call", "parse", "raise", "validate", "store", "report", "record"} {
		if h.counted.of("step "+step) != 1 {
			t.Errorf("step %s was measured %d times, want 1", step, h.counted.of("step "+step))
		}
	}
}

func TestFormatsHoldTheSameValue(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{})
	for format, want := range map[string]string{"json": "", "yaml": "7\n", "toon": "n: 7", "xml": ">7</n>"} {
		h.service.Queue(says(`{"n":7}`))
		a := h.must(t, `{"prompt":"7 apples for `+format+`","schema":`+small+`,"format":"`+format+`"}`)
		if a.Valid.Value().String() != `{"n":7}` || !strings.Contains(a.Output, want) || (want == "") != (a.Output == "") {
			t.Errorf("%s: data %s, output %q", format, a.Valid.Value(), a.Output)
		}
	}
}

func TestWithoutASchemaTheDefaultResultIsGiven(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{})
	a := h.must(t, `{"prompt":"Please cancel order 12."}`)
	for _, name := range []string{"intent", "subject", "entities"} {
		if _, ok := a.Valid.Value().Get(name); !ok {
			t.Errorf("data has no %s: %s", name, a.Valid.Value())
		}
	}
}

func TestAnInvalidAnswerIsAskedAgainWithItsFaults(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{})
	h.service.Queue(says(`{"n":"many"}`), says(`{"n":7}`))
	a := h.must(t, request(small, ``))
	if a.Validation.Reasks != 1 || len(a.Attempts) != 2 || a.Attempts[0].Outcome != dialect.Invalid || a.Attempts[1].Outcome != dialect.OK {
		t.Errorf("got %s", a.Append(nil))
	}
	second := h.exchanges(t, 2)[1]
	if n := len(second.Messages); n != 4 || !strings.Contains(second.Messages[2].Text, "many") || !strings.Contains(second.Messages[3].Text, "/n") {
		t.Errorf("the second conversation is %v", second.Messages)
	}
	if h.counted.of("reasked") != 1 {
		t.Error("the re-ask was not counted")
	}
}

func TestWhatStaysInvalidIsA422WithItsReport(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{})
	for range 3 {
		h.service.Queue(says(`{"n":"many"}`))
	}
	f := h.refused(t, request(small, `"max_attempts":3`), fault.ValidationFailed)
	if len(f.Attempts) != 3 || f.Validation == nil || len(f.Validation.Errors) != 1 || f.Validation.Errors[0].Pointer != "/n" || f.Validation.Reasks != 2 {
		t.Errorf("got %+v with %+v", f, f.Validation)
	}
	details, err := value.Decode(append([]byte(`{"x":0`), append(f.AppendDetails(nil), '}')...), value.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"validation", "attempts", "usage", "cost_usd"} {
		if _, ok := details.Get(name); !ok {
			t.Errorf("details have no %s", name)
		}
	}
	if r := h.history.last(t); r.Status != 422 || r.Code != "VALIDATION_FAILED" || r.ValidationStatus != "failed" {
		t.Errorf("recorded %+v", r)
	}
}

func TestAnUnfinishedAnswerNeverPasses(t *testing.T) {
	t.Parallel()
	list := `{"type":"object","properties":{"n":{"type":"array","items":{"type":"integer"}}},"required":["n"]}`
	for name, reply := range map[string]providertest.Reply{
		"cut by length":      {Text: `{"n":[1,2,3`, Stop: "length"},
		"whole but length":   {Text: `{"n":[1,2,3]}`, Stop: "length"},
		"closed by repair":   {Text: `{"n":[1,2,3`},
		"nothing but length": {Text: `Let me think`, Stop: "length"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := setup(t, rig{})
			h.service.Queue(reply)
			f := h.refused(t, request(list, `"max_attempts":1`), fault.ValidationFailed)
			if len(f.Validation.Errors) != 1 || f.Validation.Errors[0].Keyword != "TRUNCATED" || f.Attempts[0].Outcome != dialect.Truncated {
				t.Errorf("got %+v", f.Validation)
			}
		})
	}
}

func TestATruncatedAnswerGetsMoreRoom(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{})
	h.service.Queue(providertest.Reply{Text: `{"n":`, Stop: "length"}, says(`{"n":7}`))
	a := h.must(t, request(small, `"max_tokens":100`))
	if len(a.Attempts) != 2 {
		t.Fatalf("attempts = %d, want 2", len(a.Attempts))
	}
	e := h.exchanges(t, 2)
	if e[0].MaxTokens != 100 || e[1].MaxTokens != 200 {
		t.Errorf("max_tokens = %d and %d, want 100 and 200", e[0].MaxTokens, e[1].MaxTokens)
	}
}

func TestFaultsOfTransportAreTriedAgain(t *testing.T) {
	t.Parallel()
	for _, f := range providertest.Transient() {
		t.Run(string(f), func(t *testing.T) {
			t.Parallel()
			h := setup(t, rig{service: providertest.Settings{Slow: 20 * time.Millisecond, Stall: 50 * time.Millisecond}})
			h.service.Queue(providertest.Reply{Text: `{"n":7}`, Fault: f})
			a := h.must(t, request(small, ``))
			if a.Valid.Value().String() != `{"n":7}` && len(a.Attempts) < 2 {
				t.Errorf("got %s", a.Append(nil))
			}
		})
	}
}

func TestFaultsThatRepeatingCannotMendEndAtOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		reply providertest.Reply
		code  fault.Code
	}{
		{providertest.Reply{Status: 401, Body: `{"error":{"message":"bad key","code":"invalid_api_key"}}`}, fault.ProviderError},
		{providertest.Reply{Text: "", Refusal: "I can't help with that."}, fault.ContentRefused},
		{providertest.Reply{Text: "x", Stop: "content_filter"}, fault.ContentRefused},
	} {
		h := setup(t, rig{})
		h.service.Queue(c.reply)
		f := h.refused(t, request(small, ``), c.code)
		if len(f.Attempts) != 1 || h.service.Requests() != 1 {
			t.Errorf("%+v: %d attempts, %d requests, want one", c.reply, len(f.Attempts), h.service.Requests())
		}
		if strings.Contains(f.Error(), "bad key") {
			t.Error("the service's message, which may repeat the prompt, is shown")
		}
	}
}

func TestARefusedSchemaFallsToTheNextMode(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{})
	h.service.Queue(providertest.Reply{Status: 400, Body: `{"error":{"message":"Invalid schema for response_format 'result': nope","type":"invalid_request_error","param":"response_format","code":null}}`}, says(`{"n":7}`), says(`{"n":8}`))
	a := h.must(t, request(small, ``))
	if a.Validation.Mode == "strict" || a.Attempts[0].Outcome != dialect.SchemaRejected {
		t.Errorf("got %s", a.Append(nil))
	}
	b := h.must(t, `{"prompt":"8 pears","schema":`+small+`}`)
	if len(b.Attempts) != 1 || b.Validation.Mode != a.Validation.Mode {
		t.Errorf("the refusal was not remembered: %s", b.Append(nil))
	}
}

func TestTheDeadlineEndsARequest(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{})
	h.service.Queue(providertest.Reply{Text: `{"n":7}`, Delay: 5 * time.Second})
	begun := time.Now()
	f := h.refused(t, request(small, `"timeout_ms":150`), fault.Timeout)
	if time.Since(begun) > 3*time.Second || len(f.Attempts) != 1 {
		t.Errorf("it took %s with %d attempts", time.Since(begun), len(f.Attempts))
	}
}

func TestAHitIsJudgedAgainAndCostsNothing(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{})
	h.service.Queue(says(`{"n":"7"}`), says(`{"n":8}`), says(`{"n":9}`))
	first := h.must(t, request(small, ``))
	hit := h.must(t, request(small, ``))
	if !hit.Cached || hit.Valid.Value().String() != `{"n":7}` || len(hit.Attempts) != 0 || hit.CacheKey != first.CacheKey || len(hit.Validation.Coercions) != 1 {
		t.Errorf("got %s", hit.Append(nil))
	}
	if !strings.Contains(string(hit.Append(nil)), `"cost_usd":0,`) {
		t.Errorf("a hit costs something: %s", hit.Append(nil))
	}
	if bypassed := h.must(t, request(small, `"bypass_cache":true`)); bypassed.Cached || bypassed.Valid.Value().String() != `{"n":8}` {
		t.Errorf("got %s", bypassed.Append(nil))
	}
	if again := h.must(t, request(small, ``)); !again.Cached || again.Valid.Value().String() != `{"n":8}` {
		t.Errorf("what bypassed the cache was not stored: %s", again.Append(nil))
	}
	other := *h.who
	other.Team = "other"
	a, err := h.askAs(t.Context(), t, &other, request(small, ``))
	if err != nil || a.Cached {
		t.Errorf("another team's request was answered from the cache: %v", err)
	}
}

func TestWhatChangesTheAnswerChangesTheKey(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{})
	seen := map[string]string{}
	for _, body := range []string{
		request(small, ``), request(small, `"temperature":0.2`), request(small, `"max_tokens":100`), request(small, `"coercion":"off"`), request(small, `"coercion":"lenient"`),
		request(small, `"include_confidence":false`), request(small, `"language_detection":false`), request(small, `"model":"m"`), request(small, `"provider":"scripted"`),
		request(`{"type":"object","properties":{"n":{"type":"integer","maximum":9007199254740993}},"required":["n"]}`, ``),
		request(`{"type":"object","properties":{"n":{"type":"integer","maximum":9007199254740992}},"required":["n"]}`, ``),
		`{"messages":[{"role":"user","content":"There are 7 apples."}],"schema":` + small + `}`,
	} {
		h.service.Queue(says(`{"n":7}`))
		a := h.must(t, body)
		if a.Cached {
			t.Errorf("%s was answered from the cache as %s", body, seen[a.CacheKey])
		}
		seen[a.CacheKey] = body
	}
}

func TestIdenticalRequestsInFlightShareOneCall(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{})
	hold := make(chan struct{})
	h.service.Queue(providertest.Reply{Text: `{"n":7}`, Hold: hold})
	const callers = 20
	answers := make([]*Answer, callers)
	errs := make([]error, callers)
	var group sync.WaitGroup
	for i := range callers {
		group.Go(func() { answers[i], errs[i] = h.askAs(context.Background(), t, h.who, request(small, ``)) })
	}
	for h.coalesce.group.InFlight() == 0 || h.service.InFlight() == 0 || h.counted.of("cache miss") < callers {
		time.Sleep(time.Millisecond) //nolint:forbidigo // The scripted provider runs outside of fake time.
	}
	close(hold)
	group.Wait()
	paid := 0
	for i, a := range answers {
		if errs[i] != nil {
			t.Fatal(errs[i])
		}
		if !a.Coalesced && !a.Cached {
			paid++
		}
		if a.Valid.Value().String() != `{"n":7}` || a.RequestID == "" {
			t.Errorf("got %s", a.Append(nil))
		}
	}
	if paid != 1 || h.service.Requests() != 1 {
		t.Errorf("%d answers were paid for by %d calls, want one", paid, h.service.Requests())
	}
}

func TestARateLimitIsKept(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{service: providertest.Settings{Text: `{"n":7}`}})
	who := &key.Caller{Key: "key_2", Team: "default", Scopes: key.AllScopes, RateLimitPerHour: 2}
	for i := range 3 {
		_, err := h.askAs(t.Context(), t, who, request(small, `"bypass_cache":true`))
		if refused := fault.Is(err, fault.RateLimitExceeded); refused != (i == 2) {
			t.Errorf("request %d: %v", i+1, err)
		}
		if i == 2 && fault.Of(err).RetryAfter <= 0 {
			t.Error("the refusal does not say when to come again")
		}
	}
}

func TestAKeysModelsAreKept(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{})
	who := *h.who
	who.Models = []string{"other/x"}
	if _, err := h.askAs(t.Context(), t, &who, request(small, ``)); !fault.Is(err, fault.Forbidden) {
		t.Errorf("got %v, want FORBIDDEN", err)
	}
}

func TestAWrongSchemaIsSaidWithItsPlaceInTheBody(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{})
	f := h.refused(t, request(`{"type":"object","properties":{"a":{"type":"strng"}}}`, ``), fault.InvalidSchema)
	if len(f.Fault.Entries) == 0 || !strings.HasPrefix(f.Fault.Entries[0].Pointer, "/schema/properties/a") {
		t.Errorf("entries %+v", f.Fault.Entries)
	}
	if h.service.Requests() != 0 {
		t.Error("a provider was asked")
	}
}

func TestAPromptIsMeasuredAfterNormalising(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{service: providertest.Settings{Text: `{"n":7}`}})
	long := strings.Repeat("a", 10_000)
	h.must(t, `{"prompt":"`+long+`\u200b","schema":`+small+`}`)
	f := h.refused(t, `{"prompt":"`+long+`a","schema":`+small+`}`, fault.InvalidRequest)
	if !strings.Contains(f.Fault.Detail+f.Fault.Entries[0].Message, "limits.prompt_chars") || strings.Contains(f.Error(), "aaaa") {
		t.Errorf("got %v %+v", f, f.Fault.Entries)
	}
	h.refused(t, `{"prompt":"\u200b\u0000","schema":`+small+`}`, fault.InvalidRequest)
}

func TestTextsStayOutOfTheHistoryWhereWanted(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{})
	h.service.Queue(says(`{"n":7}`))
	h.must(t, request(small, `"redact_logs":true`))
	if r := h.history.last(t); r.Prompt != "" || r.Answer != "" || !r.Private {
		t.Errorf("recorded %+v", r)
	}
}

func TestAHistoryThatCannotBeWrittenFailsTheRequest(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{})
	h.history.refuse = errors.New("disk full")
	h.service.Queue(says(`{"n":7}`))
	h.refused(t, request(small, ``), fault.Overloaded)
}

func TestConfidenceSaysWhereItComesFrom(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{capability: dialect.Capability{Logprobs: true}})
	h.service.Queue(says(`{"n":7}`))
	a := h.must(t, request(small, ``))
	if a.Confidence == nil || a.ConfidenceSource != "logprobs" || *a.Confidence <= 0 || *a.Confidence > 1 {
		t.Errorf("got %s", a.Append(nil))
	}
	h.service.Queue(says(`{"ok":true}`))
	b := h.must(t, `{"prompt":"yes","schema":{"type":"object","properties":{"ok":{"type":"boolean"}},"required":["ok"]},"options":{"include_confidence":false}}`)
	if b.Confidence != nil {
		t.Errorf("a confidence that was not asked for: %s", b.Append(nil))
	}
}

func TestLogprobsOfValuesAloneCount(t *testing.T) {
	t.Parallel()
	tokens := []dialect.Token{{Text: `{"n":`, Logprob: -5}, {Text: `7`, Logprob: -1}, {Text: `}`, Logprob: -5}}
	c, ok := byLogprobs(`{"n":7}`, tokens)
	if !ok || math.Abs(c-math.Exp(-1)) > 1e-9 {
		t.Errorf("got %v, %v, want e^-1", c, ok)
	}
	if _, ok := byLogprobs(`{"n":8}`, tokens); ok {
		t.Error("tokens of another text were taken")
	}
}

func TestAnAnswerNobodyIsLeftForIsCancelled(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{})
	hold := make(chan struct{})
	defer close(hold)
	h.service.Queue(providertest.Reply{Text: `{"n":7}`, Hold: hold})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := h.askAs(ctx, t, h.who, request(small, ``))
		done <- err
	}()
	for h.service.InFlight() == 0 {
		time.Sleep(time.Millisecond) //nolint:forbidigo // As above.
	}
	cancel()
	if err := <-done; !fault.Is(err, fault.Timeout) {
		t.Errorf("got %v", err)
	}
	for h.service.InFlight() > 0 {
		time.Sleep(time.Millisecond) //nolint:forbidigo // As above.
	}
}

func TestUnpinnedRequestsGoToTheLeastBusyProvider(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{service: providertest.Settings{Text: `{"n":7}`}})
	second := providertest.New(t, providertest.Settings{Text: `{"n":8}`})
	transport := provider.Transport()
	t.Cleanup(transport.CloseIdleConnections)
	first := h.deps.Pool.Providers()[0]
	other, err := provider.New(provider.Account{
		Name: "other", Dialect: first.Dialect(), BaseURL: second.URL() + "/v1", Timeout: time.Second, FirstByteTimeout: time.Second, Models: []provider.Model{{Name: "m"}},
	}, transport)
	if err != nil {
		t.Fatal(err)
	}
	h.deps.Pool.Set([]*provider.Provider{first, other})
	hold := make(chan struct{})
	h.service.Queue(providertest.Reply{Text: `{"n":7}`, Hold: hold})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = h.askAs(context.Background(), t, h.who, `{"prompt":"first","schema":`+small+`,"options":{"provider":"scripted"}}`)
	}()
	for h.service.InFlight() == 0 {
		time.Sleep(time.Millisecond) //nolint:forbidigo // As above.
	}
	if a := h.must(t, `{"prompt":"second","schema":`+small+`}`); a.Provider != "other" {
		t.Errorf("answered by %s, want other", a.Provider)
	}
	close(hold)
	<-done
}

// TestAStreamTakesNothingBack streams answers of many shapes in pieces of every size.
func TestAStreamTakesNothingBack(t *testing.T) {
	t.Parallel()
	wide := `{"type":"object","properties":{"id":{"type":"integer"},"name":{"type":"string"},"tags":{"type":"array","items":{"type":"string"}},"at":{"type":"object","properties":{"x":{"type":"number"},"y":{"type":"number"}},"required":["x","y"],"additionalProperties":false}},"required":["id","name","tags","at"],"additionalProperties":false}`
	full := `{"id":42,"name":"Zoë \"Z\" \u00e9","tags":["a","bb","ccc"],"at":{"x":1.25,"y":-3e2}}`
	for size := 1; size < 40; size += 3 {
		h := setup(t, rig{})
		var chunks []string
		for rest := full; rest != ""; {
			n := min(size, len(rest))
			chunks, rest = append(chunks, rest[:n]), rest[n:]
		}
		h.service.Queue(providertest.Reply{Text: full, Chunks: chunks})
		partials, answer := h.stream(t, `{"prompt":"stream it `+strings.Repeat("x", size)+`","stream":true,"schema":`+wide+`}`)
		if len(partials) < 2 {
			t.Errorf("pieces of %d: %d partial events, want some", size, len(partials))
		}
		for i := 1; i < len(partials); i++ {
			if !holds(partials[i], partials[i-1]) {
				t.Errorf("pieces of %d: %s took back something of %s", size, partials[i], partials[i-1])
			}
		}
		if n := len(partials); n > 0 && !holds(answer.Valid.Value(), partials[n-1]) {
			t.Errorf("pieces of %d: the answer %s took back something of %s", size, answer.Valid.Value(), partials[n-1])
		}
	}
}

// stream runs a streamed request to its end.
func (h *harness) stream(t *testing.T, body string) (partials []value.Value, answer *Answer) {
	t.Helper()
	a, err := h.Admit(t.Context(), h.who, 1)
	if err != nil {
		t.Fatal(err)
	}
	attempts := 0
	for e, err := range h.Stream(t.Context(), a, read(t, body)) {
		switch {
		case err != nil:
			t.Fatal(err)
		case answer != nil:
			t.Fatal("something came behind the result")
		case e.Partial != nil:
			partials = append(partials, *e.Partial)
		case e.Attempt != nil:
			attempts++
		case e.Answer != nil:
			answer = e.Answer
		}
	}
	if answer == nil || attempts == 0 {
		t.Fatalf("the stream ended with %v after %d attempts", answer, attempts)
	}
	return partials, answer
}

func TestAnotherAttemptFillsOnlyTheRestOfAStream(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{})
	two := `{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"}},"required":["a","b"],"additionalProperties":false}`
	h.service.Queue(
		providertest.Reply{Text: `{"a":1,"b":"x"}`, Chunks: []string{`{"a":1,`, `"b":"x"}`}},
		says(`{"a":2,"b":3}`),
	)
	partials, answer := h.stream(t, `{"prompt":"p","stream":true,"schema":`+two+`}`)
	if len(partials) == 0 || partials[0].String() != `{"a":1}` || answer.Valid.Value().String() != `{"a":1,"b":3}` || len(answer.Attempts) != 2 ||
		len(answer.Validation.Coercions) != 1 || answer.Validation.Coercions[0].Kind != keptStreamed || answer.Validation.Coercions[0].Pointer != "/a" {
		t.Errorf("partials %v, answer %s", partials, answer.Append(nil))
	}
}

func TestAContainerInAWrongPlaceIsNotShown(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{})
	two := `{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"integer"}},"required":["a","b"],"additionalProperties":false}`
	wrong := `{"a":{"x":[1]},"b":2,"c":{},"d":[]}`
	h.service.Queue(providertest.Reply{Text: wrong, Chunks: strings.SplitAfter(wrong, ",")}, says(`{"a":"x","b":2}`))
	partials, answer := h.stream(t, `{"prompt":"p","stream":true,"schema":`+two+`}`)
	for _, p := range partials {
		if _, ok := p.Get("c"); ok || !holds(answer.Valid.Value(), p) {
			t.Errorf("%s was shown", p)
		}
	}
	if len(answer.Attempts) != 2 || answer.Valid.Value().String() != `{"a":"x","b":2}` {
		t.Errorf("got %s", answer.Append(nil))
	}
}

func TestAStreamThatNobodyReadsEnds(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{service: providertest.Settings{TokenLatency: 5 * time.Millisecond}})
	a, err := h.Admit(t.Context(), h.who, 1)
	if err != nil {
		t.Fatal(err)
	}
	h.service.Queue(providertest.Reply{Text: `{"n":7,"rest":"` + strings.Repeat("x", 4000) + `"}`})
	wide := `{"type":"object","properties":{"n":{"type":"integer"},"rest":{"type":"string"}}}`
	for range h.Stream(t.Context(), a, read(t, `{"prompt":"p","stream":true,"schema":`+wide+`}`)) {
		break
	}
	for h.service.InFlight() > 0 {
		time.Sleep(time.Millisecond) //nolint:forbidigo // As above.
	}
}
