package local

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// real installs the real parts into the default directory, which all tests of this machine share, and runs the real engine.
func real(t *testing.T, c func(*Settings)) (*Supervisor, Endpoint) {
	t.Helper()
	got := realParts(t)
	look := Look{Dir: got.Dir, listeners: []listener{}, lookPath: func(string) (string, error) { return "", exec.ErrNotFound }}
	choice, err := Find(t.Context(), look)
	if err != nil {
		t.Fatalf("Find after Install: %v", err)
	}
	s := Settings{Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))}
	if c != nil {
		c(&s)
	}
	sup := New(choice, s)
	run(t, sup)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	e, err := sup.Wait(ctx)
	if err != nil {
		t.Fatalf("the real engine does not come up: %v", err)
	}
	return sup, e
}

func realParts(t *testing.T) Installed {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED: -short leaves out the real local model (127 MB download, 10 s)")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	got, err := Install(ctx, Options{})
	if err != nil {
		t.Skipf("SKIPPED: the parts of the real local model cannot be had here: %v", err)
	}
	return got
}

// post sends a chat completion and gives status and body.
func post(ctx context.Context, t *testing.T, e Endpoint, body map[string]any) (*http.Response, error) {
	t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.BaseURL+"/v1/chat/completions", bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+e.APIKey)
	req.Header.Set("Content-Type", "application/json")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return client.Do(req)
}

// completion is what is read of a real answer.
type completion struct {
	Choices []struct {
		FinishReason string                   `json:"finish_reason"`
		Message      struct{ Content string } `json:"message"`
		Logprobs     struct {
			Content []struct {
				Token   string
				Logprob float64
			}
		} `json:"logprobs"`
	} `json:"choices"`
	Usage struct {
		CompletionTokens int `json:"completion_tokens"`
		PromptTokens     int `json:"prompt_tokens"`
	} `json:"usage"`
	Timings struct {
		PromptMS    float64 `json:"prompt_ms"`
		PredictedMS float64 `json:"predicted_ms"`
	} `json:"timings"`
}

func complete(t *testing.T, e Endpoint, body map[string]any) completion {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	resp, err := post(ctx, t, e, body)
	if err != nil {
		t.Fatalf("completion: %v", err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var c completion
	if err := json.Unmarshal(raw, &c); err != nil || resp.StatusCode != http.StatusOK || len(c.Choices) != 1 {
		t.Fatalf("completion: status %d, body %s", resp.StatusCode, raw)
	}
	return c
}

const orderSchema = `{"type":"object","properties":{"name":{"type":"string","maxLength":30},"quantity":{"type":"integer","minimum":1,"maximum":99}},` +
	`"required":["name","quantity"],"additionalProperties":false}`

func orderMessages() []map[string]string {
	return []map[string]string{
		{"role": "system", "content": "Answer with JSON that has name and quantity."},
		{"role": "user", "content": "Please send 5 blue chairs to Anna."},
	}
}

func checkOrder(t *testing.T, text string) {
	t.Helper()
	var order struct {
		Name     *string `json:"name"`
		Quantity *int    `json:"quantity"`
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&order); err != nil || order.Name == nil || order.Quantity == nil {
		t.Fatalf("the answer %q does not fit the schema: %v", text, err)
	}
	if len([]rune(*order.Name)) > 30 || *order.Quantity < 1 || *order.Quantity > 99 {
		t.Errorf("the answer %q breaks a bound of the schema", text)
	}
}

func TestRealModelHoldsGrammars(t *testing.T) {
	t.Parallel()
	_, e := real(t, nil)
	if e.Dialect != "llamacpp" || !e.LLGuidance || e.APIKey == "" {
		t.Fatalf("endpoint is %+v, want the installed engine with a key", e)
	}
	var schema map[string]any
	if err := json.Unmarshal([]byte(orderSchema), &schema); err != nil {
		t.Fatal(err)
	}
	forms := map[string]map[string]any{
		"response_format": {"response_format": map[string]any{"type": "json_schema", "json_schema": map[string]any{"name": "order", "schema": schema}}},
		"llguidance":      {"grammar": "%llguidance {}\nstart: %json " + orderSchema},
	}
	for name, body := range forms {
		body["messages"], body["max_tokens"], body["temperature"], body["logprobs"] = orderMessages(), 80, 0, true
		c := complete(t, e, body)
		if got := c.Choices[0].FinishReason; got != "stop" {
			t.Errorf("%s: finish_reason is %q, want stop", name, got)
		}
		checkOrder(t, c.Choices[0].Message.Content)
		if c.Usage.PromptTokens == 0 || c.Usage.CompletionTokens == 0 {
			t.Errorf("%s: usage is not told: %+v", name, c.Usage)
		}
		if len(c.Choices[0].Logprobs.Content) == 0 {
			t.Errorf("%s: no log-probabilities", name)
		}
		t.Logf("%s: %d + %d tokens, prompt %.0f ms, answer %.0f ms", name, c.Usage.PromptTokens, c.Usage.CompletionTokens, c.Timings.PromptMS, c.Timings.PredictedMS)
	}
	short := complete(t, e, map[string]any{"messages": orderMessages(), "max_tokens": 3, "temperature": 0, "grammar": forms["llguidance"]["grammar"]})
	if got := short.Choices[0].FinishReason; got != "length" {
		t.Errorf("cut after 3 tokens, finish_reason is %q, want length", got)
	}
}

func TestRealModelStopsWhenAStreamIsLeft(t *testing.T) {
	t.Parallel()
	_, e := real(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	resp, err := post(ctx, t, e, map[string]any{"messages": orderMessages(), "max_tokens": 2000, "stream": true, "ignore_eos": true})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	first, err := bufio.NewReader(resp.Body).ReadString('\n')
	cancel()
	resp.Body.Close()
	if err != nil || !strings.HasPrefix(first, "data: {") {
		t.Fatalf("first line of the stream is %q (%v)", first, err)
	}
	// 2,000 tokens take about 25 s. The next call has the one slot only once the left one is free.
	began := time.Now()
	complete(t, e, map[string]any{"messages": orderMessages(), "max_tokens": 2})
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("the call after a left stream took %s, so the left one went on", took)
	}
}

func TestRealModelIsRestartedOnItsPort(t *testing.T) {
	t.Parallel()
	sup, e := real(t, nil)
	complete(t, e, map[string]any{"messages": orderMessages(), "max_tokens": 1})
	crash(t, sup)
	again := waitFor(t, sup)
	if again != e {
		t.Errorf("after a crash the endpoint is %v, before it was %v: callers hold the old address", again, e)
	}
	complete(t, again, map[string]any{"messages": orderMessages(), "max_tokens": 1})
}
