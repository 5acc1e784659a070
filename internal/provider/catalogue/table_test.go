package catalogue

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/sharedtest"
)

// facts are the members of the price list that are compared. It is read here without the code that made the table.
type facts struct {
	Provider   string          `json:"litellm_provider"`
	Mode       string          `json:"mode"`
	In         json.RawMessage `json:"max_input_tokens"`
	Out        json.RawMessage `json:"max_output_tokens"`
	Vision     *bool           `json:"supports_vision"`
	Tools      *bool           `json:"supports_function_calling"`
	Input      json.Number     `json:"input_cost_per_token"`
	Output     json.Number     `json:"output_cost_per_token"`
	Cached     json.Number     `json:"cache_read_input_token_cost"`
	Write      json.Number     `json:"cache_creation_input_token_cost"`
	LongWrite  json.Number     `json:"cache_creation_input_token_cost_above_1hr"`
	Thoughts   json.Number     `json:"output_cost_per_reasoning_token"`
	BatchIn    json.Number     `json:"input_cost_per_token_batches"`
	BatchOut   json.Number     `json:"output_cost_per_token_batches"`
	In200      json.Number     `json:"input_cost_per_token_above_200k_tokens"`
	Out200     json.Number     `json:"output_cost_per_token_above_200k_tokens"`
	Cached200  json.Number     `json:"cache_read_input_token_cost_above_200k_tokens"`
	In272      json.Number     `json:"input_cost_per_token_above_272k_tokens"`
	Out272     json.Number     `json:"output_cost_per_token_above_272k_tokens"`
	Write272   json.Number     `json:"cache_creation_input_token_cost_above_272k_tokens"`
	BatchIn272 json.Number     `json:"input_cost_per_token_above_272k_tokens_batches"`
	Tiers      []tier          `json:"tiered_pricing"`
	PerRequest json.Number     `json:"input_cost_per_request"`
	Citation   json.Number     `json:"citation_cost_per_token"`
	Search     json.RawMessage `json:"search_context_cost_per_query"`
}

type tier struct {
	Range  []float64   `json:"range"`
	Input  json.Number `json:"input_cost_per_token"`
	Output json.Number `json:"output_cost_per_token"`
}

func sharedFacts(t *testing.T) map[string]facts {
	t.Helper()
	raw, err := os.ReadFile(sharedtest.Dir(t, "data", "model_prices.json"))
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		t.Fatal(err)
	}
	list := map[string]facts{}
	for key, m := range members {
		var f facts
		if json.Unmarshal(m, &f) == nil && (f.Mode == "chat" || f.Mode == "responses") {
			list[key] = f
		}
	}
	return list
}

// TestTheTableIsThePriceList compares every model of every service with the price list, and finds none of the list that is missing.
func TestTheTableIsThePriceList(t *testing.T) {
	t.Parallel()
	list := sharedFacts(t)
	f, err := os.Open(sharedtest.Dir(t, "data", "openai_compatible_catalogue.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	c := load(t)
	models, priced, prices, rounded := 0, 0, 0, 0
	for _, row := range rows[1:] {
		id, prefix := row[0], row[9]
		lines := section(modelsTSV, id)
		for key, want := range list {
			if want.Provider != prefix && strings.ReplaceAll(want.Provider, "_", "-") != prefix {
				continue
			}
			name, qualified := strings.CutPrefix(key, want.Provider+"/")
			if !qualified {
				name, _ = strings.CutPrefix(key, strings.ReplaceAll(want.Provider, "_", "-")+"/")
			}
			if _, better := list[want.Provider+"/"+key]; better || prefix == "together_ai" && !qualified || prefix == "bedrock_converse" && strings.Contains(name, "/") {
				continue // Another spelling, a class of sizes, or the price of a region.
			}
			line, ok := find(lines, name)
			if !ok {
				t.Errorf("%s: %s is not in the table", id, key)
				continue
			}
			s, _ := c.Service(id)
			m, err := readLine(s, line)
			if err != nil {
				t.Errorf("%s: %s: %v", id, line, err)
				continue
			}
			models++
			if m.Price != nil {
				priced++
			}
			n, r := compare(t, id+" "+key, want, m, prefix)
			prices, rounded = prices+n, rounded+r
		}
	}
	t.Logf("%d models, %d with a price; %d prices compared, %d of them rounded to a nano-dollar", models, priced, prices, rounded)
	if models < 2600 || prices < 8000 {
		t.Errorf("only %d models and %d prices were compared", models, prices)
	}
}

func compare(t *testing.T, what string, f facts, m Model, provider string) (prices, rounded int) {
	t.Helper()
	for name, pair := range map[string][2]string{
		"context window": {string(f.In), fmt.Sprint(m.ContextWindow)}, "most output": {string(f.Out), fmt.Sprint(m.MaxOutputTokens)},
	} {
		want, ok := new(big.Rat).SetString(strings.Trim(pair[0], `"`))
		if !ok {
			want = new(big.Rat)
		}
		if got, _ := new(big.Rat).SetString(pair[1]); got.Cmp(want) != 0 {
			t.Errorf("%s: %s is %s, the list has %s", what, name, pair[1], pair[0])
		}
	}
	if (f.Vision != nil && *f.Vision) != m.Vision {
		t.Errorf("%s: vision is %t", what, m.Vision)
	}
	tools := map[Answer]*bool{NotKnown: nil, Yes: ptr(true), No: ptr(false)}[m.Tools]
	if (tools == nil) != (f.Tools == nil) || tools != nil && *tools != *f.Tools {
		t.Errorf("%s: tools is %v", what, m.Tools)
	}
	check := func(name string, want json.Number, got, otherwise USD) {
		prices++
		per, ok := new(big.Rat).SetString(want.String())
		if !ok || per.Sign() <= 0 {
			if got != otherwise {
				t.Errorf("%s: %s is %s, the list has none", what, name, got)
			}
			return
		}
		per.Mul(per, big.NewRat(1_000_000*int64(Dollar), 1))
		off := per.Sub(per, big.NewRat(int64(got), 1))
		if off.Sign() != 0 {
			rounded++
		}
		// 2e-07 is written 2.0000000000000002e-07 here and there.
		if off.Abs(off).Cmp(big.NewRat(1, 2)) > 0 {
			t.Errorf("%s: %s is %s, the list has %s a token", what, name, got, want)
		}
	}
	in, out := f.Input, f.Output
	if len(f.Tiers) > 0 {
		first := f.Tiers[slices.IndexFunc(f.Tiers, func(t tier) bool { return t.Range[0] == 0 })]
		if in == "" {
			in, out = first.Input, first.Output
		}
	}
	none := func(n json.Number) bool {
		v, ok := new(big.Rat).SetString(n.String())
		return !ok || v.Sign() <= 0
	}
	besides := !none(f.PerRequest) || !none(f.Citation) || len(f.Search) > 0 && provider == "perplexity"
	if m.Price == nil {
		if !none(in) && !none(out) && !besides {
			t.Errorf("%s: no price, the list has %s and %s", what, in, out)
		}
		return prices, rounded
	}
	if besides {
		t.Errorf("%s: tokens are not all that is paid, and there is a price", what)
	}
	base := m.Price.At(0)
	check("input", in, base.Input, 0)
	check("output", out, base.Output, 0)
	check("cache write", f.Write, base.CacheWrite, base.Input)
	check("long cache write", f.LongWrite, base.LongCacheWrite, base.CacheWrite)
	if !none(f.Cached) {
		check("cached input", f.Cached, base.CachedInput, base.Input)
	}
	if len(f.Tiers) == 0 {
		check("reasoning", f.Thoughts, base.Reasoning, base.Output)
	}
	for _, step := range []struct {
		name       string
		tokens     int64
		in, out    json.Number
		cachedRead json.Number
		write      json.Number
	}{{"above 200k", 200_000, f.In200, f.Out200, f.Cached200, ""}, {"above 272k", 272_000, f.In272, f.Out272, "", f.Write272}} {
		if none(step.in) {
			continue
		}
		long := m.Price.At(step.tokens + 1)
		check("input "+step.name, step.in, long.Input, 0)
		check("output "+step.name, step.out, long.Output, base.Output)
		if !none(step.cachedRead) {
			check("cached input "+step.name, step.cachedRead, long.CachedInput, 0)
		}
		if !none(step.write) {
			check("cache write "+step.name, step.write, long.CacheWrite, 0)
		}
		if at := m.Price.At(step.tokens); at.Input == long.Input && long.Input != base.Input {
			t.Errorf("%s: %s counts at the bound already", what, step.name)
		}
	}
	for _, tier := range f.Tiers {
		long := m.Price.At(int64(tier.Range[0]) + 1)
		if tier.Range[0] > 0 {
			check(fmt.Sprintf("input above %v", tier.Range[0]), tier.Input, long.Input, 0)
			check(fmt.Sprintf("output above %v", tier.Range[0]), tier.Output, long.Output, 0)
		}
	}
	if none(f.BatchIn) || none(f.BatchOut) {
		if m.Price.Batch != nil {
			t.Errorf("%s: there is a price of batches", what)
		}
		return prices, rounded
	}
	if m.Price.Batch == nil {
		t.Errorf("%s: no price of batches", what)
		return prices, rounded
	}
	check("batch input", f.BatchIn, m.Price.Batch.At(0).Input, 0)
	check("batch output", f.BatchOut, m.Price.Batch.At(0).Output, 0)
	if !none(f.BatchIn272) {
		check("batch input above 272k", f.BatchIn272, m.Price.Batch.At(272_001).Input, 0)
	}
	return prices, rounded
}

func ptr[T any](v T) *T { return &v }

func TestTheTableIsReadAsItSays(t *testing.T) {
	t.Parallel()
	line := "m/1\t1000\t50\tvrPSdU\ti0.5 c0.05 w0.625 l1 o3 r4 >200 i1 o6 r8 >400 c0.3 b i0.25 o1.5 b>200 i0.5"
	m, err := readLine(Service{Name: "s", Dialect: "openai"}, line)
	if err != nil {
		t.Fatal(err)
	}
	if m.Name != "m/1" || m.Service != "s" || m.ContextWindow != 1000 || m.MaxOutputTokens != 50 || !m.Vision || !m.Reasoning || m.Schemas != No || m.PDF != Yes ||
		m.Audio != No || m.Tools != NotKnown {
		t.Errorf("%+v", m)
	}
	for _, tc := range []struct {
		price *Price
		input int64
		want  string
	}{
		{m.Price, 200, "{0.5 0.05 0.625 1 3 4}"},
		{m.Price, 201, "{1 0.05 0.625 1 6 8}"},
		{m.Price, 401, "{1 0.3 0.625 1 6 8}"},
		{m.Price.Batch, 200, "{0.25 0.25 0.25 0.25 1.5 1.5}"},
		{m.Price.Batch, 201, "{0.5 0.5 0.5 0.5 1.5 1.5}"},
	} {
		if got := fmt.Sprint(tc.price.At(tc.input)); got != tc.want {
			t.Errorf("At(%d) = %s, want %s", tc.input, got, tc.want)
		}
	}
	for _, text := range []string{"i", "ix", "q1", "i0.0000000001", ">x", "b>x"} {
		if _, err := readPrice(text); err == nil {
			t.Errorf("readPrice(%q) gives no error", text)
		}
	}
	for _, line := range []string{"m\tx", "m\t1\tx", "m\t1\t1\tv\tq"} {
		if _, err := readLine(Service{}, line); err == nil {
			t.Errorf("readLine(%q) gives no error", line)
		}
	}
}

func TestModelsYAMLWinsOverTheTable(t *testing.T) {
	t.Parallel()
	services := "- name: a\n  dialect: openai\n  base_url: https://a\n- name: b\n  dialect: openai\n  base_url: https://b\n"
	table := "# head\n\n[a]\nm\t10\t5\tvr\ti1 o2\nm2\t20\n\n[b]\nm\t30\n"
	models := "- {service: a, name: m, tier: 3, vision: false, max_output_tokens: 7, price: {input: \"3\", output: \"4\"}}\n- {service: b, name: own, tier: 1}\n"
	c, err := parse([]byte(services), []byte(models), []byte(table))
	if err != nil {
		t.Fatal(err)
	}
	if m, ok := c.Model("a", "m"); !ok || m.Tier != 3 || m.Vision || !m.Reasoning || m.ContextWindow != 10 || m.MaxOutputTokens != 7 || m.Price.Input != 3*Dollar {
		t.Errorf("a m: %+v", m)
	}
	for _, tc := range []struct {
		service, name string
		window        int
		known         bool
	}{
		{"a", "m2", 20, true},
		{"b", "m", 30, true},
		{"b", "own", 0, true},
		{"b", "m2", 0, false},
		{"a", "", 0, false},
		{"c", "m", 0, false},
		{"a", "m\t10", 0, false},
	} {
		if m, ok := c.Model(tc.service, tc.name); ok != tc.known || m.ContextWindow != tc.window {
			t.Errorf("%s %q: %+v, %t", tc.service, tc.name, m, ok)
		}
	}
	var names []string
	for _, s := range []string{"a", "b", "c"} {
		for _, m := range c.Models(s) {
			names = append(names, m.Service+"/"+m.Name)
		}
	}
	if got := strings.Join(names, " "); got != "a/m a/m2 b/own b/m" {
		t.Errorf("models: %s", got)
	}
}

// What is written by hand is what the table does not say: a fact in two places would be right in one.
func TestModelsYAMLRepeatsNothing(t *testing.T) {
	t.Parallel()
	c := load(t)
	for _, e := range c.entries {
		line, ok := find(section(modelsTSV, e.Service), e.Name)
		if !ok {
			continue
		}
		s, _ := c.Service(e.Service)
		m, err := readLine(s, line)
		if err != nil {
			t.Fatal(err)
		}
		if e.ContextWindow != 0 && e.ContextWindow == m.ContextWindow || e.MaxOutputTokens != 0 && e.MaxOutputTokens == m.MaxOutputTokens ||
			e.Vision != nil && *e.Vision == m.Vision || e.Reasoning != nil && *e.Reasoning == m.Reasoning || e.Price != nil && m.Price != nil {
			t.Errorf("model %s of %s: the table says it already: %s", e.Name, e.Service, line)
		}
	}
}

func BenchmarkModel(b *testing.B) {
	c := load(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := c.Model("zhipu", "glm-5.3"); !ok {
			b.Fatal("it is not there")
		}
	}
}

func BenchmarkAllModels(b *testing.B) {
	c := load(b)
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for _, s := range c.Services() {
			n += len(c.Models(s.Name))
		}
		if n < bytes.Count(modelsTSV, []byte("\n"))/2 {
			b.Fatal(n)
		}
	}
}
