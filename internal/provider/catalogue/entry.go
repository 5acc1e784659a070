package catalogue

import (
	"bytes"
	"fmt"
)

// Model is a service's model and what is known about it.
type Model struct {
	// Service names the service; empty in a model that the configuration made up.
	Service string
	// Name is the model's name as the service calls it.
	Name string
	// Tier is the quality from 1 to 3, 3 is best; 0 means not known.
	Tier int
	// ContextWindow is the bound of input and output in tokens; 0 means not known.
	ContextWindow int
	// MaxOutputTokens is the bound of the output in tokens; 0 means not known.
	MaxOutputTokens int
	// Vision says that the model takes images.
	Vision bool
	// Reasoning says that the model thinks before it answers; at some services it then refuses sampling options.
	Reasoning bool
	// Schemas, Tools, PromptCache, PDF and Audio say what else the model can do: hold answers to a schema, call tools, keep prompts in a cache, read
	// documents, hear.
	Schemas, Tools, PromptCache, PDF, Audio Answer
	// Price is nil where it is not known: the cost of a call is then absent, never 0.
	Price *Price
}

// Answer says whether a model can do something.
type Answer uint8

// The answers.
const (
	NotKnown Answer = iota
	Yes
	No
)

// entry is what models.yaml says of a model: what it does not say is as the table has it.
type entry struct {
	Service         string `yaml:"service"`
	Name            string `yaml:"name"`
	Tier            int    `yaml:"tier"`
	ContextWindow   int    `yaml:"context_window"`
	MaxOutputTokens int    `yaml:"max_output_tokens"`
	Vision          *bool  `yaml:"vision"`
	Reasoning       *bool  `yaml:"reasoning"`
	Price           *Price `yaml:"price"`
}

func (e *entry) over(m Model) Model {
	m.Service, m.Name, m.Tier = e.Service, e.Name, e.Tier
	if e.ContextWindow > 0 {
		m.ContextWindow = e.ContextWindow
	}
	if e.MaxOutputTokens > 0 {
		m.MaxOutputTokens = e.MaxOutputTokens
	}
	if e.Vision != nil {
		m.Vision = *e.Vision
	}
	if e.Reasoning != nil {
		m.Reasoning = *e.Reasoning
	}
	if e.Price != nil {
		m.Price = e.Price
	}
	return m
}

type modelKey struct{ service, name string }

func (c *Catalogue) indexModels() error {
	c.byModel = make(map[modelKey]int, len(c.entries))
	for i := range c.entries {
		m := &c.entries[i]
		if _, known := c.byName[m.Service]; !known {
			return fmt.Errorf("model %s: there is no service %q", m.Name, m.Service)
		}
		if m.Tier < 1 || m.Tier > 3 {
			return fmt.Errorf("model %s of %s: tier %d is not 1 to 3", m.Name, m.Service, m.Tier)
		}
		k := modelKey{m.Service, m.Name}
		if _, twice := c.byModel[k]; twice {
			return fmt.Errorf("model %s of %s is there twice", m.Name, m.Service)
		}
		c.byModel[k] = i
	}
	return nil
}

// Model finds a model of a service by its name.
func (c *Catalogue) Model(service, name string) (Model, bool) {
	s, ok := c.Service(service)
	if !ok || name == "" {
		return Model{}, false
	}
	var m Model
	line, known := find(section(c.table, service), name)
	if known {
		var err error
		if m, err = readLine(s, line); err != nil {
			m, known = Model{}, false // A test reads every line.
		}
	}
	if i, ok := c.byModel[modelKey{service, name}]; ok {
		return c.entries[i].over(m), true
	}
	return m, known
}

// Models lists the known models of a service: those of models.yaml first, then the others by name. The slice is the caller's.
func (c *Catalogue) Models(service string) []Model {
	var out []Model
	for _, e := range c.entries {
		if e.Service == service {
			m, _ := c.Model(service, e.Name)
			out = append(out, m)
		}
	}
	s, _ := c.Service(service)
	for line := range bytes.Lines(section(c.table, service)) {
		m, err := readLine(s, string(bytes.TrimSuffix(line, []byte("\n"))))
		if _, listed := c.byModel[modelKey{service, m.Name}]; err == nil && !listed {
			out = append(out, m)
		}
	}
	return out
}
