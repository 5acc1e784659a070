package provider

import (
	"bytes"
	"math"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/promptd/promptd/internal/dialect"
)

// Credential is a header that is sent with a call. It is never logged.
type Credential struct{ Header, Value string }

// key is the secret itself; nil where it is so short that it may stand in a text by chance, and guards nothing.
func (c Credential) key() []byte {
	const shortest = 8
	if key := strings.TrimPrefix(c.Value, "Bearer "); len(key) >= shortest {
		return []byte(key)
	}
	return nil
}

// shownIn reports whether a service's words repeat the credential. Some quote the key that they refuse.
func (c Credential) shownIn(words []byte) bool {
	key := c.key()
	return key != nil && bytes.Contains(words, key)
}

// The lengths of rests. A service's own wait is believed up to mostRest only, then it is asked once more: limits of a day, and waits that are a mistake, would
// take an account away for hours. Where the service says nothing, the rest doubles with each refusal in a row.
const (
	mostRest  = time.Minute
	firstRest = 500 * time.Millisecond
	// deadRest is that of a credential which is refused or has no quota left; somebody has to do something first.
	deadRest = time.Minute
)

// everyModel is the name under which a credential rests for all models.
const everyModel = ""

// rest is the time for which a credential is left alone.
type rest struct {
	// said is until when the service itself does not want to be asked, guessed is our own guess; both are bounded.
	said, guessed int64
	// toldSaid and toldGuessed are the same as another process says.
	toldSaid, toldGuessed int64
	refusals              int // in a row
}

func newRest() *rest {
	return &rest{said: math.MinInt64, guessed: math.MinInt64, toldSaid: math.MinInt64, toldGuessed: math.MinInt64}
}

// holder keeps the rests of one credential, for each model and for all of them. Services limit by model; a key that was revoked serves none.
type holder struct {
	credential Credential

	mu sync.Mutex

	rests map[string]*rest
}

func newHolder(c Credential) *holder { return &holder{credential: c, rests: map[string]*rest{}} }

// until gives the times before which a call for a model would be refused, as the service said and as is guessed.
func (h *holder) until(model string) (said, guessed int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	said, guessed = math.MinInt64, math.MinInt64
	for _, name := range [...]string{everyModel, model} {
		if r := h.rests[name]; r != nil {
			said, guessed = max(said, r.said, r.toldSaid), max(guessed, r.guessed, r.toldGuessed)
		}
	}
	return said, guessed
}

// lay lets the credential rest after a refusal, and gives the time at which it ends.
func (h *holder) lay(now int64, model string, e *dialect.Error) int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if e.Outcome == dialect.Quota || e.Status == http.StatusUnauthorized {
		model = everyModel
	}
	r := h.rests[model]
	if r == nil {
		r = newRest()
		h.rests[model] = r
	}
	r.refusals++
	switch {
	case e.Outcome != dialect.RateLimited:
		r.guessed = now + int64(deadRest)
	case e.Wait > 0:
		r.said = now + int64(min(e.Wait, mostRest))
		return r.said
	default:
		r.guessed = now + int64(min(mostRest, firstRest<<min(r.refusals-1, 10)))
	}
	return r.guessed
}

// resting says that the credential rests for some model.
func (h *holder) resting(now int64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.rests {
		if now < max(r.said, r.guessed, r.toldSaid, r.toldGuessed) {
			return true
		}
	}
	return false
}

// wake ends the guesses after a good call.
func (h *holder) wake(model string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.rests, everyModel)
	if r := h.rests[model]; r != nil {
		r.guessed, r.toldGuessed, r.refusals = math.MinInt64, math.MinInt64, 0
	}
}

// turn uses several credentials one after the other, and leaves out those that rest. Where an account has none, or signs its calls, there is one holder with an
// empty credential, which rests as the others do.
type turn struct {
	holders []*holder
	next    atomic.Uint64
	// latest is when the last rest ends: before it, and only then, holders have to be looked at.
	// Providers before and after a reload share it.
	latest *atomic.Int64
}

func newTurn(list []Credential) *turn {
	t := &turn{latest: new(atomic.Int64)}
	t.latest.Store(math.MinInt64)
	for _, c := range list {
		t.holders = append(t.holders, newHolder(c))
	}
	if len(list) == 0 {
		t.holders = []*holder{newHolder(Credential{})}
	}
	return t
}

// adopt takes over what is known of credentials that were there before.
func (t *turn) adopt(before *turn) {
	for i, h := range t.holders {
		for _, old := range before.holders {
			if old.credential == h.credential {
				t.holders[i] = old
			}
		}
	}
	t.latest = before.latest
}

// barred says that the service wants no call for a model with any credential, and until when.
func (t *turn) barred(now int64, model string) (until int64, barred bool) {
	if now >= t.latest.Load() {
		return now, false
	}
	until = math.MaxInt64
	for _, h := range t.holders {
		said, _ := h.until(model)
		if said <= now {
			return now, false
		}
		until = min(until, said)
	}
	return until, true
}

// pick gives the next credential for a call to a model. Where all rest, it is one whose rest is a guess, because the breaker knows better whether the service
// is of use at all. Where the service itself wants none of them now, it is nil, and until says when that ends.
func (t *turn) pick(now int64, model string) (_ *holder, until int64) {
	first := t.next.Add(1) - 1
	n := uint64(len(t.holders))
	if now >= t.latest.Load() {
		return t.holders[first%n], now
	}
	var guess *holder
	least, until := int64(math.MaxInt64), int64(math.MaxInt64)
	for i := range n {
		h := t.holders[(first+i)%n]
		said, guessed := h.until(model)
		switch {
		case now >= said && now >= guessed:
			return h, now
		case now >= said && guessed < least:
			guess, least = h, guessed
		case now < said:
			until = min(until, said)
		}
	}
	if guess != nil {
		return guess, now
	}
	return nil, until
}

// free gives the time at which some credential does not rest.
func (t *turn) free(now int64, model string) int64 {
	if now >= t.latest.Load() {
		return now
	}
	soonest := int64(math.MaxInt64)
	for _, h := range t.holders {
		said, guessed := h.until(model)
		soonest = min(soonest, max(said, guessed))
	}
	return max(now, soonest)
}

// lay lets a credential rest.
func (t *turn) lay(now int64, h *holder, model string, e *dialect.Error) {
	t.until(h.lay(now, model, e))
}

// until notes when a rest ends.
func (t *turn) until(until int64) {
	for {
		latest := t.latest.Load()
		if until <= latest || t.latest.CompareAndSwap(latest, until) {
			return
		}
	}
}

// counts gives the number of credentials, and of those that rest, if only for one model.
func (t *turn) counts(now int64) (all, resting int) {
	for _, h := range t.holders {
		if h.resting(now) {
			resting++
		}
	}
	return len(t.holders), resting
}
