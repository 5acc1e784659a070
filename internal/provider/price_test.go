package provider_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/provider"
)

const perMillion = 1_000_000_000 // nano-dollars: one dollar for a million tokens

func TestCostIsExact(t *testing.T) {
	t.Parallel()
	p := provider.Price{Known: true, Input: 150_000_000, CachedInput: 75_000_000, CacheWrite: 187_500_000, Output: 600_000_000}
	thinks := p
	thinks.Reasoning = perMillion
	thinks.Above = []provider.Step{{Tokens: 100, Input: 150_000_000, CachedInput: 75_000_000, CacheWrite: 187_500_000, Output: 4 * perMillion, Reasoning: 3 * perMillion}}
	for _, c := range []struct {
		name  string
		price provider.Price
		usage dialect.Usage
		want  provider.Cost
	}{
		{"by hand", p, dialect.Usage{Known: true, Input: 1000, CachedInput: 200, CacheWrite: 100, Output: 50}, provider.Cost{Nano: 168_750, Known: true}},
		{"nothing used", p, dialect.Usage{Known: true}, provider.Cost{Known: true}},
		{"free", provider.Price{Known: true}, dialect.Usage{Known: true, Input: 5}, provider.Cost{Known: true}},
		{"unknown price", provider.Price{Input: 1}, dialect.Usage{Known: true, Input: 5}, provider.Cost{}},
		{"unknown usage", p, dialect.Usage{Input: 5}, provider.Cost{}},
		{"reasoning is output", p, dialect.Usage{Known: true, Output: 50, Reasoning: 40}, provider.Cost{Nano: 30_000, Known: true}},
		{"reasoning has its price", thinks, dialect.Usage{Known: true, Output: 50, Reasoning: 40}, provider.Cost{Nano: 46_000, Known: true}},
		{"more reasoning than output", thinks, dialect.Usage{Known: true, Output: 50, Reasoning: 90}, provider.Cost{Nano: 50_000, Known: true}},
		{"reasoning with a long input", thinks, dialect.Usage{Known: true, Input: 101, Output: 2, Reasoning: 1}, provider.Cost{Nano: 101*150 + 4_000 + 3_000, Known: true}},
		{"half rounds to even, down", provider.Price{Known: true, Input: 500_000}, dialect.Usage{Known: true, Input: 1}, provider.Cost{Known: true}},
		{"half rounds to even, up", provider.Price{Known: true, Input: 500_000}, dialect.Usage{Known: true, Input: 3}, provider.Cost{Nano: 2, Known: true}},
		{"below half", provider.Price{Known: true, Input: 499_999}, dialect.Usage{Known: true, Input: 1}, provider.Cost{Known: true}},
		{"above half", provider.Price{Known: true, Input: 500_001}, dialect.Usage{Known: true, Input: 1}, provider.Cost{Nano: 1, Known: true}},
		{"more cached than there is", p, dialect.Usage{Known: true, Input: 10, CachedInput: 100}, provider.Cost{Nano: 7_500, Known: true}},
		{"counts below nothing", p, dialect.Usage{Known: true, Input: -10, CachedInput: -5, CacheWrite: -1, Output: -7}, provider.Cost{Known: true}},
		{"huge", provider.Price{Known: true, Input: math.MaxInt64}, dialect.Usage{Known: true, Input: math.MaxInt32}, provider.Cost{}},
		{"large", provider.Price{Known: true, Output: 75 * perMillion}, dialect.Usage{Known: true, Output: math.MaxInt32}, provider.Cost{Nano: 161_061_273_525_000, Known: true}},
	} {
		if got := c.price.Of(c.usage); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

// The quick way and the way of big numbers give the same, and it is what exact arithmetic gives.
func TestCostEqualsExactArithmetic(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		scale := int64(1) << rng.IntN(42)
		p := provider.Price{Known: true, Input: rng.Int64N(scale), CachedInput: rng.Int64N(scale), CacheWrite: rng.Int64N(scale), Output: rng.Int64N(scale), Reasoning: 1 + rng.Int64N(scale)}
		u := dialect.Usage{Known: true, CachedInput: rng.IntN(1 << 10), CacheWrite: rng.IntN(1 << 10), Output: rng.IntN(1 << rng.IntN(24))}
		u.Reasoning = rng.IntN(u.Output + 1)
		u.Input = u.CachedInput + u.CacheWrite + rng.IntN(1<<rng.IntN(24))
		sum := new(big.Rat)
		for _, part := range [...][2]int64{
			{int64(u.Input - u.CachedInput - u.CacheWrite), p.Input},
			{int64(u.CachedInput), p.CachedInput},
			{int64(u.CacheWrite), p.CacheWrite},
			{int64(u.Output - u.Reasoning), p.Output},
			{int64(u.Reasoning), p.Reasoning},
		} {
			sum.Add(sum, new(big.Rat).Mul(big.NewRat(part[0], 1), big.NewRat(part[1], 1_000_000)))
		}
		got := p.Of(u)
		distance := new(big.Rat).Sub(sum, big.NewRat(got.Nano, 1))
		half := big.NewRat(1, 2)
		if c := distance.Abs(distance).Cmp(half); !got.Known || c > 0 || c == 0 && got.Nano%2 != 0 {
			t.Fatalf("%+v of %+v is %d, exactly it is %s", u, p, got.Nano, sum.FloatString(9))
		}
	}
}

func TestCostsAddUpOnlyWhereAllAreKnown(t *testing.T) {
	t.Parallel()
	a, b := provider.Cost{Nano: 1, Known: true}, provider.Cost{Nano: 2, Known: true}
	if got := a.Plus(b); got != (provider.Cost{Nano: 3, Known: true}) {
		t.Errorf("1 and 2 make %+v", got)
	}
	if got := a.Plus(provider.Cost{}); got.Known {
		t.Errorf("1 and an unknown cost make %+v", got)
	}
}

func TestCostsAreWrittenInDollars(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]provider.Cost{
		"null": {Nano: 5}, "0": {Known: true}, "0.000000001": {Nano: 1, Known: true}, "0.24": {Nano: 240_000_000, Known: true}, "3": {Nano: 3 * perMillion, Known: true},
		"12.000000345": {Nano: 12_000_000_345, Known: true}, "-0.5": {Nano: -500_000_000, Known: true},
	} {
		if got := string(c.Append(nil)); got != want {
			t.Errorf("%+v is written %s, want %s", c, got, want)
		}
	}
}

func TestAttemptsAreWrittenAsTheAnswerShowsThem(t *testing.T) {
	t.Parallel()
	a := provider.Attempt{
		N: 2, Provider: "a \"b\"", Model: "m", Mode: "strict", Outcome: dialect.RateLimited, Status: 429, StartedAt: time.Date(2026, 11, 25, 23, 1, 2, 3_000_000, time.UTC),
		Queue: 1500 * time.Microsecond, Total: 2 * time.Second, Usage: dialect.Usage{Input: 7, Output: 5, Known: true}, Error: "rate_limit_exceeded",
	}
	const want = `{"n":2,"provider":"a \"b\"","model":"m","mode":"strict","outcome":"rate_limited","status":429,"started_at":"2026-11-25T23:01:02.003Z",` +
		`"queue_ms":1.5,"first_token_ms":null,"total_ms":2000,"input_tokens":7,"output_tokens":5,"cost_usd":null,"error":"rate_limit_exceeded"}`
	if got := string(a.Append(nil)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	a.Error, a.FirstToken, a.Cost = "", 12_345*time.Microsecond, provider.Cost{Nano: 15, Known: true}
	const rest = `"queue_ms":1.5,"first_token_ms":12.345,"total_ms":2000,"input_tokens":7,"output_tokens":5,"cost_usd":0.000000015}`
	if got := string(a.Append(nil)); got[len(got)-len(rest):] != rest {
		t.Errorf("got  %s\nwant … %s", got, rest)
	}
}
