package pipeline

import (
	"context"

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
	// said are the policies that hold the caller, with what was decided by each; the first few are there.
	said  [4]limit.Named
	count int
}

// Policies are the limits that hold the caller, with what was decided by each: for headers.
func (a *Admission) Policies() []limit.Named { return a.said[:a.count] }

func (a *Admission) say(n limit.Named) {
	a.said[a.count] = n
	a.count++
}

// admit holds callers to their limits of requests, and to those at the same time.
type admit struct {
	limiter limit.Limiter
	latest  latest
	meter   Meter
}

// do counts prompts against the limits of the key and of its team: against both or none.
func (s admit) do(ctx context.Context, in arrival) (Admission, error) {
	a := Admission{caller: in.who}
	both := boundsOf(in.who)
	mine, team := &both[0], &both[1]
	if err := s.requests(ctx, &a, team, in.prompts, s.limiter.Reserve); err != nil {
		return a, err
	}
	err := s.requests(ctx, &a, mine, in.prompts, s.limiter.Allow)
	if team.requests > 0 {
		used := in.prompts
		if err != nil {
			used = 0
		}
		if failed := s.limiter.Settle(ctx, team.requestsKey(), in.prompts, used, limit.PerHour(team.requests)); err == nil {
			err = failed
		}
	}
	if err != nil {
		return a, err
	}
	return a, s.tokens(ctx, &a, both[:])
}

func (s admit) requests(ctx context.Context, a *Admission, b *bounds, n int, ask ask) error {
	if b.requests <= 0 {
		return nil
	}
	policy := limit.PerHour(b.requests)
	d, err := ask(ctx, b.requestsKey(), n, policy)
	if d.Limit > 0 { // Or the limiter is in trouble and has decided nothing.
		a.say(limit.Named{Name: b.policy("hour"), Policy: policy, Decision: d})
	}
	if err == nil {
		err = b.requestsRefused(d)
	}
	if !d.Allowed && d.Limit > 0 {
		s.meter.Refused("requests")
	}
	return err
}

// tokens tells what is left of tokens. They are counted call by call; an answer of the cache takes none.
func (s admit) tokens(ctx context.Context, a *Admission, both []bounds) error {
	for i := range both {
		if b := &both[i]; b.tokens > 0 {
			policy := limit.PerMinute(b.tokens)
			d, err := s.limiter.Reserve(ctx, b.tokensKey(), 0, policy)
			if err != nil {
				return err
			}
			a.say(limit.Named{Name: b.policy("tokens"), Policy: policy, Decision: d})
		}
	}
	return nil
}

// Enter takes a place for one prompt of a caller, or refuses it where as many are under way as its key or team allows. It waits a moment: who sends one request
// behind the other may be faster than the end of the one before. What it gives gives the place back; it is called exactly once, and never nil.
func (p *Pipeline) Enter(ctx context.Context, who *key.Caller) (leave func(), err error) {
	leave, err = p.admit.await(ctx, who, limit.DefaultWait)
	if err != nil {
		p.deps.Meter.Refused("concurrency")
	}
	if leave == nil {
		leave = func() {}
	}
	return leave, err
}
