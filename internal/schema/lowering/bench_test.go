package lowering_test

import (
	"slices"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/lowering"
)

// TestLoweringTimes logs how long compiling and lowering take over the real schemas. It asserts nothing of time.
func TestLoweringTimes(t *testing.T) {
	if testing.Short() || !testing.Verbose() {
		t.Skip("figures for a reader: run with -v")
	}
	step := 3
	if long() {
		step = 1
	}
	list := realSchemas(t, step)
	took := map[string][]time.Duration{}
	worst := map[string]string{}
	note := func(what, id string, d time.Duration) {
		if len(took[what]) == 0 || d > slices.Max(took[what]) {
			worst[what] = id
		}
		took[what] = append(took[what], d)
	}
	for _, r := range list {
		start := time.Now()
		s, err := schema.Compile(r.schema, schema.Options{})
		if err != nil {
			continue
		}
		note("compile", r.id, time.Since(start))
		for _, name := range []string{"openai", "anthropic", "gemini", "gemini:openapi", "llamacpp", "llamacpp:llguidance"} {
			p, _ := lowering.Named(name)
			start := time.Now()
			lowering.Lower(s, p)
			note("lower "+name, r.id, time.Since(start))
		}
	}
	for what, d := range took {
		slices.Sort(d)
		t.Logf("%s: median %v, 99 %% %v, worst %v (%s), %d schemas", what, d[len(d)/2], d[len(d)*99/100], d[len(d)-1], worst[what], len(d))
	}
}
