package pipeline

import (
	"context"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/repair"
)

// parse reads the model's text as JSON, repairing what can be repaired. An answer that is not finished is said to be so and never goes on.
type parse struct{ meter Meter }

func (s parse) do(_ context.Context, r replied) (parsed, error) {
	read, err := repair.Read(r.reply.Text, repair.Hints{Schema: r.plan.shape})
	if err != nil {
		return parsed{}, err
	}
	for _, put := range read.Repairs {
		s.meter.Repaired(string(put.Kind))
	}
	if r.reply.Stop != dialect.StopComplete && r.reply.Stop != dialect.StopTool {
		// Only an end that is known to be a complete one is: behind "error", a pause or a reason that nobody has heard of, more may have been to come.
		read.Unfinished = true
	}
	return parsed{r, read}, nil
}
