package job_test

import (
	"errors"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/pipeline"
	"github.com/promptd/promptd/internal/provider"
)

// TestARefusalThatNoWaitingChangesFailsAtOnce: an item is tried again only where one of the models that were asked, or passed over, may answer later.
func TestARefusalThatNoWaitingChangesFailsAtOnce(t *testing.T) {
	t.Parallel()
	at := func(model string, o dialect.Outcome) provider.Attempt {
		return provider.Attempt{Provider: "p", Model: model, Outcome: o}
	}
	batched := at("a", dialect.BadRequest)
	batched.Batch = true
	over := at("a", dialect.BadRequest)
	over.Skipped = []provider.Skipped{{Candidate: "p/b", Why: "it rests"}}
	for _, x := range []struct {
		name     string
		attempts []provider.Attempt
		wait     time.Duration
		want     job.ItemState
	}{
		{"nobody was asked", nil, 0, job.ItemPending},
		{"bad request", []provider.Attempt{at("a", dialect.BadRequest)}, 0, job.ItemFailed},
		{"credentials", []provider.Attempt{at("a", dialect.Auth)}, 0, job.ItemFailed},
		{"too long for all", []provider.Attempt{at("a", dialect.ContextExceeded), at("b", dialect.TooLarge)}, 0, job.ItemFailed},
		{"no connection", []provider.Attempt{at("a", dialect.Connection)}, 0, job.ItemPending},
		{"no credit", []provider.Attempt{at("a", dialect.Quota)}, 0, job.ItemPending},
		{"another model is overloaded", []provider.Attempt{at("a", dialect.OverloadedProvider), at("b", dialect.BadRequest)}, 0, job.ItemPending},
		{"overloaded, then refused by the same", []provider.Attempt{at("a", dialect.OverloadedProvider), at("a", dialect.BadRequest)}, 0, job.ItemFailed},
		{"refused by a batch API", []provider.Attempt{batched}, 0, job.ItemPending},
		{"another model was passed over", []provider.Attempt{over}, 0, job.ItemPending},
		{"another model was passed over at the end", []provider.Attempt{at("a", dialect.BadRequest)}, time.Second, job.ItemPending},
	} {
		f := fault.New(fault.ProviderError, "the last attempt failed")
		f.RetryAfter = x.wait
		w := &job.Work{Item: job.Item{Attempt: 1}, Job: job.Job{Deadline: time.Now().Add(time.Hour)}}
		got := (job.Rules{Worker: "w"}).Of(w, time.Now(), nil, &pipeline.Failure{Fault: f, RequestID: "r", Attempts: x.attempts})
		if got.State != x.want {
			t.Errorf("%s: %s, want %s", x.name, got.State, x.want)
		}
	}
	w := &job.Work{Item: job.Item{Attempt: 1}, Job: job.Job{}}
	if got := (job.Rules{Worker: "w"}).Of(w, time.Now(), nil, errors.New("the store")); got.State != job.ItemPending {
		t.Errorf("an error that is no provider's: %s, want it tried again", got.State)
	}
}
