package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/idempotency"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/store/postgres"
	"github.com/promptd/promptd/internal/store/postgres/postgrestest"
	"github.com/promptd/promptd/internal/usage"
)

// calls are one of each kind: a read, a statement that writes, a transaction.
func calls(db *postgres.DB) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"read": func(ctx context.Context) error {
			_, err := db.History().Usage(ctx, key.AllTeams(), usage.Query{})
			return err
		},
		"claim": func(ctx context.Context) error {
			_, err := db.Idempotency().Claim(ctx, idempotency.Name{Team: "acme", Key: "k"}, idempotency.Body{1}, "a", time.Second, time.Hour)
			return err
		},
		"transaction": func(ctx context.Context) error {
			_, err := db.Teams().SetTeam(ctx, key.Team{Name: "acme"})
			return err
		},
	}
}

// wantOverloaded checks that trouble of the database is told as such, with a time to come again.
func wantOverloaded(tb testing.TB, what string, err error) {
	tb.Helper()
	if f := fault.Of(err); err == nil || f.Code != fault.Overloaded || f.RetryAfter <= 0 {
		tb.Errorf("%s: got the error %v, want OVERLOADED with Retry-After", what, err)
	}
}

// recovers calls until it works again; every error on the way is OVERLOADED.
func recovers(tb testing.TB, what string, call func(context.Context) error) {
	tb.Helper()
	const most = 50 // As many as there may be dead connections, three times over.
	for range most {
		err := call(tb.Context())
		if err == nil {
			return
		}
		wantOverloaded(tb, what, err)
	}
	tb.Errorf("%s: does not work again after %d calls", what, most)
}

func TestAServerThatHangsKeepsNobody(t *testing.T) {
	t.Parallel()
	p, url := through(t, postgrestest.Database(t))
	db := open(t, postgres.Options{URL: url})
	postgres.SetPatience(db, 300*time.Millisecond)
	for what, call := range calls(db) {
		if err := call(t.Context()); err != nil {
			t.Fatalf("%s, before: %v", what, err)
		}
	}
	p.hold(true)
	for what, call := range calls(db) {
		wantOverloaded(t, what, call(t.Context()))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		if err := call(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s with a deadline of its own: got the error %v, want the context's", what, err)
		}
		cancel()
	}
	if !postgres.Hangs(db) {
		t.Error("the store has not noticed: each caller would wait as long as the first")
	}
	p.hold(false)
	for what, call := range calls(db) {
		recovers(t, what, call)
	}
	if postgres.Hangs(db) {
		t.Error("the store has not noticed that the server answers again")
	}
}

func TestConnectionsThatEndAreReplaced(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	p, proxied := through(t, url)
	db := open(t, postgres.Options{URL: proxied})
	for name, harm := range map[string]func(){
		"the network cuts them": p.cut,
		"the server ends them": func() {
			run(t, url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
		},
	} {
		for what, call := range calls(db) {
			if err := call(t.Context()); err != nil {
				t.Fatalf("%s: %s, before: %v", name, what, err)
			}
			harm()
			recovers(t, name+": "+what, call)
		}
	}
	p.refuse(true)
	p.cut()
	for what, call := range calls(db) {
		wantOverloaded(t, "nothing is there: "+what, call(t.Context()))
	}
	p.refuse(false)
	for what, call := range calls(db) {
		recovers(t, what, call)
	}
}

// TestATransactionBeginsOnALivingConnection restarts every connection under a store: what has not begun is begun elsewhere, and nobody hears of it.
func TestATransactionBeginsOnALivingConnection(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	db := open(t, postgres.Options{URL: with(url, "pool_max_conns=2")})
	for i := range 5 {
		run(t, url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
		if _, err := db.Teams().SetTeam(t.Context(), key.Team{Name: key.TeamID(fmt.Sprint(i))}); err != nil {
			t.Errorf("after the connections were ended for the %d. time: got the error %v, want none", i+1, err)
		}
	}
}

func TestLocksAndLongStatementsAreBounded(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	db := open(t, postgres.Options{URL: with(url, "lock_timeout=100&statement_timeout=1000")})
	wantOverloaded(t, "a statement that takes long", postgres.Sleep(t.Context(), db, 20))
	holder, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close(context.WithoutCancel(t.Context()))
	if _, err := holder.Exec(t.Context(), "BEGIN; UPDATE counters SET value = value + 1"); err != nil {
		t.Fatal(err)
	}
	_, err = db.Teams().SetTeam(t.Context(), key.Team{Name: "acme"})
	wantOverloaded(t, "a lock that another holds", err)
	if _, err := holder.Exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Teams().SetTeam(t.Context(), key.Team{Name: "acme"}); err != nil {
		t.Errorf("after it: got the error %v, want none", err)
	}
}

// TestADeadlockIsTriedAgain makes two transactions wait for each other: the server ends one, and it is done again.
func TestADeadlockIsTriedAgain(t *testing.T) {
	t.Parallel()
	db := open(t, postgres.Options{URL: postgrestest.Database(t)})
	var first, all sync.WaitGroup
	first.Add(2)
	errs := make([]error, 2)
	for i, names := range [][2]string{{"key_changes", "schema_changes"}, {"schema_changes", "key_changes"}} {
		all.Go(func() {
			var met sync.Once
			errs[i] = postgres.MoveBoth(t.Context(), db, names, func() { met.Do(func() { first.Done(); first.Wait() }) })
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Errorf("got the error %v, want none", err)
	}
}

func TestWhatCannotBeKeptIsTold(t *testing.T) {
	t.Parallel()
	db := open(t, postgres.Options{URL: postgrestest.Database(t)})
	_, err := db.Teams().SetTeam(t.Context(), key.Team{Name: "nul\x00"})
	if !fault.Is(err, fault.InvalidRequest) {
		t.Errorf("U+0000 in a name: got the error %v, want INVALID_REQUEST", err)
	}
	// The history takes everything: a record that can't be written would stand in the way of all behind it.
	r := usage.Record{RequestID: "id", Team: "acme", Time: time.Unix(1_790_000_000, 0), Prompt: "a\x00b", Answer: "\xff\xfe", Model: "m\x00"}
	if err := db.History().Append(t.Context(), []usage.Record{r}); err != nil {
		t.Fatalf("got the error %v, want none", err)
	}
	got, err := db.History().Request(t.Context(), key.AllTeams(), "id")
	if err != nil || got.Prompt != "a\uFFFDb" || got.Answer != "\uFFFD" || got.Model != "m\uFFFD" {
		t.Errorf("got %+q, %v, want U+FFFD in place of what can't be kept", []string{got.Prompt, got.Answer, got.Model}, err)
	}
}
