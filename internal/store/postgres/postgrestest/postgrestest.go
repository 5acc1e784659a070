// Package postgrestest gives tests databases of their own on a real PostgreSQL server.
//
// It is not for starting a server: TEST_POSTGRES_URL names one on which databases may be made, and without it a test is skipped.
//
// [Database] gives a database with today's tables, copied from a template, which takes some ten milliseconds; [Empty] one without tables. Both are dropped when
// the test ends. The template is made once for each state of the migrations and kept on the server for a day, under a name that begins with promptd_template_.
package postgrestest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/promptd/promptd/internal/store/migrations"
	"github.com/promptd/promptd/internal/store/postgres"
)

// patience bounds what the server may take to make or drop a database: it writes a checkpoint, on a machine that does other things too.
const patience = time.Minute

// keepTemplates is how long a template is of use to anybody.
const keepTemplates = 24 * time.Hour

// URL gives the server's URL, or skips the test.
func URL(tb testing.TB) string {
	tb.Helper()
	return Named(tb, "TEST_POSTGRES_URL")
}

// Named gives the URL that a variable holds, or skips the test.
func Named(tb testing.TB, variable string) string {
	tb.Helper()
	raw := os.Getenv(variable)
	if raw == "" {
		tb.Skipf("SKIPPED: %s is not set: this test needs a real server", variable)
	}
	return raw
}

// Database makes a database with today's tables and gives its URL.
func Database(tb testing.TB) string {
	tb.Helper()
	server := URL(tb)
	return create(tb, server, func(ctx context.Context, conn *pgx.Conn) (string, error) { return template(ctx, conn, server) })
}

// Empty makes a database without tables and gives its URL.
func Empty(tb testing.TB) string {
	tb.Helper()
	return create(tb, URL(tb), func(context.Context, *pgx.Conn) (string, error) { return "template0", nil })
}

// EmptyOn makes a database without tables on a server that is not TEST_POSTGRES_URL.
func EmptyOn(tb testing.TB, server string) string {
	tb.Helper()
	return create(tb, server, func(context.Context, *pgx.Conn) (string, error) { return "template0", nil })
}

// On gives the URL of a server with the name of another database.
func On(server, database string) string {
	u, err := url.Parse(server)
	if err != nil {
		return server
	}
	u.Path = "/" + database
	return u.String()
}

// Name gives the database's name of a URL.
func Name(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return strings.TrimPrefix(u.Path, "/")
}

func create(tb testing.TB, server string, from func(context.Context, *pgx.Conn) (string, error)) string {
	tb.Helper()
	name := "promptd_test_" + strings.ToLower(rand.Text())
	admin(tb, server, func(ctx context.Context, conn *pgx.Conn) error {
		origin, err := from(ctx, conn)
		if err != nil {
			return err
		}
		_, err = conn.Exec(ctx, "CREATE DATABASE "+name+" TEMPLATE "+origin)
		return err
	})
	tb.Cleanup(func() {
		admin(tb, server, func(ctx context.Context, conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
			return err
		})
	})
	return On(server, name)
}

// admin runs something on a connection of its own.
func admin(tb testing.TB, server string, run func(context.Context, *pgx.Conn) error) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		tb.Fatalf("connect to TEST_POSTGRES_URL: %v", err)
	}
	defer conn.Close(ctx)
	if err := run(ctx, conn); err != nil {
		tb.Fatalf("make or drop a database of the test: %v", err)
	}
}

// makingTemplates is the advisory lock of those who make one.
const makingTemplates = 0x70726f6d70747400

// template gives the name of the template of today's tables, and makes it where it is missing.
func template(ctx context.Context, conn *pgx.Conn, server string) (string, error) {
	hash, err := state()
	if err != nil {
		return "", err
	}
	if name, err := find(ctx, conn, hash); name != "" || err != nil {
		return name, err
	}
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", makingTemplates); err != nil {
		return "", err
	}
	defer conn.Exec(ctx, "SELECT pg_advisory_unlock($1)", makingTemplates) //nolint:errcheck // It ends with the connection.
	if name, err := find(ctx, conn, hash); name != "" || err != nil {
		return name, err
	}
	if err := dropOld(ctx, conn); err != nil {
		return "", err
	}
	made := "promptd_making_" + strings.ToLower(rand.Text())
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+made+" TEMPLATE template0"); err != nil {
		return "", err
	}
	if err := postgres.Migrate(ctx, On(server, made)); err != nil {
		return "", err
	}
	name := fmt.Sprintf("promptd_template_%d_%s", time.Now().Unix(), hash)
	_, err = conn.Exec(ctx, "ALTER DATABASE "+made+" RENAME TO "+name)
	return name, err
}

// state is a hash of the migrations.
func state() (string, error) {
	files, err := migrations.Postgres()
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	err = fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files, path)
		fmt.Fprintf(sum, "%s\n%s", path, text)
		return err
	})
	return hex.EncodeToString(sum.Sum(nil))[:16], err
}

func find(ctx context.Context, conn *pgx.Conn, hash string) (string, error) {
	var name string
	err := conn.QueryRow(ctx, "SELECT coalesce(max(datname), '') FROM pg_database WHERE datname LIKE 'promptd\\_template\\_%\\_' || $1", hash).Scan(&name)
	return name, err
}

// dropOld drops the templates of yesterday.
func dropOld(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, `SELECT datname FROM pg_database WHERE datname ~ '^promptd_template_\d+_' AND split_part(datname, '_', 3)::bigint < $1`,
		time.Now().Add(-keepTemplates).Unix())
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+name); err != nil {
			return err
		}
	}
	return nil
}
