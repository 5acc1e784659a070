package rabbitmq_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/broker"
	"github.com/promptd/promptd/internal/broker/rabbitmq"
	"github.com/promptd/promptd/internal/sharedtest"
)

// machine is a RabbitMQ of the test's own, that it may kill.
type machine struct {
	t       *testing.T
	script  string
	dir     string
	service string
	url     string
}

// ownBase is the first port of the services of these tests.
const ownBase = "24600"

// own starts a server of a version, which is stopped and removed at the end.
func own(t *testing.T, service, variable string) *machine {
	t.Helper()
	if !sharedtest.Full() {
		t.Skip("SKIPPED: PROMPTD_FULL=1 starts a RabbitMQ, kills and pauses it")
	}
	m := &machine{t: t, script: sharedtest.Dir(t, "tools", "services.sh"), service: service, dir: filepath.Join(os.TempDir(), "promptd-broker-"+service)}
	t.Cleanup(func() { m.do("stop"); m.do("clean") })
	m.do("start", service)
	for line := range strings.Lines(m.do("env", service)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "export "+variable+"="); ok {
			m.url = strings.Trim(value, `'"`)
		}
	}
	if m.url == "" {
		t.Fatalf("%s env names no %s", m.script, variable)
	}
	return m
}

func (m *machine) do(args ...string) string {
	m.t.Helper()
	cmd := exec.Command(m.script, args...)
	cmd.Env = append(os.Environ(), "SERVICES_DIR="+m.dir, "SERVICES_PORT_BASE="+ownBase, "SERVICES_TIMEOUT=180")
	out, err := cmd.Output()
	if err != nil {
		var of *exec.ExitError
		if errors.As(err, &of) {
			m.t.Fatalf("services.sh %v: %v\n%s", args, err, of.Stderr)
		}
		m.t.Fatalf("services.sh %v: %v", args, err)
	}
	return string(out)
}

func (m *machine) kill()  { m.t.Helper(); m.do("kill", m.service) }
func (m *machine) start() { m.t.Helper(); m.do("start", m.service) }

// ledger announces what was not seen again and again, as the due-query of the database does, and knows what is missing.
type ledger struct {
	mu sync.Mutex

	due  map[broker.Message]bool
	seen int
}

func (l *ledger) add(m ...broker.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.due == nil {
		l.due = map[broker.Message]bool{}
	}
	for _, one := range m {
		l.due[one] = true
	}
}

func (l *ledger) handle(_ context.Context, m broker.Message) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.due[m] {
		l.seen++
	}
	delete(l.due, m)
	return nil
}

func (l *ledger) missing() (m []broker.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for one := range l.due {
		m = append(m, one)
	}
	return m
}

// settle announces what is missing until nothing is.
func (l *ledger) settle(t *testing.T, b broker.Broker) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	var err error
	for len(l.missing()) > 0 {
		if m := l.missing(); len(m) > 0 {
			err = b.Publish(ctx, m...)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%d messages did not come; the last publication: %v", len(l.missing()), err)
		}
	}
}

// load publishes to all queues until it is stopped.
func (l *ledger) load(b broker.Broker) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() {
		pace := time.NewTicker(5 * time.Millisecond)
		defer pace.Stop()
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-pace.C:
			}
			m := broker.Message{Queue: broker.Queues()[n%4], ID: fmt.Sprintf("load-%p-%d", l, n)}
			l.add(m)
			limited, done := context.WithTimeout(ctx, time.Second)
			_ = b.Publish(limited, m) // The ledger knows whether it comes.
			done()
		}
	})
	return func() { cancel(); all.Wait() }
}

func TestRealServerThatIsKilledAndPaused(t *testing.T) { // Not in parallel: the versions share ports.
	for service, variable := range map[string]string{"rabbitmq": "TEST_AMQP_URL", "rabbitmq4": "TEST_AMQP4_URL"} {
		t.Run(service, func(t *testing.T) {
			if service == "rabbitmq4" && os.Getenv("TEST_AMQP4_URL") == "" {
				t.Skip("SKIPPED: set TEST_AMQP4_URL to say that RabbitMQ 4 can be started here")
			}
			m := own(t, service, variable)
			t.Run("Killed", func(t *testing.T) { killed(t, m) })
			t.Run("Paused", func(t *testing.T) { paused(t, m) })
			t.Run("JustDeclared", func(t *testing.T) { justDeclared(t, m) })
			t.Run("DeletedAndDeclared", func(t *testing.T) { deletedAndDeclared(t, m) })
		})
	}
}

// patient are the limits of the product, told to the test.
func patient(t *testing.T, m *machine, repaired func(broker.Queue)) rabbitmq.Config {
	return rabbitmq.Config{
		URL: m.url, Prefix: prefixOf(t), OnRepaired: repaired,
		OnError: func(err error) { t.Logf("%s OnError: %v", time.Now().Format("05.000"), err) },
	}
}

func prefixOf(t *testing.T) string { return strings.ToLower(strings.ReplaceAll(t.Name(), "/", "-")) }

func killed(t *testing.T, m *machine) {
	b, _ := start(t, patient(t, m, nil))
	ready(t, b)
	var l ledger
	consume(t, b, l.handle)
	settled := time.NewTimer(3 * time.Second) // Queues are durable some seconds after the last declaration.
	stop := l.load(b)
	<-settled.C
	for range 3 {
		before := l.count()
		m.kill()
		m.start()
		eventually(t, "messages after the restart", func() error {
			if n := l.count(); n <= before+20 {
				return fmt.Errorf("%d messages came, and %d before the kill", n, before)
			}
			return nil
		})
	}
	stop()
	l.settle(t, b)
}

func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen
}

func paused(t *testing.T, m *machine) {
	b, _ := start(t, patient(t, m, func(q broker.Queue) { t.Errorf("queue %s was made anew since the server hung", q) }))
	ready(t, b)
	var l ledger
	consume(t, b, l.handle)
	stop := l.load(b)
	eventually(t, "messages", func() error {
		if l.count() == 0 {
			return errors.New("none")
		}
		return nil
	})
	m.do("pause", m.service)
	began := time.Now()
	eventually(t, "not ready", func() error {
		if b.Ready(t.Context()) == nil {
			return errors.New("ready")
		}
		return nil
	})
	t.Logf("the loss of a paused server was noticed after %s", time.Since(began).Round(time.Millisecond))
	m.do("resume", m.service)
	ready(t, b)
	stop()
	l.settle(t, b)
}

// justDeclared kills the server at the moment at which the queues are there: the youngest that they can be.
func justDeclared(t *testing.T, m *machine) {
	repaired := make(chan broker.Queue, 100)
	b, _ := start(t, patient(t, m, func(q broker.Queue) { repaired <- q }))
	ready(t, b)
	m.kill()
	m.start()
	var l ledger
	consume(t, b, l.handle)
	for n, q := range broker.Queues() {
		l.add(broker.Message{Queue: q, ID: fmt.Sprint("m-", n)})
	}
	l.settle(t, b)
	t.Logf("%d queues were made anew", len(repaired))
}

// deletedAndDeclared makes every queue anew before the kill, which leaves them unusable on both versions.
func deletedAndDeclared(t *testing.T, m *machine) {
	repaired := make(chan broker.Queue, 100)
	c := patient(t, m, func(q broker.Queue) { repaired <- q })
	b, stop := start(t, c)
	ready(t, b)
	stop()
	ch := admin(t, m.url)
	for _, q := range []string{".jobs.high", ".jobs.normal", ".jobs.low", ".deliveries", ".dead"} {
		if _, err := ch.QueueDelete(c.Prefix+q, false, false, false); err != nil {
			t.Fatal(err)
		}
	}
	b, _ = start(t, c)
	ready(t, b)
	for _, q := range broker.Queues() {
		if err := b.Publish(t.Context(), broker.Message{Queue: q, ID: "before"}); err != nil {
			t.Errorf("Publish = %v", err)
		}
	}
	m.kill()
	m.start()
	began := time.Now()
	var l ledger
	for n, q := range broker.Queues() {
		l.add(broker.Message{Queue: q, ID: fmt.Sprint("m-", n)})
	}
	consume(t, b, l.handle)
	l.settle(t, b)
	t.Logf("all queues carried messages %s after the start; %d were made anew", time.Since(began).Round(time.Millisecond), len(repaired))
}
