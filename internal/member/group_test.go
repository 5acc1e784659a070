package member_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/promptd/promptd/internal/member"
)

// table is a store that can be away. Its clock is the test's.
type table struct {
	mu   sync.Mutex
	rows map[string]member.Member
	away atomic.Bool
}

var errAway = errors.New("the database is away")

func (s *table) Beat(_ context.Context, m member.Member, forget time.Duration) (list []member.Member, _ error) {
	if s.away.Load() {
		return nil, errAway
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m.SeenAt = time.Now()
	s.rows[m.ID] = m
	for id, row := range s.rows {
		if time.Since(row.SeenAt) >= forget {
			delete(s.rows, id)
			continue
		}
		list = append(list, row)
	}
	return list, nil
}

func (s *table) Leave(_ context.Context, id string) error {
	if s.away.Load() {
		return errAway
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.rows, id)
	return nil
}

func (s *table) Members(context.Context, time.Duration) ([]member.Member, error) { return nil, nil }

// process is a member that can be killed, which is not told to anybody.
type process struct {
	*member.Group
	stop func()
	kill func()
}

func (s *table) start(t *testing.T, id string) process {
	t.Helper()
	dead := &mortal{table: s}
	g, err := member.Join(t.Context(), member.Config{Store: dead, Self: member.Member{ID: id}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- g.Run(ctx) }()
	stop := func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
	}
	return process{g, stop, func() { dead.gone.Store(true); stop() }}
}

// mortal is the way of one process to the store.
type mortal struct {
	*table
	gone atomic.Bool
}

func (m *mortal) Leave(ctx context.Context, id string) error {
	if m.gone.Load() {
		return nil
	}
	return m.table.Leave(ctx, id)
}

func after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestProcessesCountEachOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &table{rows: map[string]member.Member{}}
		a := s.start(t, "a")
		if n := a.Count(); n != 1 {
			t.Errorf("%d processes, want this one", n)
		}
		b, c := s.start(t, "b"), s.start(t, "c")
		after(member.DefaultEvery)
		if a.Count() != 3 || b.Count() != 3 || c.Count() != 3 {
			t.Errorf("%d, %d and %d processes, want 3 a beat later", a.Count(), b.Count(), c.Count())
		}
		b.stop()
		after(member.DefaultEvery)
		if n := a.Count(); n != 2 {
			t.Errorf("%d processes, want 2 a beat after one has left", n)
		}
		c.kill()
		after(4 * member.DefaultEvery)
		if list := a.Members(); len(list) != 1 || list[0].ID != "a" {
			t.Errorf("%v, want that one which died is forgotten", list)
		}
		a.stop()
	})
}

func TestAnOutageOfTheDatabaseForgetsNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &table{rows: map[string]member.Member{}}
		var all []process
		for _, id := range []string{"a", "b", "c", "d"} {
			all = append(all, s.start(t, id))
		}
		after(member.DefaultEvery)
		s.away.Store(true)
		after(time.Hour)
		for _, p := range all {
			if p.Count() != 4 {
				t.Errorf("%d processes in the outage, want the last count", p.Count())
			}
		}
		s.away.Store(false)
		for range 20 {
			after(member.DefaultEvery / 7)
			for _, p := range all {
				if p.Count() != 4 {
					t.Fatalf("%d processes after the outage, want 4: who comes back first must not take the others for dead", p.Count())
				}
			}
		}
		all[0].kill()
		after(5 * member.DefaultEvery)
		if n := all[1].Count(); n != 3 {
			t.Errorf("%d processes, want that a dead one is forgotten later as well", n)
		}
		for _, p := range all[1:] {
			p.stop()
		}
	})
}

func TestWhoCannotSayThatItLivesIsNoMember(t *testing.T) {
	t.Parallel()
	s := &table{rows: map[string]member.Member{}}
	s.away.Store(true)
	if _, err := member.Join(t.Context(), member.Config{Store: s, Self: member.Member{ID: "a"}}); !errors.Is(err, errAway) {
		t.Errorf("Join = %v, want the store's error", err)
	}
}
