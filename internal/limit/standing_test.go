package limit_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/limit"
)

// slowBook is a budget's book whose answers to draws take a second on their way.
type slowBook struct {
	limit.BudgetStore
	spent key.Nanos
}

func (s *slowBook) Draw(_ context.Context, _ time.Duration, draws []limit.Draw) ([]limit.Drawn, error) {
	out := make([]limit.Drawn, len(draws))
	for i, d := range draws {
		s.spent = d.Spent
		out[i] = limit.Drawn{Granted: d.Want, Balance: limit.Balance{Spent: s.spent, Reserved: d.Keep + d.Want}}
	}
	time.Sleep(time.Second)
	return out, nil
}

func (s *slowBook) Balance(context.Context, limit.Payer, string) (limit.Balance, error) {
	return limit.Balance{Spent: s.spent}, nil
}

func (s *slowBook) Forget(context.Context, time.Time) error { return nil }

// What is being booked while somebody asks is neither missing in the answer nor in it twice.
func TestWhatIsBookedMeanwhileCountsOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := limit.NewBudgets(limit.BudgetsConfig{Store: &slowBook{}, Holder: "test"})
		bill := limit.Bill{Payer: limit.Payer{Kind: "key", ID: "k"}, Budget: key.Budget{Limit: 1000, Period: key.Daily}}
		held, err := b.Reserve(t.Context(), 100, bill)
		if err != nil {
			t.Fatal(err)
		}
		held.Settle(70)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- b.Run(ctx) }()
		for range 30 {
			s, err := b.Standing(t.Context(), bill)
			if err != nil || s.Spent != 70 {
				t.Fatalf("got %d spent, %v, want 70", s.Spent, err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
