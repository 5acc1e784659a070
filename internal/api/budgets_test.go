package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/limit"
	"github.com/promptd/promptd/internal/provider/providertest"
)

// alerted notes the alerts that were raised.
type alerted struct {
	mu sync.Mutex

	list []limit.Alert
}

func (a *alerted) add(e limit.Alert) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.list = append(a.list, e)
}

func (a *alerted) thresholds() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []string
	for _, e := range a.list {
		out = append(out, fmt.Sprint(e.Kind, " ", e.Threshold))
	}
	return out
}

// left is what GET /v1/me says is left.
type left struct {
	RateLimit *struct {
		PerHour   int `json:"per_hour"`
		Remaining int
	} `json:"rate_limit"`
	Tokens *struct {
		PerMinute int `json:"per_minute"`
		Remaining int
	}
	Concurrency *struct {
		Max      int
		InFlight int `json:"in_flight"`
	}
	Budget *struct {
		USD, Period json.RawMessage
		Spent       json.Number `json:"spent_usd"`
		Reserved    json.Number `json:"reserved_usd"`
		Left        json.Number `json:"left_usd"`
		ResetsAt    time.Time   `json:"resets_at"`
	}
}

func (w *world) me(key string) (mine, team *left) {
	w.tb.Helper()
	var me struct {
		left
		TeamLeft *left `json:"team_left"`
	}
	w.do(ask{method: "GET", path: "/v1/me", key: key}).into(w.tb, 200, &me)
	return &me.left, me.TeamLeft
}

func nanos(tb testing.TB, n json.Number) key.Nanos {
	tb.Helper()
	got, err := key.ParseDollars(n.String())
	if err != nil {
		tb.Fatalf("%q is no amount: %v", n, err)
	}
	return got
}

// uncached is a request that asks the model, whatever was asked before.
func uncached(n int, options string) string {
	return fmt.Sprintf(`{"prompt": "How many? Three. (%d)", "schema": %s, "options": {"bypass_cache": true%s}}`, n, numberSchema, options)
}

// The bound of the product: 200 requests at the same time never spend more than the budget, and what they leave is less than one of them may cost.
func TestParallelRequestsNeverOverspendABudget(t *testing.T) {
	t.Parallel()
	const callers = 200
	w := newWorld(t, func(w *wish) { w.slots, w.service.Text = 2*callers, `{"n": 3}` })
	budget := key.Budget{Limit: 2_000_000, Period: key.Monthly} // $0.002
	secret := w.newKey(key.Key{Name: "spender", Team: "acme", RateLimitPerHour: new(int), Budget: &budget})
	var spent, passed, refused atomic.Int64
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			// A refusal because of calls under way is worth another try.
			for range 100 {
				a := w.do(ask{method: "POST", path: "/v1/analyze", key: secret, body: uncached(i, `, "max_tokens": 100`)})
				var got struct {
					Cost json.Number `json:"cost_usd"`
				}
				if a.status == 200 {
					a.into(t, 200, &got)
					spent.Add(int64(nanos(t, got.Cost)))
					passed.Add(1)
					return
				}
				a.problem(t, 402, "BUDGET_EXCEEDED")
				if a.header.Get("Retry-After") != "1" {
					break
				}
			}
			refused.Add(1)
		})
	}
	all.Wait()
	mine, _ := w.me(secret)
	if got := int64(nanos(t, mine.Budget.Spent)); got != spent.Load() || got > int64(budget.Limit) {
		t.Errorf("%d nano-dollars are booked and the answers cost %d, want the same, of at most %d", got, spent.Load(), budget.Limit)
	}
	if passed.Load() == 0 || refused.Load() == 0 || nanos(t, mine.Budget.Reserved) != 0 {
		t.Errorf("%d passed and %d were refused with %s reserved at the end, want some of both and nothing", passed.Load(), refused.Load(), mine.Budget.Reserved)
	}
	if over := nanos(t, mine.Budget.Left); over > 400_000 { // About what one call may cost.
		t.Errorf("%d are left at the end, want less than a call may cost", over)
	}
	for len(w.alerted.thresholds()) < 2 {
		time.Sleep(time.Millisecond) //nolint:forbidigo // A poll: bookings come a moment behind the answers, and the store hears of refusals once in a second.
		w.do(ask{method: "POST", path: "/v1/analyze", key: secret, body: uncached(0, `, "max_tokens": 100`)}).problem(t, 402, "BUDGET_EXCEEDED")
	}
	if diff := cmp.Diff([]string{"key 80", "key 100"}, w.alerted.thresholds()); diff != "" {
		t.Errorf("the alerts (-want +got):\n%s", diff)
	}
	p := w.do(ask{method: "POST", path: "/v1/analyze", key: secret, body: uncached(0, `, "max_tokens": 100`)}).problem(t, 402, "BUDGET_EXCEEDED")
	if !strings.Contains(p.Detail, "$0.002 a month") || !strings.Contains(p.Detail, "the next month begins at") {
		t.Errorf("got %q, want the budget and when the next period begins", p.Detail)
	}
}

// The other bound: of 64 callers at the same time no more are admitted than burst + elapsed × rate.
func TestParallelRequestsAreNeverOverAdmitted(t *testing.T) {
	t.Parallel()
	const callers, each, perHour = 64, 8, 200
	w := newWorld(t, func(w *wish) { w.slots, w.service.Text = 2*callers, `{"n": 3}` })
	limit := perHour
	one := w.newKey(key.Key{Name: "one", Team: "acme", RateLimitPerHour: &limit})
	two := w.newKey(key.Key{Name: "two", Team: "acme", RateLimitPerHour: new(int)})
	w.put("/v1/teams/acme", `{"rate_limit_per_hour": 300}`).into(t, 200, &struct{}{})
	begun := time.Now()
	var admitted [2]atomic.Int64
	var all sync.WaitGroup
	for c := range callers {
		all.Go(func() {
			for range each {
				a := w.do(ask{method: "POST", path: "/v1/analyze", key: []string{one, two}[c%2], body: askNumber})
				if a.status == 200 {
					admitted[c%2].Add(1)
					continue
				}
				a.problem(t, 429, "RATE_LIMIT_EXCEEDED")
				if a.header.Get("Retry-After") == "" || a.header.Get("RateLimit") == "" || a.header.Get("RateLimit-Policy") == "" {
					t.Errorf("a refusal has the headers %v, want the limit and the time", a.header)
				}
			}
		})
	}
	all.Wait()
	hours := time.Since(begun).Hours()
	if n := float64(admitted[0].Load()); n > perHour+perHour*hours {
		t.Errorf("%.0f requests of one key were admitted, want at most %d + %.3f", n, perHour, perHour*hours)
	}
	if n := float64(admitted[0].Load() + admitted[1].Load()); n > 300+300*hours || n < 300 {
		t.Errorf("%.0f requests of the team were admitted, want 300 and at most %.3f more", n, 300*hours)
	}
}

func TestALimitThatChangesHoldsForABatchUnderWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secret := w.newKey(key.Key{Name: "batches", Team: "acme", MaxConcurrency: 1})
	w.put("/v1/teams/acme", `{"budget": {"usd": 1, "period": "month"}}`).into(t, 200, &struct{}{})
	hold := make(chan struct{})
	w.service.Queue(providertest.Reply{Text: `{"n": 3}`, Hold: hold})
	var a answer
	var done sync.WaitGroup
	done.Go(func() {
		items := strings.Repeat(`{"prompt": "How many? Three."},`, 2) + `{"prompt": "How many? Three."}`
		a = w.do(ask{method: "POST", path: "/v1/analyze/batch", key: secret, body: `{"schema": ` + numberSchema + `, "options": {"bypass_cache": true}, "items": [` + items + `]}`})
	})
	for w.service.InFlight() == 0 {
		time.Sleep(time.Millisecond) //nolint:forbidigo // A poll: the first item has to be under way.
	}
	w.put("/v1/teams/acme", `{"budget": {"usd": 0.000000001, "period": "month"}}`).into(t, 200, &struct{}{})
	close(hold)
	done.Wait()
	if n := len(w.service.Exchanges()); a.status != 200 || n != 1 || strings.Count(a.body, `"BUDGET_EXCEEDED"`) != 2 {
		t.Errorf("got %d %s after %d calls, want the two items that had not begun refused", a.status, a.body, n)
	}
}

func TestWhatIsNeverAdmittedNamesNoTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	five := 5
	few := w.newKey(key.Key{Name: "few", RateLimitPerHour: &five})
	slow := w.newKey(key.Key{Name: "slow", TokensPerMinute: 100})
	poor := w.newKey(key.Key{Name: "poor", Budget: &key.Budget{Limit: 1000, Period: key.Monthly}})
	const chat, hello = "/v1/chat/completions", `{"model": "auto", "max_tokens": 200, "messages": [{"role": "user", "content": "Hi"}]}`
	for name, c := range map[string]struct {
		ask    ask
		status int
		retry  string
	}{
		"a batch above the limit":                  {ask{path: "/v1/analyze/batch", key: few, body: `{"items": [` + strings.Repeat(`{"prompt": "a"},`, 5) + `{"prompt": "a"}]}`}, 429, ""},
		"a call above the tokens":                  {ask{path: "/v1/analyze", key: slow, body: uncached(1, `, "max_tokens": 200`)}, 429, ""},
		"a call above the budget":                  {ask{path: "/v1/analyze", key: poor, body: uncached(1, `, "max_tokens": 200`)}, 402, ""},
		"a call above the tokens, in OpenAI's way": {ask{path: chat, key: slow, body: hello}, 429, "false"},
		"a call above the budget, in OpenAI's way": {ask{path: chat, key: poor, body: hello}, 402, "false"},
	} {
		c.ask.method = "POST"
		a := w.do(c.ask)
		if a.status != c.status || a.header.Get("Retry-After") != "" || a.header.Get("X-Should-Retry") != c.retry || !strings.Contains(a.body, "never admitted") {
			t.Errorf("%s: got %d %s with %v, want %d without Retry-After", name, a.status, a.body, a.header, c.status)
		}
	}
}

func (w *world) put(path, body string) answer {
	w.tb.Helper()
	return w.do(ask{method: "PUT", path: path, body: body})
}

func TestTeamsAreSetReadAndListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.do(ask{method: "GET", path: "/v1/teams/acme"}).problem(t, 404, "NOT_FOUND")
	member := w.newKey(key.Key{Name: "member", Team: "acme", Scopes: key.UsualScopes})
	if _, team := w.me(member); team != nil {
		t.Errorf("a team without limits has %+v left, want null", team)
	}
	a := w.put("/v1/teams/acme", `{"budget": {"usd": 5, "period": "day"}, "rate_limit_per_hour": 100, "tokens_per_minute": 2000, "max_concurrency": 3}`)
	var set struct {
		Name   string
		Budget struct{ USD, Period json.RawMessage }
		Left   left
	}
	a.into(t, 200, &set)
	if set.Name != "acme" || string(set.Budget.USD) != "5" || set.Left.RateLimit.Remaining != 100 || set.Left.Tokens.Remaining != 2000 || set.Left.Concurrency.Max != 3 || set.Left.Budget.Left != "5" {
		t.Errorf("got %s, want what was set, and all of it left", a.body)
	}
	w.service.Queue(providertest.Reply{Text: `{"n": 3}`})
	if a := w.do(ask{method: "POST", path: "/v1/analyze", key: member, body: uncached(1, `, "max_tokens": 50`)}); a.status != 200 || !strings.Contains(a.header.Get("RateLimit-Policy"), `"team-hour";q=100;w=3600, "hour";q=1000;w=3600, "team-tokens";q=2000;w=60`) {
		t.Errorf("got %d with the policies %s, want those of the team and the key", a.status, a.header.Get("RateLimit-Policy"))
	}
	mine, team := w.me(member)
	if mine.Budget != nil || mine.RateLimit.Remaining != 999 || team.RateLimit.Remaining != 99 || team.Budget.Spent == "0" || team.Tokens.Remaining >= 2000 {
		t.Errorf("got %+v of the key and %+v of the team, want one request and its cost counted", mine, team)
	}
	w.put("/v1/teams/beta", `{}`).into(t, 200, &struct{}{})
	var list struct {
		Data []struct{ Name string }
		Next string `json:"next_cursor"`
	}
	w.get("/v1/teams?limit=1").into(t, 200, &list)
	if len(list.Data) != 1 || list.Data[0].Name != "acme" || list.Next != "acme" {
		t.Errorf("got %+v, want the first of two", list)
	}
	w.get("/v1/teams?cursor=acme").into(t, 200, &list)
	if len(list.Data) != 1 || list.Data[0].Name != "beta" {
		t.Errorf("got %+v, want the second", list)
	}
	a = w.put("/v1/teams/acme", `{"budget": null}`)
	if !strings.Contains(a.body, `"max_concurrency":0,"budget":null`) {
		t.Errorf("got %s, want no limits", a.body)
	}
	for _, c := range []struct{ method, path, body string }{{"GET", "/v1/teams", ""}, {"GET", "/v1/teams/acme", ""}, {"PUT", "/v1/teams/acme", "{}"}} {
		w.do(ask{method: c.method, path: c.path, body: c.body, key: member}).problem(t, 403, "FORBIDDEN")
	}
}

func TestTeamsAreRefusedByName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct{ body, pointer, rule string }{
		{`{"name": "acme"}`, "/name", "unknown_field"},
		{`{"max_concurrency": -1}`, "/max_concurrency", "range"},
		{`{"max_concurrency": 1.5}`, "/max_concurrency", "range"},
		{`{"tokens_per_minute": "many"}`, "/tokens_per_minute", "type"},
		{`{"rate_limit_per_hour": 1e300}`, "/rate_limit_per_hour", "range"},
		{`{"budget": {"usd": 1e999999999, "period": "day"}}`, "/budget/usd", ""},
		{`{"budget": []}`, "/budget", "type"},
	} {
		p := w.put("/v1/teams/acme", c.body).problem(t, 400, "INVALID_REQUEST")
		if len(p.Errors) == 0 || p.Errors[0].Pointer != c.pointer || c.rule != "" && p.Errors[0].Rule != c.rule {
			t.Errorf("%s: got %+v, want %s at %s", c.body, p.Errors, c.rule, c.pointer)
		}
	}
	for _, name := range []string{"a%20b", "%C3%BC", strings.Repeat("x", 65), "%27%3B%20DROP"} {
		w.put("/v1/teams/"+name, `{}`).problem(t, 400, "INVALID_REQUEST")
		w.get("/v1/teams/"+name).problem(t, 404, "NOT_FOUND")
	}
	w.get("/v1/teams?cursor=a%20b").problem(t, 400, "INVALID_REQUEST")
	w.get("/v1/teams?limit=0").problem(t, 400, "INVALID_REQUEST")
	w.put("/v1/teams/acme", `[]`).problem(t, 400, "INVALID_REQUEST")
	w.put("/v1/teams/acme", ``).problem(t, 415, "UNSUPPORTED_MEDIA_TYPE")
}

func TestRequestsAtTheSameTimeAreLimited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secret := w.newKey(key.Key{Name: "one at a time", MaxConcurrency: 1})
	hold := make(chan struct{})
	w.service.Queue(providertest.Reply{Text: `{"n": 3}`, Hold: hold})
	var first answer
	var done sync.WaitGroup
	done.Go(func() {
		first = w.do(ask{method: "POST", path: "/v1/analyze", key: secret, body: uncached(1, "")})
	})
	for w.service.InFlight() == 0 {
		time.Sleep(time.Millisecond) //nolint:forbidigo // A poll: the request has to be under way.
	}
	if mine, _ := w.me(secret); mine.Concurrency == nil || mine.Concurrency.Max != 1 || mine.Concurrency.InFlight != 1 {
		t.Errorf("got %+v left, want one in flight of one", mine.Concurrency)
	}
	for _, path := range []string{"/v1/analyze", "/v1/chat/completions"} {
		a := w.do(ask{method: "POST", path: path, key: secret, body: `{}`})
		if a.status != 429 || a.header.Get("Retry-After") == "" || !strings.Contains(a.body, "max_concurrency") {
			t.Errorf("%s: got %d %s, want 429 with a time", path, a.status, a.body)
		}
	}
	close(hold)
	done.Wait()
	if first.status != 200 {
		t.Errorf("the first: got %d %s, want 200", first.status, first.body)
	}
	w.service.Queue(providertest.Reply{Text: `{"n": 3}`}, providertest.Reply{Text: `{"n": 3}`}, providertest.Reply{Text: `{"n": 3}`})
	// One behind the other works, and so do the items of a batch, which wait for each other.
	if a := w.do(ask{method: "POST", path: "/v1/analyze", key: secret, body: uncached(2, "")}); a.status != 200 {
		t.Errorf("the next: got %d %s, want 200", a.status, a.body)
	}
	a := w.do(ask{method: "POST", path: "/v1/analyze/batch", key: secret, body: `{"items": [` + uncached(3, "") + `, ` + uncached(4, "") + `]}`})
	if !strings.Contains(a.body, `"passed":2,"failed":0`) {
		t.Errorf("a batch: got %d %s, want both items passed", a.status, a.body)
	}
}

// A budget of a team holds requests without a schema as well, and a model whose price is not known is not asked.
func TestBudgetsHoldRequestsWithoutASchema(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *wish) { w.second = true })
	secret := w.newKey(key.Key{Name: "chat", Team: "acme"})
	w.put("/v1/teams/acme", `{"budget": {"usd": 0.01, "period": "day"}}`).into(t, 200, &struct{}{})
	chat := func(model, more string) answer {
		return w.do(ask{method: "POST", path: "/v1/chat/completions", key: secret, body: `{"model": "` + model + `", "messages": [{"role": "user", "content": "Hello"}]` + more + `}`})
	}
	w.service.Queue(providertest.Reply{Text: "Hello yourself.", Usage: &providertest.Usage{PromptTokens: 100, CompletionTokens: 50}})
	if a := chat("auto", `, "max_tokens": 60`); a.status != 200 || a.header.Get("X-Promptd-Model") != "small" {
		t.Errorf("got %d %s of %s, want an answer of the model with a price", a.status, a.body, a.header.Get("X-Promptd-Model"))
	}
	if _, team := w.me(secret); nanos(t, team.Budget.Spent) != 100*100+50*400 {
		t.Errorf("%s are spent, want the cost of 100 and 50 tokens", team.Budget.Spent)
	}
	if a := chat("small", `, "max_tokens": 1000000`); a.status != 402 || !strings.Contains(a.body, "budget of the team") {
		t.Errorf("an answer that may cost too much: got %d %s, want 402", a.status, a.body)
	}
	if a := chat("large", ""); a.status != 403 || !strings.Contains(a.body, "price") {
		t.Errorf("a model without a price: got %d %s, want 403", a.status, a.body)
	}
	if _, team := w.me(secret); nanos(t, team.Budget.Reserved) != 0 {
		t.Errorf("%s are reserved at the end, want nothing", team.Budget.Reserved)
	}
}
