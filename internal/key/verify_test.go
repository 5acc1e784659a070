package key_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/store/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// openKeys opens a store of its own.
func openKeys(t testing.TB) key.Store {
	t.Helper()
	db, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatalf("open a store: %v", err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return db.Keys()
}

// watched is a store that counts and can break.
type watched struct {
	key.Store

	looks  atomic.Int64
	touch  atomic.Int64
	broken atomic.Bool
	back   atomic.Bool
	// before is run before each read, if it is set.
	before func()
}

var errBroken = errors.New("the store is broken")

func (w *watched) Changes(ctx context.Context, since int64) ([]key.Held, int64, error) {
	w.looks.Add(1)
	if w.before != nil {
		w.before()
	}
	if w.broken.Load() {
		return nil, 0, errBroken
	}
	if w.back.Load() && since >= 0 {
		return nil, 0, nil // As after an older database was put in place.
	}
	return w.Store.Changes(ctx, since)
}

func (w *watched) Touch(ctx context.Context, uses []key.Use) error {
	w.touch.Add(int64(len(uses)))
	return w.Store.Touch(ctx, uses)
}

// bench is a verifier with its store, clock and issuer.
type bench struct {
	store    *watched
	verifier *key.Verifier
	issuer   *key.Issuer
	now      atomic.Int64
	faults   atomic.Int64
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{store: &watched{Store: openKeys(t)}}
	b.now.Store(time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC).UnixNano())
	var err error
	b.verifier, err = key.NewVerifier(t.Context(), b.store, key.VerifierConfig{
		DefaultRateLimitPerHour: 1000, Now: b.clock, OnError: func(error) { b.faults.Add(1) },
	})
	if err != nil {
		t.Fatalf("make a verifier: %v", err)
	}
	b.issuer = &key.Issuer{Store: b.store, Changed: b.verifier.Refresh, Now: b.clock}
	return b
}

func (b *bench) clock() time.Time { return time.Unix(0, b.now.Load()).UTC() }

func (b *bench) advance(d time.Duration) { b.now.Add(int64(d)) }

func (b *bench) create(t *testing.T, k key.Key) (key.Key, string) {
	t.Helper()
	k.Name = "test"
	made, secret, err := b.issuer.Create(t.Context(), k)
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	return made, secret.Reveal()
}

// want checks what a token is answered.
func (b *bench) want(t *testing.T, what, token, detail string) {
	t.Helper()
	_, err := b.verifier.Verify(t.Context(), token)
	switch {
	case detail == "" && err != nil:
		t.Errorf("%s: got %v, want the caller", what, err)
	case detail != "" && (!fault.Is(err, fault.Unauthorized) || fault.Of(err).Detail != detail):
		t.Errorf("%s: got %v, want UNAUTHORIZED: %s", what, err, detail)
	}
}

func TestACallerCarriesWhatItsKeySays(t *testing.T) {
	t.Parallel()
	b, none := newBench(t), 0
	made, token := b.create(t, key.Key{Team: "acme", Models: []string{"m"}, MaxConcurrency: 3, Budget: &key.Budget{Limit: 5, Period: key.Daily}})
	_, free := b.create(t, key.Key{RateLimitPerHour: &none})
	c, err := b.verifier.Verify(t.Context(), token)
	if err != nil || c.Key != made.ID || c.Team != "acme" || c.Scopes != key.UsualScopes || c.RateLimitPerHour != 1000 || c.MaxConcurrency != 3 || c.Models[0] != "m" || c.Budget.Limit != 5 {
		t.Errorf("got %+v, %v", c, err)
	}
	b.verifier.SetDefaultRateLimit(7)
	if c, err = b.verifier.Verify(t.Context(), token); err != nil || c.RateLimitPerHour != 7 {
		t.Errorf("after the configuration changed: got %+v, %v, want the limit 7", c, err)
	}
	if c, err = b.verifier.Verify(t.Context(), free); err != nil || c.RateLimitPerHour != 0 {
		t.Errorf("a key without a limit: got %+v, %v, want 0", c, err)
	}
}

func TestAKeyEndsWhenItExpires(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	made, token := b.create(t, key.Key{ExpiresAt: b.clock().Add(time.Minute)})
	b.advance(time.Minute - 1)
	b.want(t, "just before", token, "")
	if !b.verifier.Any() {
		t.Errorf("just before: Any is false, want true")
	}
	b.advance(1)
	b.want(t, "at the moment", token, fmt.Sprintf("the key %s expired at 2026-11-24T10:01:00Z", made.ID))
	if b.verifier.Any() {
		t.Errorf("at the moment: Any is true, want false")
	}
}

func TestARevokedKeyEndsAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	made, token := b.create(t, key.Key{})
	b.want(t, "before", token, "")
	if _, err := b.issuer.Revoke(t.Context(), key.OfTeam(key.DefaultTeam), made.ID); err != nil {
		t.Fatalf("revoke: %v", err)
	}
	b.want(t, "after", token, fmt.Sprintf("the key %s was revoked", made.ID))
	if b.verifier.Any() {
		t.Errorf("after: Any is true, want false")
	}
}

func TestARotatedKeyHasTwoSecretsForTheGrace(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	made, first := b.create(t, key.Key{})
	rotate := func(grace time.Duration) string {
		_, secret, err := b.issuer.Rotate(t.Context(), key.AllTeams(), made.ID, grace)
		if err != nil {
			t.Fatalf("rotate: %v", err)
		}
		return secret.Reveal()
	}
	second := rotate(time.Minute)
	b.want(t, "the secret before, within the grace", first, "")
	b.want(t, "the new secret", second, "")
	b.advance(time.Minute)
	b.want(t, "the secret before, after the grace", first, fmt.Sprintf("the key %s has another secret since it was rotated", made.ID))
	third := rotate(0)
	b.want(t, "the first secret", first, "the key is not known here")
	b.want(t, "the second secret, without grace", second, "the key is not known here")
	b.want(t, "the third secret", third, "")
	if _, _, err := b.issuer.Rotate(t.Context(), key.AllTeams(), made.ID, -1); !fault.Is(err, fault.InvalidRequest) {
		t.Errorf("a negative grace: got %v, want INVALID_REQUEST", err)
	}
}

func TestUnknownKeysCostFewLooks(t *testing.T) {
	t.Parallel()
	b, elsewhere := newBench(t), &key.Issuer{Store: openKeys(t)}
	before := b.store.looks.Load()
	for range 200 {
		_, secret, err := elsewhere.Create(t.Context(), key.Key{Name: "unknown here"})
		if err != nil {
			t.Fatalf("create: %v", err)
		}
		b.want(t, "a made-up key", secret.Reveal(), "the key is not known here")
	}
	if looks := b.store.looks.Load() - before; looks > 1 {
		t.Errorf("200 unknown keys at one moment: %d looks into the store, want 1", looks)
	}
}

func TestAKeyMadeElsewhereIsFoundAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, secret, err := (&key.Issuer{Store: b.store}).Create(t.Context(), key.Key{Name: "made by another process"})
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	b.want(t, "a key of another process", secret.Reveal(), "")
}

// TestAKeyMadeElsewhereIsFoundByAllWhoBeginWithIt holds the store's answer back until every request is on its way.
func TestAKeyMadeElsewhereIsFoundByAllWhoBeginWithIt(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, secret, err := (&key.Issuer{Store: b.store}).Create(t.Context(), key.Key{Name: "made by another process"})
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	const callers = 16
	gate, looking := make(chan struct{}), make(chan struct{}, callers)
	b.store.before = func() { looking <- struct{}{}; <-gate }
	errs := make(chan error, callers)
	ask := func() {
		_, err := b.verifier.Verify(t.Context(), secret.Reveal())
		errs <- err
	}
	go ask()
	<-looking // The first one looks, and is held.
	for range callers - 1 {
		go ask()
	}
	select {
	case err := <-errs:
		t.Errorf("a request was answered before the store had: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(gate)
	for range callers {
		if err := <-errs; err != nil {
			t.Errorf("got %v", err)
		}
	}
}

func TestKeysHoldABoundedTimeWithoutTheStore(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, token := b.create(t, key.Key{})
	b.store.broken.Store(true)
	b.advance(time.Minute)
	b.verifier.Refresh(t.Context())
	b.want(t, "a minute without the store", token, "")
	b.advance(time.Second)
	if _, err := b.verifier.Verify(t.Context(), token); !fault.Is(err, fault.Overloaded) {
		t.Errorf("more than a minute without the store: got %v, want OVERLOADED", err)
	}
	if b.faults.Load() == 0 {
		t.Errorf("a broken store: nobody was told")
	}
	b.store.broken.Store(false)
	b.advance(time.Second)
	b.want(t, "the store is back", token, "")
}

func TestAnOlderDatabaseReplacesWhatIsKnown(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	made, token := b.create(t, key.Key{})
	b.store.back.Store(true)
	b.verifier.Refresh(t.Context())
	b.want(t, "a key that the older database has", token, "")
	if _, err := b.store.Revoke(t.Context(), key.AllTeams(), made.ID, b.clock()); err != nil {
		t.Fatalf("revoke: %v", err)
	}
	b.verifier.Refresh(t.Context())
	b.want(t, "a change in the older database", token, fmt.Sprintf("the key %s was revoked", made.ID))
}

func TestUsesAreNotedNowAndThenAndAtTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		made, token := b.create(t, key.Key{})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- b.verifier.Run(ctx) }()
		for range 100 {
			b.want(t, "a use", token, "")
		}
		b.advance(31 * time.Second)
		wait(31 * time.Second)
		if n := b.store.touch.Load(); n != 1 {
			t.Errorf("100 uses in half a minute were noted %d times, want once", n)
		}
		b.want(t, "another use", token, "")
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
		got, err := b.store.Key(t.Context(), key.AllTeams(), made.ID)
		if err != nil || !got.LastUsedAt.Equal(b.clock()) {
			t.Errorf("last used at %s, %v, want %s", got.LastUsedAt, err, b.clock())
		}
		if n := b.store.looks.Load(); n < 100 || n > 110 {
			t.Errorf("31 seconds: %d looks into the store, want one every 300 ms", n)
		}
	})
}

// wait lets the bubble's time go on.
func wait(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestVerifyDoesNotAllocate(t *testing.T) {
	b := newBench(t) // Not parallel: allocations are counted for the whole process.
	_, token := b.create(t, key.Key{})
	ctx := t.Context()
	if n := testing.AllocsPerRun(1000, func() {
		if _, err := b.verifier.Verify(ctx, token); err != nil {
			t.Fatalf("verify: %v", err)
		}
	}); n > 0 {
		t.Errorf("a check allocates %.1f times, want 0", n)
	}
}

func TestManyVerifyWhileKeysChange(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, steady := b.create(t, key.Key{})
	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for ctx.Err() == nil {
				if _, err := b.verifier.Verify(t.Context(), steady); err != nil {
					t.Errorf("a key that nobody changes: %v", err)
					return
				}
			}
		})
	}
	for range 20 {
		made, token := b.create(t, key.Key{})
		b.want(t, "a new key", token, "")
		if _, err := b.issuer.Revoke(t.Context(), key.AllTeams(), made.ID); err != nil {
			t.Fatalf("revoke: %v", err)
		}
		b.want(t, "the key just revoked", token, fmt.Sprintf("the key %s was revoked", made.ID))
		b.verifier.SetDefaultRateLimit(5)
	}
	stop()
	readers.Wait()
}

func TestPagesOfKeysAreBounded(t *testing.T) {
	t.Parallel()
	issuer := &key.Issuer{Store: openKeys(t)}
	for _, limit := range []int{-1, 501} {
		if _, _, err := issuer.List(t.Context(), key.AllTeams(), limit, ""); !fault.Is(err, fault.InvalidRequest) {
			t.Errorf("limit %d: got %v, want INVALID_REQUEST", limit, err)
		}
	}
	if list, next, err := issuer.List(t.Context(), key.AllTeams(), 0, ""); err != nil || list == nil || next != "" {
		t.Errorf("an empty store: got %v, %q, %v, want an empty list", list, next, err)
	}
}
