package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/lint"
	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/usage"
)

// History is what a fitness report reads of the history of requests.
type History interface {
	// Tried reads the newest requests of a team that were made with a version (name@version) and asked a provider: their time, who answered, whether the
	// answer passed, and their attempts. At most limit are read.
	Tried(ctx context.Context, team key.TeamID, ref string, limit int) ([]usage.Record, error)
}

// mostTried bounds the requests that a report looks at. It is about how a schema fares now, not about all that ever was.
const mostTried = 1000

// Target is a provider's model that may be asked.
type Target struct {
	Provider, Model string
	Profile         lowering.Profile
}

// Fitness says how well a version suits each model: what its provider can be told of it, and what came of requests.
type Fitness struct {
	Version Version
	// Requests counts those that were looked at; it is at most Limit, the newest first.
	Requests, Limit int
	Models          []ModelFitness
}

// ModelFitness is a version's with one model.
type ModelFitness struct {
	Provider, Model string
	// Form is how the model is held to the schema; nil where the model is no longer configured.
	Form *lint.Dialect
	// Results are nil where no request was made.
	Results *Results
}

// Results are what came of the requests that asked a model.
type Results struct {
	// Requests asked the model at least once, in Attempts calls. Judged are those of them in which it gave an answer to judge: outages and refusals of the
	// request say nothing about the schema. Passed are those that its answer satisfied.
	Requests, Judged, Passed, Attempts int
	// Reasks counts the calls that showed the model its own invalid answer.
	Reasks int
	// Cost is what the model's calls cost together; it is unknown where that of one is.
	Cost usage.Cost
	// Latencies are the durations of the calls that gave an answer, the shortest first.
	Latencies []time.Duration
	// From and To are when the first and the last of the requests arrived.
	From, To time.Time
}

// PassRate is the share of the judged requests that passed; unknown where none was judged.
func (r *Results) PassRate() (rate float64, known bool) {
	if r.Judged == 0 {
		return 0, false
	}
	return float64(r.Passed) / float64(r.Judged), true
}

// MeanCost is what a request cost on the average, to the nano-dollar.
func (r *Results) MeanCost() usage.Cost {
	if r.Requests == 0 || !r.Cost.Known {
		return usage.Cost{}
	}
	return usage.Costs(r.Cost.Nanos / key.Nanos(r.Requests))
}

// Latency is the duration that this share of the calls did not exceed; unknown where none gave an answer.
func (r *Results) Latency(share float64) (d time.Duration, known bool) {
	n := len(r.Latencies)
	if n == 0 {
		return 0, false
	}
	return r.Latencies[min(n-1, int(share*float64(n)))], true
}

// Fitness reports on a version for the given models, and for others that the history knows. It ends with the context.
func (r *Registry) Fitness(ctx context.Context, h History, v Version, targets []Target) (*Fitness, error) {
	compiled, err := r.schemas.Compile(ctx, v.Content, r.options())
	if err != nil {
		return nil, err
	}
	forms, err := formsOf(ctx, compiled, targets)
	if err != nil {
		return nil, err
	}
	records, err := h.Tried(ctx, v.Team, v.Ref(), mostTried)
	if err != nil {
		return nil, err
	}
	results, order, err := resultsOf(records)
	if err != nil {
		return nil, fmt.Errorf("read the attempts of %s: %w", v.Ref(), err)
	}
	f := &Fitness{Version: v, Requests: len(records), Limit: mostTried, Models: []ModelFitness{}}
	for _, t := range targets {
		at := model{t.Provider, t.Model}
		f.Models = append(f.Models, ModelFitness{Provider: t.Provider, Model: t.Model, Form: forms[t.Profile], Results: results[at]})
		delete(results, at)
	}
	for _, at := range order {
		if left := results[at]; left != nil {
			f.Models = append(f.Models, ModelFitness{Provider: at.provider, Model: at.name, Results: left})
		}
	}
	return f, nil
}

// formsOf lowers a schema once for each profile: many models share one.
func formsOf(ctx context.Context, s *schema.Schema, targets []Target) (map[lowering.Profile]*lint.Dialect, error) {
	forms := map[lowering.Profile]*lint.Dialect{}
	var profiles []lint.Profile
	for _, t := range targets {
		if _, known := forms[t.Profile]; !known {
			forms[t.Profile] = nil
			profiles = append(profiles, lint.Profile{Profile: t.Profile})
		}
	}
	report, err := lint.Of(ctx, s, profiles)
	if err != nil {
		return nil, err
	}
	for i := range report.Dialects {
		forms[profiles[i].Profile] = &report.Dialects[i]
	}
	return forms, nil
}

// model names a provider's model.
type model struct{ provider, name string }

// attempt is what is read of an entry of attempts[].
type attempt struct {
	Provider string      `json:"provider"`
	Model    string      `json:"model"`
	Outcome  string      `json:"outcome"`
	TotalMS  float64     `json:"total_ms"`
	CostUSD  json.Number `json:"cost_usd"`
}

// answered says whether the model gave an answer that was judged, or was not worth judging.
func (a *attempt) answered() bool {
	switch a.Outcome {
	case "ok", "invalid", "truncated":
		return true
	}
	return false
}

// resultsOf sums requests up by model; order is that of the first request that asked one.
func resultsOf(records []usage.Record) (results map[model]*Results, order []model, err error) {
	results = map[model]*Results{}
	for i := range records {
		var attempts []attempt
		if err := json.Unmarshal(records[i].Attempts, &attempts); err != nil {
			return nil, nil, err
		}
		asked := map[model]bool{}
		for j := range attempts {
			at := model{attempts[j].Provider, attempts[j].Model}
			if results[at] == nil {
				results[at] = &Results{Cost: usage.Costs(0)}
				order = append(order, at)
			}
			if err := results[at].call(attempts, j); err != nil {
				return nil, nil, err
			}
			asked[at] = asked[at] || attempts[j].answered()
		}
		for at, judged := range asked {
			passed := records[i].Passed() && at == model{records[i].Provider, records[i].Model}
			results[at].request(records[i].Time, judged && !records[i].NeedsInput(), passed)
		}
	}
	for _, r := range results {
		slices.Sort(r.Latencies)
	}
	return results, order, nil
}

// call adds one attempt of a request.
func (r *Results) call(attempts []attempt, n int) error {
	a := &attempts[n]
	r.Attempts++
	if before := n - 1; before >= 0 && attempts[before].Outcome == "invalid" && attempts[before].Provider == a.Provider && attempts[before].Model == a.Model {
		r.Reasks++
	}
	if a.answered() {
		r.Latencies = append(r.Latencies, time.Duration(a.TotalMS*float64(time.Millisecond)))
	}
	cost, err := costOf(a.CostUSD)
	r.Cost = r.Cost.Plus(cost)
	return err
}

// costOf reads dollars; null is unknown.
func costOf(n json.Number) (usage.Cost, error) {
	if n == "" {
		return usage.Cost{}, nil
	}
	nanos, err := key.ParseDollars(n.String())
	if err != nil {
		return usage.Cost{}, errors.Join(errors.New("read a cost"), err)
	}
	return usage.Costs(nanos), nil
}

// request adds a request that asked the model.
func (r *Results) request(at time.Time, judged, passed bool) {
	r.Requests++
	if judged {
		r.Judged++
	}
	if passed {
		r.Passed++
	}
	if r.From.IsZero() || at.Before(r.From) {
		r.From = at
	}
	if at.After(r.To) {
		r.To = at
	}
}
