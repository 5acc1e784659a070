package shelf_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/schema/compat"
	"github.com/promptd/promptd/internal/shelf"
	"github.com/promptd/promptd/internal/store/sqlite"
	"github.com/promptd/promptd/internal/value"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// counting is a shelf that makes of a version its number, and counts how often it does.
type counting struct {
	*shelf.Shelf[int]

	made atomic.Int64
}

func newCounting(tb testing.TB, change ...func(*shelf.Config[int])) *counting {
	tb.Helper()
	db, err := sqlite.Open(tb.Context(), sqlite.Options{Dir: tb.TempDir()})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	c := &counting{}
	cfg := shelf.Config[int]{Kind: kind, Store: db.Schemas(), Make: func(v shelf.Version) (int, error) {
		c.made.Add(1)
		return v.Number, nil
	}}
	for _, f := range change {
		f(&cfg)
	}
	c.Shelf = shelf.New(cfg)
	return c
}

func anything(context.Context, shelf.Version, compat.Mode) error { return nil }

// publish publishes a content that no other version has.
func (c *counting) publish(tb testing.TB, team key.TeamID, name string, n int) {
	tb.Helper()
	content := value.String(fmt.Sprint(team, name, n))
	d := shelf.Draft{Team: team, Name: name, Content: content, Hash: sha256.Sum256([]byte(content.Text()))}
	p, err := c.Publish(tb.Context(), d, anything)
	if err != nil || !p.New || p.Version.Number != n {
		tb.Fatalf("publish %s: got %+v, %v, want version %d", name, p.Version, err, n)
	}
}

func TestWhatWasMadeStaysWhileOthersPublish(t *testing.T) {
	t.Parallel()
	c := newCounting(t)
	resolves := func(text string, version int, made int64) {
		t.Helper()
		got, err := c.Resolve(t.Context(), "acme", text)
		if err != nil || got != version || c.made.Load() != made {
			t.Errorf("%s: got %d, %v, with %d made, want %d with %d made", text, got, err, c.made.Load(), version, made)
		}
	}
	c.publish(t, "acme", "a", 1)
	resolves("a", 1, 1)
	resolves("a@1", 1, 1)
	c.publish(t, "beta", "b", 1)
	c.publish(t, "acme", "other", 1)
	c.Refresh(t.Context())
	resolves("a", 1, 1)
	resolves("a@1", 1, 1)
	c.publish(t, "acme", "a", 2)
	resolves("a", 2, 2)
	resolves("a@1", 1, 2)
	if _, err := c.Withdraw(t.Context(), "acme", shelf.Ref{Name: "a", Version: 2}); err != nil {
		t.Fatal(err)
	}
	resolves("a", 1, 2)
	if _, err := c.Resolve(t.Context(), "acme", "a@2"); !fault.Is(err, fault.Gone) {
		t.Errorf("the withdrawn version: got %v, want GONE", err)
	}
	if _, err := c.Resolve(t.Context(), "beta", "a@1"); !fault.Is(err, fault.NotFound) {
		t.Errorf("another team's version: got %v, want NOT_FOUND", err)
	}
	if _, err := c.Restore(t.Context(), "acme", shelf.Ref{Name: "a", Version: 2}); err != nil {
		t.Fatal(err)
	}
	resolves("a", 2, 2)
}

func TestWhatCanNotBeMadeIsTriedAgain(t *testing.T) {
	t.Parallel()
	broken := errors.New("a limit is too tight")
	tries := 0
	c := newCounting(t, func(cfg *shelf.Config[int]) {
		cfg.Make = func(v shelf.Version) (int, error) {
			if tries++; tries == 1 {
				return 0, broken
			}
			return v.Number, nil
		}
	})
	c.publish(t, "acme", "a", 1)
	if _, err := c.Resolve(t.Context(), "acme", "a"); !errors.Is(err, broken) {
		t.Errorf("got %v, want the error of making it", err)
	}
	if n, err := c.Resolve(t.Context(), "acme", "a"); err != nil || n != 1 {
		t.Errorf("the next time: got %d, %v, want 1", n, err)
	}
}

func TestAComparisonThatIsEndedUndecidedIsATimeout(t *testing.T) {
	t.Parallel()
	v := &shelf.Version{Name: "a", Number: 3}
	late := newCounting(t, func(cfg *shelf.Config[int]) { cfg.Patience = -1 })
	early := newCounting(t)
	run := func(c *counting, ctx context.Context, decided bool) error {
		return c.Within(ctx, v, func(context.Context) bool { return decided })
	}
	if err := run(late, t.Context(), false); !fault.Is(err, fault.Timeout) || fault.Of(err).Remediation == "" {
		t.Errorf("ended undecided: got %v, want TIMEOUT with a remedy", err)
	}
	for name, err := range map[string]error{
		"decided late": run(late, t.Context(), true), "decided in time": run(early, t.Context(), true), "undecided in time": run(early, t.Context(), false),
	} {
		if err != nil {
			t.Errorf("%s: got %v, want none", name, err)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run(early, gone, true); !errors.Is(err, context.Canceled) || fault.Is(err, fault.Timeout) {
		t.Errorf("the caller is gone: got %v, want its own end", err)
	}
}

// A name that moves between the look and the publication is looked at again; one that moves each time ends as OVERLOADED.
func TestAPublicationIsComparedWithWhatItFollows(t *testing.T) {
	t.Parallel()
	c := newCounting(t)
	c.publish(t, "acme", "a", 1)
	var seen []int
	d := shelf.Draft{Team: "acme", Name: "a", Content: value.String("x"), Hash: sha256.Sum256([]byte("x"))}
	p, err := c.Publish(t.Context(), d, func(ctx context.Context, before shelf.Version, _ compat.Mode) error {
		if seen = append(seen, before.Number); len(seen) == 1 { // Somebody else withdraws what it is compared with.
			_, err := c.Withdraw(ctx, "acme", shelf.Ref{Name: "a", Version: 1})
			return err
		}
		return errors.New("nothing is left to compare with")
	})
	if err != nil || p.Version.Number != 2 || len(seen) != 1 {
		t.Errorf("got version %d, %v, compared with %v, want version 2, compared once", p.Version.Number, err, seen)
	}
	tries := 0
	d.Hash, d.Content = sha256.Sum256([]byte("y")), value.String("y")
	_, err = c.Publish(t.Context(), d, func(ctx context.Context, _ shelf.Version, _ compat.Mode) error {
		tries++
		text := fmt.Sprint(tries)
		_, err := c.Change(ctx, "acme", "a", shelf.Change{Description: &text})
		return err
	})
	if !fault.Is(err, fault.Overloaded) || tries > 50 {
		t.Errorf("got %v after %d tries, want OVERLOADED soon", err, tries)
	}
}
