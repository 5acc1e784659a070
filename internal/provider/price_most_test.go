package provider_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/provider"
)

func TestMostCoversWhateverTheTokensTurnOutToBe(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		price := func(name string) int64 { return rapid.Int64Range(0, 1e11).Draw(t, name) }
		p := provider.Price{
			Known: true, Input: price("input"), CacheWrite: price("cache write"), LongCacheWrite: price("long cache write"), Output: price("output"), Reasoning: price("reasoning"),
		}
		p.CachedInput = rapid.Int64Range(0, p.Input).Draw(t, "cached input") // A discount, as the name says.
		input, output := rapid.IntRange(0, 1e6).Draw(t, "input tokens"), rapid.IntRange(0, 1e6).Draw(t, "output tokens")
		u := dialect.Usage{Input: rapid.IntRange(0, input).Draw(t, "read"), Output: rapid.IntRange(0, output).Draw(t, "wrote"), Known: true}
		u.CachedInput = rapid.IntRange(0, u.Input).Draw(t, "cached")
		u.CacheWrite = rapid.IntRange(0, u.Input-u.CachedInput).Draw(t, "written to a cache")
		u.LongCacheWrite = rapid.IntRange(0, u.CacheWrite).Draw(t, "for long")
		u.Reasoning = rapid.IntRange(0, u.Output).Draw(t, "thoughts")
		if most, cost := p.Most(input, output), p.Of(u); !most.Known || cost.Nano > most.Nano {
			t.Fatalf("%+v of %+v costs %+v, more than the most, %+v", u, p, cost, most)
		}
	})
	if most := (provider.Price{}).Most(1, 1); most.Known {
		t.Errorf("the most of an unknown price is %+v, want unknown", most)
	}
}
