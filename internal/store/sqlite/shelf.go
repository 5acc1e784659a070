package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/shelf"
	sqltext "github.com/promptd/promptd/internal/store/statement"
)

// Shelf keeps in promptd.db what stands on a shelf: in a table of names, and a table of versions.
type Shelf struct {
	file *file
	sql  sqltext.Shelf
}

// Schemas is the part that keeps the schema registry.
func (db *DB) Schemas() *Shelf { return &Shelf{db.main, sqltext.Schemas()} }

// Templates is the part that keeps templates.
func (db *DB) Templates() *Shelf { return &Shelf{db.main, sqltext.Templates()} }

// query names a transaction or a list for logs and metrics: schema_publish.
func (s *Shelf) query(what string) string { return string(s.sql.Kind) + "_" + what }

// Find reads a name with one of its versions.
func (s *Shelf) Find(ctx context.Context, team key.TeamID, name string, number int) (shelf.Name, shelf.Version, error) {
	var v sqltext.Version
	one, err := sqltext.ScanName(s.file.read.QueryRowContext(ctx, s.sql.OneVersion, string(team), name, number), v.Dest(true)...)
	if errors.Is(err, sql.ErrNoRows) {
		return shelf.Name{}, shelf.Version{}, s.sql.Kind.NoName(name)
	}
	if err != nil {
		return shelf.Name{}, shelf.Version{}, explain("read a "+string(s.sql.Kind), err)
	}
	if number != 0 && !v.Found() {
		return shelf.Name{}, shelf.Version{}, s.sql.Kind.NoVersion(&one, number)
	}
	found, err := v.Value()
	if err != nil {
		return shelf.Name{}, shelf.Version{}, fmt.Errorf("read the %s %s: %w", s.sql.Kind, name, err)
	}
	return one, found, nil
}

// Publish keeps a version under the name's next number.
func (s *Shelf) Publish(ctx context.Context, p shelf.Publication) (after shelf.Name, v shelf.Version, err error) {
	err = s.file.tx(ctx, s.query("publish"), func(ctx context.Context, tx *sql.Tx) error {
		before, err := s.read(ctx, tx, p.Team, p.Name)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		if before.Revision != p.Revision {
			return shelf.ErrMoved
		}
		if before.Revision == 0 {
			_, err = tx.ExecContext(ctx, s.sql.InsertName, sqltext.InsertNameArgs(p)...)
		} else {
			_, err = tx.ExecContext(ctx, s.sql.NextVersion, sqltext.NextVersionArgs(p)...)
		}
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, s.sql.InsertVersion, sqltext.InsertVersionArgs(p)...); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, s.sql.MoveCounter); err != nil {
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

// read reads a name inside a transaction.
func (s *Shelf) read(ctx context.Context, tx *sql.Tx, team key.TeamID, name string) (shelf.Name, error) {
	one, err := sqltext.ScanName(tx.QueryRowContext(ctx, s.sql.OneName, string(team), name))
	if errors.Is(err, sql.ErrNoRows) {
		return shelf.Name{}, s.sql.Kind.NoName(name)
	}
	return one, err
}

// Change changes what is not nil.
func (s *Shelf) Change(ctx context.Context, team key.TeamID, name string, c shelf.Change) (shelf.Name, error) {
	return s.change(ctx, s.query("change"), team, name, func(ctx context.Context, tx *sql.Tx, _ shelf.Name) (bool, error) {
		_, err := tx.ExecContext(ctx, s.sql.ChangeName, sqltext.ChangeNameArgs(team, name, c)...)
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
			return affected(tx.ExecContext(ctx, s.sql.MarkName, string(team), name, mark, at.UnixMicro()))
		}
		var count int
		if err := tx.QueryRowContext(ctx, s.sql.HasVersion, string(team), name, number).Scan(&count); err != nil {
			return false, err
		}
		if count == 0 {
			return false, s.sql.Kind.NoVersion(&one, number)
		}
		moved, err := affected(tx.ExecContext(ctx, s.sql.MarkVersion, string(team), name, mark, number))
		if err == nil && moved {
			_, err = tx.ExecContext(ctx, s.sql.TouchName, string(team), name, at.UnixMicro())
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
		if _, err := tx.ExecContext(ctx, s.sql.MoveCounter); err != nil {
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
	err = s.file.rows(ctx, s.query("list"), s.sql.SomeNames, []any{string(team), f.After, f.Withdrawn, f.Limit + 1}, func(rows *sql.Rows) error {
		one, err := sqltext.ScanName(rows)
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
	if _, err := sqltext.ScanName(s.file.read.QueryRowContext(ctx, s.sql.OneName, string(team), name)); errors.Is(err, sql.ErrNoRows) {
		return nil, 0, s.sql.Kind.NoName(name)
	} else if err != nil {
		return nil, 0, explain("read a "+string(s.sql.Kind), err)
	}
	list = make([]shelf.Version, 0, min(f.Limit, shelf.MaxPage))
	args := []any{string(team), name, f.Before, f.Withdrawn, f.Limit + 1}
	err = s.file.rows(ctx, s.query("versions"), s.sql.SomeVersions, args, func(rows *sql.Rows) error {
		var v sqltext.Version
		if err := rows.Scan(v.Dest(false)...); err != nil {
			return err
		}
		one, err := v.Value()
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
	if err := s.file.read.QueryRowContext(ctx, s.sql.ReadCounter).Scan(&now); err != nil {
		return 0, explain("read the counter of "+string(s.sql.Kind)+" changes", err)
	}
	return now, nil
}

var _ shelf.Store = (*Shelf)(nil)
