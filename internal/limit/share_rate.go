package limit

import (
	"context"
	"errors"
)

// sharedRate is a key of Allow or Reserve as a Shared has it. Its shard's mutex guards it.
type sharedRate struct {
	away away
	// policy and held are how the key was asked for last: held of Reserve.
	policy Policy
	held   bool
	// whole is when the whole limit will be there again as far as the ledger said, if nobody asks for more.
	whole int64
	// tab is what is counted here while the ledger is away; told is what of it the ledger has heard, or said itself.
	tab, told Tab
	// open are the reservations under way, by what was reserved.
	open map[int][]reservation
}

// reservation is one that is under way.
type reservation struct {
	// here says that it was made without the ledger, in the how-manieth absence; otherwise the ledger holds it, and it was made after so many of them.
	here  bool
	since uint64
	// units are held in the tab for it, once it is.
	units int
}

// inTab says that a reservation is held in the tab, too: it was made here in this absence, or in the ledger before it.
func (r *sharedRate) inTab(one reservation) bool {
	return r.away.is && (one.here && one.since == r.away.since || !one.here && one.since < r.away.since)
}

func (r *sharedRate) idle(now int64) bool {
	return len(r.open) == 0 && !r.away.asking && r.whole <= now && (!r.away.is || r.tab.Idle(now))
}

// Allow decides on a request; see [Limiter].
func (s *Shared) Allow(ctx context.Context, key string, cost int, p Policy) (Decision, error) {
	return s.decide(ctx, key, cost, p, s.cfg.Ledger.Allow, s.cfg.Ledger.Count, false)
}

// Reserve decides on a cost that is known afterwards alone; see [Limiter].
func (s *Shared) Reserve(ctx context.Context, key string, cost int, p Policy) (Decision, error) {
	return s.decide(ctx, key, cost, p, s.cfg.Ledger.Reserve, s.use, true)
}

// use counts what was used under a key of Reserve.
func (s *Shared) use(ctx context.Context, key string, used int, p Policy) error {
	return s.cfg.Ledger.Settle(ctx, key, 0, used, p)
}

type (
	ask   func(ctx context.Context, key string, cost int, p Policy) (Decision, error)
	count func(ctx context.Context, key string, cost int, p Policy) error
)

// decide asks the ledger, or decides here where it is away.
func (s *Shared) decide(ctx context.Context, key string, cost int, p Policy, ask ask, tell count, hold bool) (Decision, error) {
	if err := ctx.Err(); err != nil {
		return Decision{}, err
	}
	if err := Check(cost, p); err != nil {
		return Decision{}, err
	}
	there, again := s.back(ctx, key, p, tell)
	if !there {
		return s.decideHere(key, cost, p, hold)
	}
	d, err := ask(ctx, key, cost, p)
	if err == nil || errors.Is(err, ErrCost) {
		if rest := s.heard(key, cost, p, d, hold, again); rest > 0 && tell(ctx, key, rest, p) != nil {
			s.owe(key, 0, rest, p, hold)
		}
		return d, err
	}
	if again {
		s.asked(key)
	}
	if !s.trouble(ctx, err) {
		return Decision{}, err
	}
	return s.decideHere(key, cost, p, hold)
}

// reask asks the ledger for nothing under a key, which tells it what it has not heard.
func (s *Shared) reask(key string, p Policy, held bool) func(context.Context) bool {
	return func(ctx context.Context) bool {
		ask, tell := s.cfg.Ledger.Allow, s.cfg.Ledger.Count
		if held {
			ask, tell = s.cfg.Ledger.Reserve, s.use
		}
		there, again := s.back(ctx, key, p, tell)
		if !there || !again {
			return there
		}
		d, err := ask(ctx, key, 0, p)
		if err != nil {
			s.asked(key)
			return false
		}
		if rest := s.heard(key, 0, p, d, held, true); rest > 0 && tell(ctx, key, rest, p) != nil {
			s.owe(key, 0, rest, p, held)
		}
		return true
	}
}

// asked ends a question to the ledger that had no answer.
func (s *Shared) asked(key string) {
	h := s.of(key)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rate(key).away.asking = false
}

// rate finds a key; the shard's mutex is held.
func (h *shareShard) rate(key string) *sharedRate {
	r := h.rates[key]
	if r == nil {
		r = &sharedRate{}
		h.rates[key] = r
	}
	return r
}

// heard keeps what the ledger said. Again says that it was asked to see whether it is back. An answer that was under way when others found the ledger gone does not say
// so: what they admitted here would be forgotten.
func (s *Shared) heard(key string, cost int, p Policy, d Decision, hold, again bool) (rest int) {
	h := s.of(key)
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.rate(key)
	now := s.now()
	if again && r.away.is {
		rest = r.returned(now, s.part(p))
	}
	if !r.away.is {
		r.whole = now + int64(d.ResetAfter)
	}
	if hold && d.Allowed && cost > 0 {
		r.hold(cost, reservation{since: r.away.since, units: cost})
	}
	return rest
}

func (r *sharedRate) hold(reserved int, one reservation) {
	if r.open == nil {
		r.open = map[int][]reservation{}
	}
	r.open[reserved] = append(r.open[reserved], one)
}

// release ends one of the reservations of that size: which of them is all the same. A reservation that nobody made is the ledger's.
func (r *sharedRate) release(reserved int) (one reservation) {
	list := r.open[reserved]
	if len(list) == 0 {
		return reservation{since: r.away.since}
	}
	one = list[len(list)-1]
	if list = list[:len(list)-1]; len(list) == 0 {
		delete(r.open, reserved)
	} else {
		r.open[reserved] = list
	}
	return one
}

// leave begins to count a key here, where that is not so yet, with what the ledger said of it last. A share is whole again when the whole is. The mutex is held.
func (r *sharedRate) leave(now int64, p, part Policy) {
	r.policy = p
	if r.away.is {
		return
	}
	r.away.begin(now)
	// What calls of this process have reserved in the ledger does not come back with time: it is held here as well.
	held := 0
	for _, list := range r.open {
		for _, one := range list {
			if !one.here {
				held += one.units
			}
		}
	}
	left := min(max(0, r.whole-now-scale(int64(p.Period), held, p.Limit)), int64(p.Period))
	r.told = Tab{State: State{Nanos: now + scale(left, int(part.Period), int(p.Period))}}
	r.tab = r.told
	r.tab.Held = held
}

// decideHere decides by this process's share.
func (s *Shared) decideHere(key string, cost int, p Policy, hold bool) (Decision, error) {
	s.here.Add(1)
	part := s.part(p)
	h := s.of(key)
	h.mu.Lock()
	defer h.mu.Unlock()
	now := s.now()
	r := h.rate(key)
	r.leave(now, p, part)
	r.held = hold
	units := min(cost, part.Limit)
	if cost > p.Limit {
		units = part.Limit + 1 // It is refused, and says what is left.
	}
	next, d := r.tab.Reserve(now, units, part)
	if d.Allowed && cost > 0 {
		if r.tab = next; hold {
			r.hold(cost, reservation{true, r.away.since, units})
		} else {
			r.tab = next.Settle(now, units, cost, part)
			_, after := r.tab.Reserve(now, 0, part)
			d.Remaining, d.ResetAfter = after.Remaining, after.ResetAfter
		}
	}
	d.Limit = p.Limit
	if cost > p.Limit {
		return d, TooCostly(cost, p)
	}
	if cost == 0 {
		d.Allowed, d.RetryAfter = true, 0
	}
	return d, nil
}

// Settle ends a reservation where it was made; see [Limiter].
func (s *Shared) Settle(ctx context.Context, key string, reserved, used int, p Policy) error {
	if err := Check(min(reserved, used), p); err != nil {
		return err
	}
	part := s.part(p)
	h := s.of(key)
	h.mu.Lock()
	r := h.rate(key)
	one := r.release(reserved)
	if one.here && r.inTab(one) {
		r.tab = r.tab.Settle(s.now(), one.units, used, part)
		h.mu.Unlock()
		return nil
	}
	if r.inTab(one) { // The ledger is told, or it is counted here.
		r.tab.Held = max(0, r.tab.Held-one.units)
	}
	h.mu.Unlock()
	if one.here {
		reserved = 0 // It was made in an absence that is over: the ledger does not know of it.
	}
	if err := s.cfg.Ledger.Settle(ctx, key, reserved, used, p); err != nil && used > 0 {
		s.owe(key, reserved, used, p, true) // In the ledger what was held lapses by itself.
	}
	return nil
}

// owe counts here what the ledger could not be told, which was reserved there or not; it is told when it is back.
func (s *Shared) owe(key string, reserved, used int, p Policy, held bool) {
	part := s.part(p)
	h := s.of(key)
	h.mu.Lock()
	defer h.mu.Unlock()
	now := s.now()
	r := h.rate(key)
	if !r.away.is { // The ledger's last word has it as held.
		r.whole -= scale(int64(p.Period), reserved, p.Limit)
	}
	r.leave(now, p, part)
	r.held = held
	r.tab = r.tab.Settle(now, 0, used, part)
}

// back says whether the ledger is to be asked for a key, and whether that is to see if it is back: then it hears first what was counted here, and has not been told.
// Where there is nothing to hear, the question itself shows it.
func (s *Shared) back(ctx context.Context, key string, p Policy, tell count) (there, again bool) {
	part := s.part(p)
	h := s.of(key)
	h.mu.Lock()
	r := h.rate(key)
	now := s.now()
	if !r.away.is || !r.away.ask(now) {
		defer h.mu.Unlock()
		return !r.away.is, false
	}
	n := r.fresh(now, part)
	told := Tab{State: r.tab.State, Debt: r.tab.Debt}
	h.mu.Unlock()
	if n == 0 {
		return true, true
	}
	err := tell(ctx, key, n, p)
	s.trouble(ctx, err)
	h.mu.Lock()
	defer h.mu.Unlock()
	if r = h.rate(key); err != nil {
		r.away.asking = false
		return false, false
	}
	r.told = told
	return true, true
}

// returned ends the absence of the ledger for a key. What others admitted here since the ledger heard of it is told now. The mutex is held.
func (r *sharedRate) returned(now int64, part Policy) (rest int) {
	rest = r.fresh(now, part)
	r.away.is, r.away.asking = false, false
	r.tab, r.told = Tab{}, Tab{}
	return rest
}

// fresh is what of the tab the ledger has not heard and would not have forgotten by now. The mutex is held.
func (r *sharedRate) fresh(now int64, part Policy) int {
	r.tab, r.told = r.tab.pay(now, part), r.told.pay(now, part)
	ahead := r.tab.State.Nanos - r.told.State.Nanos
	if r.tab.State.Part > r.told.State.Part {
		ahead++
	}
	n := r.tab.Debt - r.told.Debt
	if ahead > 0 {
		n += int(scale(ahead, part.Limit, int(part.Period)))
	}
	return max(0, n)
}
