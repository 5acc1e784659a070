package api

import (
	"math"
	"net/http"
	"reflect"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/provider"
)

// Providers is the answer of GET /v1/providers.
type Providers struct {
	Data []Provider `json:"data"`
}

// Provider is an account at a service. Its address and its credentials are the operator's own business.
type Provider struct {
	Name           string   `json:"name"`
	Dialect        string   `json:"dialect" doc:"The wire format."`
	LastResort     bool     `json:"last_resort" doc:"Whether it is asked only where no other is configured, or when named."`
	MaxConcurrency int      `json:"max_concurrency" doc:"How many calls may be under way at once."`
	InFlight       int      `json:"in_flight" doc:"Calls under way, and those that wait for their turn."`
	Models         []string `json:"models" doc:"The models that the key may use."`

	Health      string          `json:"health" enum:"healthy,degraded,down,unknown" doc:"down: no model can be asked now. degraded: something is amiss, see standing. unknown: nobody has asked yet."`
	Limit       int             `json:"limit" doc:"How many calls may be under way now: max_concurrency, or less while the service says that it is given too much."`
	RetryBudget float64         `json:"retry_budget" doc:"Share of the retry budget that is left, from 0 to 1."`
	Credentials Credentials     `json:"credentials"`
	Standing    []ModelStanding `json:"standing" doc:"How those models do of late, as the router sees them."`
}

// Models is the answer of GET /v1/models, in OpenAI's list form.
type Models struct {
	Object string  `json:"object" enum:"list"`
	Data   []Model `json:"data"`
}

// Model is a model that the key may use: OpenAI's members, and ours beside.
type Model struct {
	ID      string `json:"id" doc:"provider/model, which options.model takes."`
	Object  string `json:"object" enum:"model"`
	Created int64  `json:"created" doc:"Always 0: it is not known."`
	OwnedBy string `json:"owned_by" doc:"The provider."`

	Provider        string      `json:"provider"`
	Model           string      `json:"model" doc:"The name as the service calls it."`
	Capability      Capability  `json:"capability"`
	ContextWindow   *int        `json:"context_window" doc:"Bound of input and output in tokens, null where it is not known."`
	MaxOutputTokens *int        `json:"max_output_tokens" doc:"Bound of the output in tokens, null where it is not known."`
	Price           *ModelPrice `json:"price" doc:"US dollars per million tokens, null where it is not known."`
	Tier            *int        `json:"tier" doc:"Quality from 1 to 3, 3 the best, null where it is not known."`
	Region          string      `json:"region,omitempty" doc:"Where the data are processed, as the configuration says."`
	Learned         []Lesson    `json:"learned" doc:"What the team's own requests have taught of its schemas at this model, the newest first, at most 20."`
}

// Capability is what a model can do.
type Capability struct {
	Modes     []string `json:"modes" doc:"Modes of structured output, the best first."`
	Vision    bool     `json:"vision" doc:"Takes images."`
	Reasoning bool     `json:"reasoning" doc:"Thinks before it answers."`
	Logprobs  bool     `json:"logprobs" doc:"Gives log-probabilities, which confidence is better with."`
}

// ModelPrice is what tokens cost.
type ModelPrice struct {
	ModelRates
	Above []PriceStep `json:"above" doc:"What a whole call costs whose input is longer, the shortest bound first."`
}

// PriceStep is the price of calls with a long input.
type PriceStep struct {
	Tokens int `json:"tokens" doc:"The price is for calls with more input tokens than this."`
	ModelRates
}

// ModelRates are prices per million tokens.
type ModelRates struct {
	Input       key.Nanos `json:"input"`
	CachedInput key.Nanos `json:"cached_input"`
	CacheWrite  key.Nanos `json:"cache_write"`
	Output      key.Nanos `json:"output"`
	Reasoning   key.Nanos `json:"reasoning"`
}

// listProviders is GET /v1/providers.
func (s *Server) listProviders(c *call) error {
	out := Providers{Data: []Provider{}}
	for _, p := range s.deps.Pool.Providers() {
		if one := describeProvider(p, c.caller); len(one.Models) > 0 {
			out.Data = append(out.Data, one)
		}
	}
	return c.json(http.StatusOK, out)
}

func describeProvider(p *provider.Provider, who *key.Caller) Provider {
	f := p.Figures()
	const decimals = 1000
	out := Provider{
		Name: p.Name(), Dialect: p.Dialect().Name(), LastResort: p.LastResort(), MaxConcurrency: p.MaxConcurrency(), Models: []string{},
		RetryBudget: math.Round(f.RetryBudget*decimals) / decimals, Credentials: Credentials{f.Credentials, f.CredentialsResting}, Standing: []ModelStanding{},
	}
	var all []provider.Standing
	models := p.Models()
	for i := range models {
		name := models[i].Name
		if !who.MayUse(p.Name(), name) {
			continue
		}
		one := p.Standing(&models[i])
		all = append(all, one)
		out.Models, out.Standing = append(out.Models, name), append(out.Standing, stands(name, one))
		out.InFlight, out.Limit = one.InFlight, one.Limit
	}
	out.Health = healthOf(all, p.MaxConcurrency())
	return out
}

// listModels is GET /v1/models.
func (s *Server) listModels(c *call) error {
	out := Models{Object: "list", Data: []Model{}}
	for _, p := range s.deps.Pool.Providers() {
		for _, m := range p.Models() {
			if c.caller.MayUse(p.Name(), m.Name) {
				one := describeModel(p, &m)
				one.Learned = s.lessons(c.caller.Team, p.Name(), m.Name)
				out.Data = append(out.Data, one)
			}
		}
	}
	return c.json(http.StatusOK, out)
}

func describeModel(p *provider.Provider, m *provider.Model) Model {
	able := m.Capability
	out := Model{
		ID: p.Name() + "/" + m.Name, Object: "model", OwnedBy: p.Name(), Provider: p.Name(), Model: m.Name,
		Capability:    Capability{Modes: []string{}, Vision: able.Vision, Reasoning: able.Reasoning, Logprobs: able.Logprobs},
		ContextWindow: known(able.Context), MaxOutputTokens: known(able.MaxOutput), Tier: known(m.Tier), Region: p.Region(),
	}
	for _, mode := range p.Dialect().Profile(able).Modes() {
		out.Capability.Modes = append(out.Capability.Modes, string(mode))
	}
	if price := m.Price; price.Known {
		rates := func(in, cached, write, output, reasoning int64) ModelRates {
			if reasoning == 0 {
				reasoning = output
			}
			return ModelRates{key.Nanos(in), key.Nanos(cached), key.Nanos(write), key.Nanos(output), key.Nanos(reasoning)}
		}
		out.Price = &ModelPrice{rates(price.Input, price.CachedInput, price.CacheWrite, price.Output, price.Reasoning), []PriceStep{}}
		for _, step := range price.Above {
			out.Price.Above = append(out.Price.Above, PriceStep{step.Tokens, rates(step.Input, step.CachedInput, step.CacheWrite, step.Output, step.Reasoning)})
		}
	}
	return out
}

// known is nil for a number that is not known.
func known(n int) *int {
	if n == 0 {
		return nil
	}
	return &n
}

func docProviders() operation {
	return operation{
		id: "listProviders", tag: "providers", summary: "List the providers", text: "Those with a model that the key may use, in the order of the configuration, and how they do: health, breaker, limit, latency.",
		answers: []reply{jsonReply(http.StatusOK, reflect.TypeFor[Providers](), "The providers.", example(`{"data": [{"name": "openai", "dialect": "openai",
			"last_resort": false, "max_concurrency": 64, "in_flight": 3, "models": ["gpt-4.1-mini"], "health": "healthy", "limit": 64, "retry_budget": 1,
			"credentials": {"total": 2, "resting": 0}, "standing": [{"model": "gpt-4.1-mini", "breaker": "closed", "open_until": null, "rest_ms": 0, "calls": 120,
			"success_share": 0.992, "latency_ms": {"p50": 640.2, "p95": 1510.8}, "first_token_ms": {"p50": null, "p95": null}}]}]}`))},
	}
}

func docModels() operation {
	return operation{
		id: "listModels", tag: "providers", summary: "List the models", text: "Those that the key may use, in OpenAI's list form, with what they can do and cost.",
		answers: []reply{jsonReply(http.StatusOK, reflect.TypeFor[Models](), "The models.", example(`{"object": "list", "data": [{"id": "openai/gpt-4.1-mini", "object": "model",
			"created": 0, "owned_by": "openai", "provider": "openai", "model": "gpt-4.1-mini",
			"capability": {"modes": ["strict", "json"], "vision": true, "reasoning": false, "logprobs": true}, "context_window": 1047576, "max_output_tokens": 32768,
			"price": {"input": 0.4, "cached_input": 0.1, "cache_write": 0.4, "output": 1.6, "reasoning": 1.6, "above": []}, "tier": 2,
			"learned": [{"schema": "invoice@3", "attempts": 412, "pass_rate": 0.9876, "reask_rate": 0.0121, "cost_usd": 0.00042, "latency_ms": 840.2,
			"updated_at": "2026-11-26T10:00:00Z"}]}]}`))},
	}
}
