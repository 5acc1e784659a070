// Package registry is the schema registry: schemas that have a name, immutable versions and an owner, and what a reference to one means.
//
// It is not for judging values or for fitting a schema to a provider (packages schema and lowering do that), and not for storage: [Store] is declared
// here and implemented by the stores.
//
// The main types are [Schema], a name with what is kept of it, [Version], one immutable schema under that name, and [Registry], which publishes, resolves,
// withdraws and restores. Everything belongs to a team: no method finds what another team has published.
//
// How it works: versions count 1, 2, 3 … and none is changed or given twice. [Registry.Publish] compares a new schema with the newest version that can be
// used and hands both to the store with the revision that it saw; where another process was faster, it looks again. Withdrawing hides a version and keeps
// it, so that restoring gives the same one back. [Registry.Resolve] answers from memory; what it remembers is dropped when this process changes something,
// and when the store's change counter, which [Registry.Run] polls, says that another has.
package registry

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/schema"
)

// The times of a registry. What another process publishes or withdraws holds here after pollEvery and the read that follows: well within a second.
const (
	pollEvery = 300 * time.Millisecond
	pollLimit = 500 * time.Millisecond
)

// Config is what a [Registry] needs; Store and Schemas are wanted.
type Config struct {
	Store Store
	// Schemas keeps compiled schemas; it is the one that requests use, so that a published schema is compiled once.
	Schemas *schema.Cache
	// Limits are those of a published schema; nil means the defaults.
	Limits func() schema.Limits
	// Withdrawn is told of a reference (name or name@version) that can't be used any longer, so that answers made with it are dropped; nil where nobody is.
	Withdrawn func(ctx context.Context, team key.TeamID, ref string)
	// Now is the clock; nil means the real one.
	Now func() time.Time
	// OnError is told of reads of the store that went wrong in the background; nil means that nobody is.
	OnError func(error)
}

// Registry publishes and resolves schemas. It is safe for concurrent use; [Registry.Run] keeps it up to date with other processes.
type Registry struct {
	cfg  Config
	line line

	// generation moves with every change; what was remembered in an earlier one does not count.
	generation atomic.Uint64
	// counted is the store's counter as it was last seen.
	counted    atomic.Int64
	remembered *otter.Cache[reference, remembered]
}

// New makes a registry.
func New(cfg Config) *Registry {
	if cfg.Limits == nil {
		cfg.Limits = func() schema.Limits { return schema.Limits{} }
	}
	if cfg.Withdrawn == nil {
		cfg.Withdrawn = func(context.Context, key.TeamID, string) {}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.OnError == nil {
		cfg.OnError = func(error) {}
	}
	r := &Registry{cfg: cfg, line: newLine(), remembered: newMemory()}
	r.counted.Store(-1)
	return r
}

// Run polls the store's change counter until the context ends.
func (r *Registry) Run(ctx context.Context) error {
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	for {
		select {
		case <-poll.C:
			r.Refresh(ctx)
		case <-ctx.Done():
			return nil
		}
	}
}

// Refresh looks whether another process has changed something.
func (r *Registry) Refresh(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, pollLimit)
	defer cancel()
	now, err := r.cfg.Store.Changes(limited)
	switch {
	case err == nil && r.counted.Swap(now) != now:
		r.generation.Add(1)
	case err != nil && ctx.Err() == nil:
		// What is remembered may be old by now; without it, every reference is looked up and the caller learns of the store's trouble.
		r.generation.Add(1)
		r.cfg.OnError(err)
	}
}

// changed makes what this process has just done hold for the next request here.
func (r *Registry) changed() { r.generation.Add(1) }

// now gives the time in the precision that every store keeps.
func (r *Registry) now() time.Time { return r.cfg.Now().UTC().Truncate(time.Microsecond) }

func (r *Registry) options() schema.Options { return schema.Options{Limits: r.cfg.Limits()} }
