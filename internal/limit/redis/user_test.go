package redis_test

import (
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/limit"
	limits "github.com/promptd/promptd/internal/limit/redis"
	"github.com/promptd/promptd/internal/redis/redistest"
)

// TestAUserOfItsOwnIsEnough holds docs/guide/scaling.md to the permissions that it names.
func TestAUserOfItsOwnIsEnough(t *testing.T) {
	t.Parallel()
	own := redistest.Start(t, strings.Fields("--user limited on >secret ~test:* &test:* +@read +@write +@scripting +@pubsub +@connection +cluster|slots +cluster|shards +time +info")...)
	own.URL = strings.Replace(own.URL, "://", "://limited:secret@", 1)
	l := limits.New(limits.Config{Client: own.Open(t)})
	p := limit.PerHour(10)
	if d, err := l.Allow(t.Context(), "k", 1, p); err != nil || !d.Allowed {
		t.Errorf("Allow = %+v, %v", d, err)
	}
	if err := l.Count(t.Context(), "k", 1, p); err != nil {
		t.Errorf("Count = %v", err)
	}
	if d, err := l.Reserve(t.Context(), "k", 2, p); err != nil || !d.Allowed {
		t.Errorf("Reserve = %+v, %v", d, err)
	}
	if d, err := l.Enter(t.Context(), "k", 2); err != nil || !d.Allowed {
		t.Errorf("Enter = %+v, %v", d, err)
	}
	if n, err := l.Inside(t.Context(), "k"); err != nil || n != 1 {
		t.Errorf("Inside = %d, %v", n, err)
	}
	if err := l.RenewAll(t.Context()); err != nil {
		t.Errorf("renew: %v", err)
	}
	if err := l.Leave(t.Context(), "k"); err != nil {
		t.Errorf("Leave = %v", err)
	}
	if err := l.Settle(t.Context(), "k", 2, 1, p); err != nil {
		t.Errorf("Settle = %v", err)
	}
	if _, _, err := limits.Evicts(t.Context(), own.Open(t)); err != nil {
		t.Errorf("Evicts = %v", err)
	}
}
