package schema

import (
	"cmp"
	"slices"
	"testing"
	"time"
)

// Timings are logged. Compiling is what a new schema costs, looking up is what every request costs.
func TestCompileTimesOverTheCorpus(t *testing.T) {
	schemas, remotes := realSchemas(t) // Not parallel: they are timed.
	step := 8
	if full() {
		step = 1
	}
	type took struct {
		id    string
		bytes int
		// first compiles; later looks the same value up, again looks up a value that was read anew from the same text.
		first, later, again time.Duration
	}
	var list []took
	cache := NewCache(0)
	for i := 0; i < len(schemas); i += step {
		r := schemas[i]
		o := took{id: r.id, bytes: len(r.schema.Append(nil)), first: time.Hour, later: time.Hour, again: time.Hour}
		needed := neededRemotes(r.schema, remotes)
		failed := false
		for range 3 {
			start := time.Now()
			_, err := Compile(r.schema, Options{Remotes: needed})
			o.first = min(o.first, time.Since(start))
			failed = failed || err != nil
		}
		if failed {
			continue
		}
		if s, err := cache.Compile(t.Context(), r.schema, Options{}); err == nil && s != nil {
			ctx, read := t.Context(), decode(t, r.schema.String())
			o.later = timed(func() { _, _ = cache.Compile(ctx, r.schema, Options{}) })
			o.again = timed(func() { _, _ = cache.Compile(ctx, read, Options{}) })
		}
		list = append(list, o)
	}
	for what, of := range map[string]func(took) time.Duration{
		"of the same value": func(o took) time.Duration { return o.later }, "of a value read anew": func(o took) time.Duration { return o.again },
	} {
		slices.SortFunc(list, func(a, b took) int { return cmp.Compare(of(a), of(b)) })
		seen := len(list)
		for seen > 0 && of(list[seen-1]) == time.Hour {
			seen-- // These need their remotes, and are not kept.
		}
		worst := list[seen-1]
		t.Logf("cached look-up %s: median %v, p90 %v, p99 %v, worst %v of %d bytes; %d schemas", what, of(at(list[:seen], 0.5)), of(at(list[:seen], 0.9)), of(at(list[:seen], 0.99)), of(worst), worst.bytes, seen)
	}
	slices.SortFunc(list, func(a, b took) int { return cmp.Compare(a.first, b.first) })
	worst := list[len(list)-1]
	t.Logf("compiled: median %v, p99 %v, worst %v of %d bytes (%s); %d schemas", at(list, 0.5).first, at(list, 0.99).first, worst.first, worst.bytes, worst.id, len(list))
	if len(list) < 500 {
		t.Errorf("only %d schemas were compiled", len(list))
	}
}
