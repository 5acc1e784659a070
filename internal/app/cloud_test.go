package app

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/promptd/promptd/internal/config"
	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/provider/googletoken"
	"github.com/promptd/promptd/internal/schema/lowering"
)

// cloud is a token server and a model service in one, without a network. It takes the tokens from valid on.
type cloud struct {
	mu            sync.Mutex
	made, valid   int
	asked, denied int
	addresses     []string
	header        http.Header
}

func (c *cloud) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body) //nolint:errcheck // A test's request.
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	answer := httptest.NewRecorder()
	answer.Header().Set("Content-Type", "application/json")
	if r.URL.Host == "tokens.example" {
		c.made++
		fmt.Fprintf(answer, `{"access_token": "token-%d", "expires_in": 3600}`, c.made)
		return answer.Result(), nil
	}
	c.asked++
	c.addresses, c.header = append(c.addresses, r.URL.String()), r.Header
	var n int
	if _, err := fmt.Sscanf(r.Header.Get("Authorization"), "Bearer token-%d", &n); c.valid > 0 && (err != nil || n < c.valid) {
		c.denied++
		answer.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(answer, `{"error": {"code": 401, "status": "UNAUTHENTICATED", "message": "x"}}`) //nolint:errcheck // A recorder.
		return answer.Result(), nil
	}
	_, _ = io.WriteString(answer, //nolint:errcheck // A recorder.
		`{"candidates": [{"content": {"parts": [{"text": "yes"}]}, "finishReason": "STOP"}], "choices": [{"message": {"content": "yes"}, "finish_reason": "stop"}]}`)
	return answer.Result(), nil
}

func robotFile(t *testing.T) string {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	file, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "p-1", "client_email": "robot@p.example", "token_uri": "https://tokens.example/token",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})),
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(file)
}

// accounts makes the providers of a configuration over a transport.
func accounts(t *testing.T, yaml, robot string, over http.RoundTripper) []*provider.Provider {
	t.Helper()
	loaded, err := config.Load(config.Options{
		File: "promptd.yaml", Adapters: Adapters(), Environ: []string{"ROBOT=" + robot},
		ReadFile: func(string) ([]byte, error) { return []byte(yaml), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range loaded.Warnings {
		t.Errorf("warned: %v", w)
	}
	list, err := providersOf(&loaded.Config, over, googletoken.New(googletoken.Config{Transport: over}))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func ask(t *testing.T, p *provider.Provider) *dialect.Error {
	t.Helper()
	_, _, err := p.Call(t.Context(), &p.Models()[0], dialect.Call{
		Messages: []dialect.Message{{Role: dialect.User, Parts: []dialect.Part{{Text: "?"}}}}, Output: dialect.Output{Mode: lowering.Prompt},
	}, nil)
	if err == nil {
		return nil
	}
	failed := &dialect.Error{Cause: err}
	if e, ok := err.(*dialect.Error); ok { //nolint:errorlint // Call's own promise.
		failed = e
	}
	return failed
}

// Vertex from a configuration to a reply: the address is made of its parts, one token serves until it is refused, and then one more is made.
func TestVertexFromTheConfiguration(t *testing.T) {
	t.Parallel()
	robot := robotFile(t)
	synctest.Test(t, func(t *testing.T) {
		service := &cloud{}
		p := accounts(t, "providers: [{name: vertex-ai, api_key: \"env:ROBOT\", auth: {location: europe-west4}}]", robot, service)[0]
		for range 3 {
			if err := ask(t, p); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
		}
		const want = "https://europe-west4-aiplatform.googleapis.com/v1/projects/p-1/locations/europe-west4/publishers/google/models/gemini-2.5-flash:generateContent"
		if service.addresses[0] != want {
			t.Errorf("asked %s, want %s", service.addresses[0], want)
		}
		if service.made != 1 || service.asked != 3 {
			t.Errorf("%d tokens for %d calls", service.made, service.asked)
		}
		service.valid = 2 // The service takes the first token no more.
		if err := ask(t, p); err != nil || service.made != 2 || service.denied != 1 || service.asked != 5 {
			t.Errorf("after a refusal: %v, %d tokens, %d calls", err, service.made, service.asked)
		}
		service.valid = 99 // It takes none: one call is made, and told apart from other failures.
		if err := ask(t, p); err == nil || err.Outcome != dialect.Auth || service.made != 2 || service.asked != 6 {
			t.Errorf("all tokens are refused: %v, %d tokens, %d calls", err, service.made, service.asked)
		}
	})
}

func TestAzureFromTheConfiguration(t *testing.T) {
	t.Parallel()
	service := &cloud{}
	list := accounts(t, `
providers:
  - name: first
    base_url: https://r.openai.azure.com/openai/v1
    api_key: KEY
    models: [{name: d}]
  - name: second
    dialect: openai
    base_url: https://r.openai.azure.com/openai/deployments/d
    api_key: KEY
    auth: {type: azure, api_version: 2024-10-21}
    models: [{name: d}]
`, "", service)
	for i, want := range []string{
		"https://r.openai.azure.com/openai/v1/chat/completions", "https://r.openai.azure.com/openai/deployments/d/chat/completions?api-version=2024-10-21",
	} {
		if err := ask(t, list[i]); err != nil {
			t.Fatal(err)
		}
		if got := service.addresses[i]; got != want || service.header.Get("Api-Key") != "KEY" || service.header.Get("Authorization") != "" {
			t.Errorf("asked %s with %v, want %s", got, service.header, want)
		}
	}
}

// A probe carries what a call would, and never a key that only signs or fetches.
func TestAProbeCarriesWhatACallWould(t *testing.T) {
	t.Parallel()
	const yaml = `
providers:
  - {name: vertex-ai, api_key: "env:ROBOT", auth: {location: global}}
  - {name: bedrock, auth: {region: eu-west-1, access_key: AKID, secret_key: PRIVATE}}
  - {name: azure, dialect: openai, base_url: "https://r.openai.azure.com/x", api_key: KEY, auth: {type: azure}, models: [{name: d}]}
  - {name: anthropic, api_key: KEY, headers: {x-team: blue}}
  - {name: groq, api_keys: [KEY, KEY2]}
`
	robot := robotFile(t)
	loaded, err := config.Load(config.Options{
		File: "promptd.yaml", Adapters: Adapters(), Environ: []string{"ROBOT=" + robot}, ReadFile: func(string) ([]byte, error) { return []byte(yaml), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct{ header, prefix string }{
		{"Authorization", "Bearer token-1"}, {"Authorization", "AWS4-HMAC-SHA256 Credential=AKID/"}, {"Api-Key", "KEY"}, {"X-Api-Key", "KEY"}, {"Authorization", "Bearer KEY"},
	} {
		p := &loaded.Config.Providers[i]
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.BaseURL+"/models", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if err := Authorise(r, p, &cloud{}); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
		if got := r.Header.Get(want.header); !strings.HasPrefix(got, want.prefix) || strings.Contains(fmt.Sprint(r.Header), "PRIVATE") || strings.Contains(fmt.Sprint(r.Header), "KEY2") {
			t.Errorf("%s: headers %v, want %s: %s", p.Name, r.Header, want.header, want.prefix)
		}
	}
}
