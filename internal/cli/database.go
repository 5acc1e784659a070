package cli

import (
	"context"
	"time"

	"github.com/promptd/promptd/internal/config"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/store/postgres"
)

// databasePatience bounds how long a database may take to say what it is.
const databasePatience = 5 * time.Second

// database looks at a PostgreSQL database and its replicas. Nothing is changed.
func (f *findings) database(ctx context.Context, c *config.Config) {
	at := storeOf(c).database
	if !at.IsSet() {
		return
	}
	status, cancel := context.WithTimeout(ctx, databasePatience)
	defer cancel()
	v, server, err := postgres.Status(status, at.Reveal())
	if err != nil {
		f.databaseFault(at, err)
		return
	}
	if server.Replica {
		f.add("database", bad, "Name the primary with database.url, and this one with database.replica_urls.", "%s is a replica: nothing can be written there", at)
		return
	}
	f.add("database", fine, "", "PostgreSQL %s at %s%s", server.Release(), at, pooledText(server))
	f.connections(server)
	for _, one := range c.Database.ReplicaURLs {
		f.replica(ctx, one)
	}
	f.tables(v)
}

func pooledText(s postgres.Server) string {
	if s.Pooled {
		return ", behind a pooler: statements are sent without being prepared"
	}
	return ""
}

// databaseFault tells an error with its remedy.
func (f *findings) databaseFault(at config.Locator, err error) {
	told := fault.Of(err)
	hint := told.Remediation
	if hint == "" {
		hint = "Look whether the server runs, and whether the address, the user and the password are right."
	}
	f.add("database", bad, hint, "%s: %v", at, err)
}

// connections compares the server's limit with what processes open.
func (f *findings) connections(s postgres.Server) {
	if s.Pooled {
		return // What the pooler opens is its own.
	}
	// Three are kept for its administrators by default.
	const kept, few = 3, 2
	processes := (s.MaxConnections - kept) / max(1, s.PoolSize)
	if processes < few {
		f.add("connections", risky, "Raise max_connections of the server, lower pool_max_conns in database.url, or put PgBouncer in front.",
			"each process opens up to %d of the server's %d connections: there is room for %d of them", s.PoolSize, s.MaxConnections, processes)
		return
	}
	f.add("connections", fine, "", "each process opens up to %d of the server's %d: there is room for %d of them", s.PoolSize, s.MaxConnections, processes)
}

// tables says whether the tables are those that this promptd needs.
func (f *findings) tables(v postgres.Version) {
	switch {
	case v.Have == 0:
		f.add("tables", note, "", "not made yet; the first start makes them")
	case v.TooNew():
		f.add("tables", bad, "Use the promptd that migrated the database, or a newer one.", "version %d needs a program that knows version %d; this one knows %d", v.Have, v.Needs, v.Newest)
	case v.Behind():
		f.add("tables", bad, "promptd migrate up", "version %d; this promptd needs %d", v.Have, v.Newest)
	case v.Have > v.Newest:
		f.add("tables", fine, "", "version %d, newer than this promptd, which works with them", v.Have)
	default:
		f.add("tables", fine, "", "up to date (version %d)", v.Have)
	}
}

// replica looks at a read replica.
func (f *findings) replica(ctx context.Context, at config.Locator) {
	ctx, cancel := context.WithTimeout(ctx, databasePatience)
	defer cancel()
	_, server, err := postgres.Status(ctx, at.Reveal())
	switch {
	case err != nil:
		f.add("replica", risky, "promptd reads from the primary until it is there.", "%s: %v", at, err)
	case !server.Replica:
		f.add("replica", risky, "Take it out of database.replica_urls.", "%s follows no primary: it is not read", at)
	default:
		f.add("replica", fine, "", "PostgreSQL %s at %s", server.Release(), at)
	}
}
