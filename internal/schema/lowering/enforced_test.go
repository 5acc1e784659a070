package lowering_test

import (
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/value"
)

// verdict says what became of one schema with one profile.
type verdict struct {
	mode  lowering.Mode
	texts bool     // more than 2 % of the typed places are JSON texts
	lost  []string // what is not kept
	why   string
}

func (v verdict) enforced() bool {
	return slices.Contains([]lowering.Mode{lowering.Strict, lowering.Tool, lowering.Grammar}, v.mode) && v.why == "" && !v.texts && len(v.lost) == 0
}

// judgeEnforced lowers a schema and sees what is kept: by its residue, and by breaking its valid instances.
func judgeEnforced(tb testing.TB, name string, s *schema.Schema, instances []value.Value) verdict {
	tb.Helper()
	p, _ := lowering.Named(name)
	l, misfits := lowering.Explain(s).Lower(p)
	v := verdict{mode: l.Mode}
	for _, why := range misfits {
		v.why = why.Reason
	}
	if v.why != "" || l.Schema.IsNull() {
		return v
	}
	v.texts = len(l.Texts)*50 > l.Typed
	for _, r := range l.Residue {
		limit := r.Keyword == "enum" && r.Value.Len() > 250 // The provider's limit for large lists.
		if slices.Contains([]string{"enum", "const", "required", "allOf"}, r.Keyword) && !limit {
			v.lost = append(v.lost, r.Pointer+" "+r.Keyword)
		}
	}
	sent, err := schema.Compile(asSent(name, l.Schema), sentOptions(s, l))
	if err != nil {
		tb.Errorf("%s: the lowered schema does not compile: %v", name, err)
		return v
	}
	var valid []value.Value
	for _, x := range instances {
		if ok, _ := s.Accept(tb.Context(), x); ok.OK() {
			valid = append(valid, x)
		}
	}
	v.lost = append(v.lost, checkKept(s.Value(), valid, l.Lower, func(x value.Value) bool { ok, _ := sent.Accept(tb.Context(), x); return ok.OK() })...)
	return v
}

// TestRealSchemasAreEnforced counts the real schemas that get a mode which enforces, with every enum and required kept and hardly a typed place as text.
func TestRealSchemasAreEnforced(t *testing.T) {
	t.Parallel()
	step := 11
	if testing.Short() {
		step = 110
	}
	if long() {
		step = 1
	}
	list := realSchemas(t, step)
	names := []string{"openai", "anthropic", "gemini", "llamacpp", "llamacpp:llguidance", "gemini:openapi", "bedrock:claude", "ollama", "openai:vllm"}
	total, good := 0, map[string]int{}
	reasons := map[string]map[string]int{}
	var mu sync.Mutex
	work := make(chan realSchema)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for r := range work {
				s, err := schema.Compile(r.schema, schema.Options{})
				if err != nil {
					continue
				}
				mu.Lock()
				total++
				mu.Unlock()
				for _, name := range names {
					v := judgeEnforced(t, name, s, r.instances)
					mu.Lock()
					if v.enforced() {
						good[name]++
					} else {
						if reasons[name] == nil {
							reasons[name] = map[string]int{}
						}
						reasons[name][v.reason()]++
						if testing.Verbose() && long() {
							t.Logf("%s %s: %s %.300q", name, r.id, v.reason(), v.lost[:min(len(v.lost), 4)])
						}
					}
					mu.Unlock()
				}
			}
		})
	}
	for _, s := range list {
		work <- s
	}
	close(work)
	wg.Wait()
	for _, name := range names {
		t.Logf("%s: %d of %d real schemas enforced = %.1f %%; the rest %v", name, good[name], total, 100*float64(good[name])/float64(total), reasons[name])
		if slices.Contains([]string{"openai", "anthropic", "gemini", "llamacpp"}, name) && good[name]*10 < total*9 {
			t.Errorf("%s: less than 90 %%", name)
		}
	}
}

func (v verdict) reason() string {
	switch {
	case v.why != "":
		return v.why
	case v.texts:
		return "JSON texts"
	case len(v.lost) > 0:
		_, keyword, _ := strings.Cut(v.lost[0], " ")
		return "not kept: " + keyword
	default:
		return "mode " + string(v.mode)
	}
}

// long reports whether the long form of the tests is wanted.
func long() bool { return os.Getenv("PROMPTD_FULL") != "" }
