package provider_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/provider"
)

// signer signs with what it was given, so that the service can compare with what came.
type signer struct{ err error }

func (s signer) Sign(r *http.Request, body []byte, at time.Time) error {
	r.Header.Set("X-Signature", r.Method+" "+r.URL.EscapedPath()+" "+r.Host+" "+r.Header.Get("X-Further")+" "+string(body))
	r.Header.Set("X-Date", at.UTC().Format(time.RFC3339))
	return s.err
}

// What is signed is what is sent: the finished request, in both forms of call, with a time that is now.
func TestTheFinishedRequestIsSigned(t *testing.T) {
	t.Parallel()
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		at, fault := time.Parse(time.RFC3339, r.Header.Get("X-Date"))
		want := r.Method + " " + r.URL.EscapedPath() + " " + r.Host + " further " + string(body)
		if got := r.Header.Get("X-Signature"); err != nil || fault != nil || got != want || time.Since(at).Abs() > time.Hour {
			t.Errorf("signed was %q at %s, came %q (%v, %v)", got, at, want, err, fault)
		}
		w.WriteHeader(http.StatusForbidden)
	}))
	t.Cleanup(service.Close)
	header := http.Header{"X-Further": {"further"}}
	p := account(t, service.URL, func(a *provider.Account) { a.Signer, a.Header = signer{}, header })
	for _, sink := range []func(string) error{nil, func(string) error { return nil }} {
		_, a, err := p.Call(t.Context(), &p.Models()[0], question("x"), sink)
		if got := failure(t, err); got.Outcome != dialect.Auth || a.Status != http.StatusForbidden {
			t.Errorf("got %v with status %d", got, a.Status)
		}
	}
	if len(header) != 1 {
		t.Errorf("the account's own headers became %v", header)
	}
}

func TestASignatureThatFailsSendsNothing(t *testing.T) {
	t.Parallel()
	service := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request came") }))
	t.Cleanup(service.Close)
	cause := errors.New("no keys")
	p := account(t, service.URL, func(a *provider.Account) { a.Signer = signer{err: cause} })
	for _, sink := range []func(string) error{nil, func(string) error { return nil }} {
		_, a, err := p.Call(t.Context(), &p.Models()[0], question("x"), sink)
		if got := failure(t, err); got.Outcome != dialect.Auth || !errors.Is(err, cause) || a.Outcome != dialect.Auth || strings.Contains(err.Error(), secret) {
			t.Errorf("got %v, recorded %s", got, a.Outcome)
		}
	}
}
