package limit

import (
	"math/bits"
	"time"
)

// State is what is kept of a key: the theoretical arrival time, exactly. The zero State is an untouched key.
//
// The instant is Nanos + Part/Whole nanoseconds on whatever scale the limiter counts. The fraction is there because period/limit
// is seldom whole: rounded, a limit of 7 a second would lose one request in some bursts or gain one.
type State struct {
	Nanos int64
	// Part is less than Whole, which is the limit that the fraction was counted with.
	Part, Whole uint64
}

// Idle says that the key's allowance is whole at that time, so that forgetting the state changes nothing.
func (s State) Idle(now int64) bool { return s.Nanos < now || s.Nanos == now && s.Part == 0 }

// Advance decides on a cost at a time and gives the state after it. Check has passed the cost and the policy. It is pure:
// limiters differ only in where they keep the state. The time is in nanoseconds on a scale of at most 2^62.
func (s State) Advance(now int64, cost int, p Policy) (State, Decision) {
	d := Decision{Limit: p.Limit}
	s = s.settle(now, p)
	if cost > p.Limit {
		d.Remaining, d.ResetAfter = s.remaining(now, p), s.after(now)
		return s, d
	}
	next := s.add(cost, p)
	// The burst is the whole limit, which is worth exactly one period.
	if horizon := now + int64(p.Period); next.Nanos > horizon || next.Nanos == horizon && next.Part > 0 {
		d.Remaining, d.ResetAfter = s.remaining(now, p), s.after(now)
		d.RetryAfter = next.after(horizon)
		return s, d
	}
	d.Allowed = true
	d.Remaining, d.ResetAfter = next.remaining(now, p), next.after(now)
	return next, d
}

// Count counts a cost that was admitted elsewhere, up to the whole limit, and gives the state after it.
func (s State) Count(now int64, cost int, p Policy) State {
	horizon := State{Nanos: now + int64(p.Period), Whole: uint64(p.Limit)} //nolint:gosec // Check has seen that it is positive.
	next := s.settle(now, p).add(min(cost, p.Limit), p)
	if next.Nanos >= horizon.Nanos {
		return horizon
	}
	return next
}

// settle brings the state to the present and to the policy: not before now, not more than a period ahead, its fraction counted
// with the policy's limit.
func (s State) settle(now int64, p Policy) State {
	if s.Idle(now) {
		return State{Nanos: now, Whole: uint64(p.Limit)} //nolint:gosec // Check has seen that it is positive.
	}
	return s.suit(now, p)
}

// suit is settle for a state that may stay before now. Where a fraction cannot be kept it is rounded up, to the side that admits less.
func (s State) suit(now int64, p Policy) State {
	whole := uint64(p.Limit) //nolint:gosec // Check has seen that it is positive.
	if s.Whole != whole {
		if s.Part > 0 {
			s.Nanos++
		}
		s.Part, s.Whole = 0, whole
	}
	if horizon := now + int64(p.Period); s.Nanos >= horizon {
		return State{Nanos: horizon, Whole: whole}
	}
	return s
}

// add moves the state by cost × period / limit.
func (s State) add(cost int, p Policy) State {
	hi, lo := bits.Mul64(uint64(cost), uint64(p.Period)) //nolint:gosec // Neither is negative.
	step, part := bits.Div64(hi, lo, s.Whole)            // The cost is at most twice the limit, so step is at most two periods.
	s.Nanos += int64(step)                               //nolint:gosec // At most a period.
	s.Part += part
	if s.Part >= s.Whole {
		s.Part -= s.Whole
		s.Nanos++
	}
	return s
}

// remaining is the largest cost that would be admitted now: what fits between the state and a period from now.
func (s State) remaining(now int64, p Policy) int {
	room := uint64(now + int64(p.Period) - s.Nanos) //nolint:gosec // The state was settled.
	hi, lo := bits.Mul64(room, s.Whole)
	lo, borrow := bits.Sub64(lo, s.Part, 0)
	hi, borrow = bits.Sub64(hi, 0, borrow)
	if borrow != 0 {
		return 0
	}
	n, _ := bits.Div64(hi, lo, uint64(p.Period)) //nolint:gosec // Check has seen that it is positive.
	return int(n)                                //nolint:gosec // At most the limit.
}

// after is the time from an instant to the state, rounded up.
func (s State) after(from int64) time.Duration {
	d := s.Nanos - from
	if s.Part > 0 {
		d++
	}
	return time.Duration(max(d, 0))
}
