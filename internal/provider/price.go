package provider

import (
	"math/big"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/provider/catalogue"
)

// Price is what a model's tokens cost, in nano-dollars per million tokens: $0.15 per million is 150,000,000. The zero Price is unknown: a missing price is
// never taken for none.
type Price struct {
	Known          bool
	Input          int64
	CachedInput    int64 // equal to Input where the service gives no discount
	CacheWrite     int64 // equal to Input where the service asks no surcharge
	LongCacheWrite int64 // 0 stands for CacheWrite
	Output         int64
	Reasoning      int64 // 0 stands for Output
	// Above are the prices of calls with a long input, the shortest bound first; they count for the whole call.
	Above []Step
}

// Step is what a call costs whose input is longer than Tokens.
type Step struct {
	Tokens                                                            int
	Input, CachedInput, CacheWrite, LongCacheWrite, Output, Reasoning int64
}

// ListPrice is a price of the catalogue; that of a batch is its member Batch. nil is unknown.
func ListPrice(list *catalogue.Price) Price {
	if list == nil {
		return Price{}
	}
	r := list.At(0)
	p := Price{
		Known: true, Input: int64(r.Input), CachedInput: int64(r.CachedInput), CacheWrite: int64(r.CacheWrite), LongCacheWrite: int64(r.LongCacheWrite),
		Output: int64(r.Output), Reasoning: int64(r.Reasoning),
	}
	for _, step := range list.Above {
		r := list.At(step.Tokens + 1)
		p.Above = append(p.Above, Step{
			Tokens: int(step.Tokens), Input: int64(r.Input), CachedInput: int64(r.CachedInput), CacheWrite: int64(r.CacheWrite),
			LongCacheWrite: int64(r.LongCacheWrite), Output: int64(r.Output), Reasoning: int64(r.Reasoning),
		})
	}
	return p
}

// at gives the price of a call with that many input tokens.
func (p Price) at(input int) Price {
	for _, s := range p.Above {
		if input <= s.Tokens {
			break
		}
		p.Input, p.CachedInput, p.CacheWrite, p.LongCacheWrite = s.Input, s.CachedInput, s.CacheWrite, s.LongCacheWrite
		p.Output, p.Reasoning = s.Output, s.Reasoning
	}
	if p.LongCacheWrite == 0 {
		p.LongCacheWrite = p.CacheWrite
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
	long, thoughts := min(max(0, u.LongCacheWrite), u.CacheWrite), min(max(0, u.Reasoning), u.Output)
	items := [...]item{
		{max(0, u.Input-u.CachedInput-u.CacheWrite), p.Input},
		{u.CachedInput, p.CachedInput},
		{u.CacheWrite - long, p.CacheWrite},
		{long, p.LongCacheWrite},
		{u.Output - thoughts, p.Output},
		{thoughts, p.Reasoning},
	}
	var sum, tokens, dearest int64
	for _, i := range items {
		tokens, dearest = tokens+int64(i.tokens), max(dearest, i.price)
		sum += int64(i.tokens) * i.price
	}
	if tokens < 1<<22 && dearest < 1<<40 { // The usual case fits 64 bits.
		return Cost{Nano: round(sum/1_000_000, sum%1_000_000), Known: true}
	}
	return exactly(items[:])
}

// Most is the most that a call may cost which reads and writes at most so many tokens, whatever kind they turn out to be.
func (p Price) Most(input, output int) Cost {
	if !p.Known {
		return Cost{}
	}
	var most Cost
	for _, u := range [...]dialect.Usage{
		{Input: input, Output: output}, {Input: input, Output: output, CacheWrite: input}, {Input: input, Output: output, CacheWrite: input, LongCacheWrite: input},
	} {
		for _, u.Reasoning = range [...]int{0, output} {
			u.Known = true
			c := p.Of(u)
			if !c.Known {
				return c
			}
			most = Cost{Nano: max(most.Nano, c.Nano), Known: true}
		}
	}
	return most
}

// item is a number of tokens with their price.
type item struct {
	tokens int
	price  int64
}

// exactly sums up what may not fit 64 bits; a cost that does not is unknown.
func exactly(items []item) Cost {
	sum := new(big.Int)
	for _, i := range items {
		sum.Add(sum, new(big.Int).Mul(big.NewInt(int64(i.tokens)), big.NewInt(i.price)))
	}
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

// round makes a whole number of a quotient and the rest of a division by a million: halves go to the even neighbour.
func round(quotient, rest int64) int64 {
	if rest > 500_000 || rest == 500_000 && quotient%2 == 1 {
		return quotient + 1
	}
	return quotient
}
