package job

import (
	"fmt"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/pipeline"
)

// Losses counts the tries of an item that ended because its worker was not heard of again.
func Losses(tries []Try) (n int) {
	for i := range tries {
		if tries[i].Code == LeaseLost {
			n++
		}
	}
	return n
}

// The waits of an item whose worker was lost, before it is taken again: with each loss the bound is four times as long.
const (
	firstLoss  = 2 * time.Second
	growthLoss = 4
	lastLoss   = 5 * time.Minute
)

// spread draws the wait after so many losses. What a worker held at once must not be taken at once again: one item may have brought it down, and the others would share
// its end each time.
func spread(losses int, random func(bound time.Duration) time.Duration) time.Duration {
	bound := firstLoss
	for range min(losses, 16) - 1 {
		bound = min(bound*growthLoss, lastLoss)
	}
	return random(bound)
}

// Poison is the problem document of an item that was given up because its workers died with it: it must not take one after the other down. The document names the
// job where that of a request names the request.
func Poison(id ID, losses int) []byte {
	f := fault.New(fault.Internal, "the item was given up: its worker was lost %s while it had it", times(losses))
	f.Remediation = "See tries for when; if the workers were stopped for another reason, retry the job."
	return pipeline.Problem{Fault: f, RequestID: string(id)}.Append(nil)
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// Lost is the try of a worker that was not heard of again.
func Lost(worker string, taken, now time.Time) Try {
	return Try{Worker: worker, StartedAt: taken, EndedAt: kept(now), Code: LeaseLost, Detail: "the worker was not heard of again"}
}
