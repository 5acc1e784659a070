package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"github.com/promptd/promptd/internal/delivery"
	"github.com/promptd/promptd/internal/key"
	sqltext "github.com/promptd/promptd/internal/store/statement"
)

// Deliveries reads a page. One more row than wanted tells whether another page follows.
func (d *Deliveries) Deliveries(ctx context.Context, reach key.Reach, f delivery.Filter) (list []delivery.Delivery, next delivery.Cursor, err error) {
	query, args, err := sqltext.DeliveryPage(reach, f)
	if err != nil {
		return nil, "", err
	}
	list = []delivery.Delivery{}
	err = d.file.rows(ctx, "delivery_list", query, args, func(rows *sql.Rows) error {
		one, err := sqltext.ScanDelivery(rows)
		list = append(list, one)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	if len(list) > f.Limit {
		list = list[:f.Limit]
		next = sqltext.DeliveryCursor(&list[f.Limit-1])
	}
	return list, next, nil
}

// Delivery reads one with its attempts.
func (d *Deliveries) Delivery(ctx context.Context, reach key.Reach, id delivery.ID) (delivery.Delivery, []delivery.Attempt, error) {
	team, all := reach.Team()
	one, err := sqltext.ScanDelivery(d.file.read.QueryRowContext(ctx, sqltext.OneDelivery, string(id), all, string(team)))
	if errors.Is(err, sql.ErrNoRows) {
		return delivery.Delivery{}, nil, sqltext.NoDelivery()
	}
	if err != nil {
		return delivery.Delivery{}, nil, explain("read a delivery", err)
	}
	attempts := []delivery.Attempt{}
	err = d.file.rows(ctx, "delivery_attempts", sqltext.SomeAttempts, []any{string(id), delivery.MostAttempts}, func(rows *sql.Rows) error {
		a, err := sqltext.ScanAttempt(rows)
		attempts = append(attempts, a)
		return err
	})
	slices.Reverse(attempts)
	return one, attempts, err
}

// Redeliver makes one due again.
func (d *Deliveries) Redeliver(ctx context.Context, reach key.Reach, id delivery.ID) (one delivery.Delivery, err error) {
	team, all := reach.Team()
	err = d.file.tx(ctx, "delivery_redeliver", func(ctx context.Context, tx *sql.Tx) error {
		one, err = sqltext.ScanDelivery(tx.QueryRowContext(ctx, sqltext.Redeliver, string(id), all, string(team), d.now().UnixMicro()))
		if errors.Is(err, sql.ErrNoRows) {
			return sqltext.NoDelivery()
		}
		return err
	})
	if err != nil {
		return delivery.Delivery{}, err
	}
	return one, nil
}

var _ delivery.Log = (*Deliveries)(nil)
