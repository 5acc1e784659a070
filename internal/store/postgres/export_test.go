package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/store/statement"
	"github.com/promptd/promptd/internal/usage"
)

// SetPatience makes a store less patient.
func SetPatience(db *DB, d time.Duration) { db.patience = patience{write: d, read: d} }

// Hangs says whether the store thinks that its database does not answer.
func Hangs(db *DB) bool { return db.mood.hangs.Load() }

// Limits gives the time limits that a transaction has: of a statement, of a lock, of idleness.
func Limits(ctx context.Context, db *DB) (text string, err error) {
	err = db.tx(ctx, "limits", func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, `SELECT concat_ws(' ', current_setting('statement_timeout'), current_setting('lock_timeout'),
			current_setting('idle_in_transaction_session_timeout'))`).Scan(&text)
	})
	return text, err
}

// Sleep runs a statement that takes some seconds.
func Sleep(ctx context.Context, db *DB, seconds int) error {
	_, err := db.exec(ctx, "sleep", "SELECT pg_sleep($1::int)", seconds)
	return err
}

// MoveBoth moves two counters in one transaction, and calls a function between them.
func MoveBoth(ctx context.Context, db *DB, names [2]string, between func()) error {
	return db.tx(ctx, "move_both", func(ctx context.Context, tx pgx.Tx) error {
		for _, name := range names {
			if _, err := tx.Exec(ctx, "UPDATE counters SET value = value + 1 WHERE name = $1", name); err != nil {
				return err
			}
			between()
		}
		return nil
	})
}

// Plans explains the queries that must not read whole tables, as they are planned where there is another way.
func Plans(ctx context.Context, db *DB) (plans map[string]string, err error) {
	at, micros := time.Unix(1, 0), int64(1)
	filter := usage.Filter{Limit: 50, From: at, To: time.Unix(2, 0), Status: 200, Model: "m", After: usage.CursorAt(at, "id")}
	page, pageArgs := pageOf(key.OfTeam("acme"), filter)
	all, allArgs := pageOf(key.AllTeams(), usage.Filter{Limit: 50})
	q := usage.Query{From: at}
	sums, sumsArgs, err := statement.Sums(key.OfTeam("acme"), q, statement.HoursOf(q))
	if err != nil {
		return nil, err
	}
	alerts, alertsArgs := statement.AlertPage(key.OfTeam("acme"), 0, 10)
	keys, keysArgs := statement.KeyPage(key.OfTeam("acme"), 10, "")
	type query struct {
		text string
		args []any
	}
	queries := map[string]query{
		"a page of requests": {page, pageArgs}, "a page of all teams": {all, allArgs}, "sums of a team": {sums, sumsArgs},
		"requests of a version":       {statement.Tried, []any{"acme", "invoice@3", 10}},
		"one request":                 {statement.OneRequest, []any{"id", false, "acme"}},
		"delete a request":            {statement.DeleteRequest, []any{"id", false, "acme"}},
		"delete old requests":         {purgeOld, []any{micros, 10}},
		"changes of keys":             {statement.ChangedKeys, []any{micros}},
		"a team's keys":               {keys, keysArgs},
		"a team's alerts":             {alerts, alertsArgs},
		"a claim":                     {statement.ReadClaim, []any{"acme", "k"}},
		"claims to forget":            {forgetClaims, []any{micros, 10, nil}},
		"what is drawn on":            {readDraw, []any{"key", "k", "2026-11", "h", micros}},
		"a budget":                    {readBudget, []any{"key", "k", "2026-11", nil}},
		"a version of a schema":       {statement.Schemas().OneVersion, []any{"acme", "invoice", 0}},
		"a team's templates":          {statement.Templates().SomeNames, []any{"acme", "", false, 10}},
		"the versions of a template":  {statement.Templates().SomeVersions, []any{"acme", "invoice", 0, false, 10}},
		"the use of some keys, noted": {touchKeys, []any{[]string{"k"}, []int64{1}}},
	}
	plans = map[string]string{}
	err = db.tx(ctx, "plans", func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL enable_seqscan = off"); err != nil {
			return err
		}
		for name, q := range queries {
			rows, err := tx.Query(ctx, "EXPLAIN "+q.text, append([]any{pgx.QueryExecModeExec}, q.args...)...)
			if err != nil {
				return err
			}
			lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			plans[name] = strings.Join(lines, "\n")
		}
		return nil
	})
	return plans, err
}
