package client

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const jobText = `{"job_id":"j1","status":"completed","progress":{"total":1,"completed":1,"failed":0,"cancelled":0},"result":%s,"attempt":2,
"tries":[{"worker":"w","started_at":"2026-11-26T08:00:00Z","ended_at":"2026-11-26T08:00:01Z","code":"LEASE_LOST"}],"batch":false,"run":1,"priority":"high","urgency":"normal",
"metadata":{"order":7},"created_at":"2026-11-26T08:00:00.000Z","run_at":"2026-11-26T08:00:00.000Z","deadline":"2026-11-27T08:00:00.000Z",
"started_at":"2026-11-26T08:00:00.120Z","completed_at":"2026-11-26T08:00:01.080Z","expires_at":null,"links":{}}`

func TestASubmissionIsSentAgainUnderOneKey(t *testing.T) {
	t.Parallel()
	var keys []string
	c, waits := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		want := `{"prompt":"x","schema":"order@2","webhook":{"id":"wh_1"},"priority":"low","run_at":"2026-12-01T02:00:00Z","metadata":{"a":1}}` + "\n"
		if diff := cmp.Diff(want, string(body)); diff != "" || r.URL.Path != "/v1/jobs" {
			t.Errorf("%s body (-want +got):\n%s", r.URL, diff)
		}
		if keys = append(keys, r.Header.Get("Idempotency-Key")); len(keys) == 1 {
			panic(http.ErrAbortHandler) // The answer is lost.
		}
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{"job_id":"j1","status":"pending","created_at":"2026-11-26T08:00:00.000Z","webhook":{"url":"https://x","secret":"whsec_x"},"links":{}}`)
	})
	made, err := c.Submit(t.Context(), JobRequest{
		Request: Request{Prompt: "x", Schema: "order@2"}, Webhook: &JobWebhook{ID: "wh_1"}, Priority: "low", RunAt: time.Date(2026, 12, 1, 2, 0, 0, 0, time.UTC), Metadata: map[string]int{"a": 1},
	})
	if err != nil || made.ID != "j1" || made.Status != JobPending || made.Webhook.Secret != "whsec_x" {
		t.Fatalf("got %+v, %v", made, err)
	}
	if len(keys) != 2 || keys[0] == "" || keys[0] != keys[1] || len(*waits) != 1 {
		t.Errorf("got the keys %q after %v, want one key twice", keys, *waits)
	}
}

func TestLinesAreSentAsTheyAre(t *testing.T) {
	t.Parallel()
	const lines = "{\"prompt\":\"a\"}\n{\"prompt\":\"b\"}\n"
	for _, test := range []struct {
		name  string
		lines io.Reader
		tries int
	}{
		{"what can be read again is sent again", strings.NewReader(lines), 2},
		{"what can't is sent once", io.MultiReader(strings.NewReader(lines)), 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var tries atomic.Int32
			c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				if want := "{\"schema\":\"order\",\"urgency\":\"low\"}\n" + lines; string(body) != want || r.Header.Get("Content-Type") != "application/x-ndjson" {
					t.Errorf("got %s of type %s, want %s", body, r.Header.Get("Content-Type"), want)
				}
				if tries.Add(1) == 1 {
					problemBody(w, http.StatusServiceUnavailable, CodeOverloaded)
					return
				}
				w.WriteHeader(http.StatusAccepted)
				_, _ = io.WriteString(w, `{"job_id":"j1","status":"pending","created_at":"2026-11-26T08:00:00Z"}`)
			})
			made, err := c.SubmitStream(t.Context(), JobRequest{Request: Request{Schema: "order"}, Urgency: "low"}, test.lines)
			if n := int(tries.Load()); n != test.tries {
				t.Fatalf("got %d tries, want %d", n, test.tries)
			}
			if test.tries == 1 {
				if !IsCode(err, CodeOverloaded) {
					t.Errorf("got %v, want what the server said", err)
				}
				return
			}
			if err != nil || made.ID != "j1" {
				t.Errorf("got %+v, %v", made, err)
			}
		})
	}
	c, _ := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("it is called") })
	if _, err := c.SubmitStream(t.Context(), JobRequest{Items: []JobItem{{}}}, strings.NewReader(lines)); err == nil {
		t.Error("prompts at two places are taken")
	}
}

func TestAJobIsReadWithItsAnswer(t *testing.T) {
	t.Parallel()
	text := fmt.Sprintf(jobText, answerText)
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.Method + " " + r.URL.RequestURI() {
		case "GET /v1/jobs/j1", "DELETE /v1/jobs/j1":
			_, _ = io.WriteString(w, text)
		case "POST /v1/jobs/j1/retry":
			if r.Header.Get("Idempotency-Key") == "" {
				t.Error("a retry has no key")
			}
			_, _ = io.WriteString(w, `{"job_id":"j1","status":"pending","progress":{"total":2,"completed":1,"failed":0,"cancelled":0},"run":2}`)
		case "GET /v1/jobs?limit=2&status=failed":
			_, _ = io.WriteString(w, `{"data":[`+text+`],"next_cursor":"n"}`)
		case "GET /v1/jobs?cursor=n&limit=2&status=failed":
			_, _ = io.WriteString(w, `{"data":[{"job_id":"j2","status":"failed","error":{"status":502,"code":"LLM_PROVIDER_ERROR","detail":"why"}}]}`)
		default:
			t.Errorf("called is %s %s", r.Method, r.URL)
		}
	})
	j, err := c.Job(t.Context(), "j1")
	if err != nil || !j.Final() || j.Answer == nil || string(j.Answer.Data) != `{"b":1.10,"a":"<x>"}` || len(j.Answer.Raw) == 0 || j.Attempt != 2 || j.Tries[0].Code != "LEASE_LOST" {
		t.Fatalf("got %+v, %v", j, err)
	}
	if !json.Valid(j.Raw) || !bytes.Equal(j.Raw, []byte(text)) || !j.ExpiresAt.IsZero() || j.StartedAt.IsZero() || string(j.Metadata) != `{"order":7}` {
		t.Errorf("got %+v", j)
	}
	if j, err = c.CancelJob(t.Context(), "j1"); err != nil || j.ID != "j1" {
		t.Errorf("got %+v, %v", j, err)
	}
	if j, err = c.RetryJob(t.Context(), "j1"); err != nil || j.Final() || j.Progress.Ended() != 1 || j.Run != 2 {
		t.Errorf("got %+v, %v", j, err)
	}
	var ids []string
	for j, err := range c.Jobs(t.Context(), JobFilter{Status: JobFailed, Page: Page{Limit: 2}}) {
		if err != nil {
			t.Fatal(err)
		}
		if ids = append(ids, j.ID); j.ID == "j2" && (j.Problem == nil || j.Problem.Code != CodeProviderError || j.Problem.Raw == nil) {
			t.Errorf("got %+v", j)
		}
	}
	if diff := cmp.Diff([]string{"j1", "j2"}, ids); diff != "" {
		t.Error(diff)
	}
	if _, err := c.Job(t.Context(), "../keys"); err == nil {
		t.Error("another path is taken for an id")
	}
}

func TestResultsAreReadOverBrokenConnections(t *testing.T) {
	t.Parallel()
	line := func(n int) string {
		return fmt.Sprintf(`{"id":"%d","status":"passed","result":%s,"after":%d}`+"\n", n, result(), n)
	}
	var calls []string
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		calls = append(calls, r.URL.RequestURI())
		switch len(calls) {
		case 1: // It breaks within a line.
			_, _ = io.WriteString(w, line(1)+line(2)+`{"id":"3","sta`)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		case 2: // The server ends, and says so.
			_, _ = io.WriteString(w, line(3)+`{"error":{"status":503,"code":"OVERLOADED","detail":"this process ends"}}`+"\n")
		case 3: // A proxy is away.
			w.WriteHeader(http.StatusBadGateway)
		case 4: // What ends without a word may be a server that ends.
			_, _ = io.WriteString(w, line(4))
		case 5:
			_, _ = io.WriteString(w, `{"job_id":"j1","status":"processing"}`)
		case 6:
			_, _ = io.WriteString(w, line(5))
		case 7:
			_, _ = io.WriteString(w, `{"job_id":"j1","status":"completed"}`)
		case 8:
			_, _ = io.WriteString(w, `{"id":"6","status":"failed","error":{"status":502,"code":"LLM_PROVIDER_ERROR"},"after":6}`+"\n")
		default:
			t.Errorf("called once more: %s", r.URL)
		}
	})
	var ids []string
	for r, err := range c.JobResults(t.Context(), "j1", JobResultsQuery{Follow: true}) {
		if err != nil {
			t.Fatal(err)
		}
		if ids = append(ids, r.ID); (r.Answer == nil) == (r.Problem == nil) || len(r.Raw) == 0 {
			t.Errorf("got %+v", r)
		}
	}
	if diff := cmp.Diff(strings.Split("123456", ""), ids); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	const path = "/v1/jobs/j1/results?"
	want := []string{
		path + "follow=true&order=completed", path + "after=2&follow=true&order=completed", path + "after=3&follow=true&order=completed", path + "after=3&follow=true&order=completed",
		"/v1/jobs/j1", path + "after=4&follow=true&order=completed", "/v1/jobs/j1", path + "after=5&follow=true&order=completed",
	}
	if diff := cmp.Diff(want, calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestAJobIsWatchedOverBrokenConnections(t *testing.T) {
	t.Parallel()
	progress := func(n int) string {
		return fmt.Sprintf("id: 1\nevent: progress\ndata: {\"job_id\":\"j1\",\"status\":\"processing\",\"progress\":{\"total\":3,\"completed\":%d}}\n\n", n)
	}
	calls := 0
	c, waits := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		switch calls++; calls {
		case 1:
			_, _ = io.WriteString(w, ": heartbeat\n\n"+progress(1)+"id: 2\nevent: later\ndata: {}\n\n")
		case 2:
			_, _ = io.WriteString(w, progress(2)+"id: 2\nevent: error\ndata: {\"status\":503,\"code\":\"OVERLOADED\"}\n\n")
		case 3:
			_, _ = io.WriteString(w, "id: 1\nevent: result\ndata: "+strings.ReplaceAll(fmt.Sprintf(jobText, result()), "\n", "")+"\n\n")
		}
	})
	j, err := c.WaitJob(t.Context(), "j1")
	if err != nil || calls != 3 || len(*waits) != 2 || j.Status != JobCompleted || j.Answer == nil {
		t.Errorf("got %+v, %v after %d calls and %v", j, err, calls, *waits)
	}
}

func TestWhatAskingAgainDoesNotChangeEndsTheWatch(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, want string
		calls      int
		answer     func(http.ResponseWriter)
	}{
		{"no such job", "NOT_FOUND: why", 1, func(w http.ResponseWriter) { problemBody(w, 404, CodeNotFound) }},
		{"an answer of something else", "not what promptd sends", 1, func(w http.ResponseWriter) { _, _ = io.WriteString(w, "event: result\ndata: hello\n\n") }},
		{"a server that says nothing, for long", "unexpected EOF", mostLooks + 1, func(http.ResponseWriter) {}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			calls := 0
			c, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) { calls++; test.answer(w) })
			j, err := c.WaitJob(t.Context(), "j1")
			if err == nil || !strings.Contains(err.Error(), test.want) || calls != test.calls {
				t.Errorf("got %+v, %v after %d calls, want %q after %d", j, err, calls, test.want, test.calls)
			}
		})
	}
}
