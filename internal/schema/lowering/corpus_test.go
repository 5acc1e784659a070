package lowering_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/sharedtest"
	"github.com/promptd/promptd/internal/value"
)

// realSchema is a schema of the corpora with its instances.
type realSchema struct {
	id        string
	schema    value.Value
	instances []value.Value
}

// realSchemas gives every step-th schema of the corpora.
func realSchemas(tb testing.TB, step int) (list []realSchema) {
	tb.Helper()
	files, _ := filepath.Glob(filepath.Join(sharedtest.Dir(tb, "data", "jsonschemabench"), "*.jsonl"))
	files = append(files, filepath.Join(sharedtest.Dir(tb, "data", "schemastore"), "cases.jsonl"))
	n := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if n++; n%step != 0 {
				continue
			}
			v, err := value.DecodeString(line, value.Limits{})
			if err != nil {
				tb.Fatalf("decode a line of %s: %v", file, err)
			}
			id, _ := v.Get("id")
			s := realSchema{id: id.Text()}
			s.schema, _ = v.Get("schema")
			tests, _ := v.Get("tests")
			for _, test := range tests.Items() {
				data, _ := test.Get("data")
				s.instances = append(s.instances, data)
			}
			list = append(list, s)
		}
	}
	return list
}

func TestLawsHoldOverRealSchemas(t *testing.T) {
	t.Parallel()
	step := 23
	if testing.Short() {
		step = 70
	}
	if long() {
		step = 1
	}
	list := realSchemas(t, step)
	start := time.Now()
	total := map[string]*outcome{}
	modes := map[string]map[lowering.Mode]int{}
	var mu sync.Mutex
	names := profiles()
	work := make(chan realSchema)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for s := range work {
				for name, p := range names {
					o := checkLaws(t, name, p, s.schema, s.instances, func(format string, args ...any) { t.Errorf(s.id+" "+format, shorten(args)...) })
					checkTotality(rand.New(rand.NewPCG(3, uint64(len(s.id)))), name, p, s.schema, s.instances[:min(len(s.instances), 3)],
						func(format string, args ...any) { t.Errorf(s.id+" "+format, shorten(args)...) })
					mu.Lock()
					if total[name] == nil {
						total[name], modes[name] = &outcome{silent: map[string]int{}}, map[lowering.Mode]int{}
					}
					modes[name][o.mode]++
					total[name].respelled += o.respelled
					total[name].typed += o.typed
					total[name].texts += o.texts
					for keyword, n := range o.silent {
						total[name].silent[keyword] += n
					}
					total[name].lowered += o.lowered
					total[name].enforced += o.enforced
					total[name].instances += o.instances
					total[name].narrowed += o.narrowed
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
	for name, o := range total {
		t.Logf("%s: %d of %d schemas lowered, %d with a schema that is sent, modes %v; %d valid instances, %d of them narrowed %v, %d with a number respelled; %d typed places, %d of them texts",
			name, o.lowered, len(list), o.enforced, modes[name], o.instances, o.narrowed, o.silent, o.respelled, o.typed, o.texts)
	}
	t.Logf("%v", time.Since(start).Round(time.Millisecond))
}

// shorten cuts long arguments of a message.
func shorten(args []any) []any {
	out := make([]any, len(args))
	for i, a := range args {
		if v, ok := a.(value.Value); ok {
			text := v.String()
			if len(text) > 1500 {
				text = text[:1500] + "…"
			}
			a = text
		}
		out[i] = a
	}
	return out
}
