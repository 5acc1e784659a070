package sqlite

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/usage"
)

// sumColumns adds up what a group holds.
const sumColumns = `sum(requests), sum(passed), sum(cached), sum(coalesced), sum(input_tokens), sum(output_tokens), sum(cached_tokens),
	sum(cost), sum(unpriced_requests)`

// hoursInDay turns the hours that are kept into days.
const hoursInDay = 24

// column is what a group is in SQL. Only these texts get into a query, whatever a caller sends.
func column(g usage.Group) (string, bool) {
	switch g {
	case usage.ByKey, usage.ByTeam, usage.ByProvider, usage.ByModel, usage.BySchema:
		return string(g), true
	case usage.ByDay:
		return "hour / 24", true
	}
	return "", false
}

// Usage reads sums. The total is added up from the rows, so that both are of the same moment.
func (h *History) Usage(ctx context.Context, reach key.Reach, q usage.Query) (usage.Report, error) {
	query, args, err := sumsOf(reach, q)
	if err != nil {
		return usage.Report{}, err
	}
	report := usage.Report{Rows: []usage.Row{}}
	err = h.file.rows(ctx, "usage_sums", query, args, func(rows *sql.Rows) error {
		row, err := scanSums(rows, q.GroupBy)
		report.Rows = append(report.Rows, row)
		report.Total.Add(row.Sums)
		return err
	})
	if err != nil {
		return usage.Report{}, err
	}
	return report, nil
}

func sumsOf(reach key.Reach, q usage.Query) (query string, args []any, err error) {
	columns := make([]string, 0, len(q.GroupBy))
	for _, g := range q.GroupBy {
		c, ok := column(g)
		if !ok {
			return "", nil, fault.Invalid("", "enum", "group_by names a group that does not exist", "use key, team, provider, model, schema, day")
		}
		columns = append(columns, c)
	}
	team, all := reach.Team()
	from, to := int64(0), int64(1)<<62
	if !q.From.IsZero() {
		from = usage.HourOf(q.From)
	}
	if !q.To.IsZero() {
		to = usage.HourOf(q.To.Add(time.Hour - time.Nanosecond))
	}
	args = []any{from, to}
	var b strings.Builder
	b.WriteString("SELECT ")
	for _, c := range columns {
		b.WriteString(c + ", ")
	}
	b.WriteString(sumColumns + " FROM usage WHERE hour >= $1 AND hour < $2")
	if !all {
		b.WriteString(" AND team = $3")
		args = append(args, string(team))
	}
	if len(columns) > 0 {
		list := strings.Join(columns, ", ")
		b.WriteString(" GROUP BY " + list + " ORDER BY " + list)
	} else {
		b.WriteString(" HAVING count(*) > 0")
	}
	return b.String(), args, nil
}

// scanSums reads one group.
func scanSums(rows *sql.Rows, groups []usage.Group) (row usage.Row, err error) {
	var day int64
	dest := make([]any, 0, len(groups)+9)
	for _, g := range groups {
		switch g {
		case usage.ByKey:
			dest = append(dest, &row.Key)
		case usage.ByTeam:
			dest = append(dest, &row.Team)
		case usage.ByProvider:
			dest = append(dest, &row.Provider)
		case usage.ByModel:
			dest = append(dest, &row.Model)
		case usage.BySchema:
			dest = append(dest, &row.Schema)
		case usage.ByDay:
			dest = append(dest, &day)
		}
	}
	s := &row.Sums
	dest = append(dest, &s.Requests, &s.Passed, &s.Cached, &s.Coalesced, &s.Tokens.Input, &s.Tokens.Output, &s.Tokens.CachedInput,
		&s.Cost, &s.UnpricedRequests)
	if err := rows.Scan(dest...); err != nil {
		return usage.Row{}, err
	}
	for _, g := range groups {
		if g == usage.ByDay {
			row.Day = time.Unix(day*hoursInDay*3600, 0).UTC().Format(time.DateOnly)
		}
	}
	return row, nil
}
