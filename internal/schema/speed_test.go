package schema

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/promptd/promptd/internal/value"
)

// libraryAsItIs compiles a schema with the library's own formats and regular expressions: its speed, not ours, is what is measured.
func libraryAsItIs(schema value.Value, remotes Remotes) (*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for url, remote := range remotes {
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(remote.String()))
		if err != nil {
			return nil, err
		}
		if err := c.AddResource(url, doc); err != nil {
			return nil, err
		}
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(schema.String()))
	if err != nil {
		return nil, err
	}
	if err := c.AddResource("schema:///", doc); err != nil {
		return nil, err
	}
	return c.Compile("schema:///")
}

// timed gives the time of one call: the shortest of some rounds, each long enough for the clock.
func timed(f func()) time.Duration {
	const rounds, long = 3, 30 * time.Microsecond
	n := 1
	best := time.Duration(0)
	for round := 0; round < rounds; {
		start := time.Now()
		for range n {
			f()
		}
		took := time.Since(start)
		if took < long {
			n *= 2
			continue
		}
		if each := took / time.Duration(n); round == 0 || each < best {
			best = each
		}
		round++
	}
	return max(best, 1)
}

// at gives the value below which a share of a sorted list lies.
func at[T any](sorted []T, share float64) T {
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}

// Timings are logged; that a valid value costs no allocation is asserted.
func TestSpeedAgainstTheLibraryOverTheCorpus(t *testing.T) {
	lines, remotes := corpora(t) // Not parallel: times and allocations are those of the process.
	step := 8
	if full() {
		step = 1
	}
	var ratios, allocations, ours, theirs []float64
	var slow []string
	for i := 0; i < len(lines); i += step {
		line := lines[i]
		needed := neededRemotes(line.schema, remotes)
		s, err := Compile(line.schema, Options{Remotes: needed})
		if err != nil {
			continue
		}
		lib, err := libraryAsItIs(line.schema, needed)
		if err != nil {
			continue // Its regular expressions or its metaschemas refuse some schemas.
		}
		var values []value.Value
		var docs []any
		for _, test := range line.tests {
			doc, err := jsonschema.UnmarshalJSON(strings.NewReader(test.data.String()))
			if v, _ := s.Accept(t.Context(), test.data); err == nil && v.OK() && lib.Validate(doc) == nil {
				values, docs = append(values, test.data), append(docs, doc)
			}
		}
		if len(values) == 0 {
			continue
		}
		ctx := t.Context()
		for _, v := range values {
			allocations = append(allocations, testing.AllocsPerRun(10, func() { s.Accept(ctx, v) }))
		}
		a := timed(func() {
			for _, v := range values {
				s.Accept(ctx, v)
			}
		})
		b := timed(func() {
			for _, doc := range docs {
				_ = lib.Validate(doc)
			}
		})
		ratio := float64(b) / float64(a)
		ratios, ours, theirs = append(ratios, ratio), append(ours, float64(a)/float64(len(values))), append(theirs, float64(b)/float64(len(values)))
		if ratio < 2 {
			slow = append(slow, line.id)
		}
	}
	for _, list := range [][]float64{ratios, allocations, ours, theirs} {
		slices.Sort(list)
	}
	t.Logf("%d schemas with %d valid instances: the library takes %.1f times as long in the median (p5 %.1f, p25 %.1f, p75 %.1f, p95 %.1f)", len(ratios), len(allocations),
		at(ratios, 0.5), at(ratios, 0.05), at(ratios, 0.25), at(ratios, 0.75), at(ratios, 0.95))
	t.Logf("an instance takes us %.0f ns in the median (p99 %.0f), the library %.0f ns (p99 %.0f)", at(ours, 0.5), at(ours, 0.99), at(theirs, 0.5), at(theirs, 0.99))
	t.Logf("allocations on valid values: median %.0f, p99 %.0f, most %.0f", at(allocations, 0.5), at(allocations, 0.99), allocations[len(allocations)-1])
	t.Logf("less than twice as fast: %d %v", len(slow), slow[:min(len(slow), 10)])
	if at(allocations, 0.5) > 0 || at(allocations, 0.99) > 1 {
		t.Errorf("a valid value costs %.0f allocations in the median and %.0f at p99; the bounds are 0 and 1", at(allocations, 0.5), at(allocations, 0.99))
	}
}
