package relay_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/openai"
	"github.com/promptd/promptd/internal/dropin"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/pipeline"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/relay"
	"github.com/promptd/promptd/internal/router"
	"github.com/promptd/promptd/internal/usage"
)

// services answers by host, from a script of each, the last line of which goes on for ever. It runs in virtual time.
type services struct {
	mu sync.Mutex

	scripts map[string][]string
	asked   []string
}

const whole = `{"id":"1","object":"chat.completion","model":"m","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"Hello."}}],` +
	`"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}`

func (s *services) RoundTrip(r *http.Request) (*http.Response, error) {
	host := r.URL.Hostname()
	s.mu.Lock()
	s.asked = append(s.asked, host)
	script := s.scripts[host]
	if len(script) > 1 {
		s.scripts[host] = script[1:]
	}
	s.mu.Unlock()
	answer := func(status int, body string, header http.Header) (*http.Response, error) {
		header.Set("Content-Type", "application/json")
		return &http.Response{StatusCode: status, Header: header, ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	}
	switch script[0] {
	case "hang":
		<-r.Context().Done()
		return nil, r.Context().Err()
	case "unauthorised":
		return answer(http.StatusUnauthorized, `{"error":{"message":"no such key","type":"invalid_request_error","code":"invalid_api_key"}}`, http.Header{})
	case "busy":
		return answer(http.StatusServiceUnavailable, `{"error":{"message":"busy","type":"server_error"}}`, http.Header{"Retry-After": {"2"}})
	case "drip":
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/event-stream"}}, ContentLength: -1, Body: &drip{ctx: r.Context(), left: 30}, Request: r}, nil
	default:
		return answer(http.StatusOK, whole, http.Header{})
	}
}

// drip writes a piece of a stream each second.
type drip struct {
	ctx  context.Context
	left int
}

func (d *drip) Read(p []byte) (int, error) {
	select {
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	case <-time.After(time.Second):
	}
	if d.left--; d.left < 0 {
		return 0, io.EOF
	}
	if d.left == 0 {
		return copy(p, "data: {\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"), nil
	}
	return copy(p, "data: {\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n"), nil
}

func (d *drip) Close() error { return nil }

type unwritten struct{}

func (unwritten) Add(context.Context, usage.Record) error { return nil }

type unmeasured struct{}

func (unmeasured) End(error) {}

type unmeasuredCall struct{}

func (unmeasuredCall) End(*provider.Attempt, error) {}

type unmeasuredStep struct{}

func (unmeasuredStep) Begin(ctx context.Context) (context.Context, pipeline.Span) {
	return ctx, unmeasured{}
}
func (unmeasuredStep) Observe(time.Duration) {}

type meter struct{}

func (meter) Request(ctx context.Context, _ string) (context.Context, pipeline.Span) {
	return ctx, unmeasured{}
}

func (meter) Step(string) pipeline.Measure { return unmeasuredStep{} }

func (meter) Call(ctx context.Context, _, _ string) (context.Context, pipeline.CallSpan) {
	return ctx, unmeasuredCall{}
}
func (meter) Cache(string)    {}
func (meter) Judged(string)   {}
func (meter) Repaired(string) {}
func (meter) Coerced(string)  {}
func (meter) Reasked()        {}
func (meter) Refused(string)  {}

// gathered is a caller's end of a stream.
type gathered struct{ strings.Builder }

func (*gathered) Begin(relay.Head) {}
func (g *gathered) Write(b []byte) error {
	g.Builder.Write(b)
	return nil
}

// do relays one request to providers a, b, … in that order.
func do(t *testing.T, s *services, body string, out relay.Out) (*relay.Answer, error) {
	t.Helper()
	var providers []*provider.Provider
	for _, host := range []string{"a", "b", "c"} {
		if s.scripts[host] == nil {
			continue
		}
		p, err := provider.New(provider.Account{
			Name: host, Dialect: openai.New(), BaseURL: "http://" + host + "/v1", Header: http.Header{}, Models: []provider.Model{{Name: "m"}},
		}, s)
		if err != nil {
			t.Fatal(err)
		}
		providers = append(providers, p)
	}
	q, err := dropin.Read(dialect.Chat, []byte(body), prompt.Defaults{MaxAttempts: 4})
	if err != nil {
		t.Fatal(err)
	}
	r := relay.New(relay.Deps{
		Pool: provider.NewPool(providers...), Router: router.New(router.Config{Learned: router.NewLearned(), Chance: func() float64 { return 0 }}), History: unwritten{},
		Meter: meter{}, NewID: func() string { return "id" },
		Settings: func() pipeline.Settings {
			return pipeline.Settings{Strategy: "least-busy", Backoff: provider.Backoff{Base: time.Millisecond, Cap: 5 * time.Second}}
		},
	})
	a, _, err := r.Do(t.Context(), &key.Caller{Key: "key_1", Team: "acme", Scopes: key.AllScopes}, q, out)
	return a, err
}

const hello = `{"model":"auto","messages":[{"role":"user","content":"Hello"}]}`

func TestAServiceThatHangsDoesNotEatTheRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, began := &services{scripts: map[string][]string{"a": {"hang"}, "b": {"ok"}}}, time.Now()
		a, err := do(t, s, `{"model":"auto","messages":[{"role":"user","content":"Hello"}],"promptd":{"timeout_ms":30000}}`, nil)
		if err != nil || a.Provider != "b" {
			t.Fatalf("got %+v and %v, want the answer of b", a, err)
		}
		if took := time.Since(began); took != 15*time.Second {
			t.Errorf("the service that hangs had %v of 30 s, want half", took)
		}
	})
}

func TestAStreamThatIsBeingWrittenIsNotCut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, out := &services{scripts: map[string][]string{"a": {"drip"}, "b": {"ok"}}}, &gathered{}
		if _, err := do(t, s, `{"model":"auto","stream":true,"messages":[{"role":"user","content":"Hello"}],"promptd":{"timeout_ms":40000}}`, out); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(out.String(), `"content":"a"`); n != 29 || !strings.HasSuffix(out.String(), "[DONE]\n\n") {
			t.Errorf("got %d of 29 pieces in 30 s, half of the time being 20 s", n)
		}
	})
}

func TestACandidateIsAskedAgainForItsOwnFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		scripts map[string][]string
		want    []string
		waits   time.Duration
	}{
		"one that refuses its key is not":       {map[string][]string{"a": {"unauthorised"}, "b": {"busy", "ok"}}, []string{"a", "b", "b"}, 2 * time.Second},
		"one that was busy is, whoever is last": {map[string][]string{"a": {"busy", "ok"}, "b": {"unauthorised"}}, []string{"a", "b", "a"}, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, began := &services{scripts: c.scripts}, time.Now()
				if _, err := do(t, s, hello, nil); err != nil {
					t.Errorf("got %v, want an answer", err)
				}
				if diff := cmp.Diff(c.want, s.asked); diff != "" {
					t.Errorf("asked (-want +got):\n%s", diff)
				}
				if took := time.Since(began); took < c.waits {
					t.Errorf("the service was asked again after %v; it wanted %v", took, c.waits)
				}
			})
		})
	}
}

func TestWhenAllHaveFailedTheFaultSaysWhy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, err := do(t, &services{scripts: map[string][]string{"a": {"unauthorised"}, "b": {"unauthorised"}}}, hello, nil)
		var f *pipeline.Failure
		if !errors.As(err, &f) || f.Fault.Code != fault.ProviderError || len(f.Attempts) != 2 {
			t.Errorf("got %v, want LLM_PROVIDER_ERROR after two attempts", err)
		}
	})
}
