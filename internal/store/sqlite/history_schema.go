package sqlite

import (
	"context"
	"database/sql"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/registry"
	sqltext "github.com/promptd/promptd/internal/store/statement"
	"github.com/promptd/promptd/internal/usage"
)

// Tried reads the newest requests that asked a provider with a version of a schema.
func (h *History) Tried(ctx context.Context, team key.TeamID, ref string, limit int) (list []usage.Record, err error) {
	err = h.file.rows(ctx, "history_tried", sqltext.Tried, []any{string(team), ref, limit}, func(rows *sql.Rows) error {
		r, err := sqltext.ScanTried(rows, team, ref)
		list = append(list, r)
		return err
	})
	return list, err
}

var _ registry.History = (*History)(nil)
