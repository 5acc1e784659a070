package sqlite

import (
	"context"
	"database/sql"

	"github.com/promptd/promptd/internal/key"
	sqltext "github.com/promptd/promptd/internal/store/statement"
	"github.com/promptd/promptd/internal/usage"
)

// Usage reads sums. The total is added up from the rows, so that both are of the same moment.
func (h *History) Usage(ctx context.Context, reach key.Reach, q usage.Query) (usage.Report, error) {
	query, args, err := sqltext.Sums(reach, q, sqltext.HoursOf(q))
	if err != nil {
		return usage.Report{}, err
	}
	report := usage.Report{Rows: []usage.Row{}}
	err = h.file.rows(ctx, "usage_sums", query, args, func(rows *sql.Rows) error {
		row, err := sqltext.ScanSums(rows, q.GroupBy)
		report.Rows = append(report.Rows, row)
		report.Total.Add(row.Sums)
		return err
	})
	if err != nil {
		return usage.Report{}, err
	}
	return report, nil
}
