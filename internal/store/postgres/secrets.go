package postgres

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/promptd/promptd/internal/store/statement"
)

const (
	readSecret = `SELECT value FROM secrets WHERE name = $1`
	makeSecret = `INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`
)

// Secret gives the secret of a name, the same to every process; the first that asks makes it of 32 random bytes.
func (db *DB) Secret(ctx context.Context, name string) ([]byte, error) {
	secret, err := db.secret(ctx, name)
	if !errors.Is(err, pgx.ErrNoRows) {
		return secret, err
	}
	made := make([]byte, 32)
	_, _ = rand.Read(made) // It never fails.
	if _, err := db.exec(ctx, "secret_make", makeSecret, name, made); err != nil {
		return nil, err
	}
	return db.secret(ctx, name) // Another process may have been quicker.
}

func (db *DB) secret(ctx context.Context, name string) (value []byte, err error) {
	err = db.row(ctx, "secret_read", readSecret, []any{name}, func(row statement.Row) error { return row.Scan(&value) })
	return value, err
}
