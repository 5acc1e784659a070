package sqlite_test

import (
	"context"
	"sync"
	"testing"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/limit"
	"github.com/promptd/promptd/internal/store/sqlite"
)

// BenchmarkBudget measures a reservation with its settlement, for a key and its team, beside the bookings that Run writes: what a call of a caller with a
// budget costs; and a draw on the store alone, which happens once in a block.
func BenchmarkBudget(b *testing.B) {
	mine := limit.Bill{Payer: limit.KeyPayer("key_1", "acme"), Budget: key.Budget{Limit: 1e18, Period: key.Monthly}}
	team := limit.Bill{Payer: limit.TeamPayer("acme"), Budget: key.Budget{Limit: 1e18, Period: key.Daily}}
	for name, cost := range map[string]key.Nanos{"free": 0, "booked": 1000} {
		b.Run(name, func(b *testing.B) {
			db := open(b, sqlite.Options{Dir: b.TempDir()})
			budgets := limit.NewBudgets(limit.BudgetsConfig{Store: db.Budgets(), Holder: "bench", OnError: func(err error) { b.Error(err) }})
			ctx, cancel := context.WithCancel(context.Background())
			var done sync.WaitGroup
			done.Go(func() {
				if err := budgets.Run(ctx); err != nil {
					b.Error(err)
				}
			})
			b.ReportAllocs()
			for b.Loop() {
				h, err := budgets.Reserve(ctx, 5000, mine, team)
				if err != nil {
					b.Fatal(err)
				}
				h.Settle(cost)
			}
			b.StopTimer()
			cancel()
			done.Wait()
		})
	}
	b.Run("draw", func(b *testing.B) {
		db := open(b, sqlite.Options{Dir: b.TempDir()})
		d := limit.Draw{Payer: mine.Payer, Period: "2026-11", Holder: "bench", Limit: 1e18}
		for b.Loop() {
			d.Spent += 1000
			if _, err := db.Budgets().Draw(b.Context(), limit.DefaultLease, []limit.Draw{d}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
