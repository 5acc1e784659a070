package provider

import (
	"slices"
	"time"
)

// elsewhere is what a breaker has to do with those of other processes. The breaker's mutex guards it.
type elsewhere struct {
	// told says that the breaker is open because another process said so; opened is when it opened, good when a call of this process last went well, mended when
	// probes of this process closed it, 0 never.
	told                 bool
	opened, good, mended int64
	// asks says that a probe needs the leave of the other processes, which is there until leave; wanted says that somebody would have probed.
	asks, wanted bool
	leave        int64
}

const (
	// ownWord is for how long a call that went well weighs more than what another process says: that one may be cut off itself.
	ownWord = time.Second
	// mendedFor is how long it is told that probes closed a breaker.
	mendedFor = BoardFor
)

// may says whether this process may send a probe. The mutex is held.
func (b *breaker) may(now int64) bool {
	if b.asks && now >= b.leave {
		b.wanted = true
		return false
	}
	return true
}

// wants says that this process would probe, or does; from now on it needs the leave.
func (b *breaker) wants(now int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asks = true
	half := b.state == HalfOpen || b.state == Open && now >= b.until
	wants := half && (b.wanted || b.probing)
	b.wanted = false
	if !wants {
		b.leave = 0
	}
	return wants
}

// grant gives the leave to begin probes.
func (b *breaker) grant(until int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.leave = until
}

// alone forgets the other processes.
func (b *breaker) alone() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asks, b.wanted, b.leave = false, false, 0
}

// tell gives what this process found itself.
func (b *breaker) tell(now int64) (m ModelNotice) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state == Open && !b.told {
		m.Open = time.Duration(max(0, b.until-now))
	}
	if b.mended != 0 && now-b.mended < int64(mendedFor) {
		m.Mended = max(1, time.Duration(now-b.mended))
	}
	return m
}

// hearOpen opens the breaker because that of another process is, for as long; unless this process knows better.
func (b *breaker) hearOpen(now int64, d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	until := now + int64(min(d, b.config.OpenFor))
	switch {
	case b.config.FailureShare <= 0, b.probing:
	case b.state == Closed && b.good != 0 && now-b.good < int64(ownWord):
	case b.state == Open && now < b.until: // It is left alone already, until its own end or the later one of those that were told.
		if b.told {
			b.until = max(b.until, until)
		}
	default:
		b.become(Open)
		b.until, b.opened, b.told = until, now, true
	}
}

// hearMended closes the breaker because probes of another process closed that one's, after this one had opened.
func (b *breaker) hearMended(at int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state != Closed && b.opened < at {
		b.become(Closed)
		b.window = newWindow(b.config.length())
	}
}

// others are the calls that other processes have at an account.
type others struct {
	// inside are under way, all counts those that wait as well.
	inside, all int
	// demands are the calls of each, the least first.
	demands []int
	// limit is the least that one of them found the service to take; 0 is none.
	limit int
}

// hear takes in what all others say of the account now.
func (s *slots) hear(list []AccountNotice) {
	var o others
	for _, a := range list {
		n := max(0, a.Inside) + max(0, a.Waiting)
		o.inside, o.all = o.inside+max(0, a.Inside), o.all+n
		if n > 0 {
			o.demands = append(o.demands, n)
		}
		if a.Limit > 0 && (o.limit == 0 || a.Limit < o.limit) {
			o.limit = a.Limit
		}
	}
	slices.Sort(o.demands)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.others = o
	s.call()
}

// tell gives what this process has at the account.
func (s *slots) tell() (inside, waiting, limit int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := int(s.limit); n < s.most {
		limit = n
	}
	return s.inside, len(s.waiting), limit
}

// force is how many calls the service takes at once now, from all processes. The mutex is held.
func (s *slots) force() int {
	if s.others.limit > 0 {
		return max(1, min(int(s.limit), s.others.limit))
	}
	return int(s.limit)
}

// bound is how many of them may be this process's: what is left by the others, and not more than its fair part where they want more than there is; one in any
// case. The mutex is held.
func (s *slots) bound() int {
	limit := s.force()
	if len(s.others.demands) == 0 {
		return limit
	}
	return max(1, min(fair(limit, s.others.demands), limit-s.others.inside))
}

// all gives the calls of all processes, and the limit in force.
func (s *slots) all() (inFlight, limit int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inside + len(s.waiting) + s.others.all, s.force()
}

// tell gives the rests that this process found itself.
func (t *turn) tell(now int64) (list []RestNotice) {
	if now >= t.latest.Load() {
		return nil
	}
	for i, h := range t.holders {
		h.mu.Lock()
		for model, r := range h.rests {
			n := RestNotice{Place: i, Of: len(t.holders), Model: model, Said: time.Duration(max(r.said, now) - now), Guessed: time.Duration(max(r.guessed, now) - now)}
			if n.Said > 0 || n.Guessed > 0 {
				list = append(list, n)
			}
		}
		h.mu.Unlock()
	}
	return list
}

// hear takes in a rest that another process found. Where the processes have not the same credentials it says nothing.
func (t *turn) hear(now int64, n RestNotice) {
	if n.Of != len(t.holders) || n.Place < 0 || n.Place >= n.Of {
		return
	}
	h := t.holders[n.Place]
	h.mu.Lock()
	r := h.rests[n.Model]
	if r == nil {
		r = newRest()
		h.rests[n.Model] = r
	}
	if n.Said > 0 {
		r.toldSaid = max(r.toldSaid, now+int64(min(n.Said, mostRest)))
	}
	if n.Guessed > 0 {
		r.toldGuessed = max(r.toldGuessed, now+int64(min(n.Guessed, mostRest)))
	}
	until := max(r.toldSaid, r.toldGuessed)
	h.mu.Unlock()
	t.until(until)
}
