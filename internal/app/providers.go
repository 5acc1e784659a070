package app

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/promptd/promptd/internal/config"
	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/provider/googletoken"
	"github.com/promptd/promptd/internal/schema/lowering"
)

// smallContext is the window up to which a model gets the short meta-prompt: models with less were trained on little else.
const smallContext = 8192

// providersOf makes the configured providers, in the order of the configuration.
func providersOf(c *config.Config, transport http.RoundTripper, tokens *googletoken.Tokens) ([]*provider.Provider, error) {
	list := make([]*provider.Provider, 0, len(c.Providers))
	for i := range c.Providers {
		account := accountOf(&c.Providers[i])
		account.Breaker = breakerOf(c)
		var err error
		if account.Signer, err = signerOf(&c.Providers[i], tokens); err != nil {
			return nil, err
		}
		p, err := provider.New(account, transport)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
}

func accountOf(p *config.Provider) provider.Account {
	d, _ := dialectNamed(p.Dialect) // The configuration was held to Adapters.
	a := provider.Account{
		Name: p.Name, Dialect: d, BaseURL: addressOf(p), Header: headersOf(p), Timeout: p.Timeout, FirstByteTimeout: p.FirstByteTimeout,
		MaxConcurrency: p.MaxConcurrency, Credentials: credentialsOf(p), Limits: provider.Limits{RPM: p.Limits.RPM, TPM: p.Limits.TPM},
		Weight: p.Weight, Region: p.Region, Batches: p.Batches,
	}
	for i := range p.Models {
		m := modelOf(p, &p.Models[i])
		if families, ok := d.(dialect.Families); ok && m.Capability.Profile == "" {
			m.Capability.Profile = families.ProfileOf(m.Name)
		}
		a.Models = append(a.Models, m)
	}
	return a
}

// headersOf are the configured headers of every call; they win over a credential of the same name.
func headersOf(p *config.Provider) http.Header {
	h := http.Header{}
	for name, v := range p.Headers {
		h.Set(name, v.Reveal())
	}
	return h
}

func modelOf(p *config.Provider, m *config.Model) provider.Model {
	facts := m.Facts
	var deviations dialect.Deviations
	for _, name := range p.Deviations {
		deviations.Set(name) // The configuration knows the names.
	}
	made := provider.Model{Name: m.Name, Tier: facts.Tier, Price: provider.ListPrice(facts.Price), Capability: dialect.Capability{
		Profile: p.Profile, Deviations: deviations,
		Reasoning: facts.Reasoning, Vision: facts.Vision, MaxOutput: facts.MaxOutputTokens, Context: facts.ContextWindow,
		Logprobs: p.Service.Logprobs && !facts.Reasoning,
		Small:    facts.ContextWindow > 0 && facts.ContextWindow <= smallContext,
	}}
	if facts.Price != nil {
		made.Batch = provider.ListPrice(facts.Price.Batch)
	}
	for _, name := range m.Modes {
		made.Capability.Modes = append(made.Capability.Modes, lowering.Mode(name))
	}
	return made
}

// named says whether one of the providers has a name.
func named(list []*provider.Provider, name string) bool {
	return slices.ContainsFunc(list, func(p *provider.Provider) bool { return p.Name() == name })
}

// describe names a provider for logs.
func describe(p *provider.Provider) string {
	return fmt.Sprintf("%s (%s, %s)", p.Name(), p.Dialect().Name(), p.BaseURL())
}
