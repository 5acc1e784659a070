package sqlite_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/promptd/promptd/internal/body"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/store/sqlite"
	"github.com/promptd/promptd/internal/template"
	"github.com/promptd/promptd/internal/value"
)

// draftOf makes a draft with a text of its own.
func draftOf(tb testing.TB, l *template.Library, text string) template.Draft {
	tb.Helper()
	v, err := value.DecodeString(fmt.Sprintf(`{"name": "order", "text": %q, "parameters": {"a": {"type": "string"}}}`, text+" {{ a }}"), value.Limits{})
	if err != nil {
		tb.Fatal(err)
	}
	d, err := l.Read(body.Open(v))
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// Two stores on one directory are what two processes have: neither knows of the other but through the files.
func TestTemplatesOfTwoProcessesAreOneHistory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var libraries [2]*template.Library
	for i := range libraries {
		libraries[i] = template.New(template.Config{Store: open(t, sqlite.Options{Dir: dir}).Templates()})
	}
	const each = 32
	var mu sync.Mutex
	var numbers []int
	var all sync.WaitGroup
	for i, l := range libraries {
		for n := range each {
			d := draftOf(t, l, fmt.Sprintf("text %d of %d", n, i))
			all.Go(func() {
				p, err := l.Publish(t.Context(), "acme", "key_1", d)
				if err != nil || !p.New {
					t.Errorf("publish: got %+v, %v, want a version of its own", p.Version, err)
				}
				mu.Lock()
				defer mu.Unlock()
				numbers = append(numbers, p.Version.Number)
			})
		}
	}
	all.Wait()
	slices.Sort(numbers)
	for i, n := range numbers {
		if n != i+1 {
			t.Fatalf("the numbers given are %v, want 1 to %d once each", numbers, 2*each)
		}
	}

	ours, theirs := libraries[0], libraries[1]
	for _, l := range libraries {
		l.Refresh(t.Context())
		if use, err := l.Resolve(t.Context(), "acme", "order"); err != nil || use.Number != 2*each {
			t.Errorf("resolved %+v, %v, want version %d", use, err, 2*each)
		}
	}
	if _, err := ours.Withdraw(t.Context(), "acme", template.Ref{Name: "order", Version: 2 * each}); err != nil {
		t.Fatal(err)
	}
	for name, l := range map[string]*template.Library{"the process itself": ours, "the other process": theirs} {
		if l == theirs {
			l.Refresh(t.Context())
		}
		if use, err := l.Resolve(t.Context(), "acme", "order"); err != nil || use.Number != 2*each-1 {
			t.Errorf("%s: resolved %+v, %v, want the version before the withdrawn one", name, use, err)
		}
		if _, err := l.Resolve(t.Context(), "acme", fmt.Sprintf("order@%d", 2*each)); !fault.Is(err, fault.Gone) {
			t.Errorf("%s: the withdrawn version gives %v, want GONE", name, err)
		}
		if _, err := l.Resolve(t.Context(), "beta", "order"); !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: another team gets %v, want NOT_FOUND", name, err)
		}
	}
}
