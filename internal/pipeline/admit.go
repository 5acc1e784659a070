package pipeline

import (
	"context"
	"strconv"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/limit"
)

// arrival is a caller at the door with a number of prompts.
type arrival struct {
	who     *key.Caller
	prompts int
}

// Admission lets prompts into the pipeline: only Admit makes one.
type Admission struct {
	caller *key.Caller
	// Decision is the rate limit's; Limited is false where the caller has none.
	Decision limit.Decision
	Limited  bool
}

// admit holds callers to their rate limits.
type admit struct {
	limiter limit.Limiter
	meter   Meter
}

func (s admit) do(ctx context.Context, in arrival) (Admission, error) {
	a := Admission{caller: in.who}
	if in.who.RateLimitPerHour <= 0 {
		return a, nil
	}
	a.Limited = true
	decision, err := s.limiter.Allow(ctx, "key:"+string(in.who.Key), in.prompts, limit.Policy{Limit: in.who.RateLimitPerHour, Period: time.Hour})
	if err != nil {
		return a, err
	}
	a.Decision = decision
	if !decision.Allowed {
		s.meter.Refused("requests")
		f := fault.New(fault.RateLimitExceeded, "this key allows %d requests per hour", in.who.RateLimitPerHour)
		f.RetryAfter = decision.RetryAfter
		f.Remediation = "Try again in " + strconv.Itoa(int(decision.RetryAfter/time.Second)+1) + " seconds, or raise the key's rate_limit_per_hour."
		return a, f
	}
	return a, nil
}
