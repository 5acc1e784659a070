package delivery_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/promptd/promptd/client"
	"github.com/promptd/promptd/internal/delivery"
	"github.com/promptd/promptd/internal/delivery/deliverytest"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
)

// scene is senders on a store in memory, in a bubble whose time passes as soon as nobody has anything to do.
type scene struct {
	t       *testing.T
	store   *deliverytest.Memory
	targets *deliverytest.Targets
	jobs    *jobs
	running sync.WaitGroup
	stop    context.CancelFunc
}

// jobs is the composer: it counts how often it is asked.
type jobs struct {
	asked atomic.Int64
	fail  func(n int64) error
}

func (j *jobs) Compose(_ context.Context, m delivery.Message) (json.RawMessage, error) {
	n := j.asked.Add(1)
	if j.fail != nil {
		if err := j.fail(n); err != nil {
			return nil, err
		}
	}
	return json.RawMessage(fmt.Sprintf(`{"job_id":%q,"asked":%d,"html":"<&>"}`, m.Job, n)), nil
}

type responder = func(context.Context, delivery.Request, int) (delivery.Answer, error)

func newScene(t *testing.T, respond responder) *scene {
	t.Helper()
	return &scene{t: t, store: deliverytest.NewMemory(time.Now), targets: &deliverytest.Targets{Respond: respond}, jobs: &jobs{}}
}

// run starts senders; they end with the test.
func (s *scene) run(n int, change ...func(*delivery.SenderConfig)) *delivery.Sender {
	ctx, cancel := context.WithCancel(s.t.Context())
	s.stop = cancel
	var first *delivery.Sender
	for i := range n {
		tokens := 0
		c := delivery.SenderConfig{
			Store: s.store, Composer: s.jobs, Transport: s.targets, NewID: func() string { tokens++; return fmt.Sprint(i, "-", tokens) },
			OnError: func(err error) { s.t.Errorf("a sender: %v", err) },
		}
		for _, f := range change {
			f(&c)
		}
		one := delivery.NewSender(c)
		if i == 0 {
			first = one
		}
		s.running.Go(func() {
			if err := one.Run(ctx); err != nil {
				s.t.Errorf("a sender ended with %v", err)
			}
		})
	}
	return first
}

// end ends the senders and waits for them.
func (s *scene) end() {
	s.stop()
	s.running.Wait()
}

func (s *scene) endpoint(n int, url string) delivery.Endpoint {
	s.t.Helper()
	secret, err := delivery.NewSecret(bytes.NewReader(bytes.Repeat([]byte{byte(n + 1)}, 32)))
	if err != nil {
		s.t.Fatal(err)
	}
	e := delivery.Endpoint{ID: delivery.EndpointID(fmt.Sprintf("wh_%032x", n)), Team: "acme", URL: url, Secret: secret, CreatedAt: time.Now(), UpdatedAt: time.Now()}
	if err := s.store.AddEndpoint(s.t.Context(), e); err != nil {
		s.t.Fatal(err)
	}
	return e
}

func message(team key.TeamID, n int) delivery.Message {
	return delivery.JobMessage(team, fmt.Sprintf("0199f3c2-a4b1-7c5e-9d3e-%012x", n), delivery.JobCompleted, 1, time.Now())
}

const hook = "https://hooks.example.com/x"

func inline(url string) delivery.Target { return delivery.Target{URL: url, Secret: secretOf(32)} }

// all gives every delivery, by its job.
func (s *scene) all() map[string]delivery.Delivery {
	s.t.Helper()
	list, _, err := s.store.Deliveries(context.Background(), key.AllTeams(), delivery.Filter{Limit: 100_000})
	if err != nil {
		s.t.Fatal(err)
	}
	out := map[string]delivery.Delivery{}
	for _, d := range list {
		out[d.Job] = d
	}
	return out
}

func (s *scene) only() delivery.Delivery {
	s.t.Helper()
	for _, d := range s.all() {
		return d
	}
	s.t.Fatal("there is no delivery")
	return delivery.Delivery{}
}

func TestAMessageIsDeliveredSignedAndOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, deliverytest.Status(204))
		e := s.endpoint(1, hook)
		m := message("acme", 1)
		m.Trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
		s.store.Tell(m, delivery.Target{})
		s.run(3)
		time.Sleep(time.Minute)
		got := s.targets.Receipts()
		if len(got) != 1 {
			t.Fatalf("%d messages came, want 1", len(got))
		}
		event, err := client.VerifyWebhook(e.Secret.Reveal(), got[0].Header, got[0].Body)
		if err != nil || event.ID != string(m.ID) || event.Type != "job.completed" || !event.Timestamp.Equal(m.At) {
			t.Errorf("the message is %+v, %v", event, err)
		}
		want := fmt.Sprintf(`{"type":"job.completed","timestamp":%q,"data":{"job_id":%q,"asked":1,"html":"<&>"}}`, m.At.UTC().Format(time.RFC3339Nano), m.Job)
		if string(got[0].Body) != want || got[0].Header.Get("Traceparent") != m.Trace || got[0].Header.Get("Content-Type") != "application/json" {
			t.Errorf("got %s with %v, want %s", got[0].Body, got[0].Header, want)
		}
		if d := s.only(); d.Status != delivery.Delivered || d.Attempts != 1 || d.LastStatus != 204 || d.LastError != "" {
			t.Errorf("the delivery is %+v", d)
		}
		s.end()
	})
}

func TestATargetThatIsDownIsTriedForADayWithTheSameMessage(t *testing.T) {
	t.Parallel()
	for name, up := range map[string]time.Duration{"for a minute": time.Minute, "almost to the end": 24*time.Hour - time.Second, "for ever": 1000 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				s := newScene(t, func(context.Context, delivery.Request, int) (delivery.Answer, error) {
					if time.Since(begin) >= up {
						return delivery.Answer{Status: 200}, nil
					}
					return delivery.Answer{Status: 500, Text: "not now"}, nil
				})
				m := message("acme", 1)
				s.store.Tell(m, inline(hook))
				s.run(1)
				time.Sleep(25 * time.Hour)
				d, got := s.only(), s.targets.Receipts()
				lasted := got[len(got)-1].At.Sub(begin)
				if up < 24*time.Hour {
					if d.Status != delivery.Delivered || lasted < up {
						t.Errorf("the delivery is %+v after %v, want it delivered", d, lasted)
					}
				} else if d.Status != delivery.Failed || d.LastError != delivery.ErrorStatus || lasted < 24*time.Hour || lasted > 24*time.Hour+2*time.Second {
					t.Errorf("the delivery is %+v after %v, want it failed after 24h", d, lasted)
				}
				if len(got) > 100 || up > time.Hour && len(got) < 12 {
					t.Errorf("%d attempts", len(got))
				}
				stamps := map[string]bool{}
				for _, r := range got {
					if r.Header.Get("Webhook-Id") != string(m.ID) || !bytes.Equal(r.Body, got[0].Body) {
						t.Errorf("an attempt sends another message: %v %s", r.Header, r.Body)
					}
					if _, err := client.VerifyWebhookAt(secretOf(32), r.Header, r.Body, r.At, time.Second); err != nil {
						t.Errorf("an attempt is not signed at its own time: %v", err)
					}
					stamps[r.Header.Get("Webhook-Timestamp")] = true
				}
				if s.jobs.asked.Load() != 1 {
					t.Errorf("the message was composed %d times, want once", s.jobs.asked.Load())
				}
				_, attempts, err := s.store.Delivery(t.Context(), key.AllTeams(), d.ID)
				if err != nil || len(attempts) != len(got) || attempts[0].Status != 500 || attempts[0].Answer != "not now" {
					t.Errorf("the log has %d attempts, %v; want %d", len(attempts), err, len(got))
				}
				s.end()
			})
		})
	}
}

func TestRetryAfterIsWaitedForWithinBounds(t *testing.T) {
	t.Parallel()
	for asked, most := range map[time.Duration]time.Duration{time.Hour: time.Hour + 5*time.Second, 1000 * time.Hour: 4*time.Hour + 5*time.Second} {
		synctest.Test(t, func(t *testing.T) {
			s := newScene(t, func(_ context.Context, _ delivery.Request, n int) (delivery.Answer, error) {
				if n == 1 {
					return delivery.Answer{Status: 429, RetryAfter: asked}, nil
				}
				return delivery.Answer{Status: 200}, nil
			})
			s.store.Tell(message("acme", 1), inline(hook))
			s.run(1)
			time.Sleep(24 * time.Hour)
			got := s.targets.Receipts()
			if len(got) != 2 {
				t.Fatalf("%d attempts, want 2", len(got))
			}
			if d := got[1].At.Sub(got[0].At); d < min(asked, 4*time.Hour) || d > most {
				t.Errorf("the target asked for %v and was called again after %v", asked, d)
			}
			s.end()
		})
	}
}

func TestGoneDisablesTheEndpoint(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, deliverytest.Status(http.StatusGone))
		e := s.endpoint(1, hook)
		s.store.Tell(message("acme", 1), delivery.Target{})
		s.run(1)
		time.Sleep(time.Minute)
		s.store.Tell(message("acme", 2), delivery.Target{Endpoint: e.ID}) // Named by its job: it fails and is seen.
		s.store.Tell(message("acme", 3), delivery.Target{})
		time.Sleep(time.Minute)
		got, err := s.store.Endpoint(t.Context(), key.AllTeams(), e.ID)
		if err != nil || got.DisabledAt.IsZero() || got.DisabledWhy != delivery.DisabledByTarget {
			t.Errorf("the endpoint is %+v, %v; want it disabled by its target", got, err)
		}
		all := s.all()
		if len(all) != 2 || len(s.targets.Receipts()) != 1 {
			t.Errorf("%d deliveries and %d messages, want 2 and 1", len(all), len(s.targets.Receipts()))
		}
		for _, d := range all {
			if d.Status != delivery.Failed || d.LastError != delivery.ErrorGone && d.LastError != delivery.ErrorDisabled {
				t.Errorf("a delivery is %+v, want it failed", d)
			}
		}
		s.end()
	})
}

// A host that answers nothing holds few workers and for a short time; all others are told meanwhile.
func TestADeadHostDoesNotHoldUpOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, func(ctx context.Context, r delivery.Request, n int) (delivery.Answer, error) {
			if strings.Contains(r.URL, "dead") {
				return deliverytest.Hang(ctx, r, n)
			}
			return delivery.Answer{Status: 200}, nil
		})
		for i := range 120 {
			s.store.Tell(message("acme", i), inline("https://dead.example.com/x"))
		}
		var opened atomic.Int64
		sender := s.run(1, func(c *delivery.SenderConfig) {
			c.Workers, c.Poll, c.OnHost = 12, 20*time.Second, func(string) { opened.Add(1) } // A look in 20 s, so that the days of this test are short.
		})
		time.Sleep(10 * time.Second)
		for i := range 100 {
			s.store.Tell(message("acme", 1000+i), inline("https://alive.example.com/x"))
		}
		sender.Wake()
		time.Sleep(3 * time.Second)
		alive := 0
		for _, d := range s.all() {
			if d.Status == delivery.Delivered {
				alive++
			}
		}
		if alive != 100 {
			t.Errorf("%d of 100 messages to a host that works were delivered in 3 s beside a dead one", alive)
		}
		time.Sleep(time.Hour)
		if most := s.targets.Most("dead.example.com:443"); most > 8 {
			t.Errorf("the dead host had %d messages at the same time, want at most 8", most)
		}
		tried := len(s.targets.Receipts()) - 100
		if opened.Load() == 0 || tried > 60 {
			t.Errorf("the dead host was tried %d times in an hour and its breaker opened %d times", tried, opened.Load())
		}
		time.Sleep(25 * time.Hour)
		for _, d := range s.all() {
			if d.Status == delivery.Pending {
				t.Fatalf("after 26 h a delivery is pending: %+v", d)
			}
		}
		s.end()
	})
}

// A host that comes back gets what has waited.
func TestAHostThatComesBackIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		s := newScene(t, func(ctx context.Context, r delivery.Request, n int) (delivery.Answer, error) {
			if time.Since(begin) < time.Hour {
				return deliverytest.Hang(ctx, r, n)
			}
			return delivery.Answer{Status: 200}, nil
		})
		for i := range 300 {
			s.store.Tell(message("acme", i), inline(hook))
		}
		s.run(2)
		time.Sleep(time.Hour + 15*time.Minute)
		for _, d := range s.all() {
			if d.Status != delivery.Delivered {
				t.Fatalf("a quarter of an hour after the host came back a delivery is %+v", d)
			}
		}
		s.end()
	})
}

func TestTeamsTakeTurnsAtAHost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, func(context.Context, delivery.Request, int) (delivery.Answer, error) {
			time.Sleep(time.Second)
			return delivery.Answer{Status: 200}, nil
		})
		for i := range 400 {
			s.store.Tell(message("acme", i), inline(hook))
		}
		s.run(1)
		time.Sleep(1500 * time.Millisecond)
		s.store.Tell(message("zeta", 9999), inline(hook))
		time.Sleep(5 * time.Second)
		for _, d := range s.all() {
			if d.Team == "zeta" && d.Status != delivery.Delivered {
				t.Errorf("behind 400 messages of another team one waits: %+v", d)
			}
		}
		s.end()
	})
}

// forgetful is a store whose leases cannot be renewed until a time.
type forgetful struct {
	*deliverytest.Memory
	until time.Time
}

func (f forgetful) Renew(ctx context.Context, token string, ids []delivery.ID, d time.Duration) ([]delivery.ID, error) {
	if time.Now().Before(f.until) {
		return ids, nil
	}
	return f.Memory.Renew(ctx, token, ids, d)
}

func TestALostLeaseEndsTheSendAndWritesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, func(ctx context.Context, _ delivery.Request, n int) (delivery.Answer, error) {
			if n == 1 {
				<-ctx.Done()
				if !errors.Is(context.Cause(ctx), delivery.ErrLeaseLost) {
					t.Errorf("the send was ended for %v", context.Cause(ctx))
				}
				return delivery.Answer{Status: 200}, nil // As late as can be.
			}
			return delivery.Answer{Status: 200}, nil
		})
		s.store.Tell(message("acme", 1), inline(hook))
		s.run(1, func(c *delivery.SenderConfig) { c.Store = forgetful{s.store, time.Now().Add(30 * time.Second)} })
		time.Sleep(5 * time.Minute)
		if d := s.only(); d.Status != delivery.Delivered || d.Attempts != 1 || len(s.targets.Receipts()) != 2 {
			t.Errorf("the delivery is %+v after %d messages, want one attempt written of two", d, len(s.targets.Receipts()))
		}
		s.end()
	})
}

// shaky is a store that does not take what became of a delivery for a while.
type shaky struct {
	*deliverytest.Memory
	until time.Time
}

func (f shaky) Record(ctx context.Context, token string, id delivery.ID, r delivery.Result) error {
	if time.Now().Before(f.until) {
		return errors.New("the database is away")
	}
	return f.Memory.Record(ctx, token, id, r)
}

func TestAnOutcomeIsOfferedUntilTheStoreTakesIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, deliverytest.Status(200))
		s.store.Tell(message("acme", 1), inline(hook))
		s.run(1, func(c *delivery.SenderConfig) { c.Store = shaky{s.store, time.Now().Add(20 * time.Second)} })
		time.Sleep(5 * time.Minute)
		if d := s.only(); d.Status != delivery.Delivered || len(s.targets.Receipts()) != 1 {
			t.Errorf("the delivery is %+v after %d messages, want 1", d, len(s.targets.Receipts()))
		}
		s.end()
	})
}

// What is under way when the sender ends is given back, so that others send it at once.
func TestWhatDoesNotEndWithTheSenderIsGivenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, func(ctx context.Context, r delivery.Request, n int) (delivery.Answer, error) {
			if n == 1 {
				return deliverytest.Hang(ctx, r, n)
			}
			return delivery.Answer{Status: 200}, nil
		})
		s.store.Tell(message("acme", 1), inline(hook))
		s.run(1)
		time.Sleep(2 * time.Second)
		began := time.Now()
		s.end()
		if took := time.Since(began); took > 6*time.Second {
			t.Errorf("the sender took %v to end", took)
		}
		if d := s.only(); d.Status != delivery.Pending || d.NextAt.After(time.Now()) || d.Attempts != 0 {
			t.Errorf("given back is %+v, want it due now", d)
		}
		s.run(1)
		time.Sleep(2 * time.Second)
		if d := s.only(); d.Status != delivery.Delivered {
			t.Errorf("the next sender left it %+v", d)
		}
		s.end()
	})
}

func TestWhatCannotBeComposedIsTriedAgainOrFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, deliverytest.Status(200))
		s.jobs.fail = func(n int64) error {
			switch {
			case n < 3:
				return errors.New("the database is away")
			case n == 3:
				return nil
			default:
				return fault.New(fault.NotFound, "there is no such job")
			}
		}
		s.store.Tell(message("acme", 1), inline(hook))
		var told atomic.Int64
		s.run(1, func(c *delivery.SenderConfig) { c.OnError = func(error) { told.Add(1) } })
		time.Sleep(time.Minute)
		if d := s.only(); d.Status != delivery.Delivered || told.Load() != 2 {
			t.Errorf("the delivery is %+v, and %d errors were told; want it delivered and 2", d, told.Load())
		}
		s.store.Tell(message("acme", 2), inline(hook))
		time.Sleep(time.Minute)
		if d := s.all()[message("acme", 2).Job]; d.Status != delivery.Failed || d.LastError != delivery.ErrorPayload {
			t.Errorf("what is not kept any more is %+v", d)
		}
		s.end()
	})
}

func TestManySendersShareTheWork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, func(context.Context, delivery.Request, int) (delivery.Answer, error) {
			time.Sleep(50 * time.Millisecond)
			return delivery.Answer{Status: 200}, nil
		})
		const all = 2000
		for i := range all {
			s.store.Tell(message(key.TeamID(fmt.Sprint("team", i%7)), i), inline(fmt.Sprintf("https://h%d.example.com/", i%11)))
		}
		s.run(4)
		time.Sleep(10 * time.Second)
		times := map[string]int{}
		for _, r := range s.targets.Receipts() {
			times[r.Header.Get("Webhook-Id")]++
		}
		if len(times) != all {
			t.Errorf("%d messages came, want %d", len(times), all)
		}
		for id, n := range times {
			if n != 1 {
				t.Errorf("%s came %d times with nothing going wrong", id, n)
			}
		}
		s.end()
	})
}

func TestWakeIsQuickerThanTheNextLook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, deliverytest.Status(200))
		sender := s.run(1, func(c *delivery.SenderConfig) { c.Poll = time.Hour })
		time.Sleep(time.Minute)
		s.store.Tell(message("acme", 1), inline(hook))
		sender.Wake()
		synctest.Wait()
		if d := s.only(); d.Status != delivery.Delivered {
			t.Errorf("after a wake the delivery is %+v", d)
		}
		s.end()
	})
}

// Every end of a job wakes the sender, and most are told to nobody: it must not ask the store each time.
func TestWakesForNothingAskTheStoreSeldom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, deliverytest.Status(200))
		var looks atomic.Int64
		sender := s.run(1, func(c *delivery.SenderConfig) {
			c.Poll = time.Hour
			c.Store = countedDue{c.Store, &looks}
		})
		for range 1000 {
			sender.Wake()
			time.Sleep(time.Millisecond)
		}
		if n := looks.Load(); n < 10 || n > 25 {
			t.Errorf("the store was asked %d times within a second, want some twenty", n)
		}
		s.store.Tell(message("acme", 1), inline(hook))
		sender.Wake()
		time.Sleep(50 * time.Millisecond)
		synctest.Wait()
		if d := s.only(); d.Status != delivery.Delivered {
			t.Errorf("among wakes for nothing the delivery is %+v", d)
		}
		s.end()
	})
}

// countedDue counts looks for what is due.
type countedDue struct {
	delivery.Store
	looks *atomic.Int64
}

func (c countedDue) Due(ctx context.Context, after delivery.Lane, most int) ([]delivery.Lane, error) {
	c.looks.Add(1)
	return c.Store.Due(ctx, after, most)
}
