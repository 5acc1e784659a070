package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/provider/providertest"
	"github.com/promptd/promptd/internal/value"
)

// caller is who the program's key belongs to.
func (r *running) caller(t *testing.T) *key.Caller {
	t.Helper()
	who, err := r.verifier.Verify(t.Context(), r.secret)
	if err != nil {
		t.Fatal(err)
	}
	return who
}

// submit hands a job in as the API does.
func (r *running) submit(t *testing.T, body string) job.Receipt {
	t.Helper()
	v, err := value.DecodeString(body, value.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	d, err := job.ReadSubmission(v, r.Defaults(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	receipt, err := r.Jobs().Submit(t.Context(), job.Order{Who: r.caller(t)}, d)
	if err != nil {
		t.Fatal(err)
	}
	return receipt
}

// over waits for the end of a job.
func (r *running) over(t *testing.T, id job.ID) job.Job {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var last job.Job
	for j, err := range r.Jobs().Watch(ctx, key.AllTeams(), id) {
		if err != nil {
			t.Fatal(err)
		}
		last = j
	}
	if !last.State.Final() {
		t.Fatalf("the job is %s %+v after a minute", last.State, last.Progress)
	}
	return last
}

// hook receives webhooks.
type hook struct {
	*httptest.Server

	mu   sync.Mutex
	told []map[string]any
}

func newHook(t *testing.T) *hook {
	h := &hook{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var v map[string]any
		if err := json.NewDecoder(r.Body).Decode(&v); err != nil {
			t.Errorf("a webhook's body: %v", err)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.told = append(h.told, v)
	}))
	t.Cleanup(h.Close)
	return h
}

// await waits for so many messages.
func (h *hook) await(t *testing.T, n int) []map[string]any {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; {
		h.mu.Lock()
		told := h.told
		h.mu.Unlock()
		if len(told) >= n {
			return told
		}
		if time.Now().After(end) {
			t.Fatalf("got %d messages, want %d", len(told), n)
		}
		<-time.After(10 * time.Millisecond)
	}
}

func TestAJobIsDoneAndToldOf(t *testing.T) {
	t.Parallel()
	service := providertest.New(t, providertest.Settings{Text: `{"n":7}`})
	s := newSetting(t, "webhooks: {allow_private_networks: true}\nproviders:"+account("one", service))
	s.environ = []string{"SERVICE_KEY=sk-secret"}
	r, h := s.start(t), newHook(t)
	one := r.submit(t, strings.TrimSuffix(question, "}")+`,"webhook":{"url":"`+h.URL+`"},"metadata":{"order":17}}`)
	if one.Secret == "" || one.Job.State != job.Pending {
		t.Errorf("got %+v", one)
	}
	many := r.submit(t, `{"items":[{"prompt":"There are 7."},{"id":"b","prompt":"There are 8.","options":{"model":"m"}}],"schema":{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}}`)
	if j := r.over(t, one.Job.ID); j.State != job.Completed {
		t.Errorf("got %s", j.State)
	}
	if j := r.over(t, many.Job.ID); j.State != job.Completed || j.Progress.Completed != 2 {
		t.Errorf("got %s %+v", j.State, j.Progress)
	}
	var lines []string
	for item, err := range r.Jobs().Results(t.Context(), key.AllTeams(), many.Job.ID, false, 0) {
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(item.AppendLine(nil)))
	}
	if len(lines) != 2 || !strings.HasPrefix(lines[0], `{"id":"0","status":"passed","result":{"request_id":`) || !strings.HasPrefix(lines[1], `{"id":"b","status":"passed"`) {
		t.Errorf("got lines\n%s", strings.Join(lines, "\n"))
	}
	told := h.await(t, 1)[0]
	data, _ := told["data"].(map[string]any)
	result, _ := data["result"].(map[string]any)
	if told["type"] != "job.completed" || data["job_id"] != string(one.Job.ID) || data["status"] != "completed" || fmt.Sprint(data["metadata"], result["data"]) != "map[order:17] map[n:7]" {
		t.Errorf("the webhook told %v", told)
	}
	metrics := r.must(t, http.StatusOK, http.MethodGet, r.URL()+"/v1/metrics", r.secret, "").body
	for _, want := range []string{`jobs_submitted_total{priority="normal"} 2`, `jobs_items_total{state="completed"} 3`, `jobs_finished_total{state="completed"} 2`, `jobs_items_working 0`} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics do not say %s", want)
		}
	}
}

// TestWhatWasAcceptedIsDoneByTheNextProgram: the first one ends with work under way and work that waits.
func TestWhatWasAcceptedIsDoneByTheNextProgram(t *testing.T) {
	t.Parallel()
	service := providertest.New(t, providertest.Settings{Text: `{"n":7}`})
	s := newSetting(t, "jobs: {concurrency: 2}\nproviders:"+account("one", service))
	s.environ = []string{"SERVICE_KEY=sk-secret"}
	first := s.start(t)
	hold := make(chan struct{})
	service.Queue(providertest.Reply{Text: `{"n":7}`, Hold: hold}, providertest.Reply{Text: `{"n":7}`, Hold: hold})
	var ids []job.ID
	for range 5 {
		ids = append(ids, first.submit(t, question).Job.ID)
	}
	for len(service.Exchanges()) < 2 {
		<-time.After(5 * time.Millisecond)
	}
	first.stop()
	close(hold) // What is under way ends by itself.
	if err := <-first.ended; err != nil {
		t.Fatal(err)
	}
	second := s.start(t)
	for _, id := range ids {
		if j := second.over(t, id); j.State != job.Completed {
			t.Errorf("%s is %s", id, j.State)
		}
	}
	if n := len(service.Exchanges()); n != 5 {
		t.Errorf("the provider was asked %d times for 5 prompts", n)
	}
}

// TestARevokedKeysJobsEnd: whoever revokes a key wants its work to end, and is told why.
func TestARevokedKeysJobsEnd(t *testing.T) {
	t.Parallel()
	service := providertest.New(t, providertest.Settings{Text: `{"n":7}`})
	s := newSetting(t, "providers:"+account("one", service))
	s.environ = []string{"SERVICE_KEY=sk-secret"}
	r := s.start(t)
	who := r.caller(t)
	receipt := r.submit(t, strings.TrimSuffix(question, "}")+`,"run_at":"`+time.Now().Add(time.Second).UTC().Format(time.RFC3339Nano)+`"}`)
	issuer := &key.Issuer{Store: r.db.keys, Changed: r.verifier.Refresh}
	if _, err := issuer.Revoke(t.Context(), key.AllTeams(), who.Key); err != nil {
		t.Fatal(err)
	}
	j := r.over(t, receipt.Job.ID)
	_, only, err := r.Jobs().Job(t.Context(), key.AllTeams(), receipt.Job.ID)
	if err != nil || j.State != job.Failed || !strings.Contains(string(only.Result), `"code":"UNAUTHORIZED"`) || !strings.Contains(string(only.Result), "was revoked") {
		t.Errorf("got %s, %+v, %v", j.State, only, err)
	}
}

// TestAWorkerServesHealthAndNoAPI: a process without the role says so.
func TestAWorkerServesHealthAndNoAPI(t *testing.T) {
	t.Parallel()
	service := providertest.New(t, providertest.Settings{Text: `{"n":7}`})
	s := newSetting(t, "roles: [worker]\nproviders:"+account("one", service))
	s.environ = []string{"SERVICE_KEY=sk-secret"}
	r := s.start(t)
	r.must(t, http.StatusOK, http.MethodGet, r.URL()+"/v1/health/ready", "", "")
	r.must(t, http.StatusUnauthorized, http.MethodGet, r.URL()+"/v1/metrics", "", "")
	r.must(t, http.StatusOK, http.MethodGet, r.URL()+"/v1/metrics", r.secret, "")
	if a := r.must(t, http.StatusNotFound, http.MethodPost, r.URL()+"/v1/analyze", r.secret, question); !strings.Contains(a.body, "role api") {
		t.Errorf("got %s", a.body)
	}
	if j := r.over(t, r.submit(t, question).Job.ID); j.State != job.Completed {
		t.Errorf("got %s", j.State)
	}
}
