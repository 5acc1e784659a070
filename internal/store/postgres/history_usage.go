package postgres

import (
	"cmp"
	"context"
	"slices"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/store/statement"
	"github.com/promptd/promptd/internal/usage"
)

// Usage reads sums. The hours that a replica has whole are read there, those since then at the primary: so nothing that was just recorded is missing, and the
// primary adds up few rows, however far back the query goes.
func (h *History) Usage(ctx context.Context, reach key.Reach, q usage.Query) (usage.Report, error) {
	hours := statement.HoursOf(q)
	whole := hours.From // The first hour that is read at the primary.
	if until, ok := h.db.replicas.until(); ok {
		whole = max(hours.From, min(hours.To, usage.HourOf(until)))
	}
	old, err := h.sums(ctx, reach, q, statement.Hours{From: hours.From, To: whole}, h.db.anyReplica)
	if err != nil {
		return usage.Report{}, err
	}
	fresh, err := h.sums(ctx, reach, q, statement.Hours{From: whole, To: hours.To}, h.db.onPrimary)
	if err != nil {
		return usage.Report{}, err
	}
	return reportOf(merge(old, fresh, q.GroupBy)), nil
}

// sums reads the sums of some hours, from where.
func (h *History) sums(ctx context.Context, reach key.Reach, q usage.Query, hours statement.Hours, where source) (list []usage.Row, err error) {
	query, args, err := statement.Sums(reach, q, hours)
	if err != nil || hours.From >= hours.To {
		return nil, err
	}
	err = where(ctx, func(ctx context.Context, from reader) error {
		list = nil
		return from.rows(ctx, "usage_sums", query, args, func(row statement.Row) error {
			one, err := statement.ScanSums(row, q.GroupBy)
			list = append(list, one)
			return err
		})
	})
	return list, err
}

// merge adds up the rows of the same groups, in the order of the groups.
func merge(old, fresh []usage.Row, by []usage.Group) []usage.Row {
	if len(old) == 0 || len(fresh) == 0 {
		return append(old, fresh...)
	}
	all := append(old, fresh...)
	slices.SortStableFunc(all, func(a, b usage.Row) int { return compare(a, b, by) })
	out := all[:1]
	for _, row := range all[1:] {
		if last := &out[len(out)-1]; compare(*last, row, by) == 0 {
			last.Sums.Add(row.Sums)
		} else {
			out = append(out, row)
		}
	}
	return out
}

func compare(a, b usage.Row, by []usage.Group) int {
	for _, g := range by {
		var c int
		switch g {
		case usage.ByKey:
			c = cmp.Compare(a.Key, b.Key)
		case usage.ByTeam:
			c = cmp.Compare(a.Team, b.Team)
		case usage.ByProvider:
			c = cmp.Compare(a.Provider, b.Provider)
		case usage.ByModel:
			c = cmp.Compare(a.Model, b.Model)
		case usage.BySchema:
			c = cmp.Compare(a.Schema, b.Schema)
		case usage.ByDay:
			c = cmp.Compare(a.Day, b.Day)
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

// reportOf adds the total up from the rows.
func reportOf(rows []usage.Row) usage.Report {
	report := usage.Report{Rows: []usage.Row{}}
	for i := range rows {
		report.Rows = append(report.Rows, rows[i])
		report.Total.Add(rows[i].Sums)
	}
	return report
}
