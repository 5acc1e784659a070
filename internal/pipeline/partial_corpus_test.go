package pipeline

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/sharedtest"
	"github.com/promptd/promptd/internal/value"
)

// realSchema is a schema of the corpora with its valid instances.
type realSchema struct {
	id        string
	number    int // in its file
	schema    *schema.Schema
	instances []value.Value
}

// corpora lists the files of real schemas with instances.
func corpora(tb testing.TB) []string {
	tb.Helper()
	files, _ := filepath.Glob(filepath.Join(sharedtest.Dir(tb, "data", "jsonschemabench"), "*.jsonl"))
	return append(files, filepath.Join(sharedtest.Dir(tb, "data", "schemastore"), "cases.jsonl"))
}

// realSchemas sends every step-th schema of a file, from the offset on, that has valid instances.
func realSchemas(tb testing.TB, file string, offset, step int, send func(realSchema)) {
	tb.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		if n++; n%step != offset {
			continue
		}
		v, err := value.DecodeString(line, value.Limits{})
		if err != nil {
			tb.Fatalf("decode a line of %s: %v", file, err)
		}
		id, _ := v.Get("id")
		raw, _ := v.Get("schema")
		s := realSchema{id: id.Text(), number: n}
		if s.schema, err = schema.Compile(raw, schema.Options{}); err != nil {
			continue
		}
		tests, _ := v.Get("tests")
		for _, test := range tests.Items() {
			data, _ := test.Get("data")
			if valid, _ := s.schema.Accept(tb.Context(), data); valid.OK() {
				s.instances = append(s.instances, data)
			}
		}
		if len(s.instances) > 0 {
			send(s)
		}
	}
}

// TestNothingIsTakenBackOverRealSchemas checks the law over the corpora: a sample, or all of them where PROMPTD_FULL is set.
func TestNothingIsTakenBackOverRealSchemas(t *testing.T) {
	t.Parallel()
	step, every, parts := 53, 100, 1
	if os.Getenv("PROMPTD_FULL") != "" {
		step, every, parts = 4, 150, 4
	}
	start := time.Now()
	names, profiles := lawProfiles()
	total := make([]tally, len(names))
	schemas := 0
	var mu sync.Mutex
	check := func(t *testing.T, s realSchema) {
		for i, name := range names {
			l := law{reader: newReader(s.schema, profiles[name], schema.Safe), rng: rand.New(rand.NewPCG(7, uint64(s.number))), every: every}
			l.fail = func(format string, args ...any) { t.Errorf(s.id+" "+name+": "+format, shorten(args)...) }
			for _, x := range s.instances {
				l.valid(t.Context(), x)
			}
			mu.Lock()
			total[i].add(l.tally)
			mu.Unlock()
		}
		mu.Lock()
		schemas++
		mu.Unlock()
	}
	for _, file := range corpora(t) {
		for part := range parts {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".jsonl")+"_"+strconv.Itoa(part), func(t *testing.T) {
				work := make(chan realSchema)
				var wg sync.WaitGroup
				for range 2 {
					wg.Go(func() {
						for s := range work {
							check(t, s)
						}
					})
				}
				realSchemas(t, file, part, step, func(s realSchema) { work <- s })
				close(work)
				wg.Wait()
			})
		}
	}
	var all tally
	for i, name := range names {
		all.add(total[i])
		t.Logf("%s: %s", name, total[i].String())
		// A stream that shows nothing keeps the law too.
		if o := total[i]; share(o.severalEarly, o.several) < 50 && o.several > 0 {
			t.Errorf("%s: of instances with two fields or more only %.1f %% show something before the end; want half", name, share(o.severalEarly, o.several))
		}
	}
	t.Logf("%d schemas, all profiles: %s", schemas, all.String())
	t.Logf("%v", time.Since(start).Round(time.Millisecond))
}

// shorten cuts long arguments of a message.
func shorten(args []any) []any {
	const most = 600
	out := make([]any, len(args))
	for i, a := range args {
		text, ok := a.(string)
		if v, is := a.(value.Value); is {
			text, ok = v.String(), true
		}
		if err, is := a.(error); is {
			text, ok = err.Error(), true
		}
		if ok && len(text) > most {
			text = text[:most] + "…"
		}
		if out[i] = a; ok {
			out[i] = text
		}
	}
	return out
}
