package template

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/promptd/promptd/internal/body"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/schema"
)

// The times of a library. What another process publishes or withdraws holds here after pollEvery and the read that follows: well within a second.
const (
	pollEvery = 300 * time.Millisecond
	pollLimit = 500 * time.Millisecond
)

// Config is what a [Library] needs; Store is wanted.
type Config struct {
	Store Store
	// Limits are those of a bound schema; nil means the defaults.
	Limits func() schema.Limits
	// Bound says whether a reference to a registered schema can be used; nil where there is no registry.
	Bound func(ctx context.Context, team key.TeamID, ref string) error
	// Withdrawn is told of a reference (name or name@version) that can't be used any longer, so that answers made with it are dropped; nil where nobody is.
	Withdrawn func(ctx context.Context, team key.TeamID, ref string)
	// Now is the clock; nil means the real one.
	Now func() time.Time
	// OnError is told of reads of the store that went wrong in the background; nil means that nobody is.
	OnError func(error)
}

// Library publishes and resolves templates. It is safe for concurrent use; [Library.Run] keeps it up to date with other processes.
type Library struct {
	cfg Config

	// generation moves with every change; what was remembered in an earlier one does not count.
	generation atomic.Uint64
	// counted is the store's counter as it was last seen.
	counted    atomic.Int64
	remembered *otter.Cache[reference, remembered]
}

// Use is a version that can be used, compiled.
type Use struct {
	Version
	*Compiled
}

// reference is a reference of one team.
type reference struct {
	team key.TeamID
	text string
}

// remembered is what a reference meant in a generation.
type remembered struct {
	use        *Use
	generation uint64
	bytes      int
}

// memoryBytes bounds what is remembered. A compiled template takes about overhead times its text, plus what stands around it.
const (
	memoryBytes = 32 << 20
	overhead    = 8
	around      = 4 << 10
)

// New makes a library.
func New(cfg Config) *Library {
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
	l := &Library{cfg: cfg, remembered: otter.Must(&otter.Options[reference, remembered]{
		MaximumWeight: memoryBytes,
		Weigher: func(_ reference, m remembered) uint32 {
			return uint32(min(around+overhead*m.bytes, memoryBytes)) //nolint:gosec // Bounded by a constant.
		},
	})}
	l.counted.Store(-1)
	return l
}

// Run polls the store's change counter until the context ends.
func (l *Library) Run(ctx context.Context) error {
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	for {
		select {
		case <-poll.C:
			l.Refresh(ctx)
		case <-ctx.Done():
			return nil
		}
	}
}

// Refresh looks whether another process has changed something.
func (l *Library) Refresh(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, pollLimit)
	defer cancel()
	now, err := l.cfg.Store.Changes(limited)
	switch {
	case err == nil && l.counted.Swap(now) != now:
		l.generation.Add(1)
	case err != nil && ctx.Err() == nil:
		// What is remembered may be old by now; without it, every reference is looked up and the caller learns of the store's trouble.
		l.generation.Add(1)
		l.cfg.OnError(err)
	}
}

// changed makes what this process has just done hold for the next request here.
func (l *Library) changed() { l.generation.Add(1) }

// now gives the time in the precision that every store keeps.
func (l *Library) now() time.Time { return l.cfg.Now().UTC().Truncate(time.Microsecond) }

// Resolve gives the version that a reference of the team means: name@version, or name for the newest that can be used. A reference that is none is an
// INVALID_REQUEST, what was never published NOT_FOUND, and what was withdrawn GONE with what to do about it.
func (l *Library) Resolve(ctx context.Context, team key.TeamID, text string) (*Use, error) {
	// The generation is taken before the store is read: what is read is at least as new.
	generation := l.generation.Load()
	at := reference{team, text}
	if m, ok := l.remembered.GetIfPresent(at); ok && m.generation == generation {
		return m.use, nil
	}
	ref, err := ParseRef(text)
	if err != nil {
		return nil, err
	}
	_, v, err := l.Find(ctx, team, ref, false)
	if err != nil {
		return nil, err
	}
	use, err := l.compile(v)
	if err != nil {
		return nil, err
	}
	l.remembered.Set(at, remembered{use, generation, len(v.Content.String())})
	return use, nil
}

// compile reads a kept version. It was read before it was kept: what is wrong now is a limit that has become tighter, or a promptd that has become stricter.
func (l *Library) compile(v Version) (*Use, error) {
	c, err := Compile(body.Open(v.Content), l.cfg.Limits())
	if err != nil {
		f := fault.New(fault.Conflict, "the template %s can't be used by this version of promptd: %s", v.Ref(), fault.Of(err).Detail).Because(err)
		f.Remediation = "Publish a corrected version."
		return nil, f
	}
	return &Use{v, c}, nil
}

// Find reads a name with one of its versions; number 0 means the newest that can be used. What is withdrawn is GONE, unless it is asked for.
func (l *Library) Find(ctx context.Context, team key.TeamID, ref Ref, withdrawn bool) (Template, Version, error) {
	t, v, err := l.cfg.Store.Find(ctx, team, ref.Name, ref.Version)
	if err == nil && !withdrawn {
		err = gone(&t, &v, ref)
	}
	return t, v, err
}

// List reads a page of names.
func (l *Library) List(ctx context.Context, team key.TeamID, f Filter) ([]Template, string, error) {
	return l.cfg.Store.List(ctx, team, f)
}

// Versions reads a page of a name's versions. A withdrawn name is GONE, unless withdrawn ones are asked for.
func (l *Library) Versions(ctx context.Context, team key.TeamID, name string, f VersionFilter) ([]Version, int, error) {
	if !f.Withdrawn {
		t, _, err := l.cfg.Store.Find(ctx, team, name, 0)
		if err == nil && !t.WithdrawnAt.IsZero() {
			err = gone(&t, &Version{}, Ref{Name: name})
		}
		if err != nil {
			return nil, 0, err
		}
	}
	return l.cfg.Store.Versions(ctx, team, name, f)
}
