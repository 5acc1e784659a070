// Package cache keeps validated answers for a time, so that the same request need not be answered twice, and lets identical
// requests that are in flight share one call.
//
// It is not a general key-value store and holds no truth: everything in it can be made again, any entry may vanish at any time,
// and the service goes on without it. It does not judge what it keeps: only complete, passed answers are handed to it, and a hit
// is judged again by the schema package before it is served.
//
// The main type is [Tier], one place where answers are kept; cache/memory is the tier inside the process. A [Key] is the SHA-256
// of the canonical request and carries the team, so that no team can read another's answer. A [Tag] names what an answer was made
// from (a schema, a template) and carries the team too, so that no team can drop another's. A [Group] coalesces identical
// requests: the shared call runs under a context of its own, which ends only when its last waiter has gone.
//
// Locks: a Group holds one mutex, and no lock of this package is held while other code runs.
package cache

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// The bounds of a time to live (options.cache_ttl).
const (
	MinTTL = 60 * time.Second
	MaxTTL = 24 * time.Hour
)

// ErrMiss says that a tier has nothing under the key: never stored, expired, evicted or dropped.
var ErrMiss = errors.New("cache: miss")

// ErrTooLarge says that a value is too large for the tier. Nothing was stored, and what was stored under the key before is gone.
var ErrTooLarge = errors.New("cache: value too large for the tier")

// Tier is one place where answers are kept. All methods may be called at the same time from many goroutines.
//
// A tier copies: neither the bytes given to Put nor those returned by Get are shared with it, so callers may change them.
// A write is visible to the next Get of the same process at once. A cancelled context gives its error and changes nothing.
// An error other than ErrMiss means that the tier is in trouble; callers then go on as after a miss.
type Tier interface {
	// Get returns what is stored under the key, or ErrMiss.
	Get(ctx context.Context, k Key) ([]byte, error)
	// Put stores a value for ttl, which lies within MinTTL and MaxTTL, in place of any earlier value and its tags.
	// Every tag is of the key's team. The tags KeyTag(k) and AllTag(k.Team()) hold without being given.
	Put(ctx context.Context, k Key, v []byte, ttl time.Duration, tags ...Tag) error
	// Drop removes every entry that carries at least one of the tags, and returns how many there were. An entry stored
	// before Drop was called is gone when it returns.
	Drop(ctx context.Context, tags ...Tag) (int, error)
}

// CheckPut says whether a tier may store an entry: the ttl is within bounds and every tag is of the key's team. Tiers call it
// first, so that the rule is the same in each.
func CheckPut(k Key, ttl time.Duration, tags []Tag) error {
	if k.IsZero() {
		return errors.New("cache: put under the zero key")
	}
	if ttl < MinTTL || ttl > MaxTTL {
		return fmt.Errorf("cache: ttl %s is outside %s to %s", ttl, MinTTL, MaxTTL)
	}
	for _, t := range tags {
		if t.team != k.team {
			return errors.New("cache: a tag is of another team than its key")
		}
	}
	return nil
}
