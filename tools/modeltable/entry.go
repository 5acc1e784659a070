package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// entry is a model of the price list.
type entry struct{ members map[string]json.RawMessage }

// row is a model of the table.
type row struct {
	context, output, flags, price string
	rounded                       int
	qualified                     bool
}

func (e entry) text(name string) string {
	var s string
	_ = json.Unmarshal(e.members[name], &s) // Anything else is no text.
	return s
}

// number gives a member as a number; nil where there is none, or 0, which stands for free or unknown.
func (e entry) number(name string) *big.Rat {
	raw, ok := e.members[name]
	if !ok {
		return nil
	}
	n, ok := new(big.Rat).SetString(strings.Trim(string(raw), `"`))
	if !ok || n.Sign() <= 0 {
		return nil
	}
	return n
}

// count gives a member as a whole number's text; empty where there is none.
func (e entry) count(name string) string {
	n := e.number(name)
	if n == nil || !n.IsInt() {
		return ""
	}
	return n.Num().String()
}

// flags are the capabilities: a small letter is yes, a capital is no, neither is unknown.
func flagNames() []struct{ letter, name string } {
	return []struct{ letter, name string }{
		{"v", "supports_vision"},
		{"r", "supports_reasoning"},
		{"a", "thinking_always_on"},
		{"p", "supports_sampling_params"},
		{"s", "supports_response_schema"},
		{"n", "supports_native_structured_output"},
		{"t", "supports_function_calling"},
		{"f", "supports_forced_tool_use"},
		{"c", "supports_prompt_caching"},
		{"d", "supports_pdf_input"},
		{"u", "supports_audio_input"},
	}
}

func (e entry) flags() string {
	var s string
	for _, f := range flagNames() {
		switch string(e.members[f.name]) {
		case "true":
			s += f.letter
		case "false":
			s += strings.ToUpper(f.letter)
		}
	}
	return s
}

func (e entry) row(service string) (row, error) {
	r := row{context: e.count("max_input_tokens"), output: e.count("max_output_tokens"), flags: e.flags()}
	if e.feeBesides(service) {
		return r, nil
	}
	base := e.rates("")
	steps, err := e.steps("")
	if err != nil {
		return r, err
	}
	tiers, err := e.tiers()
	if err != nil {
		return r, err
	}
	if len(tiers) > 0 {
		base = base.or(tiers[0].rates)
		steps = append(steps, tiers[1:]...)
	}
	// Half a price would make wrong costs.
	if base["i"] == nil || base["o"] == nil {
		return r, nil
	}
	parts := []string{base.text(&r.rounded)}
	for _, s := range steps {
		parts = append(parts, ">"+strconv.FormatInt(s.above, 10), s.rates.text(&r.rounded))
	}
	if batch := e.rates("_batches"); batch["i"] != nil && batch["o"] != nil {
		parts = append(parts, "b", batch.text(&r.rounded))
		more, err := e.steps("_batches")
		if err != nil {
			return r, err
		}
		for _, s := range more {
			parts = append(parts, "b>"+strconv.FormatInt(s.above, 10), s.rates.text(&r.rounded))
		}
	}
	r.price = strings.Join(parts, " ")
	return r, nil
}

// feeBesides says that tokens are not all that is paid, so that a price by tokens would be wrong.
func (e entry) feeBesides(service string) bool {
	_, search := e.members["search_context_cost_per_query"]
	return e.number("input_cost_per_request") != nil || e.number("citation_cost_per_token") != nil || search && service == "perplexity"
}

// rates are prices per token by what they are for.
type rates map[string]*big.Rat

// kinds are what prices are for: the letter in the table, and the member of the price list.
func kinds() []struct{ letter, member string } {
	return []struct{ letter, member string }{
		{"i", "input_cost_per_token"},
		{"c", "cache_read_input_token_cost"},
		{"w", "cache_creation_input_token_cost"},
		{"l", "cache_creation_input_token_cost_above_1hr"},
		{"o", "output_cost_per_token"},
		{"r", "output_cost_per_reasoning_token"},
	}
}

// rates reads the prices whose members end so. Reasoning that costs as much as other output has no price of its own.
func (e entry) rates(suffix string) rates {
	r := rates{}
	for _, k := range kinds() {
		if n := e.number(k.member + suffix); n != nil {
			r[k.letter] = n
		}
	}
	if r["c"] == nil && suffix == "" {
		if n := e.number("input_cost_per_token_cache_hit"); n != nil {
			r["c"] = n
		}
	}
	if r["r"] != nil && r["o"] != nil && r["r"].Cmp(r["o"]) == 0 {
		delete(r, "r")
	}
	return r
}

func (r rates) or(other rates) rates {
	for k, n := range other {
		if r[k] == nil {
			r[k] = n
		}
	}
	return r
}

// text writes prices per million tokens in dollars, to a nano-dollar.
func (r rates) text(rounded *int) string {
	var parts []string
	for _, k := range kinds() {
		n := r[k.letter]
		if n == nil {
			continue
		}
		const million, places = 1_000_000, 9
		price := new(big.Rat).Mul(n, big.NewRat(million, 1))
		s := price.FloatString(places)
		if back, ok := new(big.Rat).SetString(s); !ok || back.Cmp(price) != 0 {
			*rounded++
		}
		parts = append(parts, k.letter+strings.TrimSuffix(strings.TrimRight(s, "0"), "."))
	}
	return strings.Join(parts, " ")
}

// step is what a call costs whose input is longer.
type step struct {
	above int64
	rates rates
}

// steps reads the prices of calls with a long input, the shortest bound first.
func (e entry) steps(suffix string) ([]step, error) {
	bound := regexp.MustCompile(`^input_cost_per_token_above_(\d+)k_tokens` + suffix + `$`)
	var out []step
	for name := range e.members {
		m := bound.FindStringSubmatch(name)
		if m == nil {
			continue
		}
		k, err := strconv.ParseInt(m[1], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		if r := e.rates("_above_" + m[1] + "k_tokens" + suffix); len(r) > 0 {
			out = append(out, step{above: k * 1000, rates: r})
		}
	}
	slices.SortFunc(out, func(a, b step) int { return cmp.Compare(a.above, b.above) })
	return out, nil
}

// tiers reads prices that are given as a list of ranges.
func (e entry) tiers() ([]step, error) {
	raw, ok := e.members["tiered_pricing"]
	if !ok {
		return nil, nil
	}
	var list []map[string]json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("read tiered_pricing: %w", err)
	}
	var out []step
	for _, members := range list {
		var bounds []float64
		if err := json.Unmarshal(members["range"], &bounds); err != nil || len(bounds) == 0 {
			return nil, fmt.Errorf("read tiered_pricing: a range is missing")
		}
		out = append(out, step{above: int64(bounds[0]), rates: entry{members}.rates("")})
	}
	slices.SortFunc(out, func(a, b step) int { return cmp.Compare(a.above, b.above) })
	if len(out) > 0 && out[0].above != 0 {
		return nil, fmt.Errorf("the first range of tiered_pricing begins at %d", out[0].above)
	}
	return out, nil
}
