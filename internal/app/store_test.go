package app

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/store/postgres/postgrestest"
)

// closedPort is an address that nobody listens on.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// passOn stands for a server that listens from now on: connections go on to another address until the test ends.
func passOn(t *testing.T, from, to string) {
	t.Helper()
	l, err := net.Listen("tcp", from)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				_ = client.Close()
				continue
			}
			for _, pair := range [][2]net.Conn{{client, server}, {server, client}} {
				all.Go(func() {
					_, _ = io.Copy(pair[0], pair[1])
					_ = pair[0].Close()
				})
			}
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
	})
}

// TestTheStartWaitsForADatabaseThatIsAway: until it is there, and no longer than its patience; then the error says where it looked, and no password.
func TestTheStartWaitsForADatabaseThatIsAway(t *testing.T) {
	t.Parallel()
	database, err := url.Parse(postgrestest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	server, away := database.Host, closedPort(t)
	database.Host = away
	s := newSetting(t, "roles: [api]\ndatabase: {url: \""+database.String()+"\"}")
	var built sync.WaitGroup
	built.Go(func() {
		a, err := s.build(t)
		if err == nil {
			err = a.Stop(context.WithoutCancel(t.Context()))
		}
		if err != nil {
			t.Errorf("a start that had to wait: %v", err)
		}
	})
	await(t, "the start to say that it waits", func() bool { return strings.Contains(s.out.String(), "promptd waits for it") })
	passOn(t, away, server)
	built.Wait()

	nowhere := closedPort(t)
	s = newSetting(t, "database: {url: \"postgres://someone:a-secret@"+nowhere+"/x?sslmode=disable\"}")
	s.patience = time.Millisecond
	_, err = s.build(t)
	f, is := errors.AsType[*fault.Fault](err)
	if !is || f.Code.Row().Exit != fault.ExitUnavailable || !strings.Contains(f.Detail, nowhere) || !strings.Contains(f.Detail, "refused") || !strings.Contains(f.Remediation, "database.url") {
		t.Errorf("got %v, want where the database was looked for, what came of it and what to do", err)
	}
	if err != nil && strings.Contains(err.Error()+s.out.String(), "a-secret") {
		t.Errorf("the password is in %v or the log", err)
	}
}

// TestWithoutItsDatabaseAProcessIsReadyWhileKeysAreFresh: what is cached is answered, so that no balancer takes all processes away at once.
func TestWithoutItsDatabaseAProcessIsReadyWhileKeysAreFresh(t *testing.T) {
	t.Parallel()
	s := newSetting(t, "roles: [api]\ndatabase: {url: \""+postgrestest.Database(t)+"\"}")
	a, err := s.build(t)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Stop(context.WithoutCancel(t.Context())) }()
	if c := a.checks()[0]; c.Name != "store" || !c.Needed || c.Bridged == nil || !c.Bridged() {
		t.Errorf("a store apart: got %+v, want it bridged while keys are fresh", c)
	}
	alone := newSetting(t, "")
	b, err := alone.build(t)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Stop(context.WithoutCancel(t.Context())) }()
	if c := b.checks()[0]; c.Bridged != nil {
		t.Error("a store within the process is bridged by nothing")
	}
}

func TestTroubleThatStaysIsLoggedOnceAMinute(t *testing.T) {
	t.Parallel()
	var c complaint
	begin := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	away, full := errors.New("away"), errors.New("full")
	for _, step := range []struct {
		after  time.Duration
		err    error
		say    bool
		unsaid int
	}{
		{0, away, true, 0},
		{time.Second, away, false, 0},
		{2 * time.Second, away, false, 0},
		{3 * time.Second, full, true, 2},
		{4 * time.Second, away, true, 0},
		{30 * time.Second, away, false, 0},
		{time.Minute + 4*time.Second, away, true, 1},
	} {
		if unsaid, say := c.heard(step.err, begin.Add(step.after)); say != step.say || unsaid != step.unsaid {
			t.Errorf("%s after %s: got %v with %d unsaid, want %v with %d", step.err, step.after, say, unsaid, step.say, step.unsaid)
		}
	}
}
