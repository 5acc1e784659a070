package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/schema/compat"
	"github.com/promptd/promptd/internal/template"
	"github.com/promptd/promptd/internal/value"
)

// Templates keeps templates in promptd.db.
type Templates struct{ file *file }

// Templates is the part that keeps templates.
func (db *DB) Templates() *Templates { return &Templates{file: db.main} }

// A change moves the counter, which other processes poll, in its own transaction.
const (
	moveTemplateCounter = `UPDATE counters SET value = value + 1 WHERE name = 'template_changes'`
	readTemplateCounter = `SELECT value FROM counters WHERE name = 'template_changes'`
)

// currentTemplate is the newest version of the name s that can be used.
const currentTemplate = `(SELECT max(version) FROM template_versions WHERE team = s.team AND name = s.name AND withdrawn_at IS NULL)`

// The columns of a name, of its newest usable version c, and of a version v.
const (
	templateColumns        = `s.team, s.name, s.description, s.compatibility, s.owner, s.newest, s.created_at, s.updated_at, s.withdrawn_at, s.revision, c.version`
	templateTables         = `templates s LEFT JOIN template_versions c ON c.team = s.team AND c.name = s.name AND c.version = ` + currentTemplate + ` AND c.withdrawn_at IS NULL`
	templateVersionColumns = `v.team, v.name, v.version, v.hash, v.compatibility, v.owner, v.created_at, v.withdrawn_at`
)

const oneTemplate = `SELECT ` + templateColumns + ` FROM ` + templateTables + ` WHERE s.team = $1 AND s.name = $2`

const oneTemplateVersion = `SELECT ` + templateColumns + `, ` + templateVersionColumns + `, v.content FROM ` + templateTables + `
	LEFT JOIN template_versions v ON v.team = s.team AND v.name = s.name AND v.version = CASE WHEN $3 = 0 THEN c.version ELSE $3 END
	WHERE s.team = $1 AND s.name = $2`

// Find reads a name with one of its versions.
func (t *Templates) Find(ctx context.Context, team key.TeamID, name string, number int) (template.Template, template.Version, error) {
	var v templateRow
	one, err := scanTemplate(t.file.read.QueryRowContext(ctx, oneTemplateVersion, string(team), name, number), v.dest(true)...)
	if errors.Is(err, sql.ErrNoRows) {
		return template.Template{}, template.Version{}, noTemplate(name)
	}
	if err != nil {
		return template.Template{}, template.Version{}, explain("read a template", err)
	}
	if number != 0 && !v.number.Valid {
		return template.Template{}, template.Version{}, noTemplateVersion(&one, number)
	}
	found, err := v.version()
	if err != nil {
		return template.Template{}, template.Version{}, fmt.Errorf("read the template %s: %w", name, err)
	}
	return one, found, nil
}

func noTemplate(name string) error {
	f := fault.New(fault.NotFound, "there is no template %s", name)
	f.Remediation = "GET /v1/templates lists the team's templates; POST /v1/templates publishes one."
	return f
}

func noTemplateVersion(s *template.Template, number int) error {
	f := fault.New(fault.NotFound, "the template %s has no version %d; the newest is %d", s.Name, number, s.Newest)
	f.Remediation = "GET /v1/templates/" + s.Name + "/versions lists its versions."
	return f
}

const (
	insertTemplate = `INSERT INTO templates (team, name, description, compatibility, owner, newest, created_at, updated_at, revision)
		VALUES ($1, $2, $3, $4, $5, 1, $6, $6, 1)`
	nextTemplateVersion = `UPDATE templates SET newest = newest + 1, revision = revision + 1, updated_at = $3, description = coalesce($4, description)
		WHERE team = $1 AND name = $2`
	insertTemplateVersion = `INSERT INTO template_versions (team, name, version, hash, compatibility, owner, created_at, content)
		SELECT team, name, newest, $3, $4, $5, $6, $7 FROM templates WHERE team = $1 AND name = $2`
)

// Publish keeps a version under the name's next number.
func (t *Templates) Publish(ctx context.Context, p template.Publication) (after template.Template, v template.Version, err error) {
	team, at := string(p.Team), p.CreatedAt.UnixMicro()
	err = t.file.tx(ctx, "template_publish", func(ctx context.Context, tx *sql.Tx) error {
		before, err := t.read(ctx, tx, p.Team, p.Name)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		if before.Revision != p.Revision {
			return template.ErrMoved
		}
		if before.Revision == 0 {
			_, err = tx.ExecContext(ctx, insertTemplate, team, p.Name, orEmpty(p.Description), string(p.Kept), string(p.Owner), at)
		} else {
			_, err = tx.ExecContext(ctx, nextTemplateVersion, team, p.Name, at, p.Description)
		}
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, insertTemplateVersion, team, p.Name, p.Hash[:], string(p.Compatibility), string(p.Owner), at, p.Content.String()); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, moveTemplateCounter); err != nil {
			return err
		}
		after, err = t.read(ctx, tx, p.Team, p.Name)
		return err
	})
	if err != nil {
		return template.Template{}, template.Version{}, err
	}
	v = p.Version
	v.Number = after.Newest
	return after, v, nil
}

// read reads a name inside a transaction.
func (t *Templates) read(ctx context.Context, tx *sql.Tx, team key.TeamID, name string) (template.Template, error) {
	one, err := scanTemplate(tx.QueryRowContext(ctx, oneTemplate, string(team), name))
	if errors.Is(err, sql.ErrNoRows) {
		return template.Template{}, noTemplate(name)
	}
	return one, err
}

const changeTemplate = `UPDATE templates SET description = coalesce($3, description), compatibility = coalesce($4, compatibility), updated_at = $5,
	revision = revision + 1 WHERE team = $1 AND name = $2`

// Change changes what is not nil.
func (t *Templates) Change(ctx context.Context, team key.TeamID, name string, c template.Change) (template.Template, error) {
	return t.change(ctx, "template_change", team, name, func(ctx context.Context, tx *sql.Tx, _ template.Template) (bool, error) {
		var mode *string
		if c.Compatibility != nil {
			text := string(*c.Compatibility)
			mode = &text
		}
		_, err := tx.ExecContext(ctx, changeTemplate, string(team), name, c.Description, mode, c.At.UnixMicro())
		return err == nil, err
	})
}

// What is marked is the name for the number 0, else the version. A mark that is there already is left alone, and tells no change.
const (
	markTemplate = `UPDATE templates SET withdrawn_at = $3, updated_at = $4, revision = revision + 1
		WHERE team = $1 AND name = $2 AND (withdrawn_at IS NULL) = ($3 IS NOT NULL)`
	markTemplateVersion = `UPDATE template_versions SET withdrawn_at = $3
		WHERE team = $1 AND name = $2 AND (withdrawn_at IS NULL) = ($3 IS NOT NULL) AND version = $4`
	hasTemplateVersion = `SELECT count(*) FROM template_versions WHERE team = $1 AND name = $2 AND version = $3`
	touchTemplate      = `UPDATE templates SET updated_at = $3, revision = revision + 1 WHERE team = $1 AND name = $2`
)

// Withdraw hides a version or a name.
func (t *Templates) Withdraw(ctx context.Context, team key.TeamID, name string, number int, at time.Time) (template.Template, error) {
	return t.mark(ctx, "template_withdraw", team, name, number, at.UnixMicro(), at)
}

// Restore undoes that.
func (t *Templates) Restore(ctx context.Context, team key.TeamID, name string, number int, at time.Time) (template.Template, error) {
	return t.mark(ctx, "template_restore", team, name, number, nil, at)
}

func (t *Templates) mark(ctx context.Context, query string, team key.TeamID, name string, number int, mark any, at time.Time) (template.Template, error) {
	return t.change(ctx, query, team, name, func(ctx context.Context, tx *sql.Tx, one template.Template) (bool, error) {
		if number == 0 {
			return affected(tx.ExecContext(ctx, markTemplate, string(team), name, mark, at.UnixMicro()))
		}
		var count int
		if err := tx.QueryRowContext(ctx, hasTemplateVersion, string(team), name, number).Scan(&count); err != nil {
			return false, err
		}
		if count == 0 {
			return false, noTemplateVersion(&one, number)
		}
		moved, err := affected(tx.ExecContext(ctx, markTemplateVersion, string(team), name, mark, number))
		if err == nil && moved {
			_, err = tx.ExecContext(ctx, touchTemplate, string(team), name, at.UnixMicro())
		}
		return moved, err
	})
}

// change reads a name, changes it and reads it again, with the counter moved where something is another.
func (t *Templates) change(ctx context.Context, query string, team key.TeamID, name string, do func(context.Context, *sql.Tx, template.Template) (bool, error)) (one template.Template, err error) {
	err = t.file.tx(ctx, query, func(ctx context.Context, tx *sql.Tx) error {
		if one, err = t.read(ctx, tx, team, name); err != nil {
			return err
		}
		moved, err := do(ctx, tx, one)
		if err != nil || !moved {
			return err
		}
		if _, err := tx.ExecContext(ctx, moveTemplateCounter); err != nil {
			return err
		}
		one, err = t.read(ctx, tx, team, name)
		return err
	})
	if err != nil {
		return template.Template{}, err
	}
	return one, nil
}

const someTemplates = `SELECT ` + templateColumns + ` FROM ` + templateTables + `
	WHERE s.team = $1 AND s.name > $2 AND ($3 OR s.withdrawn_at IS NULL) ORDER BY s.name LIMIT $4`

// List reads a page of names; one more row than wanted tells whether another page follows.
func (t *Templates) List(ctx context.Context, team key.TeamID, f template.Filter) (list []template.Template, next string, err error) {
	list = make([]template.Template, 0, min(f.Limit, template.MaxPage))
	err = t.file.rows(ctx, "template_list", someTemplates, []any{string(team), f.After, f.Withdrawn, f.Limit + 1}, func(rows *sql.Rows) error {
		one, err := scanTemplate(rows)
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

const someTemplateVersions = `SELECT ` + templateVersionColumns + ` FROM template_versions v
	WHERE v.team = $1 AND v.name = $2 AND ($3 = 0 OR v.version < $3) AND ($4 OR v.withdrawn_at IS NULL) ORDER BY v.version DESC LIMIT $5`

// Versions reads a page of a name's versions.
func (t *Templates) Versions(ctx context.Context, team key.TeamID, name string, f template.VersionFilter) (list []template.Version, next int, err error) {
	if _, err := scanTemplate(t.file.read.QueryRowContext(ctx, oneTemplate, string(team), name)); errors.Is(err, sql.ErrNoRows) {
		return nil, 0, noTemplate(name)
	} else if err != nil {
		return nil, 0, explain("read a template", err)
	}
	list = make([]template.Version, 0, min(f.Limit, template.MaxPage))
	args := []any{string(team), name, f.Before, f.Withdrawn, f.Limit + 1}
	err = t.file.rows(ctx, "template_versions", someTemplateVersions, args, func(rows *sql.Rows) error {
		var v templateRow
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
func (t *Templates) Changes(ctx context.Context) (now int64, err error) {
	if err := t.file.read.QueryRowContext(ctx, readTemplateCounter).Scan(&now); err != nil {
		return 0, explain("read the counter of template changes", err)
	}
	return now, nil
}

// scanTemplate reads templateColumns and what follows them.
func scanTemplate(row scanner, more ...any) (one template.Template, err error) {
	var created, updated int64
	var withdrawn, current sql.NullInt64
	dest := append([]any{
		&one.Team, &one.Name, &one.Description, &one.Compatibility, &one.Owner, &one.Newest, &created, &updated, &withdrawn, &one.Revision, &current,
	}, more...)
	if err := row.Scan(dest...); err != nil {
		return template.Template{}, err
	}
	one.CreatedAt, one.UpdatedAt, one.WithdrawnAt = time.UnixMicro(created).UTC(), time.UnixMicro(updated).UTC(), timeOf(withdrawn)
	one.Current = int(current.Int64)
	return one, nil
}

// templateRow is a version as it is read; all of it is null where there is none.
type templateRow struct {
	team, name, mode, owner, content sql.NullString
	number, created, withdrawn       sql.NullInt64
	hash                             []byte
}

// dest lists where templateVersionColumns go, and the content behind them if it is read.
func (r *templateRow) dest(content bool) []any {
	list := []any{&r.team, &r.name, &r.number, &r.hash, &r.mode, &r.owner, &r.created, &r.withdrawn}
	if content {
		list = append(list, &r.content)
	}
	return list
}

func (r *templateRow) version() (template.Version, error) {
	if !r.number.Valid {
		return template.Version{}, nil
	}
	v := template.Version{
		Team: key.TeamID(r.team.String), Name: r.name.String, Number: int(r.number.Int64), Compatibility: compat.Mode(r.mode.String),
		Owner: key.ID(r.owner.String), CreatedAt: timeOf(r.created), WithdrawnAt: timeOf(r.withdrawn),
	}
	copy(v.Hash[:], r.hash)
	if !r.content.Valid {
		return v, nil
	}
	var err error
	v.Content, err = value.DecodeString(r.content.String, value.Limits{})
	return v, err
}

var _ template.Store = (*Templates)(nil)
