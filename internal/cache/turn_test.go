package cache_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/promptd/promptd/internal/cache"
	"github.com/promptd/promptd/internal/cache/cachetest"
	"github.com/promptd/promptd/internal/cache/memory"
)

func TestSimulatedLockKeepsTheContract(t *testing.T) {
	t.Parallel()
	cachetest.RunLock(t, func(*testing.T) cachetest.LockInstance {
		h := newHand()
		return cachetest.LockInstance{Lock: &cachetest.Locks{Now: h.Now}, Advance: h.Advance}
	})
}

// stage is what the processes of a test share.
type stage struct {
	lock  *cachetest.Locks
	tier  *memory.Tier
	turns *cache.Turns
	key   cache.Key
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{lock: &cachetest.Locks{}, tier: near(t, nil), key: build("a", field{"x", "1"})}
	s.turns = cache.NewTurns(s.lock, s.tier)
	return s
}

type took struct {
	turn cache.Turn
	err  error
	at   time.Duration
}

// take asks for the turn in a goroutine and gives the channel of its outcome.
func (s *stage) take(ctx context.Context) <-chan took {
	out := make(chan took, 1) // One outcome, so that nobody waits for a reader.
	begun := time.Now()
	go func() {
		turn, err := s.turns.Take(ctx, s.key)
		out <- took{turn, err, time.Since(begun)}
	}()
	synctest.Wait()
	return out
}

func (s *stage) leads(t *testing.T) cache.Turn {
	t.Helper()
	got := <-s.take(t.Context())
	if got.err != nil || got.turn.Answer != nil {
		t.Fatalf("Take = %+v, want the lead", got)
	}
	return got.turn
}

func waits(t *testing.T, who string, c <-chan took) {
	t.Helper()
	synctest.Wait()
	select {
	case got := <-c:
		t.Errorf("%s does not wait: %+v", who, got)
	default:
	}
}

func (s *stage) store(t *testing.T, v string) {
	t.Helper()
	if err := s.tier.Put(t.Context(), s.key, []byte(v), time.Hour); err != nil {
		t.Fatal(err)
	}
}

func TestFollowersTakeTheLeadersAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		leader := s.leads(t)
		one, two := s.take(t.Context()), s.take(t.Context())
		<-time.After(20 * time.Second) // Longer than a lease: it is renewed.
		waits(t, "one", one)
		waits(t, "two", two)
		s.store(t, "v")
		leader.End(true)
		leader.End(false) // The first counts.
		for _, c := range []<-chan took{one, two} {
			if got := <-c; got.err != nil || string(got.turn.Answer) != "v" || got.at > 20*time.Second+200*time.Millisecond || got.turn.Waited != got.at {
				t.Errorf("a follower got %q after %s (waited %s), %v, want v soon after 20s", got.turn.Answer, got.at, got.turn.Waited, got.err)
			}
		}
		s.turns.Close()
	})
}

func TestFollowersGoAloneWhereTheLeaderHasNoAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		leader := s.leads(t)
		one, two := s.take(t.Context()), s.take(t.Context())
		<-time.After(time.Second)
		leader.End(false)
		for _, c := range []<-chan took{one, two} {
			got := <-c
			if got.err != nil || got.turn.Answer != nil || got.at > 1200*time.Millisecond {
				t.Errorf("a follower got %+v, want to go alone at once", got)
			}
			got.turn.End(true)
		}
		// Who comes now begins anew.
		s.leads(t).End(false)
		s.turns.Close()
	})
}

// TestDeadLeaderHoldsUpForItsLease: one of those who waited takes its place, the other waits for that one.
func TestDeadLeaderHoldsUpForItsLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		if _, err := s.lock.Take(t.Context(), s.key, "dies", 5*time.Second); err != nil {
			t.Fatal(err)
		}
		one, two := s.take(t.Context()), s.take(t.Context())
		var next took
		other := two
		select {
		case next = <-one:
		case next = <-two:
			other = one
		}
		if next.err != nil || next.turn.Answer != nil || next.at < 5*time.Second || next.at > 5200*time.Millisecond {
			t.Fatalf("the next leader got %+v, want the lead after 5s", next)
		}
		<-time.After(time.Second)
		waits(t, "the other", other)
		s.store(t, "v")
		next.turn.End(true)
		if got := <-other; string(got.turn.Answer) != "v" {
			t.Errorf("the other got %+v, want v", got)
		}
		s.turns.Close()
	})
}

// TestLeaderThatDiedHavingStored: the answer is taken although nobody said that it is there.
func TestLeaderThatDiedHavingStored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		if _, err := s.lock.Take(t.Context(), s.key, "dies", 5*time.Second); err != nil {
			t.Fatal(err)
		}
		follower := s.take(t.Context())
		s.store(t, "v")
		if got := <-follower; string(got.turn.Answer) != "v" {
			t.Errorf("the follower got %+v, want v", got)
		}
	})
}

// TestPatienceIsHalfOfTheTime: who waits has the other half for a call of its own.
func TestPatienceIsHalfOfTheTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		leader := s.leads(t)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if got := <-s.take(ctx); got.err != nil || got.turn.Answer != nil || got.at != 5*time.Second {
			t.Errorf("Take with 10s = %+v, want to go alone after 5s", got)
		}
		gone, leave := context.WithCancel(t.Context())
		follower := s.take(gone)
		leave()
		if got := <-follower; !errors.Is(got.err, context.Canceled) {
			t.Errorf("Take of a caller who goes away = %+v, want context.Canceled", got)
		}
		leader.End(false)
		s.turns.Close()
	})
}

func TestBrokenLockHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		broken := errors.New("broken")
		s.lock.Break(broken)
		if got := <-s.take(t.Context()); got.err != nil || got.turn.Answer != nil || got.at != 0 {
			t.Errorf("Take = %+v, want to go alone at once", got)
		}
		s.lock.Break(nil)
		leader := s.leads(t)
		follower := s.take(t.Context())
		s.lock.Break(broken)
		if got := <-follower; got.err != nil || got.turn.Answer != nil || got.at > time.Second {
			t.Errorf("a follower got %+v, want to go alone soon", got)
		}
		leader.End(true)
		s.turns.Close()
	})
}

// TestAnswerStoredBetweenLookAndLeadIsTaken: the caller's own look was a miss, and by its turn the answer is there.
func TestAnswerStoredBetweenLookAndLeadIsTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.store(t, "v")
		if got := <-s.take(t.Context()); string(got.turn.Answer) != "v" {
			t.Errorf("Take = %+v, want v", got)
		}
		if how, err := s.lock.Look(t.Context(), s.key, "x"); err != nil || how != cache.Lost {
			t.Errorf("Look = %d, %v", how, err)
		}
		if _, err := s.tier.Drop(t.Context(), cache.KeyTag(s.key)); err != nil {
			t.Fatal(err)
		}
		s.leads(t).End(false) // The lead was given back.
		s.turns.Close()
	})
}

// TestLostLeaderLeavesItsSuccessorAlone: it goes on, and its end changes nothing.
func TestLostLeaderLeavesItsSuccessorAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		lost := s.leads(t)
		s.lock.Break(errors.New("cut off")) // Its renewals fail until the lease has run out.
		<-time.After(10 * time.Second)
		s.lock.Break(nil)
		successor := s.leads(t)
		follower := s.take(t.Context())
		lost.End(false)
		<-time.After(time.Second)
		waits(t, "the follower of the successor", follower)
		s.store(t, "v")
		successor.End(true)
		if got := <-follower; string(got.turn.Answer) != "v" {
			t.Errorf("the follower got %+v, want v", got)
		}
		s.turns.Close()
	})
}
