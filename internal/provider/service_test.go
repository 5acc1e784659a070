package provider_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/dialect/openai"
	"github.com/promptd/promptd/internal/provider"
)

// service is a service without a network, so that tests of what time does run in no time: each request is answered by a function, which may wait for as
// long as it likes, or until the call is given up.
type service struct {
	answer func(r *http.Request) *http.Response

	mu sync.Mutex

	sent        int
	now, most   int
	credentials []string
}

// RoundTrip answers.
func (s *service) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.sent++
	s.now++
	s.most = max(s.most, s.now)
	s.credentials = append(s.credentials, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	answer := s.answer
	s.mu.Unlock()
	resp := answer(r)
	s.mu.Lock()
	s.now--
	s.mu.Unlock()
	if resp == nil {
		return nil, r.Context().Err()
	}
	return resp, nil
}

func (s *service) requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent
}

// answers makes what is answered from now on.
func (s *service) answers(f func(*http.Request) *http.Response) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = f
}

func respond(status int, body string, header ...string) *http.Response {
	r := &http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body)),
		Header: http.Header{"Content-Type": {"application/json"}},
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

func fine(*http.Request) *http.Response { return tokens(10) }

func tokens(n int) *http.Response {
	return respond(200, fmt.Sprintf(`{"choices":[{"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}],"usage":{"prompt_tokens":%d,"completion_tokens":0}}`, n))
}

func broken(*http.Request) *http.Response { return respond(500, `{"error":{"message":"x"}}`) }

func limited(wait string) func(*http.Request) *http.Response {
	return func(*http.Request) *http.Response {
		if wait == "" {
			return respond(429, `{"error":{"message":"x"}}`)
		}
		return respond(429, `{"error":{"message":"x"}}`, "Retry-After", wait)
	}
}

// after is an answer that takes a while, none where the call is given up before.
func after(d time.Duration, then func(*http.Request) *http.Response) func(*http.Request) *http.Response {
	return func(r *http.Request) *http.Response {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			return then(r)
		case <-r.Context().Done():
			return nil
		}
	}
}

// hung never answers.
func hung(r *http.Request) *http.Response {
	<-r.Context().Done()
	return nil
}

// usual is the configuration of most tests: four calls are enough for the breaker.
func usual() provider.Account {
	return provider.Account{
		Name: "svc", Dialect: openai.New(), BaseURL: "http://svc.invalid/v1", Timeout: 30 * time.Second, FirstByteTimeout: 10 * time.Second,
		Models:  []provider.Model{{Name: "m"}, {Name: "other"}},
		Breaker: provider.BreakerConfig{FailureShare: 0.5, MinCalls: 4, Window: 30 * time.Second, OpenFor: 30 * time.Second},
	}
}

func at(tb testing.TB, s *service, change func(*provider.Account)) *provider.Provider {
	tb.Helper()
	a := usual()
	if change != nil {
		change(&a)
	}
	p, err := provider.New(a, s)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}
