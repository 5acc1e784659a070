package catalogue

import (
	"fmt"
	"strconv"
	"strings"
)

// USD is an amount of money in nano-dollars. Integers keep a ledger exact to the nano-dollar.
type USD int64

// Dollar is one US dollar.
const Dollar USD = 1_000_000_000

// ParseUSD reads a decimal amount of dollars, such as 0.15, exactly: more than nine decimals, a sign or an exponent is an error.
func ParseUSD(s string) (USD, error) {
	whole, frac, dotted := strings.Cut(s, ".")
	if !digits(whole) || dotted && !digits(frac) || len(frac) > 9 {
		return 0, fmt.Errorf("%q is not an amount of dollars such as 0.15", s)
	}
	n, err := strconv.ParseInt(whole+frac+strings.Repeat("0", 9-len(frac)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is too large an amount of dollars", s)
	}
	return USD(n), nil
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// String gives the amount in dollars, exactly and without trailing zeros.
func (u USD) String() string {
	sign, n := "", uint64(u)
	if u < 0 {
		sign, n = "-", -uint64(u)
	}
	s := fmt.Sprintf("%d.%09d", n/uint64(Dollar), n%uint64(Dollar))
	return sign + strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// Dollars gives the amount as a float, for metrics and answers; sums are made before.
func (u USD) Dollars() float64 { return float64(u) / float64(Dollar) }

// UnmarshalYAML reads a quoted decimal.
func (u *USD) UnmarshalYAML(unmarshal func(any) error) error {
	var s string
	if err := unmarshal(&s); err != nil {
		return err
	}
	n, err := ParseUSD(s)
	if err != nil {
		return err
	}
	*u = n
	return nil
}

// Price is a model's list price per million tokens.
type Price struct {
	// Input is the price of the input.
	Input USD `yaml:"input"`
	// CachedInput is the price of input that the provider had in its prompt cache; nil means that it costs as much as other input.
	CachedInput *USD `yaml:"cached_input"`
	// CacheWrite is the price of input that the provider puts into its prompt cache, LongCacheWrite that of the cache that is kept for an hour; nil
	// means that it costs as much as other input, or as CacheWrite.
	CacheWrite     *USD `yaml:"cache_write"`
	LongCacheWrite *USD `yaml:"long_cache_write"`
	// Output is the price of the output.
	Output USD `yaml:"output"`
	// Reasoning is the price of thoughts; nil means that they cost as much as other output.
	Reasoning *USD `yaml:"reasoning"`
	// Above are the prices of calls with a long input, the shortest bound first.
	Above []Step `yaml:"above"`
	// Batch is what calls of a batch cost; nil means that it is not known.
	Batch *Price `yaml:"batch"`
}

// Step is what a whole call costs when its input is longer than a bound; a nil price stays the ordinary one.
type Step struct {
	Tokens         int64 `yaml:"tokens"`
	Input          *USD  `yaml:"input"`
	CachedInput    *USD  `yaml:"cached_input"`
	CacheWrite     *USD  `yaml:"cache_write"`
	LongCacheWrite *USD  `yaml:"long_cache_write"`
	Output         *USD  `yaml:"output"`
	Reasoning      *USD  `yaml:"reasoning"`
}

// Rates are prices per million tokens, with nothing left open.
type Rates struct{ Input, CachedInput, CacheWrite, LongCacheWrite, Output, Reasoning USD }

// At gives the prices that count for a whole call whose input, cached tokens included, has so many tokens.
func (p *Price) At(input int64) Rates {
	now := *p
	for _, s := range p.Above {
		if input <= s.Tokens {
			break
		}
		now.Input, now.Output = or(s.Input, now.Input), or(s.Output, now.Output)
		now.CachedInput, now.CacheWrite = first(s.CachedInput, now.CachedInput), first(s.CacheWrite, now.CacheWrite)
		now.LongCacheWrite, now.Reasoning = first(s.LongCacheWrite, now.LongCacheWrite), first(s.Reasoning, now.Reasoning)
	}
	write := or(now.CacheWrite, now.Input)
	return Rates{
		Input: now.Input, CachedInput: or(now.CachedInput, now.Input), CacheWrite: write, LongCacheWrite: or(now.LongCacheWrite, write),
		Output: now.Output, Reasoning: or(now.Reasoning, now.Output),
	}
}

func first(p, q *USD) *USD {
	if p != nil {
		return p
	}
	return q
}

func or(p *USD, def USD) USD {
	if p == nil {
		return def
	}
	return *p
}
