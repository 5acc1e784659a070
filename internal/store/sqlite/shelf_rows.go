package sqlite

import (
	"database/sql"
	"time"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/schema/compat"
	"github.com/promptd/promptd/internal/shelf"
	"github.com/promptd/promptd/internal/value"
)

// scanName reads nameColumns and what follows them.
func scanName(row scanner, more ...any) (one shelf.Name, err error) {
	var created, updated int64
	var withdrawn, current sql.NullInt64
	var hash []byte
	dest := append([]any{
		&one.Team, &one.Name, &one.Description, &one.Compatibility, &one.Owner, &one.Newest, &created, &updated, &withdrawn, &one.Revision, &current, &hash,
	}, more...)
	if err := row.Scan(dest...); err != nil {
		return shelf.Name{}, err
	}
	one.CreatedAt, one.UpdatedAt, one.WithdrawnAt = time.UnixMicro(created).UTC(), time.UnixMicro(updated).UTC(), timeOf(withdrawn)
	one.Current = int(current.Int64)
	copy(one.CurrentHash[:], hash)
	return one, nil
}

// versionRow is a version as it is read; all of it is null where there is none.
type versionRow struct {
	team, name, mode, owner, content sql.NullString
	number, created, withdrawn       sql.NullInt64
	hash                             []byte
}

// dest lists where versionColumns go, and the content behind them if it is read.
func (r *versionRow) dest(content bool) []any {
	list := []any{&r.team, &r.name, &r.number, &r.hash, &r.mode, &r.owner, &r.created, &r.withdrawn}
	if content {
		list = append(list, &r.content)
	}
	return list
}

func (r *versionRow) version() (shelf.Version, error) {
	if !r.number.Valid {
		return shelf.Version{}, nil
	}
	v := shelf.Version{
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
