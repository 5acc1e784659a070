package cache_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/promptd/promptd/internal/broadcast"
	broadcastmemory "github.com/promptd/promptd/internal/broadcast/memory"
	broadcastredis "github.com/promptd/promptd/internal/broadcast/redis"
	"github.com/promptd/promptd/internal/cache"
	"github.com/promptd/promptd/internal/cache/cachetest"
	"github.com/promptd/promptd/internal/cache/memory"
	cacheredis "github.com/promptd/promptd/internal/cache/redis"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/redis"
	"github.com/promptd/promptd/internal/redis/redistest"
)

// hand is a clock moved by hand.
type hand struct {
	mu sync.Mutex

	now time.Time
}

func newHand() *hand { return &hand{now: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)} }

func (h *hand) Now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *hand) Advance(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

// near makes a memory tier.
func near(tb testing.TB, now func() time.Time) *memory.Tier {
	tb.Helper()
	tier, err := memory.New(memory.Config{MaxBytes: 64 << 20, Clock: now})
	if err != nil {
		tb.Fatal(err)
	}
	return tier
}

// process is a process with a tier of its own before the server that it shares.
type process struct {
	*cache.Tiered

	bus    *broadcastredis.Broadcaster
	client *redis.Client
	near   *memory.Tier
}

// begin begins a process: what it runs ends with the test.
func begin(tb testing.TB, client *redis.Client, now func() time.Time, maxValue int) *process {
	tb.Helper()
	bus := broadcastredis.New(client)
	l1 := near(tb, now)
	p := &process{Tiered: cache.NewTiered(l1, cacheredis.New(client, maxValue), bus), bus: bus, client: client, near: l1}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = bus.Run(ctx) })
	wg.Go(func() { _ = p.Run(ctx) })
	tb.Cleanup(func() {
		cancel()
		wg.Wait()
		p.Close()
	})
	redistest.Wait(tb, "the process hears others", bus.Hearing)
	return p
}

// settle waits until each of two processes has heard what the other has told so far.
func settle(tb testing.TB, one, other *process) {
	tb.Helper()
	for _, way := range [][2]*process{{one, other}, {other, one}} {
		mark := fmt.Sprint("mark ", rand.Uint64())
		var heard atomic.Bool
		stop := way[1].bus.Subscribe(broadcast.Schemas, broadcast.Subscriber{Hear: func(p string) {
			if p == mark {
				heard.Store(true)
			}
		}})
		if err := way[0].bus.Publish(context.Background(), broadcast.Schemas, mark); err != nil {
			tb.Fatal(err)
		}
		redistest.Wait(tb, "a mark is heard", heard.Load)
		stop()
	}
}

func TestTieredKeepsTheContract(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s redistest.Server) {
		var n atomic.Int64
		cachetest.Run(t, func(t *testing.T, maxBytes int64) cachetest.Instance {
			own := s
			own.Prefix += fmt.Sprint(n.Add(1), ":")
			h := newHand()
			return cachetest.Instance{
				Tier:     begin(t, own.Open(t), h.Now, int(maxBytes)),
				Advance:  func(d time.Duration) { h.Advance(d); own.Age(t, d) },
				MaxBytes: maxBytes, Served: true,
			}
		})
	})
}

// alternating is one tier that is two processes: each call goes to the next of them.
type alternating struct {
	processes [2]*process
	calls     atomic.Int64
}

func (a *alternating) next() *process { return a.processes[a.calls.Add(1)%2] }

func (a *alternating) Get(ctx context.Context, k cache.Key) ([]byte, error) {
	return a.next().Get(ctx, k)
}

func (a *alternating) Put(ctx context.Context, k cache.Key, v []byte, ttl time.Duration, tags ...cache.Tag) error {
	return a.next().Put(ctx, k, v, ttl, tags...)
}

func (a *alternating) Drop(ctx context.Context, tags ...cache.Tag) (int, error) {
	return a.next().Drop(ctx, tags...)
}

// TestTwoProcessesKeepTheContract: what one has stored, replaced or dropped, the other gives, gives anew or misses, once it has heard of it.
func TestTwoProcessesKeepTheContract(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s redistest.Server) {
		var n atomic.Int64
		cachetest.Run(t, func(t *testing.T, maxBytes int64) cachetest.Instance {
			own := s
			own.Prefix += fmt.Sprint(n.Add(1), ":")
			h := newHand()
			one, other := begin(t, own.Open(t), h.Now, int(maxBytes)), begin(t, own.Open(t), h.Now, int(maxBytes))
			return cachetest.Instance{
				Tier:     &alternating{processes: [2]*process{one, other}},
				Advance:  func(d time.Duration) { h.Advance(d); own.Age(t, d) },
				Settle:   func() { settle(t, one, other) },
				MaxBytes: maxBytes, Served: true,
			}
		})
	})
}

func mustPut(tb testing.TB, tier cache.Tier, k cache.Key, v string, tags ...cache.Tag) {
	tb.Helper()
	if err := tier.Put(context.Background(), k, []byte(v), time.Hour, tags...); err != nil {
		tb.Fatalf("Put = %v", err)
	}
}

func mustGive(tb testing.TB, tier cache.Tier, k cache.Key, want string) {
	tb.Helper()
	if v, err := tier.Get(context.Background(), k); err != nil || string(v) != want {
		tb.Errorf("Get = %q, %v, want %q", v, err, want)
	}
}

func mustMiss(tb testing.TB, tier cache.Tier, k cache.Key) {
	tb.Helper()
	if v, err := tier.Get(context.Background(), k); err == nil {
		tb.Errorf("Get = %q, want a miss", v)
	}
}

// TestOutage walks through an outage of the server: the memory goes on alone for NearTTL, a drop of that time holds here at once, and everywhere when the
// server is back; nothing that was dropped comes back with it.
func TestOutage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ take, give func(*redistest.Process) }{
		"killed": {(*redistest.Process).Kill, (*redistest.Process).Begin},
		"paused": {(*redistest.Process).Pause, (*redistest.Process).Resume},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			h := newHand()
			open := func() *redis.Client { return server.OpenWith(t, redis.Options{Timeout: 200 * time.Millisecond}) }
			one, other := begin(t, open(), h.Now, 0), begin(t, open(), h.Now, 0)
			dropped, kept, later := build("a", field{"n", "1"}), build("a", field{"n", "2"}), build("a", field{"n", "3"})
			mustPut(t, one, dropped, "withdrawn", cache.SchemaTags("a", "s@1")...)
			mustPut(t, one, kept, "kept")
			mustGive(t, other, dropped, "withdrawn") // In the other's memory too.
			mustGive(t, other, kept, "kept")

			c.take(server)
			redistest.Wait(t, "both know", func() bool {
				return !one.client.Ready() && !other.client.Ready() && !one.bus.Hearing() && !other.bus.Hearing()
			})
			mustGive(t, one, kept, "kept")
			if err := one.Put(t.Context(), later, []byte("later"), time.Hour); !errors.Is(err, redis.ErrAway) {
				t.Errorf("Put while the server is away = %v, want ErrAway", err)
			}
			mustGive(t, one, later, "later")
			if n, err := one.Drop(t.Context(), cache.SchemaTag("a", "s")); n != 1 || !errors.Is(err, redis.ErrAway) || !errors.Is(err, broadcast.ErrNotTold) || !fault.Is(err, fault.Overloaded) {
				t.Errorf("Drop while the server is away = %d, %v, want 1 and an error that says that it is", n, err)
			}
			mustMiss(t, one, dropped)
			mustGive(t, other, dropped, "withdrawn") // It can't know.
			h.Advance(cache.NearTTL + time.Second)
			mustMiss(t, other, dropped) // The bound.
			mustMiss(t, other, kept)

			c.give(server)
			redistest.Wait(t, "both are back", func() bool {
				return one.client.Ready() && other.client.Ready() && one.bus.Hearing() && other.bus.Hearing()
			})
			redistest.Wait(t, "the drop is known everywhere", func() bool {
				_, here := one.Get(t.Context(), dropped)
				_, there := other.Get(t.Context(), dropped)
				return errors.Is(here, cache.ErrMiss) && errors.Is(there, cache.ErrMiss)
			})
			again := build("a", field{"n", "4"})
			redistest.Wait(t, "answers are shared again", func() bool {
				if one.Put(t.Context(), again, []byte("again"), time.Hour, cache.SchemaTags("a", "s@2")...) != nil {
					return false
				}
				v, err := other.Get(t.Context(), again)
				return err == nil && string(v) == "again"
			})
		})
	}
}

// TestMemoryIsStaleAfterALostConnection: a process whose listening was cut off misses a drop, and does not serve from its memory once it hears again.
func TestMemoryIsStaleAfterALostConnection(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	proxy := redistest.NewProxy(t, server.Server)
	one := begin(t, server.Open(t), nil, 0)
	cut := begin(t, proxy.OpenWith(t, redis.Options{Timeout: 200 * time.Millisecond}), nil, 0)
	k := build("a", field{"n", "1"})
	mustPut(t, one, k, "v", cache.SchemaTag("a", "s"))
	mustGive(t, cut, k, "v")
	proxy.Cut()
	redistest.Wait(t, "it does not hear", func() bool { return !cut.bus.Hearing() })
	if _, err := one.Drop(t.Context(), cache.SchemaTag("a", "s")); err != nil {
		t.Fatal(err)
	}
	mustGive(t, cut, k, "v") // It can't know, for NearTTL at most.
	proxy.Mend()
	redistest.Wait(t, "it hears again, and has forgotten", func() bool {
		_, err := cut.Get(t.Context(), k)
		return errors.Is(err, cache.ErrMiss)
	})
}

// TestDropReachesOtherMemoriesSoon bounds nothing by time, but logs it: a drop is heard in the time that a message takes.
func TestDropReachesOtherMemoriesSoon(t *testing.T) {
	t.Parallel()
	s := redistest.One(t)
	one, other := begin(t, s.Open(t), nil, 0), begin(t, s.Open(t), nil, 0)
	var worst time.Duration
	for n := range 50 {
		k := build("a", field{"n", fmt.Sprint(n)})
		mustPut(t, one, k, "v", cache.SchemaTag("a", "s"))
		mustGive(t, other, k, "v")
		if _, err := one.Drop(t.Context(), cache.SchemaTag("a", "s")); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		redistest.Wait(t, "the other has dropped it", func() bool {
			_, err := other.near.Get(t.Context(), k)
			return err != nil
		})
		worst = max(worst, time.Since(begun))
	}
	t.Logf("the slowest of 50 drops was known elsewhere %s after it had returned", worst)
}

// TestTurnsThroughAServer: one of two processes leads, the other takes its answer; and where the server goes away meanwhile, it goes alone.
func TestTurnsThroughAServer(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	open := func() *redis.Client { return server.OpenWith(t, redis.Options{Timeout: 200 * time.Millisecond}) }
	one, other := begin(t, open(), nil, 0), begin(t, open(), nil, 0)
	leader := cache.NewTurns(cacheredis.NewLock(one.client), one)
	follower := cache.NewTurns(cacheredis.NewLock(other.client), other)
	t.Cleanup(leader.Close)
	t.Cleanup(follower.Close)
	for _, away := range []bool{false, true} {
		k := build("a", field{"away", away})
		first, err := leader.Take(t.Context(), k)
		if err != nil || first.Answer != nil {
			t.Fatalf("the first Take = %+v, %v, want the lead", first, err)
		}
		taken := make(chan took, 1)
		go func() {
			turn, err := follower.Take(t.Context(), k)
			taken <- took{turn: turn, err: err}
		}()
		before := other.client.Figures().Calls
		redistest.Wait(t, "the other has looked", func() bool { return other.client.Figures().Calls > before+3 })
		if away {
			server.Pause()
			if got := <-taken; got.err != nil || got.turn.Answer != nil {
				t.Errorf("the other got %+v, want to go alone", got)
			}
			server.Resume()
			first.End(false)
			continue
		}
		mustPut(t, one, k, "v")
		first.End(true)
		if got := <-taken; got.err != nil || string(got.turn.Answer) != "v" {
			t.Errorf("the other got %+v, want v", got)
		}
	}
}

// store is a shared tier in this process, whose server a test takes away, and whose answers it holds up.
type store struct {
	*memory.Tier

	mu sync.Mutex

	tags map[cache.Key][]cache.Tag
	away bool

	// after is called in Fetch behind the reading; nil does nothing.
	after func()
}

var errAway = errors.New("away")

func newStore(tb testing.TB) *store {
	return &store{Tier: near(tb, nil), tags: map[cache.Key][]cache.Tag{}}
}

func (s *store) fails() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away {
		return errAway
	}
	return nil
}

func (s *store) setAway(away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = away
}

func (s *store) Fetch(ctx context.Context, k cache.Key) (cache.Entry, error) {
	if err := s.fails(); err != nil {
		return cache.Entry{}, err
	}
	v, err := s.Get(ctx, k)
	if s.after != nil {
		s.after()
	}
	if err != nil {
		return cache.Entry{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return cache.Entry{Value: v, Tags: s.tags[k], Left: time.Hour}, nil
}

func (s *store) Replace(ctx context.Context, k cache.Key, v []byte, ttl time.Duration, tags ...cache.Tag) (bool, error) {
	if err := s.fails(); err != nil {
		return false, err
	}
	_, err := s.Get(ctx, k)
	s.mu.Lock()
	s.tags[k] = tags
	s.mu.Unlock()
	return err == nil, s.Put(ctx, k, v, ttl, tags...)
}

func (s *store) Drop(ctx context.Context, tags ...cache.Tag) (int, error) {
	if err := s.fails(); err != nil {
		return 0, err
	}
	return s.Tier.Drop(ctx, tags...)
}

// TestFillIsGivenUpWhereSomethingPassed: a value that was read before a drop or a write is not kept behind it.
func TestFillIsGivenUpWhereSomethingPassed(t *testing.T) {
	t.Parallel()
	k := build("a", field{"n", "1"})
	for name, c := range map[string]struct {
		pass func(*cache.Tiered, *store)
		want string
	}{
		"drop of its tag":  {func(tier *cache.Tiered, _ *store) { _, _ = tier.Drop(context.Background(), cache.SchemaTag("a", "s")) }, ""},
		"drop of its key":  {func(tier *cache.Tiered, _ *store) { _, _ = tier.Drop(context.Background(), cache.KeyTag(k)) }, ""},
		"write of the key": {func(tier *cache.Tiered, _ *store) { _ = tier.Put(context.Background(), k, []byte("newer"), time.Hour) }, "newer"},
		"drop that is owed": {func(tier *cache.Tiered, s *store) {
			s.setAway(true)
			_, _ = tier.Drop(context.Background(), cache.AllTag("a"))
			s.setAway(false)
		}, ""},
		"nothing":              {func(*cache.Tiered, *store) {}, "v"},
		"drop of another team": {func(tier *cache.Tiered, _ *store) { _, _ = tier.Drop(context.Background(), cache.AllTag("b")) }, "v"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			far, bus := newStore(t), &broadcastmemory.Broadcaster{}
			l1 := near(t, nil)
			tier := cache.NewTiered(l1, far, bus)
			defer tier.Close()
			if _, err := far.Replace(t.Context(), k, []byte("v"), time.Hour, cache.SchemaTag("a", "s")); err != nil {
				t.Fatal(err)
			}
			far.after = func() {
				far.after = nil
				c.pass(tier, far)
			}
			mustGive(t, tier, k, "v") // It was asked before.
			if c.want == "" {
				mustMiss(t, tier, k)
				return
			}
			mustGive(t, tier, k, c.want)
		})
	}
}

// TestDropIsPaidWhenTheServerIsBack: until then the shared tier is not asked, so that what was dropped does not come back from it.
func TestDropIsPaidWhenTheServerIsBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		far, bus := newStore(t), &broadcastmemory.Broadcaster{}
		tier := cache.NewTiered(near(t, nil), far, bus)
		defer tier.Close()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- tier.Run(ctx) }()
		one, two := build("a", field{"n", "1"}), build("b", field{"n", "2"})
		mustPut(t, tier, one, "one", cache.SchemaTag("a", "s"))
		mustPut(t, tier, two, "two")
		far.setAway(true)
		// More than are kept one by one, so that the team's entries are all owed.
		for n := range 11_000 {
			if _, err := tier.Drop(t.Context(), cache.SchemaTag("a", fmt.Sprint("s", n))); !errors.Is(err, errAway) {
				t.Fatalf("Drop = %v, want the shared tier's error", err)
			}
		}
		<-time.After(10 * time.Minute)
		far.setAway(false)
		mustMiss(t, tier, one) // Its memory has expired, and the shared tier is not asked yet.
		mustMiss(t, tier, two)
		<-time.After(time.Second)
		synctest.Wait()
		mustMiss(t, far, one)
		mustGive(t, far, two, "two")
		mustGive(t, tier, two, "two")
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

// TestNearEntriesAreAskedForAgain: whatever message gets lost, what another process did shows after NearTTL.
func TestNearEntriesAreAskedForAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		far := newStore(t)
		tier := cache.NewTiered(near(t, nil), far, &broadcastmemory.Broadcaster{})
		k := build("a", field{"n", "1"})
		mustPut(t, tier, k, "v")
		if _, err := far.Drop(t.Context(), cache.KeyTag(k)); err != nil { // As another process does that can't tell.
			t.Fatal(err)
		}
		<-time.After(cache.NearTTL - time.Second)
		mustGive(t, tier, k, "v")
		<-time.After(2 * time.Second)
		mustMiss(t, tier, k)
	})
}
