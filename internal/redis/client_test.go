package redis_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/promptd/promptd/internal/redis"
	"github.com/promptd/promptd/internal/redis/redistest"
)

func get(c *redis.Client, ctx context.Context, key string) (string, error) {
	return c.Do(ctx, func(b rueidis.Builder) rueidis.Completed { return b.Get().Key(key).Build() }).ToString()
}

func set(c *redis.Client, ctx context.Context, key, value string) error {
	return c.Do(ctx, func(b rueidis.Builder) rueidis.Completed {
		return b.Set().Key(key).Value(value).Ex(time.Minute).Build()
	}).Error()
}

func TestCommandsAndScripts(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s redistest.Server) {
		c := s.Open(t)
		k := c.Key("a", "x")
		if v, err := get(c, t.Context(), k); !rueidis.IsRedisNil(err) {
			t.Errorf("get of nothing = %q, %v, want a nil answer", v, err)
		}
		if err := set(c, t.Context(), k, "v"); err != nil {
			t.Fatal(err)
		}
		if v, err := get(c, t.Context(), k); v != "v" || err != nil {
			t.Errorf("get = %q, %v, want v", v, err)
		}
		// The text is new to the server, so that the way of a missing script is taken once.
		fresh := redis.NewScript("-- " + s.Prefix + "\nreturn {redis.call('GET', KEYS[1]), KEYS[2], ARGV[1]}")
		for range 2 {
			got, err := c.Run(t.Context(), fresh, []string{k, c.Key("a", "y")}, []string{"arg"}).AsStrSlice()
			if err != nil || fmt.Sprint(got) != fmt.Sprint([]string{"v", c.Key("a", "y"), "arg"}) {
				t.Errorf("script = %q, %v", got, err)
			}
		}
		many, err := c.DoMulti(t.Context(), func(b rueidis.Builder) []rueidis.Completed {
			return []rueidis.Completed{b.Get().Key(k).Build(), b.Get().Key(c.Key("b", "x")).Build()}
		})
		if err != nil || len(many) != 2 || many[0].Error() != nil || !rueidis.IsRedisNil(many[1].Error()) {
			t.Errorf("several = %v, %v, want a value and nothing", many, err)
		}
		if f := c.Figures(); f.Failures != 0 || f.Refused != 0 || f.InFlight != 0 || f.Calls == 0 {
			t.Errorf("Figures = %+v, want calls alone", f)
		}
	})
}

// TestServersRefusalIsNoOutage: an error that the server gives to a command is its caller's affair.
func TestServersRefusalIsNoOutage(t *testing.T) {
	t.Parallel()
	c := redistest.One(t).Open(t)
	for range 20 {
		err := c.Do(t.Context(), func(b rueidis.Builder) rueidis.Completed { return b.Arbitrary("NOSUCH").Build() }).Error()
		if err == nil || errors.Is(err, redis.ErrAway) {
			t.Fatalf("an unknown command = %v, want the server's error", err)
		}
	}
	if !c.Ready() {
		t.Error("errors of commands have opened the breaker")
	}
}

func TestCallersOwnContextIsItsOwnAffair(t *testing.T) {
	t.Parallel()
	c := redistest.One(t).Open(t)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 {
		if _, err := get(c, gone, c.Key("a")); !errors.Is(err, context.Canceled) || errors.Is(err, redis.ErrAway) {
			t.Fatalf("call with a cancelled context = %v, want context.Canceled", err)
		}
	}
	if f := c.Figures(); !c.Ready() || f.Failures != 0 {
		t.Errorf("cancelled callers have counted as failures: %+v", f)
	}
}

func TestOpenNeverFailsWhereTheServerIsAway(t *testing.T) {
	t.Parallel()
	p := redistest.Start(t)
	p.Kill()
	c, err := redis.Open(t.Context(), redis.Options{URL: p.URL})
	if err != nil {
		t.Fatalf("Open = %v, want a client that waits for its server", err)
	}
	defer c.Close()
	if s := c.State(); s.Ready || s.Err == nil {
		t.Errorf("State = %+v, want away with a reason", s)
	}
	if _, err := get(c, t.Context(), "x"); !errors.Is(err, redis.ErrAway) {
		t.Errorf("call = %v, want ErrAway", err)
	}
	if err := c.Listen(t.Context(), "x", func() {}, func(string) {}); !errors.Is(err, redis.ErrAway) {
		t.Errorf("Listen = %v, want ErrAway", err)
	}
	p.Begin()
	redistest.Wait(t, "the client has found its server", c.Ready)
	if err := set(c, t.Context(), "x", "v"); err != nil {
		t.Errorf("call after the server came = %v", err)
	}
}

// TestOutages takes a server away in each way, and looks at what callers lose.
func TestOutages(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		take, give func(*redistest.Process)
	}{
		{"killed", (*redistest.Process).Kill, (*redistest.Process).Begin},
		{"paused", (*redistest.Process).Pause, (*redistest.Process).Resume},
		{"paused and then killed", (*redistest.Process).Pause, func(p *redistest.Process) { p.Kill(); p.Begin() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			outage(t, c.take, c.give)
		})
	}
}

func outage(t *testing.T, take, give func(*redistest.Process)) {
	p := redistest.Start(t)
	client := p.OpenWith(t, redis.Options{Timeout: 200 * time.Millisecond})
	var mu sync.Mutex
	var told []bool
	stop := client.OnChange(func(s redis.State) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, s.Ready)
	})
	defer stop()
	if err := set(client, t.Context(), "x", "v"); err != nil {
		t.Fatal(err)
	}
	take(p)
	waited := time.Duration(0)
	calls := 0
	for client.Ready() {
		begun := time.Now()
		_, err := get(client, t.Context(), "x")
		waited += time.Since(begun)
		calls++
		if err != nil && !errors.Is(err, redis.ErrAway) {
			t.Fatalf("call %d of an outage = %v, want ErrAway", calls, err)
		}
	}
	t.Logf("%d calls waited %s together until the breaker opened", calls, waited)
	before := client.Figures().Calls
	for range 1000 {
		if _, err := get(client, t.Context(), "x"); !errors.Is(err, redis.ErrAway) {
			t.Fatalf("call in the outage = %v, want ErrAway", err)
		}
	}
	if sent := client.Figures().Calls - before; sent != 0 {
		t.Errorf("%d calls were sent to a server that is away", sent)
	}
	give(p)
	redistest.Wait(t, "the client is back", client.Ready)
	redistest.Wait(t, "calls succeed", func() bool { return set(client, t.Context(), "x", "w") == nil })
	redistest.Wait(t, "the change was told", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(told) >= 3 && told[0] && !told[1] && told[len(told)-1]
	})
	if f := client.Figures(); f.Outages == 0 || f.InFlight != 0 {
		t.Errorf("Figures = %+v, want an outage and nothing in flight", f)
	}
}

// TestPausedServerHoldsUpABoundedNumberOfCalls: many callers at once lose one timeout each, and none hangs.
func TestPausedServerHoldsUpABoundedNumberOfCalls(t *testing.T) {
	t.Parallel()
	p := redistest.Start(t)
	c := p.OpenWith(t, redis.Options{Timeout: 200 * time.Millisecond})
	p.Pause()
	var wg sync.WaitGroup
	for range 3000 {
		wg.Go(func() {
			if _, err := get(c, t.Context(), "x"); !errors.Is(err, redis.ErrAway) {
				t.Errorf("call of a paused server = %v, want ErrAway", err)
			}
		})
	}
	wg.Wait()
	redistest.Wait(t, "the breaker is open", func() bool { return !c.Ready() })
	p.Resume()
	redistest.Wait(t, "the client is back", c.Ready)
	if err := set(c, t.Context(), "x", "v"); err != nil {
		t.Errorf("call after the pause = %v", err)
	}
	if f := c.Figures(); f.InFlight != 0 {
		t.Errorf("%d calls are still in flight", f.InFlight)
	}
}

// TestSlowServerIsNotAsked: one that answers, but later than a request can wait, is away as well, also where few ask it.
func TestSlowServerIsNotAsked(t *testing.T) {
	t.Parallel()
	proxy := redistest.NewProxy(t, redistest.Start(t).Server)
	c := proxy.OpenWith(t, redis.Options{Timeout: 200 * time.Millisecond})
	proxy.Slow(300 * time.Millisecond)
	redistest.Wait(t, "nobody waits for it", func() bool { return !c.Ready() })
	if _, err := get(c, t.Context(), "x"); !errors.Is(err, redis.ErrAway) {
		t.Errorf("call of a slow server = %v, want ErrAway", err)
	}
	proxy.Slow(0)
	redistest.Wait(t, "it is asked again", func() bool { return c.Ready() && set(c, t.Context(), "x", "v") == nil })
}

// TestClusterThatLosesAServer: without a replica the cluster answers no key then; calls fail at once, and all is well when the server is back.
func TestClusterThatLosesAServer(t *testing.T) {
	t.Parallel()
	servers := redistest.StartCluster(t)
	c := servers[0].OpenWith(t, redis.Options{Timeout: 200 * time.Millisecond})
	all := func() error {
		for n := range 50 {
			if err := set(c, t.Context(), c.Key(fmt.Sprint(n), "x"), "v"); err != nil {
				return err
			}
		}
		return nil
	}
	redistest.Wait(t, "every key is answered", func() bool { return all() == nil })
	for name, way := range map[string]struct{ take, give func(*redistest.Process) }{
		"killed": {(*redistest.Process).Kill, (*redistest.Process).Begin},
		"paused": {(*redistest.Process).Pause, (*redistest.Process).Resume},
	} {
		way.take(servers[1])
		redistest.Wait(t, "the cluster is known to be away: "+name, func() bool { return all() != nil && !c.Ready() })
		if err := all(); !errors.Is(err, redis.ErrAway) {
			t.Errorf("%s: calls fail with %v, want ErrAway", name, err)
		}
		way.give(servers[1])
		redistest.Wait(t, "every key is answered again: "+name, func() bool { return all() == nil && c.Ready() })
	}
}

// TestIdleClientNoticesAnOutage: nobody asks anything, and the state still says how things stand.
func TestIdleClientNoticesAnOutage(t *testing.T) {
	t.Parallel()
	p := redistest.Start(t)
	c := p.Open(t)
	p.Kill()
	redistest.Wait(t, "the idle client knows that its server is away", func() bool { return !c.Ready() && c.State().Err != nil })
	p.Begin()
	redistest.Wait(t, "it is back", c.Ready)
}

func TestListen(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s redistest.Server) {
		c := s.Open(t)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		joined, heard, ended := make(chan struct{}), make(chan string, 100), make(chan error, 1)
		go func() {
			ended <- c.Listen(ctx, s.Prefix+"channel", func() { close(joined) }, func(m string) { heard <- m })
		}()
		<-joined
		for n := range 100 {
			if _, err := c.Publish(t.Context(), s.Prefix+"channel", fmt.Sprint(n)); err != nil {
				t.Fatal(err)
			}
		}
		for n := range 100 {
			if m := <-heard; m != fmt.Sprint(n) {
				t.Fatalf("message %d is %s", n, m)
			}
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Listen = %v, want context.Canceled", err)
		}
	})
}

func TestListenEndsWithItsServer(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]func(*redistest.Process){"killed": (*redistest.Process).Kill, "paused": (*redistest.Process).Pause} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := redistest.Start(t)
			c := p.Open(t)
			joined, ended := make(chan struct{}), make(chan error, 1)
			go func() { ended <- c.Listen(t.Context(), "channel", func() { close(joined) }, func(string) {}) }()
			<-joined
			take(p)
			if err := <-ended; !errors.Is(err, redis.ErrAway) {
				t.Errorf("Listen = %v, want ErrAway", err)
			}
		})
	}
}
