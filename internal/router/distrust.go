package router

import (
	"sync"
	"time"

	"github.com/promptd/promptd/internal/provider"
)

// distrust remembers candidates whose calls fail one after the other for longer than their breakers do. A breaker needs many calls to open, and forgets them after
// its window; where requests are few it would see a dead service as a new one every half a minute. Here three failures without a success are enough to be asked
// behind the others, and one request tries again after a time that doubles with each further failure.
type distrust struct {
	mu sync.Mutex

	known map[modelKey]*suspect
}

// suspect is a candidate whose last calls failed.
type suspect struct {
	failed int           // in a row
	wait   time.Duration // until the next trial
	trial  time.Time
}

const (
	fewFailures = 3
	firstTrial  = 30 * time.Second
	lastTrial   = 5 * time.Minute
)

// note takes what came of an attempt.
func (d *distrust) note(a *provider.Attempt, now time.Time) {
	switch provider.RuleOf(a.Outcome).Health {
	case provider.Bad:
		d.failed(a, now)
	case provider.Good:
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.known, modelKey{a.Provider, a.Model})
	case provider.Neither:
	}
}

func (d *distrust) failed(a *provider.Attempt, now time.Time) {
	k := modelKey{a.Provider, a.Model}
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.known[k]
	if s == nil {
		if d.known == nil {
			d.known = map[modelKey]*suspect{}
		}
		s = &suspect{wait: firstTrial}
		d.known[k] = s
	}
	if s.failed++; s.failed >= fewFailures && !now.Before(s.trial) {
		s.trial = now.Add(s.wait)
		s.wait = min(2*s.wait, lastTrial)
	}
}

// suspects says whether a candidate is better asked behind the others now. The request whose turn it is to try is told no, and the next trial is set off.
func (d *distrust) suspects(c provider.Candidate, l Live, now time.Time) bool {
	if l.Calls > 0 && l.Success > 0 {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.known[modelKey{c.Provider.Name(), c.Model.Name}]
	if s == nil || s.failed < fewFailures {
		return false
	}
	if now.Before(s.trial) {
		return true
	}
	s.trial = now.Add(s.wait)
	return false
}
