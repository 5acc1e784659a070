package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const answerText = `{"request_id":"r1","data":{"b":1.10,"a":"<x>"},"output_format":"json","validation_status":"passed",
"validation":{"errors":[],"repairs":[{"kind":"fence","offset":0}],"coercions":[],"reasks":1,"schema":"inline","dialect_mode":"json"},
"original_language":null,"language_confidence":null,"confidence":0.5,"confidence_source":"logprobs","provider_used":"p","model_used":"m",
"attempts":[{"n":1,"provider":"p","model":"m","mode":"json","outcome":"ok","status":200,"started_at":"2026-11-25T10:00:00.000Z","queue_ms":0,"first_token_ms":null,
"total_ms":12.5,"input_tokens":3,"output_tokens":4,"cost_usd":0.000000001}],"usage":{"input_tokens":3,"output_tokens":4,"cached_input_tokens":0},"cost_usd":null,
"cached":false,"coalesced":false,"cache_key":"k","processing_time_ms":13,"overhead_ms":0.5}`

// serve gives a client of a server that answers by a function, and the waits between its tries.
func serve(t *testing.T, handle http.HandlerFunc, options ...Option) (*Client, *[]time.Duration) {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	c, err := New(server.URL+"/", "pd_live_x", options...)
	if err != nil {
		t.Fatal(err)
	}
	waits := &[]time.Duration{}
	c.pause = func(_ context.Context, d time.Duration) error { *waits = append(*waits, d); return nil }
	return c, waits
}

func problemBody(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"type":"/docs#x","title":"T","status":%d,"detail":"why","code":%q,"request_id":"r","errors":[],"remediation":"do this"}`, status, code)
}

func TestAnalyzeSendsTheRequestAndReadsTheAnswer(t *testing.T) {
	t.Parallel()
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		want := `{"prompt":"a <b> & c","schema":{"type":"object"},"format":"yaml","options":{"temperature":0,"max_tokens":9,"timeout_ms":1500}}` + "\n"
		if diff := cmp.Diff(want, string(body)); diff != "" {
			t.Errorf("body (-want +got):\n%s", diff)
		}
		for name, want := range map[string]string{
			"Authorization": "Bearer pd_live_x", "Content-Type": "application/json", "X-Request-Id": "mine", "User-Agent": "promptd-go",
		} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("header %s: got %q, want %q", name, got, want)
			}
		}
		if r.Method != http.MethodPost || r.URL.Path != "/v1/analyze" {
			t.Errorf("got %s %s", r.Method, r.URL.Path)
		}
		if r.Header.Get("Idempotency-Key") == "" {
			t.Error("no Idempotency-Key, although the client may try again")
		}
		_, _ = io.WriteString(w, answerText)
	})
	a, err := c.Analyze(t.Context(), Request{
		Prompt: "a <b> & c", Schema: json.RawMessage(`{"type":"object"}`), Format: "yaml", ClientRequestID: "mine",
		Options: &Options{Temperature: new(0.0), MaxTokens: 9, Timeout: 1500 * time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(a.Data); got != `{"b":1.10,"a":"<x>"}` {
		t.Errorf("data changed on the way: %s", got)
	}
	var data struct{ A string }
	if err := a.Decode(&data); err != nil || data.A != "<x>" {
		t.Errorf("Decode gave %+v, %v", data, err)
	}
	if a.CostUSD != nil || *a.Confidence != 0.5 || a.Attempts[0].CostUSD.String() != "0.000000001" || a.Validation.Reasks != 1 || a.OriginalLanguage != "" {
		t.Errorf("fields were read wrongly: %+v", a)
	}
}

func TestProblemDocumentBecomesATypedError(t *testing.T) {
	t.Parallel()
	c, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(422)
		_, _ = io.WriteString(w, `{"type":"/docs#validation_failed","title":"Validation failed","status":422,"detail":"two fields","code":"VALIDATION_FAILED","request_id":"r9",
"errors":[{"keyword":"minimum","pointer":"/a","schema_pointer":"/properties/a/minimum","expected":"1","actual":"0","message":"too small","hint":"h"}],"remediation":"stronger model",
"validation_status":"failed","validation":{"errors":[],"repairs":[],"coercions":[],"reasks":3,"schema":"inline","dialect_mode":"json"},"attempts":[],
"usage":{"input_tokens":1,"output_tokens":2,"cached_input_tokens":0},"cost_usd":0.5}`)
	})
	_, err := c.Analyze(t.Context(), Request{Prompt: "x"})
	var got *Error
	if !errors.As(err, &got) {
		t.Fatalf("got %T %v, want *Error", err, err)
	}
	if !IsCode(err, CodeValidationFailed) || got.Status != 422 || got.RetryAfter != time.Hour || got.RequestID != "r9" || got.Remediation != "stronger model" ||
		got.Validation.Reasks != 3 || got.CostUSD.String() != "0.5" || got.Error() != "VALIDATION_FAILED: two fields" || got.Raw == nil {
		t.Errorf("the error lost something: %+v", got)
	}
	want := []Defect{{Pointer: "/a", Message: "too small", Hint: "h", Keyword: "minimum", SchemaPointer: "/properties/a/minimum", Expected: "1", Actual: "0"}}
	if diff := cmp.Diff(want, got.Errors); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}

func TestOnlyHarmlessCallsAreTriedAgain(t *testing.T) {
	t.Parallel()
	analyze := func(c *Client) error { _, err := c.Analyze(t.Context(), Request{Prompt: "x"}); return err }
	create := func(c *Client) error { _, err := c.CreateKey(t.Context(), KeyRequest{Name: "n"}); return err }
	me := func(c *Client) error { _, err := c.Me(t.Context()); return err }
	cut := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	status := func(code int, name string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { problemBody(w, code, name) }
	}
	gateway := func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "bad gateway", http.StatusBadGateway) }
	for _, test := range []struct {
		name   string
		call   func(*Client) error
		answer http.HandlerFunc
		tries  int64
	}{
		{"a read is repeated after a cut connection", me, cut, 3},
		{"an analysis is repeated under its idempotency key", analyze, cut, 3},
		{"a key is not made twice after a cut connection", create, cut, 1},
		{"a key is made later where the server was too busy to begin", create, status(503, CodeOverloaded), 3},
		{"a rate limit is waited for", analyze, status(429, CodeRateLimitExceeded), 3},
		{"the server's own provider error is final", analyze, status(502, CodeProviderError), 1},
		{"a gateway's error is not", analyze, gateway, 3},
		{"a gateway's error may hide a key that was made", create, gateway, 1},
		{"an invalid request is final", analyze, status(400, CodeInvalidRequest), 1},
		{"an internal error is final", analyze, status(500, CodeInternalError), 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var tries atomic.Int64
			keys := make(chan string, 3)
			c, waits := serve(t, func(w http.ResponseWriter, r *http.Request) {
				tries.Add(1)
				keys <- r.Header.Get("Idempotency-Key")
				test.answer(w, r)
			})
			if err := test.call(c); err == nil {
				t.Fatal("no error")
			}
			if got := tries.Load(); got != test.tries {
				t.Errorf("%d tries, want %d", got, test.tries)
			}
			if len(*waits) != int(test.tries)-1 {
				t.Errorf("waits %v", *waits)
			}
			for first := <-keys; len(keys) > 0; {
				if next := <-keys; next != first {
					t.Errorf("the Idempotency-Key changed between tries: %q, then %q", first, next)
				}
			}
		})
	}
}

func TestASecondTrySucceeds(t *testing.T) {
	t.Parallel()
	var tries atomic.Int64
	c, waits := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if body, _ := io.ReadAll(r.Body); !strings.Contains(string(body), `"prompt":"x"`) {
			t.Errorf("try %d came without its body", tries.Load())
		}
		if tries.Add(1) == 1 {
			w.Header().Set("Retry-After", "7")
			problemBody(w, 503, CodeOverloaded)
			return
		}
		_, _ = io.WriteString(w, answerText)
	})
	if _, err := c.Analyze(t.Context(), Request{Prompt: "x"}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]time.Duration{7 * time.Second}, *waits); diff != "" {
		t.Errorf("Retry-After was not kept (-want +got):\n%s", diff)
	}
}

func TestNoTryOutlastsTheDeadlineOrALongWait(t *testing.T) {
	t.Parallel()
	var tries atomic.Int64
	var wait atomic.Value
	wait.Store("20")
	handle := func(w http.ResponseWriter, _ *http.Request) {
		tries.Add(1)
		w.Header().Set("Retry-After", wait.Load().(string))
		problemBody(w, 429, CodeRateLimitExceeded)
	}
	c, _ := serve(t, handle)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := c.Me(ctx); !IsCode(err, CodeRateLimitExceeded) {
		t.Errorf("got %v, want the server's word and not the deadline", err)
	}
	wait.Store("1800")
	if _, err := c.Me(t.Context()); !IsCode(err, CodeRateLimitExceeded) {
		t.Errorf("got %v", err)
	}
	if tries.Load() != 2 {
		t.Errorf("%d tries, want one each", tries.Load())
	}
}

func TestNoRetriesMeansNoKeyOfItsOwn(t *testing.T) {
	t.Parallel()
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if k := r.Header.Get("Idempotency-Key"); k != "" && k != "given" {
			t.Errorf("Idempotency-Key %q", k)
		}
		_, _ = io.WriteString(w, answerText)
	}, WithRetries(0), WithUserAgent("me"))
	for _, given := range []string{"", "given"} {
		if _, err := c.Analyze(t.Context(), Request{Prompt: "x", IdempotencyKey: given}); err != nil {
			t.Error(err)
		}
	}
}

func TestUnreachableServerIsSaidAndAContextStaysItself(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	c, err := New(server.URL, "", WithRetries(0))
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Health(t.Context())
	var lost *UnreachableError
	if !errors.As(err, &lost) || lost.Server != server.URL || !neverSent(err) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = c.Health(ctx); !errors.Is(err, context.Canceled) || errors.As(err, &lost) {
		t.Errorf("got %v, want the context's error", err)
	}
}

func TestAnswersOfSomethingElseAreNotTaken(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"a page": "<html>", "another JSON": `{"ok":true}`, "an array": `[]`} {
		c, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
		if _, err := c.Analyze(t.Context(), Request{Prompt: "x"}); err == nil {
			t.Errorf("%s was taken for an answer", name)
		}
	}
	c, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(404)
		_, _ = io.WriteString(w, "<html>")
	})
	_, err := c.Me(t.Context())
	var fault *Error
	if !errors.As(err, &fault) || fault.Code != "" || fault.Status != 404 || !strings.Contains(err.Error(), "address") {
		t.Errorf("got %v", err)
	}
}

func TestNewRefusesWhatIsNoAddressOrKey(t *testing.T) {
	t.Parallel()
	for _, test := range [][2]string{
		{"127.0.0.1:8420", ""}, {"ftp://x", ""}, {"http://", ""}, {"http://x?y=1", ""}, {"http://u:secretword@x", ""}, {"http://x", "pd_live_a b"}, {"http://x", "pd\n"},
	} {
		_, err := New(test[0], test[1])
		if err == nil {
			t.Errorf("New(%q, %q) gave no error", test[0], test[1])
		} else if strings.Contains(err.Error(), "secretword") || strings.Contains(err.Error(), "pd_live_a") {
			t.Errorf("the error shows a secret: %v", err)
		}
	}
}
