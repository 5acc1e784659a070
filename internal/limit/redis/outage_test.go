package redis_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/limit"
	limits "github.com/promptd/promptd/internal/limit/redis"
	"github.com/promptd/promptd/internal/redis"
	"github.com/promptd/promptd/internal/redis/redistest"
)

// replica is one process's limiter with its own connection.
type replica struct {
	*limit.Shared
	client *redis.Client
}

func replicas(t *testing.T, s redistest.Server, n int) []replica {
	t.Helper()
	list := make([]replica, n)
	for i := range list {
		client := s.OpenWith(t, redis.Options{Timeout: time.Second}) // A machine that is busy with other tests makes no outage.
		list[i] = replica{limit.NewShared(limit.ShareConfig{Ledger: limits.New(limits.Config{Client: client}), Members: func() int { return n }}), client}
	}
	return list
}

// storm asks from many goroutines in every process, and gives how many requests were admitted. Not one is to be an error.
func storm(t *testing.T, all []replica, each int, p limit.Policy) (admitted int64) {
	t.Helper()
	var n atomic.Int64
	var wg sync.WaitGroup
	for _, r := range all {
		for range 16 {
			wg.Go(func() {
				for range each {
					d, err := r.Allow(t.Context(), "requests", 1, p)
					if err != nil {
						t.Errorf("Allow = %v, want no error because of Redis", err)
					} else if d.Allowed {
						n.Add(1)
					}
					place, err := r.Enter(t.Context(), "places", 64)
					if err != nil {
						t.Errorf("Enter = %v, want no error because of Redis", err)
					} else if place.Allowed {
						if err := r.Leave(t.Context(), "places"); err != nil {
							t.Errorf("Leave = %v, want no error because of Redis", err)
						}
					}
				}
			})
		}
	}
	wg.Wait()
	return n.Load()
}

// hear lets every process ask for nothing until it has been answered by Redis.
func hear(t *testing.T, all []replica, p limit.Policy) {
	t.Helper()
	for _, r := range all {
		redistest.Wait(t, "a process counts in Redis", func() bool {
			if _, err := r.Allow(t.Context(), "requests", 0, p); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Enter(t.Context(), "places", 64); err != nil {
				t.Fatal(err)
			}
			if err := r.Leave(t.Context(), "places"); err != nil {
				t.Fatal(err)
			}
			return r.client.Ready() && r.Figures().Keys == 0
		})
	}
}

// TestLimitsGoOnWhileRedisIsAway: no errors, no more than the limit over an outage, and back by itself. A server that comes back empty has forgotten what was counted
// before it went, and that alone.
func TestLimitsGoOnWhileRedisIsAway(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		cut, mend func(*redistest.Process)
		forgets   int64
	}{
		{"paused", (*redistest.Process).Pause, (*redistest.Process).Resume, 0},
		{"killed", (*redistest.Process).Kill, (*redistest.Process).Begin, 512},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			own := redistest.Start(t)
			all := replicas(t, own.Server, 4)
			p := limit.PerHour(1000)
			begun := time.Now()
			before := storm(t, all, 8, p) // 512 requests.
			if before != 512 {
				t.Fatalf("%d of 512 requests were admitted", before)
			}
			hear(t, all, p)
			c.cut(own)
			during := storm(t, all, 20, p)
			c.mend(own)
			hear(t, all, p)
			after := storm(t, all, 20, p)
			hear(t, all, p)

			came := int64(time.Since(begun)) * 1000 / int64(time.Hour)
			t.Logf("%d admitted before, %d during, %d after the outage; %d came back", before, during, after, came)
			if during == 0 || before+during > 1000+came {
				t.Errorf("%d and %d were admitted before and during the outage, want some and at most %d in all", before, during, 1000+came)
			}
			if sum := before + during + after; sum > 1000+c.forgets+came+4 { // A fraction is told as a whole, by each.
				t.Errorf("%d were admitted in all, want at most %d", sum, 1000+c.forgets+came+4)
			}
			if n, err := all[0].Inside(t.Context(), "places"); n != 0 || err != nil {
				t.Errorf("Inside at the end = %d, %v, want nobody", n, err)
			}
		})
	}
}
