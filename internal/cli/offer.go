package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/promptd/promptd/internal/config"
	"github.com/promptd/promptd/internal/provider/catalogue"
)

// offers says of every configured model what it can do and what it costs.
func (f *findings) offers(c *config.Config) {
	for i := range c.Providers {
		p := &c.Providers[i]
		for n := range p.Models {
			m := &p.Models[n]
			area, text := "model "+p.Name+"/"+m.Name, ability(m)+"; "
			if m.Facts.Price == nil {
				f.add(area, note, "Set its price in the configuration: until then its calls have no cost.", "%sthe price is not known", text)
				continue
			}
			f.add(area, fine, "", "%s%s", text, cost(m.Facts.Price))
		}
	}
}

// ability says what a model can do.
func ability(m *config.Model) string {
	parts := []string{"modes not known"}
	if len(m.Modes) > 0 {
		parts[0] = strings.Join(m.Modes, ", ")
	}
	if m.Vision {
		parts = append(parts, "images")
	}
	if m.Reasoning {
		parts = append(parts, "reasoning")
	}
	switch in, out := m.ContextWindow, m.MaxOutputTokens; {
	case in > 0 && out > 0:
		parts = append(parts, fmt.Sprintf("%s tokens, of them %s of output", grouped(in), grouped(out)))
	case in > 0:
		parts = append(parts, grouped(in)+" tokens")
	case out > 0:
		parts = append(parts, grouped(out)+" tokens of output")
	}
	return strings.Join(parts, "; ")
}

// cost says what a million tokens cost, and from where on they cost something else.
func cost(p *catalogue.Price) string {
	rates := func(r catalogue.Rates) string {
		s := "$" + r.Input.String() + " in"
		if r.CachedInput != r.Input {
			s += ", $" + r.CachedInput.String() + " from the cache"
		}
		if r.CacheWrite != r.Input {
			s += ", $" + r.CacheWrite.String() + " into it"
		}
		s += ", $" + r.Output.String() + " out"
		if r.Reasoning != r.Output {
			s += ", $" + r.Reasoning.String() + " for reasoning"
		}
		return s
	}
	s := rates(p.At(0)) + " for a million tokens"
	for _, step := range p.Above {
		s += "; above " + grouped(int(step.Tokens)) + " tokens of input " + rates(p.At(step.Tokens+1))
	}
	return s
}

// grouped writes a number with its thousands apart.
func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
