package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/promptd/promptd/internal/delivery"
	"github.com/promptd/promptd/internal/store/statement"
)

// deliveryInserts are made for PostgreSQL.
func deliveryInserts() statement.DeliveryInserts {
	return statement.NewDeliveryInserts(`replace(gen_random_uuid()::text, '-', '')`, `bytea`, `coalesce($8::bigint, now_micros())`)
}

// insertDeliveries makes the deliveries of a message, within the transaction that makes what it tells of true. clock is that of the store. It says how many are
// new: after the commit the sender is to be woken where there are any.
func insertDeliveries(ctx context.Context, tx pgx.Tx, clock any, m delivery.Message, to delivery.Target) (int, error) {
	query, args := deliveryInserts().Of(clock, &m, to)
	done, err := tx.Exec(ctx, query, args...)
	return int(done.RowsAffected()), err
}
