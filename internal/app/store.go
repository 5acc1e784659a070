package app

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"github.com/promptd/promptd/internal/bulk"
	"github.com/promptd/promptd/internal/config"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/idempotency"
	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/limit"
	"github.com/promptd/promptd/internal/member"
	"github.com/promptd/promptd/internal/observe"
	"github.com/promptd/promptd/internal/registry"
	"github.com/promptd/promptd/internal/router"
	"github.com/promptd/promptd/internal/shelf"
	"github.com/promptd/promptd/internal/store/postgres"
	"github.com/promptd/promptd/internal/store/sqlite"
	"github.com/promptd/promptd/internal/usage"
)

// kept is what is durable, whichever engine keeps it: each part is its consumer's own interface.
type kept struct {
	keys        key.Store
	teams       key.TeamStore
	idempotency idempotency.Store
	history     history
	budgets     limit.BudgetStore
	learned     router.Store
	schemas     shelf.Store
	templates   shelf.Store
	deliveries  deliveries
	jobs        job.Store
	batches     bulk.Store
	// states gives the key that seals what requests go on with, the same for every process on the store.
	// members are the processes on the store.
	members member.Store
	states  func(context.Context) ([]byte, error)
	// run is the store's owner, nil where it has none.
	run  func(context.Context) error
	ping func(context.Context) error
	// apart says that the store is a server of its own: without it what is known of keys holds for a while.
	apart bool
	close func() error
}

// history is what the history is to its consumers.
type history interface {
	usage.Store
	registry.History
}

// engine is a store that database.url may name by its scheme.
type engine struct {
	scheme string
	open   func(ctx context.Context, c *config.Config, m *observe.Metrics) (*kept, error)
}

// openStore opens the store that database.url names.
func openStore(ctx context.Context, c *config.Config, m *observe.Metrics) (*kept, error) {
	all := engines()
	i := slices.IndexFunc(all, func(e engine) bool { return e.scheme == c.Database.URL.Scheme() })
	if i < 0 {
		return nil, fault.New(fault.InvalidRequest, "database.url names no store that this program has")
	}
	return all[i].open(ctx, c, m)
}

// How long New waits for a store that is away: in a cluster all starts at once, and a database takes its time.
const (
	storePatience = time.Minute
	storeAgain    = 2 * time.Second
)

// awaitStore opens the store, and waits for one that is away.
func (a *App) awaitStore(ctx context.Context, c *config.Config) (*kept, error) {
	patience := cmp.Or(a.env.Patience, storePatience)
	for end := time.Now().Add(patience); ; {
		db, err := openStore(ctx, c, a.seen.Metrics)
		if !errors.Is(err, postgres.ErrAway) || time.Now().Add(storeAgain).After(end) {
			return db, err
		}
		a.log.Warn("the store is not there yet; promptd waits for it", slog.Any("error", err), slog.Duration("patience", patience))
		again := time.NewTimer(storeAgain)
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return nil, err
		}
	}
}

// storeFile is the embedded store's file in data_dir.
const storeFile = "promptd.db"

// openSQLite opens the embedded store.
func openSQLite(ctx context.Context, c *config.Config, m *observe.Metrics) (*kept, error) {
	if name := c.Database.URL.Opaque(); name != storeFile {
		f := fault.New(fault.InvalidRequest, "database.url names the file %s; the embedded store's is always %s", name, storeFile)
		f.Remediation = "Write sqlite:" + storeFile + ", and name its folder with data_dir."
		return nil, f
	}
	db, err := sqlite.Open(ctx, sqlite.Options{Dir: c.DataDir, Exclusive: true, Observe: m.Query})
	if errors.Is(err, sqlite.ErrInUse) {
		dir, _ := filepath.Abs(c.DataDir) //nolint:errcheck // The relative path serves as well.
		f := fault.New(fault.Overloaded, "another promptd works in %s", dir).Because(err)
		f.Remediation = "Stop it, or give this one a folder of its own with --data-dir."
		return nil, f
	}
	if err != nil {
		return nil, err
	}
	return &kept{
		keys: db.Keys(), teams: db.Teams(), idempotency: db.Idempotency(), history: db.History(), budgets: db.Budgets(), learned: db.Learned(),
		schemas: db.Schemas(), templates: db.Templates(), deliveries: db.Deliveries(), jobs: db.Jobs(), members: db.Members(), batches: db.Batches(),
		states: func(context.Context) ([]byte, error) { return stateKey(c.DataDir) },
		ping:   db.Ping, close: db.Close,
	}, nil
}
