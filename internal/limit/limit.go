// Package limit holds back callers who ask too much: how many requests or tokens in a period (GCRA), how many at the same time, and
// how much money.
//
// It is not for the load that providers take (package provider), nor for what was used (package usage). It decides and says when to
// come back; it never waits, but for the short bounded queue of a [Door], and for the store where a budget's block is used up.
//
// The main types are [Limiter], which counts by key and has its backends in limit/memory and limit/redis; [Shared], which goes on with this
// process's share where a backend that processes count in together is away; [Budgets], which reserves money before calls and books what they
// cost; [Door], the concurrency limit of the whole process; and the header texts of headers.go.
//
// A limit of n in a period admits a burst of n and then one more every period/n. The state of a key is one instant, the
// theoretical arrival time: when its allowance will be whole again. Admitting a cost moves it on by cost × period/n; that may not
// lead further than one period from now. All of it is exact integer arithmetic ([Advance]), so over any stretch of time no more is
// admitted than burst + elapsed × rate, and no less where callers wait as long as they are told.
package limit

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/promptd/promptd/internal/fault"
)

// The bounds of a policy. Within them no product of the arithmetic leaves 128 bits, nor any instant 63.
const (
	MaxLimit  = 1 << 40
	MaxPeriod = 366 * 24 * time.Hour
)

// Policy is a limit: so many in a period, all at once if need be.
type Policy struct {
	// Limit is how much a period has, and the largest burst.
	Limit int
	// Period is the time in which a spent limit becomes whole again.
	Period time.Duration
}

// PerHour is a limit of n an hour.
func PerHour(n int) Policy { return Policy{Limit: n, Period: time.Hour} }

// PerMinute is a limit of n a minute.
func PerMinute(n int) Policy { return Policy{Limit: n, Period: time.Minute} }

// Check says whether the policy can be kept. A limit of 0 is none: callers who have no limit do not ask a Limiter.
func (p Policy) Check() error {
	if p.Limit < 1 || int64(p.Limit) > MaxLimit {
		return fmt.Errorf("rate limit of %d is outside 1 to %d", p.Limit, int64(MaxLimit))
	}
	if p.Period < time.Millisecond || p.Period > MaxPeriod {
		return fmt.Errorf("rate limit period of %s is outside %s to %s", p.Period, time.Millisecond, MaxPeriod)
	}
	return nil
}

// Decision is what a Limiter says to one request.
type Decision struct {
	// Allowed says that the cost was admitted and counted. Where it is false nothing was counted.
	Allowed bool
	// Limit is the policy's.
	Limit int
	// Remaining is what would be admitted now, after this request.
	Remaining int
	// ResetAfter is the time until the whole limit is there again.
	ResetAfter time.Duration
	// RetryAfter is the time after which the same cost is admitted if nothing else is asked for; 0 where Allowed.
	RetryAfter time.Duration
}

// ErrCost says that a request costs more than the whole limit or budget: no waiting helps.
var ErrCost = errors.New("limit: cost above the whole limit")

// Limiter counts by key. All methods may be called at the same time from many goroutines, and requests under one key are
// decided one after the other.
type Limiter interface {
	// Allow decides on a request of that cost and counts it where it is admitted: wholly or not at all. A cost of 0 counts
	// nothing, is always allowed and tells what is left. The key names caller and purpose ("requests:key-id"); one key goes
	// with one policy at a time, and after a change of policy never more is admitted than the larger one lets through.
	//
	// A cost above the limit is an error that is ErrCost and a Fault for the caller; the Decision is then filled as for a
	// refusal, without RetryAfter. A negative cost and a policy that fails Check are errors. So is a cancelled context; then
	// nothing was counted. Any other error means that the limiter is in trouble and that the cost may or may not be counted.
	Allow(ctx context.Context, key string, cost int, p Policy) (Decision, error)

	// Reserve is Allow for a cost that is known afterwards alone: what is admitted is held, and each reservation is ended by one Settle. Errors are those
	// of Allow. Keys of Reserve are none of Allow.
	Reserve(ctx context.Context, key string, cost int, p Policy) (Decision, error)
	// Settle ends a reservation with what was used: the rest is there again at once; what was used beyond it is counted as well, and is paid before
	// anything else is admitted. It works with a context that has ended. An error means that the limiter is in trouble.
	Settle(ctx context.Context, key string, reserved, used int, p Policy) error

	// Enter lets one more in under a key where fewer than most are inside, who then calls Leave exactly once. The Decision has no ResetAfter. A most below
	// one and a cancelled context are errors.
	Enter(ctx context.Context, key string, most int) (Decision, error)
	// Leave gives the place back. It works with a context that has ended.
	Leave(ctx context.Context, key string) error
	// Inside counts those who have entered and not left.
	Inside(ctx context.Context, key string) (int, error)
}

// Check refuses what no Limiter decides on. Limiters call it first, so that the rule is the same in each.
func Check(cost int, p Policy) error {
	if err := p.Check(); err != nil {
		return err
	}
	if cost < 0 {
		return fmt.Errorf("rate limit: cost %d is negative", cost)
	}
	return nil
}

// TooCostly makes the error of a cost above the limit.
func TooCostly(cost int, p Policy) error {
	f := fault.New(fault.RateLimitExceeded, "the request counts %d, more than the whole limit of %d in %s: it is never admitted", cost, p.Limit, p.Period)
	f.Remediation = "Split the batch into smaller ones, or raise the key's limit."
	return f.Because(ErrCost)
}

// Fault gives the refusal as the caller sees it; what names the limit, such as "requests" or "tokens". It is nil where the
// request was allowed.
func (d Decision) Fault(what string, p Policy) error {
	if d.Allowed {
		return nil
	}
	f := fault.New(fault.RateLimitExceeded, "the limit of %d %s in %s is used up: %d left, more in %d s", p.Limit, what, p.Period, d.Remaining, Seconds(d.RetryAfter))
	f.RetryAfter = d.RetryAfter
	return f
}

// Seconds rounds a wait up to whole seconds, as headers carry it.
func Seconds(d time.Duration) int64 {
	if d <= 0 {
		return 0
	}
	s := int64(d / time.Second)
	if d%time.Second != 0 && s < math.MaxInt64 {
		s++
	}
	return s
}
