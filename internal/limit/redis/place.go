package redis

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/rueidis"

	"github.com/promptd/promptd/internal/limit"
)

func (l *Limiter) placesKey(key string) string { return l.cfg.Client.Key(key, "inside") }

// Enter lets one more in; see limit.Limiter.
func (l *Limiter) Enter(ctx context.Context, key string, most int) (limit.Decision, error) {
	if err := ctx.Err(); err != nil {
		return limit.Decision{}, err
	}
	if most < 1 {
		return limit.Decision{}, fmt.Errorf("concurrency limit of %d for a key: it must be positive", most)
	}
	token, given := l.name(), l.places.given(key)
	now, nanos := l.clock()
	args := append([]string{now, nanos, token, strconv.Itoa(most), l.lease()}, given...)
	inside, err := l.cfg.Client.Run(ctx, l.script.enter, []string{l.placesKey(key)}, args).AsInt64()
	if err != nil {
		l.places.doubt(key, token) // It may be inside there.
		l.places.untold(key, given)
		return limit.Decision{}, err
	}
	d := limit.Crowded(int(inside), most)
	if d.Allowed {
		l.places.take(key, token, 1)
	}
	return d, nil
}

// Leave gives a place back; see limit.Limiter.
func (l *Limiter) Leave(ctx context.Context, key string) error {
	token := l.places.end(key, 1)
	if token == "" {
		return fmt.Errorf("leave %s: nobody is inside", key)
	}
	ctx, cancel := lasting(ctx)
	defer cancel()
	err := l.cfg.Client.Do(ctx, func(b rueidis.Builder) rueidis.Completed {
		return b.Zrem().Key(l.placesKey(key)).Member(token).Build()
	}).Error()
	if err != nil {
		l.places.doubt(key, token)
	}
	return err
}

// Inside counts those who have entered; see limit.Limiter.
func (l *Limiter) Inside(ctx context.Context, key string) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	now, nanos := l.clock()
	n, err := l.cfg.Client.Run(ctx, l.script.inside, []string{l.placesKey(key)}, []string{now, nanos}).AsInt64()
	return int(n), err
}
