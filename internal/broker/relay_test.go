package broker_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/promptd/promptd/internal/broker"
	"github.com/promptd/promptd/internal/broker/embedded"
)

// tally counts what a relay tells of messages.
type tally struct {
	mu sync.Mutex

	n    map[broker.Outcome]int
	errs []error
}

func (c *tally) count(_ broker.Queue, o broker.Outcome, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[broker.Outcome]int{}
	}
	c.n[o] += n
}

func (c *tally) failed(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.errs = append(c.errs, err)
}

func (c *tally) want(t *testing.T, published, dropped, failed int) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n[broker.Published] != published || c.n[broker.Dropped] != dropped || c.n[broker.Failed] != failed {
		t.Errorf("outcomes %v, want %d published, %d dropped, %d failed", c.n, published, dropped, failed)
	}
}

func messages(q broker.Queue, n int) []broker.Message {
	m := make([]broker.Message, n)
	for i := range m {
		m[i] = broker.Message{Queue: q, ID: fmt.Sprint(q, "-", i)}
	}
	return m
}

// stuck is a broker whose Publish waits for its context in some queues, as one does whose server hangs.
type stuck struct {
	*embedded.Broker
	queues []broker.Queue
	batch  int // the largest that came
}

func (s *stuck) Publish(ctx context.Context, m ...broker.Message) error {
	if slices.Contains(s.queues, m[0].Queue) {
		<-ctx.Done()
		return ctx.Err()
	}
	s.batch = max(s.batch, len(m))
	return s.Broker.Publish(ctx, m...)
}

func depth(t *testing.T, b broker.Broker, q broker.Queue) int {
	t.Helper()
	n, err := b.Depth(t.Context(), q)
	if err != nil {
		t.Error(err)
	}
	return n
}

func TestRelayPublishesWhatWasAnnounced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, c := &stuck{Broker: embedded.New(embedded.Config{})}, &tally{}
		r := broker.NewRelay(b, broker.RelayConfig{Batch: 10, Count: c.count})
		r.Announce(messages(broker.High, 25)...) // Before Run, and of more than one batch.
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.Run(ctx) }()
		synctest.Wait()
		c.want(t, 25, 0, 0)
		r.Announce(append(messages(broker.Low, 3), append(messages(broker.High, 2), messages(broker.Deliveries, 4)...)...)...)
		synctest.Wait()
		c.want(t, 34, 0, 0)
		for q, want := range map[broker.Queue]int{broker.High: 25, broker.Low: 3, broker.Deliveries: 4, broker.Normal: 0} {
			if n := depth(t, b, q); n != want {
				t.Errorf("%d messages in %s, want %d", n, q, want)
			}
		}
		if b.batch != 10 {
			t.Errorf("the largest batch had %d messages, want 10", b.batch)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

func TestRelayNeverWaitsForAQueueThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, c := &stuck{Broker: embedded.New(embedded.Config{}), queues: []broker.Queue{broker.Normal}}, &tally{}
		r := broker.NewRelay(b, broker.RelayConfig{Room: 100, Batch: 10, PublishLimit: time.Minute, FlushLimit: time.Second, Count: c.count, OnError: c.failed})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.Run(ctx) }()
		began := time.Now()
		r.Announce(messages(broker.Normal, 1)...)
		synctest.Wait() // It is on its way now, and the rest waits behind it.
		r.Announce(messages(broker.Normal, 150)...)
		r.Announce(messages(broker.High, 5)...)
		synctest.Wait()
		c.want(t, 5, 50, 0)
		if waited := time.Since(began); waited != 0 {
			t.Errorf("Announce took %s beside a queue that hangs", waited)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		c.want(t, 5, 50, 1)
		if len(c.errs) != 1 || !errors.Is(c.errs[0], context.DeadlineExceeded) {
			t.Errorf("OnError was told %v, want the deadline of one batch", c.errs)
		}
		// Told to stop, it has a second for what is on its way and what waits: all of it fails, and nothing is said to be published.
		began = time.Now()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("Run ended after %s, want the second of its flush", took)
		}
		c.want(t, 5, 50, 101)
	})
}

func TestRelayPublishesAtItsEndWhatIsLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, c := embedded.New(embedded.Config{}), &tally{}
		r := broker.NewRelay(b, broker.RelayConfig{Batch: 7, Count: c.count})
		r.Announce(messages(broker.Low, 50)...)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := r.Run(ctx); err != nil {
			t.Errorf("Run = %v", err)
		}
		c.want(t, 50, 0, 0)
		if n := depth(t, b, broker.Low); n != 50 {
			t.Errorf("%d messages were published, want 50", n)
		}
	})
}

func TestRelayTellsOfWhatCannotBePublished(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, c := embedded.New(embedded.Config{Room: 3}), &tally{}
		r := broker.NewRelay(b, broker.RelayConfig{Count: c.count, OnError: c.failed})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.Run(ctx) }()
		good := messages(broker.High, 2)
		r.Announce(broker.Message{}, good[0], broker.Message{Queue: broker.High, ID: "a b"}, broker.Message{Queue: "urgent", ID: "x"}, good[1])
		synctest.Wait()
		c.want(t, 2, 0, 3)
		r.Announce(messages(broker.High, 4)...) // Two wait already, and two find no room beside the third.
		synctest.Wait()
		c.want(t, 2, 0, 7)
		if len(c.errs) != 4 || !errors.Is(c.errs[3], broker.ErrFull) {
			t.Errorf("OnError was told %v, want three mistakes and a full queue", c.errs)
		}
		cancel()
		<-ended
	})
}

// Of what is announced together a share is sent: what is announced alone always is.
func TestRelaySendsAShareOfWhatIsAnnouncedTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := embedded.New(embedded.Config{})
		r := broker.NewRelay(b, broker.RelayConfig{Share: 8})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.Run(ctx) }()
		for _, c := range []struct{ announced, sent int }{{1, 1}, {8, 1}, {9, 2}, {17, 3}} {
			before := depth(t, b, broker.Normal)
			list := messages(broker.Normal, c.announced)
			for i := range list {
				list[i].ID = strconv.Itoa(c.announced) + "/" + list[i].ID
			}
			r.Announce(list...)
			synctest.Wait()
			if n := depth(t, b, broker.Normal) - before; n != c.sent {
				t.Errorf("of %d announced together %d were sent, want %d", c.announced, n, c.sent)
			}
		}
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}
