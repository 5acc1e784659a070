package api

import (
	"math"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/usage"
)

// Recommendation is a model to use in place of another one for a schema, with the evidence for both.
type Recommendation struct {
	Kind    string        `json:"kind" enum:"cheaper,better" doc:"cheaper: it passes as often and costs less. better: it passes more often."`
	Schema  string        `json:"schema" doc:"As answers call it."`
	Use     ModelEvidence `json:"use"`
	Instead ModelEvidence `json:"instead_of"`
	Saves   *key.Nanos    `json:"saves_usd_per_1000" doc:"What a thousand valid answers cost less; null where a price is not known, negative where the better model is dearer."`
	Text    string        `json:"text" doc:"The same in a sentence."`
}

// TransformSchema lets what is not known be null.
func (Recommendation) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	orNull(s, "saves_usd_per_1000")
	return s
}

// ModelEvidence is how a model has done for the schema of late. Older attempts weigh less: a day halves them.
type ModelEvidence struct {
	Provider string     `json:"provider"`
	Model    string     `json:"model"`
	Attempts int64      `json:"attempts" minimum:"0" doc:"Attempts that are the evidence."`
	PassRate float64    `json:"pass_rate" minimum:"0" maximum:"1"`
	AtLeast  float64    `json:"pass_rate_at_least" minimum:"0" maximum:"1" doc:"The lower end of the interval in which the true rate lies with 95 % confidence."`
	Cost     *key.Nanos `json:"cost_usd" doc:"What an attempt costs on average; null where it is not known."`
}

// TransformSchema lets a cost be unknown.
func (ModelEvidence) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	orNull(s, "cost_usd")
	return s
}

// relayed is what lessons of requests without a schema are called: any text passes there, so it says nothing of a model.
const relayed = "text"

// advise looks through what the caller's team has learned for a model that does better, among those that its key may use.
func (s *Server) advise(caller *key.Caller) []Recommendation {
	configured := map[[2]string]bool{}
	for _, p := range s.deps.Pool.Providers() {
		for _, m := range p.Models() {
			configured[[2]string{p.Name(), m.Name}] = caller.MayUse(p.Name(), m.Name)
		}
	}
	var found []usage.Recommendation
	for _, t := range s.deps.Learned.Taught(caller.Team, time.Now()) {
		if t.Schema == relayed {
			continue
		}
		var of []usage.Evidence
		for _, m := range t.Models {
			if configured[[2]string{m.Provider, m.Model}] {
				c := m.Cost()
				of = append(of, usage.Evidence{
					Provider: m.Provider, Model: m.Model, Attempts: m.Weight, Passed: m.Passed, Cost: usage.Cost{Nanos: key.Nanos(c.Nano), Known: c.Known},
				})
			}
		}
		found = append(found, usage.Advise(t.Schema, of)...)
	}
	out := []Recommendation{}
	for _, r := range usage.Rank(found) {
		out = append(out, Recommendation{r.Kind, r.Schema, shownEvidence(&r.Use), shownEvidence(&r.Instead), nanosOrNull(r.Saves), r.String()})
	}
	return out
}

func shownEvidence(e *usage.Evidence) ModelEvidence {
	const decimals = 10_000
	share := func(f float64) float64 { return math.Round(f*decimals) / decimals }
	low, _ := e.Bounds()
	return ModelEvidence{e.Provider, e.Model, int64(math.Round(e.Attempts)), share(min(1, e.Rate())), share(low), nanosOrNull(e.Cost)}
}

func nanosOrNull(c usage.Cost) *key.Nanos {
	if !c.Known {
		return nil
	}
	return &c.Nanos
}
