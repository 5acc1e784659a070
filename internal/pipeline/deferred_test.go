package pipeline

import (
	"errors"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/limit"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/provider/providertest"
	"github.com/promptd/promptd/internal/schema/lowering"
)

func anyCandidate(provider.Candidate) bool { return true }

// prepared prepares a request's first call.
func (h *harness) prepared(t *testing.T, q prompt.Prompt) Prepared {
	t.Helper()
	c, err := h.Prepare(t.Context(), h.who, q, anyCandidate)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// byBatchOf is a reply as a batch would bring it.
func byBatchOf(c *Prepared, r *dialect.BatchResult) *Came {
	a, err := provider.BatchAttempt(c.Candidate.Provider.Name(), c.Candidate.Model, r, time.Now().Add(-time.Hour))
	return &Came{Provider: c.Candidate.Provider.Name(), Model: c.Candidate.Model.Name, Mode: c.Mode, Attempt: a, Reply: r.Reply, Err: err}
}

func replyOf(text string) *dialect.BatchResult {
	return &dialect.BatchResult{ID: "a", Reply: dialect.Reply{Text: text, Stop: dialect.StopComplete, Usage: dialect.Usage{Known: true, Input: 1000, Output: 10}}}
}

func TestAReplyOfABatchIsJudgedAsAnyOther(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{})
	q := read(t, request(small, ``))
	c := h.prepared(t, q)
	if h.service.Requests() != 0 {
		t.Fatal("somebody was asked")
	}
	answer, err := h.Judge(t.Context(), h.who, q, byBatchOf(&c, replyOf(`{"n": 7}`)))
	if err != nil {
		t.Fatal(err)
	}
	if answer.Data != `{"n":7}` || len(answer.Attempts) != 1 || !answer.Attempts[0].Batch || answer.Attempts[0].Mode != c.Mode || h.service.Requests() != 0 {
		t.Errorf("the answer is %s, after %d calls", answer.Append(nil), h.service.Requests())
	}
	// 1,000 tokens read at $1 a million and 10 written at $2 make 1,020,000 nano-dollars; a batch takes half.
	if want := int64(510_000); answer.Cost.Nano != want || h.history.last(t).Cost.Nanos != key.Nanos(want) {
		t.Errorf("it costs %d, want %d", answer.Cost.Nano, want)
	}
	if _, err := h.Prepare(t.Context(), h.who, q, anyCandidate); !errors.Is(err, ErrNotApart) {
		t.Errorf("the cache has the answer, and Prepare gives %v", err)
	}
}

func TestAReplyThatDoesNotPassIsMendedByDirectCalls(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]*dialect.BatchResult{
		"invalid":   replyOf(`{"n": "many"}`),
		"no JSON":   replyOf(`seven`),
		"truncated": {Reply: dialect.Reply{Text: `{"n`, Stop: dialect.StopTruncated}},
		"error":     {Err: &dialect.Error{Outcome: dialect.OverloadedProvider, Status: 500}},
		"schema":    {Err: &dialect.Error{Outcome: dialect.SchemaRejected, Status: 400}},
		"no end":    {Reply: dialect.Reply{Text: `{"n": 7}`, Stop: dialect.StopError}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := setup(t, rig{})
			h.service.Queue(says(`{"n": 8}`))
			q := read(t, request(small, ``))
			c := h.prepared(t, q)
			answer, err := h.Judge(t.Context(), h.who, q, byBatchOf(&c, r))
			if err != nil {
				t.Fatal(err)
			}
			if answer.Data != `{"n":8}` || len(answer.Attempts) != 2 || !answer.Attempts[0].Batch || answer.Attempts[1].Batch || answer.Attempts[0].Outcome == dialect.OK {
				t.Errorf("the answer is %s", answer.Append(nil))
			}
		})
	}
}

func TestAReplyWithoutOneIsMadeUpByNobody(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{})
	q := read(t, request(small, `"max_attempts":1`))
	c := h.prepared(t, q)
	_, err := h.Judge(t.Context(), h.who, q, byBatchOf(&c, replyOf(`{"n": "many"}`)))
	var f *Failure
	if !errors.As(err, &f) || len(f.Attempts) != 1 || h.service.Requests() != 0 {
		t.Errorf("got %v after %d calls: one attempt was allowed, and it was the batch's", err, h.service.Requests())
	}
}

func TestAReplyIsReadInTheModeThatWasAskedFor(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{})
	// In mode strict the schema is closed over pairs; a process that would ask in mode json by now must not read it as such.
	const dictionary = `{"type":"object","properties":{"counts":{"type":"object","additionalProperties":{"type":"integer"}}},"required":["counts"],"additionalProperties":false}`
	q := read(t, request(dictionary, ``))
	c := h.prepared(t, q)
	if c.Mode != lowering.Strict {
		t.Fatalf("the mode is %s", c.Mode)
	}
	reply, _, err := c.Candidate.Provider.Call(t.Context(), c.Candidate.Model, c.Call, nil)
	if err != nil {
		t.Fatal(err)
	}
	came := byBatchOf(&c, &dialect.BatchResult{Reply: reply})
	other := setup(t, rig{capability: dialect.Capability{Modes: []lowering.Mode{lowering.JSON}}})
	if own := other.prepared(t, q); own.Mode == c.Mode {
		t.Fatal("both processes ask alike")
	}
	answer, err := h.Judge(t.Context(), h.who, q, came)
	if err != nil || len(answer.Attempts) != 1 {
		t.Fatalf("in its own process: %v", err)
	}
	if answer, err = other.Judge(t.Context(), other.who, q, came); err == nil && answer.Attempts[0].Mode != c.Mode {
		t.Errorf("in the other process the attempt's mode is %s", answer.Attempts[0].Mode)
	}
}

func TestAReplyOfAModelThatIsGoneIsPaidAndAskedForAgain(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{})
	h.service.Queue(says(`{"n": 8}`))
	q := read(t, request(small, ``))
	c := h.prepared(t, q)
	came := byBatchOf(&c, replyOf(`{"n": 7}`))
	came.Model = "gone"
	answer, err := h.Judge(t.Context(), h.who, q, came)
	if err != nil {
		t.Fatal(err)
	}
	if answer.Data != `{"n":8}` || len(answer.Attempts) != 2 || answer.Cost.Nano <= came.Attempt.Cost.Nano {
		t.Errorf("the answer is %s", answer.Append(nil))
	}
}

func TestNobodyTakesCallsApart(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{service: providertest.Settings{Seed: 1}})
	_, err := h.Prepare(t.Context(), h.who, read(t, request(small, ``)), func(provider.Candidate) bool { return false })
	if !errors.Is(err, ErrNotApart) {
		t.Errorf("Prepare gives %v", err)
	}
}

func TestWhatABatchMayCostIsHeldAtHalf(t *testing.T) {
	t.Parallel()
	p := newPurse()
	budget := key.Budget{Limit: 1_000_000, Period: key.Daily}
	who := &key.Caller{Key: "key_1", Team: "acme", Budget: &budget}
	m := &provider.Model{Name: "m", Price: price()}
	e := Expected{Bytes: 100, Output: 100}
	direct, err := p.Open(t.Context(), who, m, e)
	if err != nil {
		t.Fatal(err)
	}
	direct.Return()
	pay, err := p.apart(t.Context(), who, m, e)
	if err != nil || pay.Amount() != direct.amount/2 {
		t.Fatalf("held %d (%v), a direct call holds %d", pay.Amount(), err, direct.amount)
	}
	spent := func() key.Nanos {
		s, err := p.budgets.Standing(t.Context(), limit.Bill{Payer: limit.KeyPayer("key_1", "acme"), Budget: budget})
		if err != nil {
			t.Fatal(err)
		}
		return s.Spent
	}
	pay.Forfeit()
	if got := spent(); got != pay.Amount() {
		t.Errorf("of a call that is lost %d was booked, want %d", got, pay.Amount())
	}
	// Another process, where too little is left: what was spent is booked nevertheless.
	again, err := p.again(t.Context(), who, m, 10_000_000)
	if err != nil {
		t.Fatal(err)
	}
	before := spent()
	again.Close(&provider.Attempt{Usage: dialect.Usage{Known: true}, Cost: provider.Cost{Known: true, Nano: 5000}, Status: 200}, nil)
	if got := spent(); got != before+5000 {
		t.Errorf("%d was booked, want %d", got-before, 5000)
	}
}
