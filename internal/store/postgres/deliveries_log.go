package postgres

import (
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/promptd/promptd/internal/delivery"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/store/statement"
)

// Deliveries reads a page. One more row than wanted tells whether another page follows.
func (d *Deliveries) Deliveries(ctx context.Context, reach key.Reach, f delivery.Filter) (list []delivery.Delivery, next delivery.Cursor, err error) {
	query, args, err := statement.DeliveryPage(reach, f)
	if err != nil {
		return nil, "", err
	}
	list = []delivery.Delivery{}
	err = d.db.rows(ctx, "delivery_list", query, args, func(row statement.Row) error {
		one, err := statement.ScanDelivery(row)
		list = append(list, one)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	if len(list) > f.Limit {
		list = list[:f.Limit]
		next = statement.DeliveryCursor(&list[f.Limit-1])
	}
	return list, next, nil
}

// Delivery reads one with its attempts.
func (d *Deliveries) Delivery(ctx context.Context, reach key.Reach, id delivery.ID) (one delivery.Delivery, attempts []delivery.Attempt, err error) {
	team, all := reach.Team()
	err = d.db.row(ctx, "delivery_read", statement.OneDelivery, []any{string(id), all, string(team)}, func(row statement.Row) error {
		one, err = statement.ScanDelivery(row)
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return delivery.Delivery{}, nil, statement.NoDelivery()
	}
	if err != nil {
		return delivery.Delivery{}, nil, err
	}
	attempts = []delivery.Attempt{}
	err = d.db.rows(ctx, "delivery_attempts", statement.SomeAttempts, []any{string(id), delivery.MostAttempts}, func(row statement.Row) error {
		a, err := statement.ScanAttempt(row)
		attempts = append(attempts, a)
		return err
	})
	slices.Reverse(attempts)
	return one, attempts, err
}

// Redeliver makes one due again.
func (d *Deliveries) Redeliver(ctx context.Context, reach key.Reach, id delivery.ID) (one delivery.Delivery, err error) {
	team, all := reach.Team()
	err = d.db.write(ctx, "delivery_redeliver", func(ctx context.Context, conn *pgxpool.Conn) error {
		one, err = statement.ScanDelivery(conn.QueryRow(ctx, byClock(statement.Redeliver, "$4"), string(id), all, string(team), d.db.clock()))
		if errors.Is(err, pgx.ErrNoRows) {
			return statement.NoDelivery()
		}
		return err
	})
	if err != nil {
		return delivery.Delivery{}, err
	}
	return one, nil
}

var _ delivery.Log = (*Deliveries)(nil)
