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
	"github.com/promptd/promptd/internal/schema/compat"
	"github.com/promptd/promptd/internal/value"
)

// Schemas keeps the schema registry in promptd.db.
type Schemas struct{ file *file }

// Schemas is the part that keeps the schema registry.
func (db *DB) Schemas() *Schemas { return &Schemas{file: db.main} }

// A change moves the counter, which other processes poll, in its own transaction.
const (
	moveSchemaCounter = `UPDATE counters SET value = value + 1 WHERE name = 'schema_changes'`
	readSchemaCounter = `SELECT value FROM counters WHERE name = 'schema_changes'`
)

// currentVersion is the newest version of the name s that can be used.
const currentVersion = `(SELECT max(version) FROM schema_versions WHERE team = s.team AND name = s.name AND withdrawn_at IS NULL)`

// The columns of a name, of its newest usable version c, and of a version v.
const (
	schemaColumns  = `s.team, s.name, s.description, s.compatibility, s.owner, s.newest, s.created_at, s.updated_at, s.withdrawn_at, s.revision, c.version, c.hash`
	schemaTables   = `schemas s LEFT JOIN schema_versions c ON c.team = s.team AND c.name = s.name AND c.version = ` + currentVersion + ` AND c.withdrawn_at IS NULL`
	versionColumns = `v.team, v.name, v.version, v.hash, v.compatibility, v.owner, v.created_at, v.withdrawn_at`
)

const oneSchema = `SELECT ` + schemaColumns + ` FROM ` + schemaTables + ` WHERE s.team = $1 AND s.name = $2`

const oneVersion = `SELECT ` + schemaColumns + `, ` + versionColumns + `, v.schema FROM ` + schemaTables + `
	LEFT JOIN schema_versions v ON v.team = s.team AND v.name = s.name AND v.version = CASE WHEN $3 = 0 THEN c.version ELSE $3 END
	WHERE s.team = $1 AND s.name = $2`

// Find reads a name with one of its versions.
func (s *Schemas) Find(ctx context.Context, team key.TeamID, name string, number int) (registry.Schema, registry.Version, error) {
	var v versionRow
	one, err := scanSchema(s.file.read.QueryRowContext(ctx, oneVersion, string(team), name, number), v.dest(true)...)
	if errors.Is(err, sql.ErrNoRows) {
		return registry.Schema{}, registry.Version{}, noSchema(name)
	}
	if err != nil {
		return registry.Schema{}, registry.Version{}, explain("read a schema", err)
	}
	if number != 0 && !v.number.Valid {
		return registry.Schema{}, registry.Version{}, noVersion(&one, number)
	}
	found, err := v.version()
	if err != nil {
		return registry.Schema{}, registry.Version{}, fmt.Errorf("read the schema %s: %w", name, err)
	}
	return one, found, nil
}

func noSchema(name string) error {
	f := fault.New(fault.NotFound, "there is no schema %s", name)
	f.Remediation = "GET /v1/schemas lists the team's schemas; POST /v1/schemas publishes one."
	return f
}

func noVersion(s *registry.Schema, number int) error {
	f := fault.New(fault.NotFound, "the schema %s has no version %d; the newest is %d", s.Name, number, s.Newest)
	f.Remediation = "GET /v1/schemas/" + s.Name + "/versions lists its versions."
	return f
}

const (
	insertSchema = `INSERT INTO schemas (team, name, description, compatibility, owner, newest, created_at, updated_at, revision)
		VALUES ($1, $2, $3, $4, $5, 1, $6, $6, 1)`
	nextVersion = `UPDATE schemas SET newest = newest + 1, revision = revision + 1, updated_at = $3, description = coalesce($4, description)
		WHERE team = $1 AND name = $2`
	insertVersion = `INSERT INTO schema_versions (team, name, version, hash, compatibility, owner, created_at, schema)
		SELECT team, name, newest, $3, $4, $5, $6, $7 FROM schemas WHERE team = $1 AND name = $2`
)

// Publish keeps a version under the name's next number.
func (s *Schemas) Publish(ctx context.Context, p registry.Publication) (after registry.Schema, v registry.Version, err error) {
	team, at := string(p.Team), p.CreatedAt.UnixMicro()
	err = s.file.tx(ctx, "schema_publish", func(ctx context.Context, tx *sql.Tx) error {
		before, err := s.read(ctx, tx, p.Team, p.Name)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		if before.Revision != p.Revision {
			return registry.ErrMoved
		}
		if before.Revision == 0 {
			_, err = tx.ExecContext(ctx, insertSchema, team, p.Name, orEmpty(p.Description), string(p.Kept), string(p.Owner), at)
		} else {
			_, err = tx.ExecContext(ctx, nextVersion, team, p.Name, at, p.Description)
		}
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, insertVersion, team, p.Name, p.Hash[:], string(p.Compatibility), string(p.Owner), at, p.Version.Schema.String()); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, moveSchemaCounter); err != nil {
			return err
		}
		after, err = s.read(ctx, tx, p.Team, p.Name)
		return err
	})
	if err != nil {
		return registry.Schema{}, registry.Version{}, err
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
func (s *Schemas) read(ctx context.Context, tx *sql.Tx, team key.TeamID, name string) (registry.Schema, error) {
	one, err := scanSchema(tx.QueryRowContext(ctx, oneSchema, string(team), name))
	if errors.Is(err, sql.ErrNoRows) {
		return registry.Schema{}, noSchema(name)
	}
	return one, err
}

const changeSchema = `UPDATE schemas SET description = coalesce($3, description), compatibility = coalesce($4, compatibility), updated_at = $5,
	revision = revision + 1 WHERE team = $1 AND name = $2`

// Change changes what is not nil.
func (s *Schemas) Change(ctx context.Context, team key.TeamID, name string, c registry.Change) (registry.Schema, error) {
	return s.change(ctx, "schema_change", team, name, func(ctx context.Context, tx *sql.Tx, _ registry.Schema) (bool, error) {
		var mode *string
		if c.Compatibility != nil {
			text := string(*c.Compatibility)
			mode = &text
		}
		_, err := tx.ExecContext(ctx, changeSchema, string(team), name, c.Description, mode, c.At.UnixMicro())
		return err == nil, err
	})
}

// What is marked is the name for the number 0, else the version. A mark that is there already is left alone, and tells no change.
const (
	markName = `UPDATE schemas SET withdrawn_at = $3, updated_at = $4, revision = revision + 1
		WHERE team = $1 AND name = $2 AND (withdrawn_at IS NULL) = ($3 IS NOT NULL)`
	markVersion = `UPDATE schema_versions SET withdrawn_at = $3
		WHERE team = $1 AND name = $2 AND (withdrawn_at IS NULL) = ($3 IS NOT NULL) AND version = $4`
	hasVersion  = `SELECT count(*) FROM schema_versions WHERE team = $1 AND name = $2 AND version = $3`
	touchSchema = `UPDATE schemas SET updated_at = $3, revision = revision + 1 WHERE team = $1 AND name = $2`
)

// Withdraw hides a version or a name.
func (s *Schemas) Withdraw(ctx context.Context, team key.TeamID, name string, number int, at time.Time) (registry.Schema, error) {
	return s.mark(ctx, "schema_withdraw", team, name, number, at.UnixMicro(), at)
}

// Restore undoes that.
func (s *Schemas) Restore(ctx context.Context, team key.TeamID, name string, number int, at time.Time) (registry.Schema, error) {
	return s.mark(ctx, "schema_restore", team, name, number, nil, at)
}

func (s *Schemas) mark(ctx context.Context, query string, team key.TeamID, name string, number int, mark any, at time.Time) (registry.Schema, error) {
	return s.change(ctx, query, team, name, func(ctx context.Context, tx *sql.Tx, one registry.Schema) (bool, error) {
		if number == 0 {
			return affected(tx.ExecContext(ctx, markName, string(team), name, mark, at.UnixMicro()))
		}
		var count int
		if err := tx.QueryRowContext(ctx, hasVersion, string(team), name, number).Scan(&count); err != nil {
			return false, err
		}
		if count == 0 {
			return false, noVersion(&one, number)
		}
		moved, err := affected(tx.ExecContext(ctx, markVersion, string(team), name, mark, number))
		if err == nil && moved {
			_, err = tx.ExecContext(ctx, touchSchema, string(team), name, at.UnixMicro())
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
func (s *Schemas) change(ctx context.Context, query string, team key.TeamID, name string, do func(context.Context, *sql.Tx, registry.Schema) (bool, error)) (one registry.Schema, err error) {
	err = s.file.tx(ctx, query, func(ctx context.Context, tx *sql.Tx) error {
		if one, err = s.read(ctx, tx, team, name); err != nil {
			return err
		}
		moved, err := do(ctx, tx, one)
		if err != nil || !moved {
			return err
		}
		if _, err := tx.ExecContext(ctx, moveSchemaCounter); err != nil {
			return err
		}
		one, err = s.read(ctx, tx, team, name)
		return err
	})
	if err != nil {
		return registry.Schema{}, err
	}
	return one, nil
}

const someSchemas = `SELECT ` + schemaColumns + ` FROM ` + schemaTables + `
	WHERE s.team = $1 AND s.name > $2 AND ($3 OR s.withdrawn_at IS NULL) ORDER BY s.name LIMIT $4`

// List reads a page of names; one more row than wanted tells whether another page follows.
func (s *Schemas) List(ctx context.Context, team key.TeamID, f registry.Filter) (list []registry.Schema, next string, err error) {
	list = make([]registry.Schema, 0, min(f.Limit, registry.MaxPage))
	err = s.file.rows(ctx, "schema_list", someSchemas, []any{string(team), f.After, f.Withdrawn, f.Limit + 1}, func(rows *sql.Rows) error {
		one, err := scanSchema(rows)
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

const someVersions = `SELECT ` + versionColumns + ` FROM schema_versions v
	WHERE v.team = $1 AND v.name = $2 AND ($3 = 0 OR v.version < $3) AND ($4 OR v.withdrawn_at IS NULL) ORDER BY v.version DESC LIMIT $5`

// Versions reads a page of a name's versions.
func (s *Schemas) Versions(ctx context.Context, team key.TeamID, name string, f registry.VersionFilter) (list []registry.Version, next int, err error) {
	if _, err := scanSchema(s.file.read.QueryRowContext(ctx, oneSchema, string(team), name)); errors.Is(err, sql.ErrNoRows) {
		return nil, 0, noSchema(name)
	} else if err != nil {
		return nil, 0, explain("read a schema", err)
	}
	list = make([]registry.Version, 0, min(f.Limit, registry.MaxPage))
	args := []any{string(team), name, f.Before, f.Withdrawn, f.Limit + 1}
	err = s.file.rows(ctx, "schema_versions", someVersions, args, func(rows *sql.Rows) error {
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
func (s *Schemas) Changes(ctx context.Context) (now int64, err error) {
	if err := s.file.read.QueryRowContext(ctx, readSchemaCounter).Scan(&now); err != nil {
		return 0, explain("read the counter of schema changes", err)
	}
	return now, nil
}

// scanSchema reads schemaColumns and what follows them.
func scanSchema(row scanner, more ...any) (one registry.Schema, err error) {
	var created, updated int64
	var withdrawn, current sql.NullInt64
	var hash []byte
	dest := append([]any{
		&one.Team, &one.Name, &one.Description, &one.Compatibility, &one.Owner, &one.Newest, &created, &updated, &withdrawn, &one.Revision, &current, &hash,
	}, more...)
	if err := row.Scan(dest...); err != nil {
		return registry.Schema{}, err
	}
	one.CreatedAt, one.UpdatedAt, one.WithdrawnAt = time.UnixMicro(created).UTC(), time.UnixMicro(updated).UTC(), timeOf(withdrawn)
	one.Current = int(current.Int64)
	copy(one.CurrentHash[:], hash)
	return one, nil
}

// versionRow is a version as it is read; all of it is null where there is none.
type versionRow struct {
	team, name, mode, owner, schema sql.NullString
	number, created, withdrawn      sql.NullInt64
	hash                            []byte
}

// dest lists where versionColumns go, and the schema behind them if it is read.
func (r *versionRow) dest(schema bool) []any {
	list := []any{&r.team, &r.name, &r.number, &r.hash, &r.mode, &r.owner, &r.created, &r.withdrawn}
	if schema {
		list = append(list, &r.schema)
	}
	return list
}

func (r *versionRow) version() (registry.Version, error) {
	if !r.number.Valid {
		return registry.Version{}, nil
	}
	v := registry.Version{
		Team: key.TeamID(r.team.String), Name: r.name.String, Number: int(r.number.Int64), Compatibility: compat.Mode(r.mode.String),
		Owner: key.ID(r.owner.String), CreatedAt: timeOf(r.created), WithdrawnAt: timeOf(r.withdrawn),
	}
	copy(v.Hash[:], r.hash)
	if !r.schema.Valid {
		return v, nil
	}
	var err error
	v.Schema, err = value.DecodeString(r.schema.String, value.Limits{})
	return v, err
}

var _ registry.Store = (*Schemas)(nil)
