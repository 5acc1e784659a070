// Package provider is about accounts at model services: what they offer, and one call to one of them.
//
// The main types are [Provider], an account with its dialect, credentials and models, and [Pool], the set of them that a reload exchanges at once.
// [Provider.Call] carries one call: it waits for a free slot, sends what the dialect encoded, holds the attempt to its time limits and gives the decoded
// reply or a *dialect.Error with its outcome. Which provider to ask, and whether to ask again, is decided by package pipeline.
package provider

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/fault"
)

// Account is what the configuration says of a provider.
type Account struct {
	Name    string
	Dialect dialect.Dialect
	// BaseURL is the service's address up to the dialect's path, such as https://api.openai.com/v1.
	BaseURL string
	// Header is sent with every call, credentials included; it is never logged.
	Header http.Header
	// Signer makes the credential where it is another for each request; nil is none.
	Signer Signer
	// Timeout bounds a whole attempt; 0 leaves that to the request's deadline.
	Timeout time.Duration
	// FirstByteTimeout bounds the wait for the first byte of a streamed answer's body. An answer in one piece has no first byte before its last token, so
	// Timeout alone bounds it. 0 is no bound.
	FirstByteTimeout time.Duration
	// MaxConcurrency bounds the calls under way at once; further ones wait within their deadline.
	MaxConcurrency int
	// Credentials are used in turn; each is one more header. They are never logged.
	Credentials []Credential
	// Limits are the account's own at the service.
	Limits Limits
	// Breaker says when a model of the account is left alone.
	Breaker BreakerConfig
	Models  []Model
	// Batches says that the service has the batch API of its dialect.
	Batches bool
	// LastResort providers are candidates only where no other is configured, or when pinned.
	LastResort bool
	// Weight is the share of requests under the weighted strategy; 0 is asked where nobody else is left.
	Weight int
	// Region is where the data are processed; empty is not known.
	Region string
}

// Model is a provider's model.
type Model struct {
	Name       string
	Capability dialect.Capability
	Price      Price
	// Batch is what the tokens of a batch cost; where it is not known it is half of Price.
	Batch Price
	// Tier is the quality from 1 to 3, 3 the best; 0 is not known.
	Tier int
}

// Provider is an account at a model service. It is safe for concurrent use.
type Provider struct {
	account Account
	base    *url.URL
	client  *http.Client
	live    *live
}

// New makes a provider that speaks over the transport.
func New(a Account, transport http.RoundTripper) (*Provider, error) {
	base, err := url.Parse(a.BaseURL)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, fmt.Errorf("provider %s: base_url must be an http or https URL", a.Name)
	}
	base.Path, base.RawPath = strings.TrimRight(base.Path, "/"), strings.TrimRight(base.RawPath, "/")
	if len(a.Models) == 0 {
		return nil, fmt.Errorf("provider %s: no models: name at least one under models", a.Name)
	}
	if a.MaxConcurrency <= 0 {
		a.MaxConcurrency = 64
	}
	return &Provider{
		account: a, base: base, live: newLive(&a),
		// A service that answers with a redirect would be sent the credentials elsewhere.
		client: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}, nil
}

// Transport makes the HTTP transport that all providers share.
func Transport() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		MaxIdleConns:          1024,
		MaxIdleConnsPerHost:   256,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   5 * time.Second,
		ExpectContinueTimeout: time.Second,
		ForceAttemptHTTP2:     true,
		DisableCompression:    true, // Answers are small and the time to unpack them is the platform's own.
		WriteBufferSize:       16 << 10,
		ReadBufferSize:        16 << 10,
	}
}

// Name is the provider's name in the configuration.
func (p *Provider) Name() string { return p.account.Name }

// Dialect is the wire format that the provider speaks.
func (p *Provider) Dialect() dialect.Dialect { return p.account.Dialect }

// Models lists the provider's models in the order of the configuration.
func (p *Provider) Models() []Model { return p.account.Models }

// MaxConcurrency is how many calls may be under way at once.
func (p *Provider) MaxConcurrency() int { return p.account.MaxConcurrency }

// LastResort says that the provider is asked only where no other is configured, or when pinned.
func (p *Provider) LastResort() bool { return p.account.LastResort }

// Weight is the share of requests under the weighted strategy.
func (p *Provider) Weight() int { return p.account.Weight }

// Region is where the data are processed; empty is not known.
func (p *Provider) Region() string { return p.account.Region }

// InFlight counts the calls under way and those that wait for a slot.
func (p *Provider) InFlight() int {
	inside, waiting, _ := p.live.slots.load()
	return inside + waiting
}

// BaseURL is the service's address.
func (p *Provider) BaseURL() string { return p.account.BaseURL }

// Candidate is a provider with one of its models.
type Candidate struct {
	Provider *Provider
	Model    *Model
}

// Name is provider/model, as options.model takes it.
func (c Candidate) Name() string { return c.Provider.Name() + "/" + c.Model.Name }

// Pool holds the providers in use. A reload exchanges all of them at once; calls under way end with those they began with.
type Pool struct {
	providers atomic.Pointer[[]*Provider]
}

// NewPool makes a pool.
func NewPool(providers ...*Provider) *Pool {
	var p Pool
	p.Set(providers)
	return &p
}

// Set exchanges the providers. What is known of an account that was there before, by its name and address, goes on: a reload must not send everybody to a
// service that is down, nor forget that one wants to be left alone. The providers were not in use before.
func (p *Pool) Set(providers []*Provider) {
	if before := p.providers.Load(); before != nil {
		for _, after := range providers {
			for _, old := range *before {
				if old != after && old.Name() == after.Name() && old.BaseURL() == after.BaseURL() {
					after.live.adopt(old.live, &after.account)
				}
			}
		}
	}
	p.providers.Store(&providers)
}

// Providers lists the providers in the order of the configuration.
func (p *Pool) Providers() []*Provider { return *p.providers.Load() }

// Candidates lists the provider and model pairs that a request allows, in the order of the configuration. name and model narrow it where they are not
// empty; a model may be given as provider/model. Providers of last resort are in only where there is no other, or when pinned.
func (p *Pool) Candidates(name, model string) ([]Candidate, error) {
	all := p.Providers()
	if len(all) == 0 {
		return nil, &fault.Fault{
			Code: fault.ProviderError, Detail: "no provider is configured, so there is no model to ask",
			Remediation: "Set a provider's variable such as OPENAI_API_KEY, name one under providers in the configuration, or start promptd serve --local.",
		}
	}
	if name != "" && !known(all, name) {
		return nil, unknown("/options/provider", "unknown_provider", "there is no provider of that name", "Configured providers: "+names(all)+".")
	}
	var found, last []Candidate
	for _, provider := range all {
		wanted := model
		if rest, ok := strings.CutPrefix(model, provider.Name()+"/"); ok {
			wanted = rest
		}
		if name != "" && name != provider.Name() {
			continue
		}
		for i := range provider.account.Models {
			if m := &provider.account.Models[i]; wanted == "" || wanted == m.Name || model == m.Name {
				if provider.account.LastResort && name == "" && model == "" {
					last = append(last, Candidate{provider, m})
				} else {
					found = append(found, Candidate{provider, m})
				}
			}
		}
	}
	switch {
	case len(found) > 0:
		return found, nil
	case len(last) > 0:
		return last, nil
	default:
		return nil, unknown("/options/model", "unknown_model", "no configured provider has that model", "Configured models: "+models(all)+".")
	}
}

// unknown is a request that is right in form and asks for something that is not there.
func unknown(pointer, rule, message, hint string) error {
	f := fault.Invalid(pointer, rule, message, hint)
	f.Code, f.Remediation = fault.NotFound, hint
	return f
}

func known(all []*Provider, name string) bool {
	for _, p := range all {
		if p.Name() == name {
			return true
		}
	}
	return false
}

func names(all []*Provider) string {
	list := make([]string, len(all))
	for i, p := range all {
		list[i] = p.Name()
	}
	return strings.Join(list, ", ")
}

func models(all []*Provider) string {
	const most = 12
	var list []string
	for _, p := range all {
		for _, m := range p.Models() {
			if len(list) == most {
				return strings.Join(list, ", ") + ", …"
			}
			list = append(list, p.Name()+"/"+m.Name)
		}
	}
	return strings.Join(list, ", ")
}
