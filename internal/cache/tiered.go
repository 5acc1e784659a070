package cache

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/promptd/promptd/internal/broadcast"
	"github.com/promptd/promptd/internal/fault"
)

// NearTTL is how long a process serves an answer from its own memory without asking the shared tier again. It bounds every kind of error between
// processes: whatever message gets lost, an answer that was dropped elsewhere is served no longer than this.
const NearTTL = MinTTL

// Shared is a tier that several processes use.
type Shared interface {
	Tier
	// Fetch is Get with what a nearer tier needs to keep the entry too.
	Fetch(ctx context.Context, k Key) (Entry, error)
	// Replace is Put, and says whether something may have been stored under the key before.
	Replace(ctx context.Context, k Key, v []byte, ttl time.Duration, tags ...Tag) (replaced bool, err error)
}

// Entry is a value with its tags, and what is left of its time to live.
type Entry struct {
	Value []byte
	Tags  []Tag
	Left  time.Duration
}

// Tiered is a tier of this process's memory before one that processes share: the first is asked first and filled from the second.
//
// Each write and each drop goes to the shared tier first, then to this process's memory, then by broadcast to the memories of the others. A value that is
// read while a drop passes is not kept: every fill remembers how many drops and writes it knew of when it asked the shared tier, and is given up where
// there were more since. After a lost connection, and where another process could not tell of a drop, all of the memory counts as stale. So a drop holds
// in this process when Drop returns, in others when they hear of it (milliseconds), and after NearTTL at the latest.
//
// While the shared tier is away the memory goes on alone. Drops of that time are owed: the shared tier is not asked for anything before they are paid, which
// Run does as soon as it is back.
//
// Locks: gate before a stripe's mutex; the near tier is called under both, nothing else is.
type Tiered struct {
	near   Tier
	far    Shared
	bus    broadcast.Broadcaster
	origin string
	stop   func()
	counts Counts
	debts  debts

	// era counts the times that all of the memory became stale. Entries of the memory carry theirs.
	era atomic.Uint64

	gate sync.RWMutex // Held for writing by drops, for reading by fills.

	drops   atomic.Uint64
	stripes [stripes]stripe
}

// retryDrop is when a caller may look again whether a drop holds everywhere.
const retryDrop = 5 * time.Second

// stripes is the number of locks that keys share.
const stripes = 256

// stripe orders the writes of the keys that share it.
type stripe struct {
	mu sync.Mutex

	writes atomic.Uint64
}

// stampSize is the length of an entry's era before its value.
const stampSize = 8

// NewTiered makes a tier of a near and a shared one. It listens on the bus until Close.
func NewTiered(near Tier, far Shared, bus broadcast.Broadcaster) *Tiered {
	t := &Tiered{near: near, far: far, bus: bus, origin: newOrigin()}
	t.debts.init()
	t.stop = bus.Subscribe(broadcast.Cache, broadcast.Subscriber{Hear: t.hear, Missed: func() { t.era.Add(1) }})
	return t
}

// Close ends the subscription.
func (t *Tiered) Close() { t.stop() }

// Get returns what is stored under the key, or ErrMiss.
func (t *Tiered) Get(ctx context.Context, k Key) ([]byte, error) {
	known := t.look(k)
	counts := t.counts.Of(k.team)
	v, err := t.near.Get(ctx, k)
	if err == nil && len(v) >= stampSize && binary.BigEndian.Uint64(v) == known.era {
		counts.Hits.Add(1)
		return v[stampSize:], nil
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if t.debts.any() {
		counts.Misses.Add(1)
		return nil, ErrMiss
	}
	e, err := t.far.Fetch(ctx, k)
	if err != nil {
		if errors.Is(err, ErrMiss) {
			counts.Misses.Add(1)
		}
		return nil, err
	}
	counts.Hits.Add(1)
	if e.Left >= NearTTL {
		t.keep(ctx, k, e.Value, e.Tags, known, false)
	}
	return e.Value, nil
}

// Put stores the value in the shared tier, and in this process's memory.
func (t *Tiered) Put(ctx context.Context, k Key, v []byte, ttl time.Duration, tags ...Tag) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := CheckPut(k, ttl, tags); err != nil {
		return err
	}
	known := t.look(k)
	replaced, err := false, error(nil)
	if !t.debts.any() {
		replaced, err = t.far.Replace(ctx, k, v, ttl, tags...)
	}
	if errors.Is(err, ErrTooLarge) {
		t.forget(ctx, KeyTag(k))
		_ = t.tell(ctx, KeyTag(k)) // Others serve the earlier answer for NearTTL at most.
		return err
	}
	t.keep(ctx, k, v, tags, known, true)
	if err != nil {
		return err
	}
	t.counts.Of(k.team).Stores.Add(1)
	if replaced {
		_ = t.tell(ctx, KeyTag(k)) // The same.
	}
	return nil
}

// Drop removes every entry that carries at least one of the tags. The number is a lower bound: what other processes hold is not counted. A fault says that
// not all of it holds everywhere yet: in this process it does, and elsewhere it will as soon as the shared tier is back.
func (t *Tiered) Drop(ctx context.Context, tags ...Tag) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	// What has begun is ended: a caller who goes away does not leave a drop half done. Each call has a limit of its own.
	ctx = context.WithoutCancel(ctx)
	far, err := t.far.Drop(ctx, tags...)
	if err != nil {
		t.debts.owe(tags)
	}
	near := t.forget(ctx, tags...)
	untold := t.tell(ctx, tags...)
	n := max(near, far)
	if len(tags) > 0 {
		t.counts.Of(tags[0].team).Drops.Add(uint64(n)) //nolint:gosec // A count. All tags of a drop are of one team.
	}
	if err = errors.Join(err, untold); err != nil {
		return n, notEverywhere(err)
	}
	return n, nil
}

// notEverywhere is the fault of a drop that others do not know of yet.
func notEverywhere(cause error) error {
	f := fault.New(fault.Overloaded, "the answers are dropped in this process; the shared cache can't be reached now, so other processes may serve them for up to %s", NearTTL)
	f.Remediation = "Nothing need be done: they are dropped everywhere as soon as the shared cache is back. To be sure of it, repeat the request then."
	f.RetryAfter = retryDrop
	return f.Because(cause)
}

// Stats gives what this process did; what is held is what it holds in its memory.
func (t *Tiered) Stats(ctx context.Context, team string) (Stats, error) {
	if err := ctx.Err(); err != nil {
		return Stats{}, err
	}
	s := t.counts.Stats(team)
	reader, ok := t.near.(StatsReader)
	if !ok {
		return s, nil
	}
	near, err := reader.Stats(ctx, team)
	if err != nil {
		return Stats{}, err
	}
	near.Hits, near.Misses, near.Stores, near.Drops = s.Hits, s.Misses, s.Stores, s.Drops
	return near, nil
}

// known is what a reader or writer knew when it asked the shared tier.
type known struct{ era, drops, writes uint64 }

func (t *Tiered) look(k Key) known {
	return known{t.era.Load(), t.drops.Load(), t.stripe(k).writes.Load()}
}

func (t *Tiered) stripe(k Key) *stripe { return &t.stripes[k.sum[0]] }

// keep puts a value into the memory, unless something has happened since that might make it an earlier one. Of writes that pass each other none is kept.
func (t *Tiered) keep(ctx context.Context, k Key, v []byte, tags []Tag, at known, write bool) {
	stamped := binary.BigEndian.AppendUint64(make([]byte, 0, stampSize+len(v)), at.era)
	stamped = append(stamped, v...)
	t.gate.RLock()
	defer t.gate.RUnlock()
	s := t.stripe(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	passed := t.drops.Load() != at.drops || s.writes.Load() != at.writes
	if write {
		s.writes.Add(1)
	}
	if !passed {
		passed = t.near.Put(ctx, k, stamped, NearTTL, tags...) != nil
	}
	if passed && write {
		_, _ = t.near.Drop(context.WithoutCancel(ctx), KeyTag(k)) // The memory has nothing to fail by.
	}
}

// forget drops from the memory alone.
func (t *Tiered) forget(ctx context.Context, tags ...Tag) int {
	t.gate.Lock()
	defer t.gate.Unlock()
	t.drops.Add(1)
	n, _ := t.near.Drop(context.WithoutCancel(ctx), tags...) // The same.
	return n
}

// tell has the other processes drop from their memories.
func (t *Tiered) tell(ctx context.Context, tags ...Tag) error {
	var errs error
	for _, payload := range payloads(t.origin, tags) {
		errs = errors.Join(errs, t.bus.Publish(ctx, broadcast.Cache, payload))
	}
	return errs
}

// hear drops what another process has dropped.
func (t *Tiered) hear(payload string) {
	origin, tags, err := parsePayload(payload)
	if err != nil {
		t.era.Add(1) // What was meant is not known, so all of it is in doubt.
		return
	}
	if origin != t.origin {
		t.forget(context.Background(), tags...)
	}
}

var (
	_ Tier        = (*Tiered)(nil)
	_ StatsReader = (*Tiered)(nil)
)
