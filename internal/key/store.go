package key

import (
	"context"
	"time"
)

// Store keeps keys. All methods can be called concurrently, end early with the context's error when it is cancelled and then
// have changed nothing, and read nothing outside the [Reach]. What lies outside of it is NOT_FOUND, as if it did not exist.
// A method that changes what a [Verifier] would answer moves the change counter in the same transaction.
type Store interface {
	// Create keeps a new key with the hash of its secret.
	Create(ctx context.Context, k Key, h Hash) error
	// Key reads one.
	Key(ctx context.Context, reach Reach, id ID) (Key, error)
	// List reads keys, the newest first, revoked ones too. An empty cursor begins; an empty next one ends.
	List(ctx context.Context, reach Reach, limit int, after Cursor) (keys []Key, next Cursor, err error)
	// Rotate gives the key another secret; the one before stays valid until the grace ends. A revoked key is a CONFLICT.
	Rotate(ctx context.Context, reach Reach, id ID, r Rotation) (Key, error)
	// Revoke ends a key. A second time changes nothing and keeps the first time.
	Revoke(ctx context.Context, reach Reach, id ID, at time.Time) (Key, error)
	// Touch notes when keys were last used; an earlier time than the one kept is ignored. It does not move the counter.
	Touch(ctx context.Context, uses []Use) error
	// Changes gives the keys that changed after the counter had the value since, and the counter's value now. Below zero gives all.
	Changes(ctx context.Context, since int64) (changed []Held, now int64, err error)
}

// Cursor is a place in a list of keys: the id of the last one seen.
type Cursor string

// Rotation is another secret for a key.
type Rotation struct {
	Hash   Hash
	Prefix string
	// GraceUntil is how long the secret before stays valid; zero ends it at once.
	GraceUntil time.Time
}

// Use says when a key was used.
type Use struct {
	ID ID
	At time.Time
}

// Held is a key with the hashes that open it.
type Held struct {
	Key
	Hash Hash
	// Previous is the hash before the last rotation, valid until PreviousUntil; a zero time means that there is none.
	Previous      Hash
	PreviousUntil time.Time
}
