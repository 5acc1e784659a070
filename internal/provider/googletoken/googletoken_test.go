package googletoken_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/promptd/promptd/internal/provider/googletoken"
)

// servant is a token server without a network, for tests under virtual time: token n is good for an hour from when it was asked for.
type servant struct {
	asked atomic.Int64
	delay time.Duration
	down  atomic.Bool
	// refuse is a status to answer with; 0 is none.
	refuse atomic.Int64
}

func (s *servant) RoundTrip(r *http.Request) (*http.Response, error) {
	n := s.asked.Add(1)
	select {
	case <-time.After(s.delay):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	if s.down.Load() {
		return nil, errors.New("connection refused by 10.0.0.1 with PRIVATE words")
	}
	answer := httptest.NewRecorder()
	answer.Header().Set("Content-Type", "application/json")
	if status := int(s.refuse.Load()); status != 0 {
		answer.WriteHeader(status)
		_, _ = io.WriteString(answer, `{"error": "invalid_grant", "error_description": "PRIVATE words"}`) //nolint:errcheck // A recorder.
	} else {
		fmt.Fprintf(answer, `{"access_token": "token-%d", "expires_in": 3600, "token_type": "Bearer"}`, n)
	}
	return answer.Result(), nil
}

var key = sync.OnceValue(func() string { //nolint:gochecknoglobals // Made once for all tests: it takes a while.
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
})

func serviceAccount(t *testing.T, server string) googletoken.Account {
	t.Helper()
	file, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "p", "private_key_id": "k1", "private_key": key(), "client_email": "robot@p.example", "token_uri": server + "/token",
	})
	if err != nil {
		t.Fatal(err)
	}
	return googletoken.Account{Credentials: string(file)}
}

// harness is a keeper that runs until the test ends, with one signer.
type harness struct {
	t       *testing.T
	servant *servant
	signer  *googletoken.Signer
	end     func()
}

func newHarness(t *testing.T, s *servant) *harness {
	t.Helper()
	account := serviceAccount(t, "https://tokens.example")
	tokens := googletoken.New(googletoken.Config{Transport: s})
	signer, err := tokens.Signer(account)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = tokens.Run(ctx) //nolint:errcheck // It has none.
	}()
	return &harness{t, s, signer, func() { cancel(); <-done }}
}

func request(ctx context.Context) *http.Request {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://service.example/", http.NoBody)
	if err != nil {
		panic(err)
	}
	return r
}

// token signs a request and gives the token on it, and how long that took.
func (h *harness) token(limit time.Duration) (string, time.Duration, error) {
	ctx, cancel := context.WithTimeout(h.t.Context(), limit)
	defer cancel()
	r, began := request(ctx), time.Now()
	err := h.signer.Sign(r, nil, began)
	return strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), time.Since(began), err
}

func (h *harness) want(want string, within time.Duration) {
	h.t.Helper()
	got, took, err := h.token(time.Minute)
	if err != nil || got != want || took > within {
		h.t.Errorf("got token %q after %s (%v), want %q within %s", got, took, err, want, within)
	}
}

func TestATokenIsRenewedBeforeItEndsAndNobodyWaits(t *testing.T) {
	t.Parallel()
	_ = key()
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, &servant{delay: 3 * time.Second})
		defer h.end()
		h.want("token-1", 3*time.Second) // The first call waits: there is none.
		for range 55 {
			time.Sleep(time.Minute)
			h.want("token-1", 0)
		}
		if n := h.servant.asked.Load(); n != 1 {
			t.Errorf("asked %d times within the first 55 minutes", n)
		}
		time.Sleep(90 * time.Second)
		h.want("token-1", 0) // It begins the renewal, and goes on with the old token.
		time.Sleep(4 * time.Second)
		h.want("token-2", 0)
		if n := h.servant.asked.Load(); n != 2 {
			t.Errorf("asked %d times for two tokens", n)
		}
	})
}

func TestARenewalIsMadeOnceForAll(t *testing.T) {
	t.Parallel()
	_ = key()
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, &servant{delay: time.Second})
		defer h.end()
		var all sync.WaitGroup
		for range 200 {
			all.Go(func() { h.want("token-1", time.Second) })
		}
		all.Wait()
		time.Sleep(57 * time.Minute)
		for range 200 {
			all.Go(func() { h.want("token-1", 0) })
		}
		all.Wait()
		time.Sleep(time.Hour)
		for range 200 { // The old token has ended.
			all.Go(func() { h.want("token-3", time.Second) })
		}
		all.Wait()
		if n := h.servant.asked.Load(); n != 3 {
			t.Errorf("asked %d times for three tokens", n)
		}
	})
}

// As long as the old token is good, a token server that is away costs nobody anything; then calls fail at once, not each after a wait of its own.
func TestATokenServerThatIsAway(t *testing.T) {
	t.Parallel()
	_ = key()
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, &servant{})
		defer h.end()
		h.want("token-1", 0)
		h.servant.down.Store(true)
		time.Sleep(57 * time.Minute)
		before := h.servant.asked.Load()
		for range 160 {
			h.want("token-1", 0)
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if n := h.servant.asked.Load() - before; n < 5 || n > 40 {
			t.Errorf("asked %d times in 160 seconds", n)
		}
		time.Sleep(time.Minute)
		_, took, err := h.token(time.Minute)
		var later interface{ Temporary() bool }
		if !errors.As(err, &later) || !later.Temporary() || took != 0 || strings.Contains(err.Error(), "PRIVATE") {
			t.Errorf("without a token: %v after %s", err, took)
		}
		before = h.servant.asked.Load()
		for range 1000 {
			_, _, _ = h.token(time.Minute) //nolint:errcheck // They fail.
		}
		if n := h.servant.asked.Load() - before; n > 1 {
			t.Errorf("1000 calls at once asked %d times", n)
		}
		h.servant.down.Store(false)
		time.Sleep(11 * time.Second)
		if got, _, err := h.token(time.Minute); err != nil || !strings.HasPrefix(got, "token-") {
			t.Errorf("the server is back: %q %v", got, err)
		}
	})
}

func TestACallWaitsNoLongerThanItsDeadline(t *testing.T) {
	t.Parallel()
	_ = key()
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, &servant{delay: 20 * time.Second})
		defer h.end()
		if _, took, err := h.token(2 * time.Second); !errors.Is(err, context.DeadlineExceeded) || took != 2*time.Second {
			t.Errorf("got %v after %s", err, took)
		}
		h.want("token-1", 18*time.Second) // The renewal went on without the call that began it.
	})
}

func TestARefusedTokenIsRenewedOnce(t *testing.T) {
	t.Parallel()
	_ = key()
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, &servant{})
		defer h.end()
		sign := func() *http.Request {
			r := request(t.Context())
			if err := h.signer.Sign(r, nil, time.Now()); err != nil {
				t.Fatal(err)
			}
			return r
		}
		r := sign()
		if h.signer.Refused(r, time.Now()) {
			t.Error("a token that was just made is renewed")
		}
		time.Sleep(time.Minute)
		old := [...]*http.Request{sign(), sign(), sign()}
		for _, r := range old {
			if !h.signer.Refused(r, time.Now()) {
				t.Error("the token that is refused is not renewed")
			}
			if got := sign().Header.Get("Authorization"); got != "Bearer token-2" {
				t.Errorf("signed with %q", got)
			}
		}
		if n := h.servant.asked.Load(); n != 2 {
			t.Errorf("three refusals of one token made %d tokens", n-1)
		}
	})
}

func TestCredentialsThatAreRefused(t *testing.T) {
	t.Parallel()
	_ = key()
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, &servant{})
		defer h.end()
		for status, temporary := range map[int]bool{400: false, 401: false, 429: true, 500: true, 503: true} {
			h.servant.refuse.Store(int64(status))
			time.Sleep(time.Minute)
			_, _, err := h.token(time.Minute)
			var later interface{ Temporary() bool }
			if !errors.As(err, &later) || later.Temporary() != temporary || strings.Contains(err.Error(), "PRIVATE") ||
				!strings.Contains(err.Error(), fmt.Sprintf("status %d (invalid_grant)", status)) {
				t.Errorf("%d: %v", status, err)
			}
		}
	})
}

// Run ends what is under way, and after it nothing begins.
func TestTheEnd(t *testing.T) {
	t.Parallel()
	_ = key()
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, &servant{delay: time.Hour})
		began := time.Now()
		if _, _, err := h.token(time.Second); err == nil {
			t.Error("there is a token")
		}
		h.end()
		if took := time.Since(began); took != time.Second {
			t.Errorf("the end took until %s", took)
		}
		if _, took, err := h.token(time.Minute); err == nil || took != 0 {
			t.Errorf("after the end: %v after %s", err, took)
		}
	})
}

func TestCredentialsThatCantBeUsed(t *testing.T) {
	t.Parallel()
	tokens := googletoken.New(googletoken.Config{})
	for name, c := range map[string]struct{ file, want string }{
		"no JSON":     {"ya29.SECRET", "no JSON"},
		"a path":      {"/run/secrets/key.json", "no JSON"},
		"no type":     {`{"private_key": "SECRET"}`, `no "type"`},
		"other type":  {`{"type": "SECRET"}`, "type that is not known"},
		"no key":      {`{"type": "service_account", "private_key": "SECRET", "client_email": 7}`, "can't be used"},
		"no metadata": {`{"type": "external_account", "audience": "SECRET"`, "no JSON"},
	} {
		if _, err := tokens.Signer(googletoken.Account{Credentials: c.file}); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	s, err := tokens.Signer(serviceAccount(t, "https://tokens.example"))
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprintf("%v %+v %#v %s", s, s, s, s); strings.Contains(text, "PRIVATE KEY") || strings.Contains(text, "robot") {
		t.Errorf("a signer prints as %s", text)
	}
	if again, err := tokens.Signer(serviceAccount(t, "https://tokens.example")); err != nil || again != s {
		t.Errorf("the same account has another signer after a reload (%v)", err)
	}
}

// Over real HTTP: what a token server is asked, and the metadata server.
func TestTokenServers(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/token":
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			form, err := url.ParseQuery(string(body))
			grant := form.Get("grant_type")
			switch {
			case err != nil:
				t.Error(err)
			case grant == "urn:ietf:params:oauth:grant-type:jwt-bearer" && strings.Count(form.Get("assertion"), ".") == 2:
				_, _ = io.WriteString(w, `{"access_token": "robot's", "expires_in": 3599, "token_type": "Bearer"}`) //nolint:errcheck // A test's server.
			default:
				t.Errorf("asked %v", form)
			}
		case "/computeMetadata/v1/instance/service-accounts/default/token":
			if r.Header.Get("Metadata-Flavor") != "Google" {
				t.Error("the metadata server is asked without its header")
			}
			_, _ = io.WriteString(w, `{"access_token": "machine's", "expires_in": 3599, "token_type": "Bearer"}`) //nolint:errcheck // A test's server.
		default:
			t.Errorf("asked %s", r.URL.Path)
		}
	}))
	t.Cleanup(server.Close)
	tokens := googletoken.New(googletoken.Config{Metadata: server.URL})
	for want, account := range map[string]googletoken.Account{"Bearer robot's": serviceAccount(t, server.URL), "Bearer machine's": {}} {
		s, err := tokens.Signer(account)
		if err != nil {
			t.Fatal(err)
		}
		r := request(t.Context())
		if err := s.Sign(r, nil, time.Now()); err != nil || r.Header.Get("Authorization") != want {
			t.Errorf("signed with %q (%v), want %q", r.Header.Get("Authorization"), err, want)
		}
	}
	s, err := googletoken.New(googletoken.Config{Metadata: "http://127.0.0.1:1"}).Signer(googletoken.Account{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Sign(request(t.Context()), nil, time.Now()); err == nil || !strings.Contains(err.Error(), "no machine of Google Cloud") {
		t.Errorf("without a metadata server: %v", err)
	}
}
