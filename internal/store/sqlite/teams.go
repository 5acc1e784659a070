package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/promptd/promptd/internal/key"
	sqltext "github.com/promptd/promptd/internal/store/statement"
)

// Teams keeps what teams may use in promptd.db.
type Teams struct{ file *file }

// Teams is the part that keeps teams.
func (db *DB) Teams() *Teams { return &Teams{file: db.main} }

// SetTeam keeps a team.
func (t *Teams) SetTeam(ctx context.Context, one key.Team) (kept key.Team, err error) {
	err = t.file.tx(ctx, "team_set", func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, sqltext.MoveKeys); err != nil {
			return err
		}
		kept, err = sqltext.ScanTeam(tx.QueryRowContext(ctx, sqltext.SetTeam, sqltext.TeamArgs(one)...))
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
		return key.Team{}, sqltext.NoTeam()
	}
	one, err := sqltext.ScanTeam(t.file.read.QueryRowContext(ctx, sqltext.OneTeam, string(name)))
	if errors.Is(err, sql.ErrNoRows) {
		return key.Team{}, sqltext.NoTeam()
	}
	if err != nil {
		return key.Team{}, explain("read a team", err)
	}
	return one, nil
}

// Teams reads a page. One more row than wanted tells whether another page follows.
func (t *Teams) Teams(ctx context.Context, reach key.Reach, limit int, after key.Cursor) (list []key.Team, next key.Cursor, err error) {
	team, all := reach.Team()
	list = []key.Team{}
	err = t.file.rows(ctx, "team_list", sqltext.SomeTeams, []any{string(after), all, string(team), limit + 1}, func(rows *sql.Rows) error {
		one, err := sqltext.ScanTeam(rows)
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
