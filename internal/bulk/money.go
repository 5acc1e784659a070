package bulk

import (
	"context"
	"slices"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/pipeline"
	"github.com/promptd/promptd/internal/provider"
)

// What a batch has reserved of budgets is held by one process, its owner, in memory. Of a process that died it counts as spent (package limit), so what its batches cost is not charged
// again: never less than the calls cost, and at most what was reserved. A process that ends in order gives up its batches and what it holds for them, and the next one holds it
// again. One that lives, and whose batch was taken over while it hung, is charged as if it had died.

// hold remembers the payments of a batch's items.
func (c *Coordinator) hold(label string, items []Item, payments []pipeline.Payment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	held := c.payments[label]
	if held == nil {
		held = make(map[string]pipeline.Payment, len(items))
		c.payments[label] = held
	}
	for i := range items {
		held[items[i].ID()] = payments[i]
	}
}

// take gives the payment of an item; none where it is not held here.
func (c *Coordinator) take(label string, i *Item) pipeline.Payment {
	c.mu.Lock()
	defer c.mu.Unlock()
	held := c.payments[label]
	pay := held[i.ID()]
	delete(held, i.ID())
	if len(held) == 0 {
		delete(c.payments, label)
	}
	return pay
}

// own makes a batch this process's. What nobody holds is held again; what another process held is forfeited, whether it is dead or was only slow.
func (c *Coordinator) own(ctx context.Context, m *provider.Model, b *Batch) error {
	if b.Owner == c.cfg.Holder {
		return nil
	}
	defer c.claim(b.Label)()
	switch b.Owner {
	case "":
		if !b.Forfeited {
			if err := c.holdAgain(ctx, m, b); err != nil {
				c.drop(b.Label, (*pipeline.Payment).Return)
				return err
			}
		}
	default:
		b.Forfeited = true
	}
	before := b.Owner
	b.Owner = c.cfg.Holder
	err := c.save(ctx, b, 0)
	if err != nil { // It is not this process's, as far as others see.
		b.Owner = before
		c.drop(b.Label, (*pipeline.Payment).Return)
	}
	return err
}

// claim keeps settle from taking a batch for somebody else's whose owner this process is about to become. What it gives ends that.
func (c *Coordinator) claim(label string) (end func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.claiming[label] = true
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.claiming, label)
	}
}

// mine gives the labels of the batches for which something is held here.
func (c *Coordinator) mine() (labels []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for label := range c.payments {
		if !c.claiming[label] {
			labels = append(labels, label)
		}
	}
	return labels
}

// holdAgain reserves for the items of a batch, each for its caller as it is now.
func (c *Coordinator) holdAgain(ctx context.Context, m *provider.Model, b *Batch) error {
	items, err := c.items(ctx, b.Label)
	if err != nil {
		return err
	}
	callers := map[key.ID]*key.Caller{}
	for i := range items {
		one := &items[i]
		if one.Reserved == 0 {
			continue // Nobody pays for it by a budget.
		}
		who, known := callers[one.Key]
		if !known {
			if who, err = c.cfg.Callers.Accepted(ctx, one.Key); err != nil {
				c.report("hold the budget of key "+string(one.Key), err) // Its key is gone, and its budget with it.
			}
			callers[one.Key] = who
		}
		if who == nil {
			continue
		}
		pay, err := c.cfg.Pipeline.HoldAgain(ctx, who, m, one.Reserved)
		if err != nil {
			return err
		}
		c.hold(b.Label, items[i:i+1], []pipeline.Payment{pay})
	}
	return nil
}

// settle ends the payments of batches that another process has taken over.
func (c *Coordinator) settle(ctx context.Context) error {
	mine := c.mine()
	if len(mine) == 0 {
		return nil
	}
	owned, err := c.cfg.Store.Owned(ctx, c.cfg.Holder)
	if err != nil {
		return err
	}
	for _, label := range mine {
		if !slices.Contains(owned, label) {
			c.drop(label, (*pipeline.Payment).Forfeit)
		}
	}
	return nil
}

// drop ends all payments of a batch in one way.
func (c *Coordinator) drop(label string, end func(*pipeline.Payment)) {
	c.mu.Lock()
	held := c.payments[label]
	delete(c.payments, label)
	c.mu.Unlock()
	for _, pay := range held {
		end(&pay)
	}
}

// leave gives up the batches of this process, and what it holds for them. Where that can't be written it holds on: then it counts as spent, and the next process does not
// charge it again.
func (c *Coordinator) leave(ctx context.Context) {
	mine := c.mine()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeLimit/3)
	defer cancel()
	if err := c.settle(ctx); err != nil {
		c.report("look what was taken over", err)
		return
	}
	if err := c.cfg.Store.Leave(ctx, c.cfg.Holder); err != nil {
		c.report("give up the batches of this process", err)
		return
	}
	for _, label := range mine {
		c.drop(label, (*pipeline.Payment).Return)
	}
}
