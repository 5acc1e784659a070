package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/registry"
	"github.com/promptd/promptd/internal/store/statement"
	"github.com/promptd/promptd/internal/usage"
)

// Request reads one record whole. What a replica does not have is asked for again at the primary: it may be there already.
func (h *History) Request(ctx context.Context, reach key.Reach, id string) (r usage.Record, err error) {
	team, all := reach.Team()
	read := func(ctx context.Context, from reader) error {
		return from.row(ctx, "history_request", statement.OneRequest, []any{whole(id), all, string(team)}, func(row statement.Row) error {
			r, err = statement.ScanWhole(row)
			return err
		})
	}
	err = h.db.older(ctx, bornOf(id), read)
	if errors.Is(err, pgx.ErrNoRows) {
		err = read(ctx, h.db.primary())
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return usage.Record{}, statement.NoRequest()
	}
	return r, err
}

// Requests reads a page, the newest first.
func (h *History) Requests(ctx context.Context, reach key.Reach, f usage.Filter) (list []usage.Record, next usage.Cursor, err error) {
	f, err = f.Checked()
	if err != nil {
		return nil, "", err
	}
	query, args := pageOf(reach, f)
	err = h.db.older(ctx, newestOf(f), func(ctx context.Context, from reader) error {
		list = make([]usage.Record, 0, f.Limit)
		return from.rows(ctx, "history_list", query, args, func(row statement.Row) error {
			r, err := statement.ScanRequest(row)
			list = append(list, r)
			return err
		})
	})
	if err != nil {
		return nil, "", err
	}
	list, next = statement.CutPage(list, f.Limit)
	return list, next, nil
}

// newestOf says how new what a page shows may be; a page without an end shows what is newest.
func newestOf(f usage.Filter) time.Time {
	newest := f.To
	if at, id, _ := f.After.Place(); id != "" { // Checked has refused what is no cursor.
		if last := time.UnixMicro(at); newest.IsZero() || last.Before(newest) {
			newest = last
		}
	}
	return newest
}

// eachTeam finds the teams of the history one after the other by the index that every request has, so that none by time alone is needed.
const eachTeam = `WITH RECURSIVE teams AS (
	SELECT min(team) AS team FROM requests
	UNION ALL SELECT (SELECT min(team) FROM requests WHERE team > teams.team) FROM teams WHERE teams.team IS NOT NULL
)`

// pageOf makes the query of a page. One of all teams is put together from each team's own.
func pageOf(reach key.Reach, f usage.Filter) (query string, args []any) {
	team, all := reach.Team()
	if !all {
		return statement.RequestPage(string(team), f)
	}
	var c statement.Conditions
	c.And("requests.team = teams.team")
	c.Choose(f)
	args = append(c.Args, f.Limit+1)
	return fmt.Sprintf(`%s SELECT page.* FROM teams CROSS JOIN LATERAL (
		SELECT %s FROM requests WHERE %s ORDER BY time DESC, id DESC LIMIT $%[4]d
	) AS page ORDER BY page.time DESC, page.id DESC LIMIT $%[4]d`, eachTeam, statement.RequestColumns, c.String(), len(args)), args
}

// Tried reads the newest requests that asked a provider with a version of a schema. It is evidence over many requests, which the last second does not change.
func (h *History) Tried(ctx context.Context, team key.TeamID, ref string, limit int) (list []usage.Record, err error) {
	err = h.db.anyReplica(ctx, func(ctx context.Context, from reader) error {
		list = nil
		return from.rows(ctx, "history_tried", statement.Tried, []any{string(team), ref, limit}, func(row statement.Row) error {
			r, err := statement.ScanTried(row, team, ref)
			list = append(list, r)
			return err
		})
	})
	return list, err
}

var (
	_ usage.Store      = (*History)(nil)
	_ registry.History = (*History)(nil)
)
