package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/provider/providertest"
)

// ledgerRow is what GET /v1/usage says of one model, and what the history says when it is added up here.
type ledgerRow struct {
	Requests, Passed, Cached, Coalesced int64
	Input                               int64       `json:"input_tokens"`
	Output                              int64       `json:"output_tokens"`
	Cost                                json.Number `json:"cost_usd"`
	Unpriced                            int64       `json:"unpriced_requests"`
}

// Usage is held against a ledger that is computed from the history, request by request and attempt by attempt: with fallbacks, failed attempts, answers of the
// cache, refusals, and a model whose price is not known.
func TestUsageIsTheLedgerOfTheHistory(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *wish) { w.second = true })
	good, bad, down := providertest.Reply{Text: `{"n": 3}`}, providertest.Reply{Text: `{"n": 0}`}, providertest.Reply{Fault: providertest.ServerError}
	silent := providertest.Reply{Text: `{"n": 3}`, NoUsage: true}
	for i, script := range [][]providertest.Reply{
		{good}, {bad, good}, {bad, bad, good}, {down, good}, {down, bad, down, good}, {bad, bad, bad, bad}, {silent}, {good}, {down, down, bad, good},
	} {
		w.service.Queue(script...)
		w.post("/v1/analyze", uncached(i, ""))
	}
	for _, model := range []string{"scripted/small", "unpriced/large", "unpriced/large"} {
		w.service.Queue(bad, good)
		w.post("/v1/analyze", fmt.Sprintf(`{"prompt": "pinned", "schema": %s, "options": {"model": %q}}`, numberSchema, model))
	}
	w.service.Queue(good)
	for range 10 { // What is left of the scripts above comes first.
		if w.post("/v1/analyze", askNumber).status == 200 {
			break
		}
		w.service.Queue(good)
	}
	w.post("/v1/analyze", askNumber) // The cache's.
	w.post("/v1/analyze", `{"prompt": ""}`).problem(t, 400, "INVALID_REQUEST")

	want := map[string]*ledgerRow{}
	costs := map[string]key.Nanos{}
	row := func(model string) *ledgerRow {
		if want[model] == nil {
			want[model] = &ledgerRow{}
		}
		return want[model]
	}
	var page requestPage
	w.get("/v1/requests?limit=500").into(t, 200, &page)
	for _, listed := range page.Data {
		var r struct {
			Model            string
			ValidationStatus string `json:"validation_status"`
			Cached           bool
			Coalesced        bool
			Attempts         []struct {
				Model  string
				Input  int64        `json:"input_tokens"`
				Output int64        `json:"output_tokens"`
				Cost   *json.Number `json:"cost_usd"`
			}
		}
		w.get("/v1/requests/"+listed.RequestID).into(t, 200, &r)
		at := row(r.Model)
		at.Requests++
		if r.ValidationStatus == "passed" {
			at.Passed++
		}
		if r.Cached {
			at.Cached++
		}
		if r.Coalesced {
			at.Coalesced++
		}
		unpriced := false
		for _, a := range r.Attempts {
			of := row(a.Model)
			of.Input, of.Output = of.Input+a.Input, of.Output+a.Output
			if a.Cost == nil {
				unpriced = true
				continue
			}
			costs[a.Model] += nanos(t, *a.Cost)
		}
		if unpriced {
			at.Unpriced++
		}
	}
	for model, r := range want {
		r.Cost = json.Number(costs[model].String())
	}
	var got struct {
		Rows []struct {
			Model string
			ledgerRow
		}
		Total ledgerRow
	}
	w.get("/v1/usage?group_by=model").into(t, 200, &got)
	have := map[string]*ledgerRow{}
	var total ledgerRow
	var cost key.Nanos
	for i := range got.Rows {
		r := &got.Rows[i].ledgerRow
		have[got.Rows[i].Model] = r
		total.Requests, total.Passed, total.Cached, total.Coalesced = total.Requests+r.Requests, total.Passed+r.Passed, total.Cached+r.Cached, total.Coalesced+r.Coalesced
		total.Input, total.Output, total.Unpriced = total.Input+r.Input, total.Output+r.Output, total.Unpriced+r.Unpriced
		cost += nanos(t, r.Cost)
	}
	total.Cost = json.Number(cost.String())
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("usage differs from the history's ledger (-ledger +usage):\n%s", diff)
	}
	if diff := cmp.Diff(total, got.Total); diff != "" {
		t.Errorf("the total differs from the sum of the rows (-sum +total):\n%s", diff)
	}
	if total.Cached == 0 || total.Unpriced == 0 || total.Passed == total.Requests || len(have) < 3 {
		t.Errorf("the total is %+v over %d models, want some of each kind", total, len(have))
	}
}

func TestRecommendationsComeWithTheirEvidence(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.service.Queue(providertest.Reply{Text: `{"n": 3}`})
	w.post("/v1/analyze", askNumber)
	for path, want := range map[string]bool{"/v1/usage": false, "/v1/usage?recommendations=false": false, "/v1/usage?recommendations=true&group_by=model": true} {
		a := w.get(path)
		if got := strings.Contains(a.body, `"recommendations":[]`); a.status != 200 || got != want {
			t.Errorf("%s: got %d %s, want an empty list of recommendations: %t", path, a.status, a.body, want)
		}
	}
	w.get("/v1/usage?recommendations=maybe").problem(t, 400, "INVALID_REQUEST")
}
