package pipeline

import (
	"context"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/usage"
)

// outcome is a request at its end: an answer or a failure.
type outcome struct {
	*exchange
	answer  *Answer
	failure *Failure
}

// record hands the request to the history, off the request's path.
type record struct {
	history  History
	settings func() Settings
}

func (s record) do(ctx context.Context, o outcome) (struct{}, error) {
	r := usage.Record{
		RequestID: o.id, ClientRequestID: o.prompt.ClientRequestID, Team: o.who.Team, Key: o.who.Key, Time: o.started,
		Private: o.prompt.Options.RedactLogs || !s.settings().StorePrompts, Schema: o.reference,
	}
	if o.schema != nil {
		hash := o.schema.Hash()
		r.SchemaHash = hex.EncodeToString(hash[:])
	}
	if o.prompt.Template != nil {
		r.Template = o.prompt.Template.Ref
	}
	attempts := o.attempts
	if o.answer != nil {
		o.answered(&r)
	} else {
		o.failed(&r)
	}
	if len(attempts) > 0 && (o.answer == nil || !o.answer.Coalesced) {
		r.Attempts = AppendAttempts(nil, attempts)
		r.Spent = spent(attempts)
	}
	if !r.Private {
		r.Prompt = o.prompt.Text
		if r.Prompt == "" {
			r.Prompt = userText(resolved{exchange: o.exchange})
		}
	}
	// Back-pressure is better than loss, but nobody waits for a store that has stopped.
	ctx, cancel := context.WithTimeout(ctx, mostRecording)
	defer cancel()
	if err := s.history.Add(ctx, r); err != nil {
		return struct{}{}, fault.New(fault.Overloaded, "the request history can't be written now").Because(err)
	}
	return struct{}{}, nil
}

// mostRecording bounds the wait for room in the history.
const mostRecording = 10 * time.Second

func (o outcome) answered(r *usage.Record) {
	a := o.answer
	r.Status, r.ValidationStatus = http.StatusOK, a.Status()
	r.Provider, r.Model, r.DialectMode = a.Provider, a.Model, string(a.Validation.Mode)
	r.Cached, r.Coalesced = a.Cached, a.Coalesced
	if a.Language != nil {
		r.Language = a.Language.Code
	}
	r.Tokens, r.Cost = tokens(a.Usage), cost(a.Cost)
	r.Processing, r.Overhead = a.Processing, a.Overhead
	r.Validation = a.Validation.Append(nil)
	if !r.Private {
		r.Answer = a.Data
	}
}

func (o outcome) failed(r *usage.Record) {
	f := o.failure
	r.Status, r.Code = f.Fault.Code.Status(), f.Fault.Code.String()
	if f.Validation != nil {
		r.ValidationStatus = "failed"
		r.DialectMode = string(f.Validation.Mode)
		r.Validation = f.Validation.Append(nil)
	}
	if n := len(f.Attempts); n > 0 {
		r.Provider, r.Model = f.Attempts[n-1].Provider, f.Attempts[n-1].Model
	}
	r.Tokens, r.Cost = tokens(f.Usage), cost(f.Cost)
	r.Processing, r.Overhead = f.Processing, max(0, f.Processing-o.asked)
}

func tokens(u dialect.Usage) usage.Tokens {
	return usage.Tokens{Input: int64(u.Input), Output: int64(u.Output), CachedInput: int64(u.CachedInput)}
}

func cost(c provider.Cost) usage.Cost { return usage.Cost{Nanos: key.Nanos(c.Nano), Known: c.Known} }

// spent splits what was used where attempts went to more than one model.
func spent(attempts []provider.Attempt) []usage.Share {
	var shares []usage.Share
	for i := range attempts {
		a := &attempts[i]
		at := -1
		for j := range shares {
			if shares[j].Provider == a.Provider && shares[j].Model == a.Model && shares[j].Cost.Known == a.Cost.Known {
				at = j
			}
		}
		if at < 0 {
			shares = append(shares, usage.Share{Provider: a.Provider, Model: a.Model, Cost: usage.Costs(0)})
			at = len(shares) - 1
		}
		t := tokens(a.Usage)
		shares[at].Tokens.Input += t.Input
		shares[at].Tokens.Output += t.Output
		shares[at].Tokens.CachedInput += t.CachedInput
		shares[at].Cost = shares[at].Cost.Plus(cost(a.Cost))
	}
	if len(shares) == 1 {
		return nil
	}
	return shares
}
