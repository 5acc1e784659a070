package limit

// Tab is what is kept of a key whose costs are known afterwards alone: what was used, as a [State], what is held for calls under way, and what calls used beyond
// all that was left. The zero Tab is an untouched key.
//
// What is held does not drain: it is counted as used when it is settled, at what was used in truth. So over any stretch of time no more is used than
// burst + elapsed × rate as long as no call uses more than it had reserved; what one uses beyond that is paid before anything else is admitted.
type Tab struct {
	State State
	Held  int
	Debt  int
}

// Idle says that the key's allowance is whole and nobody holds any of it.
func (t Tab) Idle(now int64) bool { return t.Held == 0 && t.Debt == 0 && t.State.Idle(now) }

// Reserve decides on a cost at a time and gives the tab after it, with the cost held where it was admitted. It is pure, as [State.Advance] is.
//
// RetryAfter takes for granted that what is held is used whole, and at once: it is the time at which the cost is admitted at the latest, if the calls under way
// have ended by then.
func (t Tab) Reserve(now int64, cost int, p Policy) (Tab, Decision) {
	t = t.pay(now, p)
	d := Decision{Limit: p.Limit}
	full := t.full(p)
	horizon := now + int64(p.Period)
	if cost <= p.Limit {
		next := full.add(cost, p)
		if next.Nanos > horizon || next.Nanos == horizon && next.Part > 0 {
			d.RetryAfter = next.after(horizon)
		} else {
			d.Allowed = true
			full, t.Held = next, t.Held+cost
		}
	}
	d.Remaining, d.ResetAfter = full.room(now, p), full.after(now)
	return t, d
}

// Settle ends a reservation with what was used of it, which may be more.
func (t Tab) Settle(now int64, reserved, used int, p Policy) Tab {
	t = t.pay(now, p)
	t.Held = max(0, t.Held-reserved)
	t.Debt += used
	return t.pay(now, p)
}

// pay counts as used what is owed, as far as the allowance goes. The time in which nobody asked has paid as well.
func (t Tab) pay(now int64, p Policy) Tab {
	if t.Debt > 0 {
		t.State = t.State.suit(now, p)
		past := max(0, (now-t.State.Nanos)/int64(p.Period)) // Whole periods, each of which has paid a whole limit.
		owed := int64(t.Debt / p.Limit)
		paid := min(past, owed)
		t.State.Nanos += paid * int64(p.Period)
		t.Debt -= int(paid) * p.Limit
		n := t.Debt // Less than a limit, and there is more than a period for it.
		if owed >= past {
			n = min(t.Debt, t.State.room(now, p))
		}
		t.State = t.State.add(n, p)
		t.Debt -= n
	}
	t.State = t.State.settle(now, p)
	return t
}

// full is the state as if everything that is held or owed were used.
func (t Tab) full(p Policy) State {
	const most = 64 // Whole limits: beyond, which takes a limit that was lowered while much was held, the wait is told too short.
	s, n := t.State, t.Held+t.Debt
	for range most {
		part := min(n, p.Limit)
		if part == 0 {
			break
		}
		s = s.add(part, p)
		n -= part
	}
	return s
}

// room is remaining for a state that may lie beyond the horizon.
func (s State) room(now int64, p Policy) int {
	if s.Nanos > now+int64(p.Period) {
		return 0
	}
	return s.remaining(now, p)
}

// Crowded is the decision on one more at the same time under a key, of which as many are under way.
func Crowded(inside, most int) Decision {
	d := Decision{Limit: most, Remaining: max(0, most-inside), Allowed: inside < most}
	if d.Allowed {
		d.Remaining--
	} else {
		d.RetryAfter = DefaultRetryAfter // Nobody knows when the first of them ends.
	}
	return d
}
