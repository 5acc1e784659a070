package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/promptd/promptd/internal/provider/catalogue"
)

// completeProviders finds providers where none are configured, and fills in what the catalogue knows.
func (l *loader) completeProviders(c *Config, cat *catalogue.Catalogue) {
	if _, given := l.origins["providers"]; !given {
		l.discover(c, cat)
	}
	names := map[string]int{}
	for i := range c.Providers {
		p, path := &c.Providers[i], fmt.Sprintf("providers[%d]", i)
		if l.strange[path] {
			continue // A mistyped key most likely is the one that would be missed now.
		}
		if _, given := l.origins[path+".name"]; !given && !p.Discovered {
			l.failAt(path, "add a line with name:", "a name is missing")
			continue
		}
		if p.Dialect != "" {
			l.checkDialect(p, path)
		}
		if first, twice := names[p.Name]; twice && p.Name != "" {
			l.failAt(path+".name", "give each provider its own name", "is already the name of providers[%d]", first)
		}
		names[p.Name] = i
		if l.faulty(path+".dialect") || l.faulty(path+".base_url") || l.faulty(path+".name") || !l.completeAddress(p, path, cat) {
			continue
		}
		if !l.faulty(path+".api_key") && !l.faulty(path+".api_keys") && !l.faulty(path+".auth") {
			l.completeAuth(p, path)
		}
		if !l.faulty(path + ".models") {
			l.completeModels(p, path, cat)
		}
	}
}

// discover makes a provider of every service whose usual variable is set, in the order of the catalogue.
func (l *loader) discover(c *Config, cat *catalogue.Catalogue) {
	for _, s := range cat.Services() {
		name, key := l.usualKey(s)
		if name == "" {
			continue
		}
		if !slices.Contains(l.options.Adapters.Dialects, s.Dialect) {
			l.warn(Problem{
				Place:   Place{Source: name},
				Message: fmt.Sprintf("is set, but %s is not used: this version has no dialect %s, only %s", s.Title, s.Dialect, and(l.options.Adapters.Dialects)),
			})
			continue
		}
		if s.DefaultModel == "" {
			continue
		}
		if _, missing := s.Fill(l.usualPart(s, nil)); len(missing) > 0 {
			l.warn(Problem{
				Place:   Place{Source: name},
				Message: fmt.Sprintf("is set, but %s is not used: its address is not known without %s; %s", s.Title, and(missing), hintOfParts(s, missing, false)),
			})
			continue
		}
		var p Provider
		l.defaults(reflect.ValueOf(&p).Elem())
		p.Name, p.APIKey, p.Discovered = s.Name, key, true
		l.origins[fmt.Sprintf("providers[%d]", len(c.Providers))] = Place{Source: name}
		c.Providers = append(c.Providers, p)
	}
}

// usualKey gives the first of a service's variables that is set, with its value.
func (l *loader) usualKey(s catalogue.Service) (string, Secret) {
	for _, name := range s.Variables {
		if value, _ := l.env(name); value != "" {
			return name, Secret{value: value, ref: "env:" + name}
		}
	}
	return "", Secret{}
}

// checkDialect says whether this version has a provider's dialect. What there is comes from one list, which is not this package's.
func (l *loader) checkDialect(p *Provider, path string) bool {
	if slices.Contains(l.options.Adapters.Dialects, p.Dialect) {
		return true
	}
	hint := didYouMean(p.Dialect, l.options.Adapters.Dialects)
	if hint == "" {
		hint = "use one of these, or remove the provider"
	}
	l.failAt(path+".dialect", hint, "this version has no dialect %s; there are %s", p.Dialect, and(l.options.Adapters.Dialects))
	return false
}

// completeAddress finds the service, and with it dialect and address; false where the provider can't be used.
func (l *loader) completeAddress(p *Provider, path string, cat *catalogue.Catalogue) bool {
	p.BaseURL = trimSlash(p.BaseURL)
	if p.BaseURL != "" {
		p.Service, _ = cat.At(p.BaseURL)
	} else if s, ok := cat.Service(p.Name); ok && (p.Dialect == "" || s.Speaks(p.Dialect)) {
		address, missing := s.Fill(l.usualPart(s, p))
		if len(missing) > 0 {
			hint := "add a line with base_url:, such as " + s.BaseURL
			if parts := hintOfParts(s, missing, true); parts != "" {
				hint = parts + "; or " + hint
			}
			l.failAt(path, hint, "a base_url is missing: %s has one for each account", s.Title)
			return false
		}
		p.Service, p.BaseURL = s, address
	} else if s, ok := cat.Service(p.Dialect); ok && s.Dialect == p.Dialect && !s.NeedsKey() {
		// A local server's dialect has a usual address. That of a public service is never guessed: data would go to strangers.
		p.Service, p.BaseURL = s, s.BaseURL
	}
	if p.Dialect == "" {
		p.Dialect = p.Service.Dialect
	}
	switch {
	case p.Dialect == "":
		hint := "add a line with dialect:, one of " + oneOf(l.options.Adapters.Dialects)
		if near := nearest(p.Name, serviceNames(cat)); near != "" {
			hint = "did you mean " + near + "? Else " + hint
		}
		l.failAt(path, hint, "a dialect is missing, and the catalogue has no service of this name")
		return false
	case !l.checkDialect(p, path):
		return false
	case p.BaseURL == "":
		hint := "add a line with base_url:"
		if s, ok := cat.Service(p.Dialect); ok && s.Dialect == p.Dialect && !s.Incomplete() {
			hint += ", such as " + s.BaseURL
		}
		l.failAt(path, hint, "a base_url is missing, and the catalogue has none for this name with dialect %s", p.Dialect)
		return false
	}
	l.completeForm(p, path)
	return true
}

func serviceNames(cat *catalogue.Catalogue) []string {
	var names []string
	for _, s := range cat.Services() {
		names = append(names, s.Name)
	}
	return names
}

// completeForm takes from the catalogue how the service differs from its dialect, where the configuration does not say.
func (l *loader) completeForm(p *Provider, path string) {
	given := func(key string) bool { _, ok := l.origins[path+"."+key]; return ok }
	if !given("profile") {
		p.Profile = p.Service.Profile
	} else if name, _, _ := strings.Cut(p.Profile, ":"); p.Profile != "" && (name != p.Dialect || !slices.Contains(l.options.Adapters.Profiles, p.Profile)) {
		fitting := slices.DeleteFunc(slices.Clone(l.options.Adapters.Profiles), func(s string) bool { return s != p.Dialect && !strings.HasPrefix(s, p.Dialect+":") })
		l.failAt(path+".profile", "it must be "+oneOf(fitting), "dialect %s has no profile %q", p.Dialect, p.Profile)
	}
	if !given("deviations") {
		p.Deviations = slices.Clone(p.Service.Deviations)
	}
	if !given("batches") {
		p.Batches = p.Service.Batches
	}
	switch {
	case given("auth.type"), given("auth.header"):
	case p.Service.Auth != "":
		p.Auth.Type = p.Service.Auth
	case p.Auth.AccessKey.IsSet() && p.Dialect == "bedrock":
		p.Auth.Type = "sigv4"
	case p.Service.AuthHeader != "":
		p.Auth.Type, p.Auth.Header = "header", p.Service.AuthHeader
	}
}

// completeAuth checks how the credential is sent, and takes the usual variable where none is given and the address is the service's own.
func (l *loader) completeAuth(p *Provider, path string) {
	if !slices.Contains(l.options.Adapters.AuthTypes, p.Auth.Type) {
		l.failAt(path+".auth.type", "", "this version has no auth type %s; there are %s", p.Auth.Type, and(l.options.Adapters.AuthTypes))
	} else {
		l.warnUnused(p, path)
		switch p.Auth.Type {
		case "sigv4":
			l.completeSignature(p, path)
			return
		case "google":
			l.completeGoogle(p, path)
			return
		}
	}
	if len(p.Credentials()) == 0 && p.Service.BaseURL == p.BaseURL && p.Service.Name != "" {
		_, p.APIKey = l.usualKey(p.Service)
	}
	_, given := l.origins[path+".api_key"]
	_, list := l.origins[path+".api_keys"]
	if p.Service.NeedsKey() && len(p.Credentials()) == 0 && !given && !list && len(p.Headers) == 0 {
		hint := "add a line with api_key:"
		switch {
		case len(p.Service.Variables) > 0 && p.Service.Incomplete():
			hint += " such as env:" + p.Service.Variables[0]
		case len(p.Service.Variables) > 0:
			hint += ", or set " + p.Service.Variables[0]
		}
		l.failAt(path, hint, "a key is missing: %s answers nobody without one", p.Service.Title)
	}
	for i, k := range p.APIKeys {
		if at := fmt.Sprintf("%s.api_keys[%d]", path, i); !k.IsSet() {
			l.failAt(at, "", "must not be empty")
		}
	}
}

// completeModels fills in what the catalogue knows of the models.
func (l *loader) completeModels(p *Provider, path string, cat *catalogue.Catalogue) {
	_, given := l.origins[path+".models"]
	if len(p.Models) == 0 {
		name := p.Service.DefaultModel
		if name == "" && p.Service.AnyModel {
			name = "default" // A local server has one model and answers to any name.
		}
		if name == "" || given {
			l.failAt(path+".models", "add models: [{name: …}]", "there must be at least one model")
			return
		}
		var m Model
		l.defaults(reflect.ValueOf(&m).Elem())
		m.Name = name
		p.Models = []Model{m}
	}
	seen := map[string]bool{}
	for i := range p.Models {
		m, at := &p.Models[i], fmt.Sprintf("%s.models[%d]", path, i)
		if _, named := l.origins[at+".name"]; given && !named {
			l.failAt(at, "add a line with name:", "a name is missing")
			continue
		}
		if seen[m.Name] {
			l.failAt(at+".name", "remove one of them", "the model is there twice")
		}
		seen[m.Name] = true
		l.completeModel(m, p, at, cat)
	}
}

// completeModel makes the facts of a model: what the configuration gives, else what the catalogue knows.
func (l *loader) completeModel(m *Model, p *Provider, path string, cat *catalogue.Catalogue) {
	s := p.Service
	given := func(key string) bool { _, ok := l.origins[path+"."+key]; return ok }
	facts, known := cat.Model(s.Name, m.Name)
	if !known {
		facts = catalogue.Model{Service: s.Name, Name: m.Name, Tier: m.Tier}
	}
	if given("tier") || facts.Tier == 0 {
		facts.Tier = m.Tier
	}
	if given("context_window") {
		facts.ContextWindow = m.ContextWindow
	}
	if given("max_output_tokens") {
		facts.MaxOutputTokens = m.MaxOutputTokens
	}
	if given("vision") {
		facts.Vision = m.Vision
	}
	if given("reasoning") {
		facts.Reasoning = m.Reasoning
	}
	if len(m.Modes) == 0 && p.Dialect == s.Dialect {
		m.Modes = slices.Clone(s.Modes)
		weaker := slices.DeleteFunc(slices.Clone(s.Modes), func(mode string) bool { return mode == "strict" || mode == "grammar" })
		if facts.Schemas == catalogue.No && len(weaker) > 0 {
			m.Modes = weaker
		}
	}
	l.completePrice(m, &facts, path, given)
	m.Tier, m.ContextWindow, m.MaxOutputTokens = facts.Tier, facts.ContextWindow, facts.MaxOutputTokens
	m.Vision, m.Reasoning, m.Facts = facts.Vision, facts.Reasoning, facts
}

// completePrice takes a price from the configuration whole or not at all: half a price would make wrong costs.
func (l *loader) completePrice(m *Model, facts *catalogue.Model, path string, given func(string) bool) {
	in, out := given("price.input"), given("price.output")
	cached, write, thoughts := given("price.cached_input"), given("price.cache_write"), given("price.reasoning")
	switch {
	case in && out:
		price := catalogue.Price{Input: m.Price.Input, Output: m.Price.Output}
		if cached {
			price.CachedInput = &m.Price.CachedInput
		}
		if write {
			price.CacheWrite = &m.Price.CacheWrite
		}
		if thoughts {
			price.Reasoning = &m.Price.Reasoning
		}
		facts.Price = &price
	case in || out || cached || write || thoughts:
		l.failAt(path+".price", "give both, or remove the price", "input and output are given together")
	case facts.Price != nil:
		r := facts.Price.At(0)
		m.Price = Price{Input: r.Input, CachedInput: r.CachedInput, CacheWrite: r.CacheWrite, Output: r.Output, Reasoning: r.Reasoning}
	}
}

func trimSlash(s string) string {
	for len(s) > 0 && s[len(s)-1] == '/' {
		s = s[:len(s)-1]
	}
	return s
}
