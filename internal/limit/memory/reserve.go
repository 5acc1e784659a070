package memory

import (
	"context"
	"fmt"

	"github.com/promptd/promptd/internal/limit"
)

// Reserve decides on a cost that is known afterwards alone; see limit.Limiter.
func (l *Limiter) Reserve(ctx context.Context, key string, cost int, p limit.Policy) (limit.Decision, error) {
	if err := ctx.Err(); err != nil {
		return limit.Decision{}, err
	}
	if err := limit.Check(cost, p); err != nil {
		return limit.Decision{}, err
	}
	now := l.now()
	s := l.of(key)
	s.mu.Lock()
	tab, seen := s.tabs[key]
	next, d := tab.Reserve(now, cost, p)
	if d.Allowed && cost > 0 {
		if !seen {
			s.grow(now)
		}
		s.tabs[key] = next
	}
	s.mu.Unlock()
	if cost > p.Limit {
		return d, limit.TooCostly(cost, p)
	}
	return d, nil
}

// Settle ends a reservation; see limit.Limiter.
func (l *Limiter) Settle(_ context.Context, key string, reserved, used int, p limit.Policy) error {
	if err := limit.Check(min(reserved, used), p); err != nil {
		return err
	}
	now := l.now()
	s := l.of(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if next := s.tabs[key].Settle(now, reserved, used, p); next.Idle(now) {
		delete(s.tabs, key)
	} else {
		s.tabs[key] = next
	}
	return nil
}

// Enter lets one more in; see limit.Limiter.
func (l *Limiter) Enter(ctx context.Context, key string, most int) (limit.Decision, error) {
	if err := ctx.Err(); err != nil {
		return limit.Decision{}, err
	}
	if most < 1 {
		return limit.Decision{}, fmt.Errorf("concurrency limit of %d for a key: it must be positive", most)
	}
	s := l.of(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	d := limit.Crowded(s.inside[key], most)
	if d.Allowed {
		s.inside[key]++
	}
	return d, nil
}

// Leave gives a place back; see limit.Limiter.
func (l *Limiter) Leave(_ context.Context, key string) error {
	s := l.of(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch n := s.inside[key]; n {
	case 0:
		return fmt.Errorf("leave %s: nobody is inside", key)
	case 1:
		delete(s.inside, key)
	default:
		s.inside[key] = n - 1
	}
	return nil
}

// Inside counts those who have entered; see limit.Limiter.
func (l *Limiter) Inside(ctx context.Context, key string) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s := l.of(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inside[key], nil
}
