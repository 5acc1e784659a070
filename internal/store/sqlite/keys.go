package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/promptd/promptd/internal/key"
	sqltext "github.com/promptd/promptd/internal/store/statement"
)

// Keys keeps API keys in promptd.db.
type Keys struct{ file *file }

// Create keeps a new key.
func (k *Keys) Create(ctx context.Context, one key.Key, h key.Hash) error {
	args, err := sqltext.KeyArgs(one, h)
	if err != nil {
		return err
	}
	return k.file.tx(ctx, "key_create", func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, sqltext.MoveKeys); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, sqltext.InsertKey, args...)
		if isConflict(err) {
			return sqltext.KeyExists()
		}
		return err
	})
}

// Key reads one.
func (k *Keys) Key(ctx context.Context, reach key.Reach, id key.ID) (key.Key, error) {
	team, all := reach.Team()
	one, err := sqltext.ScanKey(k.file.read.QueryRowContext(ctx, sqltext.OneKey, string(id), all, string(team)))
	if errors.Is(err, sql.ErrNoRows) {
		return key.Key{}, sqltext.NoKey()
	}
	if err != nil {
		return key.Key{}, explain("read a key", err)
	}
	return one, nil
}

// List reads a page, the newest first. One more row than wanted tells whether another page follows.
func (k *Keys) List(ctx context.Context, reach key.Reach, limit int, after key.Cursor) (list []key.Key, next key.Cursor, err error) {
	query, args := sqltext.KeyPage(reach, limit, after)
	list = make([]key.Key, 0, min(limit, key.MaxPage))
	err = k.file.rows(ctx, "key_list", query, args, func(rows *sql.Rows) error {
		one, err := sqltext.ScanKey(rows)
		list = append(list, one)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	if len(list) > limit {
		list = list[:limit]
		next = key.Cursor(list[limit-1].ID)
	}
	return list, next, nil
}

// Rotate gives a key another secret.
func (k *Keys) Rotate(ctx context.Context, reach key.Reach, id key.ID, r key.Rotation) (key.Key, error) {
	return k.change(ctx, "key_rotate", reach, id, func(ctx context.Context, tx *sql.Tx, one key.Key) error {
		if !one.RevokedAt.IsZero() {
			return sqltext.KeyRevoked(id)
		}
		_, err := tx.ExecContext(ctx, sqltext.RotateKey, r.Hash[:], r.Prefix, sqltext.Micros(r.GraceUntil), string(id))
		return err
	})
}

// Revoke ends a key.
func (k *Keys) Revoke(ctx context.Context, reach key.Reach, id key.ID, at time.Time) (key.Key, error) {
	return k.change(ctx, "key_revoke", reach, id, func(ctx context.Context, tx *sql.Tx, one key.Key) error {
		if !one.RevokedAt.IsZero() {
			return nil
		}
		_, err := tx.ExecContext(ctx, sqltext.RevokeKey, at.UnixMicro(), string(id))
		return err
	})
}

// change reads a key, changes it and reads it again, with the counter moved.
func (k *Keys) change(ctx context.Context, name string, reach key.Reach, id key.ID, do func(context.Context, *sql.Tx, key.Key) error) (one key.Key, err error) {
	team, all := reach.Team()
	err = k.file.tx(ctx, name, func(ctx context.Context, tx *sql.Tx) error {
		read := func() (key.Key, error) {
			return sqltext.ScanKey(tx.QueryRowContext(ctx, sqltext.OneKey, string(id), all, string(team)))
		}
		before, err := read()
		if errors.Is(err, sql.ErrNoRows) {
			return sqltext.NoKey()
		}
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, sqltext.MoveKeys); err != nil {
			return err
		}
		if err := do(ctx, tx, before); err != nil {
			return err
		}
		one, err = read()
		return err
	})
	if err != nil {
		return key.Key{}, err
	}
	return one, nil
}

// Touch notes when keys were used.
func (k *Keys) Touch(ctx context.Context, uses []key.Use) error {
	return k.file.tx(ctx, "key_touch", func(ctx context.Context, tx *sql.Tx) error {
		for _, u := range uses {
			if _, err := tx.ExecContext(ctx, sqltext.TouchKey, u.At.UnixMicro(), string(u.ID)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Changes reads what changed. The counter is read first and alone, because it mostly has not moved.
func (k *Keys) Changes(ctx context.Context, since int64) (changed []key.Held, now int64, err error) {
	if err := k.file.read.QueryRowContext(ctx, sqltext.ReadKeys).Scan(&now); err != nil {
		return nil, 0, explain("read the counter of key changes", err)
	}
	if now == since {
		return nil, now, nil
	}
	// A change after the counter was read is read here too, and once more at the next call: that does no harm.
	err = k.file.rows(ctx, "key_changes", sqltext.ChangedKeys, []any{since}, func(rows *sql.Rows) error {
		h, err := sqltext.ScanHeld(rows)
		changed = append(changed, h)
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	return changed, now, nil
}

var _ key.Store = (*Keys)(nil)
