package job_test

import (
	"testing"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/job"
)

// Times that a worker was lost are no tries of the item's own: it is tried as often as others.
func TestLossesAreNoTries(t *testing.T) {
	t.Parallel()
	rules, away := job.Rules{Worker: "w", MostAttempts: 3}, fault.New(fault.Overloaded, "too much is under way")
	lost := job.Lost("w", time.Now(), time.Now())
	for _, c := range []struct {
		attempt int
		tries   []job.Try
		want    job.ItemState
	}{
		{2, nil, job.ItemPending},
		{3, nil, job.ItemFailed},
		{4, []job.Try{lost, lost}, job.ItemPending},
		{5, []job.Try{lost, lost}, job.ItemFailed},
	} {
		w := &job.Work{Item: job.Item{Attempt: c.attempt, Tries: c.tries}}
		if got := rules.Of(w, time.Now(), nil, away).State; got != c.want {
			t.Errorf("attempt %d after %d losses: %s, want %s", c.attempt, len(c.tries), got, c.want)
		}
	}
}
