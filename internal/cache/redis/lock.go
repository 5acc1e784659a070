package redis

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/promptd/promptd/internal/cache"
	"github.com/promptd/promptd/internal/redis"
)

// known is how long the ending of a lead stays known.
const known = time.Minute

//go:embed take.lua
var takeText string

//go:embed hold.lua
var holdText string

// Lock says which process makes the answer of a key. A lead is a key of the server that expires: the leader's token behind a mark, which says whether the
// lead goes on or how it ended.
type Lock struct {
	client     *redis.Client
	take, hold *redis.Script
}

// The marks before a leader's token. The scripts know the first one too.
const (
	markLeads   = '='
	markStored  = '+'
	markWithout = '-'
)

// NewLock makes a lock on a client.
func NewLock(client *redis.Client) *Lock {
	return &Lock{client: client, take: redis.NewScript(takeText), hold: redis.NewScript(holdText)}
}

func (l *Lock) key(k cache.Key) string { return l.client.Key(k.Team(), "turn1", k.String()) }

// Take makes the token the leader of a key where nobody is, and gives the leader's token.
func (l *Lock) Take(ctx context.Context, k cache.Key, token string, lease time.Duration) (string, error) {
	leader, err := l.client.Run(ctx, l.take, []string{l.key(k)}, []string{token, milliseconds(lease)}).ToString()
	if err != nil {
		return "", fmt.Errorf("take the lead: %w", err)
	}
	return leader, nil
}

// Renew prolongs a lead, and says whether it is still held.
func (l *Lock) Renew(ctx context.Context, k cache.Key, token string, lease time.Duration) (bool, error) {
	return l.write(ctx, k, token, markLeads, lease)
}

// End ends a lead and says how.
func (l *Lock) End(ctx context.Context, k cache.Key, token string, how cache.Ending) error {
	if err := cache.CheckEnding(how); err != nil {
		return err
	}
	mark := byte(markWithout)
	if how == cache.Stored {
		mark = markStored
	}
	_, err := l.write(ctx, k, token, mark, known)
	return err
}

// write writes what is known of a lead that is held, and says whether it is.
func (l *Lock) write(ctx context.Context, k cache.Key, token string, mark byte, d time.Duration) (bool, error) {
	held, err := l.client.Run(ctx, l.hold, []string{l.key(k)}, []string{token, string(mark), milliseconds(d)}).AsInt64()
	if err != nil {
		return false, fmt.Errorf("hold the lead: %w", err)
	}
	return held == 1, nil
}

// Look says how a lead stands.
func (l *Lock) Look(ctx context.Context, k cache.Key, leader string) (cache.Ending, error) {
	text, err := l.client.Do(ctx, func(b rueidis.Builder) rueidis.Completed { return b.Get().Key(l.key(k)).Build() }).ToString()
	if err != nil && !rueidis.IsRedisNil(err) {
		return cache.Lost, fmt.Errorf("look after the lead: %w", err)
	}
	if text == "" || text[1:] != leader {
		return cache.Lost, nil
	}
	switch text[0] {
	case markLeads:
		return cache.Leads, nil
	case markStored:
		return cache.Stored, nil
	case markWithout:
		return cache.Without, nil
	}
	return cache.Lost, nil
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

var _ cache.Lock = (*Lock)(nil)
