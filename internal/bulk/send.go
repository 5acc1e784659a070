package bulk

import (
	"context"
	"errors"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/provider"
)

// send makes a batch of a collection. It is kept before the service hears of it.
func (c *Coordinator) send(ctx context.Context, s *collection) {
	b := Batch{Label: c.cfg.NewLabel(), Stage: Sending, Provider: s.provider, Model: s.model, Items: len(s.items)}
	p, _, ok := c.find(s.provider, s.model)
	if !ok { // A reload has taken it away meanwhile.
		c.spare(s.bytes)
		c.giveBack(ctx, s.items, s.payments)
		return
	}
	if err := c.keep(ctx, b, s.items); err != nil {
		c.report("keep a batch for "+s.provider, err)
		c.spare(s.bytes)
		c.giveBack(ctx, s.items, s.payments)
		return
	}
	b.CreatedAt = c.cfg.Now()
	b.Owner = c.cfg.Holder
	c.hold(b.Label, s.items, s.payments)
	ctx, stop := c.heartbeat(ctx, b.Label)
	defer stop()
	// Only now, when it is kept where they are: else nobody would know of them for so long.
	_, err := c.parked(ctx, s.items, usual+grace)
	c.report("park the items of batch "+b.Label, err)
	made, fate := c.make(ctx, p, &b, s.entries)
	c.spare(s.bytes)
	c.made(ctx, p, b, made, fate)
}

func (c *Coordinator) keep(ctx context.Context, b Batch, items []Item) error {
	ctx, cancel := context.WithTimeout(ctx, storeLimit)
	defer cancel()
	return c.cfg.Store.Keep(ctx, b, items, c.cfg.Holder, hold)
}

// fate is what is known of a batch that was to be made.
type fate uint8

const (
	// isMade: the service has it.
	isMade fate = iota
	// isRefused: the service does not have it, for certain.
	isRefused
	// inDoubt: nobody knows.
	inDoubt
)

// make uploads and creates a batch. What the service refused for the moment is tried again; of what it did not answer it is asked whether it was made.
func (c *Coordinator) make(ctx context.Context, p *provider.Provider, b *Batch, entries [][]byte) (provider.Batch, fate) {
	at := provider.Batch{Batch: dialect.Batch{Label: b.Label, Model: b.Model}}
	pauses := c.cfg.Again
	uploaded := false
	for try := 0; ; try++ {
		var err error
		if !uploaded {
			if at, err = p.Upload(ctx, at, entries); err == nil {
				uploaded = true
				b.Via, b.InputFile = at.Via, at.InputFile
				c.report("note the upload of batch "+b.Label, c.save(ctx, b, 0))
			}
		}
		if uploaded {
			if at, err = p.CreateBatch(ctx, at, entries); err == nil {
				return at, isMade
			}
		}
		c.report("make a batch at "+p.Name(), err)
		var e *dialect.Error
		if !errors.As(err, &e) {
			return at, inDoubt
		}
		b.Code = e.Outcome.String()
		repeat := provider.RuleOf(e.Outcome).Repeat
		switch {
		case uploaded && !told(e): // Nobody knows whether it was made.
			return at, inDoubt
		case !repeat || try >= len(pauses):
			return at, isRefused
		}
		if provider.Sleep(ctx, max(pauses[try], min(e.Wait, time.Minute))) != nil {
			return at, isRefused
		}
	}
}

// told says that the service itself said that it did not do what was asked.
func told(e *dialect.Error) bool {
	const internal, badGateway, gatewayTimeout = 500, 502, 504 // Behind these the deed may have been done.
	return e.Status >= 400 && e.Status != internal && e.Status != badGateway && e.Status != gatewayTimeout && e.Outcome != dialect.Timeout
}

// made goes on with a batch as it is known by now.
func (c *Coordinator) made(ctx context.Context, p *provider.Provider, b Batch, at provider.Batch, f fate) {
	switch f {
	case isMade:
		c.opened(ctx, &b, at)
	case inDoubt:
		d, _ := p.Batcher()
		if !d.BatchBounds().Labels {
			c.lose(ctx, &b)
			return
		}
		c.report("let go of batch "+b.Label, c.save(ctx, &b, c.cfg.Look))
	case isRefused:
		c.mu.Lock()
		c.refused[target{b.Provider, b.Model}] = c.cfg.Now().Add(refusal)
		c.mu.Unlock()
		c.abandon(ctx, &b, unmade)
		if b.InputFile != "" {
			c.tidy(ctx, p, &b)
		}
	}
}

// opened notes that the service has the batch.
func (c *Coordinator) opened(ctx context.Context, b *Batch, at provider.Batch) {
	b.Stage, b.Code, b.Failures = Open, "", 0
	b.know(at)
	c.report("note that batch "+b.Label+" is made", c.save(ctx, b, c.cfg.Look))
}

// know takes over what a service says of a batch.
func (b *Batch) know(at provider.Batch) {
	b.Via, b.ID, b.InputFile, b.OutputFile, b.ErrorFile = at.Via, at.ID, at.InputFile, at.OutputFile, at.ErrorFile
	if !at.ExpiresAt.IsZero() {
		b.ExpiresAt = at.ExpiresAt
	}
}

// remote is the batch as the provider's methods take it.
func (b *Batch) remote() provider.Batch {
	return provider.Batch{Provider: b.Provider, Via: b.Via, Batch: dialect.Batch{
		Label: b.Label, ID: b.ID, Model: b.Model, InputFile: b.InputFile, OutputFile: b.OutputFile, ErrorFile: b.ErrorFile, ExpiresAt: b.ExpiresAt,
	}}
}

// save writes a batch; with a time for the next look it is let go of. It is written even where the context has just ended: what is known is worth it.
func (c *Coordinator) save(ctx context.Context, b *Batch, next time.Duration) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeLimit)
	defer cancel()
	return c.cfg.Store.Save(ctx, *b, c.cfg.Holder, next, hold)
}
