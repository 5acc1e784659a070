// Package calltest holds every dialect to one suite over real HTTP: what package provider calls, and the scripted provider answers in that dialect's wire form.
// It is for tests alone, and the counterpart of dialecttest, which holds the codecs to bytes without a network.
//
// [Forms] has a row for each form that is spoken: the eight wire forms, of which vLLM's is dialect openai with a profile of its own. [Run] runs the suite over one:
// requests of every mode that a strict service takes, answers of every kind, every fault with its outcome, streams cut and dripped, oversize answers,
// timeouts, and cancellation that reaches the service. A dialect that package app lists and that has no row fails app's test.
package calltest

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/anthropic"
	"github.com/promptd/promptd/internal/dialect/bedrock"
	"github.com/promptd/promptd/internal/dialect/gemini"
	"github.com/promptd/promptd/internal/dialect/llamacpp"
	"github.com/promptd/promptd/internal/dialect/ollama"
	"github.com/promptd/promptd/internal/dialect/openai"
	"github.com/promptd/promptd/internal/dialect/responses"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/provider/providertest"
	"github.com/promptd/promptd/internal/provider/sigv4"
)

// Form is a form in which services are asked.
type Form struct {
	Wire    providertest.Wire
	Dialect dialect.Dialect
	// Base is what the base URL has behind the service's address.
	Base string
	// Capability is the model's; the suite adds what it asks for.
	Capability dialect.Capability
	// Model is a model's name as the service has them.
	Model string
	// KeyHeader is the header with the key; empty is a bearer token.
	KeyHeader string
	// Signed requests are signed, with the key as the access key.
	Signed bool
	// YAML is what the configuration says besides the name, the address, the key and the model.
	YAML string
	// ID is how the ids begin that the service gives requests: in a header, or else in the body.
	ID string
	// Paused is the service's word for an answer that is to be gone on with; empty where there is none.
	Paused string
	// Lacks says what the form has no word for.
	Lacks Lacks
	// Outcomes are of faults that the service words differently from most.
	Outcomes map[providertest.Fault]dialect.Outcome
}

// Lacks says what a form has no word for.
type Lacks struct {
	// Refusals: a refusal is text like any other.
	Refusals bool
	// Filters: an answer cannot end for a content filter; a filter is an error, or not there.
	Filters bool
	// Logprobs, RequestID, Waits, Caching and Counting of reasoning.
	Logprobs, RequestID, Waits, Caching, Reasoning bool
}

// Key is the key, and the access key, of every account of the suite.
const Key = "scriptedkey0123456789"

// Forms has a row for each form.
func Forms() []Form {
	const claude = "us.anthropic.claude-x-v1:0"
	// Engines have no limits and no filters of their own: what is too much is an overload, what is not let through a bad request.
	engine := map[providertest.Fault]dialect.Outcome{
		providertest.RateLimited: dialect.OverloadedProvider, providertest.QuotaExceeded: dialect.OverloadedProvider, providertest.ContentBlocked: dialect.BadRequest,
	}
	return []Form{
		{Wire: providertest.OpenAI, Dialect: openai.New(), Base: "/v1", Model: "gpt-x", ID: "req_"},
		{Wire: providertest.Responses, Dialect: responses.New(), Base: "/v1", Model: "gpt-x", ID: "req_", Paused: "queued"},
		{
			Wire: providertest.Anthropic, Dialect: anthropic.New(), Model: "claude-x", KeyHeader: "X-Api-Key", YAML: "auth: {type: header, header: x-api-key}", ID: "req_", Paused: "pause_turn",
			Lacks: Lacks{Filters: true, Logprobs: true},
		},
		{
			Wire: providertest.Gemini, Dialect: gemini.New(), Base: "/v1beta", Model: "gemini-x", KeyHeader: "X-Goog-Api-Key",
			YAML: "auth: {type: header, header: x-goog-api-key}", Lacks: Lacks{Refusals: true},
		},
		{
			Wire: providertest.Bedrock, Dialect: bedrock.New(), Model: claude, Signed: true, ID: "req_", Capability: dialect.Capability{Profile: "bedrock:claude"},
			YAML: "auth: {type: sigv4, region: eu-central-1, access_key: " + Key + ", secret_key: secret}", Lacks: Lacks{Refusals: true, Logprobs: true, Waits: true, Reasoning: true},
		},
		{
			Wire: providertest.LlamaCpp, Dialect: llamacpp.New(), Model: "llama-x", Outcomes: engine, ID: "chatcmpl-",
			Lacks: Lacks{Refusals: true, Filters: true, Waits: true},
		},
		{
			Wire: providertest.Ollama, Dialect: ollama.New(), Model: "llama-x", Lacks: Lacks{Refusals: true, Filters: true, RequestID: true, Caching: true, Reasoning: true},
			Outcomes: map[providertest.Fault]dialect.Outcome{providertest.QuotaExceeded: dialect.OverloadedProvider, providertest.ContentBlocked: dialect.BadRequest},
		},
		{
			Wire: providertest.VLLM, Dialect: openai.New(), Base: "/v1", Model: "org/llama-x", Outcomes: engine, ID: "chatcmpl-", Capability: dialect.Capability{Profile: "openai:vllm"},
			YAML: "profile: openai:vllm", Lacks: Lacks{Refusals: true, Filters: true, Waits: true},
		},
	}
}

// Run runs the suite over a form.
func Run(t *testing.T, f Form) {
	t.Helper()
	for name, part := range map[string]func(*testing.T, Form){
		"Modes": modes, "Images": images, "Answers": answers, "Filters": filters, "Logprobs": logprobs, "Faults": faults, "Wrong keys": wrongKeys, "Cut anywhere": cutAnywhere,
		"Oversize": oversize, "Timeouts": timeouts, "Cancellation": cancellation, "A sink that fails": leaves,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			part(t, f)
		})
	}
}

// account makes an account at the service. Each has its own connections and its own health: a case knows nothing of the one before.
func (f Form) account(tb testing.TB, service *providertest.Server, key string, change func(*provider.Account)) *provider.Provider {
	tb.Helper()
	const patience = 30 * time.Second
	capability := f.Capability
	capability.Vision, capability.Logprobs = true, true
	a := provider.Account{
		Name: "svc", Dialect: f.Dialect, BaseURL: service.URL() + f.Base, Timeout: patience, FirstByteTimeout: patience, Header: http.Header{},
		Models: []provider.Model{{Name: f.Model, Capability: capability}},
	}
	switch {
	case f.Signed:
		signer, err := sigv4.New(sigv4.Keys{AccessKey: key, SecretKey: "secret", Region: "eu-central-1", Service: "bedrock"})
		if err != nil {
			tb.Fatal(err)
		}
		a.Signer = signer
	case f.KeyHeader != "":
		a.Header.Set(f.KeyHeader, key)
	default:
		a.Header.Set("Authorization", "Bearer "+key)
	}
	if change != nil {
		change(&a)
	}
	transport := provider.Transport()
	tb.Cleanup(transport.CloseIdleConnections)
	p, err := provider.New(a, transport)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// service starts a scripted provider that speaks the form alone and lets in whoever has the key.
func (f Form) service(tb testing.TB, s providertest.Settings) *providertest.Server {
	tb.Helper()
	s.Wire, s.Key = f.Wire, Key
	return providertest.New(tb, s)
}

// result is what became of a call.
type result struct {
	reply   dialect.Reply
	attempt provider.Attempt
	err     *dialect.Error
	pieces  []string // of a stream
}

// ask makes a call, streamed or not, and holds the result to what every call has to give.
func ask(tb testing.TB, p *provider.Provider, c dialect.Call, streamed bool) result {
	tb.Helper()
	var r result
	var sink func(string) error
	if streamed {
		sink = func(text string) error {
			r.pieces = append(r.pieces, text)
			return nil
		}
	}
	reply, attempt, err := p.Call(tb.Context(), &p.Models()[0], c, sink)
	r.reply, r.attempt = reply, attempt
	switch {
	case err != nil && !errors.As(err, &r.err):
		tb.Fatalf("the error is %T: %v, want a *dialect.Error", err, err)
	case err != nil:
		if attempt.Outcome != r.err.Outcome || attempt.Outcome == dialect.OK {
			tb.Errorf("recorded is %s, the error is %s", attempt.Outcome, r.err.Outcome)
		}
		if strings.Contains(err.Error(), Key) || strings.Contains(err.Error(), question) {
			tb.Errorf("the error repeats the credential or the prompt: %v", err)
		}
	case streamed && strings.Join(r.pieces, "") != reply.Text:
		tb.Errorf("the stream's pieces make %q, its reply has %q", strings.Join(r.pieces, ""), reply.Text)
	}
	return r
}

// question is what the user says.
const question = "Who came at nine, please?"

// room is how many tokens an answer may have.
const room = 1000

// plain is a call without a schema.
func plain() dialect.Call {
	return dialect.Call{
		Messages: []dialect.Message{
			{Role: dialect.System, Parts: []dialect.Part{{Text: "Be brief."}}}, {Role: dialect.User, Parts: []dialect.Part{{Text: question}}},
		},
		MaxTokens: room,
	}
}

// both runs a test for a call in one piece and for a streamed one.
func both(t *testing.T, test func(t *testing.T, streamed bool)) {
	t.Helper()
	for name, streamed := range map[string]bool{"whole": false, "streamed": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, streamed)
		})
	}
}

// await waits for what another goroutine brings about.
func await(tb testing.TB, what string, done func() bool) {
	tb.Helper()
	const patience = 20 * time.Second
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	limit := time.After(patience)
	for !done() {
		select {
		case <-tick.C:
		case <-limit:
			tb.Fatalf("waited %s in vain: %s", patience, what)
		}
	}
}
