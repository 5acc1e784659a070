package bulk

import (
	"context"
	"errors"
	"time"

	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/pipeline"
	"github.com/promptd/promptd/internal/provider"
)

// collection is a batch in the making. The coordinator's mutex guards it until it is taken out to be sent.
type collection struct {
	target
	begun    time.Time
	items    []Item
	entries  [][]byte
	payments []pipeline.Payment
	bytes    int
}

// The bounds of what goes to the store in one call, and of the call.
const (
	mostParked = 500
	storeLimit = 15 * time.Second
)

// parking is a lease to be prolonged.
type parking struct {
	lease job.Lease
	until time.Duration
}

// park prolongs leases in one call; false is of one that was lost. Those of one call are parked for the longest of their times.
func (c *Coordinator) park(ctx context.Context, list []parking) ([]bool, error) {
	leases := make([]job.Lease, len(list))
	longest := time.Duration(0)
	for i := range list {
		leases[i], longest = list[i].lease, max(longest, list[i].until)
	}
	lost, err := c.cfg.Jobs.Park(ctx, leases, longest)
	if err != nil {
		return nil, err
	}
	gone := map[job.Lease]bool{}
	for _, l := range lost {
		gone[l] = true
	}
	held := make([]bool, len(list))
	for i := range leases {
		held[i] = !gone[leases[i]]
	}
	return held, nil
}

// collected is how long an item is parked while its batch is collected and kept: what dies with this process comes back soon.
func (c *Coordinator) collected() time.Duration { return c.cfg.Window + 2*hold }

// Defer takes an item that may wait, where a provider with batches would be asked. What it does not take the worker does: also what has something wrong with it, so
// that there is one place where it is told.
func (c *Coordinator) Defer(ctx context.Context, w *job.Work) (taken bool, err error) {
	if !c.open() {
		return false, nil
	}
	tried, err := c.cfg.Store.Tried(ctx, w.Job.ID, w.Item.N)
	if err != nil || tried {
		return false, err
	}
	task, err := c.cfg.Opener.Open(ctx, w)
	if err != nil {
		return false, nil //nolint:nilerr // The worker meets it again and says so.
	}
	p, err := c.cfg.Pipeline.Prepare(ctx, task.Who, task.Prompt, c.fits)
	if err != nil {
		return false, nil //nolint:nilerr // Likewise.
	}
	entry, err := p.Candidate.Provider.BatchEntry(p.Candidate.Model, callID(w.Job.ID, w.Item.N), p.Call)
	if err != nil || len(entry) > c.cfg.Bytes {
		return false, nil //nolint:nilerr // Likewise.
	}
	pay, err := c.cfg.Pipeline.Hold(ctx, &p)
	if err != nil {
		return false, nil //nolint:nilerr // A budget that does not cover half the price does not cover the whole.
	}
	held, err := c.parks.Do(ctx, parking{w.Lease, c.collected()})
	if err != nil {
		pay.Return()
		return false, err
	}
	if !held { // It is somebody else's by now: nothing of it is ours to do, nor the worker's.
		pay.Return()
		return true, nil
	}
	item := Item{Lease: w.Lease, Team: w.Job.Team, Key: w.Job.Key, Mode: p.Mode, Reserved: pay.Amount()}
	if !c.add(target{p.Candidate.Provider.Name(), p.Candidate.Model.Name}, &item, entry, pay) {
		pay.Return()
		return false, nil // It is the worker's still: what it is parked for it renews as well.
	}
	return true, nil
}

// open says whether items are taken now.
func (c *Coordinator) open() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.ended
}

// fits says whether a candidate's calls can go into a batch now.
func (c *Coordinator) fits(o provider.Candidate) bool {
	if _, ok := o.Provider.Batcher(); !ok {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.cfg.Now().Before(c.refused[target{o.Provider.Name(), o.Model.Name}])
}

// add puts a call to those that go to the same model. One that does not fit any more has the collection sent, and begins the next.
func (c *Coordinator) add(t target, i *Item, entry []byte, pay pipeline.Payment) bool {
	calls, bytes := c.bounds(t)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended || c.bytes+len(entry) > mostCollected*c.cfg.Bytes {
		return false
	}
	c.bytes += len(entry)
	s := c.collecting[t]
	if s != nil && s.bytes+len(entry) > bytes {
		s.begun = time.Time{} // It is ripe.
		key := target{t.provider, t.model + "\x00" + s.items[0].ID()}
		c.collecting[key] = s
		s = nil
	}
	if s == nil {
		s = &collection{target: t, begun: c.cfg.Now()}
		c.collecting[t] = s
	}
	i.N = len(s.items)
	s.items, s.entries, s.payments = append(s.items, *i), append(s.entries, entry), append(s.payments, pay)
	s.bytes += len(entry)
	if len(s.items) >= calls {
		s.begun = time.Time{}
		delete(c.collecting, t)
		c.collecting[target{t.provider, t.model + "\x00" + s.items[0].ID()}] = s
	}
	if s.begun.IsZero() || s.bytes >= bytes/2 {
		select {
		case c.full <- struct{}{}:
		default:
		}
	}
	return true
}

// mostCollected bounds what is collected and being sent, in full batches. Beyond it items are done directly: at twice the price, and not at the price of memory.
const mostCollected = 8

// spare takes off what is not held in memory any more.
func (c *Coordinator) spare(bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bytes -= bytes
}

// bounds are the most that goes into a batch of a target: our own bounds, and the service's.
func (c *Coordinator) bounds(t target) (calls, bytes int) {
	calls, bytes = c.cfg.Calls, c.cfg.Bytes
	if p, _, ok := c.find(t.provider, t.model); ok {
		d, _ := p.Batcher()
		b := d.BatchBounds()
		calls, bytes = min(calls, b.Entries), min(bytes, b.Bytes)
	}
	return calls, bytes
}

// ripe takes out the collections that are to be sent: those that are full or old enough. With all it takes everything, and nothing more is collected.
func (c *Coordinator) ripe(all bool) []*collection {
	now := c.cfg.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if all {
		c.ended = true
	}
	var list []*collection
	for key, s := range c.collecting {
		if all || now.Sub(s.begun) >= c.cfg.Window {
			delete(c.collecting, key)
			list = append(list, s)
		}
	}
	return list
}

// giveBack has the workers do items directly, as if nobody had taken them; their payments are ended at nothing.
func (c *Coordinator) giveBack(ctx context.Context, items []Item, payments []pipeline.Payment) {
	for i := range payments {
		payments[i].Return()
	}
	_ = each(items, func(i *Item) error { return c.release(ctx, i) }) //nolint:errcheck // It was reported, and its lease ends.
}

// release gives one item back to the workers.
func (c *Coordinator) release(ctx context.Context, i *Item) error {
	_, err := c.cfg.Finisher.Finish(ctx, job.Finished{Lease: i.Lease, State: job.ItemPending, Uncounted: true})
	if errors.Is(err, job.ErrLeaseLost) {
		return nil // It went another way.
	}
	if err != nil && ctx.Err() == nil {
		c.report("give back an item of job "+string(i.Lease.Job), err)
	}
	return err
}

var _ job.Deferrer = (*Coordinator)(nil)
