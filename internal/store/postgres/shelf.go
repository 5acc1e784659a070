package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/shelf"
	"github.com/promptd/promptd/internal/store/statement"
)

// Shelf keeps what stands on a shelf: in a table of names, and a table of versions.
type Shelf struct {
	db  *DB
	sql statement.Shelf
}

// Schemas is the part that keeps the schema registry.
func (db *DB) Schemas() *Shelf { return &Shelf{db, statement.Schemas()} }

// Templates is the part that keeps templates.
func (db *DB) Templates() *Shelf { return &Shelf{db, statement.Templates()} }

// query names a transaction or a list for logs and metrics: schema_publish.
func (s *Shelf) query(what string) string { return string(s.sql.Kind) + "_" + what }

// Find reads a name with one of its versions.
func (s *Shelf) Find(ctx context.Context, team key.TeamID, name string, number int) (one shelf.Name, found shelf.Version, err error) {
	var v statement.Version
	err = s.db.row(ctx, s.query("find"), s.sql.OneVersion, []any{string(team), name, number}, func(row statement.Row) error {
		one, err = statement.ScanName(row, v.Dest(true)...)
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return shelf.Name{}, shelf.Version{}, s.sql.Kind.NoName(name)
	}
	if err != nil {
		return shelf.Name{}, shelf.Version{}, err
	}
	if number != 0 && !v.Found() {
		return shelf.Name{}, shelf.Version{}, s.sql.Kind.NoVersion(&one, number)
	}
	if found, err = v.Value(); err != nil {
		return shelf.Name{}, shelf.Version{}, fmt.Errorf("read the %s %s: %w", s.sql.Kind, name, err)
	}
	return one, found, nil
}

// Publish keeps a version under the name's next number. A name that another process makes meanwhile has moved as well.
func (s *Shelf) Publish(ctx context.Context, p shelf.Publication) (after shelf.Name, v shelf.Version, err error) {
	err = s.db.tx(ctx, s.query("publish"), func(ctx context.Context, tx pgx.Tx) error {
		revision, err := s.lock(ctx, tx, p.Team, p.Name)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		if revision != p.Revision {
			return shelf.ErrMoved
		}
		if revision == 0 {
			_, err = tx.Exec(ctx, s.sql.InsertName, statement.InsertNameArgs(p)...)
		} else {
			_, err = tx.Exec(ctx, s.sql.NextVersion, statement.NextVersionArgs(p)...)
		}
		if isConflict(err) {
			return shelf.ErrMoved
		}
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, s.sql.InsertVersion, statement.InsertVersionArgs(p)...); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, s.sql.MoveCounter); err != nil {
			return err
		}
		after, err = statement.ScanName(tx.QueryRow(ctx, s.sql.OneName, string(p.Team), p.Name))
		return err
	})
	if err != nil {
		return shelf.Name{}, shelf.Version{}, err
	}
	v = p.Version
	v.Number = after.Newest
	return after, v, nil
}

// lock takes the name's row, so that what is read next is what is changed, and gives its revision.
func (s *Shelf) lock(ctx context.Context, tx pgx.Tx, team key.TeamID, name string) (revision int64, err error) {
	err = tx.QueryRow(ctx, s.sql.LockName, string(team), name).Scan(&revision)
	return revision, err
}

// Change changes what is not nil.
func (s *Shelf) Change(ctx context.Context, team key.TeamID, name string, c shelf.Change) (shelf.Name, error) {
	return s.change(ctx, s.query("change"), team, name, func(ctx context.Context, tx pgx.Tx, _ shelf.Name) (bool, error) {
		return affected(tx.Exec(ctx, s.sql.ChangeName, statement.ChangeNameArgs(team, name, c)...))
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
	return s.change(ctx, query, team, name, func(ctx context.Context, tx pgx.Tx, one shelf.Name) (bool, error) {
		if number == 0 {
			return affected(tx.Exec(ctx, s.sql.MarkName, string(team), name, mark, at.UnixMicro()))
		}
		var count int
		if err := tx.QueryRow(ctx, s.sql.HasVersion, string(team), name, number).Scan(&count); err != nil {
			return false, err
		}
		if count == 0 {
			return false, s.sql.Kind.NoVersion(&one, number)
		}
		moved, err := affected(tx.Exec(ctx, s.sql.MarkVersion, string(team), name, mark, number))
		if err == nil && moved {
			_, err = tx.Exec(ctx, s.sql.TouchName, string(team), name, at.UnixMicro())
		}
		return moved, err
	})
}

func affected(done pgconn.CommandTag, err error) (bool, error) { return done.RowsAffected() > 0, err }

// change locks a name, reads it, changes it and reads it again, with the counter moved where something is another.
func (s *Shelf) change(ctx context.Context, query string, team key.TeamID, name string, do func(context.Context, pgx.Tx, shelf.Name) (bool, error)) (one shelf.Name, err error) {
	err = s.db.tx(ctx, query, func(ctx context.Context, tx pgx.Tx) error {
		read := func() (shelf.Name, error) {
			return statement.ScanName(tx.QueryRow(ctx, s.sql.OneName, string(team), name))
		}
		if _, err := s.lock(ctx, tx, team, name); errors.Is(err, pgx.ErrNoRows) {
			return s.sql.Kind.NoName(name)
		} else if err != nil {
			return err
		}
		if one, err = read(); err != nil {
			return err
		}
		moved, err := do(ctx, tx, one)
		if err != nil || !moved {
			return err
		}
		if _, err := tx.Exec(ctx, s.sql.MoveCounter); err != nil {
			return err
		}
		one, err = read()
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
	err = s.db.rows(ctx, s.query("list"), s.sql.SomeNames, []any{string(team), f.After, f.Withdrawn, f.Limit + 1}, func(row statement.Row) error {
		one, err := statement.ScanName(row)
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
	err = s.db.row(ctx, s.query("read"), s.sql.OneName, []any{string(team), name}, func(statement.Row) error { return nil })
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, 0, s.sql.Kind.NoName(name)
	}
	if err != nil {
		return nil, 0, err
	}
	list = make([]shelf.Version, 0, min(f.Limit, shelf.MaxPage))
	args := []any{string(team), name, f.Before, f.Withdrawn, f.Limit + 1}
	err = s.db.rows(ctx, s.query("versions"), s.sql.SomeVersions, args, func(row statement.Row) error {
		var v statement.Version
		if err := row.Scan(v.Dest(false)...); err != nil {
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
	err = s.db.row(ctx, s.query("counter"), s.sql.ReadCounter, nil, func(row statement.Row) error { return row.Scan(&now) })
	return now, err
}

var _ shelf.Store = (*Shelf)(nil)
