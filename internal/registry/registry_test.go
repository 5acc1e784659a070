package registry_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/registry"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/compat"
	"github.com/promptd/promptd/internal/shelf"
	"github.com/promptd/promptd/internal/store/sqlite"
	"github.com/promptd/promptd/internal/value"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const team key.TeamID = "acme"

// open gives a store on a directory.
func open(tb testing.TB, dir string) *sqlite.DB {
	tb.Helper()
	db, err := sqlite.Open(tb.Context(), sqlite.Options{Dir: dir})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	return db
}

func newRegistry(tb testing.TB, db *sqlite.DB, change ...func(*registry.Config)) *registry.Registry {
	tb.Helper()
	cfg := registry.Config{Store: db.Schemas(), Schemas: schema.NewCache(0), OnError: func(err error) { tb.Errorf("in the background: %v", err) }}
	for _, f := range change {
		f(&cfg)
	}
	return registry.New(cfg)
}

func decode(tb testing.TB, text string) value.Value {
	tb.Helper()
	v, err := value.DecodeString(text, value.Limits{})
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

// object is a closed object with one wanted member.
func object(name, kind string) string {
	return fmt.Sprintf(`{"type":"object","additionalProperties":false,"required":[%q],"properties":{%q:{"type":%q}}}`, name, name, kind)
}

func draft(tb testing.TB, name, text string, mode compat.Mode) registry.Draft {
	return registry.Draft{Name: name, Schema: decode(tb, text), Compatibility: mode}
}

// publish publishes and gives the version's number.
func publish(tb testing.TB, r *registry.Registry, name, text string, mode compat.Mode) int {
	tb.Helper()
	p, err := r.Publish(tb.Context(), team, "key_1", draft(tb, name, text, mode))
	if err != nil {
		tb.Fatalf("publish %s: %v", name, err)
	}
	return p.Version.Number
}

func wantCode(tb testing.TB, what string, err error, want fault.Code) *fault.Fault {
	tb.Helper()
	if !fault.Is(err, want) {
		tb.Fatalf("%s: got the error %v, want %s", what, err, want)
	}
	return fault.Of(err)
}

func TestAModeIsKeptByTheNameAndGivenForOneVersion(t *testing.T) {
	t.Parallel()
	r := newRegistry(t, open(t, t.TempDir()))
	publish(t, r, "a", object("n", "integer"), compat.Full)
	wider := `{"type":"object","additionalProperties":false,"required":["n"],"properties":{"n":{"type":"number"}}}`
	_, err := r.Publish(t.Context(), team, "", draft(t, "a", wider, ""))
	f := wantCode(t, "wider under full", err, fault.Conflict)
	if len(f.Entries) == 0 || f.Entries[0].Pointer != "/schema/properties/n" || !strings.Contains(f.Entries[0].Message, "forward") {
		t.Errorf("got the entries %+v, want the place of n, forward", f.Entries)
	}
	if n := publish(t, r, "a", wider, compat.Backward); n != 2 {
		t.Errorf("wider under backward: got version %d, want 2", n)
	}
	s, v, err := r.Find(t.Context(), team, registry.Ref{Name: "a"}, false)
	if err != nil || s.Compatibility != compat.Full || v.Compatibility != compat.Backward {
		t.Errorf("the name keeps %s and the version %s, %v, want full and backward", s.Compatibility, v.Compatibility, err)
	}
	none := compat.None
	if _, err := r.Change(t.Context(), team, "a", shelf.Change{Compatibility: &none}); err != nil {
		t.Fatal(err)
	}
	if n := publish(t, r, "a", object("other", "string"), ""); n != 3 {
		t.Errorf("anything under none: got version %d, want 3", n)
	}
}

func TestAVersionIsComparedWithTheNewestThatCanBeUsed(t *testing.T) {
	t.Parallel()
	r := newRegistry(t, open(t, t.TempDir()))
	publish(t, r, "a", object("n", "integer"), "")
	publish(t, r, "a", object("m", "string"), compat.None)
	if _, err := r.Withdraw(t.Context(), team, registry.Ref{Name: "a", Version: 2}); err != nil {
		t.Fatal(err)
	}
	p, err := r.Publish(t.Context(), team, "", draft(t, "a", object("n", "integer"), ""))
	if err != nil || p.New || p.Version.Number != 1 {
		t.Errorf("the content of version 1: got %+v, %v, want version 1 again", p.Version, err)
	}
	p, err = r.Publish(t.Context(), team, "", draft(t, "a", object("n", "number"), ""))
	if err != nil || p.Version.Number != 3 || p.Comparison.Against.Number != 1 || !p.Comparison.Compatible {
		t.Errorf("a wider version: got %d against %+v, %v, want 3 against 1", p.Version.Number, p.Comparison, err)
	}
}

func TestWhatIsPublishedHoldsAtOnce(t *testing.T) {
	t.Parallel()
	var told []string
	r := newRegistry(t, open(t, t.TempDir()), func(c *registry.Config) {
		c.Withdrawn = func(_ context.Context, team key.TeamID, ref string) { told = append(told, string(team)+" "+ref) }
	})
	wantCode(t, "before", resolveError(t, r, "a"), fault.NotFound)
	for n := 1; n <= 3; n++ {
		publish(t, r, "a", object(fmt.Sprintf("n%d", n), "integer"), compat.None)
		for range 2 { // The second is remembered.
			if v, err := r.Resolve(t.Context(), team, "a"); err != nil || v.Number != n {
				t.Errorf("behind version %d: got %d, %v", n, v.Number, err)
			}
		}
	}
	first, err := r.Resolve(t.Context(), team, "a@1")
	if err != nil || first.Ref() != "a@1" {
		t.Errorf("a@1: got %s, %v", first.Ref(), err)
	}
	wantCode(t, "another team", func() error { _, err := r.Resolve(t.Context(), "beta", "a@1"); return err }(), fault.NotFound)
	for _, ref := range []registry.Ref{{Name: "a", Version: 1}, {Name: "a"}} {
		if _, err := r.Withdraw(t.Context(), team, ref); err != nil {
			t.Fatal(err)
		}
		if f := wantCode(t, "withdrawn", resolveError(t, r, "a@1"), fault.Gone); !strings.Contains(f.Remediation, "promptd schemas restore") {
			t.Errorf("withdrawn %s: got the remedy %q, want how to restore", ref, f.Remediation)
		}
	}
	wantCode(t, "the whole name", resolveError(t, r, "a"), fault.Gone)
	if want := []string{"acme a@1", "acme a"}; !slices.Equal(told, want) {
		t.Errorf("told of %v, want %v", told, want)
	}
	for _, ref := range []registry.Ref{{Name: "a", Version: 1}, {Name: "a"}} {
		if _, err := r.Restore(t.Context(), team, ref); err != nil {
			t.Fatal(err)
		}
	}
	again, err := r.Resolve(t.Context(), team, "a@1")
	if err != nil || again.Hash != first.Hash || !value.Identical(again.Content, first.Content) {
		t.Errorf("restored: got %+v, %v, want the same version", again, err)
	}
}

func resolveError(t *testing.T, r *registry.Registry, ref string) error {
	t.Helper()
	_, err := r.Resolve(t.Context(), team, ref)
	return err
}

// Two registries on one directory stand for two processes: what one does the other sees with its next look at the counter.
func TestAnotherProcessIsSeenByItsCounter(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	here, there := newRegistry(t, open(t, dir)), newRegistry(t, open(t, dir))
	here.Refresh(t.Context())
	publish(t, there, "a", object("n", "integer"), "")
	if v, err := here.Resolve(t.Context(), team, "a"); err != nil || v.Number != 1 {
		t.Fatalf("what is not remembered: got %d, %v, want 1 at once", v.Number, err)
	}
	publish(t, there, "a", object("n", "number"), "")
	here.Refresh(t.Context())
	if v, err := here.Resolve(t.Context(), team, "a"); err != nil || v.Number != 2 {
		t.Errorf("behind a look: got %d, %v, want 2", v.Number, err)
	}
	if _, err := there.Withdraw(t.Context(), team, registry.Ref{Name: "a"}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- here.Run(ctx) }()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); !fault.Is(resolveError(t, here, "a"), fault.Gone); {
		if time.Since(began) > 10*time.Second {
			t.Fatal("withdrawn by another process, and still resolved after ten seconds")
		}
		<-tick.C
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("run: %v", err)
	}
}

func TestPublishersOfTwoProcessesLoseNoVersion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	both := []*registry.Registry{newRegistry(t, open(t, dir)), newRegistry(t, open(t, dir))}
	const n = 32
	got := make([]int, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { got[i] = publish(t, both[i%2], "busy", object(fmt.Sprintf("n%d", i), "integer"), compat.None) })
	}
	all.Wait()
	slices.Sort(got)
	for i, v := range got {
		if v != i+1 {
			t.Fatalf("got the versions %v, want 1 to %d once each", got, n)
		}
	}
}

// A reader that resolves while others publish never sees an older version behind a newer one that it was told of.
func TestAReaderNeverGoesBack(t *testing.T) {
	t.Parallel()
	r := newRegistry(t, open(t, t.TempDir()))
	publish(t, r, "a", object("n0", "integer"), compat.None)
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for last := 0; ; {
				v, err := r.Resolve(t.Context(), team, "a")
				if err != nil || v.Number < last {
					t.Errorf("got version %d behind %d, %v", v.Number, last, err)
					return
				}
				last = v.Number
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for i := 1; i <= 30; i++ {
		n := publish(t, r, "a", object(fmt.Sprintf("n%d", i), "integer"), compat.None)
		if v, err := r.Resolve(t.Context(), team, "a"); err != nil || v.Number != n {
			t.Errorf("the publisher of %d resolves %d, %v", n, v.Number, err)
		}
	}
	close(done)
	readers.Wait()
}

func TestWaitingForATurnEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	r := newRegistry(t, open(t, t.TempDir()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Publish(ctx, team, "", draft(t, "a", `true`, "")); err == nil {
		t.Error("published for a caller who has gone")
	}
	if n := publish(t, r, "a", `true`, ""); n != 1 {
		t.Errorf("the next publisher: got version %d, want 1", n)
	}
}
