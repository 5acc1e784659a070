// Package migrations holds the numbered SQL files that make and change the tables, one folder an engine, embedded in the binary.
//
// It is not for running them: the stores do that with goose. [SQLite] and [SQLiteHistory] give the files of the two SQLite
// databases, [Postgres] those of the one PostgreSQL database. A file that was released is never changed; a change is the next number.
//
// On PostgreSQL the programs of two releases work on the tables at the same time while an installation is renewed process by process. So a migration only adds
// (a table, a column with a default, an index made CONCURRENTLY), and what nobody uses any more is taken away a release later, by a migration that raises
// compatibility.needs. Each begins with a lock_timeout: whoever waits for a lock makes everybody else wait behind it.
package migrations

import (
	"embed"
	"io/fs"
)

//go:embed sqlite/*.sql sqlite/history/*.sql postgres/*.sql
var files embed.FS

// SQLite gives the migrations of promptd.db.
func SQLite() (fs.FS, error) { return fs.Sub(files, "sqlite") }

// SQLiteHistory gives the migrations of history.db.
func SQLiteHistory() (fs.FS, error) { return fs.Sub(files, "sqlite/history") }

// Postgres gives the migrations of the PostgreSQL database.
func Postgres() (fs.FS, error) { return fs.Sub(files, "postgres") }
