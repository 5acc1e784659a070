package job

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/limit"
	"github.com/promptd/promptd/internal/pipeline"
)

// The waits before an item is taken again. With five attempts they bridge an outage of some minutes: full jitter over 5 s, 20 s, 80 s, 320 s.
const (
	firstAgain  = 5 * time.Second
	growthAgain = 4
	lastAgain   = 10 * time.Minute
	// briefly is the longest wait for a budget that counts as held by calls under way; a longer one is for the next period.
	briefly = time.Minute
	// mostHeld is the longest wait of an item that a limit holds, whatever the limit says: it may be raised meanwhile.
	mostHeld = 10 * time.Minute
)

// Rules say how an item goes on after a worker has had it. Worker is wanted.
type Rules struct {
	// Worker is the name in an item's history.
	Worker string
	// MostAttempts is how often an item is tried; 0 means 5.
	MostAttempts int
	// Random gives a duration below a bound; nil means chance.
	Random func(bound time.Duration) time.Duration
}

// DefaultAttempts is how often an item is tried where nothing else is said.
const DefaultAttempts = 5

func (r Rules) filled() Rules {
	r.MostAttempts = cmp.Or(r.MostAttempts, DefaultAttempts)
	if r.Random == nil {
		r.Random = func(bound time.Duration) time.Duration { return rand.N(max(1, bound)) } //nolint:gosec // Jitter needs no secrecy.
	}
	return r
}

// verdict says what a fault means for an item.
type verdict uint8

const (
	// final: trying again would give the same.
	final verdict = iota
	// again: it may pass.
	again
	// held: a limit of the key's holds it; nothing was tried.
	held
)

// judge says what a fault means. A fault inside promptd may be the store's: it counts as one that may pass, and no more often than others.
func judge(f *fault.Fault, err error) verdict {
	switch f.Code {
	case fault.ProviderError:
		if refused(err) {
			return final
		}
		return again
	case fault.Overloaded, fault.Timeout, fault.Internal:
		return again
	case fault.RateLimitExceeded:
		if errors.Is(f, limit.ErrCost) {
			return final // No waiting helps.
		}
		return held // The limits are the key's own: a provider's are LLM_PROVIDER_ERROR.
	case fault.BudgetExceeded:
		if !errors.Is(f, limit.ErrCost) && f.RetryAfter > 0 && f.RetryAfter <= briefly {
			return held
		}
	default: // The other codes say what is wrong with the request, the key or the answer.
	}
	return final
}

// refused says that every model that was asked ended with a refusal that no waiting changes: each one's last attempt counts. Candidates that were passed over, since
// they rest or are away, may answer later; and what a batch API refused is still to be sent directly.
func refused(err error) bool {
	var failure *pipeline.Failure
	if !errors.As(err, &failure) || len(failure.Attempts) == 0 || failure.Fault.RetryAfter > 0 {
		return false
	}
	last := map[[2]string]dialect.Outcome{}
	for i := range failure.Attempts {
		a := &failure.Attempts[i]
		last[[2]string{a.Provider, a.Model}] = a.Outcome
		if len(a.Skipped) > 0 || a.Batch {
			return false
		}
	}
	for _, o := range last {
		switch o {
		case dialect.Auth, dialect.BadRequest, dialect.TooLarge, dialect.SchemaRejected, dialect.ContextExceeded:
		default:
			return false
		}
	}
	return true
}

// Of says how an item goes on with its answer, or with the error that stands for one; begun is when the worker took it.
func (r Rules) Of(w *Work, begun time.Time, answer []byte, err error) Finished {
	r = r.filled()
	x := Finished{Lease: w.Lease, State: ItemCompleted, Result: answer}
	if err == nil {
		return x
	}
	now, f := time.Now(), fault.Of(err)
	what := judge(f, err)
	if what == again && w.Item.Attempt-Losses(w.Item.Tries) >= r.MostAttempts || what == held && now.After(w.Job.Deadline) {
		what = final
	}
	if what == final {
		x.State, x.Result = ItemFailed, problem(w, f, err)
		return x
	}
	x.State, x.Result = ItemPending, nil
	x.Again = r.wait(w.Item.Attempt, what, f.RetryAfter)
	if what == held {
		x.Uncounted = true
		return x
	}
	x.Try = &Try{Worker: r.Worker, StartedAt: begun.UTC(), EndedAt: now.UTC(), Code: f.Code.String(), Detail: f.Detail}
	return x
}

// wait is the pause before the next try. What the service or the limit asks for is the least.
func (r Rules) wait(attempt int, what verdict, asked time.Duration) time.Duration {
	if what == held {
		asked = min(max(asked, time.Second), mostHeld)
		return asked + r.Random(asked) // Those that wait for the same limit do not come back together.
	}
	bound := firstAgain
	for range min(attempt, 16) - 1 {
		bound = min(bound*growthAgain, lastAgain)
	}
	return max(min(asked, lastAgain), r.Random(bound))
}

// Released gives an item back as if nobody had taken it: the worker ends.
func (r Rules) Released(w *Work) Finished {
	return Finished{Lease: w.Lease, State: ItemPending, Uncounted: true}
}

// problem is the document of an item that failed.
func problem(w *Work, f *fault.Fault, err error) []byte {
	p := pipeline.Problem{Fault: f, RequestID: string(w.Job.ID)} // Of an item that reached no pipeline, the job's is the id to ask for.
	if errors.As(err, &p.Failure) {
		p.RequestID, p.ClientRequestID = p.Failure.RequestID, p.Failure.ClientRequestID
	}
	return p.Append(nil)
}

// guarded makes an error of a panic: one item must not end the process and all the others.
func guarded(f func() ([]byte, error)) (answer []byte, err error) {
	defer func() {
		if v := recover(); v != nil { // The value may hold anything; its type and the place are enough.
			err = fault.New(fault.Internal, "something failed inside promptd").Because(fmt.Errorf("panic of type %T\n%s", v, debug.Stack()))
		}
	}()
	return f()
}
