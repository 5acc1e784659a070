package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/store/statement"
)

// Keys keeps API keys.
type Keys struct{ db *DB }

// Keys is the part that keeps API keys.
func (db *DB) Keys() *Keys { return &Keys{db} }

// Create keeps a new key.
func (k *Keys) Create(ctx context.Context, one key.Key, h key.Hash) error {
	args, err := statement.KeyArgs(one, h)
	if err != nil {
		return err
	}
	return k.db.tx(ctx, "key_create", func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, statement.MoveKeys); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, statement.InsertKey, args...)
		if isConflict(err) {
			return statement.KeyExists()
		}
		return err
	})
}

// Key reads one.
func (k *Keys) Key(ctx context.Context, reach key.Reach, id key.ID) (one key.Key, err error) {
	team, all := reach.Team()
	err = k.db.row(ctx, "key_read", statement.OneKey, []any{string(id), all, string(team)}, func(row statement.Row) error {
		one, err = statement.ScanKey(row)
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return key.Key{}, statement.NoKey()
	}
	return one, err
}

// List reads a page, the newest first.
func (k *Keys) List(ctx context.Context, reach key.Reach, limit int, after key.Cursor) (list []key.Key, next key.Cursor, err error) {
	query, args := statement.KeyPage(reach, limit, after)
	list = make([]key.Key, 0, min(limit, key.MaxPage))
	err = k.db.rows(ctx, "key_list", query, args, func(row statement.Row) error {
		one, err := statement.ScanKey(row)
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
	return k.change(ctx, "key_rotate", reach, id, func(ctx context.Context, tx pgx.Tx, one key.Key) error {
		if !one.RevokedAt.IsZero() {
			return statement.KeyRevoked(id)
		}
		_, err := tx.Exec(ctx, statement.RotateKey, r.Hash[:], r.Prefix, statement.Micros(r.GraceUntil), string(id))
		return err
	})
}

// Revoke ends a key.
func (k *Keys) Revoke(ctx context.Context, reach key.Reach, id key.ID, at time.Time) (key.Key, error) {
	return k.change(ctx, "key_revoke", reach, id, func(ctx context.Context, tx pgx.Tx, one key.Key) error {
		if !one.RevokedAt.IsZero() {
			return nil
		}
		_, err := tx.Exec(ctx, statement.RevokeKey, at.UnixMicro(), string(id))
		return err
	})
}

// change reads a key, changes it and reads it again, with the counter moved. The counter's row is locked first: changes of keys follow one another, and whoever
// has seen the counter at a value sees every change up to it.
func (k *Keys) change(ctx context.Context, name string, reach key.Reach, id key.ID, do func(context.Context, pgx.Tx, key.Key) error) (one key.Key, err error) {
	team, all := reach.Team()
	err = k.db.tx(ctx, name, func(ctx context.Context, tx pgx.Tx) error {
		read := func() (key.Key, error) {
			return statement.ScanKey(tx.QueryRow(ctx, statement.OneKey, string(id), all, string(team)))
		}
		if _, err := tx.Exec(ctx, statement.MoveKeys); err != nil {
			return err
		}
		before, err := read()
		if errors.Is(err, pgx.ErrNoRows) {
			return statement.NoKey()
		}
		if err != nil {
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

// touchKeys takes the last use of each key in the order of the ids, so that two processes never wait for each other.
const touchKeys = `UPDATE keys SET last_used_at = used.at
	FROM (SELECT k.id, u.at FROM keys k JOIN (SELECT id, max(at) AS at FROM unnest($1::text[], $2::bigint[]) AS use(id, at) GROUP BY id) u ON u.id = k.id
		WHERE k.last_used_at IS NULL OR k.last_used_at < u.at ORDER BY k.id FOR UPDATE OF k) used
	WHERE keys.id = used.id`

// Touch notes when keys were used.
func (k *Keys) Touch(ctx context.Context, uses []key.Use) error {
	ids, times := make([]string, len(uses)), make([]int64, len(uses))
	for i, u := range uses {
		ids[i], times[i] = string(u.ID), u.At.UnixMicro()
	}
	_, err := k.db.exec(ctx, "key_touch", touchKeys, ids, times)
	return err
}

// Changes reads what changed. The counter is read first and alone, because it mostly has not moved.
func (k *Keys) Changes(ctx context.Context, since int64) (changed []key.Held, now int64, err error) {
	err = k.db.row(ctx, "key_counter", statement.ReadKeys, nil, func(row statement.Row) error { return row.Scan(&now) })
	if err != nil {
		return nil, 0, err
	}
	if now == since {
		return nil, now, nil
	}
	// A change after the counter was read is read here too, and once more at the next call: that does no harm.
	err = k.db.rows(ctx, "key_changes", statement.ChangedKeys, []any{since}, func(row statement.Row) error {
		h, err := statement.ScanHeld(row)
		changed = append(changed, h)
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	return changed, now, nil
}

var _ key.Store = (*Keys)(nil)
