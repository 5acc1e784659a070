package redis_test

import (
	"testing"

	"github.com/promptd/promptd/internal/limit"
	limits "github.com/promptd/promptd/internal/limit/redis"
	"github.com/promptd/promptd/internal/redis"
	"github.com/promptd/promptd/internal/redis/redistest"
)

// BenchmarkDecision is a decision over one connection, by one caller and by many; away is what one costs while Redis is away.
func BenchmarkDecision(b *testing.B) {
	p := limit.PerHour(1_000_000_000)
	client := redistest.One(b).Open(b)
	l := limits.New(limits.Config{Client: client})
	shared := limit.NewShared(limit.ShareConfig{Ledger: l})
	allow := func(b *testing.B, l limit.Limiter) {
		b.Helper()
		if d, err := l.Allow(b.Context(), "requests", 1, p); err != nil || !d.Allowed {
			b.Error(d, err)
		}
	}
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			allow(b, l)
		}
	})
	b.Run("many", func(b *testing.B) {
		b.ReportAllocs()
		b.SetParallelism(64)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				allow(b, l)
			}
		})
	})
	b.Run("reserve and settle", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if d, err := l.Reserve(b.Context(), "tokens", 100, p); err != nil || !d.Allowed {
				b.Fatal(d, err)
			}
			if err := l.Settle(b.Context(), "tokens", 100, 60, p); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("shared", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			allow(b, shared)
		}
	})
	b.Run("away", func(b *testing.B) {
		own := redistest.Start(b)
		gone := own.OpenWith(b, redis.Options{})
		own.Kill()
		redistest.Wait(b, "redis is away", func() bool { return !gone.Ready() })
		alone := limit.NewShared(limit.ShareConfig{Ledger: limits.New(limits.Config{Client: gone})})
		b.ReportAllocs()
		for b.Loop() {
			allow(b, alone)
		}
	})
}
