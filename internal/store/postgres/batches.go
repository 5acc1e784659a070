package postgres

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/promptd/promptd/internal/bulk"
	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/store/statement"
)

// Batches keeps batches at providers.
type Batches struct {
	db   *DB
	text statement.Batches
}

// Batches is the part that keeps batches at providers.
func (db *DB) Batches() *Batches {
	return &Batches{db, statement.NewBatches("coalesce($1::bigint, now_micros())", " FOR UPDATE SKIP LOCKED")}
}

// Keep writes a batch with its items.
func (s *Batches) Keep(ctx context.Context, b bulk.Batch, items []bulk.Item, holder string, lease time.Duration) error {
	err := s.db.tx(ctx, "batch_keep", func(ctx context.Context, tx pgx.Tx) error {
		args := append([]any{s.db.clock(), holder, lease.Microseconds()}, statement.KeepBatchArgs(&b)...)
		if _, err := tx.Exec(ctx, s.text.Keep, args...); err != nil {
			return err
		}
		rows := make([][]any, len(items))
		for i := range items {
			rows[i] = statement.BatchItemArgs(b.Label, &items[i])
		}
		_, err := tx.CopyFrom(ctx, pgx.Identifier{"batch_items"}, []string{"label", "place", "job", "n", "token", "team", "key", "mode", "reserved"}, pgx.CopyFromRows(rows))
		return err
	})
	if isConflict(err) {
		return errors.Join(bulk.ErrTried, err)
	}
	return err
}

// Save writes what is known of a batch.
func (s *Batches) Save(ctx context.Context, b bulk.Batch, holder string, next, lease time.Duration) error {
	args := append([]any{s.db.clock(), holder, next.Microseconds(), lease.Microseconds()}, statement.SaveBatchArgs(&b)...)
	return s.held(ctx, "batch_save", s.text.Save, args...)
}

// Hold prolongs the holder's lease.
func (s *Batches) Hold(ctx context.Context, label, holder string, lease time.Duration) error {
	return s.held(ctx, "batch_hold", s.text.Hold, s.db.clock(), holder, lease.Microseconds(), label)
}

// held runs a statement that must change the holder's row.
func (s *Batches) held(ctx context.Context, name, query string, args ...any) error {
	changed, err := s.db.exec(ctx, name, query, args...)
	if err == nil && changed == 0 {
		err = bulk.ErrLost
	}
	return err
}

// Take gives the holder batches that are due; those that another process takes at the moment are left to it.
func (s *Batches) Take(ctx context.Context, holder string, lease, lag time.Duration, most int) ([]bulk.Batch, error) {
	type taken struct {
		bulk.Batch
		due int64
	}
	var list []taken
	err := s.db.tx(ctx, "batch_take", func(ctx context.Context, tx pgx.Tx) error {
		list = nil
		rows, err := tx.Query(ctx, s.text.Take, s.db.clock(), holder, lease.Microseconds(), most, lag.Microseconds())
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			b, due, err := statement.ScanBatch(rows)
			if err != nil {
				return err
			}
			list = append(list, taken{b, due})
		}
		return rows.Err()
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b taken) int { return cmp.Or(cmp.Compare(a.due, b.due), cmp.Compare(a.Label, b.Label)) })
	out := make([]bulk.Batch, len(list))
	for i := range list {
		out[i] = list[i].Batch
	}
	return out, nil
}

// Items gives those items that were not ended.
func (s *Batches) Items(ctx context.Context, label string, from, most int) (list []bulk.Item, err error) {
	err = s.db.rows(ctx, "batch_items", statement.BatchItems, []any{label, from, most}, func(row statement.Row) error {
		i, err := statement.ScanBatchItem(row)
		list = append(list, i)
		return err
	})
	return list, err
}

// Owned gives the labels of an owner's batches.
func (s *Batches) Owned(ctx context.Context, owner string) (labels []string, err error) {
	err = s.db.rows(ctx, "batch_owned", statement.OwnedBatches, []any{owner}, func(row statement.Row) error {
		var label string
		err := row.Scan(&label)
		labels = append(labels, label)
		return err
	})
	return labels, err
}

// Leave gives up an owner's batches.
func (s *Batches) Leave(ctx context.Context, owner string) error {
	_, err := s.db.exec(ctx, "batch_leave", statement.LeaveBatches, owner)
	return err
}

// endBatchItems ends the items at those places. Only who holds the batch does that, so that no two processes wait for each other.
const endBatchItems = `UPDATE batch_items SET ended = 1 WHERE label = $1 AND place = ANY ($2::bigint[])`

// End notes that items went on.
func (s *Batches) End(ctx context.Context, label string, places []int) error {
	wanted := make([]int64, len(places))
	for i, p := range places {
		wanted[i] = int64(p)
	}
	_, err := s.db.exec(ctx, "batch_end", endBatchItems, label, wanted)
	return err
}

// Tried says whether an item of a job was ever in a batch.
func (s *Batches) Tried(ctx context.Context, id job.ID, n int) (tried bool, err error) {
	err = s.db.rows(ctx, "batch_tried", statement.BatchTried, []any{string(id), n}, func(statement.Row) error {
		tried = true
		return nil
	})
	return tried, err
}

// Forget deletes old batches that are closed.
func (s *Batches) Forget(ctx context.Context, keep time.Duration, most int) (deleted int, err error) {
	err = s.db.tx(ctx, "batch_forget", func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, s.text.Forget, s.db.clock(), keep.Microseconds(), most)
		if err != nil {
			return err
		}
		labels, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return err
		}
		for _, label := range labels {
			if _, err := tx.Exec(ctx, statement.ForgetBatchItems, label); err != nil {
				return err
			}
		}
		deleted = len(labels)
		return nil
	})
	return deleted, err
}

var _ bulk.Store = (*Batches)(nil)
