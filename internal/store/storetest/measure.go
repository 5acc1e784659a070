package storetest

import (
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/idempotency"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/limit"
	"github.com/promptd/promptd/internal/usage"
)

// Measure runs the benchmarks that every engine has, so that they can be read side by side.
func Measure(b *testing.B, open Open) {
	b.Helper()
	for _, m := range []struct {
		name string
		run  func(b *testing.B, s Stores)
	}{
		{"key", measureKey},
		{"key changes", measureChanges},
		{"claim and finish", measureClaim},
		{"claim and finish, 16 at once", measureClaims},
		{"draw", measureDraw},
		{"history of 128", measureHistory},
	} {
		b.Run(m.name, func(b *testing.B) { m.run(b, open(b, time.Now)) })
	}
}

// measureKey looks one key up. The verifier does it never: it has them all in memory.
func measureKey(b *testing.B, s Stores) {
	one, hash := sampleKey(1, "acme")
	if err := s.Keys.Create(b.Context(), one, hash); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Keys.Key(b.Context(), key.OfTeam("acme"), one.ID); err != nil {
			b.Fatal(err)
		}
	}
}

// measureChanges asks whether a key has changed, as each process does twice a second.
func measureChanges(b *testing.B, s Stores) {
	_, now, err := s.Keys.Changes(b.Context(), -1)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := s.Keys.Changes(b.Context(), now); err != nil {
			b.Fatal(err)
		}
	}
}

func claimAndFinish(b *testing.B, s Stores, n int64) {
	name := idempotency.Name{Team: "acme", Key: strconv.FormatInt(n, 10)}
	if _, err := s.Idempotency.Claim(b.Context(), name, idempotency.Body{1}, "bench", lease, keep); err != nil {
		b.Error(err)
		return
	}
	if err := s.Idempotency.Finish(b.Context(), name, "bench", sampleAnswer(`{"a":1}`)); err != nil {
		b.Error(err)
	}
}

func measureClaim(b *testing.B, s Stores) {
	b.ReportAllocs()
	for n := int64(0); b.Loop(); n++ {
		claimAndFinish(b, s, n)
	}
}

func measureClaims(b *testing.B, s Stores) {
	var n atomic.Int64
	b.SetParallelism(8)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			claimAndFinish(b, s, n.Add(1))
		}
	})
}

// measureDraw draws on a budget, as a process does once in a block of calls.
func measureDraw(b *testing.B, s Stores) {
	d := limit.Draw{Payer: limit.KeyPayer("key_1", "acme"), Period: "2026-11", Holder: "bench", Limit: 1e18}
	b.ReportAllocs()
	for b.Loop() {
		d.Spent += 1000
		if _, err := s.Budgets.Draw(b.Context(), limit.DefaultLease, []limit.Draw{d}); err != nil {
			b.Fatal(err)
		}
	}
}

// measureHistory writes batches; it reports the time of one record too.
func measureHistory(b *testing.B, s Stores) {
	const size = 128
	batch := make([]usage.Record, size)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		for i := range batch {
			batch[i] = sampleRecord(n*size+i, "acme")
			batch[i].RequestID = fmt.Sprintf("019ac6f2-0000-7000-8000-%012d", n*size+i)
			batch[i].Time = start()
		}
		if err := s.History.Append(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*size), "ns/record")
}
