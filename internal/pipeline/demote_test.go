package pipeline

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/provider/providertest"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// schemaRefused is a service's word against a schema.
func schemaRefused(hold <-chan struct{}) providertest.Reply {
	return providertest.Reply{
		Status: 400, Hold: hold,
		Body: `{"error":{"message":"Invalid schema for response_format 'result': nope","type":"invalid_request_error","param":"response_format","code":null}}`,
	}
}

func TestTheNextModeIsToldTheSchema(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{})
	h.service.Queue(schemaRefused(nil), says(`{"n":7}`))
	h.must(t, request(small, ``))
	if sent := h.exchanges(t, 2)[1]; !strings.Contains(string(sent.Body), "JSON Schema of the answer") {
		t.Errorf("the second attempt says nothing of the schema: %s", sent.Body)
	}
}

func TestRefusalsAtTheSameTimeTakeOutOneMode(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{service: providertest.Settings{Text: `{"n":7}`}})
	hold := make(chan struct{})
	const callers = 3
	for range callers {
		h.service.Queue(schemaRefused(hold))
	}
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			a, err := h.askAs(context.Background(), t, h.who, request(small, `"bypass_cache":true`))
			if err != nil || a.Validation.Mode == "prompt" {
				t.Errorf("%v, %v, want another mode than prompt", a, fault.Of(err))
			}
		})
	}
	for h.service.InFlight() < callers || h.service.Queued() > 0 { // Each has its refusal, so that none is left for a second attempt.
		time.Sleep(time.Millisecond) //nolint:forbidigo // The service is real, so its clock is too.
	}
	close(hold)
	group.Wait()
	if a := h.must(t, request(small, `"bypass_cache":true`)); a.Validation.Mode == "prompt" {
		t.Errorf("afterwards the mode is %s", a.Validation.Mode)
	}
}

// A plan that is made while the mode is refused is kept after the refusal; it must not stay.
func TestAPlanFromBeforeARefusalDoesNotStay(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{})
	candidates, err := h.deps.Pool.Candidates("", "")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := value.DecodeString(small, value.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	sch, err := schema.Compile(raw, schema.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c, s := candidates[0], h.attempts.planner
	before, err := s.plan(c, sch, nil)
	if err != nil {
		t.Fatal(err)
	}
	mode := before.lowered.Mode
	s.demote(c, sch, mode)
	s.plans.Set(planKey{c.Model, sch.Hash()}, before) // As one does that was overtaken.
	s.demote(c, sch, mode)
	if after, err := s.plan(c, sch, nil); err != nil || after.lowered.Mode == mode {
		t.Errorf("got the mode %s again (%v), which the service refuses", mode, err)
	}
}
