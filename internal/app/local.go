package app

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/promptd/promptd/internal/config"
	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/local"
	"github.com/promptd/promptd/internal/provider"
)

// localName is the local model's name as a provider.
const localName = "local"

// localOutput bounds an answer of the local model: half its window, and more than it has to say. What runs beyond that has run away.
const localOutput = 2048

// localModel is the keyless model on this machine as a provider. With --local, and where it is the only one, it starts with the program; else it
// starts with the first call that pins it.
type localModel struct {
	provider *provider.Provider
	detail   string
	// runs is nil where something listens already.
	runs  *local.Supervisor
	eager bool

	wanted chan struct{} // closed by the first call
	once   sync.Once
}

// findLocal looks for the local model. It is nil where there is none, and with --local that is an error that names the way out.
func findLocal(ctx context.Context, c *config.Config, wanted bool, own []string, log *slog.Logger, transport http.RoundTripper) (*localModel, error) {
	look := local.Look{Own: own}
	find := local.FindInstalled
	if wanted {
		find = local.Find
	}
	choice, err := find(ctx, look)
	if err != nil {
		if wanted {
			return nil, err
		}
		return nil, nil //nolint:nilnil // Not installed is no error: nobody asked for it.
	}
	for i := range c.Providers {
		if c.Providers[i].Name == localName {
			return nil, nil //nolint:nilnil // The operator's own provider of that name wins.
		}
	}
	m := &localModel{detail: choice.Detail, eager: wanted || len(c.Providers) == 0, wanted: make(chan struct{})}
	base := choice.Endpoint.BaseURL
	rt := transport
	header := http.Header{}
	if base == "" {
		m.runs = local.New(choice, local.Settings{Logger: log})
		base = "http://127.0.0.1" // Its port is known once it runs.
		rt = &localTransport{model: m, next: transport}
	} else if key := choice.Endpoint.APIKey; key != "" {
		header.Set("Authorization", "Bearer "+key)
	}
	d, ok := dialectNamed(choice.Endpoint.Dialect)
	if !ok {
		return nil, fault.New(fault.ProviderError, "the local model speaks %s, which this version does not", choice.Endpoint.Dialect)
	}
	const (
		patience = 5 * time.Minute // A small model on one core takes its time; the request's own deadline comes first.
		parallel = 1
	)
	m.provider, err = provider.New(provider.Account{
		Name: localName, Dialect: d, BaseURL: base, Header: header, Timeout: patience, FirstByteTimeout: patience, MaxConcurrency: parallel, LastResort: true,
		Models: []provider.Model{{Name: choice.Endpoint.Model, Price: provider.Price{Known: true}, Capability: dialect.Capability{
			Small: true, Logprobs: true, LLGuidance: choice.Endpoint.LLGuidance, Context: choice.Endpoint.Context, MaxOutput: localOutput,
		}}},
	}, rt)
	if err != nil {
		return nil, err
	}
	return m, nil
}

// want starts the model where it does not run yet.
func (m *localModel) want() { m.once.Do(func() { close(m.wanted) }) }

// Run owns the model's process.
func (m *localModel) Run(ctx context.Context) error {
	if m.runs == nil {
		return nil
	}
	if !m.eager {
		select {
		case <-m.wanted:
		case <-ctx.Done():
			return nil
		}
	}
	return m.runs.Run(ctx)
}

// ready says whether the model answers now.
func (m *localModel) ready(context.Context) error {
	if m.runs == nil || !m.eager {
		return nil
	}
	_, err := m.runs.Endpoint()
	return err
}

// localTransport sends calls to wherever the model's process listens now, with its key; a call that comes while it starts waits for it.
type localTransport struct {
	model *localModel
	next  http.RoundTripper
}

// RoundTrip sends one call.
func (t *localTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	t.model.want()
	e, err := t.model.runs.Wait(r.Context())
	if err != nil {
		return nil, err
	}
	at, err := url.Parse(e.BaseURL)
	if err != nil {
		return nil, errors.New("the local model's address can't be read")
	}
	out := r.Clone(r.Context())
	out.URL.Scheme, out.URL.Host, out.Host = at.Scheme, at.Host, at.Host
	out.Header.Set("Authorization", "Bearer "+e.APIKey)
	return t.next.RoundTrip(out)
}
