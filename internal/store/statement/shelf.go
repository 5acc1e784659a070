package statement

import (
	"database/sql"
	"strings"
	"time"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/registry"
	"github.com/promptd/promptd/internal/schema/compat"
	"github.com/promptd/promptd/internal/shelf"
	"github.com/promptd/promptd/internal/template"
	"github.com/promptd/promptd/internal/value"
)

// The columns of a name s, of its newest usable version c, and of a version v.
const (
	nameColumns = `s.team, s.name, s.description, s.compatibility, s.owner, s.newest, s.created_at, s.updated_at, s.withdrawn_at, s.revision, c.version, c.hash`
	nameTables  = `{names} s LEFT JOIN {versions} c ON c.team = s.team AND c.name = s.name AND c.withdrawn_at IS NULL
		AND c.version = (SELECT max(version) FROM {versions} WHERE team = s.team AND name = s.name AND withdrawn_at IS NULL)`
	versionColumns = `v.team, v.name, v.version, v.hash, v.compatibility, v.owner, v.created_at, v.withdrawn_at`
)

// Shelf are the statements of a shelf.
type Shelf struct {
	Kind shelf.Kind

	OneName, OneVersion, SomeNames, SomeVersions string
	// LockName is PostgreSQL's alone: it reads the revision and keeps others from changing the name until the transaction ends.
	LockName                               string
	InsertName, NextVersion, InsertVersion string
	ChangeName, TouchName                  string
	MarkName, MarkVersion, HasVersion      string
	MoveCounter, ReadCounter               string
}

// Schemas gives the statements of the schema registry.
func Schemas() Shelf {
	return shelfOf(registry.Kind, "schemas", "schema_versions", "schema", "schema_changes")
}

// Templates gives the statements of templates.
func Templates() Shelf {
	return shelfOf(template.Kind, "templates", "template_versions", "content", "template_changes")
}

// shelfOf writes the statements for the tables of names and of versions, the column of a version that holds its content, and the row of the counters. All of
// them are constants of this package.
func shelfOf(kind shelf.Kind, names, versions, content, counter string) Shelf {
	of := strings.NewReplacer("{names}", names, "{versions}", versions, "{content}", content, "{counter}", counter).Replace
	return Shelf{
		Kind: kind,

		OneName:  of(`SELECT ` + nameColumns + ` FROM ` + nameTables + ` WHERE s.team = $1 AND s.name = $2`),
		LockName: of(`SELECT revision FROM {names} WHERE team = $1 AND name = $2 FOR UPDATE`),
		OneVersion: of(`SELECT ` + nameColumns + `, ` + versionColumns + `, v.{content} FROM ` + nameTables + `
			LEFT JOIN {versions} v ON v.team = s.team AND v.name = s.name AND v.version = CASE WHEN CAST($3 AS bigint) = 0 THEN c.version ELSE $3 END
			WHERE s.team = $1 AND s.name = $2`),
		SomeNames: of(`SELECT ` + nameColumns + ` FROM ` + nameTables + `
			WHERE s.team = $1 AND s.name > $2 AND ($3 OR s.withdrawn_at IS NULL) ORDER BY s.name LIMIT $4`),
		SomeVersions: of(`SELECT ` + versionColumns + ` FROM {versions} v
			WHERE v.team = $1 AND v.name = $2 AND (CAST($3 AS bigint) = 0 OR v.version < $3) AND ($4 OR v.withdrawn_at IS NULL) ORDER BY v.version DESC LIMIT $5`),

		InsertName: of(`INSERT INTO {names} (team, name, description, compatibility, owner, newest, created_at, updated_at, revision)
			VALUES ($1, $2, $3, $4, $5, 1, $6, $6, 1)`),
		NextVersion: of(`UPDATE {names} SET newest = newest + 1, revision = revision + 1, updated_at = $3, description = coalesce($4, description)
			WHERE team = $1 AND name = $2`),
		InsertVersion: of(`INSERT INTO {versions} (team, name, version, hash, compatibility, owner, created_at, {content})
			SELECT team, name, newest, $3, $4, $5, $6, $7 FROM {names} WHERE team = $1 AND name = $2`),

		ChangeName: of(`UPDATE {names} SET description = coalesce($3, description), compatibility = coalesce($4, compatibility), updated_at = $5,
			revision = revision + 1 WHERE team = $1 AND name = $2`),
		TouchName: of(`UPDATE {names} SET updated_at = $3, revision = revision + 1 WHERE team = $1 AND name = $2`),

		// What is marked is the name for the number 0, else the version. A mark that is there already is left alone, and tells no change.
		MarkName: of(`UPDATE {names} SET withdrawn_at = $3, updated_at = $4, revision = revision + 1
			WHERE team = $1 AND name = $2 AND (withdrawn_at IS NULL) = (CAST($3 AS bigint) IS NOT NULL)`),
		MarkVersion: of(`UPDATE {versions} SET withdrawn_at = $3
			WHERE team = $1 AND name = $2 AND (withdrawn_at IS NULL) = (CAST($3 AS bigint) IS NOT NULL) AND version = $4`),
		HasVersion: of(`SELECT count(*) FROM {versions} WHERE team = $1 AND name = $2 AND version = $3`),

		// A change moves the counter, which other processes poll, in its own transaction.
		MoveCounter: of(`UPDATE counters SET value = value + 1 WHERE name = '{counter}'`),
		ReadCounter: of(`SELECT value FROM counters WHERE name = '{counter}'`),
	}
}

// InsertNameArgs are the parameters of InsertName.
func InsertNameArgs(p shelf.Publication) []any {
	description := ""
	if p.Description != nil {
		description = *p.Description
	}
	return []any{string(p.Team), p.Name, description, string(p.Kept), string(p.Owner), p.CreatedAt.UnixMicro()}
}

// NextVersionArgs are the parameters of NextVersion.
func NextVersionArgs(p shelf.Publication) []any {
	return []any{string(p.Team), p.Name, p.CreatedAt.UnixMicro(), p.Description}
}

// InsertVersionArgs are the parameters of InsertVersion.
func InsertVersionArgs(p shelf.Publication) []any {
	return []any{string(p.Team), p.Name, p.Hash[:], string(p.Compatibility), string(p.Owner), p.CreatedAt.UnixMicro(), p.Content.String()}
}

// ChangeNameArgs are the parameters of ChangeName.
func ChangeNameArgs(team key.TeamID, name string, c shelf.Change) []any {
	var mode *string
	if c.Compatibility != nil {
		text := string(*c.Compatibility)
		mode = &text
	}
	return []any{string(team), name, c.Description, mode, c.At.UnixMicro()}
}

// ScanName reads a name and what follows its columns.
func ScanName(row Row, more ...any) (one shelf.Name, err error) {
	var created, updated int64
	var withdrawn, current sql.NullInt64
	var hash []byte
	dest := append([]any{
		&one.Team, &one.Name, &one.Description, &one.Compatibility, &one.Owner, &one.Newest, &created, &updated, &withdrawn, &one.Revision, &current, &hash,
	}, more...)
	if err := row.Scan(dest...); err != nil {
		return shelf.Name{}, err
	}
	one.CreatedAt, one.UpdatedAt, one.WithdrawnAt = time.UnixMicro(created).UTC(), time.UnixMicro(updated).UTC(), TimeOf(withdrawn)
	one.Current = int(current.Int64)
	copy(one.CurrentHash[:], hash)
	return one, nil
}

// Version is a version as it is read; all of it is null where there is none.
type Version struct {
	team, name, mode, owner, content sql.NullString
	number, created, withdrawn       sql.NullInt64
	hash                             []byte
}

// Dest lists where the columns of a version go, and the content behind them if it is read.
func (r *Version) Dest(content bool) []any {
	list := []any{&r.team, &r.name, &r.number, &r.hash, &r.mode, &r.owner, &r.created, &r.withdrawn}
	if content {
		list = append(list, &r.content)
	}
	return list
}

// Found says whether there is one.
func (r *Version) Found() bool { return r.number.Valid }

// Value gives what was read.
func (r *Version) Value() (shelf.Version, error) {
	if !r.number.Valid {
		return shelf.Version{}, nil
	}
	v := shelf.Version{
		Team: key.TeamID(r.team.String), Name: r.name.String, Number: int(r.number.Int64), Compatibility: compat.Mode(r.mode.String),
		Owner: key.ID(r.owner.String), CreatedAt: TimeOf(r.created), WithdrawnAt: TimeOf(r.withdrawn),
	}
	copy(v.Hash[:], r.hash)
	if !r.content.Valid {
		return v, nil
	}
	var err error
	v.Content, err = value.DecodeString(r.content.String, value.Limits{})
	return v, err
}
