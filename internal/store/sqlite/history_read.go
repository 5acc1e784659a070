package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/usage"
)

const requestColumns = `id, client_id, team, key, time, status, code, validation_status, provider, model, schema, schema_hash,
	dialect_mode, flags, language, input_tokens, output_tokens, cached_tokens, cost, processing, overhead`

const oneRequest = `SELECT ` + requestColumns + `, attempts, validation, prompt, answer, template FROM requests WHERE id = $1 AND ($2 OR team = $3)`

// Request reads one record whole.
func (h *History) Request(ctx context.Context, reach key.Reach, id string) (r usage.Record, err error) {
	began := time.Now()
	defer func() { h.file.observe("history_request", time.Since(began), err) }()
	team, all := reach.Team()
	var attempts, validation, prompt, answer sql.NullString
	var template string
	r, err = scanRequest(h.file.read.QueryRowContext(ctx, oneRequest, id, all, string(team)), &attempts, &validation, &prompt, &answer, &template)
	if errors.Is(err, sql.ErrNoRows) {
		return usage.Record{}, noRequest()
	}
	if err != nil {
		return usage.Record{}, explain("read a request", err)
	}
	if attempts.Valid {
		r.Attempts = []byte(attempts.String)
	}
	if validation.Valid {
		r.Validation = []byte(validation.String)
	}
	r.Prompt, r.Answer, r.Template = prompt.String, answer.String, template
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
		query, args := pageOf(team, f)
		err := h.file.rows(ctx, "history_list", query, args, func(rows *sql.Rows) error {
			r, err := scanRequest(rows)
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
	if len(list) > f.Limit {
		list = list[:f.Limit]
		last := &list[f.Limit-1]
		next = usage.CursorAt(last.Time, last.RequestID)
	}
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
		if err := h.file.read.QueryRowContext(ctx, nextTeam, team).Scan(&next); err != nil {
			return nil, explain("list the teams of the history", err)
		}
		if !next.Valid {
			return teams, nil
		}
		team = next.String
		teams = append(teams, team)
	}
}

// pageOf makes the query of one team's page; one more row than wanted tells whether another page follows.
func pageOf(team string, f usage.Filter) (query string, args []any) {
	var where strings.Builder
	where.WriteString("team = $1")
	args = append(args, team)
	and := func(condition string, values ...any) {
		where.WriteString(" AND ")
		for _, v := range values {
			args = append(args, v)
			condition = strings.Replace(condition, "?", fmt.Sprintf("$%d", len(args)), 1)
		}
		where.WriteString(condition)
	}
	texts := []struct{ column, value string }{
		{"key", string(f.Key)}, {"provider", f.Provider}, {"model", f.Model}, {"validation_status", f.ValidationStatus},
	}
	for _, t := range texts {
		if t.value != "" {
			and(t.column+" = ?", t.value)
		}
	}
	if f.Schema != "" {
		condition, values := schemaCondition(f.Schema)
		and(condition, values...)
	}
	if f.Status != 0 {
		and("status = ?", f.Status)
	}
	if !f.From.IsZero() {
		and("time >= ?", f.From.UnixMicro())
	}
	if !f.To.IsZero() {
		and("time < ?", f.To.UnixMicro())
	}
	if at, id, _ := f.After.Place(); id != "" { // Checked has refused what is no cursor.
		and("time <= ? AND (time < ? OR id < ?)", at, at, id)
	}
	args = append(args, f.Limit+1)
	return fmt.Sprintf("SELECT %s FROM requests WHERE %s ORDER BY time DESC, id DESC LIMIT $%d", requestColumns, where.String(), len(args)), args
}

// scanRequest reads requestColumns and what follows them.
func scanRequest(row scanner, more ...any) (r usage.Record, err error) {
	var at, flags, processing, overhead int64
	var cost sql.NullInt64
	dest := append([]any{
		&r.RequestID, &r.ClientRequestID, &r.Team, &r.Key, &at, &r.Status, &r.Code, &r.ValidationStatus, &r.Provider, &r.Model,
		&r.Schema, &r.SchemaHash, &r.DialectMode, &flags, &r.Language, &r.Tokens.Input, &r.Tokens.Output, &r.Tokens.CachedInput,
		&cost, &processing, &overhead,
	}, more...)
	if err := row.Scan(dest...); err != nil {
		return usage.Record{}, err
	}
	r.Time = time.UnixMicro(at).UTC()
	r.Cached, r.Coalesced = flags&flagCached != 0, flags&flagCoalesced != 0
	r.Cost = usage.Cost{Nanos: key.Nanos(cost.Int64), Known: cost.Valid}
	r.Processing, r.Overhead = time.Duration(processing)*time.Microsecond, time.Duration(overhead)*time.Microsecond
	return r, nil
}

var _ usage.Store = (*History)(nil)
