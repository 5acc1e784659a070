package app

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/config"
	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/dialecttest"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/provider/catalogue"
	"github.com/promptd/promptd/internal/provider/googletoken"
	"github.com/promptd/promptd/internal/schema/lowering"
)

// Bedrock from a configuration to a reply, whole and streamed, signed and with a bearer key.
func TestBedrockFromTheConfiguration(t *testing.T) {
	t.Parallel()
	const path = "/model/us.anthropic.claude-x-v1%3A0/converse"
	signed := regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=AKID/\d{8}/eu-central-1/bedrock/aws4_request, ` +
		`SignedHeaders=accept;content-length;content-type;host;x-amz-date;x-amz-security-token, Signature=[0-9a-f]{64}$`)
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		credential := r.Header.Get("Authorization")
		switch {
		case credential == "Bearer ABSK":
		case !signed.MatchString(credential), r.Header.Get("X-Amz-Security-Token") != "token":
			t.Errorf("the credential is %q", credential)
		}
		switch r.URL.EscapedPath() {
		case path:
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("X-Amzn-Requestid", "r-1")
			_, _ = w.Write([]byte( //nolint:errcheck // A test's server.
				`{"output":{"message":{"role":"assistant","content":[{"text":"yes"}]}},"stopReason":"end_turn"}`))
		case path + "-stream":
			w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
			_, _ = w.Write(dialecttest.ConverseText([]byte( //nolint:errcheck // A test's server.
				"event contentBlockDelta {\"contentBlockIndex\":0,\"delta\":{\"text\":\"yes\"}}\nevent messageStop {\"stopReason\":\"end_turn\"}\nevent metadata {}\n")))
		default:
			t.Errorf("asked was %s", r.URL.EscapedPath())
		}
	}))
	t.Cleanup(service.Close)
	yaml := `
providers:
  - name: signed
    dialect: bedrock
    base_url: ` + service.URL + `
    auth: {type: sigv4, region: eu-central-1, access_key: AKID, secret_key: SECRET, session_token: token}
    models: [{name: "us.anthropic.claude-x-v1:0"}]
  - name: bearer
    dialect: bedrock
    base_url: ` + service.URL + `
    api_key: ABSK
    models: [{name: "us.anthropic.claude-x-v1:0"}, {name: "amazon.nova-micro-v1:0"}]
`
	cat, err := catalogue.Load()
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := config.Load(config.Options{
		File: "promptd.yaml", Adapters: Adapters(), Catalogue: cat, ReadFile: func(string) ([]byte, error) { return []byte(yaml), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range loaded.Warnings {
		if strings.Contains(w.Message, "no effect") {
			t.Errorf("warned: %v", w)
		}
	}
	transport := provider.Transport()
	t.Cleanup(transport.CloseIdleConnections)
	providers, err := providersOf(&loaded.Config, transport, googletoken.New(googletoken.Config{}))
	if err != nil {
		t.Fatal(err)
	}
	call := dialect.Call{
		Messages: []dialect.Message{{Role: dialect.User, Parts: []dialect.Part{{Text: "?"}}}}, Output: dialect.Output{Mode: lowering.Prompt},
	}
	for _, p := range providers {
		m := &p.Models()[0]
		if got := m.Capability.Profile; got != "bedrock:claude" {
			t.Errorf("%s: the profile is %q", p.Name(), got)
		}
		for _, sink := range []func(string) error{nil, func(string) error { return nil }} {
			reply, _, err := p.Call(t.Context(), m, call, sink)
			if err != nil || reply.Text != "yes" || reply.Stop != dialect.StopComplete {
				t.Errorf("%s: got %+v, %v", p.Name(), reply, err)
			}
		}
	}
	if got := providers[1].Models()[1].Capability.Profile; got != "" {
		t.Errorf("Nova's profile is %q", got)
	}
}
