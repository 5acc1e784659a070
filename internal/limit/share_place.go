package limit

import (
	"context"
	"fmt"
	"math"
)

// sharedPlaces are the places under a key as a Shared has them. Its shard's mutex guards them.
type sharedPlaces struct {
	away away
	// counted are those inside that the ledger knows of, here those that it does not.
	counted, here int
}

func (p *sharedPlaces) idle() bool { return p.counted == 0 && p.here == 0 && !p.away.asking }

func (h *shareShard) place(key string) *sharedPlaces {
	p := h.places[key]
	if p == nil {
		p = &sharedPlaces{}
		h.places[key] = p
	}
	return p
}

// Enter lets one more in; see [Limiter].
func (s *Shared) Enter(ctx context.Context, key string, most int) (Decision, error) {
	if err := ctx.Err(); err != nil {
		return Decision{}, err
	}
	if most < 1 {
		return Decision{}, fmt.Errorf("concurrency limit of %d for a key: it must be positive", most)
	}
	if !s.readmit(ctx, key, readmitAtOnce) {
		return s.enterHere(key, most), nil
	}
	d, err := s.cfg.Ledger.Enter(ctx, key, most)
	if s.trouble(ctx, err) {
		return s.enterHere(key, most), nil
	}
	if err == nil && d.Allowed {
		h := s.of(key)
		h.mu.Lock()
		h.place(key).counted++
		h.mu.Unlock()
	}
	return d, err
}

// enterHere lets one in by this process's share, in which everybody counts who is inside through this process.
func (s *Shared) enterHere(key string, most int) Decision {
	s.here.Add(1)
	h := s.of(key)
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.place(key)
	if !p.away.is {
		p.away.begin(s.now())
	}
	d := Crowded(p.counted+p.here, max(1, most/max(1, s.cfg.Members())))
	d.Limit = most
	if d.Allowed {
		p.here++
	}
	return d
}

// Leave gives a place back; see [Limiter].
func (s *Shared) Leave(ctx context.Context, key string) error {
	h := s.of(key)
	h.mu.Lock()
	p := h.place(key)
	switch {
	case p.here > 0:
		p.here--
		h.mu.Unlock()
		return nil
	case p.counted > 0:
		p.counted--
	default:
		h.mu.Unlock()
		return fmt.Errorf("leave %s: nobody is inside", key)
	}
	h.mu.Unlock()
	_ = s.cfg.Ledger.Leave(ctx, key) //nolint:errcheck // In the ledger the place lapses by itself.
	return nil
}

// Inside counts those who have entered; see [Limiter]. While the ledger is away it counts those of this process.
func (s *Shared) Inside(ctx context.Context, key string) (int, error) {
	n, err := s.cfg.Ledger.Inside(ctx, key)
	if err != nil && !s.trouble(ctx, err) {
		return 0, err
	}
	h := s.of(key)
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.places[key]
	switch {
	case p == nil:
		return n, nil
	case err != nil:
		return p.counted + p.here, nil
	default:
		return n + p.here, nil
	}
}

// readmitAtOnce is how many places a caller tells the ledger of before its own: each costs a round trip. The others are told by the next ones, or by Run.
const readmitAtOnce = 8

// readmit says whether the ledger is to be asked for a key. Where it was away, it first hears of those who entered without it, at most so many: there is no limit for
// them. While some are left the key is counted here.
func (s *Shared) readmit(ctx context.Context, key string, most int) bool {
	h := s.of(key)
	h.mu.Lock()
	p := h.place(key)
	if !p.away.is {
		h.mu.Unlock()
		return true
	}
	if !p.away.ask(s.now()) {
		h.mu.Unlock()
		return false
	}
	left := p.here
	h.mu.Unlock()

	back, all := true, left <= most
	for left = min(left, most); left > 0 && back; left-- {
		back = s.readmitOne(ctx, key)
	}
	back = back && all

	h.mu.Lock()
	defer h.mu.Unlock()
	p = h.place(key)
	p.away.asking = false
	p.away.is = !back
	return back
}

func (s *Shared) readmitOne(ctx context.Context, key string) bool {
	if _, err := s.cfg.Ledger.Enter(ctx, key, math.MaxInt); err != nil {
		s.trouble(ctx, err)
		return false
	}
	h := s.of(key)
	h.mu.Lock()
	p := h.place(key)
	stays := p.here > 0
	if stays {
		p.here--
		p.counted++
	}
	h.mu.Unlock()
	if !stays { // Gone meanwhile.
		_ = s.cfg.Ledger.Leave(ctx, key) //nolint:errcheck // The place lapses by itself.
	}
	return true
}

var _ Limiter = (*Shared)(nil)
