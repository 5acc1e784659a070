package router

import (
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/openai"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// known is a candidate of a test with how it fares.
type known struct {
	name   string // provider/model
	live   Live
	price  int64 // nano-dollars per million tokens of input, of output four times that; 0 is not known
	tier   int
	weight int
	able   dialect.Capability
}

// world is a router over candidates whose figures the test sets.
type world struct {
	*Router
	all  []provider.Candidate
	live map[string]Live
	now  time.Time
}

func newWorld(t *testing.T, seed uint64, list ...known) *world {
	t.Helper()
	w := &world{live: map[string]Live{}, now: time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)}
	for _, k := range list {
		account, model, _ := strings.Cut(k.name, "/")
		p, err := provider.New(provider.Account{
			Name: account, Dialect: openai.New(), BaseURL: "http://" + account + ".test", Weight: k.weight,
			Models: []provider.Model{{Name: model, Tier: k.tier, Capability: k.able, Price: provider.Price{Known: k.price > 0, Input: k.price, CachedInput: k.price, CacheWrite: k.price, Output: 4 * k.price}}},
		}, http.DefaultTransport)
		if err != nil {
			t.Fatal(err)
		}
		if k.live.Limit == 0 {
			k.live.Limit = 64
		}
		if k.live.Calls == 0 {
			k.live.Success = 1
		}
		w.live[k.name] = k.live
		w.all = append(w.all, provider.Candidate{Provider: p, Model: &p.Models()[0]})
	}
	chance := rand.New(rand.NewPCG(seed, 0))
	w.Router = New(Config{
		Learned: NewLearned(), Chance: chance.Float64, Now: func() time.Time { return w.now }, Live: func(c provider.Candidate) Live { return w.live[c.Name()] },
	})
	return w
}

func compile(t *testing.T, text string) *schema.Schema {
	t.Helper()
	v, err := value.DecodeString(text, value.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := schema.Compile(v, schema.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const simple = `{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}`

func question(t *testing.T, strategy string) *Question {
	t.Helper()
	return &Question{
		Prompt: &prompt.Prompt{Text: "There are 7 apples.", Options: prompt.Options{MaxTokens: 2048}}, Caller: &key.Caller{Team: "acme"}, Schema: compile(t, simple),
		SchemaName: "simple", Strategy: strategy,
	}
}

// names lists an order.
func names(o Order) string {
	var list []string
	for _, c := range o.Choices {
		list = append(list, c.Name())
	}
	return strings.Join(list, " ")
}

// taught has the router learn from answers of a model.
func (w *world) taught(q *Question, name string, passed, failed int) {
	account, model, _ := strings.Cut(name, "/")
	for i := range passed + failed {
		a := provider.Attempt{Provider: account, Model: model, Outcome: dialect.OK, Total: time.Second, Usage: dialect.Usage{Input: 100, Output: 50, Known: true}, Cost: provider.Cost{Nano: 1000, Known: true}}
		if i >= passed {
			a.Outcome = dialect.Invalid
		}
		w.Learn(q, &a, i >= passed)
	}
}

func TestStrategiesOrderByTheirFigures(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, strategy string
		list           []known
		teach          func(*world, *Question)
		want           string
		explained      string // of the first
	}{
		{
			name: "the smallest share in use", strategy: "least-busy", want: "b/m c/m a/m", explained: "least-busy: 3 of 64 slots in use",
			list: []known{{name: "a/m", live: Live{InFlight: 2, Limit: 4}}, {name: "b/m", live: Live{InFlight: 3, Limit: 64}}, {name: "c/m", live: Live{InFlight: 8, Limit: 64}}},
		},
		{
			name: "an unknown strategy is the default", strategy: "", want: "b/m a/m", explained: "least-busy: 0 of 64 slots in use",
			list: []known{{name: "a/m", live: Live{InFlight: 2}}, {name: "b/m"}},
		},
		{
			name: "who fails is busier than it seems", strategy: "least-busy", want: "b/m a/m", explained: "least-busy: 5 of 64 slots in use",
			list: []known{{name: "a/m", live: Live{InFlight: 4, Calls: 10, Success: 0.6}}, {name: "b/m", live: Live{InFlight: 5}}},
		},
		{
			name: "the cheapest, an unknown price last", strategy: "cost", want: "b/m a/m c/m", explained: "cost: $0.000035 expected, 98.0 % pass",
			list: []known{{name: "c/m", tier: 2}, {name: "a/m", price: 3e8, tier: 2}, {name: "b/m", price: 1e8, tier: 2}},
		},
		{
			name: "cheap answers that fail are dear", strategy: "cost", want: "b/m a/m", explained: "cost: $0.000084 expected, 99.1 % pass",
			list:  []known{{name: "a/m", price: 1e8, tier: 1}, {name: "b/m", price: 2e8, tier: 1}},
			teach: func(w *world, q *Question) { w.taught(q, "a/m", 5, 15); w.taught(q, "b/m", 10, 0) },
		},
		{
			name: "below half however cheap", strategy: "cost", want: "b/m a/m", explained: "cost: $",
			list:  []known{{name: "a/m", price: 1e6, tier: 1}, {name: "b/m", price: 1e9, tier: 3}},
			teach: func(w *world, q *Question) { w.taught(q, "a/m", 30, 70) },
		},
		{
			name: "the soonest", strategy: "latency", want: "b/m c/m a/m", explained: "latency: p95 200 ms",
			list: []known{{name: "a/m", live: Live{P95: 3 * time.Second}}, {name: "b/m", live: Live{P95: 200 * time.Millisecond}}, {name: "c/m", live: Live{P95: time.Second}}},
		},
		{
			name: "a simple task goes to the cheapest", strategy: "quality", want: "a/m b/m c/m", explained: "quality: complexity 0.02 asks for tier 1; tier 1, 98.0 % expected to pass",
			list: []known{{name: "c/m", price: 1e10, tier: 3}, {name: "a/m", price: 1e8, tier: 1}, {name: "b/m", price: 1e9, tier: 2}},
		},
		{
			name: "what was measured corrects the tier", strategy: "quality", want: "c/m a/m", explained: "quality: complexity 0.02 asks for tier 1; tier 3, 98.0 % expected to pass",
			list:  []known{{name: "a/m", price: 1e8, tier: 1}, {name: "c/m", price: 1e10, tier: 3}},
			teach: func(w *world, q *Question) { w.taught(q, "a/m", 60, 40) },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w, q := newWorld(t, 2, c.list...), question(t, c.strategy)
			if c.teach != nil {
				c.teach(w, q)
			}
			o := w.Order(q, w.all)
			if got := names(o); got != c.want {
				t.Errorf("got the order %s, want %s", got, c.want)
			}
			if got := o.Explain(0); !strings.HasPrefix(got, c.explained) {
				t.Errorf("got the reason %q, want %q", got, c.explained)
			}
		})
	}
}

func TestAComplexTaskGoesToAModelThatIsUpToIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, known{name: "a/m", price: 1e8, tier: 1}, known{name: "c/m", price: 1e10, tier: 3})
	q := question(t, "quality")
	var b strings.Builder
	b.WriteString(`{"type":"object","properties":{`)
	for i := range 120 {
		b.WriteString(`"p` + whole(i) + `":{"type":"string","pattern":"^a","maxLength":5},`)
	}
	b.WriteString(`"q":{"oneOf":[{"type":"string"},{"type":"null"}]}}}`)
	q.Schema = compile(t, b.String())
	if o := w.Order(q, w.all); names(o) != "c/m a/m" || !strings.Contains(o.Explain(0), "asks for tier 3") {
		t.Errorf("got %s, because %s", names(o), o.Explain(0))
	}
}

func TestHowACandidateFaresCountsBeforeTheStrategy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1,
		known{name: "open/m", live: Live{Open: true, Until: time.Date(2026, 11, 26, 12, 0, 20, 0, time.UTC)}, price: 1},
		known{name: "waiting/m", live: Live{Rest: time.Second}, price: 2}, known{name: "full/m", live: Live{InFlight: 64}, price: 3},
		known{name: "ailing/m", live: Live{Calls: 10, Success: 0.1}, price: 4}, known{name: "ready/m", price: 1e9}, known{name: "probing/m", live: Live{Probing: true}, price: 2e9},
	)
	o := w.Order(question(t, "cost"), w.all)
	if got, want := names(o), "probing/m ready/m ailing/m full/m waiting/m"; got != want {
		t.Errorf("got the order %s, want %s", got, want)
	}
	if len(o.Skipped) != 1 || o.Skipped[0].Candidate.Name() != "open/m" || o.Skipped[0].Why != "breaker open for 20.0 s" || o.Skipped[0].Wait != 20*time.Second {
		t.Errorf("skipped %+v", o.Skipped)
	}
	if got := o.Explain(3); !strings.HasPrefix(got, "no free slot; cost: $") {
		t.Errorf("got the reason %q", got)
	}
}

func TestTiesAreSpreadByLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 5, known{name: "a/m", live: Live{Limit: 8}}, known{name: "b/m", live: Live{Limit: 16}}, known{name: "c/m", live: Live{Limit: 32}})
	q, got := question(t, "least-busy"), map[string]float64{}
	const n = 14_000
	for range n {
		got[w.Order(q, w.all).Choices[0].Name()]++
	}
	for name, want := range map[string]float64{"a/m": n / 7, "b/m": 2 * n / 7, "c/m": 4 * n / 7} {
		if math.Abs(got[name]-want) > 0.05*want {
			t.Errorf("%s was first %.0f times, want about %.0f", name, got[name], want)
		}
	}
}

func TestWeightsAreExactOverTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, known{name: "a/m", weight: 5}, known{name: "b/m", weight: 2}, known{name: "c/m", weight: 1}, known{name: "d/m"})
	q, got := question(t, "weighted"), map[string]int{}
	var turn strings.Builder
	for i := range 8 * 25 {
		o := w.Order(q, w.all)
		got[o.Choices[0].Provider.Name()]++
		if i < 8 {
			turn.WriteString(o.Choices[0].Provider.Name())
		}
		if last := o.Choices[3].Name(); last != "d/m" {
			t.Fatalf("the last is %s, want the one without weight", last)
		}
	}
	if got["a"] != 125 || got["b"] != 50 || got["c"] != 25 {
		t.Errorf("got %v, want 125, 50 and 25", got)
	}
	if turn.String() != "abacaaba" && strings.Count(turn.String(), "aaa") > 0 {
		t.Errorf("the turn %s is not smooth", turn.String())
	}
}

func TestLatencyExploresSeldom(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 9, known{name: "fast/m", live: Live{P95: time.Second}}, known{name: "slow/m", live: Live{P95: 10 * time.Second}}, known{name: "fair/m", live: Live{P95: 2 * time.Second}})
	q, got := question(t, "latency"), map[string]float64{}
	const n = 20_000
	for range n {
		got[w.Order(q, w.all).Choices[0].Name()]++
	}
	if others := (n - got["fast/m"]) / n; math.Abs(others-explored) > 0.005 || got["slow/m"] == 0 || got["slow/m"] > got["fair/m"]/3 {
		t.Errorf("got %v, want about %.0f %% of explorations, most of them at the less slow one", got, 100*explored)
	}
}

func TestFitLeavesOutWhatCanNotAnswer(t *testing.T) {
	t.Parallel()
	all := []known{
		{name: "a/plain", able: dialect.Capability{Context: 8000, MaxOutput: 1000}}, {name: "b/sees", able: dialect.Capability{Vision: true, Context: 1000}}, {name: "c/vast"},
	}
	image := []prompt.Message{{Role: "user", Parts: []prompt.Part{{Image: "data:image/png;base64,AA=="}}}}
	for _, c := range []struct {
		name   string
		change func(*Question)
		only   string // of the candidates; empty is all
		want   string
		code   fault.Code
	}{
		{name: "everybody", change: func(*Question) {}, want: "a/plain b/sees c/vast"},
		{name: "the key's models", change: func(q *Question) { q.Caller.Models = []string{"plain", "c/vast"} }, want: "a/plain c/vast"},
		{name: "none of them", change: func(q *Question) { q.Caller.Models = []string{"x"} }, code: fault.Forbidden},
		{name: "images", change: func(q *Question) { q.Prompt.Messages = image }, want: "b/sees"},
		{name: "images and no eyes", change: func(q *Question) { q.Prompt.Messages = image }, only: "a/plain", code: fault.InvalidRequest},
		{name: "a long prompt", change: func(q *Question) { q.Prompt.Text = strings.Repeat("word ", 2000) }, want: "a/plain c/vast"},
		{name: "a prompt longer than any window", change: func(q *Question) { q.Prompt.Text = strings.Repeat("word ", 20000) }, only: "a/plain b/sees", want: "a/plain"},
		{name: "too much room for a pinned model", change: func(q *Question) { q.Prompt.Options.Model, q.Prompt.Options.MaxTokens = "plain", 1001 }, only: "a/plain", code: fault.InvalidRequest},
		{name: "too much room for some model", change: func(q *Question) { q.Prompt.Options.MaxTokens = 1001 }, only: "a/plain", want: "a/plain"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w, q := newWorld(t, 1, all...), question(t, "")
			c.change(q)
			var asked []provider.Candidate
			for _, one := range w.all {
				if c.only == "" || strings.Contains(c.only, one.Name()) {
					asked = append(asked, one)
				}
			}
			fit, err := Fit(q, asked)
			if got := names(Order{Choices: choices(fit)}); got != c.want || c.want == "" && !fault.Is(err, c.code) {
				t.Errorf("got %q and %v, want %q", got, err, c.want)
			}
		})
	}
}

func choices(list []provider.Candidate) []Choice {
	var out []Choice
	for _, c := range list {
		out = append(out, Choice{Candidate: c})
	}
	return out
}

func TestThePinIsSaid(t *testing.T) {
	t.Parallel()
	w, q := newWorld(t, 1, known{name: "a/m"}), question(t, "")
	for pin, want := range map[[2]string]string{
		{}: "the only candidate", {"a", ""}: "pinned by options.provider; fallback is off", {"", "m"}: "pinned by options.model; fallback is off",
		{"a", "m"}: "pinned by options.provider and options.model; fallback is off",
	} {
		q.Prompt.Options.Provider, q.Prompt.Options.Model = pin[0], pin[1]
		o := w.Order(q, w.all)
		if got := o.Explain(0); got != want {
			t.Errorf("%v: got %q, want %q", pin, got, want)
		}
	}
}

func TestOptionsGoBeforeTheConfiguration(t *testing.T) {
	t.Parallel()
	w, q := newWorld(t, 1, known{name: "a/m", price: 5e8}, known{name: "b/m", price: 1e8, live: Live{InFlight: 9}}), question(t, "least-busy")
	q.Prompt.Options.Routing = "cost"
	if o := w.Order(q, w.all); names(o) != "b/m a/m" {
		t.Errorf("got %s, want that of options.routing", names(o))
	}
}

func TestFailuresInARowAreRemembered(t *testing.T) {
	t.Parallel()
	w, q := newWorld(t, 1, known{name: "a/m", price: 1e6, tier: 1}, known{name: "b/m", price: 2e6, tier: 1}), question(t, "cost")
	down := provider.Attempt{Provider: "a", Model: "m", Outcome: dialect.Connection}
	first := func() string { return w.Order(q, w.all).Choices[0].Name() }
	for i := range 3 {
		if got := first(); got != "a/m" {
			t.Fatalf("after %d failures %s is first", i, got)
		}
		w.Learn(q, &down, false)
	}
	wait := firstTrial
	for range 6 {
		if got := first(); got != "b/m" {
			t.Fatalf("%s is first after failures in a row", got)
		}
		w.now = w.now.Add(wait)
		if got := first(); got != "a/m" {
			t.Fatalf("after %v %s is first, want a trial", wait, got)
		}
		if got := first(); got != "b/m" {
			t.Fatal("there are two trials at once")
		}
		wait = min(2*wait, lastTrial)
		w.Learn(q, &down, false)
	}
	w.Learn(q, &provider.Attempt{Provider: "a", Model: "m", Outcome: dialect.Cancelled}, false)
	if got := first(); got != "b/m" {
		t.Error("a cancelled call made it trusted")
	}
	w.Learn(q, &provider.Attempt{Provider: "a", Model: "m", Outcome: dialect.OK}, false)
	if got := first(); got != "a/m" {
		t.Error("a success did not make it trusted again")
	}
}
