package redis_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/redis/rueidis"

	"github.com/promptd/promptd/internal/redis"
	"github.com/promptd/promptd/internal/redis/redistest"
)

func TestReachSaysWhoIsThere(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, options string
		evicts        bool
		policy        string
	}{
		{"a cache", "--maxmemory 100mb --maxmemory-policy allkeys-lru", true, "allkeys-lru"},
		{"for limits", "--maxmemory 100mb --maxmemory-policy noeviction", false, "noeviction"},
		{"it may not be asked", "--rename-command INFO FORBIDDEN", false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := redistest.Start(t, strings.Fields(c.options)...)
			s, err := redis.Reach(t.Context(), p.URL)
			if err != nil || s.Address != p.URL || s.Evicts != c.evicts || s.Policy != c.policy || s.Old || s.Replica || (s.Version == "") != (c.policy == "") {
				t.Errorf("Reach = %+v, %v", s, err)
			}
		})
	}
}

func TestReachTellsARefusedPasswordFromAServerThatIsAway(t *testing.T) {
	t.Parallel()
	p, _ := locked(t)
	address := strings.TrimPrefix(p.URL, "redis://")
	for name, url := range map[string]string{"another password": "redis://:wrong-secret@" + address, "another user": "redis://who:right@" + address, "none": p.URL} {
		_, err := redis.Reach(t.Context(), url)
		if !errors.Is(err, redis.ErrRefused) || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), p.URL) {
			t.Errorf("%s: %v, want a refusal that names the address without the password", name, err)
		}
	}
	if _, err := redis.Reach(t.Context(), "redis://:right@"+address); err != nil {
		t.Errorf("the right password: %v", err)
	}
	p.Kill()
	if _, err := redis.Reach(t.Context(), "redis://:right@"+address); err == nil || errors.Is(err, redis.ErrRefused) {
		t.Errorf("a server that is away: %v", err)
	}
}

// TestAServerThatNeverAnsweredIsSaidOnce: a wrong password shows itself in the log at the start, with its cause and without the password.
func TestAServerThatNeverAnsweredIsSaidOnce(t *testing.T) {
	t.Parallel()
	p, open := locked(t)
	out := &lines{}
	c, err := redis.Open(t.Context(), redis.Options{URL: strings.Replace(p.URL, "://", "://:wrong-secret@", 1), Log: slog.New(slog.NewTextHandler(out, nil))})
	if err != nil {
		t.Fatal(err)
	}
	redistest.Wait(t, "it was asked several times", func() bool { return connections(t, open) >= 5 })
	c.Close()
	text := out.text()
	if strings.Count(text, "level=WARN") != 1 || !strings.Contains(text, "WRONGPASS") || !strings.Contains(text, p.URL) || strings.Contains(text, "secret") {
		t.Errorf("log: %s", text)
	}
}

// locked begins a server that wants the password "right", with a client that came in before.
func locked(t *testing.T) (*redistest.Process, *redis.Client) {
	t.Helper()
	p := redistest.Start(t)
	c := p.Open(t)
	err := c.Do(t.Context(), func(b rueidis.Builder) rueidis.Completed {
		return b.ConfigSet().ParameterValue().ParameterValue("requirepass", "right").Build()
	}).Error()
	if err != nil {
		t.Fatal(err)
	}
	return p, c
}

// connections counts those that the server has taken since its start.
func connections(t *testing.T, c *redis.Client) int {
	t.Helper()
	text, err := c.Do(t.Context(), func(b rueidis.Builder) rueidis.Completed { return b.Info().Section("stats").Build() }).ToString()
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(text, "total_connections_received:")
	number, _, _ := strings.Cut(rest, "\r")
	n, err := strconv.Atoi(number)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// lines keeps what is logged.
type lines struct {
	mu  sync.Mutex
	all bytes.Buffer
}

// Write adds a line.
func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(b)
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

func FuzzEvicts(f *testing.F) {
	f.Add("# Memory\r\nmaxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\n")
	f.Add("maxmemory:104857600\r\nmaxmemory_policy:volatile-ttl\r\n")
	f.Add("maxmemory_policy:")
	f.Fuzz(func(t *testing.T, info string) {
		if evicts, policy := redis.Evicts(info); evicts && (policy == "" || policy == "noeviction") {
			t.Errorf("Evicts(%q) = true, %q", info, policy)
		}
	})
}
