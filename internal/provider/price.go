package provider

import (
	"math/big"

	"github.com/promptd/promptd/internal/dialect"
)

// Price is what a model's tokens cost, in nano-dollars per million tokens: $0.15 per million is 150,000,000. The zero Price is unknown: a missing price is
// never taken for none.
type Price struct {
	Known       bool
	Input       int64
	CachedInput int64 // equal to Input where the service gives no discount
	CacheWrite  int64 // equal to Input where the service asks no surcharge
	Output      int64
	Reasoning   int64 // 0 stands for Output
	// Above are the prices of calls with a long input, the shortest bound first; they count for the whole call.
	Above []Step
}

// Step is what a call costs whose input is longer than Tokens.
type Step struct {
	Tokens                                            int
	Input, CachedInput, CacheWrite, Output, Reasoning int64
}

// at gives the price of a call with that many input tokens.
func (p Price) at(input int) Price {
	for _, s := range p.Above {
		if input <= s.Tokens {
			break
		}
		p.Input, p.CachedInput, p.CacheWrite, p.Output, p.Reasoning = s.Input, s.CachedInput, s.CacheWrite, s.Output, s.Reasoning
	}
	if p.Reasoning == 0 {
		p.Reasoning = p.Output
	}
	return p
}

// Cost is a sum of money in nano-dollars; unknown where Known is false.
type Cost struct {
	Nano  int64
	Known bool
}

// Of computes the cost of an attempt, rounded half-even once. It is unknown where the price is, or where the service did not report its usage.
func (p Price) Of(u dialect.Usage) Cost {
	if !p.Known || !u.Known {
		return Cost{}
	}
	p = p.at(u.Input)
	// A service that counts below nothing would lower the ledger.
	u.Input, u.CachedInput, u.CacheWrite, u.Output = max(0, u.Input), max(0, u.CachedInput), max(0, u.CacheWrite), max(0, u.Output)
	thoughts := min(max(0, u.Reasoning), u.Output)
	u.Output -= thoughts
	plain := max(0, u.Input-u.CachedInput-u.CacheWrite)
	sum := new(big.Int)
	add := func(tokens int, price int64) {
		sum.Add(sum, new(big.Int).Mul(big.NewInt(int64(tokens)), big.NewInt(price)))
	}
	if total := int64(plain) + int64(u.CachedInput) + int64(u.CacheWrite) + int64(u.Output) + int64(thoughts); total < 1<<22 &&
		max(p.Input, p.CachedInput, p.CacheWrite, p.Output, p.Reasoning) < 1<<40 {
		// The usual case fits 64 bits.
		n := int64(plain)*p.Input + int64(u.CachedInput)*p.CachedInput + int64(u.CacheWrite)*p.CacheWrite + int64(u.Output)*p.Output +
			int64(thoughts)*p.Reasoning
		return Cost{Nano: halfEven(n), Known: true}
	}
	add(plain, p.Input)
	add(u.CachedInput, p.CachedInput)
	add(u.CacheWrite, p.CacheWrite)
	add(u.Output, p.Output)
	add(thoughts, p.Reasoning)
	quotient, rest := new(big.Int).QuoRem(sum, big.NewInt(1_000_000), new(big.Int))
	if !quotient.IsInt64() {
		return Cost{}
	}
	return Cost{Nano: round(quotient.Int64(), rest.Int64()), Known: true}
}

// Plus adds two costs; the sum is unknown where either is.
func (c Cost) Plus(o Cost) Cost {
	return Cost{Nano: c.Nano + o.Nano, Known: c.Known && o.Known}
}

func halfEven(n int64) int64 { return round(n/1_000_000, n%1_000_000) }

func round(quotient, rest int64) int64 {
	if rest > 500_000 || rest == 500_000 && quotient%2 == 1 {
		return quotient + 1
	}
	return quotient
}
