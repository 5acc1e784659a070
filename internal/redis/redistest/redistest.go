// Package redistest gives tests real Redis servers: the shared ones that the environment names, and servers of their own that they may kill and pause.
//
// It is for tests alone. [Each] runs a test on every kind of shared server (single, TLS, Cluster), each client under a prefix of its own; [Start] begins a
// server that belongs to one test. Where there is no server the test is skipped with a reason.
package redistest

import (
	"context"
	"crypto/rand"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/promptd/promptd/internal/redis"
)

// Timeout is the time limit of a call in tests: machines that run many tests at once stall for longer than a server may.
const Timeout = 2 * time.Second

// Server is a server that tests share.
type Server struct {
	// URL names it, with all that a client needs.
	URL string
	// Prefix is the test's own.
	Prefix string
}

// kind is a kind of server and the variable that names one.
type kind struct{ name, variable string }

func kinds() []kind {
	return []kind{{"single", "TEST_REDIS_URL"}, {"tls", "TEST_REDISS_URL"}, {"cluster", "TEST_REDIS_CLUSTER_URL"}}
}

// Each runs a test on every kind of server, those that are not there being skipped with a reason.
func Each(t *testing.T, test func(t *testing.T, s Server)) {
	t.Helper()
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			test(t, shared(t, k))
		})
	}
}

// One gives the single server, or skips the test.
func One(tb testing.TB) Server {
	tb.Helper()
	return shared(tb, kinds()[0])
}

func shared(tb testing.TB, k kind) Server {
	tb.Helper()
	text := os.Getenv(k.variable)
	if text == "" {
		tb.Skipf("SKIPPED: no Redis server; set %s", k.variable)
	}
	if file := os.Getenv("TEST_CA_FILE"); strings.HasPrefix(text, "rediss") && file != "" {
		text += "?ca_file=" + url.QueryEscape(file)
	}
	s := Server{URL: text, Prefix: "test-" + rand.Text()[:12] + ":"}
	tb.Cleanup(func() { s.Clean(tb) })
	return s
}

// Open gives a client of the server that is ready, and closes it at the end.
func (s Server) Open(tb testing.TB) *redis.Client {
	tb.Helper()
	return s.OpenWith(tb, redis.Options{Timeout: Timeout})
}

// OpenWith is Open with options of the test's own; URL and prefix are the server's.
func (s Server) OpenWith(tb testing.TB, o redis.Options) *redis.Client {
	tb.Helper()
	o.URL, o.Prefix = s.URL, s.Prefix
	c, err := redis.Open(context.Background(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	Wait(tb, "the client is ready", c.Ready)
	return c
}

// Wait waits until something is so, for at most half a minute.
func Wait(tb testing.TB, what string, so func() bool) {
	tb.Helper()
	const most = 30 * time.Second
	end := time.Now().Add(most)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		if time.Now().After(end) {
			tb.Fatalf("after %s it is not so that %s", most, what)
		}
		<-tick.C
	}
}

// Clean removes every key of the prefix.
func (s Server) Clean(tb testing.TB) {
	tb.Helper()
	s.keys(tb, func(node rueidis.Client, keys []string) {
		for _, k := range keys {
			if err := node.Do(context.Background(), node.B().Unlink().Key(k).Build()).Error(); err != nil {
				tb.Errorf("remove %s: %v", k, err)
			}
		}
	})
}

// Age moves the time of all keys of the prefix: what is left of each one's life is shortened, and what would have ended is removed.
func (s Server) Age(tb testing.TB, d time.Duration) {
	tb.Helper()
	s.keys(tb, func(node rueidis.Client, keys []string) {
		for _, k := range keys {
			left, err := node.Do(context.Background(), node.B().Pttl().Key(k).Build()).AsInt64()
			if err != nil || left < 0 {
				continue // Without an end, or gone by now.
			}
			err = node.Do(context.Background(), node.B().Pexpire().Key(k).Milliseconds(left-d.Milliseconds()).Build()).Error()
			if err != nil {
				tb.Errorf("age %s: %v", k, err)
			}
		}
	})
}

// keys calls f with the keys of the prefix, a node at a time, over a connection of its own.
func (s Server) keys(tb testing.TB, f func(node rueidis.Client, keys []string)) {
	tb.Helper()
	target, err := redis.ParseURL(s.URL)
	if err != nil {
		tb.Fatal(err)
	}
	for _, address := range target.Addresses {
		node, err := rueidis.NewClient(rueidis.ClientOption{
			InitAddress: []string{address}, ForceSingleClient: true, Username: target.Username, Password: target.Password, TLSConfig: target.TLS,
			SelectDB: target.Database, DisableCache: true, PipelineMultiplex: -1,
		})
		if err != nil {
			tb.Errorf("connect to %s: %v", address, err)
			return
		}
		var all []string
		for cursor := uint64(0); ; {
			page, err := node.Do(context.Background(), node.B().Scan().Cursor(cursor).Match(s.Prefix+"*").Count(10_000).Build()).AsScanEntry()
			if err != nil {
				tb.Errorf("scan %s: %v", address, err)
				break
			}
			all = append(all, page.Elements...)
			if cursor = page.Cursor; cursor == 0 {
				break
			}
		}
		f(node, all)
		node.Close()
	}
}
