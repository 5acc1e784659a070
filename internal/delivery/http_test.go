package delivery_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/promptd/promptd/internal/delivery"
)

// target is a caller's server. It counts what reaches it: connections and requests.
type target struct {
	*httptest.Server
	connections, requests atomic.Int64
}

func newTarget(tb testing.TB, secure bool, h http.HandlerFunc) *target {
	tb.Helper()
	t := &target{}
	t.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.requests.Add(1)
		h(w, r)
	}))
	t.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			t.connections.Add(1)
		}
	}
	t.Config.ErrorLog = log.New(io.Discard, "", 0)
	if secure {
		t.EnableHTTP2 = true
		t.StartTLS()
	} else {
		t.Start()
	}
	tb.Cleanup(t.Close)
	return t
}

func (t *target) port() string {
	u, _ := url.Parse(t.URL)
	return u.Port()
}

// pool trusts the target's certificate, which is for example.com and 127.0.0.1.
func (t *target) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(t.Certificate())
	return pool
}

func newHTTP(tb testing.TB, c delivery.HTTPConfig) *delivery.HTTP {
	tb.Helper()
	h := delivery.NewHTTP(c)
	tb.Cleanup(h.Close)
	return h
}

func ok(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }

// names is a DNS server that gives each question the next of a name's addresses, and the last one again and again.
type names struct {
	resolver *net.Resolver

	mu        sync.Mutex
	addresses []netip.Addr
	asked     int
}

func newNames(tb testing.TB, addresses ...string) *names {
	tb.Helper()
	n := &names{}
	for _, a := range addresses {
		n.addresses = append(n.addresses, netip.MustParseAddr(a))
	}
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() { n.serve(conn) })
	tb.Cleanup(func() {
		_ = conn.Close()
		serving.Wait()
	})
	n.resolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
	return n
}

func (n *names) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.asked
}

func (n *names) serve(conn net.PacketConn) {
	buf := make([]byte, 1500)
	for {
		size, from, err := conn.ReadFrom(buf)
		if err != nil {
			return
		}
		if answer, ok := n.answer(buf[:size]); ok {
			_, _ = conn.WriteTo(answer, from)
		}
	}
}

func (n *names) answer(raw []byte) ([]byte, bool) {
	var m dnsmessage.Message
	if m.Unpack(raw) != nil || len(m.Questions) != 1 {
		return nil, false
	}
	m.Response, m.RecursionAvailable = true, true
	m.Additionals = nil
	q := m.Questions[0]
	n.mu.Lock()
	at := n.addresses[0]
	if asked := q.Type == dnsmessage.TypeA && at.Is4() || q.Type == dnsmessage.TypeAAAA && at.Is6(); asked {
		n.asked++
		if len(n.addresses) > 1 {
			n.addresses = n.addresses[1:]
		}
		header := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 0}
		if at.Is4() {
			m.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.AResource{A: at.As4()}}}
		} else {
			m.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.AAAAResource{AAAA: at.As16()}}}
		}
	}
	n.mu.Unlock()
	out, err := m.Pack()
	return out, err == nil
}

// wantKind checks what went wrong with a send.
func wantKind(t *testing.T, what string, err error, want delivery.ErrorKind) {
	t.Helper()
	var failed *delivery.SendError
	if !errors.As(err, &failed) || failed.Kind != want || failed.Detail == "" {
		t.Errorf("%s: got the error %v, want one of the kind %s with words", what, err, want)
	}
}

// A name that is harmless when it is looked at and leads inside when it is called reaches nothing: the address of the connection counts.
func TestRebindingReachesNothing(t *testing.T) {
	t.Parallel()
	inside := newTarget(t, true, ok)
	dns := newNames(t, "93.184.216.34", "127.0.0.1")
	found, err := dns.resolver.LookupNetIP(t.Context(), "ip4", "rebind.example.com")
	if err != nil || len(found) != 1 || (delivery.Policy{}).Blocks(found[0]) != "" {
		t.Fatalf("the first look at the name gives %v, %v, want a public address", found, err)
	}
	h := newHTTP(t, delivery.HTTPConfig{Resolver: dns.resolver, Roots: inside.pool()})
	_, err = h.Send(t.Context(), delivery.Request{URL: "https://rebind.example.com:" + inside.port() + "/", Body: []byte("{}")})
	wantKind(t, "the second", err, delivery.ErrorBlocked)
	if n := inside.connections.Load(); n != 0 {
		t.Errorf("%d connections reached what is inside, want 0", n)
	}
	if n := dns.count(); n < 2 {
		t.Errorf("the name was looked up %d times, want 2 at least: nothing was rebound", n)
	}
}

// Names that lead inside, in every form of an address that a DNS answer can have.
func TestNamesThatLeadInsideReachNothing(t *testing.T) {
	t.Parallel()
	inside := newTarget(t, true, ok)
	for _, address := range []string{
		"127.0.0.1", "10.0.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::1", "fd00:ec2::254", "fe80::1", "::127.0.0.1",
	} {
		t.Run(address, func(t *testing.T) {
			t.Parallel()
			h := newHTTP(t, delivery.HTTPConfig{Resolver: newNames(t, address).resolver, Roots: inside.pool()})
			_, err := h.Send(t.Context(), delivery.Request{URL: "https://inside.example.com:" + inside.port() + "/", Body: []byte("{}")})
			wantKind(t, address, err, delivery.ErrorBlocked)
			if err != nil && strings.Contains(err.Error(), address) {
				t.Errorf("the error tells what the name leads to: %v", err)
			}
		})
	}
	t.Cleanup(func() {
		if n := inside.connections.Load(); n != 0 {
			t.Errorf("%d connections reached what is inside, want 0", n)
		}
	})
}

// The same way with an allowed address works: what was refused above was refused for its address alone.
func TestANameThatLeadsToAnAllowedAddressIsReached(t *testing.T) {
	t.Parallel()
	there := newTarget(t, true, func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		if err != nil || string(raw) != `{"a":1}` || r.Method != http.MethodPost || r.Header.Get("X-A") != "b" || r.ProtoMajor != 2 {
			t.Errorf("it got %s %s %q %v, %v", r.Proto, r.Method, raw, r.Header, err)
		}
		if r.Header["Idempotency-Key"] != nil || r.Header.Get("Accept-Encoding") != "" {
			t.Errorf("headers that are not ours: %v", r.Header)
		}
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, "thanks")
	})
	h := newHTTP(t, delivery.HTTPConfig{Policy: delivery.Policy{AllowPrivate: true}, Resolver: newNames(t, "127.0.0.1").resolver, Roots: there.pool()})
	for range 2 {
		got, err := h.Send(t.Context(), delivery.Request{URL: "https://hook.example.com:" + there.port() + "/", Header: http.Header{"X-A": {"b"}}, Body: []byte(`{"a":1}`)})
		if want := (delivery.Answer{Status: 202, RetryAfter: 7 * time.Second, Text: "thanks"}); err != nil || got != want {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
	}
	if n := there.connections.Load(); n != 1 {
		t.Errorf("two sends made %d connections, want 1", n)
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	inside := newTarget(t, false, ok)
	for _, status := range []int{301, 302, 303, 307, 308} {
		there := newTarget(t, false, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, inside.URL, status) })
		got, err := newHTTP(t, delivery.HTTPConfig{Policy: delivery.Policy{AllowPrivate: true}}).Send(t.Context(), delivery.Request{URL: there.URL, Body: []byte("{}")})
		if err != nil || got.Status != status {
			t.Errorf("got %+v, %v; want the status %d", got, err, status)
		}
	}
	if inside.requests.Load() != 0 {
		t.Error("a redirect was followed")
	}
}

// The proxy that the environment names would reach what the dialer refuses.
func TestTheEnvironmentsProxyIsNotAsked(t *testing.T) {
	proxy := newTarget(t, false, ok)
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	h := newHTTP(t, delivery.HTTPConfig{Resolver: newNames(t, "10.1.2.3").resolver})
	_, err := h.Send(t.Context(), delivery.Request{URL: "https://inside.example.com/", Body: []byte("{}")})
	wantKind(t, "a send past a proxy", err, delivery.ErrorBlocked)
	if proxy.connections.Load() != 0 {
		t.Error("the proxy was asked")
	}
}

func TestATargetCannotFillTheMemoryNorHoldASend(t *testing.T) {
	t.Parallel()
	h := newHTTP(t, delivery.HTTPConfig{Policy: delivery.Policy{AllowPrivate: true}})
	send := func(ctx context.Context, handle http.HandlerFunc) (delivery.Answer, error) {
		return h.Send(ctx, delivery.Request{URL: newTarget(t, false, handle).URL, Body: []byte("{}")})
	}
	written := make(chan int, 1)
	got, err := send(t.Context(), func(w http.ResponseWriter, r *http.Request) {
		n := 0
		for chunk := strings.Repeat("🙂", 4096); r.Context().Err() == nil && n < 1<<30; n += len(chunk) {
			if _, err := io.WriteString(w, chunk); err != nil {
				break
			}
		}
		written <- n
	})
	if err != nil || got.Status != 200 || len(got.Text) > delivery.MostAnswer || !strings.HasPrefix(got.Text, "🙂") || strings.Contains(got.Text, "\uFFFD") {
		t.Errorf("an endless body: got %d bytes and %d, %v", len(got.Text), got.Status, err)
	}
	if n := <-written; n > 64<<20 {
		t.Errorf("%d bytes of it were taken", n)
	}
	_, err = send(t.Context(), func(w http.ResponseWriter, _ *http.Request) {
		for i := range 5000 {
			w.Header().Set(fmt.Sprint("X-", i), strings.Repeat("x", 100))
		}
	})
	wantKind(t, "endless headers", err, delivery.ErrorProtocol)

	ctx, cancel := context.WithCancel(t.Context())
	begun := make(chan struct{})
	go func() { <-begun; cancel() }()
	_, err = send(ctx, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(begun)
		<-r.Context().Done()
	})
	wantKind(t, "no answer", err, delivery.ErrorTimeout)

	// The status has come: what the body does takes nothing away from it.
	got, err = send(t.Context(), func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(http.StatusOK)
		_, _ = io.WriteString(w, "half")
	})
	if err != nil || got.Status != 200 || got.Text != "half" {
		t.Errorf("a body that breaks off: got %+v, %v; want the status 200", got, err)
	}
}

func TestWhatGoesWrongHasItsKind(t *testing.T) {
	t.Parallel()
	inside := delivery.Policy{AllowPrivate: true}
	secure, plain := newTarget(t, true, ok), newTarget(t, false, ok)
	old := httptest.NewUnstartedServer(http.HandlerFunc(ok))
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10} //nolint:gosec // What must be refused.
	old.Config.ErrorLog = log.New(io.Discard, "", 0)
	old.StartTLS()
	t.Cleanup(old.Close)
	oldPool := x509.NewCertPool()
	oldPool.AddCert(old.Certificate())
	garbage, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := garbage.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "this is no HTTP\r\n\r\n")
			_ = c.Close()
		}
	})
	t.Cleanup(func() { _ = garbage.Close(); serving.Wait() })
	closed := newTarget(t, false, ok)
	closed.Close()
	for _, c := range []struct {
		what string
		c    delivery.HTTPConfig
		url  string
		want delivery.ErrorKind
	}{
		{"a certificate that nobody trusts", delivery.HTTPConfig{Policy: inside}, secure.URL, delivery.ErrorTLS},
		{"a certificate of another name", delivery.HTTPConfig{Policy: inside, Roots: secure.pool(), Resolver: newNames(t, "127.0.0.1").resolver}, "https://another.test:" + secure.port(), delivery.ErrorTLS},
		{"no TLS there", delivery.HTTPConfig{Policy: inside}, strings.Replace(plain.URL, "http:", "https:", 1), delivery.ErrorTLS},
		{"TLS 1.1", delivery.HTTPConfig{Policy: inside, Roots: oldPool}, old.URL, delivery.ErrorTLS},
		{"nobody listens", delivery.HTTPConfig{Policy: inside}, closed.URL, delivery.ErrorConnect},
		{"no HTTP", delivery.HTTPConfig{Policy: inside}, "http://" + garbage.Addr().String(), delivery.ErrorProtocol},
		{"a URL that is not allowed", delivery.HTTPConfig{}, plain.URL, delivery.ErrorURL},
		{"a literal address", delivery.HTTPConfig{}, "https://127.0.0.1:" + secure.port(), delivery.ErrorURL},
	} {
		_, err := newHTTP(t, c.c).Send(t.Context(), delivery.Request{URL: c.url, Body: []byte("{}")})
		wantKind(t, c.what, err, c.want)
	}
}

func TestANameThatIsNotThereIsTold(t *testing.T) {
	t.Parallel()
	refusing := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("no way to a name server")
	}}
	_, err := newHTTP(t, delivery.HTTPConfig{Resolver: refusing}).Send(t.Context(), delivery.Request{URL: "https://example.com/", Body: []byte("{}")})
	wantKind(t, "a name without a server", err, delivery.ErrorDNS)
}

func TestRetryAfterIsReadInBothForms(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	var header atomic.Value
	there := newTarget(t, false, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", header.Load().(string)) //nolint:forcetypeassert // It is set below.
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	h := newHTTP(t, delivery.HTTPConfig{Policy: delivery.Policy{AllowPrivate: true}, Now: func() time.Time { return now }})
	for text, want := range map[string]time.Duration{
		"": 0, "0": 0, "120": 2 * time.Minute, " 5 ": 5 * time.Second, "-3": 0, "soon": 0, "1.5": 0, "Tue, 24 Nov 2026 12:00:30 GMT": 30 * time.Second, "Tue, 24 Nov 2026 11:00:00 GMT": 0,
		"99999999999999": 10 * 365 * 24 * time.Hour,
	} {
		header.Store(text)
		got, err := h.Send(t.Context(), delivery.Request{URL: there.URL, Body: []byte("{}")})
		if err != nil || got.RetryAfter != want {
			t.Errorf("%q: got %v, %v; want %v", text, got.RetryAfter, err, want)
		}
	}
}
