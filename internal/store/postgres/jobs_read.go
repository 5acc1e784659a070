package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/store/statement"
)

const theJob = ` FROM jobs AS j WHERE j.id = $1::text::uuid AND j.state <> 'uploading' AND ($2::boolean OR j.team = $3)`

// Job reads one.
func (j *Jobs) Job(ctx context.Context, reach key.Reach, id job.ID) (job.Job, error) {
	text, ok := idOf(id)
	if !ok {
		return job.Job{}, job.ErrNotFound
	}
	team, all := reach.Team()
	var r *jobRow
	err := j.db.row(ctx, "job_read", `SELECT `+jobColumns+theJob, []any{text, all, string(team)}, func(row statement.Row) error {
		var request []byte
		var err error
		if r, err = scanJob(row, &request); err == nil {
			r.Request = request
		}
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return job.Job{}, job.ErrNotFound
	}
	if err != nil {
		return job.Job{}, err
	}
	return r.Job, nil
}

// jobTeams lists teams that have jobs, one step in the index each.
const jobTeams = `WITH RECURSIVE teams AS ((SELECT team FROM jobs ORDER BY team LIMIT 1)
	UNION ALL SELECT n.team FROM teams AS t CROSS JOIN LATERAL (SELECT team FROM jobs WHERE team > t.team ORDER BY team LIMIT 1) AS n) `

// Jobs reads a page, the newest first. A page of all teams is put together from each team's own, because the one index that every job pays for is by team.
func (j *Jobs) Jobs(ctx context.Context, reach key.Reach, f job.Filter) (list []job.Job, next job.Cursor, err error) {
	if f, err = f.Checked(); err != nil {
		return nil, "", err
	}
	query, args, err := jobPage(reach, f)
	if err != nil {
		return nil, "", err
	}
	list = []job.Job{}
	err = j.db.rows(ctx, "job_list", query, args, func(row statement.Row) error {
		r, err := scanJob(row)
		list = append(list, r.Job)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	if len(list) > f.Limit {
		list = list[:f.Limit]
		next = job.CursorAt(list[f.Limit-1])
	}
	return list, next, nil
}

// jobPage makes the query of a page; one more row than wanted tells whether another page follows.
func jobPage(reach key.Reach, f job.Filter) (query string, args []any, err error) {
	var where strings.Builder
	and := func(condition string, values ...any) {
		for _, v := range values {
			args = append(args, v)
			condition = strings.Replace(condition, "?", fmt.Sprintf("$%d", len(args)), 1)
		}
		where.WriteString(" AND " + condition)
	}
	from := jobTeams
	if team, all := reach.Team(); !all {
		from = `WITH teams AS (SELECT $1::text COLLATE "C" AS team) `
		args = append(args, string(team))
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
		text, ok := idOf(id)
		if !ok {
			return "", nil, fault.Invalid("", "cursor", "the cursor is not one that promptd gave", "send next_cursor unchanged, or none to begin")
		}
		and("(j.created_at, j.id) < (?, ?::text::uuid)", at, text)
	}
	args = append(args, f.Limit+1)
	const order = " ORDER BY j.created_at DESC, j.id DESC LIMIT $%d"
	query = from + `SELECT ` + briefColumns + ` FROM teams AS t CROSS JOIN LATERAL (SELECT * FROM jobs AS j WHERE j.team = t.team AND j.state <> 'uploading'` +
		where.String() + order + `) AS j` + order
	return fmt.Sprintf(query, len(args), len(args)), args, nil
}

const (
	visibleItems  = `SELECT j.id::text` + theJob
	itemsByNumber = `SELECT ` + itemColumns + ` FROM job_items AS i WHERE i.job = $1::text::uuid AND i.n >= $2 ORDER BY i.n LIMIT $3`
	itemsByEnd    = `SELECT ` + itemColumns + ` FROM job_items AS i WHERE i.job = $1::text::uuid AND i.seq > $2 ORDER BY i.seq LIMIT $3`
)

// Items reads items by number.
func (j *Jobs) Items(ctx context.Context, reach key.Reach, id job.ID, from, limit int) ([]job.Item, error) {
	return j.items(ctx, reach, id, itemsByNumber, min(max(0, from), job.MostItems), limit)
}

// EndedItems reads items in the order of their ends.
func (j *Jobs) EndedItems(ctx context.Context, reach key.Reach, id job.ID, afterSeq, limit int) ([]job.Item, error) {
	return j.items(ctx, reach, id, itemsByEnd, min(max(0, afterSeq), mostSeq), limit)
}

// mostSeq is the greatest place that a column holds.
const mostSeq = 1<<31 - 1

func (j *Jobs) items(ctx context.Context, reach key.Reach, id job.ID, query string, after, limit int) ([]job.Item, error) {
	text, ok := idOf(id)
	if !ok {
		return nil, job.ErrNotFound
	}
	team, all := reach.Team()
	err := j.db.row(ctx, "job_read", visibleItems, []any{text, all, string(team)}, func(row statement.Row) error { return row.Scan(&text) })
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, job.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	list := []job.Item{}
	err = j.db.rows(ctx, "job_items", query, []any{text, after, min(max(0, limit), job.MostItems)}, func(row statement.Row) error {
		it, err := scanItem(job.ID(text), row)
		list = append(list, it)
		return err
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}
