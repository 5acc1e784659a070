package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/provider/providertest"
)

// jobView is a job as a caller reads it.
type jobView struct {
	JobID    string `json:"job_id"`
	Status   string
	Progress struct{ Total, Completed, Failed, Cancelled int }
	Result   *struct{ Data json.RawMessage }
	Error    *struct{ Code string }
	Metadata json.RawMessage
	Run      int
}

// accepted is what a submission answers.
func accepted(t *testing.T, a answer) jobView {
	t.Helper()
	var got jobView
	a.into(t, http.StatusAccepted, &got)
	if want := "/v1/jobs/" + got.JobID; a.header.Get("Location") != want {
		t.Errorf("got Location %q, want %q", a.header.Get("Location"), want)
	}
	return got
}

// ended follows a job's events to its end, and gives the last.
func (w *world) ended(t *testing.T, id string) (job jobView, events []string) {
	t.Helper()
	a := w.get("/v1/jobs/" + id + "/events")
	if a.status != http.StatusOK {
		t.Fatalf("got %d %s, want events", a.status, a.body)
	}
	for block := range strings.SplitSeq(a.body, "\n\n") {
		var name, data string
		for line := range strings.SplitSeq(block, "\n") {
			if rest, ok := strings.CutPrefix(line, "event: "); ok {
				name = rest
			}
			if rest, ok := strings.CutPrefix(line, "data: "); ok {
				data = rest
			}
		}
		if name == "" {
			continue
		}
		events = append(events, name)
		job = jobView{}
		if err := json.Unmarshal([]byte(data), &job); err != nil {
			t.Fatalf("the event %s holds %q: %v", name, data, err)
		}
	}
	return job, events
}

func TestAJobIsAcceptedDoneAndRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.service.Queue(providertest.Reply{Text: `{"n": 3}`})
	made := accepted(t, w.post("/v1/jobs", `{"prompt": "How many? Three.", "schema": `+numberSchema+`, "metadata": {"order": 7}}`))
	job, events := w.ended(t, made.JobID)
	if job.Status != "completed" || job.Result == nil || string(job.Result.Data) != `{"n":3}` || events[len(events)-1] != "result" {
		t.Fatalf("got %+v after %v, want a result", job, events)
	}
	var read jobView
	w.get("/v1/jobs/"+made.JobID).into(t, 200, &read)
	if read.Progress.Completed != 1 || string(read.Metadata) != `{"order":7}` {
		t.Errorf("got %+v, want one prompt done, and the metadata", read)
	}
	line := w.get("/v1/jobs/" + made.JobID + "/results").body
	if !strings.HasPrefix(line, `{"id":"0","status":"passed","result":{`) || strings.Count(line, "\n") != 1 {
		t.Errorf("got the results %q, want one line", line)
	}
	if a := w.do(ask{method: "DELETE", path: "/v1/jobs/" + made.JobID}); a.status != http.StatusConflict {
		t.Errorf("cancelling what is over: got %d %s, want 409", a.status, a.body)
	}
}

func TestABatchInLinesIsDoneAndItsResultsAreLines(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var lines bytes.Buffer
	fmt.Fprintf(&lines, "{\"schema\": %s}\n", numberSchema)
	const prompts = 700 // More than one portion.
	for i := range prompts {
		fmt.Fprintf(&lines, "{\"id\": \"row-%d\", \"prompt\": \"How many? Three of %d.\"}\n", i, i)
	}
	a := w.do(ask{method: "POST", path: "/v1/jobs", reader: &lines, header: http.Header{"Content-Type": {"application/x-ndjson"}}})
	made := accepted(t, a)
	followed := w.get("/v1/jobs/" + made.JobID + "/results?follow=true").body
	if n := strings.Count(followed, "\n"); n != prompts {
		t.Errorf("following gave %d lines, want %d", n, prompts)
	}
	rest := w.get("/v1/jobs/" + made.JobID + "/results?after=690").body
	if n := strings.Count(rest, "\n"); n != 10 || !strings.HasPrefix(rest, `{"id":"row-690",`) {
		t.Errorf("behind 690 lines: got %d lines that begin with %.40q, want the last 10", n, rest)
	}
}

func TestAnIdempotencyKeyMakesOneJob(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	header := http.Header{"Idempotency-Key": {"order-7"}}
	send := func(body string) answer {
		return w.do(ask{method: "POST", path: "/v1/jobs", body: body, header: header.Clone()})
	}
	body := `{"prompt": "How many? Three.", "schema": ` + numberSchema + `}`
	first := accepted(t, send(body))
	again := send(body)
	if second := accepted(t, again); second.JobID != first.JobID || again.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("got the job %s, want the first one, %s, again", second.JobID, first.JobID)
	}
	if a := send(`{"prompt": "Another."}`); a.status != http.StatusConflict {
		t.Errorf("the key with another body: got %d %s, want 409", a.status, a.body)
	}
	lines := http.Header{"Idempotency-Key": {"rows"}, "Content-Type": {"application/x-ndjson"}}
	upload := func(text string) answer {
		return w.do(ask{method: "POST", path: "/v1/jobs", reader: strings.NewReader(text), header: lines.Clone()})
	}
	one := accepted(t, upload("{}\n{\"prompt\": \"A\"}\n"))
	if two := accepted(t, upload("{}\n{\"prompt\": \"A\"}\n")); two.JobID != one.JobID {
		t.Errorf("got the job %s, want the first one, %s, again", two.JobID, one.JobID)
	}
	if a := upload("{}\n{\"prompt\": \"B\"}\n"); a.status != http.StatusConflict {
		t.Errorf("the key with other lines: got %d %s, want 409", a.status, a.body)
	}
}

func TestJobsOfOthersAreNotThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mine := w.newKey(key.Key{Name: "mine", Team: "acme", Scopes: key.AllScopes})
	theirs := w.newKey(key.Key{Name: "theirs", Team: "beta", Scopes: key.AllScopes})
	made := accepted(t, w.do(ask{method: "POST", path: "/v1/jobs", key: mine, body: `{"prompt": "Hi", "run_at": "` + inDays(7) + `"}`}))
	for _, c := range []struct{ method, path string }{
		{"GET", ""},
		{"DELETE", ""},
		{"POST", "/retry"},
		{"GET", "/results"},
		{"GET", "/events"},
	} {
		if a := w.do(ask{method: c.method, path: "/v1/jobs/" + made.JobID + c.path, key: theirs}); a.status != http.StatusNotFound {
			t.Errorf("%s %s by another team: got %d %s, want 404", c.method, c.path, a.status, a.body)
		}
	}
	for secret, want := range map[string]int{mine: 1, theirs: 0} {
		var page struct{ Data []jobView }
		w.do(ask{method: "GET", path: "/v1/jobs?status=pending", key: secret}).into(t, 200, &page)
		if len(page.Data) != want {
			t.Errorf("got %d jobs in the list, want %d", len(page.Data), want)
		}
	}
	var gone jobView
	for range 2 { // Once more is no fault.
		w.do(ask{method: "DELETE", path: "/v1/jobs/" + made.JobID, key: mine}).into(t, 200, &gone)
	}
	if gone.Status != "cancelled" || gone.Progress.Cancelled != 1 {
		t.Errorf("got %+v, want it cancelled", gone)
	}
}

func TestWhatIsWrongWithAJobIsSaidAndNothingIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	lines := http.Header{"Content-Type": {"application/x-ndjson"}}
	for _, c := range []struct {
		what, body string
		lines      bool
		status     int
		says       string
	}{
		{"no prompt", `{}`, false, 400, "prompt"},
		{"a stream", `{"prompt": "A", "stream": true}`, false, 400, "stream"},
		{"a priority", `{"prompt": "A", "priority": "urgent"}`, false, 400, "/priority"},
		{"a time", `{"prompt": "A", "run_at": "tomorrow"}`, false, 400, "/run_at"},
		{"a webhook inside", `{"prompt": "A", "webhook": {"url": "http://127.0.0.1/"}}`, false, 400, "/webhook"},
		{"a schema", `{"prompt": "A", "schema": {"type": "strin"}}`, false, 400, "/schema"},
		{"an item", `{"items": [{"prompt": "A"}, {"prompt": 7}]}`, false, 400, "/items/1/prompt"},
		{"an unknown field", `{"prompt": "A", "priorty": "low"}`, false, 400, "priorty"},
		{"no lines", ``, true, 400, "empty"},
		{"a header alone", "{}\n", true, 400, "item"},
		{"half a line", "{}\n{\"prompt\": \"A\"\n", true, 400, "line 2"},
		{"a line", "{}\n{\"prompt\": \"A\"}\n{\"prompt\": \"\"}\n", true, 400, "line 3"},
		{"the same id", "{}\n{\"id\": \"a\", \"prompt\": \"A\"}\n{\"id\": \"a\", \"prompt\": \"A\"}\n", true, 400, "same"},
		{"a long line", "{}\n" + strings.Repeat("x", 2<<20) + "\n", true, 413, "limits.body_bytes"},
		{"a long upload", "{}\n" + strings.Repeat("{\"prompt\": \"A\"}\n", 300_000), true, 413, "limits.upload_bytes"},
	} {
		in := ask{method: "POST", path: "/v1/jobs", body: c.body}
		if c.lines {
			in = ask{method: "POST", path: "/v1/jobs", reader: strings.NewReader(c.body), header: lines.Clone()}
		}
		if a := w.do(in); a.status != c.status || !strings.Contains(a.body, c.says) {
			t.Errorf("%s: got %d %.300s, want %d that says %q", c.what, a.status, a.body, c.status, c.says)
		}
	}
	var page struct{ Data []jobView }
	w.get("/v1/jobs").into(t, 200, &page)
	if len(page.Data) != 0 || w.service.Requests() != 0 {
		t.Errorf("got %d jobs and %d calls, want nothing kept", len(page.Data), w.service.Requests())
	}
}

func TestAFailedJobCanBeDoneAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.service.Queue(providertest.Reply{Text: `{"n": "many"}`})
	made := accepted(t, w.post("/v1/jobs", `{"prompt": "How many?", "schema": `+numberSchema+`, "options": {"max_attempts": 1}}`))
	job, _ := w.ended(t, made.JobID)
	if job.Status != "failed" || job.Error == nil || job.Error.Code == "" {
		t.Fatalf("got %+v, want a failure with its problem", job)
	}
	w.service.Queue(providertest.Reply{Text: `{"n": 3}`})
	var pending jobView
	w.post("/v1/jobs/"+made.JobID+"/retry", "").into(t, 200, &pending)
	if job, _ = w.ended(t, made.JobID); job.Status != "completed" || job.Run != 2 {
		t.Errorf("got %+v, want it completed in its second run", job)
	}
}
