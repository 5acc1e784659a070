package registry_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/registry"
	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/usage"
)

// tried is a history that holds these requests.
type tried []usage.Record

func (h tried) Tried(_ context.Context, _ key.TeamID, _ string, limit int) ([]usage.Record, error) {
	return h[:min(limit, len(h))], nil
}

func request(at int, status, answered string, attempts ...string) usage.Record {
	provider, model, _ := strings.Cut(answered, "/")
	return usage.Record{
		Time: time.Unix(int64(at), 0).UTC(), ValidationStatus: status, Provider: provider, Model: model, Attempts: []byte("[" + strings.Join(attempts, ",") + "]"),
	}
}

func call(model, outcome, ms, cost string) string {
	provider, name, _ := strings.Cut(model, "/")
	return `{"provider":"` + provider + `","model":"` + name + `","outcome":"` + outcome + `","total_ms":` + ms + `,"cost_usd":` + cost + `}`
}

func TestFitnessTellsWhatEachModelDid(t *testing.T) {
	t.Parallel()
	r := newRegistry(t, open(t, t.TempDir()))
	publish(t, r, "a", object("n", "integer"), "")
	v, err := r.Resolve(t.Context(), team, "a")
	if err != nil {
		t.Fatal(err)
	}
	history := tried{
		request(30, "passed", "p/m", call("p/m", "ok", "100", "0.000000003")),
		request(10, "passed", "p/m", call("p/m", "invalid", "200", "0.000000001"), call("p/m", "ok", "300", "0.000000002")),
		request(20, "passed", "q/n", call("p/m", "rate_limited", "5", "0"), call("q/n", "ok", "50", "null")),
		request(40, "failed", "q/n", call("p/m", "invalid", "400", "0"), call("q/n", "truncated", "60", "0")),
		request(45, "needs_input", "q/n", call("q/n", "ok", "70", "0")), // Questions are no judgement.
		request(50, "failed", "old/gone", call("old/gone", "auth", "1", "0")),
	}
	f, err := r.Fitness(t.Context(), history, v, []registry.Target{{"p", "m", lowering.OpenAI()}, {"q", "n", lowering.OpenAI()}, {"s", "idle", lowering.LlamaCpp()}})
	if err != nil {
		t.Fatal(err)
	}
	if f.Requests != 6 || len(f.Models) != 4 {
		t.Fatalf("got %d requests and %d models, want 6 and 4", f.Requests, len(f.Models))
	}
	first, second, idle, gone := f.Models[0], f.Models[1], f.Models[2], f.Models[3]
	if first.Form == nil || first.Form.Mode != lowering.Strict || idle.Form == nil || idle.Results != nil {
		t.Errorf("got the forms %+v and %+v, want strict and a model without results", first.Form, idle)
	}
	p := first.Results
	if p.Requests != 4 || p.Judged != 3 || p.Passed != 2 || p.Attempts != 5 || p.Reasks != 1 || p.From.Unix() != 10 || p.To.Unix() != 40 {
		t.Errorf("p/m: got %+v", p)
	}
	if cost := p.MeanCost(); !cost.Known || cost.Nanos != 6/4 {
		t.Errorf("p/m: got the mean cost %+v, want 1 nano-dollar", cost)
	}
	half, _ := p.Latency(0.5)
	most, _ := p.Latency(0.95)
	if half != 300*time.Millisecond || most != 400*time.Millisecond || len(p.Latencies) != 4 {
		t.Errorf("p/m: got the latencies %v, %v of %v", half, most, p.Latencies)
	}
	q := second.Results
	if rate, known := q.PassRate(); q.Requests != 3 || q.Judged != 2 || q.Passed != 1 || !known || rate != 0.5 || q.MeanCost().Known {
		t.Errorf("q/n: got %+v with the cost %+v, want half passed and a cost that is not known", q, q.MeanCost())
	}
	o := gone.Results
	_, rated := o.PassRate()
	_, timed := o.Latency(0.5)
	if gone.Provider != "old" || gone.Form != nil || o.Judged != 0 || rated || timed {
		t.Errorf("a model that is gone: got %+v with %+v, want neither form, rate nor latency", gone, o)
	}
}
