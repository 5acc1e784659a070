package broker_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/promptd/promptd/internal/broker"
	"github.com/promptd/promptd/internal/broker/embedded"
)

// A message whose handler fails comes after 100 ms, twice that and so on up to five seconds, so that a worker whose database is away asks it seldom.
func TestWaitsGrowToSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := embedded.New(embedded.Config{Limit: 9})
		if err := b.Publish(t.Context(), broker.Message{Queue: broker.High, ID: "x"}); err != nil {
			t.Fatal(err)
		}
		var waits []time.Duration
		last := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- b.Consume(ctx, broker.Jobs(), 1, func(context.Context, broker.Message) error {
				waits = append(waits, time.Since(last))
				last = time.Now()
				return errors.New("the database is away")
			})
		}()
		time.Sleep(time.Hour)
		synctest.Wait()
		const ms = time.Millisecond
		want := []time.Duration{0, 100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 5000 * ms, 5000 * ms, 5000 * ms}
		if !slices.Equal(waits, want) {
			t.Errorf("waits %v, want %v", waits, want)
		}
		if n := depth(t, b, broker.Dead); n != 1 {
			t.Errorf("%d messages are dead, want 1", n)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Consume = %v", err)
		}
	})
}

// Told to end, a consumer gives back at once what waits to be tried again.
func TestEndDoesNotWaitForTheNextTry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		settled := make(chan bool, 1)
		ctx, cancel := context.WithCancel(t.Context())
		first := true
		next := func(ctx context.Context) (broker.Delivery, bool) {
			if first {
				first = false
				return broker.Delivery{Failures: 1 << 40, Settle: func(done bool) { settled <- done }}, true
			}
			<-ctx.Done()
			return broker.Delivery{}, false
		}
		began := time.Now()
		time.AfterFunc(time.Second, cancel)
		broker.Serve(ctx, 3, next, func(context.Context, broker.Message) error { return errors.New("no") }, func(error) {})
		if took := time.Since(began); took != time.Second {
			t.Errorf("Serve ended after %s, want a second", took)
		}
		if <-settled {
			t.Error("a message is done whose handler failed")
		}
	})
}

func TestPanicIsToldWithoutItsValue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		told := make(chan error, 1)
		b := embedded.New(embedded.Config{OnError: func(err error) { told <- err }})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if err := b.Publish(ctx, broker.Message{Queue: broker.High, ID: "item-1"}); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() {
			ended <- b.Consume(ctx, broker.Jobs(), 1, func(context.Context, broker.Message) error { panic("the text of a prompt") })
		}()
		text := (<-told).Error()
		if !strings.Contains(text, "item-1") || !strings.Contains(text, "serve_test.go") || strings.Contains(text, "the text of a prompt") {
			t.Errorf("OnError was told %q, want the message and the place and not the value", text)
		}
		cancel()
		<-ended
	})
}

// TestLineKeepsOrder holds a line against the simplest one there can be: a slice that is searched.
func TestLineKeepsOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		line := broker.NewLine()
		var model []broker.Message
		gone := map[broker.Message]bool{}
		queue := rapid.SampledFrom(broker.Queues())
		number := 0
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				for range rapid.IntRange(1, 200).Draw(t, "how many") {
					m := broker.Message{Queue: queue.Draw(t, "queue"), ID: fmt.Sprint(number)}
					number++
					model = append(model, m)
					line.Put(broker.Delivery{Message: m, Gone: func() bool { return gone[m] }})
				}
			},
			"leave": func(t *rapid.T) {
				if len(model) > 0 {
					gone[rapid.SampledFrom(model).Draw(t, "which")] = true
				}
			},
			"take": func(t *rapid.T) {
				for range rapid.IntRange(1, 200).Draw(t, "how many") {
					order := rapid.Permutation(broker.Queues()).Draw(t, "order")[:2]
					want, at := expected(&model, gone, order)
					if at < 0 {
						continue // Take would wait.
					}
					got, ok := line.Take(context.Background(), order)
					if !ok || got.Message != want {
						t.Fatalf("Take(%v) = %v, %t, want %v", order, got.Message, ok, want)
					}
				}
			},
			"": func(t *rapid.T) {
				for _, q := range broker.Queues() {
					n := 0
					for _, m := range model {
						if m.Queue == q {
							n++
						}
					}
					if line.Len(q) != n {
						t.Fatalf("Len(%s) = %d, want %d", q, line.Len(q), n)
					}
				}
			},
		})
	})
}

// expected takes the first message of the first queue that has one from the model, and those before it that were taken back.
func expected(model *[]broker.Message, gone map[broker.Message]bool, order []broker.Queue) (broker.Message, int) {
	before := slices.Clone(*model)
	for _, q := range order {
		for {
			i := slices.IndexFunc(*model, func(m broker.Message) bool { return m.Queue == q })
			if i < 0 {
				break
			}
			m := (*model)[i]
			*model = slices.Delete(*model, i, i+1)
			if !gone[m] {
				return m, i
			}
		}
	}
	*model = before // Take would have dropped them and waited: it is not called.
	return broker.Message{}, -1
}

func TestTakeWaitsForAMessage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		line := broker.NewLine()
		time.AfterFunc(time.Second, func() { line.Put(broker.Delivery{Message: broker.Message{Queue: broker.Low, ID: "other"}}) })
		time.AfterFunc(time.Minute, func() { line.Put(broker.Delivery{Message: broker.Message{Queue: broker.High, ID: "x"}}) })
		if d, ok := line.Take(t.Context(), []broker.Queue{broker.High}); !ok || d.ID != "x" {
			t.Errorf("Take = %v, %t, want x", d.Message, ok)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if d, ok := line.Take(ctx, []broker.Queue{broker.High}); ok {
			t.Errorf("Take = %v from an empty class", d.Message)
		}
	})
}
