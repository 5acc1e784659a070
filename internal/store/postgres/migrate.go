package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/store/migrations"
)

// ErrBehind says that the database's tables are older than this program needs.
var ErrBehind = errors.New("the tables of the database are behind")

// How long who migrates waits: for another that does, and for the locks of its changes.
const (
	migratePatience = 10 * time.Minute
	migrateAgain    = 100 * time.Millisecond
	lockTries       = 20
	lockPause       = 2 * time.Second
	// startPatience is how long a start waits for a migration that is under way.
	startPatience = time.Minute
)

// Version is the version of the database's tables.
type Version struct {
	// Have is the tables', 0 where there are none; Newest is what this program makes of them.
	Have, Newest int64
	// Needs is the least version that a program must know to work with them.
	Needs int64
}

// Behind says whether the tables are to be migrated before this program can work.
func (v Version) Behind() bool { return v.Have < v.Newest }

// TooNew says whether the tables have left this program behind: what is one release newer has not.
func (v Version) TooNew() bool { return v.Needs > v.Newest }

// rowReader asks one row of a database.
type rowReader interface {
	QueryRow(ctx context.Context, query string, args ...any) pgx.Row
}

// versionOf reads the version of the tables. Nothing is changed.
func versionOf(ctx context.Context, q rowReader) (v Version, err error) {
	if v.Newest, err = newest(); err != nil {
		return v, err
	}
	var there bool
	if err := q.QueryRow(ctx, "SELECT to_regclass('goose_db_version') IS NOT NULL AND to_regclass('compatibility') IS NOT NULL").Scan(&there); err != nil || !there {
		return v, err
	}
	err = q.QueryRow(ctx, "SELECT (SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied), (SELECT max(needs) FROM compatibility)").Scan(&v.Have, &v.Needs)
	return v, err
}

// newest reads the greatest number among the files' names.
func newest() (int64, error) {
	files, err := migrations.Postgres()
	if err != nil {
		return 0, fmt.Errorf("read migrations: %w", err)
	}
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return 0, fmt.Errorf("list migrations: %w", err)
	}
	greatest := int64(0)
	for _, name := range names {
		number, _, _ := strings.Cut(name, "_")
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read the number of migration %s: %w", name, err)
		}
		greatest = max(greatest, n)
	}
	return greatest, nil
}

// Status reads the version of the tables at a URL, and what is there.
func Status(ctx context.Context, url string) (Version, Server, error) {
	t, err := look(ctx, url)
	if err != nil {
		return Version{}, Server{}, err
	}
	conn, err := pgx.ConnectConfig(ctx, t.plain())
	if err != nil {
		return Version{}, Server{}, explain(ctx, "connect to the database", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	v, err := versionOf(ctx, conn)
	return v, t.server, explain(ctx, "read the version of the tables", err)
}

// plain is a connection for migrations: it sends statements whole, so that a pooler does not matter, and has no limit of time, for an index of a large table takes long.
func (t *target) plain() *pgx.ConnConfig {
	c := t.config.ConnConfig.Copy()
	c.DefaultQueryExecMode = pgx.QueryExecModeExec
	for _, name := range []string{"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"} {
		delete(c.RuntimeParams, name)
	}
	return c
}

// Migrate brings the tables at a URL up to date. Of several that migrate at once one works and the others wait for it.
func Migrate(ctx context.Context, url string) error {
	t, err := look(ctx, url)
	if err != nil {
		return err
	}
	return t.migrate(ctx)
}

func (t *target) migrate(ctx context.Context) error {
	return t.alone(ctx, migratePatience, func(tx pgx.Tx) error {
		v, err := versionOf(ctx, tx)
		if err != nil {
			return explain(ctx, "read the version of the tables", err)
		}
		if v.TooNew() {
			return tooNew(v)
		}
		return t.up(ctx)
	})
}

// alone runs something while this process has the lock of migrations. It belongs to a transaction that is left open meanwhile: it ends with the connection, and a
// pooler keeps the transaction's connection for it.
func (t *target) alone(ctx context.Context, patience time.Duration, run func(tx pgx.Tx) error) error {
	conn, err := pgx.ConnectConfig(ctx, t.plain())
	if err != nil {
		return explain(ctx, "connect to the database", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{BeginQuery: "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0"})
	if err != nil {
		return explain(ctx, "begin to migrate", err)
	}
	defer tx.Rollback(context.WithoutCancel(ctx)) //nolint:errcheck // There is nothing in it but the lock.
	giveUp := time.NewTimer(patience)
	defer giveUp.Stop()
	for {
		var mine bool
		if err := tx.QueryRow(ctx, "SELECT pg_try_advisory_xact_lock($1)", aloneMigrating).Scan(&mine); err != nil {
			return explain(ctx, "take the lock of migrations", err)
		}
		if mine {
			return run(tx)
		}
		again := time.NewTimer(migrateAgain)
		select {
		case <-again.C:
		case <-giveUp.C:
			again.Stop()
			f := fault.New(fault.Overloaded, "another promptd has been migrating the database for %s", patience)
			f.Remediation = "Wait until it has ended; promptd migrate status shows how far it is."
			return f
		case <-ctx.Done():
			again.Stop()
			return fmt.Errorf("wait for another migration: %w", ctx.Err())
		}
	}
}

// up runs the migrations that are missing. Where a table is in use for longer than a migration may wait for it, it comes back a little later.
func (t *target) up(ctx context.Context) error {
	files, err := migrations.Postgres()
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	db := stdlib.OpenDB(*t.plain())
	defer db.Close()
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return fmt.Errorf("prepare the migration of the database: %w", err)
	}
	for try := 1; ; try++ {
		_, err := provider.Up(ctx)
		if err == nil {
			return nil
		}
		if codeOf(err) != "55P03" {
			return explain(ctx, "migrate the database", err)
		}
		if try == lockTries {
			f := fault.New(fault.Overloaded, "a table that must be changed is in use by another transaction").Because(fmt.Errorf("migrate the database: %w", err))
			f.Remediation = "End long transactions (SELECT pid, state, query FROM pg_stat_activity shows them), and run promptd migrate up again: what was done stays."
			return f
		}
		again := time.NewTimer(lockPause)
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return fmt.Errorf("migrate the database: %w", ctx.Err())
		}
	}
}

// upToDate makes the tables of an empty database, and refuses one that this program can't work with.
func (t *target) upToDate(ctx context.Context, q rowReader) error {
	v, err := versionOf(ctx, q)
	if err != nil {
		return explain(ctx, "read the version of the tables", err)
	}
	if v.Have == 0 {
		return t.migrate(ctx)
	}
	if v.Behind() {
		// Another process may be at it.
		err := t.alone(ctx, startPatience, func(pgx.Tx) error { return nil })
		if err != nil {
			return err
		}
		if v, err = versionOf(ctx, q); err != nil {
			return explain(ctx, "read the version of the tables", err)
		}
	}
	switch {
	case v.Behind():
		f := fault.New(fault.InvalidRequest, "the tables of the database have version %d; this promptd needs %d", v.Have, v.Newest).Because(ErrBehind)
		f.Remediation = "Run promptd migrate up with this version first. Processes of the version before go on with the new tables meanwhile."
		return f
	case v.TooNew():
		return tooNew(v)
	}
	return nil
}

func tooNew(v Version) error {
	f := fault.New(fault.InvalidRequest, "the tables of the database have version %d, and a program must know version %d to work with them; this promptd knows %d", v.Have, v.Needs, v.Newest)
	f.Remediation = "Use the promptd that migrated the database, or a newer one."
	return f
}
