package sqlite

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/registry"
	"github.com/promptd/promptd/internal/usage"
)

// bySchema is the condition of the index requests_by_schema, which holds the requests with a registered schema alone.
const bySchema = `schema <> ''`

const triedRequests = `SELECT time, provider, model, validation_status, attempts FROM requests
	WHERE team = $1 AND schema = $2 AND ` + bySchema + ` AND attempts IS NOT NULL ORDER BY time DESC LIMIT $3`

// Tried reads the newest requests that asked a provider with a version of a schema.
func (h *History) Tried(ctx context.Context, team key.TeamID, ref string, limit int) (list []usage.Record, err error) {
	err = h.file.rows(ctx, "history_tried", triedRequests, []any{string(team), ref, limit}, func(rows *sql.Rows) error {
		var at int64
		r := usage.Record{Team: team, Schema: ref}
		if err := rows.Scan(&at, &r.Provider, &r.Model, &r.ValidationStatus, &r.Attempts); err != nil {
			return err
		}
		r.Time = time.UnixMicro(at).UTC()
		list = append(list, r)
		return nil
	})
	return list, err
}

// schemaCondition chooses requests by a reference: name@version is one version, a name alone all of them.
func schemaCondition(ref string) (condition string, values []any) {
	if strings.Contains(ref, "@") {
		return "schema = ? AND " + bySchema, []any{ref}
	}
	// The character behind @ ends the range of name@….
	return "schema >= ? AND schema < ? AND " + bySchema, []any{ref + "@", ref + "A"}
}

var _ registry.History = (*History)(nil)
