package cache

import (
	"context"
	"crypto/rand"
	"errors"
	"math"
	"sync"
	"time"
)

// Lock says which process makes the answer of a key. It is a lease: it ends by itself where nobody renews it. All methods may be called at the same time
// from many goroutines; errors mean that the lock is in trouble, and callers then go on as if nobody else were there.
type Lock interface {
	// Take makes the token the leader of a key for a time where nobody is, and gives the leader's token: the caller's own, or that of whoever was first.
	Take(ctx context.Context, k Key, token string, lease time.Duration) (leader string, err error)
	// Renew prolongs a lead, and says whether it is still held.
	Renew(ctx context.Context, k Key, token string, lease time.Duration) (held bool, err error)
	// End ends a lead and says how. It does nothing where the lead is no longer held.
	End(ctx context.Context, k Key, token string, how Ending) error
	// Look says how a lead stands. Its ending is known for a minute at least, unless another lead has begun.
	Look(ctx context.Context, k Key, leader string) (Ending, error)
}

// Ending is how a lead stands.
type Ending uint8

// The endings of a lead.
const (
	// Leads: it has not ended.
	Leads Ending = iota
	// Stored: the answer lies in the shared tier.
	Stored
	// Without: it has no answer that others can use.
	Without
	// Lost: its lease has run out, or it ended long ago.
	Lost
)

const (
	// leaseOf is how long a leader that has died holds up those who wait for it, at most.
	leaseOf = 5 * time.Second
	// renewals are how many fit into a lease: two may fail.
	renewals = 3
	// Looks are this far apart: at first, then half as much again each time, up to the latter.
	firstLook = 10 * time.Millisecond
	mostLook  = 100 * time.Millisecond
	// mostLeaders bounds how many leaders one after the other a request waits for: when a second one has died, something else is wrong.
	mostLeaders = 2
)

// Turns lets identical requests of several processes share one call. Inside a process a [Group] does so; who leads there asks for the turn among the others.
//
// The leader's lock is fenced by a token of its own: neither a renewal nor an end of a leader that has lost its lease touches its successor's. What such a
// leader stores late is harmless: whatever is stored under a key is an answer to the same canonical request that was judged by the same schema with the same
// evaluator, since the key is the hash of these, so a later write replaces a right answer by a right one.
//
// Who waits never does worse than it would alone by more than half of its time: it then makes its own call, as it does at once when the leader ends without
// an answer, or where the lock is in trouble. Nobody is served what was not stored in the tier, and only judged answers are.
type Turns struct {
	lock    Lock
	tier    Tier
	renewed sync.WaitGroup
}

// NewTurns makes turns by a lock, for answers that lie in a tier.
func NewTurns(lock Lock, tier Tier) *Turns { return &Turns{lock: lock, tier: tier} }

// Turn is what Take gives: an answer that another process has made meanwhile, or leave to make it.
type Turn struct {
	// Answer is what was stored; nil where the caller makes its own call.
	Answer []byte
	// Waited is the time spent on others.
	Waited time.Duration

	end func(Ending)
}

// End says that the call is over, and whether its answer was stored. It is called once the answer of a Turn without one is there; further calls do nothing.
func (t Turn) End(stored bool) {
	switch {
	case t.end == nil:
	case stored:
		t.end(Stored)
	default:
		t.end(Without)
	}
}

// Take waits until the answer of a key is stored by another process or it is the caller's turn to make it. The error is of the context alone.
func (t *Turns) Take(ctx context.Context, k Key) (Turn, error) {
	begun := time.Now()
	patience := time.Duration(math.MaxInt64)
	if d, ok := ctx.Deadline(); ok {
		patience = time.Until(d) / 2
	}
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	turn, err := t.take(wait, k)
	turn.Waited = time.Since(begun)
	if err != nil && ctx.Err() == nil {
		return Turn{Waited: turn.Waited}, nil // Patience or the lock has failed: the caller goes alone.
	}
	if err != nil {
		return Turn{}, ctx.Err()
	}
	return turn, nil
}

// take is Take, whose errors all mean to go alone.
func (t *Turns) take(ctx context.Context, k Key) (Turn, error) {
	token := rand.Text()
	for range mostLeaders {
		leader, err := t.lock.Take(ctx, k, token, leaseOf)
		if err != nil {
			return Turn{}, err
		}
		if leader == token {
			return t.lead(ctx, k, token), nil
		}
		ending, err := t.follow(ctx, k, leader)
		if err != nil {
			return Turn{}, err
		}
		if ending == Without {
			break // All who waited go alone: one after the other they would wait for each other's failures.
		}
		if v, err := t.tier.Get(ctx, k); err == nil {
			return Turn{Answer: v}, nil
		}
		if ending == Stored {
			break // It was dropped meanwhile.
		}
	}
	return Turn{}, nil
}

// lead begins a lead that was taken, unless the answer was stored between the caller's own look and now.
func (t *Turns) lead(ctx context.Context, k Key, token string) Turn {
	if v, err := t.tier.Get(ctx, k); err == nil {
		_ = t.lock.End(context.WithoutCancel(ctx), k, token, Stored) // The lease ends by itself.
		return Turn{Answer: v}
	}
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var renewing sync.WaitGroup
	t.renewed.Add(1)
	renewing.Go(func() { t.renew(own, k, token) })
	var once sync.Once
	return Turn{end: func(how Ending) {
		once.Do(func() {
			defer t.renewed.Done()
			cancel()
			renewing.Wait()
			_ = t.lock.End(context.WithoutCancel(own), k, token, how) // The same.
		})
	}}
}

// renew holds the lead until the context ends or it is lost. Who has lost it goes on: its answer is as good, only not waited for any more.
func (t *Turns) renew(ctx context.Context, k Key, token string) {
	tick := time.NewTicker(leaseOf / renewals)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if held, err := t.lock.Renew(ctx, k, token, leaseOf); err == nil && !held {
			return
		}
	}
}

// follow waits until a lead has ended.
func (t *Turns) follow(ctx context.Context, k Key, leader string) (Ending, error) {
	timer := time.NewTimer(firstLook)
	defer timer.Stop()
	for pause := firstLook; ; {
		select {
		case <-ctx.Done():
			return Lost, ctx.Err()
		case <-timer.C:
		}
		ending, err := t.lock.Look(ctx, k, leader)
		if err != nil || ending != Leads {
			return ending, err
		}
		pause = min(pause+pause/2, mostLook)
		timer.Reset(pause)
	}
}

// Close waits until every turn has ended: whoever took one ends it.
func (t *Turns) Close() { t.renewed.Wait() }

var errNoLead = errors.New("cache: an ending that is none")

// CheckEnding says whether a lead can end so. Locks call it first, so that the rule is the same in each.
func CheckEnding(how Ending) error {
	if how != Stored && how != Without {
		return errNoLead
	}
	return nil
}
