package key

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"github.com/promptd/promptd/internal/fault"
)

// The sizes of a page of keys.
const (
	DefaultPage = 50
	MaxPage     = 500
	// maxGrace bounds how long a rotated secret stays valid.
	maxGrace = 30 * 24 * time.Hour
)

// Issuer makes, lists, rotates and revokes keys. It is safe for concurrent use.
type Issuer struct {
	// Store keeps the keys.
	Store Store
	// Changed is called after a change, so that this process's [Verifier] sees it at once; nil where there is none.
	Changed func(context.Context)
	// Now and Random are the clock and the source of secrets; nil means the real ones.
	Now    func() time.Time
	Random io.Reader
}

// Create makes a key and gives its secret, this once. What is empty gets its default: the team, the scopes, the time.
func (s *Issuer) Create(ctx context.Context, k Key) (Key, Secret, error) {
	if k.Team == "" {
		k.Team = DefaultTeam
	}
	if k.Scopes == 0 {
		k.Scopes = UsualScopes
	}
	if err := k.Check(); err != nil {
		return Key{}, Secret{}, err
	}
	k.CreatedAt = s.now()
	if !k.ExpiresAt.IsZero() && !k.ExpiresAt.After(k.CreatedAt) {
		return Key{}, Secret{}, fault.Invalid("/expires_at", "minimum", "the key would expire before it is made", "give a time in the future")
	}
	k.ExpiresAt = storable(k.ExpiresAt)
	k.RevokedAt, k.LastUsedAt = time.Time{}, time.Time{}
	secret, err := newSecret(s.random())
	if err != nil {
		return Key{}, Secret{}, fmt.Errorf("make a secret: %w", err)
	}
	id, err := newID(s.random(), k.CreatedAt)
	if err != nil {
		return Key{}, Secret{}, fmt.Errorf("make a key's id: %w", err)
	}
	k.ID, k.Prefix = id, secret.Prefix()
	if err := s.Store.Create(ctx, k, secret.Hash()); err != nil {
		return Key{}, Secret{}, err
	}
	s.tell(ctx)
	return k, secret, nil
}

// List reads a page of keys, the newest first; limit 0 means the default.
func (s *Issuer) List(ctx context.Context, reach Reach, limit int, after Cursor) ([]Key, Cursor, error) {
	if limit == 0 {
		limit = DefaultPage
	}
	if limit < 1 || limit > MaxPage {
		return nil, "", fault.Invalid("", "range", fmt.Sprintf("limit is 1 to %d", MaxPage), "use the cursor for more")
	}
	return s.Store.List(ctx, reach, limit, after)
}

// Rotate gives a key another secret, shown this once. The one before ends at once, or after the grace.
func (s *Issuer) Rotate(ctx context.Context, reach Reach, id ID, grace time.Duration) (Key, Secret, error) {
	if grace < 0 || grace > maxGrace {
		return Key{}, Secret{}, fault.Invalid("/grace_seconds", "range", "the grace is between none and 30 days", "0 ends the secret before at once")
	}
	secret, err := newSecret(s.random())
	if err != nil {
		return Key{}, Secret{}, fmt.Errorf("make a secret: %w", err)
	}
	r := Rotation{Hash: secret.Hash(), Prefix: secret.Prefix()}
	if grace > 0 {
		r.GraceUntil = s.now().Add(grace)
	}
	k, err := s.Store.Rotate(ctx, reach, id, r)
	if err != nil {
		return Key{}, Secret{}, err
	}
	s.tell(ctx)
	return k, secret, nil
}

// Revoke ends a key for good.
func (s *Issuer) Revoke(ctx context.Context, reach Reach, id ID) (Key, error) {
	k, err := s.Store.Revoke(ctx, reach, id, s.now())
	if err != nil {
		return Key{}, err
	}
	s.tell(ctx)
	return k, nil
}

// tell brings the change to this process's verifier. The change is made whatever comes of it: the verifier's poll sees it too.
func (s *Issuer) tell(ctx context.Context) {
	if s.Changed != nil {
		s.Changed(context.WithoutCancel(ctx))
	}
}

// now gives the time in the precision that every store keeps.
func (s *Issuer) now() time.Time {
	if s.Now != nil {
		return storable(s.Now())
	}
	return storable(time.Now())
}

func storable(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}

func (s *Issuer) random() io.Reader {
	if s.Random != nil {
		return s.Random
	}
	return rand.Reader
}

// newID makes a version 7 UUID of the given time, so that ids sort by creation under an injected clock too.
func newID(random io.Reader, at time.Time) (ID, error) {
	var u [16]byte
	if _, err := io.ReadFull(random, u[:]); err != nil {
		return "", fmt.Errorf("read random bytes: %w", err)
	}
	ms := uint64(at.UnixMilli())
	for i := range 6 {
		u[i] = byte(ms >> (40 - 8*i))
	}
	u[6] = u[6]&0x0f | 0x70
	u[8] = u[8]&0x3f | 0x80
	return ID("key_" + hex.EncodeToString(u[:])), nil
}
