package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"slices"
	"strings"

	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
)

// values reads rows as the driver gives them, so that reads and transactions share what makes jobs of them.
func (j *Jobs) values(ctx context.Context, name, query string, args []any, scan func(row []driver.Value) error) error {
	var row []driver.Value
	var found, dest []any
	return j.file.rows(ctx, name, query, args, func(rows *sql.Rows) error {
		if row == nil {
			columns, err := rows.Columns()
			if err != nil {
				return err
			}
			row, found, dest = make([]driver.Value, len(columns)), make([]any, len(columns)), make([]any, len(columns))
			for i := range found {
				dest[i] = &found[i]
			}
		}
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		for i, v := range found {
			row[i] = v
		}
		return scan(row)
	})
}

// Job reads one.
func (j *Jobs) Job(ctx context.Context, reach key.Reach, id job.ID) (job.Job, error) {
	r, err := j.visible(ctx, wholeJob, reach, id)
	if err != nil {
		return job.Job{}, err
	}
	return r.Job, nil
}

const theJob = `WHERE j.id = $1 AND j.state <> 'uploading' AND ($2 OR j.team = $3)`

// visible reads a job within reach.
func (j *Jobs) visible(ctx context.Context, query string, reach key.Reach, id job.ID) (r *jobRow, err error) {
	team, all := reach.Team()
	err = j.values(ctx, "job_read", query+theJob, []any{string(id), all, string(team)}, func(row []driver.Value) error {
		r = readJob(row)
		return nil
	})
	if err == nil && r == nil {
		err = job.ErrNotFound
	}
	return r, err
}

// Jobs reads a page, the newest first. A page of all teams is put together from each team's own, because the one index that every job pays for is by team.
func (j *Jobs) Jobs(ctx context.Context, reach key.Reach, f job.Filter) (list []job.Job, next job.Cursor, err error) {
	f, err = f.Checked()
	if err != nil {
		return nil, "", err
	}
	teams, err := j.teams(ctx, reach)
	if err != nil {
		return nil, "", err
	}
	list = []job.Job{}
	for _, team := range teams {
		query, args := jobPage(team, f)
		err := j.values(ctx, "job_list", query, args, func(row []driver.Value) error {
			list = append(list, readJob(row).Job)
			return nil
		})
		if err != nil {
			return nil, "", err
		}
	}
	if len(teams) > 1 {
		slices.SortFunc(list, func(a, b job.Job) int { return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID)) })
	}
	if len(list) > f.Limit {
		list = list[:f.Limit]
		next = job.CursorAt(list[f.Limit-1])
	}
	return list, next, nil
}

const jobTeamAfter = `SELECT min(team) FROM jobs WHERE team > $1`

// teams lists the teams within reach that have jobs.
func (j *Jobs) teams(ctx context.Context, reach key.Reach) (teams []string, err error) {
	one, all := reach.Team()
	if !all {
		return []string{string(one)}, nil
	}
	for team := ""; ; {
		var next sql.NullString
		if err := j.file.read.QueryRowContext(ctx, jobTeamAfter, team).Scan(&next); err != nil {
			return nil, explain("list the teams of jobs", err)
		}
		if !next.Valid {
			return teams, nil
		}
		team = next.String
		teams = append(teams, team)
	}
}

// jobPage makes the query of one team's page; one more row than wanted tells whether another page follows.
func jobPage(team string, f job.Filter) (query string, args []any) {
	var where strings.Builder
	where.WriteString(`WHERE j.team = ? AND j.state <> 'uploading'`)
	args = append(args, team)
	and := func(condition string, values ...any) {
		where.WriteString(" AND " + condition)
		args = append(args, values...)
	}
	if f.State != "" {
		and("j.state = ?", string(f.State))
	}
	if !f.From.IsZero() {
		and("j.created_at >= ?", f.From.UnixMicro())
	}
	if !f.To.IsZero() {
		and("j.created_at < ?", f.To.UnixMicro())
	}
	if at, id, _ := f.After.Place(); id != "" { // Checked has refused what is no cursor.
		and("j.created_at <= ? AND (j.created_at < ? OR j.id < ?)", at, at, string(id))
	}
	return briefJob + where.String() + " ORDER BY j.created_at DESC, j.id DESC LIMIT ?", append(args, f.Limit+1)
}

const (
	itemsOf = `SELECT ` + itemColumns + `, t.name, t.request, r.result FROM job_items AS i
	LEFT JOIN job_texts AS t ON t.item = i.item LEFT JOIN job_results AS r ON r.item = i.item `
	itemsByNumber = itemsOf + `WHERE i.item >= $1 AND i.item < $2 ORDER BY i.item LIMIT $3`
	itemsByEnd    = itemsOf + `WHERE i.item >> 20 = $1 AND i.seq > $2 ORDER BY i.seq LIMIT $3`
)

// Items reads items by number.
func (j *Jobs) Items(ctx context.Context, reach key.Reach, id job.ID, from, limit int) ([]job.Item, error) {
	r, err := j.visible(ctx, briefJob, reach, id)
	if err != nil {
		return nil, err
	}
	from = min(max(0, from), job.MostItems)
	return j.items(ctx, r, itemsByNumber, []any{itemOf(r.num, from), itemOf(r.num+1, 0), max(0, limit)})
}

// EndedItems reads items in the order of their ends.
func (j *Jobs) EndedItems(ctx context.Context, reach key.Reach, id job.ID, afterSeq, limit int) ([]job.Item, error) {
	r, err := j.visible(ctx, briefJob, reach, id)
	if err != nil {
		return nil, err
	}
	return j.items(ctx, r, itemsByEnd, []any{r.num, afterSeq, max(0, limit)})
}

func (j *Jobs) items(ctx context.Context, r *jobRow, query string, args []any) ([]job.Item, error) {
	list := []job.Item{}
	err := j.values(ctx, "job_items", query, args, func(row []driver.Value) error {
		it, err := readItem(r.ID, row)
		it.Request, it.Result = blob(row[8]), blob(row[9])
		if it.Name = words(row[7]); row[7] == nil && !r.Gone {
			it.Name = nameOf(it.N)
		}
		list = append(list, it)
		return err
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}
