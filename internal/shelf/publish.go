package shelf

import (
	"context"
	"errors"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/schema/compat"
	"github.com/promptd/promptd/internal/value"
)

// mostTries bounds how often a publication is compared again because another process was faster. Those of one process wait for each other.
const mostTries = 20

// Draft is a content that somebody wants to publish.
type Draft struct {
	Team    key.TeamID
	Owner   key.ID
	Name    string
	Hash    [32]byte
	Content value.Value
	// Description becomes the name's; nil keeps what it has.
	Description *string
	// Compatibility is what this version is held to; empty means the mode that the name keeps. A name that is new keeps it.
	Compatibility compat.Mode
}

// Published is what became of a draft.
type Published struct {
	Name    Name
	Version Version
	// New is false where the newest version has that content already: nothing was published then.
	New bool
}

// Compare says whether a draft may follow a version under a mode. It can be asked again about another version when somebody else was faster.
type Compare func(ctx context.Context, before Version, mode compat.Mode) error

// Publish keeps a content as the next version of its name, unless what it is compared with, the newest version that can be used, forbids it.
func (s *Shelf[T]) Publish(ctx context.Context, d Draft, compare Compare) (Published, error) {
	done, err := s.line.wait(ctx, d.Team, d.Name)
	if err != nil {
		return Published{}, err
	}
	defer done()
	for range mostTries {
		p, err := s.publish(ctx, &d, compare)
		if !errors.Is(err, ErrMoved) {
			return p, err
		}
	}
	return Published{}, fault.New(fault.Overloaded, "others publish versions of the %s %s all the time", s.cfg.Kind, d.Name)
}

// publish compares with what is there and keeps the version; ErrMoved says that what was there is no longer the same.
func (s *Shelf[T]) publish(ctx context.Context, d *Draft, compare Compare) (Published, error) {
	n, before, err := s.cfg.Store.Find(ctx, d.Team, d.Name, 0)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return Published{}, err
	}
	if !n.WithdrawnAt.IsZero() {
		return Published{}, s.cfg.Kind.withdrawn(d.Name)
	}
	mode, kept := d.modes(&n)
	if before.Number != 0 {
		if before.Hash == d.Hash {
			return s.again(ctx, d, Published{Name: n, Version: before})
		}
		if err := compare(ctx, before, mode); err != nil {
			return Published{}, err
		}
	}
	p := Published{New: true}
	p.Name, p.Version, err = s.cfg.Store.Publish(ctx, Publication{
		Version:     Version{Team: d.Team, Name: d.Name, Hash: d.Hash, Content: d.Content, Compatibility: mode, Owner: d.Owner, CreatedAt: s.now()},
		Description: d.Description, Kept: kept, Revision: n.Revision,
	})
	if err != nil {
		return Published{}, err
	}
	s.changed()
	return p, nil
}

// modes gives the mode for this version, and the one that the name keeps if it is new. Backward is the default: what uses the version before can use the
// new one.
func (d *Draft) modes(n *Name) (mode, kept compat.Mode) {
	kept = compat.Backward
	if n.Revision != 0 {
		kept = n.Compatibility
	}
	if d.Compatibility == "" {
		return kept, kept
	}
	if n.Revision == 0 {
		kept = d.Compatibility
	}
	return d.Compatibility, kept
}

// again answers for content that the newest version has already. Its description may still be another.
func (s *Shelf[T]) again(ctx context.Context, d *Draft, p Published) (Published, error) {
	if d.Description == nil || *d.Description == p.Name.Description {
		return p, nil
	}
	n, err := s.Change(ctx, d.Team, d.Name, Change{Description: d.Description})
	p.Name = n
	return p, err
}
