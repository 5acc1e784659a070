package member

import (
	"cmp"
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

const (
	// DefaultEvery is the time between two beats.
	DefaultEvery = 3 * time.Second
	// missed beats and a member is forgotten.
	missed = 3
	// leaving is how long the last word may take.
	leaving = 2 * time.Second
)

// Config is what a Group is made from.
type Config struct {
	Store Store
	// Self is this process; the times are the store's.
	Self Member
	// Every is the time between two beats, the same in all processes; 0 means DefaultEvery.
	Every time.Duration
	// OnError is told of beats that failed and are made again; it may be nil.
	OnError func(error)
}

// Group says that this process lives, and knows who else does. It is safe for concurrent use.
type Group struct {
	cfg  Config
	seen atomic.Pointer[[]Member]
	beat time.Time // The last that was kept. Join and Run use it.
}

// Join makes this process a member. Run keeps it one.
func Join(ctx context.Context, c Config) (*Group, error) {
	c.Every = cmp.Or(c.Every, DefaultEvery)
	if c.OnError == nil {
		c.OnError = func(error) {}
	}
	g := &Group{cfg: c, beat: time.Now()}
	if err := g.say(ctx); err != nil {
		return nil, err
	}
	return g, nil
}

// Run says every few seconds that this process lives, until the context ends; then that it does not.
func (g *Group) Run(ctx context.Context) error {
	tick := time.NewTicker(g.cfg.Every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := g.say(ctx); err != nil && ctx.Err() == nil {
				g.cfg.OnError(err)
			}
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaving)
			defer cancel()
			if err := g.cfg.Store.Leave(last, g.cfg.Self.ID); err != nil {
				g.cfg.OnError(fmt.Errorf("leave the members: %w", err))
			}
			return nil
		}
	}
}

// say beats once. Who could not for a while, since the database was away or the process stood still, knows nothing of how long the others did not: it forgets them
// so much later.
func (g *Group) say(ctx context.Context) error {
	within, cancel := context.WithTimeout(ctx, missed*g.cfg.Every)
	defer cancel()
	begun := time.Now()
	list, err := g.cfg.Store.Beat(within, g.cfg.Self, missed*g.cfg.Every+max(0, begun.Sub(g.beat)-g.cfg.Every))
	if err != nil {
		return fmt.Errorf("keep that this process lives: %w", err)
	}
	g.beat = begun
	g.seen.Store(&list)
	return nil
}

// Members lists the processes as of the last beat that was kept, the oldest first. While the database is away the list stays.
func (g *Group) Members() []Member { return *g.seen.Load() }

// Count counts them. It does not wait, and is at least one.
func (g *Group) Count() int { return max(1, len(*g.seen.Load())) }
