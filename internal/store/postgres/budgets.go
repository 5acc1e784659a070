package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/limit"
	"github.com/promptd/promptd/internal/store/statement"
)

// Budgets keeps what was spent and reserved of budgets.
type Budgets struct{ db *DB }

// Budgets is the part that keeps budgets.
func (db *DB) Budgets() *Budgets { return &Budgets{db} }

const (
	// lockBudgets takes the rows of all budgets that are drawn on, in their order, and makes those that are missing: draws on a budget follow one another.
	lockBudgets = `INSERT INTO budgets (kind, id, period, spent, updated_at)
	SELECT kind, id, period, 0, coalesce($4::bigint, now_micros()) FROM (
		SELECT DISTINCT kind, id, period FROM unnest($1::text[], $2::text[], $3::text[]) AS draw(kind, id, period) ORDER BY kind, id, period
	) AS draws ON CONFLICT (kind, id, period) DO UPDATE SET updated_at = excluded.updated_at RETURNING updated_at`
	// readDraw gives what this holder has booked, in which turn, and what it has; what was spent, what others hold, and what they held when their leases lapsed, which
	// counts as spent.
	readDraw = `SELECT coalesce(max(booked) FILTER (WHERE holder = $4), 0), coalesce(max(turn) FILTER (WHERE holder = $4), 0),
	coalesce(max(amount) FILTER (WHERE holder = $4), 0), (SELECT spent FROM budgets WHERE kind = $1 AND id = $2 AND period = $3),
	coalesce(sum(amount) FILTER (WHERE holder <> $4 AND lease_until > $5), 0)::bigint, coalesce(sum(amount) FILTER (WHERE holder <> $4 AND lease_until <= $5), 0)::bigint
	FROM budget_leases WHERE kind = $1 AND id = $2 AND period = $3`
	bookBudget = `UPDATE budgets SET spent = spent + $4 WHERE kind = $1 AND id = $2 AND period = $3`
)

// Draw answers draws in one transaction.
func (b *Budgets) Draw(ctx context.Context, lease time.Duration, draws []limit.Draw) ([]limit.Drawn, error) {
	var out []limit.Drawn
	kinds, ids, periods := make([]string, len(draws)), make([]string, len(draws)), make([]string, len(draws))
	for i := range draws {
		kinds[i], ids[i], periods[i] = draws[i].Kind, draws[i].ID, draws[i].Period
	}
	err := b.db.tx(ctx, "budget_draw", func(ctx context.Context, tx pgx.Tx) error {
		out = make([]limit.Drawn, len(draws))
		if len(draws) == 0 {
			return nil
		}
		var micros int64
		if err := tx.QueryRow(ctx, lockBudgets, kinds, ids, periods, b.db.clock()).Scan(&micros); err != nil {
			return err
		}
		now := time.UnixMicro(micros).UTC()
		for i := range draws {
			if err := drawOne(ctx, tx, now, lease, &draws[i], &out[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func drawOne(ctx context.Context, tx pgx.Tx, now time.Time, lease time.Duration, d *limit.Draw, out *limit.Drawn) error {
	var booked, turn, has, spent, others, lapsed int64
	if err := tx.QueryRow(ctx, readDraw, d.Kind, d.ID, d.Period, d.Holder, now.UnixMicro()).Scan(&booked, &turn, &has, &spent, &others, &lapsed); err != nil {
		return err
	}
	if d.Turn < turn {
		out.Balance = limit.Balance{Spent: key.Nanos(spent + lapsed), Reserved: key.Nanos(others + has)}
		return nil
	}
	more := max(0, int64(d.Spent)-booked)
	counted := key.Nanos(spent + more + lapsed)
	var refused bool
	out.Granted, refused = d.Grant(d.Limit - counted - key.Nanos(others) - d.Keep)
	mine := d.Keep + out.Granted
	out.Balance = limit.Balance{Spent: counted, Reserved: key.Nanos(others) + mine}
	var batch pgx.Batch
	if more > 0 {
		batch.Queue(bookBudget, d.Kind, d.ID, d.Period, more)
	}
	batch.Queue(statement.LeaseBudget, d.Kind, d.ID, d.Period, d.Holder, int64(mine), max(booked, int64(d.Spent)), now.Add(lease).UnixMicro(), d.Turn)
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return err
	}
	for _, threshold := range d.Due(out.Spent, refused) {
		a := statement.AlertOf(now, threshold, d, out.Spent)
		if err := alertOne(ctx, tx, &a); errors.Is(err, pgx.ErrNoRows) {
			continue // It was raised before.
		} else if err != nil {
			return err
		}
		out.Alerts = append(out.Alerts, a)
	}
	return nil
}

const (
	hasAlert   = `SELECT count(*) FROM budget_alerts WHERE kind = $1 AND payer = $2 AND period = $3 AND threshold = $4`
	nextAlert  = `UPDATE counters SET value = value + 1 WHERE name = 'budget_alerts' RETURNING value`
	alertToAdd = `INSERT INTO budget_alerts (kind, payer, team, period, threshold, limit_nanos, spent, at, id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`
)

// alertOne keeps an alert and numbers it; it is pgx.ErrNoRows where it was raised before. The budget's row is locked, so that nobody else raises it meanwhile.
func alertOne(ctx context.Context, tx pgx.Tx, a *limit.Alert) error {
	var have int
	if err := tx.QueryRow(ctx, hasAlert, a.Kind, a.Payer.ID, a.Period, a.Threshold).Scan(&have); err != nil {
		return err
	}
	if have > 0 {
		return pgx.ErrNoRows
	}
	if err := tx.QueryRow(ctx, nextAlert).Scan(&a.ID); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, alertToAdd, append(statement.AlertArgs(a), a.ID)...)
	return err
}

const readBudget = `SELECT coalesce((SELECT spent FROM budgets WHERE kind = $1 AND id = $2 AND period = $3), 0) +
	coalesce(sum(amount) FILTER (WHERE lease_until <= coalesce($4::bigint, now_micros())), 0)::bigint,
	coalesce(sum(amount) FILTER (WHERE lease_until > coalesce($4::bigint, now_micros())), 0)::bigint
	FROM budget_leases WHERE kind = $1 AND id = $2 AND period = $3`

// Balance reads one budget's state.
func (b *Budgets) Balance(ctx context.Context, p limit.Payer, period string) (out limit.Balance, err error) {
	err = b.db.row(ctx, "budget_read", readBudget, []any{p.Kind, p.ID, period, b.db.clock()}, func(row statement.Row) error {
		return row.Scan(&out.Spent, &out.Reserved)
	})
	return out, err
}

// Alerts reads alerts in their order.
func (b *Budgets) Alerts(ctx context.Context, reach key.Reach, after int64, most int) ([]limit.Alert, error) {
	query, args := statement.AlertPage(reach, after, most)
	list := []limit.Alert{}
	err := b.db.rows(ctx, "budget_alerts", query, args, func(row statement.Row) error {
		a, err := statement.ScanAlert(row)
		list = append(list, a)
		return err
	})
	return list, err
}

const (
	forgetBudgets = `DELETE FROM budgets WHERE (kind, id, period) IN
	(SELECT kind, id, period FROM budgets WHERE updated_at < $1 ORDER BY kind, id, period FOR UPDATE SKIP LOCKED)`
	forgetLeases = `DELETE FROM budget_leases WHERE (kind, id, period, holder) IN
	(SELECT kind, id, period, holder FROM budget_leases WHERE lease_until < $1 FOR UPDATE SKIP LOCKED)`
)

// Forget deletes what nobody has touched since a time. What another process touches right now is left for the next time.
func (b *Budgets) Forget(ctx context.Context, before time.Time) error {
	return b.db.tx(ctx, "budget_forget", func(ctx context.Context, tx pgx.Tx) error {
		for _, query := range []string{forgetBudgets, forgetLeases} {
			if _, err := tx.Exec(ctx, query, before.UnixMicro()); err != nil {
				return err
			}
		}
		return nil
	})
}

var _ limit.BudgetStore = (*Budgets)(nil)
