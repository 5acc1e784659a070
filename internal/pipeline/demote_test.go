package pipeline

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/provider/providertest"
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
	for h.service.InFlight() < callers {
		time.Sleep(time.Millisecond) //nolint:forbidigo // The service is real, so its clock is too.
	}
	close(hold)
	group.Wait()
	if a := h.must(t, request(small, `"bypass_cache":true`)); a.Validation.Mode == "prompt" {
		t.Errorf("afterwards the mode is %s", a.Validation.Mode)
	}
}
