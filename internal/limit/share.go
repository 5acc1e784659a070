package limit

import (
	"context"
	"hash/maphash"
	"math"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"
)

// Ledger is a Limiter in which several processes count together.
type Ledger interface {
	Limiter
	// Count counts a cost under a key of Allow that was admitted without the ledger: wholly, or up to the whole limit. Errors are those of Allow.
	Count(ctx context.Context, key string, cost int, p Policy) error
}

// The times of a Shared.
const (
	// askLedger is how long a key is counted here after the ledger failed, before it is asked for it again.
	askLedger = 250 * time.Millisecond
	// tellAgain is how long nothing is said of a ledger that fails on.
	tellAgain = 10 * time.Second
	// rejoinEvery is the time between two looks for keys that could be counted in the ledger again, although nobody asks for them.
	rejoinEvery = time.Second
	// shareSweep is the time between two looks for keys that nobody uses any more.
	shareSweep = time.Minute
)

// shareShards spread the keys over locks, none of which is held while the ledger is asked.
const shareShards = 32

// ShareConfig is what a Shared is made from.
type ShareConfig struct {
	Ledger Ledger
	// Members gives how many processes count in the ledger, this one included; nil means one. It is asked while the ledger is away and must not wait.
	Members func() int
	// Now is the clock; nil means the real one.
	Now func() time.Time
	// OnError is told why the ledger was not counted in, every ten seconds at the most while that is so; it may be nil.
	OnError func(error)
}

// Shared is a limiter that counts in a ledger, and goes on by itself while that is away: then each process admits its share, a limit's part by the number of
// processes. Nobody gets an error because of it. Its methods are safe for concurrent use.
//
// Nothing is made whole by the change. A key that goes on here begins with what the ledger said of it last; and before the ledger is asked for it again, it hears
// what was admitted here. What may be admitted beyond the limit is bounded:
//   - what other processes admitted between the ledger's last word to this one and its end, at most this process's share;
//   - a request that costs more than the share, such as a large batch: it is admitted when the whole share is there, and paid back before anything else is;
//   - one for each process where a limit is smaller than the number of processes;
//   - what other processes admitted by themselves and have not told yet when this one is back;
//   - what calls under way had reserved here, until they end.
type Shared struct {
	cfg   ShareConfig
	start time.Time
	seed  maphash.Seed
	shard [shareShards]shareShard
	here  atomic.Uint64 // decisions made without the ledger
	told  atomic.Int64  // when OnError was told last
}

type shareShard struct {
	mu sync.Mutex

	rates  map[string]*sharedRate
	places map[string]*sharedPlaces
}

// NewShared makes a Shared. Keys are forgotten by Run.
func NewShared(c ShareConfig) *Shared {
	if c.Members == nil {
		c.Members = func() int { return 1 }
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.OnError == nil {
		c.OnError = func(error) {}
	}
	s := &Shared{cfg: c, start: c.Now(), seed: maphash.MakeSeed()}
	for i := range s.shard {
		s.shard[i].rates, s.shard[i].places = map[string]*sharedRate{}, map[string]*sharedPlaces{}
	}
	return s
}

// Run tells the ledger when it is back what was admitted without it, also where nobody asks for more, and forgets keys that nobody uses any more, until the context
// ends.
func (s *Shared) Run(ctx context.Context) error {
	sweep, rejoin := time.NewTicker(shareSweep), time.NewTicker(rejoinEvery)
	defer sweep.Stop()
	defer rejoin.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-sweep.C:
			s.sweep()
		case <-rejoin.C:
			s.rejoin(ctx)
		}
	}
}

// rejoin asks the ledger for every key that is counted here, until it fails.
func (s *Shared) rejoin(ctx context.Context) {
	for i := range s.shard {
		for _, again := range s.shard[i].absent(s) {
			if !again(ctx) {
				return
			}
		}
	}
}

// absent gives for each key that is counted here what asks the ledger for it, and says whether that answered.
func (h *shareShard) absent(s *Shared) (list []func(context.Context) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for key, r := range h.rates {
		if r.away.is {
			list = append(list, s.reask(key, r.policy, r.held))
		}
	}
	for key, p := range h.places {
		if p.away.is {
			list = append(list, func(ctx context.Context) bool { return s.readmit(ctx, key, math.MaxInt) })
		}
	}
	return list
}

// sweep forgets what says no more than a key never seen, and gives how many are left.
func (s *Shared) sweep() (left int) {
	for i := range s.shard {
		h := &s.shard[i]
		h.mu.Lock()
		now := s.now()
		for key, r := range h.rates {
			if r.idle(now) {
				delete(h.rates, key)
			}
		}
		for key, p := range h.places {
			if p.idle() {
				delete(h.places, key)
			}
		}
		left += len(h.rates) + len(h.places)
		h.mu.Unlock()
	}
	return left
}

// ShareFigures say how often a Shared went on by itself.
type ShareFigures struct {
	// Decisions counts those made without the ledger since the start; Keys are those that are counted here now.
	Decisions uint64
	Keys      int
}

// Figures gives the figures; while the ledger answers, Keys falls to 0 as soon as each key is used.
func (s *Shared) Figures() ShareFigures {
	f := ShareFigures{Decisions: s.here.Load()}
	for i := range s.shard {
		h := &s.shard[i]
		h.mu.Lock()
		for _, r := range h.rates {
			if r.away.is {
				f.Keys++
			}
		}
		for _, p := range h.places {
			if p.away.is {
				f.Keys++
			}
		}
		h.mu.Unlock()
	}
	return f
}

func (s *Shared) now() int64 { return int64(s.cfg.Now().Sub(s.start)) }

func (s *Shared) of(key string) *shareShard {
	return &s.shard[maphash.String(s.seed, key)%shareShards]
}

// part is this process's share of a policy. Where the limit is smaller than the number of processes each has one, and gets it back so much later.
func (s *Shared) part(p Policy) Policy {
	members := max(1, s.cfg.Members())
	if n := p.Limit / members; n >= 1 {
		return Policy{n, p.Period}
	}
	return Policy{1, time.Duration(min(int64(MaxPeriod), scale(int64(p.Period), members, p.Limit)))}
}

// scale is n × times / by, rounded up; it is the largest integer where it would be above.
func scale(n int64, times, by int) int64 {
	const most = 1<<63 - 1
	hi, lo := bits.Mul64(uint64(n), uint64(times)) //nolint:gosec // None is negative.
	lo, carry := bits.Add64(lo, uint64(by-1), 0)   //nolint:gosec // It is positive.
	hi += carry
	if hi >= uint64(by) { //nolint:gosec // It is positive.
		return most
	}
	q, _ := bits.Div64(hi, lo, uint64(by)) //nolint:gosec // It is positive.
	return int64(min(q, most))             //nolint:gosec // It was bounded.
}

// away says that a key is counted here, because the ledger failed.
type away struct {
	is    bool
	since uint64 // The how-manieth time it is.
	asked int64  // when the ledger was asked last
	// asking says that somebody asks the ledger now; the others go on here.
	asking bool
}

// begin is for a call of the ledger that failed.
func (a *away) begin(now int64) {
	a.is, a.asked = true, now
	a.since++
}

// ask says that it is time to ask the ledger again, and that the caller does.
func (a *away) ask(now int64) bool {
	if a.asking || now-a.asked < int64(askLedger) {
		return false
	}
	a.asking, a.asked = true, now
	return true
}

// trouble says that an error is the ledger's, not what a call brought upon itself.
func (s *Shared) trouble(ctx context.Context, err error) bool {
	if err == nil || ctx.Err() != nil {
		return false
	}
	if now, told := s.now(), s.told.Load(); (told == 0 || now-told >= int64(tellAgain)) && s.told.CompareAndSwap(told, max(1, now)) {
		s.cfg.OnError(err)
	}
	return true
}
