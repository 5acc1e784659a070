package relay_test

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/anthropic"
	"github.com/promptd/promptd/internal/dialect/openai"
	"github.com/promptd/promptd/internal/dropin"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/pipeline"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/provider/providertest"
	"github.com/promptd/promptd/internal/relay"
	"github.com/promptd/promptd/internal/router"
	"github.com/promptd/promptd/internal/usage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a relay with two providers: one that speaks chat completions, and one that does not.
type world struct {
	*relay.Relay
	chat, claude *providertest.Server
	mu           sync.Mutex
	records      []usage.Record
}

// Add keeps a record.
func (w *world) Add(_ context.Context, r usage.Record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.records = append(w.records, r)
	return nil
}

func newWorld(t *testing.T, change ...func(*provider.Model)) *world {
	t.Helper()
	w := &world{chat: providertest.New(t, providertest.Settings{}), claude: providertest.New(t, providertest.Settings{Wire: "anthropic"})}
	transport := provider.Transport()
	t.Cleanup(transport.CloseIdleConnections)
	account := func(name string, d dialect.Dialect, base string) *provider.Provider {
		m := provider.Model{Name: name + "-model", Price: provider.Price{Known: true, Input: 1_000_000, Output: 2_000_000}}
		for _, f := range change {
			f(&m)
		}
		p, err := provider.New(provider.Account{
			Name: name, Dialect: d, BaseURL: base, Timeout: 5 * time.Second, FirstByteTimeout: 2 * time.Second, Header: http.Header{"Anthropic-Version": {"2023-06-01"}},
			Models: []provider.Model{m},
		}, transport)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	ids := 0
	w.Relay = relay.New(relay.Deps{
		Pool:   provider.NewPool(account("chat", openai.New(), w.chat.URL()+"/v1"), account("claude", anthropic.New(), w.claude.URL())),
		Router: router.New(router.Config{Learned: router.NewLearned(), Chance: func() float64 { return 0 }}), History: w, Meter: unmeasured{},
		NewID: func() string { ids++; return "id-" + strconv.Itoa(ids) },
		Settings: func() pipeline.Settings {
			return pipeline.Settings{StorePrompts: true, Backoff: provider.Backoff{Base: time.Millisecond, Cap: time.Millisecond}}
		},
	})
	return w
}

// ask hands a body on, and gives what came back as text.
func (w *world) ask(t *testing.T, body string) (string, *relay.Answer, error) {
	t.Helper()
	return w.askAs(t, key.Anyone(), body)
}

func (w *world) askAs(t *testing.T, who *key.Caller, body string) (string, *relay.Answer, error) {
	t.Helper()
	q, err := dropin.Read(dialect.Chat, []byte(body), prompt.Defaults{CacheTTL: time.Hour, MaxAttempts: 4})
	if err != nil {
		t.Fatal(err)
	}
	var out *gathered
	var sink relay.Out
	if q.Stream {
		out = &gathered{}
		sink = out
	}
	a, _, err := w.Do(t.Context(), who, q, sink)
	switch {
	case err != nil:
		return "", nil, err
	case out != nil:
		return out.String(), a, nil
	default:
		return string(a.Body), a, nil
	}
}

// gathered is an Out that keeps what it gets.
type gathered struct {
	strings.Builder
	head relay.Head
}

// Begin keeps the head.
func (g *gathered) Begin(h relay.Head) { g.head = h }

// Write keeps bytes.
func (g *gathered) Write(b []byte) error {
	g.Builder.Write(b)
	return nil
}

const hello = `"messages":[{"role":"user","content":"Hello"}]`

func TestAnOutageMovesOnToAnotherFormat(t *testing.T) {
	t.Parallel()
	for name, stream := range map[string]string{"whole": "false", "streamed": "true"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.claude.Queue(providertest.Reply{Text: "from Claude"}, providertest.Reply{Text: "from Claude"})
			for range 8 {
				w.chat.Queue(providertest.Reply{Status: http.StatusServiceUnavailable, Body: `{"error":{"message":"overloaded"}}`})
			}
			text, a, err := w.ask(t, `{"model":"auto","stream":`+stream+`,`+hello+`}`)
			if err != nil || a.Provider != "claude" || !strings.Contains(text, `"chat.completion`) {
				t.Fatalf("got %q, %+v, %v, want Claude's answer as a chat completion", text, a, err)
			}
			r := w.records[0]
			if r.Status != http.StatusOK || r.Prompt != "Hello" || r.Answer != "from Claude" || r.Provider != "claude" || len(r.Attempts) == 0 {
				t.Errorf("the history has %+v", r)
			}
		})
	}
}

func TestWhatCantBeTranslatedGoesToWhoSpeaksTheFormat(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := `{"model":"auto","tools":[{"type":"function","function":{"name":"f"}}],` + hello + `}`
	for range 3 {
		if _, a, err := w.ask(t, body); err != nil || a.Provider != "chat" {
			t.Fatalf("got %+v, %v, want the provider that speaks the format", a, err)
		}
	}
	if n := w.claude.Requests(); n != 0 {
		t.Errorf("Claude was asked %d times", n)
	}
	_, _, err := w.ask(t, strings.Replace(body, "auto", "claude/claude-model", 1))
	f := fault.Of(err)
	if f.Code != fault.InvalidRequest || f.Entries[0].Pointer != "/tools" || !strings.Contains(f.Entries[0].Hint, "promptd.provider") {
		t.Errorf("got %+v, want tools refused by name with a remedy", f)
	}
}

func TestAttemptsAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 20 {
		w.chat.Queue(providertest.Reply{Status: http.StatusInternalServerError, Body: `{}`})
		w.claude.Queue(providertest.Reply{Status: http.StatusInternalServerError, Body: `{}`})
	}
	_, _, err := w.ask(t, `{"model":"auto","promptd":{"max_attempts":3},`+hello+`}`)
	var failure *pipeline.Failure
	if !errors.As(err, &failure) || failure.Fault.Code != fault.ProviderError || len(failure.Attempts) > 3 || len(failure.Attempts) < 2 {
		t.Fatalf("got %+v, want a provider's fault after at most three attempts at both", failure)
	}
	if w.chat.Requests()+w.claude.Requests() != len(failure.Attempts) {
		t.Errorf("got %d and %d calls, and %d attempts", w.chat.Requests(), w.claude.Requests(), len(failure.Attempts))
	}
}

func TestWhatAServiceDidIsToldAndNotThatAnotherSpeaksAnotherFormat(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(m *provider.Model) {
		if m.Name == "claude-model" {
			m.Price.Input, m.Price.Output = 100*m.Price.Input, 100*m.Price.Output // So that it is asked behind the other.
		}
	})
	w.chat.Queue(providertest.Reply{Status: http.StatusUnauthorized, Body: `{"error":{"message":"no","code":"invalid_api_key"}}`})
	_, _, err := w.ask(t, `{"model":"auto","promptd":{"routing":"cost"},"tools":[{"type":"function","function":{"name":"f"}}],`+hello+`}`)
	if f := fault.Of(err); f.Code != fault.ProviderError || w.chat.Requests() != 1 {
		t.Errorf("got %+v after %d calls, want the fault of the provider that was asked", f, w.chat.Requests())
	}
}

func TestABudgetWantsABoundWhereNobodyKnowsOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	who := key.Anyone()
	who.Budget = &key.Budget{Limit: 1_000_000_000, Period: key.Daily}
	_, _, err := w.askAs(t, who, `{"model":"chat-model",`+hello+`}`)
	f := fault.Of(err)
	if f.Code != fault.InvalidRequest || f.Entries[0].Pointer != "/max_tokens" || f.Entries[0].Hint == "" || w.chat.Requests() != 0 {
		t.Errorf("got %+v after %d calls, want max_tokens demanded before any", f, w.chat.Requests())
	}
	if _, _, err := w.askAs(t, who, `{"model":"chat-model","max_tokens":100,`+hello+`}`); err != nil {
		t.Errorf("got %v, want an answer that is bounded", err)
	}
}

func TestImagesGoToModelsThatSee(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, _, err := w.ask(t, `{"model":"chat-model","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}]}]}`)
	f := fault.Of(err)
	if f.Code != fault.InvalidRequest || f.Entries[0].Rule != "vision" || w.chat.Requests() != 0 {
		t.Errorf("got %+v after %d calls, want the image refused before any", f, w.chat.Requests())
	}
}

func TestAKeysOwnPromptCharsHoldRelayedRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	who := key.Anyone()
	who.PromptChars = 5
	if _, _, err := w.askAs(t, who, `{"model":"chat-model",`+hello+`}`); err != nil {
		t.Errorf("got %v for as many characters as are allowed", err)
	}
	_, _, err := w.askAs(t, who, `{"model":"chat-model","messages":[{"role":"system","content":"A long one."},{"role":"user","content":"Hellö!"}]}`)
	f := fault.Of(err)
	if f.Code != fault.InvalidRequest || f.Entries[0].Rule != "limits.prompt_chars" || w.chat.Requests() != 1 {
		t.Errorf("got %+v after %d calls, want the limit named", f, w.chat.Requests())
	}
}

func TestStreamsAreCountedWhetherTheCallerAsksOrNot(t *testing.T) {
	t.Parallel()
	unknowing := func(m *provider.Model) { m.Capability.Deviations.NoStreamOptions = true }
	for name, c := range map[string]struct {
		more                  string
		change                []func(*provider.Model)
		asked, told, recorded bool
	}{
		"not asked for":                    {"", nil, true, false, true},
		"declined":                         {`,"stream_options":{"include_usage":false}`, nil, true, false, true},
		"asked for":                        {`,"stream_options":{"include_usage":true}`, nil, true, true, true},
		"at a service that does not know":  {"", []func(*provider.Model){unknowing}, false, false, false},
		"asked for at such a service even": {`,"stream_options":{"include_usage":true}`, []func(*provider.Model){unknowing}, true, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.change...)
			w.chat.Queue(providertest.Reply{Text: "one two three"})
			text, _, err := w.ask(t, `{"model":"chat-model","stream":true,`+hello+c.more+`}`)
			if err != nil {
				t.Fatal(err)
			}
			sent := string(w.chat.Exchanges()[0].Request.Body)
			if strings.Contains(sent, `"include_usage":true`) != c.asked || strings.Contains(text, `"choices":[],"usage":{`) != c.told || !strings.HasSuffix(text, "data: [DONE]\n\n") {
				t.Errorf("the service got %s, the caller %s", sent, text)
			}
			if r := w.records[0]; r.Cost.Known != c.recorded || (r.Tokens.Output > 0) != c.recorded || r.Answer != "one two three" {
				t.Errorf("the history has %+v", r)
			}
		})
	}
}

func TestWhatWasStreamedIsNotSaidAgainAsARefusal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.claude.Queue(providertest.Reply{Text: "I was about to", Chunks: []string{"I was about to"}, Stop: "refusal"}, providertest.Reply{Text: "I was about to", Stop: "refusal"})
	text, _, err := w.ask(t, `{"model":"claude-model","stream":true,`+hello+`}`)
	if err != nil || strings.Count(text, "about") != 1 || !strings.Contains(text, `"refusal":"The model declined to answer."`) {
		t.Errorf("got %q, %v, want the text once, and that the model declined", text, err)
	}
	text, _, err = w.ask(t, `{"model":"claude-model",`+hello+`}`)
	if err != nil || !strings.Contains(text, `"content":null,"refusal":"I was about to"`) {
		t.Errorf("got %q, %v, want the refusal in the model's own words", text, err)
	}
}

// unmeasured is a meter that measures nothing.
type unmeasured struct{ pipeline.Meter }

// Request begins nothing.
func (unmeasured) Request(ctx context.Context, _ string) (context.Context, pipeline.Span) {
	return ctx, unspanned{}
}

// Call begins nothing.
func (unmeasured) Call(ctx context.Context, _, _ string) (context.Context, pipeline.CallSpan) {
	return ctx, uncalled{}
}

type unspanned struct{}

// End ends nothing.
func (unspanned) End(error) {}

type uncalled struct{}

// End ends nothing.
func (uncalled) End(*provider.Attempt, error) {}
