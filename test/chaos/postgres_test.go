package chaos

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestPostgreSQLGone: requests whose key is known are answered while the database is dead, submissions get a 503 with Retry-After, and the history of the time is
// written when it is back.
func TestPostgreSQLGone(t *testing.T) {
	for _, how := range []struct{ begin, end string }{{"kill", "start"}, {"pause", "resume"}} {
		t.Run(how.begin, func(t *testing.T) {
			w := newWorld(t, setting{apis: 1, workers: 1, key: free()})
			c := newCaller(w)
			if got, err := c.analyze(c.base(), 1, ""); err != nil || got.status != http.StatusOK {
				t.Fatalf("before the outage: %d %s, %v", got.status, got.body, err)
			}
			if err := w.servers.do(how.begin, postgres); err != nil {
				t.Fatal(err)
			}
			answered := w.askWithout(t, c)
			w.refusesJobs(t, c)
			if !w.of("api")[0].ready() {
				t.Error("without a database the process is not ready, though what it knows of keys is fresh and requests are answered")
			}
			if err := w.servers.do(how.end, postgres); err != nil {
				t.Fatal(err)
			}
			must(t, "the process is ready again", time.Minute, w.of("api")[0].ready)
			for _, id := range answered {
				must(t, "request "+id+" is in the history", time.Minute, func() bool {
					got, err := c.ask(http.MethodGet, c.base(), "/v1/requests/"+id, nil, "")
					return err == nil && got.status == http.StatusOK
				})
			}
			w.jobs(t, c, 10)
			c.right(t)
		})
	}
}

// TestPostgreSQLGoneForLong: nobody is let in for ever by what was known once. Then requests are refused clearly, and answered again when the database is back.
func TestPostgreSQLGoneForLong(t *testing.T) {
	if !long() {
		t.Skip("SKIPPED: keys are known for a minute without a database; set PROMPTD_FULL=1")
	}
	w := newWorld(t, setting{apis: 1, workers: 1, key: free()})
	c := newCaller(w)
	if got, err := c.analyze(c.base(), 1, ""); err != nil || got.status != http.StatusOK {
		t.Fatalf("before the outage: %d %s, %v", got.status, got.body, err)
	}
	if err := w.servers.do("kill", postgres); err != nil {
		t.Fatal(err)
	}
	n := 0
	must(t, "requests are refused", 3*time.Minute, func() bool {
		n++
		got, err := c.analyze(c.base(), n, "")
		if err != nil || got.status != http.StatusOK && (got.status != http.StatusServiceUnavailable || got.retryAfter == "") {
			t.Fatalf("without a database: %d (Retry-After %q) %s, %v", got.status, got.retryAfter, got.body, err)
		}
		return got.status != http.StatusOK
	})
	t.Logf("without a database %d requests were answered, and the next one refused", n-1)
	must(t, "the process says that it is not ready", time.Minute, func() bool { return !w.of("api")[0].ready() })
	if err := w.servers.do("start", postgres); err != nil {
		t.Fatal(err)
	}
	must(t, "requests are answered again", time.Minute, func() bool {
		got, err := c.analyze(c.base(), 1, "")
		return err == nil && got.status == http.StatusOK
	})
	w.jobs(t, c, 10)
	c.right(t)
}

// askWithout asks for ten seconds while the database is away, and gives the ids of what was answered.
func (w *world) askWithout(t *testing.T, c *caller) (answered []string) {
	t.Helper()
	for end, n := time.Now().Add(10*time.Second), 2; time.Now().Before(end); n++ {
		got, err := c.analyze(c.base(), n/2, "") // Every prompt twice: the second answer is kept.
		var id struct {
			RequestID string `json:"request_id"`
		}
		if err != nil || got.status != http.StatusOK || json.Unmarshal(got.body, &id) != nil {
			t.Fatalf("without a database, prompt %d: %d %s, %v", n/2, got.status, got.body, err)
		}
		answered = append(answered, id.RequestID)
		<-time.After(200 * time.Millisecond)
	}
	t.Logf("without a database %d requests were answered", len(answered))
	return answered
}

// refusesJobs wants submissions to be refused in a way that callers understand, and the process to say that it is not ready.
func (w *world) refusesJobs(t *testing.T, c *caller) {
	t.Helper()
	for n := range 3 {
		got, err := c.ask(http.MethodPost, c.base(), "/v1/jobs", []byte(`{"prompt":`+strconv.Quote(prompt(w.run, 7))+`,"schema":`+schemaN+`}`), "refused-"+strconv.Itoa(n))
		if err != nil || got.status != http.StatusServiceUnavailable || got.retryAfter == "" || !strings.Contains(string(got.body), `"code":"OVERLOADED"`) {
			t.Errorf("a submission without a database was answered %d (Retry-After %q) %s, %v", got.status, got.retryAfter, got.body, err)
		}
	}
}
