package rabbitmq_test

import (
	"context"
	"crypto/rand"
	"os"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/promptd/promptd/internal/broker"
	"github.com/promptd/promptd/internal/broker/brokertest"
	"github.com/promptd/promptd/internal/broker/rabbitmq"
)

// patience bounds every wait for something that must happen.
const patience = 60 * time.Second

// server gives the URL of a RabbitMQ, or skips the test.
func server(t *testing.T, variable string) string {
	t.Helper()
	url := os.Getenv(variable)
	if url == "" {
		t.Skipf("SKIPPED: there is no RabbitMQ: set %s to its URL", variable)
	}
	return url
}

// prefix makes a name of its own for the queues of a test, which are deleted at its end.
func prefix(t *testing.T, url string) string {
	t.Helper()
	name := "test-" + strings.ToLower(rand.Text()[:12])
	t.Cleanup(func() {
		conn, err := amqp.Dial(url)
		if err != nil {
			t.Errorf("delete the queues of %s: %v", name, err)
			return
		}
		defer func() { _ = conn.Close() }()
		ch, err := conn.Channel()
		if err != nil {
			t.Errorf("delete the queues of %s: %v", name, err)
			return
		}
		for _, q := range []string{".jobs.high", ".jobs.normal", ".jobs.low", ".deliveries", ".dead"} {
			if _, err := ch.QueueDelete(name+q, false, false, false); err != nil {
				t.Errorf("delete queue %s%s: %v", name, q, err)
			}
		}
		if err := ch.ExchangeDelete(name+".dead", false, false); err != nil {
			t.Errorf("delete exchange %s.dead: %v", name, err)
		}
	})
	return name
}

// start makes a broker and runs it until the end of the test, or until it is stopped.
func start(t *testing.T, c rabbitmq.Config) (b *rabbitmq.Broker, stop func()) {
	t.Helper()
	b, err := rabbitmq.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
		ended <- nil // A second stop has nothing to wait for.
	}
	t.Cleanup(stop)
	return b, stop
}

// eventually waits until the test holds; what it says is shown where it never does.
func eventually(t *testing.T, what string, test func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		err := test()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: not within %s: %v", what, patience, err)
		}
	}
}

func ready(t *testing.T, b broker.Broker) {
	t.Helper()
	eventually(t, "ready", func() error { return b.Ready(t.Context()) })
}

func TestBroker(t *testing.T) {
	t.Parallel()
	conform(t, server(t, "TEST_AMQP_URL"))
}

// The newer server differs where it matters here: it is silent where the older one answers 541, and counts deliveries in another way.
func TestBrokerOnVersion4(t *testing.T) {
	t.Parallel()
	conform(t, server(t, "TEST_AMQP4_URL"))
}

func conform(t *testing.T, url string) {
	brokertest.Run(t, func(t *testing.T) brokertest.Instance {
		c := rabbitmq.Config{
			URL: url, Prefix: prefix(t, url), Room: brokertest.Room, Limit: brokertest.Limit,
			OnError: func(err error) { t.Logf("OnError: %v", err) },
		}
		one, _ := start(t, c)
		two, _ := start(t, c)
		ready(t, one)
		ready(t, two)
		return brokertest.Instance{Broker: one, Other: two, Fetches: true}
	})
}

// admin gives a channel of its own on the server.
func admin(t *testing.T, url string) *amqp.Channel {
	t.Helper()
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

func remove(t *testing.T, url, queue string) {
	t.Helper()
	if _, err := admin(t, url).QueueDelete(queue, false, false, false); err != nil {
		t.Fatal(err)
	}
}
