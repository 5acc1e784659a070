package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/promptd/promptd/internal/key"
	sqltext "github.com/promptd/promptd/internal/store/statement"
	"github.com/promptd/promptd/internal/usage"
)

// Request reads one record whole.
func (h *History) Request(ctx context.Context, reach key.Reach, id string) (r usage.Record, err error) {
	began := time.Now()
	defer func() { h.file.observe("history_request", time.Since(began), err) }()
	team, all := reach.Team()
	r, err = sqltext.ScanWhole(h.file.read.QueryRowContext(ctx, sqltext.OneRequest, id, all, string(team)))
	if errors.Is(err, sql.ErrNoRows) {
		return usage.Record{}, sqltext.NoRequest()
	}
	if err != nil {
		return usage.Record{}, explain("read a request", err)
	}
	return r, nil
}

// Requests reads a page, the newest first. A page of all teams is put together from each team's own, because the one index
// that every request pays for is by team.
func (h *History) Requests(ctx context.Context, reach key.Reach, f usage.Filter) (list []usage.Record, next usage.Cursor, err error) {
	f, err = f.Checked()
	if err != nil {
		return nil, "", err
	}
	teams, err := h.teams(ctx, reach)
	if err != nil {
		return nil, "", err
	}
	list = make([]usage.Record, 0, f.Limit)
	for _, team := range teams {
		query, args := sqltext.RequestPage(team, f)
		err := h.file.rows(ctx, "history_list", query, args, func(rows *sql.Rows) error {
			r, err := sqltext.ScanRequest(rows)
			list = append(list, r)
			return err
		})
		if err != nil {
			return nil, "", err
		}
	}
	if len(teams) > 1 {
		slices.SortFunc(list, newestFirst)
	}
	list, next = sqltext.CutPage(list, f.Limit)
	return list, next, nil
}

func newestFirst(a, b usage.Record) int {
	return cmp.Or(b.Time.Compare(a.Time), strings.Compare(b.RequestID, a.RequestID))
}

// teams lists the teams within reach that have requests.
func (h *History) teams(ctx context.Context, reach key.Reach) ([]string, error) {
	one, all := reach.Team()
	if !all {
		return []string{string(one)}, nil
	}
	var teams []string
	for team := ""; ; {
		var next sql.NullString
		if err := h.file.read.QueryRowContext(ctx, sqltext.NextTeam, team).Scan(&next); err != nil {
			return nil, explain("list the teams of the history", err)
		}
		if !next.Valid {
			return teams, nil
		}
		team = next.String
		teams = append(teams, team)
	}
}

var _ usage.Store = (*History)(nil)
