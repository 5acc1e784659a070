package postgres_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/store/postgres"
	"github.com/promptd/promptd/internal/store/postgres/postgrestest"
	"github.com/promptd/promptd/internal/usage"
)

// watched counts what was read, and where.
type watched struct {
	mu    sync.Mutex
	reads map[string]int
}

func (w *watched) observe(query string, _ time.Duration, err error) {
	if err != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reads[query]++
}

func (w *watched) count(query string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.reads[query]
}

// replicated is a store with one replica behind a proxy.
type replicated struct {
	db      *postgres.DB
	seen    *watched
	network *proxy
	replica string
}

func newReplicated(t *testing.T) *replicated {
	t.Helper()
	server := postgrestest.Named(t, "TEST_POSTGRES_REPLICA_URL")
	url := postgrestest.Database(t)
	s := &replicated{seen: &watched{reads: map[string]int{}}, replica: postgrestest.On(server, postgrestest.Name(url))}
	var proxied string
	s.network, proxied = through(t, s.replica)
	s.db = open(t, postgres.Options{URL: url, ReplicaURLs: []string{proxied}, Observe: s.seen.observe})
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() {
		if err := s.db.Run(ctx); err != nil {
			t.Errorf("watch the replica: got the error %v, want none", err)
		}
	})
	t.Cleanup(func() { cancel(); all.Wait() })
	return s
}

// old asks for what a replica may answer, and wants the right answer from wherever it comes.
func (s *replicated) old(t *testing.T, want int) {
	t.Helper()
	list, _, err := s.db.History().Requests(t.Context(), key.AllTeams(), usage.Filter{To: time.Now().Add(-time.Hour)})
	if err != nil || len(list) != want {
		t.Fatalf("got %d requests, %v, want %d", len(list), err, want)
	}
}

// until reads again and again until the answer comes from the replica, or from the primary.
func (s *replicated) until(t *testing.T, what, query string, want int) {
	t.Helper()
	for before, end := s.seen.count(query), time.Now().Add(time.Minute); s.seen.count(query) == before; {
		if time.Now().After(end) {
			t.Fatalf("%s: no %s for a minute", what, query)
		}
		s.old(t, want)
	}
}

// TestReplicas is one test, because it stops what a replica replays. It needs a server and its streaming replica.
func TestReplicas(t *testing.T) {
	s := newReplicated(t)
	h, now := s.db.History(), time.Now().UTC().Truncate(time.Microsecond)
	old := recordAt(uuidAt(t, now.Add(-3*time.Hour)), now.Add(-3*time.Hour))
	if err := h.Append(t.Context(), []usage.Record{old, recordAt(uuidAt(t, now), now)}); err != nil {
		t.Fatal(err)
	}
	s.until(t, "a replica that is there", "history_list_replica", 1)

	t.Run("what is new is read at the primary", func(t *testing.T) {
		before := s.seen.count("history_list_replica")
		list, _, err := h.Requests(t.Context(), key.AllTeams(), usage.Filter{})
		if err != nil || len(list) != 2 || s.seen.count("history_list_replica") != before {
			t.Errorf("the newest requests: got %d, %v, from a replica %d times", len(list), err, s.seen.count("history_list_replica")-before)
		}
		fresh := recordAt(uuid.Must(uuid.NewV7()).String(), time.Now())
		if err := h.Append(t.Context(), []usage.Record{fresh}); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Request(t.Context(), key.AllTeams(), fresh.RequestID); err != nil {
			t.Errorf("a request that was just recorded: got the error %v, want none", err)
		}
		sums, err := h.Usage(t.Context(), key.AllTeams(), usage.Query{})
		if err != nil || sums.Total.Requests != 3 || s.seen.count("usage_sums_replica") == 0 || s.seen.count("usage_sums") == 0 {
			t.Errorf("sums: got %+v, %v, read at the replica %d times and at the primary %d times, want 3 requests and both",
				sums.Total, err, s.seen.count("usage_sums_replica"), s.seen.count("usage_sums"))
		}
	})
	t.Run("sums are put together by their groups", func(t *testing.T) {
		for _, by := range [][]usage.Group{nil, {usage.ByTeam}, {usage.ByDay, usage.ByTeam}, {usage.ByProvider, usage.ByModel}} {
			got, err := h.Usage(t.Context(), key.AllTeams(), usage.Query{GroupBy: by})
			if err != nil || got.Total.Requests != 3 || got.Total.Cost != 15 {
				t.Errorf("group by %v: got %+v, %v, want 3 requests for 15", by, got, err)
			}
		}
		if got, err := h.Usage(t.Context(), key.AllTeams(), usage.Query{GroupBy: []usage.Group{usage.ByTeam}}); err != nil || len(got.Rows) != 1 {
			t.Errorf("one team: got %+v, %v, want one row", got, err)
		}
	})
	t.Run("one request", func(t *testing.T) {
		got, err := h.Request(t.Context(), key.AllTeams(), old.RequestID)
		if err != nil || got.RequestID != old.RequestID || s.seen.count("history_request_replica") == 0 {
			t.Errorf("got %+v, %v, from the replica %d times", got, err, s.seen.count("history_request_replica"))
		}
		_, err = h.Request(t.Context(), key.AllTeams(), uuidAt(t, now.Add(-2*time.Hour)))
		if !fault.Is(err, fault.NotFound) {
			t.Errorf("one that is nowhere: got the error %v, want NOT_FOUND", err)
		}
	})
	t.Run("a replica that hangs", func(t *testing.T) {
		s.network.hold(true)
		s.until(t, "while it hangs", "history_list", 1)
		s.network.hold(false)
		s.until(t, "afterwards", "history_list_replica", 1)
	})
	t.Run("a replica that is gone", func(t *testing.T) {
		s.network.refuse(true)
		s.network.cut()
		s.until(t, "while it is gone", "history_list", 1)
		s.network.refuse(false)
		s.until(t, "afterwards", "history_list_replica", 1)
	})
	t.Run("a replica that falls behind", func(t *testing.T) {
		run(t, s.replica, "SELECT pg_wal_replay_pause()")
		defer run(t, s.replica, "SELECT pg_wal_replay_resume()")
		// It is told from one that has nothing to replay by what is written meanwhile.
		late := now.Add(-4 * time.Hour)
		if err := h.Append(t.Context(), []usage.Record{recordAt(uuidAt(t, late), late)}); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(time.Minute); ; {
			before := s.seen.count("history_list")
			list, _, err := h.Requests(t.Context(), key.AllTeams(), usage.Filter{To: time.Now().Add(-time.Hour)})
			if err != nil || time.Now().After(end) {
				t.Fatalf("got %d requests, %v", len(list), err)
			}
			if s.seen.count("history_list") > before {
				if len(list) != 2 {
					t.Errorf("at the primary: got %d requests, want 2", len(list))
				}
				break
			}
		}
	})
	s.until(t, "when it has caught up", "history_list_replica", 2)
}

// uuidAt makes an id of a time.
func uuidAt(tb testing.TB, at time.Time) string {
	tb.Helper()
	id := uuid.Must(uuid.NewV7())
	ms := at.UnixMilli()
	for i := range 6 {
		id[i] = byte(ms >> (8 * (5 - i)))
	}
	return id.String()
}

// TestAReplicaNeedNotBeThere opens a store whose replica is away from the beginning.
func TestAReplicaNeedNotBeThere(t *testing.T) {
	t.Parallel()
	db := open(t, postgres.Options{URL: postgrestest.Database(t), ReplicaURLs: []string{"postgres://u:p@127.0.0.1:1/d"}})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- db.Run(ctx) }()
	if _, err := db.History().Usage(t.Context(), key.AllTeams(), usage.Query{}); err != nil {
		t.Errorf("got the error %v, want none", err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("the end of watching: got the error %v, want none", err)
	}
	if _, err := postgres.Open(t.Context(), postgres.Options{URL: postgrestest.Database(t), ReplicaURLs: []string{"postgres://h:port/d"}}); !fault.Is(err, fault.InvalidRequest) {
		t.Errorf("a replica's URL that is none: got the error %v, want INVALID_REQUEST", err)
	}
}
