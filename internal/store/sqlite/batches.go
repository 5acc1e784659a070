package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/promptd/promptd/internal/bulk"
	"github.com/promptd/promptd/internal/job"
	sqltext "github.com/promptd/promptd/internal/store/statement"
)

// Batches keeps batches at providers in promptd.db.
type Batches struct {
	file *file
	now  func() time.Time
	text sqltext.Batches
}

// Batches is the part that keeps batches at providers.
func (db *DB) Batches() *Batches {
	return &Batches{file: db.main, now: db.opts.Now, text: sqltext.NewBatches("CAST($1 AS bigint)", "")}
}

// Keep writes a batch with its items.
func (s *Batches) Keep(ctx context.Context, b bulk.Batch, items []bulk.Item, holder string, lease time.Duration) error {
	err := s.file.tx(ctx, "batch_keep", func(ctx context.Context, tx *sql.Tx) error {
		args := append([]any{s.now().UnixMicro(), holder, lease.Microseconds()}, sqltext.KeepBatchArgs(&b)...)
		if _, err := tx.ExecContext(ctx, s.text.Keep, args...); err != nil {
			return err
		}
		insert, err := tx.PrepareContext(ctx, sqltext.KeepBatchItem)
		if err != nil {
			return err
		}
		defer insert.Close()
		for i := range items {
			if _, err := insert.ExecContext(ctx, sqltext.BatchItemArgs(b.Label, &items[i])...); err != nil {
				return err
			}
		}
		return nil
	})
	if isConflict(err) {
		return errors.Join(bulk.ErrTried, err)
	}
	return err
}

// Save writes what is known of a batch.
func (s *Batches) Save(ctx context.Context, b bulk.Batch, holder string, next, lease time.Duration) error {
	args := append([]any{s.now().UnixMicro(), holder, next.Microseconds(), lease.Microseconds()}, sqltext.SaveBatchArgs(&b)...)
	return s.held(ctx, "batch_save", s.text.Save, args...)
}

// Hold prolongs the holder's lease.
func (s *Batches) Hold(ctx context.Context, label, holder string, lease time.Duration) error {
	return s.held(ctx, "batch_hold", s.text.Hold, s.now().UnixMicro(), holder, lease.Microseconds(), label)
}

// held runs a statement that must change the holder's row.
func (s *Batches) held(ctx context.Context, name, query string, args ...any) error {
	return s.file.tx(ctx, name, func(ctx context.Context, tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, query, args...)
		if err != nil {
			return err
		}
		n, err := done.RowsAffected()
		if err == nil && n == 0 {
			err = bulk.ErrLost
		}
		return err
	})
}

// Take gives the holder batches that are due. Where nothing is, nothing is written.
func (s *Batches) Take(ctx context.Context, holder string, lease, lag time.Duration, most int) ([]bulk.Batch, error) {
	now := s.now().UnixMicro()
	due := false
	err := s.file.rows(ctx, "batch_due", anyBatchDue, []any{now}, func(rows *sql.Rows) error { return rows.Scan(&due) })
	if err != nil || !due {
		return nil, err
	}
	type taken struct {
		bulk.Batch
		due int64
	}
	var list []taken
	err = s.file.tx(ctx, "batch_take", func(ctx context.Context, tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, s.text.Take, now, holder, lease.Microseconds(), most, lag.Microseconds())
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			b, due, err := sqltext.ScanBatch(rows)
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

const anyBatchDue = `SELECT EXISTS (SELECT 1 FROM batches WHERE stage <> 'closed' AND due_at <= $1 AND lease_until <= $1)`

// Items gives those items that were not ended.
func (s *Batches) Items(ctx context.Context, label string, from, most int) (list []bulk.Item, err error) {
	err = s.file.rows(ctx, "batch_items", sqltext.BatchItems, []any{label, from, most}, func(rows *sql.Rows) error {
		i, err := sqltext.ScanBatchItem(rows)
		list = append(list, i)
		return err
	})
	return list, err
}

// Owned gives the labels of an owner's batches.
func (s *Batches) Owned(ctx context.Context, owner string) (labels []string, err error) {
	err = s.file.rows(ctx, "batch_owned", sqltext.OwnedBatches, []any{owner}, func(rows *sql.Rows) error {
		var label string
		err := rows.Scan(&label)
		labels = append(labels, label)
		return err
	})
	return labels, err
}

// Leave gives up an owner's batches.
func (s *Batches) Leave(ctx context.Context, owner string) error {
	return s.file.tx(ctx, "batch_leave", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, sqltext.LeaveBatches, owner)
		return err
	})
}

// End notes that items went on.
func (s *Batches) End(ctx context.Context, label string, places []int) error {
	return s.file.tx(ctx, "batch_end", func(ctx context.Context, tx *sql.Tx) error {
		for _, place := range places {
			if _, err := tx.ExecContext(ctx, sqltext.EndBatchItem, label, place); err != nil {
				return err
			}
		}
		return nil
	})
}

// Tried says whether an item of a job was ever in a batch.
func (s *Batches) Tried(ctx context.Context, id job.ID, n int) (tried bool, err error) {
	err = s.file.rows(ctx, "batch_tried", sqltext.BatchTried, []any{string(id), n}, func(*sql.Rows) error {
		tried = true
		return nil
	})
	return tried, err
}

// Forget deletes old batches that are closed.
func (s *Batches) Forget(ctx context.Context, keep time.Duration, most int) (deleted int, err error) {
	err = s.file.tx(ctx, "batch_forget", func(ctx context.Context, tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, s.text.Forget, s.now().UnixMicro(), keep.Microseconds(), most)
		if err != nil {
			return err
		}
		var labels []string
		if err := each(rows, func() error {
			var label string
			err := rows.Scan(&label)
			labels = append(labels, label)
			return err
		}); err != nil {
			return err
		}
		for _, label := range labels {
			if _, err := tx.ExecContext(ctx, sqltext.ForgetBatchItems, label); err != nil {
				return err
			}
		}
		deleted = len(labels)
		return nil
	})
	return deleted, err
}

var _ bulk.Store = (*Batches)(nil)
