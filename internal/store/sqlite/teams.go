package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
)

// Teams keeps what teams may use in promptd.db.
type Teams struct{ file *file }

// Teams is the part that keeps teams.
func (db *DB) Teams() *Teams { return &Teams{file: db.main} }

const (
	teamColumns = `name, rate_limit_per_hour, tokens_per_minute, max_concurrency, budget_nanos, budget_period, created_at, updated_at`
	setTeam     = `INSERT INTO teams (` + teamColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
	ON CONFLICT (name) DO UPDATE SET rate_limit_per_hour = excluded.rate_limit_per_hour, tokens_per_minute = excluded.tokens_per_minute,
	max_concurrency = excluded.max_concurrency, budget_nanos = excluded.budget_nanos, budget_period = excluded.budget_period,
	updated_at = excluded.updated_at RETURNING ` + teamColumns
	oneTeam   = `SELECT ` + teamColumns + ` FROM teams WHERE name = $1`
	someTeams = `SELECT ` + teamColumns + ` FROM teams WHERE name > $1 AND ($2 OR name = $3) ORDER BY name LIMIT $4`
)

// SetTeam keeps a team.
func (t *Teams) SetTeam(ctx context.Context, one key.Team) (kept key.Team, err error) {
	var limit, period any
	if one.Budget != nil {
		limit, period = int64(one.Budget.Limit), string(one.Budget.Period)
	}
	err = t.file.tx(ctx, "team_set", func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, moveCounter); err != nil {
			return err
		}
		kept, err = scanTeam(tx.QueryRowContext(ctx, setTeam, string(one.Name), one.RateLimitPerHour, one.TokensPerMinute, one.MaxConcurrency, limit, period,
			one.CreatedAt.UnixMicro(), one.UpdatedAt.UnixMicro()))
		return err
	})
	if err != nil {
		return key.Team{}, err
	}
	return kept, nil
}

// Team reads one.
func (t *Teams) Team(ctx context.Context, reach key.Reach, name key.TeamID) (key.Team, error) {
	if !reach.Covers(name) {
		return key.Team{}, noTeam()
	}
	one, err := scanTeam(t.file.read.QueryRowContext(ctx, oneTeam, string(name)))
	if errors.Is(err, sql.ErrNoRows) {
		return key.Team{}, noTeam()
	}
	if err != nil {
		return key.Team{}, explain("read a team", err)
	}
	return one, nil
}

func noTeam() error {
	f := fault.New(fault.NotFound, "no limits are set for a team of this name")
	f.Remediation = "PUT /v1/teams/{name} sets them; a team needs none."
	return f
}

// Teams reads a page. One more row than wanted tells whether another page follows.
func (t *Teams) Teams(ctx context.Context, reach key.Reach, limit int, after key.Cursor) (list []key.Team, next key.Cursor, err error) {
	team, all := reach.Team()
	list = []key.Team{}
	err = t.file.rows(ctx, "team_list", someTeams, []any{string(after), all, string(team), limit + 1}, func(rows *sql.Rows) error {
		one, err := scanTeam(rows)
		list = append(list, one)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	if len(list) > limit {
		list = list[:limit]
		next = key.Cursor(list[limit-1].Name)
	}
	return list, next, nil
}

func scanTeam(row scanner) (one key.Team, err error) {
	var limit sql.NullInt64
	var period sql.NullString
	var created, updated int64
	if err := row.Scan(&one.Name, &one.RateLimitPerHour, &one.TokensPerMinute, &one.MaxConcurrency, &limit, &period, &created, &updated); err != nil {
		return key.Team{}, err
	}
	if limit.Valid {
		one.Budget = &key.Budget{Limit: key.Nanos(limit.Int64), Period: key.Period(period.String)}
	}
	one.CreatedAt, one.UpdatedAt = time.UnixMicro(created).UTC(), time.UnixMicro(updated).UTC()
	return one, nil
}

var _ key.TeamStore = (*Teams)(nil)
