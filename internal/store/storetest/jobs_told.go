package storetest

import (
	"strings"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/delivery"
	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
)

// endTold retries jobs whose end nobody was told of yet: what is told later is how they ended, and not how they stand by then.
func endTold(t *testing.T, s Stores, clock *Clock) {
	if s.Deliveries == nil {
		t.Skip("this store keeps no deliveries")
	}
	single, batch := singleJob(1), sampleJob(2, 2)
	single.Job.Webhook.URL, batch.Job.Webhook.URL = "https://example.com", "https://example.com"
	single.Job.Metadata = []byte(`{"order":7}`)
	submitJobs(t, s, single, batch)
	for _, w := range claimJobs(t, s, want(3), 3) {
		finishJobs(t, s, failed(w))
	}
	bodies := map[job.ID]string{}
	for n := 1; n <= 2; n++ {
		j := theJob(t, s, jobID(n))
		var only *job.Item
		if n == 1 {
			only = &theItems(t, s, j.ID)[0]
		}
		bodies[j.ID] = string(delivery.Envelope(delivery.JobFailed, j.CompletedAt, j.Append(nil, only)))
		clock.Advance(time.Second)
		_, err := s.Jobs.Retry(t.Context(), key.AllTeams(), j.ID)
		must(t, err)
	}
	for _, w := range claimJobs(t, s, want(3), 3) {
		finishJobs(t, s, done(w))
	}
	wantTold(t, s, jobID(1), "failed_1", "completed_2")
	told := 0
	for _, c := range claim(t, s, "sender") {
		body := ""
		if c.Message.Event == delivery.JobFailed {
			body, told = bodies[job.ID(c.Message.Job)], told+1
		}
		if got := string(c.Message.Payload); got != body {
			t.Errorf("%s has the body\n%s\nwant\n%s", c.Message.ID, got, body)
		}
	}
	if told != 2 || !strings.Contains(bodies[jobID(1)], `"order":7`) || !strings.Contains(bodies[jobID(1)], "VALIDATION_FAILED") {
		t.Errorf("%d failures are to be told, want 2 with all that there is: %s", told, bodies[jobID(1)])
	}
}
