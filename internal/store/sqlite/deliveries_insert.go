package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/promptd/promptd/internal/delivery"
	sqltext "github.com/promptd/promptd/internal/store/statement"
)

// deliveryInserts are made for SQLite.
func deliveryInserts() sqltext.DeliveryInserts {
	return sqltext.NewDeliveryInserts(`lower(hex(randomblob(16)))`, `BLOB`, `CAST($8 AS bigint)`)
}

// insertDeliveries makes the deliveries of a message, within the transaction that makes what it tells of true. It says how many are new: after the commit the
// sender is to be woken where there are any.
func insertDeliveries(ctx context.Context, tx *sql.Tx, now time.Time, m delivery.Message, to delivery.Target) (int, error) {
	query, args := deliveryInserts().Of(now.UnixMicro(), &m, to)
	done, err := tx.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	made, err := done.RowsAffected()
	return int(made), err
}
