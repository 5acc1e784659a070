// Package shelf keeps what a team publishes under names: each name has immutable versions, which count 1, 2, 3 …, and an owner.
//
// It does not know what the versions hold, what may follow a version, or what is made of one: the packages registry (schemas) and template bring that, each
// with a shelf of its own. It is not for storage: [Store] is declared here and implemented by the stores.
//
// The main types are [Name], what is kept of a name, [Version], one immutable content under it, [Ref], how requests name one, and [Shelf], which publishes,
// resolves, withdraws and restores. Everything belongs to a team: no method finds what another team has published.
//
// How it works: no version is changed, and no number is given twice. [Shelf.Publish] lets the caller compare with the newest version that can be used, and
// hands the new one to the store with the name's revision that it saw; where another process was faster, it looks again. Withdrawing hides a version and
// keeps it, so that restoring gives the same one back. [Shelf.Resolve] answers from memory. What it remembers counts until this process changes something,
// or the store's change counter, which [Shelf.Run] polls, says that another has; then the store is asked again, and what was made of a version stays.
package shelf

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
)

// The times of a shelf. What another process publishes or withdraws holds here after pollEvery and the read that follows: well within a second.
const (
	pollEvery = 300 * time.Millisecond
	pollLimit = 500 * time.Millisecond
)

// Config is what a [Shelf] needs; Kind, Store and Make are wanted.
type Config[T any] struct {
	Kind  Kind
	Store Store
	// Make makes of a version what its users want, such as something compiled. It is called once for a version that is remembered, whatever else changes.
	Make func(Version) (T, error)
	// Around and Overhead estimate the memory of a T: Around bytes, and Overhead for each byte of its content.
	Around, Overhead int
	// Patience bounds a comparison; 0 means [DefaultPatience].
	Patience time.Duration
	// Withdrawn is told of a reference (name or name@version) that can't be used any longer, so that answers made with it are dropped; nil where nobody is.
	Withdrawn func(ctx context.Context, team key.TeamID, ref string)
	// Now is the clock; nil means the real one.
	Now func() time.Time
	// OnError is told of reads of the store that went wrong in the background; nil means that nobody is.
	OnError func(error)
}

// Shelf is what teams have published of one kind; T is what a version is made into. It is safe for concurrent use; [Shelf.Run] keeps it up to date with
// other processes.
type Shelf[T any] struct {
	cfg  Config[T]
	line line

	// generation moves with every change; what was read in an earlier one does not count.
	generation atomic.Uint64
	// counted is the store's counter as it was last seen.
	counted    atomic.Int64
	remembered *otter.Cache[reference, remembered[T]]
}

// New makes a shelf.
func New[T any](cfg Config[T]) *Shelf[T] {
	if cfg.Patience == 0 {
		cfg.Patience = DefaultPatience
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
	s := &Shelf[T]{cfg: cfg, line: newLine(), remembered: newMemory[T]()}
	s.counted.Store(-1)
	return s
}

// Kind says what stands on the shelf.
func (s *Shelf[T]) Kind() Kind { return s.cfg.Kind }

// Run polls the store's change counter until the context ends.
func (s *Shelf[T]) Run(ctx context.Context) error {
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	for {
		select {
		case <-poll.C:
			s.Refresh(ctx)
		case <-ctx.Done():
			return nil
		}
	}
}

// Refresh looks whether another process has changed something.
func (s *Shelf[T]) Refresh(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, pollLimit)
	defer cancel()
	now, err := s.cfg.Store.Changes(limited)
	switch {
	case err == nil && s.counted.Swap(now) != now:
		s.generation.Add(1)
	case err != nil && ctx.Err() == nil:
		// What is remembered may be old by now; without it, every reference is looked up and the caller learns of the store's trouble.
		s.generation.Add(1)
		s.cfg.OnError(err)
	}
}

// changed makes what this process has just done hold for the next request here.
func (s *Shelf[T]) changed() { s.generation.Add(1) }

// now gives the time in the precision that every store keeps.
func (s *Shelf[T]) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Microsecond) }

// Find reads a name with one of its versions; number 0 means the newest that can be used. What is withdrawn is GONE, unless it is asked for.
func (s *Shelf[T]) Find(ctx context.Context, team key.TeamID, ref Ref, withdrawn bool) (Name, Version, error) {
	n, v, err := s.cfg.Store.Find(ctx, team, ref.Name, ref.Version)
	if err == nil && !withdrawn {
		err = s.cfg.Kind.gone(&n, &v, ref)
	}
	return n, v, err
}

// List reads a page of names.
func (s *Shelf[T]) List(ctx context.Context, team key.TeamID, f Filter) ([]Name, string, error) {
	return s.cfg.Store.List(ctx, team, f)
}

// Versions reads a page of a name's versions. A withdrawn name is GONE, unless withdrawn ones are asked for.
func (s *Shelf[T]) Versions(ctx context.Context, team key.TeamID, name string, f VersionFilter) ([]Version, int, error) {
	if !f.Withdrawn {
		n, _, err := s.cfg.Store.Find(ctx, team, name, 0)
		if err == nil && !n.WithdrawnAt.IsZero() {
			err = s.cfg.Kind.gone(&n, &Version{}, Ref{Name: name})
		}
		if err != nil {
			return nil, 0, err
		}
	}
	return s.cfg.Store.Versions(ctx, team, name, f)
}

// Change changes a name's description, its mode, or both.
func (s *Shelf[T]) Change(ctx context.Context, team key.TeamID, name string, c Change) (Name, error) {
	if c.Description == nil && c.Compatibility == nil {
		return Name{}, fault.Invalid("", "required", "nothing is to be changed", "Send description, compatibility or both.")
	}
	c.At = s.now()
	n, err := s.cfg.Store.Change(ctx, team, name, c)
	if err == nil {
		s.changed()
	}
	return n, err
}

// Withdraw hides a version, or a whole name where the reference has none: references to it are GONE until it is restored. What was answered with it leaves
// the cache.
func (s *Shelf[T]) Withdraw(ctx context.Context, team key.TeamID, ref Ref) (Name, error) {
	n, err := s.cfg.Store.Withdraw(ctx, team, ref.Name, ref.Version, s.now())
	if err != nil {
		return Name{}, err
	}
	s.changed()
	// The withdrawal is done, whether the caller waits for the rest or not.
	s.cfg.Withdrawn(context.WithoutCancel(ctx), team, ref.String())
	return n, nil
}

// Restore undoes a withdrawal. It compares nothing: the version is what it was.
func (s *Shelf[T]) Restore(ctx context.Context, team key.TeamID, ref Ref) (Name, error) {
	n, err := s.cfg.Store.Restore(ctx, team, ref.Name, ref.Version, s.now())
	if err == nil {
		s.changed()
	}
	return n, err
}
