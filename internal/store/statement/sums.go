package statement

import (
	"strings"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/usage"
)

// sumColumns adds up what a group holds.
const sumColumns = `CAST(sum(requests) AS bigint), CAST(sum(passed) AS bigint), CAST(sum(cached) AS bigint), CAST(sum(coalesced) AS bigint),
	CAST(sum(input_tokens) AS bigint), CAST(sum(output_tokens) AS bigint), CAST(sum(cached_tokens) AS bigint), CAST(sum(cost) AS bigint),
	CAST(sum(unpriced_requests) AS bigint)`

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

// Hours are hours since 1970, UTC: From is included, To is not.
type Hours struct{ From, To int64 }

// HoursOf gives the hours that a query asks for; one that has begun counts whole.
func HoursOf(q usage.Query) Hours {
	h := Hours{From: 0, To: 1 << 62}
	if !q.From.IsZero() {
		h.From = usage.HourOf(q.From)
	}
	if !q.To.IsZero() {
		h.To = usage.HourOf(q.To.Add(time.Hour - time.Nanosecond))
	}
	return h
}

// Sums gives the statement of the sums of some hours by the query's groups.
func Sums(reach key.Reach, q usage.Query, h Hours) (query string, args []any, err error) {
	columns := make([]string, 0, len(q.GroupBy))
	for _, g := range q.GroupBy {
		c, ok := column(g)
		if !ok {
			return "", nil, fault.Invalid("", "enum", "group_by names a group that does not exist", "use key, team, provider, model, schema, day")
		}
		columns = append(columns, c)
	}
	team, all := reach.Team()
	args = []any{h.From, h.To}
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

// ScanSums reads one group.
func ScanSums(rows Row, groups []usage.Group) (row usage.Row, err error) {
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
