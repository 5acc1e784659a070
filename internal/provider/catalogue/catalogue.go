// Package catalogue holds what promptd knows about public services and their models: addresses, variables, capability, limits and prices.
//
// It is data, not behaviour: it opens no connection and knows no credentials. A new OpenAI-compatible service is an entry in
// services.yaml, a new model or price one in models.yaml; neither needs code. What a public price list says of models is in models.tsv,
// which tools/modeltable writes; models.yaml says the rest and wins. The configuration overrides any of it.
//
// The main type is [Catalogue]. [Load] reads the YAML files strictly (an unknown field or an inexact price is an error that
// a test finds before a user does) into an immutable value that is safe for use by many goroutines; of the table each question reads
// what it needs. The package imports nothing of promptd, so that every layer may read it.
package catalogue

import (
	"bytes"
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

//go:embed services.yaml
var servicesYAML []byte

//go:embed models.yaml
var modelsYAML []byte

// Service is a public service, or a kind of server that people run themselves.
type Service struct {
	// Name is what a provider is called to get these facts.
	Name string `yaml:"name"`
	// Title is the name for people.
	Title string `yaml:"title"`
	// Dialect is the wire format, Also are further ones that the service speaks at the same address.
	Dialect string   `yaml:"dialect"`
	Also    []string `yaml:"also"`
	// BaseURL is the address without a trailing slash. A name in braces stands for what only the account's owner knows.
	BaseURL string `yaml:"base_url"`
	// Variables are the usual environment variables of the key; the first that is set counts.
	Variables []string `yaml:"variables"`
	// Modes are the documented modes of structured output; nil means not known.
	Modes []string `yaml:"modes"`
	// DefaultModel is asked when the provider is discovered by its variable; a service without one is never discovered.
	DefaultModel string `yaml:"default_model"`
	// AnyModel is set for servers that run one model and answer to any name.
	AnyModel bool `yaml:"any_model"`
	// AuthHeader carries the key as it is; empty stands for Authorization with a bearer token.
	AuthHeader string `yaml:"auth_header"`
	// Auth is the form of the credential where it is neither a bearer token nor in AuthHeader, such as google.
	Auth string `yaml:"auth"`
	// Parts say which variables usually hold what stands for the names in braces of BaseURL: name=VARIABLE, the first that is set counts.
	Parts []string `yaml:"parts"`
	// Profile names the schema profile where it is not the dialect's own.
	Profile string `yaml:"profile"`
	// Deviations name what the service does differently from its dialect.
	Deviations []string `yaml:"deviations"`
	// Logprobs says that token log-probabilities are given when asked for; services that do not document them may refuse the request.
	Logprobs bool `yaml:"logprobs"`
	// Batches says that the service has the batch API of its dialect.
	Batches bool `yaml:"batches"`
	// Key says whether a key is required or optional.
	Key string `yaml:"key"`
}

// NeedsKey reports whether calls without a key are refused by the service.
func (s Service) NeedsKey() bool { return s.Key == "required" }

// Speaks reports whether the service has a wire format at its address.
func (s Service) Speaks(dialect string) bool {
	return s.Dialect == dialect || slices.Contains(s.Also, dialect)
}

// Incomplete reports whether the address has parts that only the account's owner knows.
func (s Service) Incomplete() bool { return strings.Contains(s.BaseURL, "{") }

// Fill makes the address of an account: part gives what stands for a name in braces, empty where it is not known. missing are the names without.
func (s Service) Fill(part func(name string) string) (address string, missing []string) {
	rest := s.BaseURL
	for {
		before, behind, found := strings.Cut(rest, "{")
		address += before
		if !found {
			break
		}
		var name string
		name, rest, _ = strings.Cut(behind, "}")
		value := part(name)
		if value == "" && !slices.Contains(missing, name) {
			missing = append(missing, name)
		}
		address += value
	}
	// 2026-11: the one location of Google's that is everywhere has no name in front.
	return strings.Replace(address, "//global-", "//", 1), missing
}

// at reports whether an address is the service's, with something in the place of each name in braces.
func (s Service) at(address string) bool {
	rest := s.BaseURL
	for {
		before, name, found := strings.Cut(rest, "{")
		var ok bool
		if address, ok = strings.CutPrefix(address, before); !ok {
			return false
		}
		if !found {
			return address == ""
		}
		// What stands for the name ends where the text behind it begins.
		_, rest, _ = strings.Cut(name, "}")
		behind, _, _ := strings.Cut(rest, "{")
		n := strings.Index(address, behind)
		if n <= 0 || strings.ContainsFunc(address[:n], notInAddress) {
			return false
		}
		address = address[n:]
	}
}

// notInAddress says of a character that it stands in no part of an address that an account has of its own.
func notInAddress(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.')
}

// Catalogue is the immutable content of the files.
type Catalogue struct {
	services []Service
	byName   map[string]int
	byURL    map[string]int
	entries  []entry
	byModel  map[modelKey]int
	table    []byte
}

// Load reads the embedded files.
func Load() (*Catalogue, error) { return parse(servicesYAML, modelsYAML, modelsTSV) }

func parse(services, models, table []byte) (*Catalogue, error) {
	c := &Catalogue{table: table}
	var err error
	if c.services, err = readServices(services); err != nil {
		return nil, fmt.Errorf("read services.yaml: %w", err)
	}
	if err := strict(models, &c.entries); err != nil {
		return nil, fmt.Errorf("read models.yaml: %w", err)
	}
	if err := c.indexServices(); err != nil {
		return nil, fmt.Errorf("read services.yaml: %w", err)
	}
	if err := c.indexModels(); err != nil {
		return nil, fmt.Errorf("read models.yaml: %w", err)
	}
	return c, nil
}

func strict(data []byte, into any) error {
	return yaml.NewDecoder(bytes.NewReader(data), yaml.Strict()).Decode(into)
}

func (c *Catalogue) indexServices() error {
	c.byName = make(map[string]int, len(c.services))
	c.byURL = make(map[string]int, len(c.services))
	for i := range c.services {
		s := &c.services[i]
		if s.Name == "" || s.Dialect == "" || s.BaseURL == "" {
			return fmt.Errorf("entry %d (%s): name, dialect and base_url are required", i, s.Name)
		}
		if _, twice := c.byName[s.Name]; twice {
			return fmt.Errorf("service %s is there twice", s.Name)
		}
		if s.Key == "" {
			s.Key = "required"
		}
		c.byName[s.Name] = i
		// The first entry of an address counts: it is the better known one.
		if _, taken := c.byURL[s.BaseURL]; !taken {
			c.byURL[s.BaseURL] = i
		}
	}
	return nil
}

// Services lists every service, the well-known ones first. The slice is the caller's.
func (c *Catalogue) Services() []Service { return append([]Service(nil), c.services...) }

// Service finds a service by its name.
func (c *Catalogue) Service(name string) (Service, bool) {
	i, ok := c.byName[name]
	if !ok {
		return Service{}, false
	}
	return c.services[i], true
}

// At finds a service by its address, so that a second account at the same service gets the same facts under another name.
func (c *Catalogue) At(baseURL string) (Service, bool) {
	address := strings.TrimRight(baseURL, "/")
	if i, ok := c.byURL[address]; ok {
		return c.services[i], true
	}
	for _, s := range c.services {
		if s.Incomplete() && s.at(address) {
			return s, true
		}
	}
	return Service{}, false
}
