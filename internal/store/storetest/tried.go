package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/usage"
)

func triedContracts() []contract {
	return []contract{
		{"the newest requests of a version that asked a provider are read", schemaTried},
	}
}

func schemaTried(t *testing.T, s Stores, _ *Clock) {
	var batch []usage.Record
	for i, r := range []usage.Record{
		{Schema: "invoice@1", Attempts: []byte(`[{"n":1}]`), ValidationStatus: "passed", Provider: "p", Model: "m"},
		{Schema: "invoice@1", Attempts: []byte(`[{"n":2}]`), ValidationStatus: "failed", Provider: "q", Model: "n"},
		{Schema: "invoice@1", Cached: true},
		{Schema: "invoice@10", Attempts: []byte(`[{"n":3}]`)},
		{Schema: "invoice", Attempts: []byte(`[{"n":4}]`)},
		{Attempts: []byte(`[{"n":5}]`)},
		{Schema: "invoice@1", Attempts: []byte(`[{"n":6}]`), Team: "beta"},
	} {
		if r.Team == "" {
			r.Team = "acme"
		}
		r.RequestID, r.Time = fmt.Sprint(i), start().Add(time.Duration(i)*time.Second)
		batch = append(batch, r)
	}
	must(t, s.History.Append(t.Context(), batch))
	want := []usage.Record{
		{Team: "acme", Schema: "invoice@1", Time: batch[1].Time, Attempts: batch[1].Attempts, ValidationStatus: "failed", Provider: "q", Model: "n"},
		{Team: "acme", Schema: "invoice@1", Time: batch[0].Time, Attempts: batch[0].Attempts, ValidationStatus: "passed", Provider: "p", Model: "m"},
	}
	for limit := 1; limit <= 3; limit++ {
		got, err := s.History.Tried(t.Context(), "acme", "invoice@1", limit)
		must(t, err)
		if d := cmp.Diff(want[:min(limit, 2)], got); d != "" {
			t.Errorf("limit %d (-want +got):\n%s", limit, d)
		}
	}
	_, err := s.History.Tried(cancelled(), "acme", "invoice@1", 1)
	wantCancelled(t, "Tried", err)
}
