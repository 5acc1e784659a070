package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/registry"
	"github.com/promptd/promptd/internal/shelf"
	"github.com/promptd/promptd/internal/template"
)

// Shelf keeps in promptd.db what stands on a shelf: in a table of names, and a table of versions.
type Shelf struct {
	file *file
	kind shelf.Kind
	sql  shelfSQL
}

// shelfTable tells one shelf's tables and columns from another's.
type shelfTable struct {
	kind shelf.Kind
	// names and versions are the tables, content is the column of a version that holds it, and counter the row of the counters.
	names, versions, content, counter string
}

// Schemas is the part that keeps the schema registry.
func (db *DB) Schemas() *Shelf {
	return newShelf(db.main, shelfTable{registry.Kind, "schemas", "schema_versions", "schema", "schema_changes"})
}

// Templates is the part that keeps templates.
func (db *DB) Templates() *Shelf {
	return newShelf(db.main, shelfTable{template.Kind, "templates", "template_versions", "content", "template_changes"})
}

func newShelf(f *file, t shelfTable) *Shelf { return &Shelf{f, t.kind, t.statements()} }

// query names a transaction or a list for logs and metrics: schema_publish.
func (s *Shelf) query(what string) string { return string(s.kind) + "_" + what }

// Find reads a name with one of its versions.
func (s *Shelf) Find(ctx context.Context, team key.TeamID, name string, number int) (shelf.Name, shelf.Version, error) {
	var v versionRow
	one, err := scanName(s.file.read.QueryRowContext(ctx, s.sql.oneVersion, string(team), name, number), v.dest(true)...)
	if errors.Is(err, sql.ErrNoRows) {
		return shelf.Name{}, shelf.Version{}, s.kind.NoName(name)
	}
	if err != nil {
		return shelf.Name{}, shelf.Version{}, explain("read a "+string(s.kind), err)
	}
	if number != 0 && !v.number.Valid {
		return shelf.Name{}, shelf.Version{}, s.kind.NoVersion(&one, number)
	}
	found, err := v.version()
	if err != nil {
		return shelf.Name{}, shelf.Version{}, fmt.Errorf("read the %s %s: %w", s.kind, name, err)
	}
	return one, found, nil
}

// Publish keeps a version under the name's next number.
func (s *Shelf) Publish(ctx context.Context, p shelf.Publication) (after shelf.Name, v shelf.Version, err error) {
	team, at := string(p.Team), p.CreatedAt.UnixMicro()
	err = s.file.tx(ctx, s.query("publish"), func(ctx context.Context, tx *sql.Tx) error {
		before, err := s.read(ctx, tx, p.Team, p.Name)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		if before.Revision != p.Revision {
			return shelf.ErrMoved
		}
		if before.Revision == 0 {
			_, err = tx.ExecContext(ctx, s.sql.insertName, team, p.Name, orEmpty(p.Description), string(p.Kept), string(p.Owner), at)
		} else {
			_, err = tx.ExecContext(ctx, s.sql.nextVersion, team, p.Name, at, p.Description)
		}
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, s.sql.insertVersion, team, p.Name, p.Hash[:], string(p.Compatibility), string(p.Owner), at, p.Content.String()); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, s.sql.moveCounter); err != nil {
			return err
		}
		after, err = s.read(ctx, tx, p.Team, p.Name)
		return err
	})
	if err != nil {
		return shelf.Name{}, shelf.Version{}, err
	}
	v = p.Version
	v.Number = after.Newest
	return after, v, nil
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// read reads a name inside a transaction.
func (s *Shelf) read(ctx context.Context, tx *sql.Tx, team key.TeamID, name string) (shelf.Name, error) {
	one, err := scanName(tx.QueryRowContext(ctx, s.sql.oneName, string(team), name))
	if errors.Is(err, sql.ErrNoRows) {
		return shelf.Name{}, s.kind.NoName(name)
	}
	return one, err
}

// Change changes what is not nil.
func (s *Shelf) Change(ctx context.Context, team key.TeamID, name string, c shelf.Change) (shelf.Name, error) {
	return s.change(ctx, s.query("change"), team, name, func(ctx context.Context, tx *sql.Tx, _ shelf.Name) (bool, error) {
		var mode *string
		if c.Compatibility != nil {
			text := string(*c.Compatibility)
			mode = &text
		}
		_, err := tx.ExecContext(ctx, s.sql.changeName, string(team), name, c.Description, mode, c.At.UnixMicro())
		return err == nil, err
	})
}

// Withdraw hides a version or a name.
func (s *Shelf) Withdraw(ctx context.Context, team key.TeamID, name string, number int, at time.Time) (shelf.Name, error) {
	return s.mark(ctx, s.query("withdraw"), team, name, number, at.UnixMicro(), at)
}

// Restore undoes that.
func (s *Shelf) Restore(ctx context.Context, team key.TeamID, name string, number int, at time.Time) (shelf.Name, error) {
	return s.mark(ctx, s.query("restore"), team, name, number, nil, at)
}

func (s *Shelf) mark(ctx context.Context, query string, team key.TeamID, name string, number int, mark any, at time.Time) (shelf.Name, error) {
	return s.change(ctx, query, team, name, func(ctx context.Context, tx *sql.Tx, one shelf.Name) (bool, error) {
		if number == 0 {
			return affected(tx.ExecContext(ctx, s.sql.markName, string(team), name, mark, at.UnixMicro()))
		}
		var count int
		if err := tx.QueryRowContext(ctx, s.sql.hasVersion, string(team), name, number).Scan(&count); err != nil {
			return false, err
		}
		if count == 0 {
			return false, s.kind.NoVersion(&one, number)
		}
		moved, err := affected(tx.ExecContext(ctx, s.sql.markVersion, string(team), name, mark, number))
		if err == nil && moved {
			_, err = tx.ExecContext(ctx, s.sql.touchName, string(team), name, at.UnixMicro())
		}
		return moved, err
	})
}

func affected(r sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := r.RowsAffected()
	return n > 0, err
}

// change reads a name, changes it and reads it again, with the counter moved where something is another.
func (s *Shelf) change(ctx context.Context, query string, team key.TeamID, name string, do func(context.Context, *sql.Tx, shelf.Name) (bool, error)) (one shelf.Name, err error) {
	err = s.file.tx(ctx, query, func(ctx context.Context, tx *sql.Tx) error {
		if one, err = s.read(ctx, tx, team, name); err != nil {
			return err
		}
		moved, err := do(ctx, tx, one)
		if err != nil || !moved {
			return err
		}
		if _, err := tx.ExecContext(ctx, s.sql.moveCounter); err != nil {
			return err
		}
		one, err = s.read(ctx, tx, team, name)
		return err
	})
	if err != nil {
		return shelf.Name{}, err
	}
	return one, nil
}

// List reads a page of names; one more row than wanted tells whether another page follows.
func (s *Shelf) List(ctx context.Context, team key.TeamID, f shelf.Filter) (list []shelf.Name, next string, err error) {
	list = make([]shelf.Name, 0, min(f.Limit, shelf.MaxPage))
	err = s.file.rows(ctx, s.query("list"), s.sql.someNames, []any{string(team), f.After, f.Withdrawn, f.Limit + 1}, func(rows *sql.Rows) error {
		one, err := scanName(rows)
		list = append(list, one)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	if len(list) > f.Limit {
		list = list[:f.Limit]
		next = list[f.Limit-1].Name
	}
	return list, next, nil
}

// Versions reads a page of a name's versions.
func (s *Shelf) Versions(ctx context.Context, team key.TeamID, name string, f shelf.VersionFilter) (list []shelf.Version, next int, err error) {
	if _, err := scanName(s.file.read.QueryRowContext(ctx, s.sql.oneName, string(team), name)); errors.Is(err, sql.ErrNoRows) {
		return nil, 0, s.kind.NoName(name)
	} else if err != nil {
		return nil, 0, explain("read a "+string(s.kind), err)
	}
	list = make([]shelf.Version, 0, min(f.Limit, shelf.MaxPage))
	args := []any{string(team), name, f.Before, f.Withdrawn, f.Limit + 1}
	err = s.file.rows(ctx, s.query("versions"), s.sql.someVersions, args, func(rows *sql.Rows) error {
		var v versionRow
		if err := rows.Scan(v.dest(false)...); err != nil {
			return err
		}
		one, err := v.version()
		list = append(list, one)
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	if len(list) > f.Limit {
		list = list[:f.Limit]
		next = list[f.Limit-1].Number
	}
	return list, next, nil
}

// Changes reads the change counter.
func (s *Shelf) Changes(ctx context.Context) (now int64, err error) {
	if err := s.file.read.QueryRowContext(ctx, s.sql.readCounter).Scan(&now); err != nil {
		return 0, explain("read the counter of "+string(s.kind)+" changes", err)
	}
	return now, nil
}

var _ shelf.Store = (*Shelf)(nil)
