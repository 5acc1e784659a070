package provider

import (
	"context"
	"fmt"
	"hash/fnv"
	"strconv"
	"time"
)

const (
	// shareEvery is the time between two exchanges: as much later a process knows what another one has learned.
	shareEvery = 300 * time.Millisecond
	// probeFor is how long a process may keep the leave to probe without a sign of life.
	probeFor = 2 * time.Second
)

// SharingConfig is what a Sharing is made from.
type SharingConfig struct {
	Board Board
	Pool  *Pool
	// Self names this process; no other one has the same name, not even after a restart.
	Self string
	// OnError is told when the board fails for the first time, and nil when it is there again; it may be nil.
	OnError func(error)
}

// Sharing tells other processes how this one finds the providers, and hears from them: breakers that opened, waits that services asked for, calls under way. Run does
// it in the background; no request waits for it. While the board is away each process goes by what it finds itself.
type Sharing struct {
	cfg   SharingConfig
	seq   uint64
	heard map[string]uint64 // The last notice of each process.
	// leaves are the probes that this process has the leave for.
	leaves map[string]bool
	last   time.Time // when the board answered
	away   bool
}

// NewSharing makes a Sharing.
func NewSharing(c SharingConfig) *Sharing {
	if c.OnError == nil {
		c.OnError = func(error) {}
	}
	return &Sharing{cfg: c, heard: map[string]uint64{}, leaves: map[string]bool{}, last: time.Now()}
}

// Run exchanges until the context ends; then it takes its notice back.
func (s *Sharing) Run(ctx context.Context) error {
	tick := time.NewTicker(shareEvery)
	defer tick.Stop()
	for {
		s.exchange(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.end(ctx)
			return nil
		}
	}
}

// end takes back what this process said, so that nobody counts calls that it no longer has.
func (s *Sharing) end(ctx context.Context) {
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	s.seq++
	_, _ = s.cfg.Board.Exchange(last, Notice{From: s.cfg.Self, Seq: s.seq}) //nolint:errcheck // It is gone by itself.
	for what := range s.leaves {
		_ = s.cfg.Board.Release(last, what, s.cfg.Self) //nolint:errcheck // As well.
	}
	s.alone()
}

// exchange tells and hears once.
func (s *Sharing) exchange(ctx context.Context) {
	within, cancel := context.WithTimeout(ctx, BoardFor/2)
	defer cancel()
	err := s.tellAndHear(within)
	switch now := time.Now(); {
	case ctx.Err() != nil:
	case err == nil:
		s.last = now
		if s.away {
			s.away = false
			s.cfg.OnError(nil)
		}
	default:
		if !s.away {
			s.away = true
			s.cfg.OnError(fmt.Errorf("tell other processes how the providers are: %w", err))
		}
		if now.Sub(s.last) >= BoardFor {
			s.alone()
		}
	}
}

func (s *Sharing) tellAndHear(ctx context.Context) error {
	all := s.cfg.Pool.Providers()
	s.seq++
	mine := Notice{From: s.cfg.Self, Seq: s.seq}
	for _, p := range all {
		if a, ok := p.notice(); ok {
			mine.Accounts = append(mine.Accounts, a)
		}
	}
	others, err := s.cfg.Board.Exchange(ctx, mine)
	if err != nil {
		return err
	}
	s.hear(all, others)
	return s.claim(ctx, all)
}

// hear takes in what others say. A notice that was heard before says nothing new: its times began when it was put there.
func (s *Sharing) hear(all []*Provider, others []Notice) {
	said := map[string][]AccountNotice{}
	news := map[string][]AccountNotice{}
	still := make(map[string]uint64, len(others))
	for _, n := range others {
		fresh := n.Seq != s.heard[n.From]
		still[n.From] = n.Seq
		for _, a := range n.Accounts {
			said[a.Account] = append(said[a.Account], a)
			if fresh {
				news[a.Account] = append(news[a.Account], a)
			}
		}
	}
	s.heard = still
	for _, p := range all {
		p.live.slots.hear(said[p.mark()])
		for _, a := range news[p.mark()] {
			p.learn(a)
		}
	}
}

// claim gets the leave to probe for those models of which this process would probe one, and gives it back where it does not.
func (s *Sharing) claim(ctx context.Context, all []*Provider) error {
	for _, p := range all {
		for model, t := range p.live.tracks {
			what := p.mark() + "/" + model
			begun := p.live.clock()
			if !t.breaker.wants(begun) {
				if s.leaves[what] {
					delete(s.leaves, what)
					if err := s.cfg.Board.Release(ctx, what, s.cfg.Self); err != nil {
						return err
					}
				}
				continue
			}
			ok, err := s.cfg.Board.Claim(ctx, what, s.cfg.Self, probeFor)
			if err != nil {
				return err
			}
			if ok {
				s.leaves[what] = true
				t.breaker.grant(begun + int64(probeFor-shareEvery))
			}
		}
	}
	return nil
}

// alone goes by what this process finds itself.
func (s *Sharing) alone() {
	s.heard, s.leaves = map[string]uint64{}, map[string]bool{}
	for _, p := range s.cfg.Pool.Providers() {
		p.live.slots.hear(nil)
		for _, t := range p.live.tracks {
			t.breaker.alone()
		}
	}
}

// mark names an account in all processes: its name, and a sum of its address, which another configuration may have changed.
func (p *Provider) mark() string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(p.BaseURL())) // It never fails.
	return p.Name() + "#" + strconv.FormatUint(h.Sum64(), 36)
}

// notice is what there is to say of an account, if anything. What others said is not repeated, or it would never end.
func (p *Provider) notice() (a AccountNotice, ok bool) {
	l := p.live
	now := l.clock()
	a.Account = p.mark()
	a.Inside, a.Waiting, a.Limit = l.slots.tell()
	for model, t := range l.tracks {
		m := t.breaker.tell(now)
		m.Model, m.Held = model, time.Duration(max(0, t.held.Load()-now))
		if m.Open > 0 || m.Mended > 0 || m.Held > 0 {
			a.Models = append(a.Models, m)
		}
	}
	a.Rests = l.turn.tell(now)
	return a, a.Inside > 0 || a.Waiting > 0 || a.Limit > 0 || len(a.Models) > 0 || len(a.Rests) > 0
}

// learn takes in what another process says of an account. No wait is believed for longer than this process would believe the service itself.
func (p *Provider) learn(a AccountNotice) {
	l := p.live
	now := l.clock()
	for _, m := range a.Models {
		t, ok := l.tracks[m.Model]
		if !ok {
			continue
		}
		if m.Mended > 0 {
			t.breaker.hearMended(now - int64(m.Mended))
		}
		if m.Open > 0 {
			t.breaker.hearOpen(now, m.Open)
		}
		if m.Held > 0 {
			t.told.Store(max(t.told.Load(), now+int64(min(m.Held, mostRest))))
		}
	}
	for _, r := range a.Rests {
		if _, ok := l.tracks[r.Model]; ok || r.Model == everyModel {
			l.turn.hear(now, r)
		}
	}
}

// fair is what one of several may have of a limit, whatever it wants, where the others want so much, the least first: everybody gets as much as nobody with more
// would have to give up.
func fair(limit int, wanted []int) int {
	n := len(wanted) + 1
	for _, w := range wanted {
		if w*n >= limit {
			break
		}
		limit -= w
		n--
	}
	return (limit + n - 1) / n
}
