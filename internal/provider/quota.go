package provider

import (
	"context"
	"math/bits"
	"strings"
	"sync"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/limit"
)

// Limits are the account's own limits at the service; 0 is none.
type Limits struct {
	// RPM are requests, TPM tokens per minute.
	RPM, TPM int
}

// quota keeps the account within its own limits, so that the service does not have to refuse. Tokens are estimated before a call and settled after it.
type quota struct {
	mu sync.Mutex

	limits           Limits
	requests, tokens limit.State
}

// take counts a call in, waiting for its turn within the deadline. The error is ErrLimited, with the wait that would have been needed, or the context's.
func (q *quota) take(ctx context.Context, clock func() int64, tokens int) (time.Duration, error) {
	for {
		wait := q.try(clock(), tokens)
		if wait == 0 {
			return 0, nil
		}
		if deadline, ok := ctx.Deadline(); ok && wait >= time.Until(deadline) {
			return wait, ErrLimited
		}
		if err := Sleep(ctx, wait); err != nil {
			if timeIsUp(ctx) {
				return wait, ErrLimited
			}
			return 0, err
		}
	}
}

// try counts a call in, or says after which time it is worth another try.
func (q *quota) try(now int64, tokens int) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	requests, weight := q.requests, q.tokens
	if q.limits.RPM > 0 {
		next, d := requests.Advance(now, 1, limit.PerMinute(q.limits.RPM))
		if !d.Allowed {
			return d.RetryAfter
		}
		requests = next
	}
	if q.limits.TPM > 0 {
		next, d := weight.Advance(now, min(tokens, q.limits.TPM), limit.PerMinute(q.limits.TPM))
		if !d.Allowed {
			return d.RetryAfter
		}
		weight = next
	}
	q.requests, q.tokens = requests, weight
	return 0
}

// settle corrects the estimate of a call by what it used.
func (q *quota) settle(estimated, used int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.limits.TPM > 0 {
		q.tokens.Nanos += share(used-min(estimated, q.limits.TPM), q.limits.TPM)
	}
}

// giveBack takes back the count of a call that was not sent.
func (q *quota) giveBack(estimated int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.limits.RPM > 0 {
		q.requests.Nanos -= share(1, q.limits.RPM)
	}
	if q.limits.TPM > 0 {
		q.tokens.Nanos -= share(min(estimated, q.limits.TPM), q.limits.TPM)
	}
}

// share is the part of a minute that n of a limit take, rounded towards 0. More than a minute is one: the limit forgets no less.
func share(n, limit int) int64 {
	sign := int64(1)
	if n < 0 {
		sign, n = -1, -n
	}
	n = min(n, limit)
	hi, lo := bits.Mul64(uint64(n), uint64(time.Minute)) //nolint:gosec // Neither is negative.
	nanos, _ := bits.Div64(hi, lo, uint64(limit))        //nolint:gosec // It is positive, and n is not above it.
	return sign * int64(nanos)                           //nolint:gosec // At most a minute.
}

// configure takes over other limits.
func (q *quota) configure(l Limits) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.limits = l
}

// estimate guesses the tokens of a call: a quarter of its characters, what an image takes on average, and as much output as calls had of late. Services count max_tokens
// in some of their limits; it is far above what is used, and would waste most of the account's.
func estimate(c *dialect.Call, body int, output int) int {
	const perToken, perImage = 4, 800
	images := 0
	for _, m := range c.Messages {
		for _, p := range m.Parts {
			if p.Image == "" {
				continue
			}
			images++
			if strings.HasPrefix(p.Image, "data:") {
				body -= len(p.Image)
			}
		}
	}
	if c.MaxTokens > 0 {
		output = min(output, c.MaxTokens)
	}
	return max(0, body)/perToken + images*perImage + output
}
