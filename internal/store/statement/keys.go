package statement

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
)

const keyColumns = `id, team, name, scopes, prefix, rate_limit_per_hour, tokens_per_minute, max_concurrency, prompt_chars, models,
	budget_nanos, budget_period, created_at, expires_at, revoked_at, last_used_at`

// A change of a key moves the counter and notes its value beside the key, in one transaction.
const (
	MoveKeys   = `UPDATE counters SET value = value + 1 WHERE name = 'key_changes'`
	ReadKeys   = `SELECT value FROM counters WHERE name = 'key_changes'`
	thisChange = `(` + ReadKeys + `)`
)

// The statements of keys.
const (
	InsertKey = `INSERT INTO keys (` + keyColumns + `, hash, change)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, ` + thisChange + `)`
	OneKey    = `SELECT ` + keyColumns + ` FROM keys WHERE id = $1 AND ($2 OR team = $3)`
	SomeKeys  = `SELECT ` + keyColumns + ` FROM keys WHERE team = $1 AND ($2 = '' OR id < $2) ORDER BY id DESC LIMIT $3`
	AllKeys   = `SELECT ` + keyColumns + ` FROM keys WHERE ($1 = '' OR id < $1) ORDER BY id DESC LIMIT $2`
	RotateKey = `UPDATE keys SET previous_hash = CASE WHEN CAST($3 AS bigint) IS NULL THEN NULL ELSE hash END, previous_until = $3, hash = $1, prefix = $2,
	change = ` + thisChange + ` WHERE id = $4`
	RevokeKey   = `UPDATE keys SET revoked_at = $1, change = ` + thisChange + ` WHERE id = $2`
	TouchKey    = `UPDATE keys SET last_used_at = $1 WHERE id = $2 AND (last_used_at IS NULL OR last_used_at < $1)`
	ChangedKeys = `SELECT ` + keyColumns + `, hash, previous_hash, previous_until FROM keys WHERE change > $1`
)

// KeyArgs are the parameters of InsertKey.
func KeyArgs(one key.Key, h key.Hash) ([]any, error) {
	models, err := json.Marshal(append([]string{}, one.Models...))
	if err != nil {
		return nil, fmt.Errorf("write the models of a key: %w", err)
	}
	limit, period := budgetArgs(one.Budget)
	return []any{
		string(one.ID), string(one.Team), one.Name, one.Scopes.String(), one.Prefix, orNull(one.RateLimitPerHour), one.TokensPerMinute,
		one.MaxConcurrency, one.PromptChars, string(models), limit, period, one.CreatedAt.UnixMicro(), Micros(one.ExpiresAt),
		Micros(one.RevokedAt), Micros(one.LastUsedAt), h[:],
	}, nil
}

// budgetArgs writes a budget, or twice null where there is none.
func budgetArgs(b *key.Budget) (limit, period any) {
	if b == nil {
		return nil, nil
	}
	return int64(b.Limit), string(b.Period)
}

// KeyPage gives the statement of a page of keys with its parameters; it asks for one more than the limit, which tells whether another page follows.
func KeyPage(reach key.Reach, limit int, after key.Cursor) (query string, args []any) {
	team, all := reach.Team()
	if all {
		return AllKeys, []any{string(after), limit + 1}
	}
	return SomeKeys, []any{string(team), string(after), limit + 1}
}

// ScanHeld reads a row of ChangedKeys.
func ScanHeld(row Row) (h key.Held, err error) {
	var hash, previous []byte
	var until sql.NullInt64
	if h.Key, err = ScanKey(row, &hash, &previous, &until); err != nil {
		return key.Held{}, err
	}
	h.PreviousUntil = TimeOf(until)
	copy(h.Hash[:], hash)
	copy(h.Previous[:], previous)
	return h, nil
}

// ScanKey reads a key and what follows its columns.
func ScanKey(row Row, more ...any) (one key.Key, err error) {
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
	one.Budget = budgetOf(limit, period)
	one.CreatedAt = time.UnixMicro(created).UTC()
	one.ExpiresAt, one.RevokedAt, one.LastUsedAt = TimeOf(expires), TimeOf(revoked), TimeOf(used)
	return one, nil
}

// budgetOf reads what budgetArgs wrote.
func budgetOf(limit sql.NullInt64, period sql.NullString) *key.Budget {
	if !limit.Valid {
		return nil
	}
	return &key.Budget{Limit: key.Nanos(limit.Int64), Period: key.Period(period.String)}
}

// NoKey is the answer where a key does not exist or lies outside the reach.
func NoKey() error { return fault.New(fault.NotFound, "there is no such key") }

// KeyExists is the answer where an id or a secret is taken.
func KeyExists() error { return fault.New(fault.Conflict, "a key with this id or secret exists") }

// KeyRevoked is the answer where a revoked key should get another secret.
func KeyRevoked(id key.ID) error {
	return fault.New(fault.Conflict, "the key %s was revoked and gets no other secret", id)
}
