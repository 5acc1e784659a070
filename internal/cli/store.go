package cli

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/promptd/promptd/internal/config"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/store/postgres"
	"github.com/promptd/promptd/internal/store/sqlite"
	"github.com/promptd/promptd/internal/usage"
)

// storeAt says where the store is: in a data directory, or in a database.
type storeAt struct {
	dir string
	// database is the URL of a PostgreSQL database; not set for the embedded store.
	database config.Locator
}

// kept is what commands read and change in the store itself, beside whoever else uses it.
type kept struct {
	keys    key.Store
	history usage.Store
}

// storeAt finds the store that the configuration names. Where --data-dir names a directory and the configuration can't be used, it is the embedded store there: a
// fault elsewhere shall not stand in the way of a key or a backup.
func (s *settings) storeAt() (storeAt, error) {
	o := s.options()
	o.StoreOnly = true
	loaded, err := config.Load(o)
	if err != nil && s.dir != "" && !s.namesDatabase() {
		return storeAt{dir: s.dir}, nil
	}
	if err != nil {
		return storeAt{}, s.explain(err)
	}
	return storeOf(&loaded.Config), nil
}

// namesDatabase says whether the environment names a database.
func (s *settings) namesDatabase() bool {
	return slices.ContainsFunc(s.env.Environ, func(v string) bool {
		name, value, _ := strings.Cut(v, "=")
		return name == "PROMPTD_DATABASE_URL" && value != ""
	})
}

func storeOf(c *config.Config) storeAt {
	p := storeAt{dir: c.DataDir}
	if strings.HasPrefix(c.Database.URL.Scheme(), "postgres") {
		p.database = c.Database.URL
	}
	return p
}

// dataDir gives the data directory of a command that is for the embedded store alone.
func (s *settings) dataDir() (string, error) {
	p, err := s.storeAt()
	if err != nil {
		return "", err
	}
	if p.database.IsSet() {
		f := fault.New(fault.InvalidRequest, "this command is for the embedded store; database.url names %s", p.database)
		f.Remediation = "Use PostgreSQL's own tools: pg_dump --format=custom writes a backup, pg_restore brings it back. --data-dir names an embedded store."
		return "", f
	}
	return p.dir, nil
}

// withStore opens the store beside whoever else uses it, and closes it after the function.
func (s *settings) withStore(ctx context.Context, do func(kept) error) error {
	p, err := s.storeAt()
	if err != nil {
		return err
	}
	return p.open(ctx, do)
}

func (p storeAt) open(ctx context.Context, do func(kept) error) (err error) {
	if !p.database.IsSet() {
		return withEmbedded(ctx, p.dir, func(db *sqlite.DB) error { return do(kept{db.Keys(), db.History()}) })
	}
	db, err := postgres.Open(ctx, postgres.Options{URL: p.database.Reveal()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return do(kept{db.Keys(), db.History()})
}

// withEmbedded opens the embedded store in a data directory.
func withEmbedded(ctx context.Context, dir string, do func(*sqlite.DB) error) (err error) {
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
