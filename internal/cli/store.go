package cli

import (
	"context"
	"errors"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/store/sqlite"
)

// withStore opens the embedded store beside whoever else uses it, and closes it after the function.
func (s *settings) withStore(ctx context.Context, do func(*sqlite.DB) error) (err error) {
	dir, err := s.dataDir()
	if err != nil {
		return err
	}
	db, err := sqlite.Open(ctx, sqlite.Options{Dir: dir})
	if err != nil {
		return inUse(err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return do(db)
}

// inUse gives a data directory that is taken the meaning that callers know: unavailable.
func inUse(err error) error {
	if !errors.Is(err, sqlite.ErrInUse) {
		return err
	}
	f := fault.New(fault.Overloaded, "%v", err).Because(err)
	f.Remediation = "Try again when the other process has ended."
	return f
}
