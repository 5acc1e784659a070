package relay

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/pipeline"
	"github.com/promptd/promptd/internal/usage"
)

// mostRecording bounds the wait for room in the history.
const mostRecording = 10 * time.Second

// record hands the request to the history, off the request's path.
func (r *Relay) record(ctx context.Context, x *exchange, a *Answer, err error) error {
	u, cost := pipeline.Total(x.attempts)
	rec := usage.Record{
		RequestID: x.id, ClientRequestID: x.Prompt.ClientRequestID, Team: x.who.Team, Key: x.who.Key, Time: x.started, Status: http.StatusOK,
		Private: x.Prompt.Options.RedactLogs || !r.deps.Settings().StorePrompts,
		Tokens:  usage.Tokens{Input: int64(u.Input), Output: int64(u.Output), CachedInput: int64(u.CachedInput)},
		Cost:    usage.Cost{Nanos: key.Nanos(cost.Nano), Known: cost.Known},
	}
	rec.Processing = time.Since(x.started)
	rec.Overhead = max(0, rec.Processing-x.asked)
	if n := len(x.attempts); n > 0 {
		rec.Provider, rec.Model = x.attempts[n-1].Provider, x.attempts[n-1].Model
		rec.Attempts = pipeline.AppendAttempts(nil, x.attempts)
		rec.Spent = pipeline.Spent(x.attempts)
	}
	var failure *pipeline.Failure
	switch {
	case errors.As(err, &failure):
		rec.Status, rec.Code = failure.Fault.Code.Status(), failure.Fault.Code.String()
	case a != nil && a.Status != http.StatusOK:
		rec.Status, rec.Code = a.Status, fault.InvalidRequest.String()
	}
	if !rec.Private {
		rec.Prompt, rec.Answer = x.said, x.reply.Text
	}
	// Back-pressure is better than loss, but nobody waits for a store that has stopped.
	ctx, cancel := context.WithTimeout(ctx, mostRecording)
	defer cancel()
	if err := r.deps.History.Add(ctx, rec); err != nil {
		return fault.New(fault.Overloaded, "the request history can't be written now").Because(err)
	}
	return nil
}

var _ pipeline.History = (*usage.Log)(nil)
