package job

import (
	"fmt"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/pipeline"
)

// Poison is the problem document of an item that was given up because its workers died with it: it must not take one after the other down. The document names the
// job where that of a request names the request.
func Poison(id ID, taken int) []byte {
	f := fault.New(fault.Internal, "the item was given up: its worker was lost %s while it had it", times(taken))
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
