package statement

import (
	"database/sql"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
)

// The statements of teams.
const (
	teamColumns = `name, rate_limit_per_hour, tokens_per_minute, max_concurrency, budget_nanos, budget_period, created_at, updated_at`
	SetTeam     = `INSERT INTO teams (` + teamColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
	ON CONFLICT (name) DO UPDATE SET rate_limit_per_hour = excluded.rate_limit_per_hour, tokens_per_minute = excluded.tokens_per_minute,
	max_concurrency = excluded.max_concurrency, budget_nanos = excluded.budget_nanos, budget_period = excluded.budget_period,
	updated_at = excluded.updated_at RETURNING ` + teamColumns
	OneTeam   = `SELECT ` + teamColumns + ` FROM teams WHERE name = $1`
	SomeTeams = `SELECT ` + teamColumns + ` FROM teams WHERE name > $1 AND ($2 OR name = $3) ORDER BY name LIMIT $4`
)

// TeamArgs are the parameters of SetTeam.
func TeamArgs(one key.Team) []any {
	limit, period := budgetArgs(one.Budget)
	return []any{
		string(one.Name), one.RateLimitPerHour, one.TokensPerMinute, one.MaxConcurrency, limit, period,
		one.CreatedAt.UnixMicro(), one.UpdatedAt.UnixMicro(),
	}
}

// ScanTeam reads a team.
func ScanTeam(row Row) (one key.Team, err error) {
	var limit sql.NullInt64
	var period sql.NullString
	var created, updated int64
	if err := row.Scan(&one.Name, &one.RateLimitPerHour, &one.TokensPerMinute, &one.MaxConcurrency, &limit, &period, &created, &updated); err != nil {
		return key.Team{}, err
	}
	one.Budget = budgetOf(limit, period)
	one.CreatedAt, one.UpdatedAt = time.UnixMicro(created).UTC(), time.UnixMicro(updated).UTC()
	return one, nil
}

// NoTeam is the answer where nobody has set limits for a team, or it lies outside the reach.
func NoTeam() error {
	f := fault.New(fault.NotFound, "no limits are set for a team of this name")
	f.Remediation = "PUT /v1/teams/{name} sets them; a team needs none."
	return f
}
