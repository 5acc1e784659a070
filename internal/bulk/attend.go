package bulk

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/provider"
)

// attend looks after a batch that is due: it asks how it stands and does what follows.
func (c *Coordinator) attend(ctx context.Context, b Batch) {
	ctx, stop := c.heartbeat(ctx, b.Label)
	defer stop()
	p, m, ok := c.find(b.Provider, b.Model)
	if !ok {
		b.Code = "not_configured"
		if err := c.own(ctx, &provider.Model{}, &b); err != nil { // What was reserved is known all the same.
			c.troubled(ctx, &b, err)
			return
		}
		c.lose(ctx, &b)
		return
	}
	if err := c.own(ctx, m, &b); err != nil {
		c.troubled(ctx, &b, err)
		return
	}
	if b.Stage == Sending {
		c.search(ctx, p, &b)
		return
	}
	b.Looks++
	at, err := p.LookAtBatch(ctx, b.remote())
	if ctx.Err() != nil {
		return // The hold ends by itself, or with the process's next.
	}
	if err != nil {
		c.troubled(ctx, &b, err)
		return
	}
	b.Failures = 0
	b.know(at)
	switch {
	case at.State == dialect.BatchFailed:
		b.Code = at.Code
		c.abandon(ctx, &b, unmade)
		c.tidy(ctx, p, &b)
	case at.State.Ended():
		c.harvest(ctx, p, m, &b)
	default:
		c.patient(ctx, p, &b)
	}
}

// search looks for a batch whose creation was not answered.
func (c *Coordinator) search(ctx context.Context, p *provider.Provider, b *Batch) {
	const skew = time.Hour // Between the service's clock and the store's.
	at, found, err := p.FindBatch(ctx, b.remote(), b.CreatedAt.Add(-skew))
	d, _ := p.Batcher()
	switch {
	case ctx.Err() != nil:
	case found:
		c.opened(ctx, b, at)
	case err != nil && b.Failures < mostFailures:
		c.troubled(ctx, b, err)
	case !d.BatchBounds().Labels, c.cfg.Now().Sub(b.CreatedAt) > doubt:
		c.lose(ctx, b)
	default: // Lists may lag behind.
		c.report("let go of batch "+b.Label, c.save(ctx, b, unsure))
	}
}

// troubled goes on after a look that failed: later, or never where the service knows nothing of the batch.
func (c *Coordinator) troubled(ctx context.Context, b *Batch, err error) {
	c.report("look at batch "+b.Label+" at "+b.Provider, err)
	b.Failures++
	var e *dialect.Error
	if errors.As(err, &e) && (e.Status == http.StatusNotFound || e.Status == http.StatusGone) || b.Failures >= mostFailures {
		b.Code = "gone"
		c.lose(ctx, b)
		return
	}
	pause := c.pause(b.Failures)
	if e != nil {
		pause = max(pause, min(e.Wait, c.cfg.MostLook))
	}
	c.report("let go of batch "+b.Label, c.save(ctx, b, pause))
}

// pause grows by half from look to look.
func (c *Coordinator) pause(n int) time.Duration {
	d := c.cfg.Look
	for range n {
		if d = d * 3 / 2; d >= c.cfg.MostLook {
			return c.cfg.MostLook
		}
	}
	return d
}

// patient waits on for a batch that is under way. One for which nobody waits any more is ended, and so is one whose time is over; what was answered by then comes with its end.
func (c *Coordinator) patient(ctx context.Context, p *provider.Provider, b *Batch) {
	now := c.cfg.Now()
	late := b.CreatedAt.Add(usual)
	if b.ExpiresAt.After(late) { // Its clock may be wrong, or it said nothing.
		late = b.ExpiresAt
	}
	if late = late.Add(grace); now.After(late.Add(usual)) {
		b.Code = "never_ended"
		c.lose(ctx, b)
		return
	}
	items, err := c.items(ctx, b.Label)
	waiting := 0
	if err == nil {
		waiting, err = c.parked(ctx, items, max(late.Sub(now), 0)+grace)
	}
	c.report("park the items of batch "+b.Label, err)
	if !b.Cancelled && (err == nil && waiting == 0 || now.After(late)) {
		if err := p.CancelBatch(ctx, b.remote()); err == nil {
			b.Cancelled = true
		} else {
			c.report("cancel batch "+b.Label, err)
		}
	}
	c.report("let go of batch "+b.Label, c.save(ctx, b, c.pause(b.Looks)))
}

// items gives all items of a batch that have not gone on.
func (c *Coordinator) items(ctx context.Context, label string) ([]Item, error) {
	const portion = 1000
	var list []Item
	for from := 0; ; {
		page, err := c.cfg.Store.Items(ctx, label, from, portion)
		if err != nil {
			return nil, err
		}
		list = append(list, page...)
		if len(page) < portion {
			return list, nil
		}
		from = page[len(page)-1].N + 1
	}
}

// parked prolongs the leases of items and says how many are still held.
func (c *Coordinator) parked(ctx context.Context, items []Item, d time.Duration) (held int, err error) {
	for len(items) > 0 {
		n := min(len(items), mostParked)
		leases := make([]job.Lease, n)
		for i := range n {
			leases[i] = items[i].Lease
		}
		lost, err := c.cfg.Jobs.Park(ctx, leases, d)
		if err != nil {
			return held, err
		}
		held += n - len(lost)
		items = items[n:]
	}
	return held, nil
}

// unmade and lost say what is paid for the items of a batch that brings nothing.
const (
	unmade = false
	lost   = true
)

// lose gives up a batch of which nobody knows what became: its items are done again, and what was reserved for them is charged.
func (c *Coordinator) lose(ctx context.Context, b *Batch) { c.abandon(ctx, b, lost) }

// abandon gives the items of a batch back to the workers, and closes it.
func (c *Coordinator) abandon(ctx context.Context, b *Batch, forfeit bool) {
	items, err := c.items(ctx, b.Label)
	if err == nil {
		err = c.abandonItems(ctx, b, items, forfeit)
	}
	if err != nil {
		if ctx.Err() == nil {
			c.report("give back the items of batch "+b.Label, err)
			c.report("let go of batch "+b.Label, c.save(ctx, b, unsure))
		}
		return
	}
	b.Stage = Closed
	c.report("close batch "+b.Label, c.save(ctx, b, time.Second))
}

// abandonItems gives items back.
func (c *Coordinator) abandonItems(ctx context.Context, b *Batch, items []Item, forfeit bool) error {
	return each(items, func(i *Item) error {
		if err := c.release(ctx, i); err != nil {
			return err
		}
		pay := c.take(b.Label, i)
		if forfeit {
			pay.Forfeit()
		} else {
			pay.Return()
		}
		return c.end(ctx, b, i)
	})
}

// end notes that an item went on, together with others.
func (c *Coordinator) end(ctx context.Context, b *Batch, i *Item) error {
	_, err := c.ends.Do(ctx, ending{b.Label, i.N})
	return err
}

// ending is an item that went on.
type ending struct {
	label string
	place int
}

// endAll writes ends, those of a batch together.
func (c *Coordinator) endAll(ctx context.Context, list []ending) ([]struct{}, error) {
	places := map[string][]int{}
	for _, e := range list {
		places[e.label] = append(places[e.label], e.place)
	}
	for label, some := range places {
		if err := c.cfg.Store.End(ctx, label, some); err != nil {
			return nil, err
		}
	}
	return make([]struct{}, len(list)), nil
}

// each does something with every item, several side by side, so that what goes to the store goes together.
func each(items []Item, do func(*Item) error) error {
	const width = 64
	var mu sync.Mutex
	var failed error
	var under sync.WaitGroup
	slots := make(chan struct{}, width)
	for i := range items {
		slots <- struct{}{}
		under.Go(func() {
			defer func() { <-slots }()
			if err := do(&items[i]); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = err
			}
		})
	}
	under.Wait()
	return failed
}

// tidy deletes what the service keeps of a batch that has ended.
func (c *Coordinator) tidy(ctx context.Context, p *provider.Provider, b *Batch) {
	c.report("delete batch "+b.Label+" at "+b.Provider, p.ForgetBatch(ctx, b.remote()))
}

// heartbeat holds a batch until it is stopped. The context ends when the batch is somebody else's.
func (c *Coordinator) heartbeat(ctx context.Context, label string) (_ context.Context, stop func()) {
	const beats = 3
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		every := time.NewTicker(hold / beats)
		defer every.Stop()
		for {
			select {
			case <-every.C:
				limited, end := context.WithTimeout(ctx, storeLimit)
				err := c.cfg.Store.Hold(limited, label, c.cfg.Holder, hold)
				end()
				if ctx.Err() == nil {
					c.report("hold batch "+label, err)
				}
				if errors.Is(err, ErrLost) {
					cancel()
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return ctx, func() {
		cancel()
		<-done
	}
}
