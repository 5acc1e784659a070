package pipeline

import (
	"context"
	"strconv"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/limit"
	"github.com/promptd/promptd/internal/provider"
)

// bounds are the limits of a key, or those of a team for all of its keys; 0 and nil are none.
type bounds struct {
	payer    limit.Payer
	requests int // an hour
	tokens   int // a minute
	places   int // at the same time
	budget   *key.Budget
}

// latest gives a caller with the limits that are in force now: they may change while a batch is under way. Whatever holds callers to limits asks it, so that no
// two calls are held to different ones at the same time. A nil latest is for callers that never change.
type latest func(*key.Caller) *key.Caller

func (l latest) of(who *key.Caller) *key.Caller {
	if l == nil {
		return who
	}
	return l(who)
}

// boundsOf gives the caller's two bounds, the key's first; those of a team without any are empty.
func boundsOf(who *key.Caller) [2]bounds {
	return [2]bounds{
		{limit.KeyPayer(who.Key, who.Team), who.RateLimitPerHour, who.TokensPerMinute, who.MaxConcurrency, who.Budget},
		boundsOfTeam(who.Together),
	}
}

func boundsOfTeam(t *key.Team) bounds {
	if t == nil {
		return bounds{}
	}
	return bounds{limit.TeamPayer(t.Name), t.RateLimitPerHour, t.TokensPerMinute, t.MaxConcurrency, t.Budget}
}

// The limiter's keys. Requests of a team are counted by Reserve: they are given back where the key's own limit refuses.
func (b *bounds) requestsKey() string { return b.payer.Kind + ":" + b.payer.ID }
func (b *bounds) tokensKey() string   { return "tokens:" + b.payer.Kind + ":" + b.payer.ID }
func (b *bounds) placesKey() string   { return "places:" + b.payer.Kind + ":" + b.payer.ID }

// whose begins a sentence about a limit.
func (b *bounds) whose() string {
	if b.payer.Kind == "team" {
		return "the team " + b.payer.ID
	}
	return "this key"
}

// policy is the name of a policy in the RateLimit fields.
func (b *bounds) policy(name string) string {
	if b.payer.Kind == "team" {
		return "team-" + name
	}
	return name
}

// requestsRefused is nil where the decision is to admit.
func (b *bounds) requestsRefused(d limit.Decision) error {
	if d.Allowed {
		return nil
	}
	f := fault.New(fault.RateLimitExceeded, "%s allows %d requests per hour", b.whose(), b.requests)
	f.RetryAfter = d.RetryAfter
	f.Remediation = later(d.RetryAfter) + ", or raise the " + b.payer.Kind + "'s rate_limit_per_hour."
	return f
}

func later(wait time.Duration) string {
	return "Try again in " + strconv.FormatInt(max(1, limit.Seconds(wait)), 10) + " seconds"
}

func (b *bounds) tokensRefused(d limit.Decision, cost int) error {
	if d.Allowed {
		return nil
	}
	f := fault.New(fault.RateLimitExceeded, "%s allows %d tokens per minute: %d are left, and this call may take %d", b.whose(), b.tokens, d.Remaining, cost)
	f.RetryAfter = d.RetryAfter
	f.Remediation = later(d.RetryAfter) + ", lower options.max_tokens, or raise the " + b.payer.Kind + "'s tokens_per_minute."
	return f
}

// tokensTooMany is the fault of a call that no waiting helps.
func (b *bounds) tokensTooMany(cost int) error {
	f := fault.New(fault.RateLimitExceeded, "%s allows %d tokens per minute, and this call may take %d: it is never admitted", b.whose(), b.tokens, cost)
	f.Remediation = "Lower options.max_tokens, send less, or raise the " + b.payer.Kind + "'s tokens_per_minute."
	return f.Because(limit.ErrCost)
}

func (b *bounds) placesRefused(d limit.Decision) error {
	if d.Allowed {
		return nil
	}
	f := fault.New(fault.RateLimitExceeded, "%s allows %d requests at the same time", b.whose(), b.places)
	f.RetryAfter = d.RetryAfter
	f.Remediation = "Wait for an answer before the next request, or raise the " + b.payer.Kind + "'s max_concurrency."
	return f
}

// enter takes the caller's places, those of the key and of its team. What it gives leaves them again, exactly once; nil is nothing to leave.
func (s admit) enter(ctx context.Context, who *key.Caller) (leave func(), err error) {
	if !who.Counted() {
		return nil, nil
	}
	both := boundsOf(who)
	entered := 0
	leave = func() {
		for i := range entered {
			if both[i].places > 0 {
				_ = s.limiter.Leave(context.WithoutCancel(ctx), both[i].placesKey()) //nolint:errcheck // A limiter in trouble forgets by itself.
			}
		}
	}
	for i := range both {
		if b := &both[i]; b.places > 0 {
			d, err := s.limiter.Enter(ctx, b.placesKey(), b.places)
			if err == nil {
				err = b.placesRefused(d)
			}
			if err != nil {
				leave()
				return nil, err
			}
		}
		entered++
	}
	return leave, nil
}

// The pauses of those who wait for a place: the limiter may be another process's, which tells nobody.
const (
	firstLook = 5 * time.Millisecond
	lastLook  = 100 * time.Millisecond
)

// await is enter for those who wait until they can, for so long at the most.
func (s admit) await(ctx context.Context, who *key.Caller, patience time.Duration) (leave func(), err error) {
	over := time.Now().Add(patience)
	for pause := firstLook; ; pause = min(2*pause, lastLook) {
		leave, err = s.enter(ctx, s.latest.of(who))
		left := time.Until(over)
		if !fault.Is(err, fault.RateLimitExceeded) || left <= 0 {
			return leave, err
		}
		if err := provider.Sleep(ctx, min(pause, left)); err != nil {
			return nil, err
		}
	}
}

// Allowance is what is left of the limits of a key, or of a team.
type Allowance struct {
	// Requests and Tokens are nil where there is no limit.
	Requests, Tokens *limit.Decision
	// MaxConcurrency is 0 where there is no limit; InFlight counts the requests under way.
	MaxConcurrency, InFlight int
	Budget                   *limit.Standing
}

// Allowance tells what is left of a key's own limits, and counts nothing.
func (p *Pipeline) Allowance(ctx context.Context, who *key.Caller) (Allowance, error) {
	both := boundsOf(who)
	return p.left(ctx, &both[0], p.deps.Limiter.Allow)
}

// TeamAllowance tells what is left of a team's limits, and counts nothing.
func (p *Pipeline) TeamAllowance(ctx context.Context, t *key.Team) (Allowance, error) {
	b := boundsOfTeam(t)
	return p.left(ctx, &b, p.deps.Limiter.Reserve)
}

// ask is Allow or Reserve of a limiter.
type ask func(ctx context.Context, key string, cost int, p limit.Policy) (limit.Decision, error)

func (p *Pipeline) left(ctx context.Context, b *bounds, requests ask) (a Allowance, err error) {
	if a.Requests, err = look(ctx, requests, b.requestsKey(), limit.PerHour(b.requests)); err != nil {
		return a, err
	}
	if a.Tokens, err = look(ctx, p.deps.Limiter.Reserve, b.tokensKey(), limit.PerMinute(b.tokens)); err != nil {
		return a, err
	}
	if a.MaxConcurrency = b.places; b.places > 0 {
		if a.InFlight, err = p.deps.Limiter.Inside(ctx, b.placesKey()); err != nil {
			return a, err
		}
	}
	if b.budget != nil && p.deps.Budgets != nil {
		s, err := p.deps.Budgets.Standing(ctx, limit.Bill{Payer: b.payer, Budget: *b.budget})
		if err != nil {
			return a, err
		}
		a.Budget = &s
	}
	return a, nil
}

// look asks for nothing, which tells what is left; nil where there is no limit.
func look(ctx context.Context, ask ask, name string, p limit.Policy) (*limit.Decision, error) {
	if p.Limit == 0 {
		return nil, nil
	}
	d, err := ask(ctx, name, 0, p)
	return &d, err
}
