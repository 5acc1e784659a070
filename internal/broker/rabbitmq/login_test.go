package rabbitmq_test

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/promptd/promptd/internal/broker"
	"github.com/promptd/promptd/internal/broker/rabbitmq"
)

// secured gives the URL of the server's TLS listener with its certificate authority.
func secured(t *testing.T, authority string) string {
	t.Helper()
	u, err := url.Parse(server(t, "TEST_AMQPS_URL"))
	if err != nil {
		t.Fatal(err)
	}
	if authority != "" {
		u.RawQuery = url.Values{"ca_file": {authority}}.Encode()
	}
	return u.String()
}

func TestTLS(t *testing.T) {
	t.Parallel()
	plain := server(t, "TEST_AMQP_URL")
	b, _ := start(t, quick(t, secured(t, server(t, "TEST_CA_FILE")), prefix(t, plain)))
	ready(t, b)
	var in taken
	consume(t, b, in.handle)
	sent(t, b, message(broker.High, "over-tls"))
	eventually(t, "message", func() error { return in.has("over-tls") })
}

// What keeps a broker from its server is told in words that help, and never with the password.
func TestWhatKeepsFromTheServerIsTold(t *testing.T) {
	t.Parallel()
	with := func(change func(*url.URL)) string {
		u, err := url.Parse(server(t, "TEST_AMQP_URL"))
		if err != nil {
			t.Fatal(err)
		}
		change(u)
		return u.String()
	}
	for name, c := range map[string]struct{ url, want string }{
		"Password":  {with(func(u *url.URL) { u.User = url.UserPassword("promptd", "hunter2") }), "user, password and permissions of broker.url"},
		"Vhost":     {with(func(u *url.URL) { u.Path = "/nowhere" }), "virtual host of broker.url"},
		"Host":      {with(func(u *url.URL) { u.Host = "127.0.0.1:1" }), "connection refused"},
		"Authority": {secured(t, ""), "certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			var told []string
			b, _ := start(t, rabbitmq.Config{URL: c.url, OnError: func(err error) {
				mu.Lock()
				defer mu.Unlock()
				told = append(told, err.Error())
			}})
			eventually(t, "word", func() error {
				mu.Lock()
				defer mu.Unlock()
				if !strings.Contains(strings.Join(told, "\n"), c.want) {
					return fmt.Errorf("told %q, want %q", told, c.want)
				}
				return nil
			})
			if err := b.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, broker.ErrUnavailable) {
				t.Errorf("Ready = %v, want ErrUnavailable with %q", err, c.want)
			}
			mu.Lock()
			defer mu.Unlock()
			if strings.Contains(strings.Join(told, "\n"), "hunter2") {
				t.Errorf("told %q, with the password", told)
			}
		})
	}
}

func TestQueueWithOtherSettingsIsUsedAndTold(t *testing.T) {
	t.Parallel()
	to := server(t, "TEST_AMQP_URL")
	c := quick(t, to, prefix(t, to))
	if _, err := admin(t, to).QueueDeclare(c.Prefix+".jobs.low", true, false, false, false, amqp.Table{"x-max-length": int64(7)}); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var told []string
	c.OnError = func(err error) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, err.Error())
	}
	b, _ := start(t, c)
	ready(t, b)
	var in taken
	consume(t, b, in.handle)
	sent(t, b, message(broker.Low, "one"), message(broker.High, "two"))
	eventually(t, "messages", func() error { return errors.Join(in.has("one"), in.has("two")) })
	mu.Lock()
	defer mu.Unlock()
	if len(told) != 1 || !strings.Contains(told[0], c.Prefix+".jobs.low exists with other settings") || !strings.Contains(told[0], "inequivalent arg") ||
		!strings.Contains(told[0], "delete the queue") {
		t.Errorf("told %q, want once what differs and what to do", told)
	}
}
