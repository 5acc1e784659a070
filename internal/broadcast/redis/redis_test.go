package redis_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/broadcast"
	"github.com/promptd/promptd/internal/broadcast/broadcasttest"
	broadcastredis "github.com/promptd/promptd/internal/broadcast/redis"
	"github.com/promptd/promptd/internal/redis"
	"github.com/promptd/promptd/internal/redis/redistest"
)

// run gives a broadcaster on a client that runs until the end of the test.
func run(t *testing.T, c *redis.Client) *broadcastredis.Broadcaster {
	t.Helper()
	b := broadcastredis.New(c)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := b.Run(ctx); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
	return b
}

// join is run, waiting until it hears.
func join(t *testing.T, c *redis.Client) *broadcastredis.Broadcaster {
	t.Helper()
	b := run(t, c)
	redistest.Wait(t, "the broadcaster hears", b.Hearing)
	return b
}

func TestRedisKeepsTheContract(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s redistest.Server) {
		broadcasttest.Run(t, func(t *testing.T) (one, other broadcast.Broadcaster) {
			own := s
			own.Prefix += t.Name() + ":"
			return join(t, own.Open(t)), join(t, own.Open(t))
		})
	})
}

func TestFirstConnectionIsToldAsMissed(t *testing.T) {
	t.Parallel()
	c := redistest.One(t).Open(t)
	ear := &broadcasttest.Ear{}
	b := broadcastredis.New(c)
	b.Subscribe(broadcast.Keys, ear.Subscriber())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- b.Run(ctx) }()
	redistest.Wait(t, "it is told that something may have been missed", func() bool { return ear.Missed() == 1 })
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run = %v, want nil after its context ended", err)
	}
}

// TestOutageIsToldAsMissed: what was published while the server was away is told in its own process, fails for others, and these learn that they have
// missed something once they hear again.
func TestOutageIsToldAsMissed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ take, give func(*redistest.Process) }{
		"killed": {(*redistest.Process).Kill, (*redistest.Process).Begin},
		"paused": {(*redistest.Process).Pause, (*redistest.Process).Resume},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := redistest.Start(t)
			mine, theirs := p.OpenWith(t, redis.Options{Timeout: 200 * time.Millisecond}), p.Open(t)
			one, other := join(t, mine), join(t, theirs)
			here, there := &broadcasttest.Ear{}, &broadcasttest.Ear{}
			one.Subscribe(broadcast.Keys, here.Subscriber())
			other.Subscribe(broadcast.Keys, there.Subscriber())
			c.take(p)
			redistest.Wait(t, "the server is known to be away", func() bool { return !mine.Ready() && !one.Hearing() && !other.Hearing() })
			if err := one.Publish(t.Context(), broadcast.Keys, "k"); !errors.Is(err, broadcast.ErrNotTold) {
				t.Errorf("Publish while the server is away = %v, want ErrNotTold", err)
			}
			if got := here.Heard(); len(got) != 1 {
				t.Errorf("this process heard %q, want its own message", got)
			}
			before := there.Missed()
			c.give(p)
			redistest.Wait(t, "the other process knows that it has missed something", func() bool { return there.Missed() > before })
			redistest.Wait(t, "messages pass again", func() bool { return one.Publish(t.Context(), broadcast.Keys, "again") == nil && len(there.Heard()) > 0 })
		})
	}
}

// TestProcessThatIsCutOffAloneOwesASignal: the listener's connection stands all the time, and it still learns of the message that did not get out.
func TestProcessThatIsCutOffAloneOwesASignal(t *testing.T) {
	t.Parallel()
	p := redistest.Start(t)
	proxy := redistest.NewProxy(t, p.Server)
	one, other := run(t, proxy.OpenWith(t, redis.Options{Timeout: 200 * time.Millisecond})), join(t, p.Open(t))
	ear, elsewhere := &broadcasttest.Ear{}, &broadcasttest.Ear{}
	redistest.Wait(t, "the first signal is over", func() bool { return one.Publish(t.Context(), broadcast.Keys, "first") == nil })
	stopped := other.Subscribe(broadcast.Keys, ear.Subscriber())
	defer stopped()
	other.Subscribe(broadcast.Schemas, elsewhere.Subscriber())
	proxy.Cut()
	redistest.Wait(t, "Publish fails", func() bool { return errors.Is(one.Publish(t.Context(), broadcast.Keys, "lost"), broadcast.ErrNotTold) })
	if !other.Hearing() {
		t.Fatal("the listener was cut off too")
	}
	missed := ear.Missed()
	proxy.Mend()
	redistest.Wait(t, "the listener learns of it", func() bool { return ear.Missed() > missed })
	if n := elsewhere.Missed(); n != 0 {
		t.Errorf("subscribers of another topic were told %d times that they missed something", n)
	}
}
