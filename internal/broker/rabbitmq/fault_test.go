package rabbitmq_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/promptd/promptd/internal/broker"
	"github.com/promptd/promptd/internal/broker/rabbitmq"
)

// quick are limits at which a silent server is given up soon. They are far above what a healthy one takes here, which has other work too.
func quick(t *testing.T, url, name string) rabbitmq.Config {
	return rabbitmq.Config{
		URL: url, Prefix: name, Limit: 5, Heartbeat: 2 * time.Second, CallLimit: 2 * time.Second, ConfirmLimit: 2 * time.Second,
		OnError: func(err error) { t.Logf("OnError: %v", err) },
	}
}

// taken remembers what a consumer got.
type taken struct {
	mu sync.Mutex

	times map[string]int
}

func (s *taken) handle(_ context.Context, m broker.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.times == nil {
		s.times = map[string]int{}
	}
	s.times[m.ID]++
	return nil
}

func (s *taken) has(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.times[id] == 0 {
		return fmt.Errorf("%s did not come; %d others did", id, len(s.times))
	}
	return nil
}

// consume consumes until the end of the test, or until it is stopped.
func consume(t *testing.T, b broker.Broker, f broker.Handler) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- b.Consume(ctx, broker.Queues(), 8, f) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Consume = %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// sent publishes until it succeeds, as the due-query does.
func sent(t *testing.T, b broker.Broker, m ...broker.Message) {
	t.Helper()
	eventually(t, "publish", func() error { return b.Publish(t.Context(), m...) })
}

func message(q broker.Queue, id string) broker.Message { return broker.Message{Queue: q, ID: id} }

func TestConnectionsThatEndAreOpenedAgain(t *testing.T) {
	t.Parallel()
	url := server(t, "TEST_AMQP_URL")
	p := newProxy(t, url)
	b, _ := start(t, quick(t, p.url, prefix(t, url)))
	ready(t, b)
	var in taken
	consume(t, b, in.handle)
	for n := range 4 {
		id := fmt.Sprint("after-", n)
		sent(t, b, message(broker.High, id), message(broker.Deliveries, id+"-delivery"))
		eventually(t, "message", func() error { return errors.Join(in.has(id), in.has(id+"-delivery")) })
		p.cut()
	}
}

func TestMessageInHandComesAgainAfterTheConnectionEnded(t *testing.T) {
	t.Parallel()
	url := server(t, "TEST_AMQP_URL")
	p := newProxy(t, url)
	b, _ := start(t, quick(t, p.url, prefix(t, url)))
	ready(t, b)
	began, again := make(chan struct{}, 10), make(chan struct{})
	var in taken
	consume(t, b, func(ctx context.Context, m broker.Message) error {
		began <- struct{}{}
		if in.has(m.ID) == nil {
			close(again)
			return nil
		}
		if err := in.handle(ctx, m); err != nil {
			return err
		}
		<-again // Its answer goes to a connection that is no more: the message has come a second time.
		return nil
	})
	sent(t, b, message(broker.Normal, "held"))
	<-began
	p.cut()
	<-again
}

func TestServerThatIsAwayCostsAnErrorAndNoTime(t *testing.T) {
	t.Parallel()
	url := server(t, "TEST_AMQP_URL")
	p := newProxy(t, url)
	name := prefix(t, url)
	p.leave()
	b, _ := start(t, quick(t, p.url, name))
	var in taken
	consume(t, b, in.handle)
	for range 1000 {
		if err := b.Publish(t.Context(), message(broker.High, "lost")); !errors.Is(err, broker.ErrUnavailable) {
			t.Fatalf("Publish = %v without a server, want ErrUnavailable", err)
		}
	}
	if _, err := b.Depth(t.Context(), broker.High); !errors.Is(err, broker.ErrUnavailable) {
		t.Errorf("Depth = %v, want ErrUnavailable", err)
	}
	if err := b.Ready(t.Context()); !errors.Is(err, broker.ErrUnavailable) {
		t.Errorf("Ready = %v, want ErrUnavailable", err)
	}
	p.comeBack()
	ready(t, b)
	sent(t, b, message(broker.High, "kept"))
	eventually(t, "message", func() error { return in.has("kept") })
}

// A server that hangs accepts connections and bytes and answers nothing: nothing may wait for it for longer than its limit, and no queue is to blame.
func TestServerThatHangsHoldsNobody(t *testing.T) {
	t.Parallel()
	url := server(t, "TEST_AMQP_URL")
	p := newProxy(t, url)
	name := prefix(t, url)
	b, _ := start(t, quick(t, p.url, name))
	ready(t, b)
	sent(t, b, message(broker.Low, "before"))
	p.freeze()

	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := b.Publish(ctx, message(broker.High, "hint")); err == nil {
		t.Error("Publish = nil from a server that hangs")
	}
	if ctx.Err() == nil {
		t.Error("Publish ended before its context, and without a confirmation")
	}
	if err := b.Publish(t.Context(), message(broker.Normal, "hint")); !errors.Is(err, broker.ErrUnavailable) {
		t.Errorf("Publish = %v, want ErrUnavailable at its own limit", err)
	}
	if n, err := b.Depth(t.Context(), broker.Low); err == nil {
		t.Errorf("Depth = %d from a server that hangs", n)
	}
	var in taken
	stop := consume(t, b, in.handle)
	eventually(t, "not ready", func() error {
		if b.Ready(t.Context()) == nil {
			return errors.New("the server hangs and Ready gives nil")
		}
		return nil
	})
	stop()

	p.resume()
	ready(t, b)
	consume(t, b, in.handle)
	eventually(t, "message", func() error { return in.has("before") })
	sent(t, b, message(broker.Low, "after"))
	eventually(t, "message", func() error { return in.has("after") })
	for _, q := range []string{".jobs.high", ".jobs.normal", ".jobs.low", ".deliveries"} {
		if n := p.deleted(name + q); n > 0 {
			t.Errorf("queue %s was deleted %d times since the server hung", q, n)
		}
	}
}

func TestServerThatTakesNoMessagesSaysSo(t *testing.T) {
	t.Parallel()
	url := server(t, "TEST_AMQP_URL")
	p := newProxy(t, url)
	b, _ := start(t, quick(t, p.url, prefix(t, url)))
	ready(t, b)
	p.tell(t, methodFrame(10, 60, short("low on memory"))) // connection.blocked
	eventually(t, "not ready", func() error {
		if err := b.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "low on memory") {
			return fmt.Errorf("Ready = %w", err)
		}
		return nil
	})
	eventually(t, "refusal", func() error { // The other connection may have been told first.
		err := b.Publish(t.Context(), message(broker.High, "hint"))
		if !errors.Is(err, broker.ErrUnavailable) || !strings.Contains(err.Error(), "low on memory") {
			return fmt.Errorf("Publish = %w, want ErrUnavailable with the server's reason", err)
		}
		return nil
	})
	p.tell(t, methodFrame(10, 61)) // connection.unblocked
	ready(t, b)
	sent(t, b, message(broker.High, "hint"))
}

func TestQueueThatIsDeletedIsDeclaredAgain(t *testing.T) {
	t.Parallel()
	url := server(t, "TEST_AMQP_URL")
	name := prefix(t, url)
	b, _ := start(t, quick(t, url, name))
	ready(t, b)
	var in taken
	consume(t, b, in.handle)
	sent(t, b, message(broker.High, "first"))
	eventually(t, "message", func() error { return in.has("first") })
	remove(t, url, name+".jobs.high")
	sent(t, b, message(broker.High, "second")) // The first try may come back since there is no queue.
	eventually(t, "message", func() error { return in.has("second") })
}

// Who deletes and declares a queue at once leaves its consumers with nothing, and the server says nothing to them.
func TestConsumerThatIsForgottenAsksAgain(t *testing.T) {
	t.Parallel()
	url := server(t, "TEST_AMQP_URL")
	c := quick(t, url, prefix(t, url))
	c.RenewEvery = 200 * time.Millisecond
	b, _ := start(t, c)
	ready(t, b)
	var in taken
	consume(t, b, in.handle)
	sent(t, b, message(broker.High, "first"))
	eventually(t, "message", func() error { return in.has("first") })
	ch, queue := admin(t, url), c.Prefix+".jobs.high"
	if _, err := ch.QueueDelete(queue, false, false, false); err != nil {
		t.Fatal(err)
	}
	if _, err := ch.QueueDeclare(queue, true, false, false, false, amqp.Table{"x-queue-type": "quorum"}); err != nil {
		t.Fatal(err)
	}
	sent(t, b, message(broker.High, "second"))
	eventually(t, "message", func() error { return in.has("second") })
}

func TestForeignMessagesGoToTheDead(t *testing.T) {
	t.Parallel()
	url := server(t, "TEST_AMQP_URL")
	name := prefix(t, url)
	b, _ := start(t, quick(t, url, name))
	ready(t, b)
	var in taken
	consume(t, b, in.handle)
	ch := admin(t, url)
	for _, body := range []string{"", "two words", "\x00", strings.Repeat("x", broker.MaxID+1), strings.Repeat("long", 1<<18)} {
		if err := ch.Publish("", name+".jobs.low", true, false, amqp.Publishing{Body: []byte(body)}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "dead messages", func() error {
		if n, err := b.Depth(t.Context(), broker.Dead); n != 5 || err != nil {
			return fmt.Errorf("Depth = %d, %w", n, err)
		}
		return nil
	})
	sent(t, b, message(broker.Low, "ours"))
	eventually(t, "message", func() error { return in.has("ours") })
	if n := len(in.times); n != 1 {
		t.Errorf("handlers got %d messages, want ours alone", n)
	}
}

func TestUnroutableMessageIsAnError(t *testing.T) {
	t.Parallel()
	url := server(t, "TEST_AMQP_URL")
	name := prefix(t, url)
	b, _ := start(t, quick(t, url, name))
	ready(t, b)
	sent(t, b, message(broker.Low, "first"), message(broker.High, "first"))
	remove(t, url, name+".jobs.low")
	err := b.Publish(t.Context(), message(broker.Low, "lost"), message(broker.High, "second"))
	if !errors.Is(err, broker.ErrUnavailable) || !strings.Contains(err.Error(), name+".jobs.low") {
		t.Errorf("Publish = %v to a queue that is not there, want ErrUnavailable with its name", err)
	}
	sent(t, b, message(broker.Low, "second"))
	for q, want := range map[broker.Queue]int{broker.Low: 1, broker.High: 2} {
		eventually(t, "depth", func() error {
			if n, err := b.Depth(t.Context(), q); n != want || err != nil {
				return fmt.Errorf("Depth(%s) = %d, %w, want %d", q, n, err, want)
			}
			return nil
		})
	}
}

// A queue that can't be consumed after a crash of its server is deleted and declared anew, and what is due is asked for; the others are left alone.
func TestUnusableQueueIsMadeAnew(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]sickness{"InternalError": internalError, "Silence": silence} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := server(t, "TEST_AMQP_URL")
			p := newProxy(t, url)
			c := quick(t, p.url, prefix(t, url))
			repaired := make(chan broker.Queue, 10)
			c.OnRepaired = func(q broker.Queue) { repaired <- q }
			b, _ := start(t, c)
			ready(t, b)
			sent(t, b, message(broker.Normal, "lost"))
			p.infect(c.Prefix+".jobs.normal", s)
			var in taken
			consume(t, b, in.handle)
			sent(t, b, message(broker.High, "healthy"))
			select {
			case q := <-repaired:
				if q != broker.Normal {
					t.Errorf("%s was repaired, want %s", q, broker.Normal)
				}
			case <-time.After(patience):
				t.Fatal("the queue was not repaired")
			}
			sent(t, b, message(broker.Normal, "due"))
			eventually(t, "messages", func() error { return errors.Join(in.has("due"), in.has("healthy")) })
			for q, want := range map[string]int{".jobs.high": 0, ".jobs.normal": 1, ".jobs.low": 0, ".deliveries": 0} {
				if n := p.deleted(c.Prefix + q); n != want {
					t.Errorf("queue %s was deleted %d times, want %d", q, n, want)
				}
			}
		})
	}
}

// A fault that is gone at the second look is no reason to delete anything.
func TestQueueThatFailsOnceIsLeftAlone(t *testing.T) {
	t.Parallel()
	url := server(t, "TEST_AMQP_URL")
	p := newProxy(t, url)
	c := quick(t, p.url, prefix(t, url))
	b, _ := start(t, c)
	ready(t, b)
	sent(t, b, message(broker.Normal, "kept"))
	p.infect(c.Prefix+".jobs.normal", internalErrorOnce)
	var in taken
	consume(t, b, in.handle)
	eventually(t, "message", func() error { return in.has("kept") })
	if n := p.deleted(c.Prefix + ".jobs.normal"); n > 0 {
		t.Errorf("the queue was deleted %d times", n)
	}
}

// The end of Run and of consumers come at the same moment: what handlers answer after it still reaches the server.
func TestRunWaitsForHandlersAtItsEnd(t *testing.T) {
	t.Parallel()
	url := server(t, "TEST_AMQP_URL")
	name := prefix(t, url)
	b, stop := start(t, quick(t, url, name))
	ready(t, b)
	began, finish := make(chan struct{}), make(chan struct{})
	stopConsumer := consume(t, b, func(context.Context, broker.Message) error {
		close(began)
		<-finish
		return nil
	})
	sent(t, b, message(broker.Normal, "held"))
	<-began
	var all sync.WaitGroup
	all.Go(stop)
	all.Go(stopConsumer)
	if err := b.Ready(t.Context()); err != nil {
		t.Errorf("Ready = %v while a handler runs", err)
	}
	close(finish)
	all.Wait()
	next, _ := start(t, quick(t, url, name))
	ready(t, next)
	eventually(t, "depth", func() error {
		if n, err := next.Depth(t.Context(), broker.Normal); n != 0 || err != nil {
			return fmt.Errorf("Depth = %d, %w, want 0: the answer did not reach the server", n, err)
		}
		return nil
	})
}
