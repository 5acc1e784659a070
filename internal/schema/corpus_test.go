package schema

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/sharedtest"
	"github.com/promptd/promptd/internal/value"
)

// eachLine reads a JSON Lines file.
func eachLine(tb testing.TB, path string, f func(value.Value)) {
	tb.Helper()
	file, err := os.Open(path)
	if err != nil {
		tb.Fatalf("open %s: %v", path, err)
	}
	defer file.Close()
	lines := bufio.NewReaderSize(file, 1<<20)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 1 {
			v, decodeErr := value.Decode(line, value.Limits{})
			if decodeErr != nil {
				tb.Fatalf("decode a line of %s: %v", path, decodeErr)
			}
			f(v)
		}
		if err != nil {
			return
		}
	}
}

func text(v value.Value, name string) string {
	item, _ := v.Get(name)
	return item.Text()
}

// corpusLine is one schema with its labelled instances.
type corpusLine struct {
	id     string
	schema value.Value
	tests  []corpusTest
}

type corpusTest struct {
	data     value.Value
	valid    bool
	disputed bool
}

// corpora gives the labelled instances of real schemas, and the schemas that they refer to.
func corpora(tb testing.TB) ([]corpusLine, Remotes) {
	tb.Helper()
	bench := sharedtest.Dir(tb, "data", "jsonschemabench")
	store := sharedtest.Dir(tb, "data", "schemastore")
	disputes := readValue(tb, filepath.Join(bench, "annotations.json"))
	var lines []corpusLine
	add := func(v value.Value) {
		line := corpusLine{id: text(v, "id")}
		line.schema, _ = v.Get("schema")
		notes, _ := disputes.Get(line.id)
		tests, _ := v.Get("tests")
		for i, test := range tests.Items() {
			data, _ := test.Get("data")
			valid, _ := test.Get("valid")
			note := text(notes, value.AppendIndex("", i)[1:])
			line.tests = append(line.tests, corpusTest{data, valid.Truth(), strings.HasPrefix(note, "oracle_disagrees")})
		}
		lines = append(lines, line)
	}
	files, _ := filepath.Glob(filepath.Join(bench, "*.jsonl"))
	for _, file := range files {
		eachLine(tb, file, add)
	}
	eachLine(tb, filepath.Join(store, "cases.jsonl"), add)
	remotes := Remotes{}
	eachLine(tb, filepath.Join(store, "refs.jsonl"), func(v value.Value) {
		remotes[strings.TrimSuffix(text(v, "url"), "#")], _ = v.Get("schema")
	})
	return lines, remotes
}

// inParallel runs f over all items on as many goroutines as there are cores to use.
func inParallel[T any](items []T, f func(int, T)) {
	var wg sync.WaitGroup
	next := make(chan int, len(items))
	for i := range items {
		next <- i
	}
	close(next)
	const workers = 4
	for range workers {
		wg.Go(func() {
			for i := range next {
				f(i, items[i])
			}
		})
	}
	wg.Wait()
}

func TestLabelledInstancesOfRealSchemasAreJudgedRight(t *testing.T) {
	t.Parallel()
	lines, remotes := corpora(t)
	var (
		mu                                          sync.Mutex
		compiled, valid, invalid, accepted, refused int
		reasons                                     = map[string]int{}
	)
	inParallel(lines, func(_ int, line corpusLine) {
		s, err := Compile(line.schema, Options{Remotes: remotes})
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			f := fault.Of(err)
			reasons[f.Entries[0].Rule]++
			t.Logf("%s: %s %s", line.id, f.Entries[0].Pointer, f.Entries[0].Message)
			return
		}
		compiled++
		mu.Unlock()
		type outcome struct {
			ok     bool
			report Report
		}
		outcomes := make([]outcome, len(line.tests))
		for i, test := range line.tests {
			v, report := s.Accept(t.Context(), test.data)
			outcomes[i] = outcome{v.OK(), report}
		}
		mu.Lock()
		for i, test := range line.tests {
			switch o := outcomes[i]; {
			case test.disputed:
			case test.valid:
				valid++
				if !o.ok {
					refused++
					t.Errorf("%s/%d: a valid instance is refused: %+v", line.id, i, o.report.Errors[0])
				}
			default:
				invalid++
				if o.ok {
					accepted++
					t.Errorf("%s/%d: an invalid instance is accepted: %s", line.id, i, cut(test.data.String(), 300))
				}
			}
		}
	})
	t.Logf("%d of %d schemas compile (%v); %d valid instances, %d refused; %d invalid instances, %d accepted", compiled, len(lines), reasons, valid, refused, invalid, accepted)
	if compiled < len(lines) {
		t.Errorf("only %d of %d real schemas compile within the default limits", compiled, len(lines))
	}
}

func TestReportsAreTheSameEveryTime(t *testing.T) {
	t.Parallel()
	lines, remotes := corpora(t)
	for i := 0; i < len(lines); i += 25 {
		line := lines[i]
		s, err := Compile(line.schema, Options{Remotes: remotes})
		if err != nil {
			continue
		}
		again, err := Compile(line.schema, Options{Remotes: remotes})
		if err != nil || s.Hash() != again.Hash() || !slices.Equal(s.Advice(), again.Advice()) {
			t.Fatalf("%s: compiling twice differs", line.id)
		}
		for _, test := range line.tests {
			_, a := s.Accept(t.Context(), test.data)
			_, b := again.Accept(t.Context(), test.data)
			if !slices.Equal(a.Errors, b.Errors) || a.More != b.More {
				t.Fatalf("%s: reports differ:\n%+v\n%+v", line.id, a, b)
			}
			if !slices.IsSortedFunc(a.Errors, func(x, y Entry) int { return comparePointers(x.Pointer, y.Pointer) }) {
				t.Fatalf("%s: the report is not sorted: %+v", line.id, a)
			}
		}
	}
}

// full reports whether the long form of a test is wanted.
func full() bool { return os.Getenv("PROMPTD_FULL") != "" }
