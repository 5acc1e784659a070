package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/limit"
	sqltext "github.com/promptd/promptd/internal/store/statement"
)

// Budgets keeps what was spent and reserved of budgets in promptd.db.
type Budgets struct {
	file *file
	now  func() time.Time
}

// Budgets is the part that keeps budgets.
func (db *DB) Budgets() *Budgets { return &Budgets{file: db.main, now: db.opts.Now} }

const (
	bookedBudget = `SELECT booked, turn, amount FROM budget_leases WHERE kind = $1 AND id = $2 AND period = $3 AND holder = $4`
	bookBudget   = `INSERT INTO budgets (kind, id, period, spent, updated_at) VALUES ($1, $2, $3, $4, $5)
	ON CONFLICT (kind, id, period) DO UPDATE SET spent = spent + excluded.spent, updated_at = excluded.updated_at RETURNING spent`
	// Of others: what is leased, and what leases that have lapsed have left, which counts as spent.
	othersBudget = `SELECT coalesce(sum(CASE WHEN lease_until > $5 THEN amount ELSE 0 END), 0), coalesce(sum(CASE WHEN lease_until > $5 THEN 0 ELSE amount END), 0)
	FROM budget_leases WHERE kind = $1 AND id = $2 AND period = $3 AND holder <> $4`
	alertBudget = `INSERT INTO budget_alerts (kind, payer, team, period, threshold, limit_nanos, spent, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
	ON CONFLICT (kind, payer, period, threshold) DO NOTHING RETURNING id`
)

// Draw answers draws in one transaction.
func (b *Budgets) Draw(ctx context.Context, lease time.Duration, draws []limit.Draw) ([]limit.Drawn, error) {
	out := make([]limit.Drawn, len(draws))
	err := b.file.tx(ctx, "budget_draw", func(ctx context.Context, tx *sql.Tx) error {
		now := b.now()
		for i := range draws {
			if err := drawOne(ctx, tx, now, now.Add(lease), &draws[i], &out[i]); err != nil {
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

func drawOne(ctx context.Context, tx *sql.Tx, now, until time.Time, d *limit.Draw, out *limit.Drawn) error {
	var booked, turn, has, spent, others, lapsed int64
	err := tx.QueryRowContext(ctx, bookedBudget, d.Kind, d.ID, d.Period, d.Holder).Scan(&booked, &turn, &has)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	late := d.Turn < turn
	more := max(0, int64(d.Spent)-booked) // Nothing, where it is late: what a holder has spent only grows.
	if err := tx.QueryRowContext(ctx, bookBudget, d.Kind, d.ID, d.Period, more, now.UnixMicro()).Scan(&spent); err != nil {
		return err
	}
	if err := tx.QueryRowContext(ctx, othersBudget, d.Kind, d.ID, d.Period, d.Holder, now.UnixMicro()).Scan(&others, &lapsed); err != nil {
		return err
	}
	spent += lapsed
	if late {
		out.Balance = limit.Balance{Spent: key.Nanos(spent), Reserved: key.Nanos(others + has)}
		return nil
	}
	var refused bool
	out.Granted, refused = d.Grant(d.Limit - key.Nanos(spent) - key.Nanos(others) - d.Keep)
	mine := d.Keep + out.Granted
	out.Balance = limit.Balance{Spent: key.Nanos(spent), Reserved: key.Nanos(others) + mine}
	if _, err := tx.ExecContext(ctx, sqltext.LeaseBudget, d.Kind, d.ID, d.Period, d.Holder, int64(mine), max(booked, int64(d.Spent)), until.UnixMicro(), d.Turn); err != nil {
		return err
	}
	for _, threshold := range d.Due(out.Spent, refused) {
		if err := alertOne(ctx, tx, now, threshold, d, out); err != nil {
			return err
		}
	}
	return nil
}

func alertOne(ctx context.Context, tx *sql.Tx, now time.Time, threshold int, d *limit.Draw, out *limit.Drawn) error {
	a := sqltext.AlertOf(now, threshold, d, out.Spent)
	err := tx.QueryRowContext(ctx, alertBudget, sqltext.AlertArgs(&a)...).Scan(&a.ID)
	if errors.Is(err, sql.ErrNoRows) {
		return nil // It was raised before.
	}
	if err == nil {
		out.Alerts = append(out.Alerts, a)
	}
	return err
}

const readBudget = `SELECT coalesce((SELECT spent FROM budgets WHERE kind = $1 AND id = $2 AND period = $3), 0) +
	(SELECT coalesce(sum(amount), 0) FROM budget_leases WHERE kind = $1 AND id = $2 AND period = $3 AND lease_until <= $4),
	(SELECT coalesce(sum(amount), 0) FROM budget_leases WHERE kind = $1 AND id = $2 AND period = $3 AND lease_until > $4)`

// Balance reads one budget's state.
func (b *Budgets) Balance(ctx context.Context, p limit.Payer, period string) (limit.Balance, error) {
	var out limit.Balance
	err := b.file.read.QueryRowContext(ctx, readBudget, p.Kind, p.ID, period, b.now().UnixMicro()).Scan(&out.Spent, &out.Reserved)
	if err != nil {
		return limit.Balance{}, explain("read a budget", err)
	}
	return out, nil
}

// Alerts reads alerts in their order.
func (b *Budgets) Alerts(ctx context.Context, reach key.Reach, after int64, most int) ([]limit.Alert, error) {
	query, args := sqltext.AlertPage(reach, after, most)
	list := []limit.Alert{}
	err := b.file.rows(ctx, "budget_alerts", query, args, func(rows *sql.Rows) error {
		a, err := sqltext.ScanAlert(rows)
		list = append(list, a)
		return err
	})
	return list, err
}

const (
	forgetBudgets = `DELETE FROM budgets WHERE updated_at < $1`
	forgetLeases  = `DELETE FROM budget_leases WHERE lease_until < $1`
)

// Forget deletes what nobody has touched since a time.
func (b *Budgets) Forget(ctx context.Context, before time.Time) error {
	return b.file.tx(ctx, "budget_forget", func(ctx context.Context, tx *sql.Tx) error {
		for _, query := range []string{forgetBudgets, forgetLeases} {
			if _, err := tx.ExecContext(ctx, query, before.UnixMicro()); err != nil {
				return err
			}
		}
		return nil
	})
}

var _ limit.BudgetStore = (*Budgets)(nil)
