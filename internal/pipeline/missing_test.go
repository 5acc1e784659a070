package pipeline

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/provider/providertest"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/missing"
	"github.com/promptd/promptd/internal/value"
)

// booking is a form: name and date are required, and neither can honestly be left open.
const booking = `{"type":"object","properties":{"name":{"type":"string"},"date":{"type":"string","format":"date"},"note":{"type":"string"}},"required":["name","date"],"additionalProperties":false}`

const (
	askDate  = `{"missing":[{"pointer":"/date","question":"Which day?"}],"answer":null}`
	askBoth  = `{"missing":[{"pointer":"/name","question":"Who are you?"},{"pointer":"/date","question":"Which day?"}],"answer":null}`
	filled   = `{"missing":[],"answer":{"name":"Ann","date":"2026-12-01","note":null}}`
	annSays  = `{"prompt":"I am Ann and want a table.","schema":` + booking + `,"options":{"missing":"ask"}}`
	whichDay = "Which day?"
)

func (h *harness) asks(t *testing.T, body string) *Answer {
	t.Helper()
	a := h.must(t, body)
	if a.Status() != NeedsInput || len(a.Questions) == 0 || a.Valid.OK() || a.State == "" {
		t.Fatalf("%s: got %s, want questions", body, a.Append(nil))
	}
	return a
}

func goOn(state, rest string) string { return `{"state":` + strconv.Quote(state) + `,` + rest + `}` }

func TestWhatIsMissingIsAskedForAndGoneOnWith(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{})
	h.service.Queue(says(askDate), says(filled))
	a := h.asks(t, annSays)
	if diff := cmp.Diff([]missing.Question{{Pointer: "/date", Text: whichDay}}, a.Questions); diff != "" {
		t.Errorf("questions (-want +got):\n%s", diff)
	}
	out, err := value.Decode(a.Append(nil), value.Limits{})
	if err != nil {
		t.Fatalf("the answer is no JSON: %v\n%s", err, a.Append(nil))
	}
	for pointer, want := range map[string]string{
		"/validation_status": `"needs_input"`, "/data": `null`, "/questions/0/pointer": `"/date"`, "/questions/0/question": `"Which day?"`, "/confidence": `null`, "/attempts/0/outcome": `"ok"`,
	} {
		if got, ok := out.Lookup(pointer); !ok || got.String() != want {
			t.Errorf("%s = %s, want %s", pointer, got, want)
		}
	}
	if r := h.history.last(t); r.Status != 200 || r.ValidationStatus != NeedsInput || r.Passed() || r.Prompt != "I am Ann and want a table." {
		t.Errorf("recorded %+v", r)
	}
	if h.counted.of("judged needs_input") != 1 || h.counted.of("judged passed") != 0 || h.counted.of("cache store") != 0 {
		t.Errorf("counted %v", h.counted.seen)
	}

	b := h.must(t, goOn(a.State, `"prompt":"On the first of December."`))
	if got := string(b.Data); b.Status() != Passed || got != `{"name":"Ann","date":"2026-12-01"}` {
		t.Errorf("got %s %s", b.Status(), got)
	}
	sent := h.exchanges(t, 2)[1].Messages
	if len(sent) != 4 || !strings.Contains(sent[1].Text, "I am Ann") || sent[2].Text != `{"missing":[{"pointer":"/date","question":"Which day?"}]}` ||
		!strings.Contains(sent[3].Text, "On the first of December.") || !strings.Contains(sent[3].Text, "<<<DATA-") {
		t.Errorf("the second conversation is %v", sent)
	}
	if h.history.last(t).ValidationStatus != Passed || h.counted.of("cache store") != 1 {
		t.Error("what passed in the end is recorded and kept")
	}
}

func TestQuestionsAreNotCached(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{})
	h.service.Queue(says(askDate), says(filled))
	h.asks(t, annSays)
	if a := h.must(t, annSays); a.Cached || a.Status() != Passed {
		t.Errorf("got %s", a.Append(nil))
	}
	if a := h.must(t, annSays); !a.Cached {
		t.Error("what passed is cached under missing: ask as well")
	}
}

func TestAnswersStandBehindTheirQuestions(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{})
	h.service.Queue(says(askBoth), says(askDate), says(filled))
	a := h.asks(t, `{"prompt":"A table, please.","schema":`+booking+`,"options":{"missing":"ask"}}`)
	b := h.asks(t, goOn(a.State, `"answers":{"/name":"Ann"}`))
	if c := h.must(t, goOn(b.State, `"answers":{"/date":"1 December"}`)); c.Status() != Passed {
		t.Errorf("got %s", c.Append(nil))
	}
	var texts []string
	for _, m := range h.exchanges(t, 3)[2].Messages[1:] {
		texts = append(texts, m.Role+" "+m.Text)
	}
	for i, want := range []string{"A table", `assistant {"missing":[{"pointer":"/name","question":"Who are you?"}]}`, "Ann", `assistant {"missing":[{"pointer":"/date","question":"Which day?"}]}`, "1 December"} {
		if i >= len(texts) || !strings.Contains(texts[i], want) {
			t.Errorf("turn %d of %q has no %q", i, texts, want)
		}
	}
	f := h.refused(t, goOn(b.State, `"answers":{"/name":"Bob"}`), fault.InvalidRequest)
	if e := f.Fault.Entries[0]; e.Pointer != "/answers/~1name" || e.Rule != "asked" {
		t.Errorf("got %+v: only what was asked last can be answered", e)
	}
}

// TestRoundsAreBounded: a model that never has enough does not keep a person for ever.
func TestRoundsAreBounded(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{})
	for range mostRounds + 1 {
		h.service.Queue(says(askDate))
	}
	a := h.asks(t, annSays)
	for range mostRounds - 1 {
		a = h.asks(t, goOn(a.State, `"prompt":"Soon."`))
	}
	f := h.refused(t, goOn(a.State, `"prompt":"Soon."`), fault.ValidationFailed)
	if len(f.Validation.Errors) != 1 || f.Validation.Errors[0].Keyword != "MISSING" || !strings.Contains(f.Fault.Detail, "8 rounds") {
		t.Errorf("got %v with %+v", f, f.Validation)
	}
}

func TestWithFailWhatIsMissingIsA422(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{})
	h.service.Queue(says(askBoth))
	f := h.refused(t, strings.Replace(annSays, `"ask"`, `"fail"`, 1), fault.ValidationFailed)
	if f.Fault.Detail != "the text does not say what the schema requires: /name, /date" || len(f.Attempts) != 1 {
		t.Errorf("got %v", f)
	}
	for i, want := range [][2]string{{"/name", "Who are you?"}, {"/date", whichDay}} {
		if e := f.Validation.Errors[i]; e.Keyword != "MISSING" || e.Pointer != want[0] || e.Hint != want[1] {
			t.Errorf("entry %d is %+v, want %v", i, e, want)
		}
	}
	if r := h.history.last(t); r.ValidationStatus != "failed" || r.Code != "VALIDATION_FAILED" {
		t.Errorf("recorded %+v", r)
	}
}

// TestWithNullNothingChanges: the schema is sent as it is, and so it is where nothing could be missing.
func TestWithNullNothingChanges(t *testing.T) {
	t.Parallel()
	open := `{"type":"object","properties":{"name":{"type":["string","null"]}},"required":["name"],"additionalProperties":false}`
	for body, reply := range map[string]string{
		strings.Replace(annSays, `"ask"`, `"null"`, 1):                                     `{"name":"Ann","date":"2026-12-01","note":null}`,
		`{"prompt":"A table, please.","schema":` + open + `,"options":{"missing":"ask"}}`:  `{"name":null}`,
		`{"prompt":"A table, please.","schema":` + open + `,"options":{"missing":"fail"}}`: `{"name":null}`,
	} {
		h := setup(t, rig{})
		h.service.Queue(says(reply))
		if a := h.must(t, body); a.Status() != Passed {
			t.Errorf("%s: got %s", body, a.Append(nil))
		}
		if e := h.exchanges(t, 1)[0]; strings.Contains(e.Messages[0].Text, "missing") {
			t.Errorf("%s: the model is told of missing: %s", body, e.Messages[0].Text)
		}
	}
}

// TestOnlyRequiredPlacesCanBeMissing: reports of others are dropped, and where nothing is left the model is asked again.
func TestOnlyRequiredPlacesCanBeMissing(t *testing.T) {
	t.Parallel()
	const bogus = `{"missing":[{"pointer":"/note","question":"Any wishes?"},{"pointer":"/nowhere","question":"?"}],"answer":`
	h := setup(t, rig{})
	h.service.Queue(says(bogus+`null}`), says(filled))
	if a := h.must(t, annSays); a.Status() != Passed || a.Validation.Reasks != 1 {
		t.Errorf("got %s", a.Append(nil))
	}
	if again := h.exchanges(t, 2)[1].Messages[3].Text; !strings.Contains(again, "/missing") || !strings.Contains(again, "/name, /date") {
		t.Errorf("the re-ask is %q", again)
	}
	h.service.Queue(says(bogus + `{"name":"Bob","date":"2026-12-02","note":null}}`))
	if a := h.must(t, strings.Replace(annSays, "Ann", "Bob", 1)); a.Status() != Passed || string(a.Data) != `{"name":"Bob","date":"2026-12-02"}` {
		t.Errorf("got %s", a.Append(nil))
	}
	h.service.Queue(says(`{"missing":[{"pointer":"/note","question":"x"},{"pointer":"/date","question":"When?"}],"answer":{"name":"Cid","date":"2026-01-01","note":null}}`))
	if a := h.asks(t, strings.Replace(annSays, "Ann", "Cid", 1)); len(a.Questions) != 1 || a.Questions[0].Pointer != "/date" {
		t.Errorf("got %v: a value beside a question is a guess", a.Questions)
	}
}

// TestAReaskSpeaksOfThePlacesAsTheModelWroteThem: they stand below answer there.
func TestAReaskSpeaksOfThePlacesAsTheModelWroteThem(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{})
	h.service.Queue(says(`{"missing":[],"answer":{"name":"Ann","date":"soon","note":null}}`), says(`{"missing":[],"answer":{"name":"Ann","date":"later","note":null}}`))
	f := h.refused(t, strings.Replace(annSays, `"ask"`, `"ask","max_attempts":2`, 1), fault.ValidationFailed)
	if again := h.exchanges(t, 2)[1].Messages[3].Text; !strings.Contains(again, "/answer/date") {
		t.Errorf("the re-ask is %q", again)
	}
	if at := f.Validation.Errors[0].Pointer; at != "/date" {
		t.Errorf("the caller is told of %s: it is to be as in the schema", at)
	}
}

func TestStreamsShowTheAnswerAlone(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{})
	h.service.Queue(says(askDate), says(filled))
	run := func(body string) (partial []string, last *Answer) {
		a, err := h.Admit(t.Context(), h.who, 1)
		if err != nil {
			t.Fatal(err)
		}
		for event, err := range h.Stream(t.Context(), a, read(t, body)) {
			if err != nil {
				t.Fatal(err)
			}
			if event.Partial != nil {
				partial = append(partial, event.Partial.String())
			}
			if event.Answer != nil {
				last = event.Answer
			}
		}
		return partial, last
	}
	partial, a := run(strings.Replace(annSays, `"options"`, `"stream":true,"options"`, 1))
	if len(partial) != 0 || a.Status() != NeedsInput {
		t.Errorf("got %q and %s", partial, a.Append(nil))
	}
	partial, a = run(goOn(a.State, `"stream":true,"prompt":"On 1 December."`))
	if len(partial) == 0 || a.Status() != Passed {
		t.Errorf("got %q and %s", partial, a.Append(nil))
	}
	if i := slices.IndexFunc(partial, func(p string) bool { return strings.Contains(p, "missing") || strings.Contains(p, "answer") }); i >= 0 {
		t.Errorf("a partial event shows the form: %s", partial[i])
	}
}

func TestABatchCountsWhatNeedsInput(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{})
	h.service.Queue(says(askDate))
	v, err := value.DecodeString(`{"items":[`+annSays+`]}`, value.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	items, err := prompt.ReadBatch(v, prompt.Defaults{CacheTTL: time.Hour, MaxAttempts: 4})
	if err != nil {
		t.Fatal(err)
	}
	admission, err := h.Admit(t.Context(), h.who, 1)
	if err != nil {
		t.Fatal(err)
	}
	done, s := h.Batch(t.Context(), admission, items)
	if s.NeedsInput != 1 || s.Passed != 0 || s.Failed != 0 || s.Total != 1 || done[0].Answer.State == "" {
		t.Fatalf("got %+v", s)
	}
	h.service.Queue(says(filled))
	v, err = value.DecodeString(`{"items":[`+goOn(done[0].Answer.State, `"prompt":"1 December"`)+`],"schema":{},"options":{"max_attempts":1}}`, value.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if items, err = prompt.ReadBatch(v, prompt.Defaults{CacheTTL: time.Hour, MaxAttempts: 4}); err != nil {
		t.Fatal(err)
	}
	if _, s = h.Batch(t.Context(), admission, items); s.Passed != 1 {
		t.Errorf("got %+v: a state goes on in a batch, and what is said for all is not for it", s)
	}
}

// TestStatesAreTakenAsTheyWereGiven: whoever holds a state can neither change it nor use another team's.
func TestStatesAreTakenAsTheyWereGiven(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{})
	h.service.Queue(says(askDate))
	state := h.asks(t, annSays).State
	if strings.Contains(state, "Ann") || len(state) > 2000 {
		t.Errorf("the state has %d bytes: %s", len(state), state)
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	hostile := map[string]string{
		"empty box": "pd1.", "no state": "hello", "no base64": "pd1.ä", "another form": strings.Replace(state, "pd1.", "pd2.", 1), "cut": state[:len(state)-4], "longer": state + "AAAA",
	}
	for i := len("pd1."); i < len(state)-1; i += 7 { // Of the last one some bits say nothing.
		c := alphabet[(strings.IndexByte(alphabet, state[i])+1)%64]
		hostile["changed at "+strconv.Itoa(i)] = state[:i] + string(c) + state[i+1:]
	}
	for name, s := range hostile {
		f := h.refused(t, goOn(s, `"prompt":"1 December"`), fault.InvalidRequest)
		if e := f.Fault.Entries[0]; e.Pointer != "/state" || e.Rule != "state" {
			t.Errorf("%s: got %+v", name, e)
		}
	}
	other := &key.Caller{Key: "key_2", Team: "other", Scopes: key.AllScopes}
	_, err := h.askAs(t.Context(), t, other, goOn(state, `"prompt":"1 December"`))
	var f *Failure
	if !errors.As(err, &f) || f.Fault.Entries[0].Rule != "state" {
		t.Errorf("another team: got %v", err)
	}
	if n := len(h.service.Exchanges()); n != 1 {
		t.Errorf("a provider was asked %d times, want once", n)
	}
	foreign := setup(t, rig{}) // Another process without a key of its own.
	foreign.refused(t, goOn(state, `"prompt":"1 December"`), fault.InvalidRequest)
}

// sealed makes a state by hand.
func (h *harness) sealed(t *testing.T, change func(*dialogue)) string {
	t.Helper()
	q := read(t, annSays)
	compiled, err := h.resolve.schemas.cache.Compile(t.Context(), q.Schema, schema.Options{})
	if err != nil {
		t.Fatal(err)
	}
	hash := compiled.Hash()
	d := &dialogue{Asked: time.Now().Unix(), Request: q.Body, Schema: hash[:], Rounds: []round{{Questions: []missing.Question{{Pointer: "/date", Text: whichDay}}}}}
	change(d)
	state, err := h.states.seal(h.who.Team, d)
	if err != nil || state == "" {
		t.Fatalf("%q, %v", state, err)
	}
	return state
}

func TestStatesEnd(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{})
	for name, c := range map[string]struct {
		change func(*dialogue)
		rule   string
	}{
		"expired":        {func(d *dialogue) { d.Asked -= 24*3600 + 1 }, "expired"},
		"another schema": {func(d *dialogue) { d.Schema = []byte("other") }, "schema"},
		"changed schema": {func(d *dialogue) { d.Request = d.Request.With("schema", read(t, request(small, ``)).Schema) }, "schema"},
		"no question":    {func(d *dialogue) { d.Rounds = nil }, "state"},
		"no request":     {func(d *dialogue) { d.Request = value.Null() }, "state"},
		"a later option": {func(d *dialogue) { d.Request = d.Request.With("later", value.Int(1)) }, "unknown_field"},
	} {
		f := h.refused(t, goOn(h.sealed(t, c.change), `"prompt":"1 December"`), fault.InvalidRequest)
		if e := f.Fault.Entries[0]; e.Pointer != "/state" || e.Rule != c.rule {
			t.Errorf("%s: got %+v, want %s at /state", name, e, c.rule)
		}
	}
	h.service.Queue(says(filled))
	if a := h.must(t, goOn(h.sealed(t, func(d *dialogue) { d.Asked -= 24*3600 - 60 }), `"prompt":"1 December"`)); a.Status() != Passed {
		t.Errorf("got %s: a state lives for 24 hours", a.Append(nil))
	}
}

func TestRepliesKeepTheLimits(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{})
	long := strings.Repeat("x", 10_001)
	for rest, want := range map[string][2]string{
		`"prompt":"` + long + `"`:            {"/prompt", "limits.prompt_chars"},
		`"prompt":"\u200b"`:                  {"/prompt", "min_length"},
		`"answers":{"/date":"` + long + `"}`: {"/answers", "limits.prompt_chars"},
	} {
		f := h.refused(t, goOn(h.sealed(t, func(*dialogue) {}), rest), fault.InvalidRequest)
		if e := f.Fault.Entries[0]; e.Pointer != want[0] || e.Rule != want[1] {
			t.Errorf("%.30s: got %+v, want %v", rest, e, want)
		}
	}
	// The first text may be as long as the limit, and a reply comes on top.
	h.service.Queue(says(filled))
	state := h.sealed(t, func(d *dialogue) { d.Request = d.Request.With("prompt", value.String(long[:10_000])) })
	if a := h.must(t, goOn(state, `"prompt":"1 December"`)); a.Status() != Passed {
		t.Errorf("got %s", a.Append(nil))
	}
}

// TestAStateThatWouldBeTooLongIsNotGiven: the questions are, and the caller goes on with messages of its own.
func TestAStateThatWouldBeTooLongIsNotGiven(t *testing.T) {
	t.Parallel()
	noise := make([]byte, 0, 400<<10)
	for x := uint32(1); len(noise) < cap(noise); {
		x = x*1664525 + 1013904223
		noise = append(noise, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[x>>26])
	}
	body, err := json.Marshal(map[string]any{
		"messages": []any{map[string]any{"role": "user", "content": []any{
			map[string]any{"type": "text", "text": "I am Ann."}, map[string]any{"type": "image_url", "image_url": map[string]any{"url": "data:image/png;base64," + string(noise)}},
		}}},
		"schema": json.RawMessage(booking), "options": map[string]any{"missing": "ask"},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := rig{}
	r.capability.Vision = true
	h := setup(t, r)
	h.service.Queue(says(askDate))
	a := h.must(t, string(body))
	if a.State != "" || len(a.Questions) != 1 || !strings.Contains(string(a.Append(nil)), `"state":null`) {
		t.Errorf("got %d questions and a state of %d bytes", len(a.Questions), len(a.State))
	}
}

// Questions in place of fields that a stream has shown would take them back.
func TestAStreamDoesNotAskBackAfterItHasShownSomething(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{})
	h.service.Queue(
		providertest.Reply{Text: `{"missing":[],"answer":{"name":"Ann","date":"someday","note":null}}`},
		says(askDate),
		says(filled),
	)
	partials, a := h.stream(t, annSays)
	if len(partials) == 0 || partials[0].String() != `{"name":"Ann"}` {
		t.Fatalf("the first attempt showed %v, want the name", partials)
	}
	if a.Status() != Passed || string(a.Data) != `{"name":"Ann","date":"2026-12-01"}` || len(a.Attempts) != 3 {
		t.Errorf("got %s", a.Append(nil))
	}
}
