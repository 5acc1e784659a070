package bulk

import (
	"context"
	"errors"
	"sync"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/pipeline"
	"github.com/promptd/promptd/internal/provider"
)

// harvest brings the results of a batch home that has ended. Items without a result go back to the workers. It may be done again from its beginning: what went on before is not looked at
// twice.
func (c *Coordinator) harvest(ctx context.Context, p *provider.Provider, m *provider.Model, b *Batch) {
	items, err := c.items(ctx, b.Label)
	if err != nil {
		c.troubled(ctx, b, err)
		return
	}
	open := make(map[string]Item, len(items))
	for i := range items {
		open[items[i].ID()] = items[i]
	}
	failed := c.judgeAll(ctx, p, m, b, open)
	switch {
	case ctx.Err() != nil:
		return
	case failed != nil && b.Failures < mostFetches:
		c.troubled(ctx, b, failed)
		return
	}
	// What the service does not tell of may have been done: it is charged.
	rest := make([]Item, 0, len(open))
	for _, i := range items {
		if _, there := open[i.ID()]; there {
			rest = append(rest, i)
		}
	}
	if err := c.abandonItems(ctx, b, rest, lost); err != nil {
		c.troubled(ctx, b, err)
		return
	}
	b.Stage = Closed
	c.report("close batch "+b.Label, c.save(ctx, b, c.cfg.Look))
	c.tidy(ctx, p, b)
}

// mostFetches is how often in a row the results can't be fetched whole before those that are missing count as missing.
const mostFetches = 12

// judgeAll judges results side by side, and takes those that went on out of the open ones. The error is that of the service, or that one could not be written.
func (c *Coordinator) judgeAll(ctx context.Context, p *provider.Provider, m *provider.Model, b *Batch, open map[string]Item) error {
	var mu sync.Mutex
	var failures []error
	var under sync.WaitGroup
	slots := make(chan struct{}, c.cfg.Judges)
	var stopped error
	for r, err := range p.BatchResults(ctx, b.remote()) {
		if err != nil {
			stopped = err
			break
		}
		item, there := open[r.ID]
		if !there {
			continue // It came twice, went on before, or is nobody's.
		}
		delete(open, r.ID)
		slots <- struct{}{}
		under.Go(func() {
			defer func() { <-slots }()
			err := errPanicked
			c.guard("judge a result of batch "+b.Label, func() { err = c.bringHome(ctx, m, b, &item, &r) })
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				failures = append(failures, err)
			}
		})
	}
	under.Wait()
	if stopped != nil {
		return stopped
	}
	return errors.Join(failures...)
}

var errPanicked = errors.New("bulk: judging a result panicked")

// bringHome ends an item with its result. The payment is ended when that is done: where this process dies before, the next one does both.
func (c *Coordinator) bringHome(ctx context.Context, m *provider.Model, b *Batch, i *Item, r *dialect.BatchResult) error {
	w, waits, err := c.waiting(ctx, i)
	if err != nil {
		return err
	}
	attempt, failed := provider.BatchAttempt(b.Provider, m, r, b.CreatedAt)
	attempt.Mode = i.Mode
	switch {
	case r.Err != nil && r.Err.Outcome == dialect.Cancelled: // It was not made.
		if err := c.release(ctx, i); err != nil {
			return err
		}
	case waits:
		x := c.judge(ctx, w, &pipeline.Came{Provider: b.Provider, Model: b.Model, Mode: i.Mode, Attempt: attempt, Reply: r.Reply, Err: failed})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		// What was judged is written, and paid, also where this process is just to end.
		lasting, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeLimit)
		defer cancel()
		if _, err := c.cfg.Finisher.Finish(lasting, x); err != nil && !errors.Is(err, job.ErrLeaseLost) {
			return err
		}
		ctx = lasting
	default: // It went another way; what was answered is paid all the same.
	}
	pay := c.take(b.Label, i)
	switch {
	case r.Err == nil:
		pay.Close(&attempt, nil)
	case r.Err.Outcome == dialect.Cancelled:
		pay.Return()
	case r.Err.Code == dialect.CodeBatchMalformed: // There was something, and nobody can read what it took.
		pay.Forfeit()
	default:
		pay.Close(&attempt, failed)
	}
	return c.end(ctx, b, i)
}

// judge has the pipeline go on with a reply, and says how the item goes on.
func (c *Coordinator) judge(ctx context.Context, w *job.Work, came *pipeline.Came) job.Finished {
	begun := c.cfg.Now()
	task, err := c.cfg.Opener.Open(ctx, w)
	if err != nil {
		return c.cfg.Rules.Of(w, begun, nil, err)
	}
	answer, err := c.cfg.Pipeline.Judge(ctx, task.Who, task.Prompt, came)
	if err != nil {
		return c.cfg.Rules.Of(w, begun, nil, task.Placed(err))
	}
	return c.cfg.Rules.Of(w, begun, answer.Append(nil), nil)
}

// waiting reads an item of a job. waits is false where it does not wait for a batch any more.
func (c *Coordinator) waiting(ctx context.Context, i *Item) (w *job.Work, waits bool, err error) {
	reach := key.OfTeam(i.Team)
	j, err := c.cfg.Jobs.Job(ctx, reach, i.Lease.Job)
	if errors.Is(err, job.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	list, err := c.cfg.Jobs.Items(ctx, reach, i.Lease.Job, i.Lease.N, 1)
	if err != nil && !errors.Is(err, job.ErrNotFound) {
		return nil, false, err
	}
	if len(list) == 0 || list[0].N != i.Lease.N {
		return nil, false, nil
	}
	return &job.Work{Lease: i.Lease, Item: list[0], Job: j}, list[0].State == job.ItemWaiting, nil
}
