package app

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/provider/providertest"
	"github.com/promptd/promptd/internal/value"
)

// Every dialect with batches: a job that may wait is answered by a batch alone.
func TestAJobThatMayWaitGoesThroughTheBatchAPI(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ base, model string }{
		"openai": {"/v1", "gpt-4.1-mini"}, "openai-responses": {"/v1", "gpt-4.1-mini"}, "anthropic": {"", "claude-haiku-4-5"}, "gemini": {"/v1beta", "gemini-2.5-flash"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := providertest.New(t, providertest.Settings{Seed: 1, Batches: &providertest.Batches{Looks: 1}})
			s := newSetting(t, fmt.Sprintf("providers: [{name: scripted, dialect: %s, base_url: \"%s%s\", batches: true, models: [{name: %s, price: {input: 1, output: 2}}]}]", name, service.URL(), c.base, c.model))
			s.hurry = 10 * time.Millisecond
			r := s.start(t)
			receipt := r.submit(t, `{"items":[{"prompt":"There are 7 apples."},{"prompt":"There are 8 pears."}],"urgency":"low",
				"schema":{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"],"additionalProperties":false}}`)
			j := r.over(t, receipt.Job.ID)
			if j.State != job.Completed || service.Requests() != 0 {
				t.Errorf("the job is %s after %d direct calls\n%s", j.State, service.Requests(), s.out.String())
			}
			items, err := r.db.jobs.Items(t.Context(), key.AllTeams(), j.ID, 0, 10)
			if err != nil || len(items) != 2 {
				t.Fatalf("%d items, %v", len(items), err)
			}
			for _, i := range items {
				v, err := value.Decode(i.Result, value.Limits{})
				if err != nil {
					t.Fatal(err)
				}
				batch, _ := v.Lookup("/attempts/0/batch")
				cost, _ := v.Lookup("/cost_usd")
				if !batch.Truth() || cost.Kind() != value.KindNumber || strings.HasPrefix(cost.String(), "-") {
					t.Errorf("an item is %s", i.Result)
				}
			}
		})
	}
}
