package api_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/provider/providertest"
)

// inDays is a time ahead, as a job's run_at.
func inDays(n int) string { return time.Now().AddDate(0, 0, n).UTC().Format(time.RFC3339) }

// followed opens an answer that goes on, and gives it when its first line has come.
func (w *world) followed(t *testing.T, path string) (first string, rest io.Reader) {
	t.Helper()
	response, err := w.send(ask{method: "GET", path: path, ctx: t.Context()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	lines := bufio.NewReader(response.Body)
	first, err = lines.ReadString('\n')
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("got %d, %q, %v, want the first line", response.StatusCode, first, err)
	}
	return first, lines
}

func TestAServerThatEndsTellsThoseWhoWaitForJobs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hold := make(chan struct{})
	t.Cleanup(func() { close(hold) })
	w.service.Queue(providertest.Reply{Text: `{"n": 3}`}, providertest.Reply{Hold: hold})
	made := accepted(t, w.post("/v1/jobs", `{"items": [{"prompt": "How many? Three."}, {"prompt": "And now?"}], "schema": `+numberSchema+`}`))
	_, events := w.followed(t, "/v1/jobs/"+made.JobID+"/events")
	line, results := w.followed(t, "/v1/jobs/"+made.JobID+"/results?follow=true")
	if !strings.Contains(line, `"status":"passed"`) || !strings.HasSuffix(line, ",\"after\":1}\n") {
		t.Errorf("got the line %s, want the prompt that has ended, with its place", line)
	}
	w.server.Drain()
	text, err := io.ReadAll(events)
	if err != nil || !strings.Contains(string(text), "event: error\n") || !strings.Contains(string(text), `"code":"OVERLOADED"`) || strings.Contains(string(text), "event: result") {
		t.Errorf("got the events %s, %v, want an error at their end that says to come back", text, err)
	}
	text, err = io.ReadAll(results)
	if err != nil || !strings.HasPrefix(string(text), `{"error":{`) || !strings.Contains(string(text), `"code":"OVERLOADED"`) || strings.Count(string(text), "\n") != 1 {
		t.Errorf("got the results %s, %v, want a last line that says to come back", text, err)
	}
	if a := w.get("/v1/jobs/" + made.JobID + "/events"); !strings.Contains(a.body, `"code":"OVERLOADED"`) {
		t.Errorf("events of a server that ends: got %d %s, want them to say so at once", a.status, a.body)
	}
}

func TestResultsGoOnBehindEachLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const prompts = 12
	var items strings.Builder
	for i := range prompts {
		fmt.Fprintf(&items, `, {"id": "row-%d", "prompt": "How many? %d."}`, i, i)
	}
	made := accepted(t, w.post("/v1/jobs", `{"items": [`+items.String()[2:]+`], "schema": `+numberSchema+`}`))
	w.ended(t, made.JobID)
	for _, order := range []string{"number", "completed"} {
		path := "/v1/jobs/" + made.JobID + "/results?order=" + order
		whole := strings.SplitAfter(strings.TrimSuffix(w.get(path).body, "\n"), "\n")
		if len(whole) != prompts {
			t.Fatalf("order=%s: got %d lines, want %d", order, len(whole), prompts)
		}
		for i, line := range whole {
			var at struct{ After int }
			if err := json.Unmarshal([]byte(line), &at); err != nil {
				t.Fatal(err)
			}
			rest := w.get(fmt.Sprintf("%s&after=%d", path, at.After)).body
			if want := strings.Join(whole[i+1:], ""); strings.TrimSuffix(rest, "\n") != strings.TrimSuffix(want, "\n") {
				t.Errorf("order=%s, behind line %d: got %s, want %s", order, i, rest, want)
			}
		}
	}
}
