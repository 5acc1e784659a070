package pipeline

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/limit"
	limits "github.com/promptd/promptd/internal/limit/memory"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/provider/providertest"
)

// ledger is a budget store in memory for one process: what a store must do is held by its own contract.
type ledger struct {
	mu sync.Mutex

	drawn map[string]limit.Draw
}

func (l *ledger) Draw(_ context.Context, _ time.Duration, draws []limit.Draw) ([]limit.Drawn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]limit.Drawn, len(draws))
	for i, d := range draws {
		out[i].Granted, _ = d.Grant(d.Limit - d.Spent - d.Keep)
		out[i].Balance = limit.Balance{Spent: d.Spent, Reserved: d.Keep + out[i].Granted}
		l.drawn[d.Payer.String()] = d
	}
	return out, nil
}

func (l *ledger) Balance(_ context.Context, p limit.Payer, _ string) (limit.Balance, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return limit.Balance{Spent: l.drawn[p.String()].Spent}, nil
}

func (l *ledger) Alerts(context.Context, key.Reach, int64, int) ([]limit.Alert, error) {
	return nil, nil
}

func (l *ledger) Forget(context.Context, time.Time) error { return nil }

func newPurse() *Purse {
	return &Purse{
		limiter: limits.New(limits.Config{}), meter: &counts{seen: map[string]int{}},
		budgets: limit.NewBudgets(limit.BudgetsConfig{Store: &ledger{drawn: map[string]limit.Draw{}}, Holder: "test"}),
	}
}

// price is $1 a million of input tokens and $2 of output: a thousand nano-dollars a token read.
func price() provider.Price {
	return provider.Price{Known: true, Input: 1e9, CachedInput: 1e9, CacheWrite: 1e9, Output: 2e9}
}

func TestPaymentIsSettledByWhatBecameOfTheCall(t *testing.T) {
	t.Parallel()
	used := dialect.Usage{Input: 10, Output: 5, Known: true}
	for _, c := range []struct {
		name    string
		attempt provider.Attempt
		err     error
		want    key.Nanos
		tokens  int
	}{
		{"a reported use", provider.Attempt{Usage: used, Cost: provider.Cost{Nano: 20_000, Known: true}, Status: 200}, nil, 20_000, 15},
		{"a failed call with a reported use", provider.Attempt{Usage: used, Cost: provider.Cost{Nano: 20_000, Known: true}, Status: 500}, &dialect.Error{}, 20_000, 15},
		{"nothing was sent", provider.Attempt{Outcome: dialect.OverloadedProvider}, &dialect.Error{Cause: provider.ErrNotSent}, 0, 0},
		{"the service refused", provider.Attempt{Outcome: dialect.RateLimited, Status: 429}, &dialect.Error{}, 0, 0},
		{"the service was not reached", provider.Attempt{Outcome: dialect.Connection}, &dialect.Error{}, 0, 0},
		{"it did not answer in time", provider.Attempt{Outcome: dialect.Timeout}, &dialect.Error{}, 164_000, 164},
		{"the caller went away", provider.Attempt{Outcome: dialect.Cancelled}, &dialect.Error{}, 164_000, 164},
		{"an answer that broke off", provider.Attempt{Outcome: dialect.Connection, Status: 200}, &dialect.Error{}, 564_000, 264},
		{"a stream that broke off behind its first count", provider.Attempt{Usage: used, Cost: provider.Cost{Nano: 20_000, Known: true}, Outcome: dialect.Cancelled, Status: 200, FirstToken: 1}, &dialect.Error{}, 564_000, 264},
		{"an answer without a count", provider.Attempt{Outcome: dialect.OK, Status: 200}, nil, 564_000, 264},
	} {
		p := newPurse()
		who := &key.Caller{Key: "key_1", Team: "acme", TokensPerMinute: 10_000, Budget: &key.Budget{Limit: 1e9, Period: key.Daily}}
		pay, err := p.Open(t.Context(), who, &provider.Model{Name: "m", Price: price()}, Expected{Bytes: 300, Output: 100})
		if err != nil {
			t.Fatalf("%s: Open = %v", c.name, err)
		}
		// 300 bytes and 64 of the frame read at the most, 100 written.
		if pay.amount != 564_000 || pay.tokens != 264 {
			t.Errorf("%s: %d and %d tokens are held, want 564000 and 264", c.name, pay.amount, pay.tokens)
		}
		pay.Close(&c.attempt, c.err)
		s, err := p.budgets.Standing(t.Context(), limit.Bill{Payer: limit.KeyPayer("key_1", "acme"), Budget: *who.Budget})
		if err != nil || s.Spent != c.want || s.Reserved != 0 {
			t.Errorf("%s: %d spent and %d reserved, %v, want %d and nothing", c.name, s.Spent, s.Reserved, err, c.want)
		}
		d, err := p.limiter.Reserve(t.Context(), "tokens:key:key_1", 0, limit.PerMinute(10_000))
		if err != nil || d.Remaining < 10_000-c.tokens || d.Remaining > 10_000-c.tokens+100 { // Some drain meanwhile.
			t.Errorf("%s: %d tokens are left, %v, want about %d", c.name, d.Remaining, err, 10_000-c.tokens)
		}
	}
}

// What services say that they count.
func TestWhatIsReservedCoversImagesAndTurns(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, model string
		images      int
		turns       int
		counted     int
	}{
		{"1024 by 1024 in high detail", "gpt-4o-mini", 1, 1, 25_501},
		{"8 tiles in high detail, twice", "openai/gpt-4o-mini-2024-07-18", 2, 1, 2 * 48_169},
		{"1,536 patches, each as 2.46", "gpt-4.1-nano", 1, 1, 3779},
		{"the largest picture", "qwen3-vl-8b", 1, 1, 16_384},
		{"many short turns", "gpt-4.1-mini", 0, 2000, 2000 * (1 + 4)},
	} {
		call := dialect.Call{MaxTokens: 1}
		for range c.turns {
			call.Messages = append(call.Messages, dialect.Message{Role: dialect.User, Parts: []dialect.Part{{Text: "a"}}})
		}
		for range c.images {
			call.Messages[0].Parts = append(call.Messages[0].Parts, dialect.Part{Image: "data:image/png;base64,AAAA"})
		}
		p := newPurse()
		who := &key.Caller{Key: "key_1", Team: "acme", Budget: &key.Budget{Limit: 1e12, Period: key.Daily}}
		pay, err := p.Open(t.Context(), who, &provider.Model{Name: c.model, Price: price()}, expect(who, &call))
		if err != nil {
			t.Fatalf("%s: Open = %v", c.name, err)
		}
		if tokens := int(pay.amount-2000) / 1000; tokens < c.counted || tokens > 2*c.counted+20_000 {
			t.Errorf("%s: %d tokens are reserved at %s, want at least %d and not much more", c.name, tokens, c.model, c.counted)
		}
	}
}

func TestWhatIsRefusedHoldsNothing(t *testing.T) {
	t.Parallel()
	model := &provider.Model{Name: "m", Price: price()}
	call := Expected{Bytes: 36, Output: 100} // 76 tokens likely read, 100 at the most: 300,000 nano-dollars.
	for _, c := range []struct {
		name  string
		who   key.Caller
		model *provider.Model
		code  fault.Code
		money bool
	}{
		{"the key's tokens", key.Caller{TokensPerMinute: 100}, model, fault.RateLimitExceeded, false},
		{"the team's tokens", key.Caller{TokensPerMinute: 1000, Together: &key.Team{Name: "acme", TokensPerMinute: 100}}, model, fault.RateLimitExceeded, false},
		{"the key's budget", key.Caller{TokensPerMinute: 1000, Budget: &key.Budget{Limit: 299_999, Period: key.Daily}}, model, fault.BudgetExceeded, true},
		{
			"the team's budget",
			key.Caller{Budget: &key.Budget{Limit: 1e9, Period: key.Daily}, Together: &key.Team{Name: "acme", Budget: &key.Budget{Limit: 9, Period: key.Monthly}}},
			model, fault.BudgetExceeded, true,
		},
		{"an unknown price", key.Caller{Budget: &key.Budget{Limit: 1e9, Period: key.Daily}}, &provider.Model{Name: "m"}, fault.Forbidden, true},
	} {
		p := newPurse()
		c.who.Key, c.who.Team = "key_1", "acme"
		_, err := p.Open(t.Context(), &c.who, c.model, call)
		var unpaid *Unpaid
		if !errors.As(err, &unpaid) || !fault.Is(err, c.code) || unpaid.Money != c.money || !errors.Is(err, provider.ErrNotSent) {
			t.Errorf("%s: got %v, want an unpaid %s", c.name, err, c.code)
		}
		if n := c.who.TokensPerMinute; n > 0 {
			if d, err := p.limiter.Reserve(t.Context(), "tokens:key:key_1", 0, limit.PerMinute(n)); err != nil || d.Remaining != n {
				t.Errorf("%s: %d of %d tokens are left, %v, want all", c.name, d.Remaining, n, err)
			}
		}
		if b := c.who.Budget; b != nil {
			s, err := p.budgets.Standing(t.Context(), limit.Bill{Payer: limit.KeyPayer("key_1", "acme"), Budget: *b})
			if err != nil || s.Spent != 0 || s.Reserved != 0 {
				t.Errorf("%s: %+v, %v, want nothing spent or reserved", c.name, s, err)
			}
		}
	}
}

func TestWhoHasNoLimitsPaysNothing(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]*Purse{"no purse": nil, "a purse": newPurse()} {
		pay, err := p.Open(t.Context(), &key.Caller{Key: "key_1"}, &provider.Model{}, Expected{Bytes: 1 << 40})
		if err != nil {
			t.Errorf("%s: Open = %v, want nil", name, err)
		}
		pay.Close(&provider.Attempt{}, nil)
	}
}

func TestTokensAndBudgetsHoldRequests(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{service: providertest.Settings{Text: `{"n":7}`}})
	h.purse.budgets = newPurse().budgets
	h.who = &key.Caller{Key: "key_1", Team: "acme", Scopes: key.AllScopes, TokensPerMinute: 100}
	f := h.refused(t, request(small, `"max_tokens":200`), fault.RateLimitExceeded)
	if f.Fault.Remediation == "" || f.Fault.RetryAfter != 0 || len(f.Attempts) != 0 {
		t.Errorf("a call above the whole limit: %+v, want a remedy, no time, and no attempt", f.Fault)
	}
	h.who.TokensPerMinute = 1500
	h.must(t, request(small, `"max_tokens":64`))
	h.must(t, request(small, `"max_tokens":64`)) // The cache's: it takes no tokens.
	h.who = &key.Caller{Key: "key_2", Team: "acme", Scopes: key.AllScopes, Budget: &key.Budget{Limit: 1000, Period: key.Daily}}
	f = h.refused(t, request(small, `"max_tokens":65`), fault.BudgetExceeded)
	if f.Fault.Remediation == "" || f.Fault.RetryAfter != 0 || !errors.Is(f, limit.ErrCost) {
		t.Errorf("a call above the whole budget: %+v, want a remedy and no time", f.Fault)
	}
	if got := h.counted.of("refused budget") + h.counted.of("refused tokens"); got != 2 {
		t.Errorf("%d refusals were counted, want 2", got)
	}
}

func TestPlacesAreTakenAndGivenBack(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{})
	who := &key.Caller{Key: "key_1", Team: "acme", MaxConcurrency: 2, Together: &key.Team{Name: "acme", MaxConcurrency: 3}}
	other := &key.Caller{Key: "key_2", Team: "acme", Together: who.Together}
	enter := func(c *key.Caller) func() {
		t.Helper()
		leave, err := h.Enter(t.Context(), c)
		if err != nil {
			t.Fatalf("Enter = %v, want nil", err)
		}
		return leave
	}
	full := func(c *key.Caller) {
		t.Helper()
		if _, err := h.Enter(t.Context(), c); !fault.Is(err, fault.RateLimitExceeded) || fault.Of(err).RetryAfter <= 0 {
			t.Errorf("Enter = %v, want RATE_LIMIT_EXCEEDED with a time", err)
		}
	}
	first, second := enter(who), enter(who)
	full(who)
	third := enter(other)
	full(other)
	first()
	fourth := enter(other) // The refused ones hold nothing of the team's.
	full(who)
	second()
	third()
	fourth()
	a, err := h.Allowance(t.Context(), who)
	if err != nil || a.InFlight != 0 || a.MaxConcurrency != 2 {
		t.Errorf("Allowance = %+v, %v, want nobody in flight of 2", a, err)
	}
}

func TestTeamCountsRequestsOfAllItsKeys(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{})
	team := &key.Team{Name: "acme", RateLimitPerHour: 5}
	one := &key.Caller{Key: "key_1", Team: "acme", RateLimitPerHour: 3, Together: team}
	two := &key.Caller{Key: "key_2", Team: "acme", Together: team}
	admit := func(c *key.Caller, n int, want bool) Admission {
		t.Helper()
		a, err := h.Admit(t.Context(), c, n)
		if want && err != nil || !want && !fault.Is(err, fault.RateLimitExceeded) {
			t.Errorf("Admit of %d for %s = %v, want admitted: %t", n, c.Key, err, want)
		}
		return a
	}
	a := admit(one, 3, true)
	if got := limit.PolicyHeader(a.Policies()...); got != `"team-hour";q=5;w=3600, "hour";q=3;w=3600` {
		t.Errorf("the policies are %s", got)
	}
	admit(one, 1, false) // Its own limit: the team's is given back.
	admit(two, 2, true)
	admit(two, 1, false)
	admit(two, 6, false)
	left, err := h.TeamAllowance(t.Context(), team)
	if err != nil || left.Requests.Remaining != 0 {
		t.Errorf("TeamAllowance = %+v, %v, want no requests left", left, err)
	}
}

// A caller with a budget is not let through where nobody would keep it.
func TestABudgetThatNobodyKeepsLetsNothingThrough(t *testing.T) {
	t.Parallel()
	p := newPurse()
	p.budgets = nil
	who := &key.Caller{Key: "key_1", Team: "acme", Budget: &key.Budget{Limit: 1e9, Period: key.Daily}}
	if _, err := p.Open(t.Context(), who, &provider.Model{Name: "m", Price: price()}, Expected{Bytes: 300, Output: 100}); err == nil {
		t.Error("the call was let through")
	}
}
