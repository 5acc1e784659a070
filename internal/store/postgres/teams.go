package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/store/statement"
)

// Teams keeps what teams may use.
type Teams struct{ db *DB }

// Teams is the part that keeps teams.
func (db *DB) Teams() *Teams { return &Teams{db} }

// SetTeam keeps a team.
func (t *Teams) SetTeam(ctx context.Context, one key.Team) (kept key.Team, err error) {
	err = t.db.tx(ctx, "team_set", func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, statement.MoveKeys); err != nil {
			return err
		}
		kept, err = statement.ScanTeam(tx.QueryRow(ctx, statement.SetTeam, statement.TeamArgs(one)...))
		return err
	})
	if err != nil {
		return key.Team{}, err
	}
	return kept, nil
}

// Team reads one.
func (t *Teams) Team(ctx context.Context, reach key.Reach, name key.TeamID) (one key.Team, err error) {
	if !reach.Covers(name) {
		return key.Team{}, statement.NoTeam()
	}
	err = t.db.row(ctx, "team_read", statement.OneTeam, []any{string(name)}, func(row statement.Row) error {
		one, err = statement.ScanTeam(row)
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return key.Team{}, statement.NoTeam()
	}
	return one, err
}

// Teams reads a page. One more row than wanted tells whether another page follows.
func (t *Teams) Teams(ctx context.Context, reach key.Reach, limit int, after key.Cursor) (list []key.Team, next key.Cursor, err error) {
	team, all := reach.Team()
	list = []key.Team{}
	err = t.db.rows(ctx, "team_list", statement.SomeTeams, []any{string(after), all, string(team), limit + 1}, func(row statement.Row) error {
		one, err := statement.ScanTeam(row)
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

var _ key.TeamStore = (*Teams)(nil)
