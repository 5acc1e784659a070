package cachetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/cache"
)

// LockInstance is a lock under test.
type LockInstance struct {
	Lock cache.Lock
	// Advance moves the lock's time.
	Advance func(d time.Duration)
}

// RunLock runs the contract of cache.Lock.
func RunLock(t *testing.T, fresh func(t *testing.T) LockInstance) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(*testing.T, LockInstance)
	}{
		{"FirstLeads", firstLeads},
		{"KeysAndTeamsAreApart", leadsAreApart},
		{"LeaseEnds", leaseEnds},
		{"RenewalProlongs", renewalProlongs},
		{"EndingIsKnown", endingIsKnown},
		{"WhoHasLostTheLeadTouchesNothing", lostLeadTouchesNothing},
		{"OneOfManyLeads", oneOfManyLeads},
		{"CancelledContextTakesNothing", cancelledTakesNothing},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, fresh(t))
		})
	}
}

// The lease is long, since a server's time goes on while a test works.
const lease = time.Minute

func take(t *testing.T, i LockInstance, k cache.Key, token, want string) {
	t.Helper()
	if got, err := i.Lock.Take(t.Context(), k, token, lease); err != nil || got != want {
		t.Errorf("Take by %s = %q, %v, want %q", token, got, err, want)
	}
}

func look(t *testing.T, i LockInstance, k cache.Key, leader string, want cache.Ending) {
	t.Helper()
	if got, err := i.Lock.Look(t.Context(), k, leader); err != nil || got != want {
		t.Errorf("Look at %s = %d, %v, want %d", leader, got, err, want)
	}
}

func end(t *testing.T, i LockInstance, k cache.Key, token string, how cache.Ending) {
	t.Helper()
	if err := i.Lock.End(t.Context(), k, token, how); err != nil {
		t.Errorf("End of %s = %v", token, err)
	}
}

func renew(t *testing.T, i LockInstance, k cache.Key, token string, want bool) {
	t.Helper()
	if got, err := i.Lock.Renew(t.Context(), k, token, lease); err != nil || got != want {
		t.Errorf("Renew of %s = %t, %v, want %t", token, got, err, want)
	}
}

func firstLeads(t *testing.T, i LockInstance) {
	k := keyOf("a", "x")
	look(t, i, k, "one", cache.Lost)
	take(t, i, k, "one", "one")
	take(t, i, k, "two", "one")
	take(t, i, k, "one", "one")
	look(t, i, k, "one", cache.Leads)
	look(t, i, k, "two", cache.Lost)
}

func leadsAreApart(t *testing.T, i LockInstance) {
	for _, k := range []cache.Key{keyOf("a", "x"), keyOf("a", "y"), keyOf("b", "x"), keyOf("", "x")} {
		take(t, i, k, "of "+k.Team()+k.String(), "of "+k.Team()+k.String())
	}
}

func leaseEnds(t *testing.T, i LockInstance) {
	k := keyOf("a", "x")
	take(t, i, k, "one", "one")
	i.Advance(lease / 2)
	look(t, i, k, "one", cache.Leads)
	i.Advance(lease/2 + time.Second)
	look(t, i, k, "one", cache.Lost)
	take(t, i, k, "two", "two")
	look(t, i, k, "one", cache.Lost)
}

func renewalProlongs(t *testing.T, i LockInstance) {
	k := keyOf("a", "x")
	renew(t, i, k, "one", false)
	take(t, i, k, "one", "one")
	for range 3 {
		i.Advance(lease * 2 / 3)
		renew(t, i, k, "one", true)
	}
	renew(t, i, k, "two", false)
	look(t, i, k, "one", cache.Leads)
	i.Advance(lease + time.Second)
	renew(t, i, k, "one", false)
}

func endingIsKnown(t *testing.T, i LockInstance) {
	for _, how := range []cache.Ending{cache.Stored, cache.Without} {
		k := keyOf("a", fmt.Sprint(how))
		take(t, i, k, "one", "one")
		end(t, i, k, "one", how)
		look(t, i, k, "one", how)
		renew(t, i, k, "one", false)
		i.Advance(time.Minute / 2)
		look(t, i, k, "one", how)
		take(t, i, k, "two", "two")
		look(t, i, k, "one", cache.Lost)
		look(t, i, k, "two", cache.Leads)
	}
	k := keyOf("a", "x")
	take(t, i, k, "one", "one")
	for _, how := range []cache.Ending{cache.Leads, cache.Lost} {
		if err := i.Lock.End(t.Context(), k, "one", how); err == nil {
			t.Errorf("End as %d = nil, want an error", how)
		}
	}
	look(t, i, k, "one", cache.Leads)
}

func lostLeadTouchesNothing(t *testing.T, i LockInstance) {
	k := keyOf("a", "x")
	take(t, i, k, "one", "one")
	i.Advance(lease + time.Second)
	take(t, i, k, "two", "two")
	end(t, i, k, "one", cache.Without)
	renew(t, i, k, "one", false)
	look(t, i, k, "two", cache.Leads)
	end(t, i, k, "two", cache.Stored)
	end(t, i, k, "one", cache.Without)
	look(t, i, k, "two", cache.Stored)
}

func oneOfManyLeads(t *testing.T, i LockInstance) {
	for round := range 20 {
		k := keyOf("a", fmt.Sprint(round))
		var mu sync.Mutex
		leaders := map[string]int{}
		var wg sync.WaitGroup
		for w := range 16 {
			wg.Go(func() {
				leader, err := i.Lock.Take(t.Context(), k, fmt.Sprint(w), lease)
				check(t, err)
				mu.Lock()
				defer mu.Unlock()
				leaders[leader]++
			})
		}
		wg.Wait()
		if len(leaders) != 1 {
			t.Errorf("16 callers were told of the leaders %v, want one", leaders)
		}
	}
}

func cancelledTakesNothing(t *testing.T, i LockInstance) {
	k := keyOf("a", "x")
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if leader, err := i.Lock.Take(gone, k, "one", lease); !errors.Is(err, context.Canceled) {
		t.Errorf("Take with a cancelled context = %q, %v, want context.Canceled", leader, err)
	}
	take(t, i, k, "two", "two")
}

// Locks is a lock among processes that are simulated in one. Its zero value is ready; a test may break it.
type Locks struct {
	// Now gives the time; nil means time.Now.
	Now func() time.Time

	mu sync.Mutex

	broken error
	leads  map[cache.Key]lead
}

type lead struct {
	token string
	how   cache.Ending
	until time.Time
}

// Break makes every call fail with an error, until it is nil.
func (l *Locks) Break(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = err
}

func (l *Locks) now() time.Time {
	if l.Now == nil {
		return time.Now()
	}
	return l.Now()
}

// at gives the lead of a key as it is now. The mutex is held.
func (l *Locks) at(k cache.Key) (lead, bool) {
	now, ok := l.leads[k]
	return now, ok && l.now().Before(now.until)
}

func (l *Locks) set(k cache.Key, next lead) {
	if l.leads == nil {
		l.leads = map[cache.Key]lead{}
	}
	l.leads[k] = next
}

func (l *Locks) refuses(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return l.broken
}

// Take makes the token the leader where nobody is.
func (l *Locks) Take(ctx context.Context, k cache.Key, token string, d time.Duration) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refuses(ctx); err != nil {
		return "", err
	}
	if now, ok := l.at(k); ok && now.how == cache.Leads {
		return now.token, nil
	}
	l.set(k, lead{token, cache.Leads, l.now().Add(d)})
	return token, nil
}

// Renew prolongs a lead.
func (l *Locks) Renew(ctx context.Context, k cache.Key, token string, d time.Duration) (bool, error) {
	return l.write(ctx, k, lead{token, cache.Leads, l.now().Add(d)})
}

// End ends a lead.
func (l *Locks) End(ctx context.Context, k cache.Key, token string, how cache.Ending) error {
	if err := cache.CheckEnding(how); err != nil {
		return err
	}
	_, err := l.write(ctx, k, lead{token, how, l.now().Add(time.Minute)})
	return err
}

func (l *Locks) write(ctx context.Context, k cache.Key, next lead) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refuses(ctx); err != nil {
		return false, err
	}
	if now, ok := l.at(k); !ok || now.token != next.token || now.how != cache.Leads {
		return false, nil
	}
	l.set(k, next)
	return true, nil
}

// Look says how a lead stands.
func (l *Locks) Look(ctx context.Context, k cache.Key, leader string) (cache.Ending, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refuses(ctx); err != nil {
		return cache.Lost, err
	}
	if now, ok := l.at(k); ok && now.token == leader {
		return now.how, nil
	}
	return cache.Lost, nil
}

var _ cache.Lock = (*Locks)(nil)
