package cache

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// mostDebts bounds the tags that are owed one by one. Beyond it whole teams are.
	mostDebts = 10_000
	// Attempts to pay are this far apart: at first, then doubled up to the latter.
	firstPause = 50 * time.Millisecond
	mostPause  = 500 * time.Millisecond
)

// debts are the drops that the shared tier does not know of yet.
type debts struct {
	// owing is read by every Get that the memory can't answer.
	owing atomic.Bool
	woken chan struct{} // Of capacity 1: one reason to look is as good as several.

	mu sync.Mutex

	// tags are what is owed, each with the number of the drop that owes it.
	tags  map[Tag]uint64
	drops uint64
}

func (d *debts) init() { d.woken, d.tags = make(chan struct{}, 1), make(map[Tag]uint64) }

func (d *debts) any() bool { return d.owing.Load() }

// owe notes tags that could not be dropped.
func (d *debts) owe(tags []Tag) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.drops++
	for _, tag := range tags {
		d.tags[tag] = d.drops
	}
	if len(d.tags) > mostDebts {
		teams := make(map[Tag]uint64)
		for tag := range d.tags {
			teams[AllTag(tag.team)] = d.drops
		}
		d.tags = teams
	}
	d.owing.Store(len(d.tags) > 0)
	select {
	case d.woken <- struct{}{}:
	default:
	}
}

// some gives a part of what is owed, up to the drop that it names.
func (d *debts) some() (tags []Tag, upTo uint64) {
	const most = 200
	d.mu.Lock()
	defer d.mu.Unlock()
	for tag := range d.tags {
		if len(tags) == most {
			break
		}
		tags = append(tags, tag)
	}
	return tags, d.drops
}

// paid strikes out tags that were dropped, but for those that a later drop owes again.
func (d *debts) paid(tags []Tag, upTo uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, tag := range tags {
		if d.tags[tag] <= upTo {
			delete(d.tags, tag)
		}
	}
	d.owing.Store(len(d.tags) > 0)
}

// Run drops from the shared tier what it could not be told, as soon as it can, until the context ends.
func (t *Tiered) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.debts.woken:
		}
		for pause := firstPause; ctx.Err() == nil && t.debts.any(); pause = min(2*pause, mostPause) {
			if t.pay(ctx) {
				break
			}
			timer := time.NewTimer(pause)
			select {
			case <-ctx.Done():
			case <-timer.C:
			}
			timer.Stop()
		}
	}
}

// pay drops what is owed, and says whether nothing is left.
func (t *Tiered) pay(ctx context.Context) bool {
	for t.debts.any() {
		tags, upTo := t.debts.some()
		if _, err := t.far.Drop(ctx, tags...); err != nil {
			return false
		}
		t.forget(ctx, tags...)
		_ = t.tell(ctx, tags...) // Where that fails, the others are told that they have missed something.
		t.debts.paid(tags, upTo)
	}
	return true
}
