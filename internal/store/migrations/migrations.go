// Package migrations holds the numbered SQL files that make and change the tables, one folder an engine, embedded in the binary.
//
// It is not for running them: the stores do that with goose. [SQLite] and [SQLiteHistory] give the files of the two SQLite
// databases. A file that was released is never changed; a change is the next number.
package migrations

import (
	"embed"
	"io/fs"
)

//go:embed sqlite/*.sql sqlite/history/*.sql
var files embed.FS

// SQLite gives the migrations of promptd.db.
func SQLite() (fs.FS, error) { return fs.Sub(files, "sqlite") }

// SQLiteHistory gives the migrations of history.db.
func SQLiteHistory() (fs.FS, error) { return fs.Sub(files, "sqlite/history") }
