package delivery

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/promptd/promptd/internal/key"
)

// The usual sizes and times of a sender.
const (
	usualWorkers = 64
	usualPerHost = 8
	// usualLease is how long what a dead sender held stays its own; a send takes at most 15 seconds.
	usualLease = time.Minute
	usualPoll  = time.Second
	usualAge   = 24 * time.Hour
	// sweepEvery, sweepPortion and sweepGrace: what was never tried again, because its host was dead, fails a while after its time.
	sweepEvery   = time.Minute
	sweepPortion = 500
	sweepGrace   = 15 * time.Minute
	// never is an age that nothing has.
	never = 100 * 365 * 24 * time.Hour
	// keepFor is how long the log of what ended stays.
	keepFor = 30 * 24 * time.Hour
	// mostLanes is how many lanes are looked at together, mostLooks how often in one round where none of them can be served.
	mostLanes = 256
	mostLooks = 40
	// breath is the least time between a look that found nothing and the next one, whoever wakes the sender: it is woken by the end of every job, and most are told to nobody.
	breath = 50 * time.Millisecond
	// storeLimit bounds a call of the store.
	storeLimit = 10 * time.Second
	// drainLimit is how long what is under way may go on when the sender ends.
	drainLimit = 5 * time.Second
)

// Composer gives what a message tells of, as GET /v1/jobs/{id} shows it. It is asked once a message and target; what it gives is kept. What is no longer there is a
// NOT_FOUND or GONE fault.
type Composer interface {
	Compose(ctx context.Context, m Message) (json.RawMessage, error)
}

// SenderConfig is what a [Sender] is made from. Store, Composer and Transport are wanted; what else is zero gets its usual value.
type SenderConfig struct {
	Store     Store
	Composer  Composer
	Transport Transport
	// NewID makes tokens that nobody else makes.
	NewID func() string
	// Workers is how many sends there are at the same time, PerHost how many of them to one host.
	Workers, PerHost int
	// Lease is how long a claim lasts without a sign of life, Poll how often the store is asked when nobody wakes the sender.
	Lease, Poll time.Duration
	// MaxAge is webhooks.max_age: how long a message is tried.
	MaxAge time.Duration
	// Now is the clock of signatures and breakers, Chance gives numbers from 0 to 1; nil means the real ones.
	Now    func() time.Time
	Chance func() float64
	// OnAttempt is told of every attempt and what became of the delivery, OnHost of a breaker that opens, OnError of what went wrong with the store. Any may be nil.
	OnAttempt func(Event, Attempt, Status)
	OnHost    func(host string)
	OnError   func(error)
}

// Sender sends what is due. [Sender.Run] owns it; several may work on one store.
type Sender struct {
	cfg   SenderConfig
	hosts *hosts
	wake  chan struct{} // Capacity one: something may be due.
	freed chan struct{} // Capacity one: a worker is free again.
	after Lane          // The lane that was served last; Run's loop alone uses it.

	sending sync.WaitGroup

	mu sync.Mutex

	held map[ID]*held
	// steady is since when this sender has found the store there.
	steady time.Time
}

// held is a delivery that this sender has.
type held struct {
	team   key.TeamID
	token  string
	cancel context.CancelCauseFunc
}

// NewSender makes a sender. Nothing is sent before Run.
func NewSender(c SenderConfig) *Sender {
	c.Workers, c.PerHost = cmp.Or(c.Workers, usualWorkers), cmp.Or(c.PerHost, usualPerHost)
	c.Lease, c.Poll, c.MaxAge = cmp.Or(c.Lease, usualLease), cmp.Or(c.Poll, usualPoll), cmp.Or(c.MaxAge, usualAge)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Chance == nil {
		c.Chance = rand.Float64
	}
	if c.OnAttempt == nil {
		c.OnAttempt = func(Event, Attempt, Status) {}
	}
	if c.OnHost == nil {
		c.OnHost = func(string) {}
	}
	if c.OnError == nil {
		c.OnError = func(error) {}
	}
	return &Sender{
		cfg: c, hosts: newHosts(c.PerHost, c.Now), wake: make(chan struct{}, 1), freed: make(chan struct{}, 1), held: map[ID]*held{},
	}
}

// Wake says that something may be due. It never blocks.
func (s *Sender) Wake() { signal(s.wake) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run sends until the context ends. Then what is under way may end for a few seconds; what does not is given back, for others to send.
func (s *Sender) Run(ctx context.Context) error {
	s.unsteady()
	var owned sync.WaitGroup
	beating, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer owned.Wait()
	defer stop()
	owned.Go(func() { s.every(beating, s.cfg.Lease/3, s.heartbeat) })
	owned.Go(func() { s.every(ctx, sweepEvery, s.sweep) })

	poll := time.NewTimer(0)
	defer poll.Stop()
	hungry, looked := true, time.Time{}
	for ctx.Err() == nil {
		freed := s.freed
		if !hungry {
			freed = nil
		}
		select {
		case <-ctx.Done():
			s.drain()
			return nil
		case <-s.wake:
			if rest := breath - time.Since(looked); !hungry && rest > 0 {
				poll.Reset(rest)
				continue
			}
		case <-freed:
		case <-poll.C:
		}
		looked = time.Now()
		hungry = s.round(ctx)
		poll.Reset(s.cfg.Poll)
	}
	s.drain()
	return nil
}

// every calls f again and again until the context ends.
func (s *Sender) every(ctx context.Context, pause time.Duration, f func(context.Context)) {
	again := time.NewTicker(pause)
	defer again.Stop()
	for {
		select {
		case <-again.C:
			f(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// round takes what is due and begins to send it. It says whether more may be due, for which a worker that gets free is a reason to look again.
func (s *Sender) round(ctx context.Context) (hungry bool) {
	free := s.cfg.Workers - s.busy()
	if free <= 0 {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, storeLimit)
	defer cancel()
	for range mostLooks {
		lanes, err := s.due(ctx)
		if err != nil {
			s.unsteady()
			s.complain(ctx, err)
			return false
		}
		if shares := allot(lanes, free, s.hosts.room, s.teams()); len(shares) > 0 {
			return s.claim(ctx, shares)
		}
		if len(lanes) < mostLanes {
			return len(lanes) > 0
		}
		s.after = lanes[len(lanes)-1] // The hosts of all of these are busy or dead: others come behind them.
	}
	return true
}

// claim takes shares and begins to send what it got.
func (s *Sender) claim(ctx context.Context, shares []Share) (hungry bool) {
	s.after = shares[len(shares)-1].Lane
	token := s.cfg.NewID()
	taken, err := s.cfg.Store.Claim(ctx, token, s.cfg.Lease, shares)
	if err != nil {
		s.unsteady()
		s.complain(ctx, err)
		return false
	}
	for i := range taken {
		s.begin(ctx, token, taken[i])
	}
	return true
}

// due gives lanes with work in their turn: those behind the one that was served last, then those from the beginning.
func (s *Sender) due(ctx context.Context) ([]Lane, error) {
	lanes, err := s.cfg.Store.Due(ctx, s.after, mostLanes)
	if err != nil || len(lanes) == mostLanes || s.after == (Lane{}) {
		return lanes, err
	}
	first, err := s.cfg.Store.Due(ctx, Lane{}, mostLanes-len(lanes))
	if err != nil {
		return nil, err
	}
	for _, l := range first {
		if !slices.Contains(lanes, l) {
			lanes = append(lanes, l)
		}
	}
	return lanes, nil
}

// teamShare bounds what one team has under way by what is free still: four times as much. So one alone gets four fifths of the workers, and when several teams have dead
// hosts some workers are free still for a team that has nothing under way.
const teamShare = 4

// allot divides free workers among lanes: one for each in turn, then a second, until no worker is free, or no host or team has room. Busy is what teams have under way.
func allot(lanes []Lane, free int, room func(host string) int, busy map[key.TeamID]int) []Share {
	left := map[string]int{}
	for _, l := range lanes {
		if _, known := left[l.Host]; !known {
			left[l.Host] = room(l.Host)
		}
	}
	most := make([]int, len(lanes))
	for gave := true; gave && free > 0; {
		gave = false
		for i, l := range lanes {
			if free > 0 && left[l.Host] > 0 && busy[l.Team] < teamShare*free {
				most[i]++
				left[l.Host]--
				busy[l.Team]++
				free--
				gave = true
			}
		}
	}
	var shares []Share
	for i, n := range most {
		if n > 0 {
			shares = append(shares, Share{lanes[i], n})
		}
	}
	return shares
}

// begin sends one in a goroutine that Run waits for.
func (s *Sender) begin(ctx context.Context, token string, c Claimed) {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	s.mu.Lock()
	s.held[c.ID] = &held{c.Message.Team, token, cancel}
	s.mu.Unlock()
	s.hosts.begin(HostOf(c.URL))
	s.sending.Go(func() {
		v := s.deliver(ctx, token, &c)
		cancel(nil)
		if host := HostOf(c.URL); s.hosts.end(host, v) {
			s.cfg.OnHost(host)
		}
		s.mu.Lock()
		if h := s.held[c.ID]; h != nil && h.token == token {
			delete(s.held, c.ID)
		}
		s.mu.Unlock()
		signal(s.freed)
	})
}

// teams counts what each team has under way.
func (s *Sender) teams() map[key.TeamID]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := map[key.TeamID]int{}
	for _, h := range s.held {
		n[h.team]++
	}
	return n
}

func (s *Sender) busy() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.held)
}

// heartbeat renews the leases of what is under way, and ends what was lost.
func (s *Sender) heartbeat(ctx context.Context) {
	byToken := map[string][]ID{}
	s.mu.Lock()
	for id, h := range s.held {
		byToken[h.token] = append(byToken[h.token], id)
	}
	s.mu.Unlock()
	for token, ids := range byToken {
		slices.Sort(ids)
		within, cancel := context.WithTimeout(ctx, storeLimit)
		lost, err := s.cfg.Store.Renew(within, token, ids, s.cfg.Lease)
		cancel()
		if err != nil {
			s.complain(ctx, err)
			continue
		}
		s.mu.Lock()
		for _, id := range lost {
			if h := s.held[id]; h != nil && h.token == token {
				h.cancel(ErrLeaseLost)
			}
		}
		s.mu.Unlock()
	}
}

// unsteady notes that up to now nobody here could send.
func (s *Sender) unsteady() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.steady = s.cfg.Now()
}

// expire is the age at which what waits is given up without a try. Until this sender has had some time with the store nothing is: after an outage, of all senders or of the
// store, what became old meanwhile is sent once, and its age is looked at then.
func (s *Sender) expire() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cfg.Now().Sub(s.steady) < sweepGrace {
		return never
	}
	return s.cfg.MaxAge + sweepGrace
}

// sweep fails what is too old and deletes what ended long ago, in portions.
func (s *Sender) sweep(ctx context.Context) {
	for ctx.Err() == nil {
		within, cancel := context.WithTimeout(ctx, storeLimit)
		failed, deleted, err := s.cfg.Store.Sweep(within, s.expire(), keepFor, sweepPortion)
		cancel()
		if err != nil {
			s.complain(ctx, err)
			return
		}
		if failed < sweepPortion && deleted < sweepPortion {
			return
		}
	}
}

// drain waits for what is under way, ends it after a while and waits until it was given back.
func (s *Sender) drain() {
	patience := time.AfterFunc(drainLimit, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, h := range s.held {
			h.cancel(errEnding)
		}
	})
	defer patience.Stop()
	s.sending.Wait()
}

// complain tells of an error, but not of the end.
func (s *Sender) complain(ctx context.Context, err error) {
	if !errors.Is(ctx.Err(), context.Canceled) {
		s.cfg.OnError(err)
	}
}
