package providertest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/llamacpp"
	"github.com/promptd/promptd/internal/dialect/openai"
	"github.com/promptd/promptd/internal/provider/providertest"
	"github.com/promptd/promptd/internal/repair"
	"github.com/promptd/promptd/internal/repair/damage"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/value"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const personSchema = `{"type":"object","properties":{"name":{"type":"string","minLength":40},"age":{"type":"integer","minimum":18,"maximum":99}},` +
	`"required":["name","age"],"additionalProperties":false}`

func decode(tb testing.TB, text string) value.Value {
	tb.Helper()
	v, err := value.DecodeString(text, value.Limits{})
	if err != nil {
		tb.Fatalf("decode %.200q: %v", text, err)
	}
	return v
}

func judge(tb testing.TB) func(text string) bool {
	tb.Helper()
	s, err := schema.Compile(decode(tb, personSchema), schema.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	return func(text string) bool {
		v, err := value.DecodeString(text, value.Limits{})
		if err != nil {
			return false
		}
		valid, _ := s.Accept(tb.Context(), v)
		return valid.OK()
	}
}

// client is one HTTP client of a test; its connections end with it.
func client(tb testing.TB) *http.Client {
	tb.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	tb.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// call is a call for a person; text makes it one of its own.
func call(tb testing.TB, mode lowering.Mode, text string) dialect.Call {
	tb.Helper()
	c := dialect.Call{
		Model:    "m",
		Messages: []dialect.Message{{Role: dialect.System, Parts: []dialect.Part{{Text: "Be brief."}}}, {Role: dialect.User, Parts: []dialect.Part{{Text: text}}}},
		Output:   dialect.Output{Mode: mode, Name: "result", Schema: decode(tb, personSchema)},
	}
	if mode == lowering.JSON || mode == lowering.Prompt {
		c.Output.Schema = value.Null()
		c.Messages[0].Parts[0].Text = "Answer with JSON like {\"a\": 1} that is valid under this schema:\n" + personSchema + "\nExample: {\"name\": \"x\", \"age\": 1}"
	}
	return c
}

// ask sends a call as a dialect encodes it and decodes what comes.
func ask(ctx context.Context, tb testing.TB, c *http.Client, url string, d dialect.Dialect, q dialect.Call) (dialect.Reply, error) {
	tb.Helper()
	if d.Name() == "openai" {
		url += "/v1"
	}
	encoded, err := d.Encode(q)
	if err != nil {
		tb.Fatal(err)
	}
	r, err := http.NewRequestWithContext(ctx, encoded.Method, url+encoded.Path, bytes.NewReader(encoded.Body))
	if err != nil {
		tb.Fatal(err)
	}
	r.Header = encoded.Header
	resp, err := c.Do(r)
	if err != nil {
		return dialect.Reply{}, err
	}
	defer resp.Body.Close()
	if q.Stream && resp.StatusCode == http.StatusOK {
		text := ""
		for delta, err := range d.Stream(resp.Body) {
			if err != nil {
				return dialect.Reply{}, err
			}
			text += delta.Text
			if delta.Reply != nil {
				if text != delta.Reply.Text {
					tb.Errorf("the stream's pieces make %q, its reply %q", text, delta.Reply.Text)
				}
				return *delta.Reply, nil
			}
		}
		tb.Error("the stream ends with neither reply nor error")
		return dialect.Reply{}, io.ErrUnexpectedEOF
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return dialect.Reply{}, err
	}
	got := dialect.Response{Status: resp.StatusCode, Header: resp.Header, Body: body}
	if resp.StatusCode != http.StatusOK {
		return dialect.Reply{}, d.Fail(got)
	}
	return d.Decode(got)
}

func TestEveryFormOfSchemaIsAnsweredValidly(t *testing.T) {
	t.Parallel()
	service := providertest.New(t, providertest.Settings{Seed: 3})
	valid, c := judge(t), client(t)
	llguidance := dialect.Capability{LLGuidance: true}
	for _, k := range []struct {
		dialect    dialect.Dialect
		mode       lowering.Mode
		capability dialect.Capability
		form       string
	}{
		{openai.New(), lowering.Strict, dialect.Capability{}, "json_schema"},
		{openai.New(), lowering.Tool, dialect.Capability{}, "tool"},
		{openai.New(), lowering.JSON, dialect.Capability{}, "prompt"},
		{openai.New(), lowering.Prompt, dialect.Capability{}, "prompt"},
		{llamacpp.New(), lowering.Grammar, dialect.Capability{}, "json_schema"},
		{llamacpp.New(), lowering.Grammar, llguidance, "grammar"},
		{llamacpp.New(), lowering.JSON, dialect.Capability{}, "prompt"},
	} {
		for _, stream := range []bool{false, true} {
			q := call(t, k.mode, "who?")
			q.Stream, q.Capability, q.Logprobs = stream, k.capability, true
			q.Capability.Logprobs = true
			reply, err := ask(t.Context(), t, c, service.URL(), k.dialect, q)
			name := fmt.Sprintf("%s in mode %s, stream %v", k.dialect.Name(), k.mode, stream)
			if err != nil || !valid(reply.Text) {
				t.Errorf("%s: %q, %v", name, reply.Text, err)
				continue
			}
			want := dialect.StopComplete
			if k.mode == lowering.Tool {
				want = dialect.StopTool
			}
			if reply.Stop != want || !reply.Usage.Known || reply.Usage.Input == 0 || reply.Usage.Output != len(reply.Logprobs) || reply.Model != "m" || reply.RequestID == "" {
				t.Errorf("%s: %+v", name, reply)
			}
			seen := service.Exchanges()
			if last := seen[len(seen)-1]; last.Form != k.form || last.User() != "who?" || last.Stream != stream || last.Class != providertest.Valid || last.Text != reply.Text {
				t.Errorf("%s: recorded as %s %q stream %v %s %q", name, last.Form, last.User(), last.Stream, last.Class, last.Text)
			}
		}
	}
	if n := service.Requests(); n != 14 {
		t.Errorf("%d requests counted, want 14", n)
	}
}

func TestSameSeedGivesSameExchanges(t *testing.T) {
	t.Parallel()
	shares := providertest.Shares{Invalid: 0.2, Malformed: 0.3, Truncated: 0.1, Refused: 0.1, Filtered: 0.1}
	run := func(seed uint64, workers int) map[string]string {
		service := providertest.New(t, providertest.Settings{Seed: seed, Shares: shares})
		c := client(t)
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() {
				for i := w; i < 60; i += workers {
					for range 2 {
						_, _ = ask(t.Context(), t, c, service.URL(), openai.New(), call(t, lowering.Strict, fmt.Sprint("case ", i)))
					}
				}
			})
		}
		wg.Wait()
		all := map[string]string{}
		for _, e := range service.Exchanges() {
			all[fmt.Sprint(e.User(), "/", e.Repeat)] = fmt.Sprintf("%s %s %q", e.Class, e.Damage, e.Text)
		}
		return all
	}
	first, second, other := run(1, 1), run(1, 8), run(2, 1)
	if len(first) != 120 || len(second) != 120 {
		t.Fatalf("%d and %d different exchanges, want 120", len(first), len(second))
	}
	same := 0
	for k, want := range first {
		if second[k] != want {
			t.Errorf("%s was %s, with eight clients at once %s", k, want, second[k])
		}
		if other[k] == want {
			same++
		}
	}
	if same > 60 {
		t.Errorf("%d of 120 exchanges are the same under another seed", same)
	}
}

func TestSharesAreKept(t *testing.T) {
	t.Parallel()
	service := providertest.New(t, providertest.Settings{
		Seed: 5, Keep: 5000, Slow: time.Millisecond, Stall: time.Millisecond,
		Shares: providertest.Shares{Transport: 0.15, Invalid: 0.15, Malformed: 0.25, Truncated: 0.05, Refused: 0.02, Filtered: 0.02},
	})
	valid, c := judge(t), client(t)
	const n = 3000
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := w; i < n; i += 4 {
				q := call(t, lowering.Strict, fmt.Sprint("case ", i))
				q.Stream = i%2 == 0
				_, _ = ask(t.Context(), t, c, service.URL(), openai.New(), q)
			}
		})
	}
	wg.Wait()
	classes, faults, kinds := map[providertest.Class]int{}, map[providertest.Fault]int{}, map[repair.Kind]int{}
	for _, e := range service.Exchanges() {
		if e.Fault != "" {
			faults[e.Fault]++
			classes["transport"]++
			continue
		}
		classes[e.Class]++
		if e.Damage != "" {
			kinds[e.Damage]++
		}
		switch e.Class {
		case providertest.Valid:
			if !valid(e.Text) {
				t.Errorf("a valid answer is %q", e.Text)
			}
		case providertest.Invalid:
			if _, err := value.DecodeString(e.Text, value.Limits{}); err != nil || valid(e.Text) {
				t.Errorf("an invalid answer is %q (%v)", e.Text, err)
			}
		case providertest.Malformed:
			if _, err := value.DecodeString(e.Text, value.Limits{}); err == nil {
				t.Errorf("a malformed answer of kind %s is %q", e.Damage, e.Text)
			}
		}
	}
	for class, share := range map[providertest.Class]float64{
		"transport": 0.15, providertest.Invalid: 0.15, providertest.Malformed: 0.25, providertest.Truncated: 0.05, providertest.Refused: 0.02,
		providertest.Filtered: 0.02, providertest.Valid: 0.36,
	} {
		if got := float64(classes[class]) / n; got < share*0.7-0.005 || got > share*1.3+0.005 {
			t.Errorf("%s answers are %.3f of all, want about %.2f", class, got, share)
		}
	}
	for _, f := range providertest.Transient() {
		if faults[f] == 0 {
			t.Errorf("fault %s never came", f)
		}
	}
	t.Logf("%d of %d kinds of damage, %v, %v", len(kinds), len(damage.Kinds()), classes, faults)
	if len(kinds) < len(damage.Kinds())/2 {
		t.Errorf("%d kinds of damage came, want more than half of %d", len(kinds), len(damage.Kinds()))
	}
}

// What a client sees of each fault, whole and streamed: a reply for those that only take time, an error of the right outcome for the others.
func TestFaultsLookLikeThemselves(t *testing.T) {
	t.Parallel()
	transport := dialect.Outcome(255) // an error of the HTTP client itself
	for fault, want := range map[providertest.Fault][2]dialect.Outcome{
		providertest.RateLimited:      {dialect.RateLimited, dialect.RateLimited},
		providertest.Overloaded:       {dialect.OverloadedProvider, dialect.OverloadedProvider},
		providertest.ServerError:      {dialect.OverloadedProvider, dialect.OverloadedProvider},
		providertest.GatewayPage:      {dialect.OverloadedProvider, dialect.OverloadedProvider},
		providertest.ErrorInside:      {dialect.OverloadedProvider, dialect.OverloadedProvider},
		providertest.NotJSON:          {dialect.Unknown, dialect.Connection},
		providertest.EmptyBody:        {dialect.Connection, dialect.Connection},
		providertest.CutBeforeHeaders: {transport, transport},
		providertest.CutBody:          {transport, dialect.Connection},
		providertest.LengthTooLong:    {transport, dialect.OK}, // a stream's own end comes before the bytes that are missing
		providertest.LengthTooShort:   {dialect.Connection, dialect.Connection},
		providertest.NoEnd:            {dialect.Connection, dialect.Connection},
		providertest.SlowFirstByte:    {dialect.OK, dialect.OK},
		providertest.Stalled:          {transport, dialect.Connection},
		providertest.Unauthorized:     {dialect.Auth, dialect.Auth},
		providertest.QuotaExceeded:    {dialect.Quota, dialect.Quota},
		providertest.BadRequest:       {dialect.BadRequest, dialect.BadRequest},
		providertest.SchemaRejected:   {dialect.SchemaRejected, dialect.SchemaRejected},
		providertest.ContextExceeded:  {dialect.ContextExceeded, dialect.ContextExceeded},
		providertest.ContentBlocked:   {dialect.Filtered, dialect.Filtered},
		providertest.TooLarge:         {dialect.TooLarge, dialect.TooLarge},
		providertest.Redirected:       {dialect.BadRequest, dialect.BadRequest},
	} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			service := providertest.New(t, providertest.Settings{
				Slow: 20 * time.Millisecond, Stall: 20 * time.Millisecond, Shares: providertest.Shares{Transport: 1}, Faults: []providertest.Fault{fault},
			})
			c := client(t)
			for i := range 40 {
				q := call(t, lowering.Strict, fmt.Sprint("case ", i))
				q.Stream = i%2 == 1
				begun := time.Now()
				reply, err := ask(t.Context(), t, c, service.URL(), openai.New(), q)
				got := dialect.OK
				var failed *dialect.Error
				if errors.As(err, &failed) {
					got = failed.Outcome
				} else if err != nil {
					got = transport
				}
				if want := want[i%2]; got != want && (got != transport || want != dialect.Connection) {
					t.Errorf("stream %v: %s (%v), want %s; reply %+v", q.Stream, got, err, want, reply)
				}
				switch fault {
				case providertest.RateLimited, providertest.Overloaded:
					if failed != nil && failed.Wait != 20*time.Millisecond && failed.Wait != 0 {
						t.Errorf("asked to wait %s, want 20 ms", failed.Wait)
					}
				case providertest.SlowFirstByte, providertest.Stalled:
					if took := time.Since(begun); took < 20*time.Millisecond {
						t.Errorf("it took %s, want at least 20 ms", took)
					}
				}
			}
		})
	}
}

func TestQueuedRepliesComeFirstAndAsTheyAre(t *testing.T) {
	t.Parallel()
	service := providertest.New(t, providertest.Settings{Shares: providertest.Shares{Transport: 1}, Faults: []providertest.Fault{providertest.Overloaded}})
	c := client(t)
	service.Queue(
		providertest.Reply{Text: "plain", Usage: &providertest.Usage{PromptTokens: 7, CompletionTokens: 5, CachedTokens: 3, ReasoningTokens: 2}},
		providertest.Reply{Status: http.StatusTeapot, Body: `{"error":{"message":"short and stout","type":"teapot"}}`},
		providertest.Reply{Refusal: "no"},
		providertest.Reply{Text: "cut", Stop: "length", NoUsage: true},
	)
	get := func(stream bool) (dialect.Reply, error) {
		q := call(t, lowering.Strict, "x")
		q.Stream = stream
		return ask(t.Context(), t, c, service.URL(), openai.New(), q)
	}
	reply, err := get(true)
	if want := (dialect.Usage{Input: 7, CachedInput: 3, Output: 5, Reasoning: 2, Known: true}); err != nil || reply.Text != "plain" || reply.Usage != want {
		t.Errorf("first: %+v, %v", reply, err)
	}
	var failed *dialect.Error
	if _, err = get(false); !errors.As(err, &failed) || failed.Status != http.StatusTeapot || failed.Code != "teapot" {
		t.Errorf("second: %v", err)
	}
	if reply, err = get(true); err != nil || reply.Stop != dialect.StopRefused || reply.Refusal != "no" {
		t.Errorf("third: %+v, %v", reply, err)
	}
	if reply, err = get(false); err != nil || reply.Stop != dialect.StopTruncated || reply.Text != "cut" || reply.Usage.Known {
		t.Errorf("fourth: %+v, %v", reply, err)
	}
	if _, err = get(false); !errors.As(err, &failed) || failed.Outcome != dialect.OverloadedProvider {
		t.Errorf("behind the queue: %v, want the shares to apply", err)
	}
}

func TestMaxTokensCutsTheAnswer(t *testing.T) {
	t.Parallel()
	service := providertest.New(t, providertest.Settings{Text: strings.Repeat("abcd", 10)})
	c := client(t)
	for _, n := range []int{3, 10, 11} {
		q := call(t, lowering.Prompt, "x")
		q.MaxTokens = n
		reply, err := ask(t.Context(), t, c, service.URL(), openai.New(), q)
		want := dialect.StopTruncated
		if n >= 10 {
			want = dialect.StopComplete
		}
		if err != nil || reply.Stop != want || len(reply.Text) != 4*min(n, 10) || reply.Usage.Output != min(n, 10) {
			t.Errorf("max_tokens %d: %+v, %v", n, reply, err)
		}
	}
}

func TestAnswersAreChosenByTheTest(t *testing.T) {
	t.Parallel()
	service := providertest.New(t, providertest.Settings{
		Shares: providertest.Shares{Malformed: 1}, Damage: []repair.Kind{repair.KindTrailingComma},
		Answer: func(r providertest.Request) (string, bool) { return `{"said":"` + r.User() + `"}`, r.User() != "own" },
	})
	c := client(t)
	reply, err := ask(t.Context(), t, c, service.URL(), openai.New(), call(t, lowering.Strict, "hello"))
	if err != nil || !strings.Contains(reply.Text, "hello") || judge(t)(reply.Text) {
		t.Errorf("%q, %v: want the chosen answer, damaged", reply.Text, err)
	}
	if _, err := value.DecodeString(reply.Text, value.Limits{}); err == nil {
		t.Errorf("%q is not damaged", reply.Text)
	}
	if reply, err = ask(t.Context(), t, c, service.URL(), openai.New(), call(t, lowering.Strict, "own")); err != nil || !strings.Contains(reply.Text, "age") {
		t.Errorf("%q, %v: want one made up", reply.Text, err)
	}
}

func TestAClientThatLeavesIsNoticed(t *testing.T) {
	t.Parallel()
	service := providertest.New(t, providertest.Settings{})
	c := client(t)
	never := make(chan struct{})
	service.Queue(providertest.Reply{Text: "late", Hold: never}, providertest.Reply{Text: "late", Hold: never, HoldAfter: 20})
	for range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			q := call(t, lowering.Prompt, "x")
			q.Stream = true
			if _, err := ask(ctx, t, c, service.URL(), openai.New(), q); err == nil {
				t.Error("a held answer came")
			}
		})
		await(t, func() bool { return service.InFlight() == 1 })
		cancel()
		wg.Wait()
		await(t, func() bool { return service.InFlight() == 0 })
	}
	for _, e := range service.Exchanges() {
		if !e.Left {
			t.Errorf("exchange %d does not say that the client left", e.N)
		}
	}
}

// await waits for what another goroutine brings about.
func await(tb testing.TB, done func() bool) {
	tb.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	limit := time.After(10 * time.Second)
	for !done() {
		select {
		case <-tick.C:
		case <-limit:
			tb.Fatal("waited 10 s in vain")
		}
	}
}

func TestHeldAnswersGoOn(t *testing.T) {
	t.Parallel()
	service := providertest.New(t, providertest.Settings{})
	hold := make(chan struct{})
	service.Queue(providertest.Reply{Text: "at last", Hold: hold, HoldAfter: 300})
	c := client(t)
	var wg sync.WaitGroup
	wg.Go(func() {
		q := call(t, lowering.Prompt, "x")
		q.Stream = true
		if reply, err := ask(t.Context(), t, c, service.URL(), openai.New(), q); err != nil || reply.Text != "at last" {
			t.Errorf("%q, %v", reply.Text, err)
		}
	})
	await(t, func() bool { return service.InFlight() == 1 })
	close(hold)
	wg.Wait()
}

func TestRequestsThatAreNoneAreRefused(t *testing.T) {
	t.Parallel()
	service := providertest.New(t, providertest.Settings{Key: "secret", Models: []string{"a", "b"}})
	c := client(t)
	for _, k := range []struct {
		method, path, key, body string
		status                  int
		want                    string
	}{
		{"POST", "/v1/chat/completions", "secret", `{"messages":[`, 400, "not JSON"},
		{"POST", "/v1/chat/completions", "secret", `[]`, 400, "not a JSON object"},
		{"POST", "/v1/chat/completions", "secret", `{"model":"m"}`, 400, "messages"},
		{"POST", "/v1/chat/completions", "secret", `{"messages":[],"grammar":"root ::= \"x\""}`, 400, "failed to parse grammar"},
		{"POST", "/v1/chat/completions", "secret", `{"messages":[],"response_format":{"type":"json_schema","json_schema":{"schema":7}}}`, 400, "Invalid schema"},
		{"POST", "/v1/chat/completions", "wrong", `{"messages":[]}`, 401, "invalid_api_key"},
		{"GET", "/v1/chat/completions", "secret", ``, 405, "not allowed"},
		{"GET", "/v1/elsewhere", "secret", ``, 404, "Unknown"},
		{"GET", "/v1/models", "secret", ``, 200, `"b"`},
		{"GET", "/health", "", ``, 200, "ok"},
		{"POST", "/v1/chat/completions", "secret", `{"messages":[],"response_format":{"type":"json_object"}}`, 200, "There was no schema"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), k.method, service.URL()+k.path, strings.NewReader(k.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+k.key)
		resp, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != k.status || !strings.Contains(string(body), k.want) {
			t.Errorf("%s %s %s: %d %s (%v), want %d with %q", k.method, k.path, k.body, resp.StatusCode, body, err, k.status, k.want)
		}
	}
}

func TestSharesMustMakeSense(t *testing.T) {
	t.Parallel()
	for _, s := range []providertest.Settings{
		{Shares: providertest.Shares{Invalid: 0.6, Malformed: 0.6}}, {Shares: providertest.Shares{Refused: -0.1}}, {Faults: []providertest.Fault{"none such"}},
	} {
		if server, err := providertest.Listen("127.0.0.1:0", s); err == nil {
			server.Close()
			t.Errorf("Listen(%+v) gives no error", s)
		}
	}
}

func TestLastExchangesAreKept(t *testing.T) {
	t.Parallel()
	service := providertest.New(t, providertest.Settings{Keep: 3})
	c := client(t)
	for i := range 8 {
		if _, err := ask(t.Context(), t, c, service.URL(), openai.New(), call(t, lowering.Strict, fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	got := ""
	for _, e := range service.Exchanges() {
		got += e.User() + " "
	}
	if got != "5 6 7 " {
		t.Errorf("kept %q, want the last three in order", got)
	}
}

func BenchmarkFastPath(b *testing.B) {
	service := providertest.New(b, providertest.Settings{Keep: -1})
	encoded, err := openai.New().Encode(call(b, lowering.Strict, strings.Repeat("text ", 200)))
	if err != nil {
		b.Fatal(err)
	}
	c := client(b)
	for b.Loop() {
		resp, err := c.Post(service.URL()+"/v1/chat/completions", "application/json", bytes.NewReader(encoded.Body))
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
}

func TestAnswersFromMemoryAreTheSame(t *testing.T) {
	t.Parallel()
	service := providertest.New(t, providertest.Settings{Keep: -1})
	c := client(t)
	for _, stream := range []bool{false, true} {
		q := call(t, lowering.Strict, "again")
		q.Stream = stream
		var first dialect.Reply
		for i := range 4 {
			reply, err := ask(t.Context(), t, c, service.URL(), openai.New(), q)
			if err != nil || !judge(t)(reply.Text) {
				t.Fatalf("%q, %v", reply.Text, err)
			}
			if i == 0 {
				first = reply
			}
			if reply.Text != first.Text || reply.Usage != first.Usage || reply.RequestID != first.RequestID {
				t.Errorf("time %d: %+v, at first %+v", i+1, reply, first)
			}
		}
	}
	service.Queue(providertest.Reply{Text: "scripted"})
	if reply, err := ask(t.Context(), t, c, service.URL(), openai.New(), call(t, lowering.Strict, "again")); err != nil || reply.Text != "scripted" {
		t.Errorf("a queued reply behind memory: %q, %v", reply.Text, err)
	}
	if len(service.Exchanges()) != 0 || service.Requests() != 9 {
		t.Errorf("%d exchanges kept, %d requests counted; want none and 9", len(service.Exchanges()), service.Requests())
	}
}

func TestServicesMayGiveNoLogprobsAndNoUsage(t *testing.T) {
	t.Parallel()
	service := providertest.New(t, providertest.Settings{NoLogprobs: true, NoUsage: true})
	c := client(t)
	for _, stream := range []bool{false, true} {
		q := call(t, lowering.Strict, "x")
		q.Stream, q.Logprobs, q.Capability.Logprobs = stream, true, true
		if reply, err := ask(t.Context(), t, c, service.URL(), openai.New(), q); err != nil || len(reply.Logprobs) > 0 || reply.Usage.Known {
			t.Errorf("stream %v: %+v, %v", stream, reply, err)
		}
	}
}

func TestLatencyIsKept(t *testing.T) {
	t.Parallel()
	const first, token = 30 * time.Millisecond, 3 * time.Millisecond
	for _, keep := range []int{-1, 0} {
		service := providertest.New(t, providertest.Settings{Latency: first, TokenLatency: token, Text: strings.Repeat("word", 10), Keep: keep})
		c := client(t)
		for _, stream := range []bool{false, true, false, true, false} {
			q := call(t, lowering.Prompt, "x")
			q.Stream = stream
			least := first
			if stream {
				least += 10 * token
			}
			begun := time.Now()
			if _, err := ask(t.Context(), t, c, service.URL(), openai.New(), q); err != nil || time.Since(begun) < least {
				t.Errorf("keep %d, stream %v: %s (%v), want at least %s", keep, stream, time.Since(begun), err, least)
			}
		}
	}
}
