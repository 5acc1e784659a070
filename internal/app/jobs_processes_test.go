package app

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/provider/providertest"
	"github.com/promptd/promptd/internal/store/postgres/postgrestest"
)

// process starts a program with roles on a database that others share.
func process(t *testing.T, database, roles string, service *providertest.Server) *running {
	t.Helper()
	s := newSetting(t, "roles: ["+roles+"]\ndatabase: {url: \""+database+"\"}\njobs: {concurrency: 4, lease: 3s}\nproviders:"+account("one", service))
	s.environ = []string{"SERVICE_KEY=sk-secret"}
	return s.launch(t)
}

// batch is a job of so many prompts.
func batch(n int) string {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprintf(`{"prompt":"There are %d."}`, i)
	}
	return `{"items":[` + strings.Join(items, ",") + `],"schema":{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]},"options":{"bypass_cache":true}}`
}

// TestProcessesShareTheWorkOfOneDatabase: what one accepts others do, each prompt once, while one of them ends; and what is cancelled in one stops in another.
func TestProcessesShareTheWorkOfOneDatabase(t *testing.T) {
	t.Parallel()
	database := postgrestest.Database(t)
	service := providertest.New(t, providertest.Settings{Text: `{"n":7}`})
	front := process(t, database, "api", service)
	none := 0
	_, secret, err := (&key.Issuer{Store: front.db.keys, Changed: front.verifier.Refresh}).Create(t.Context(), key.Key{Name: "test", Scopes: key.AllScopes, RateLimitPerHour: &none})
	if err != nil {
		t.Fatal(err)
	}
	front.secret = secret.Reveal()
	leaves, stays := process(t, database, "worker", service), process(t, database, "worker", service)

	hold := make(chan struct{})
	for range 8 { // Both workers are busy to the last slot.
		service.Queue(providertest.Reply{Text: `{"n":7}`, Hold: hold})
	}
	receipt := front.submit(t, batch(120))
	await(t, "both workers to be busy", func() bool { return len(service.Exchanges()) == 8 })
	leaves.stop()
	close(hold)
	if err := <-leaves.ended; err != nil {
		t.Error(err)
	}
	if j := front.over(t, receipt.Job.ID); j.State != job.Completed || j.Progress.Completed != 120 {
		t.Errorf("got %s %+v", j.State, j.Progress)
	}
	if n := len(service.Exchanges()); n != 120 {
		t.Errorf("the provider was asked %d times for 120 prompts", n)
	}

	if a := front.must(t, http.StatusOK, http.MethodGet, front.URL()+"/v1/metrics", front.secret, ""); strings.Contains(a.body, "broker_messages_total{") {
		t.Errorf("a process without workers tells its own broker of work: %s", lines(a.body, "broker_messages_total"))
	}

	stuck := make(chan struct{})
	defer close(stuck)
	service.Queue(providertest.Reply{Text: `{"n":7}`, Hold: stuck})
	receipt = front.submit(t, question)
	await(t, "the prompt to be with the provider", func() bool { return len(service.Exchanges()) == 121 })
	if _, err := front.Jobs().Cancel(t.Context(), key.AllTeams(), receipt.Job.ID); err != nil {
		t.Fatal(err)
	}
	await(t, "the call to be given up", func() bool {
		standing := stays.pool.Providers()[0]
		return standing.Standing(&standing.Models()[0]).InFlight == 0
	})
	if j := front.over(t, receipt.Job.ID); j.State != job.Cancelled {
		t.Errorf("got %s", j.State)
	}
}

// await looks until something is so.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !so(); {
		if time.Now().After(end) {
			t.Fatal("a minute was not enough for " + what)
		}
		<-time.After(10 * time.Millisecond)
	}
}
