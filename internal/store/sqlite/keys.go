package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
)

// Keys keeps API keys in promptd.db.
type Keys struct{ file *file }

const keyColumns = `id, team, name, scopes, prefix, rate_limit_per_hour, tokens_per_minute, max_concurrency, prompt_chars, models,
	budget_nanos, budget_period, created_at, expires_at, revoked_at, last_used_at`

// A change of a key moves the counter and notes its value beside the key, in one transaction.
const (
	moveCounter = `UPDATE counters SET value = value + 1 WHERE name = 'key_changes'`
	readCounter = `SELECT value FROM counters WHERE name = 'key_changes'`
	thisChange  = `(` + readCounter + `)`
)

const insertKey = `INSERT INTO keys (` + keyColumns + `, hash, change)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, ` + thisChange + `)`

// Create keeps a new key.
func (k *Keys) Create(ctx context.Context, one key.Key, h key.Hash) error {
	models, err := json.Marshal(append([]string{}, one.Models...))
	if err != nil {
		return fmt.Errorf("write the models of a key: %w", err)
	}
	var limit, period any
	if one.Budget != nil {
		limit, period = int64(one.Budget.Limit), string(one.Budget.Period)
	}
	args := []any{
		string(one.ID), string(one.Team), one.Name, one.Scopes.String(), one.Prefix, orNull(one.RateLimitPerHour), one.TokensPerMinute,
		one.MaxConcurrency, one.PromptChars, string(models), limit, period, one.CreatedAt.UnixMicro(), micros(one.ExpiresAt),
		micros(one.RevokedAt), micros(one.LastUsedAt), h[:],
	}
	return k.file.tx(ctx, "key_create", func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, moveCounter); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, insertKey, args...)
		if isConflict(err) {
			return fault.New(fault.Conflict, "a key with this id or secret exists")
		}
		return err
	})
}

const oneKey = `SELECT ` + keyColumns + ` FROM keys WHERE id = $1 AND ($2 OR team = $3)`

// Key reads one.
func (k *Keys) Key(ctx context.Context, reach key.Reach, id key.ID) (key.Key, error) {
	team, all := reach.Team()
	one, err := scanKey(k.file.read.QueryRowContext(ctx, oneKey, string(id), all, string(team)))
	if errors.Is(err, sql.ErrNoRows) {
		return key.Key{}, noKey()
	}
	if err != nil {
		return key.Key{}, explain("read a key", err)
	}
	return one, nil
}

func noKey() error { return fault.New(fault.NotFound, "there is no such key") }

const (
	someKeys = `SELECT ` + keyColumns + ` FROM keys WHERE team = $1 AND ($2 = '' OR id < $2) ORDER BY id DESC LIMIT $3`
	allKeys  = `SELECT ` + keyColumns + ` FROM keys WHERE ($2 = '' OR id < $2) ORDER BY id DESC LIMIT $3`
)

// List reads a page, the newest first. One more row than wanted tells whether another page follows.
func (k *Keys) List(ctx context.Context, reach key.Reach, limit int, after key.Cursor) (list []key.Key, next key.Cursor, err error) {
	team, all := reach.Team()
	query := someKeys
	if all {
		query = allKeys
	}
	list = make([]key.Key, 0, min(limit, key.MaxPage))
	err = k.file.rows(ctx, "key_list", query, []any{string(team), string(after), limit + 1}, func(rows *sql.Rows) error {
		one, err := scanKey(rows)
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

const rotateKey = `UPDATE keys SET previous_hash = CASE WHEN $3 IS NULL THEN NULL ELSE hash END, previous_until = $3, hash = $1, prefix = $2,
	change = ` + thisChange + ` WHERE id = $4`

// Rotate gives a key another secret.
func (k *Keys) Rotate(ctx context.Context, reach key.Reach, id key.ID, r key.Rotation) (key.Key, error) {
	return k.change(ctx, "key_rotate", reach, id, func(ctx context.Context, tx *sql.Tx, one key.Key) error {
		if !one.RevokedAt.IsZero() {
			return fault.New(fault.Conflict, "the key %s was revoked and gets no other secret", id)
		}
		_, err := tx.ExecContext(ctx, rotateKey, r.Hash[:], r.Prefix, micros(r.GraceUntil), string(id))
		return err
	})
}

const revokeKey = `UPDATE keys SET revoked_at = $1, change = ` + thisChange + ` WHERE id = $2`

// Revoke ends a key.
func (k *Keys) Revoke(ctx context.Context, reach key.Reach, id key.ID, at time.Time) (key.Key, error) {
	return k.change(ctx, "key_revoke", reach, id, func(ctx context.Context, tx *sql.Tx, one key.Key) error {
		if !one.RevokedAt.IsZero() {
			return nil
		}
		_, err := tx.ExecContext(ctx, revokeKey, at.UnixMicro(), string(id))
		return err
	})
}

// change reads a key, changes it and reads it again, with the counter moved.
func (k *Keys) change(ctx context.Context, name string, reach key.Reach, id key.ID, do func(context.Context, *sql.Tx, key.Key) error) (one key.Key, err error) {
	team, all := reach.Team()
	err = k.file.tx(ctx, name, func(ctx context.Context, tx *sql.Tx) error {
		read := func() (key.Key, error) {
			return scanKey(tx.QueryRowContext(ctx, oneKey, string(id), all, string(team)))
		}
		before, err := read()
		if errors.Is(err, sql.ErrNoRows) {
			return noKey()
		}
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, moveCounter); err != nil {
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

const touchKey = `UPDATE keys SET last_used_at = $1 WHERE id = $2 AND (last_used_at IS NULL OR last_used_at < $1)`

// Touch notes when keys were used.
func (k *Keys) Touch(ctx context.Context, uses []key.Use) error {
	return k.file.tx(ctx, "key_touch", func(ctx context.Context, tx *sql.Tx) error {
		for _, u := range uses {
			if _, err := tx.ExecContext(ctx, touchKey, u.At.UnixMicro(), string(u.ID)); err != nil {
				return err
			}
		}
		return nil
	})
}

const changedKeys = `SELECT ` + keyColumns + `, hash, previous_hash, previous_until FROM keys WHERE change > $1`

// Changes reads what changed. The counter is read first and alone, because it mostly has not moved.
func (k *Keys) Changes(ctx context.Context, since int64) (changed []key.Held, now int64, err error) {
	if err := k.file.read.QueryRowContext(ctx, readCounter).Scan(&now); err != nil {
		return nil, 0, explain("read the counter of key changes", err)
	}
	if now == since {
		return nil, now, nil
	}
	// A change after the counter was read is read here too, and once more at the next call: that does no harm.
	err = k.file.rows(ctx, "key_changes", changedKeys, []any{since}, func(rows *sql.Rows) error {
		var h key.Held
		var hash, previous []byte
		var until sql.NullInt64
		one, err := scanKey(rows, &hash, &previous, &until)
		h.Key, h.PreviousUntil = one, timeOf(until)
		copy(h.Hash[:], hash)
		copy(h.Previous[:], previous)
		changed = append(changed, h)
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	return changed, now, nil
}

// scanner is a row of either kind.
type scanner interface{ Scan(dest ...any) error }

// scanKey reads keyColumns and what follows them.
func scanKey(row scanner, more ...any) (one key.Key, err error) {
	var scopes, models string
	var rate, limit sql.NullInt64
	var period sql.NullString
	var created int64
	var expires, revoked, used sql.NullInt64
	dest := append([]any{
		&one.ID, &one.Team, &one.Name, &scopes, &one.Prefix, &rate, &one.TokensPerMinute, &one.MaxConcurrency, &one.PromptChars, &models,
		&limit, &period, &created, &expires, &revoked, &used,
	}, more...)
	if err := row.Scan(dest...); err != nil {
		return key.Key{}, err
	}
	if one.Scopes, err = key.ParseScopes(strings.Split(scopes, ",")); err != nil {
		return key.Key{}, fmt.Errorf("read the scopes of %s: %w", one.ID, err)
	}
	if err := json.Unmarshal([]byte(models), &one.Models); err != nil {
		return key.Key{}, fmt.Errorf("read the models of %s: %w", one.ID, err)
	}
	if rate.Valid {
		n := int(rate.Int64)
		one.RateLimitPerHour = &n
	}
	if limit.Valid {
		one.Budget = &key.Budget{Limit: key.Nanos(limit.Int64), Period: key.Period(period.String)}
	}
	one.CreatedAt = time.UnixMicro(created).UTC()
	one.ExpiresAt, one.RevokedAt, one.LastUsedAt = timeOf(expires), timeOf(revoked), timeOf(used)
	return one, nil
}

// micros writes a time, or null where it is zero.
func micros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// timeOf reads what micros wrote.
func timeOf(n sql.NullInt64) time.Time {
	if !n.Valid {
		return time.Time{}
	}
	return time.UnixMicro(n.Int64).UTC()
}

func orNull(n *int) any {
	if n == nil {
		return nil
	}
	return *n
}

var _ key.Store = (*Keys)(nil)
