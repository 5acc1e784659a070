package chaos

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestRollingRestart: every process is restarted in order, one behind the other and twice, while requests and jobs come in through nginx. No request fails and no
// job is lost.
func TestRollingRestart(t *testing.T) {
	w := newWorld(t, setting{apis: 2, workers: 2, key: free()})
	w.provider.slow.Store(int64(50 * time.Millisecond))
	c := w.through(t)
	b := newBook(c, 200, 1)
	a := keepAsking(c, 20_000_000)
	var load sync.WaitGroup
	load.Go(func() { b.submitAll(20 * time.Second) })
	for range 2 {
		for _, p := range w.fleet {
			if err := p.stop(); err != nil {
				t.Error(err)
			}
			if err := p.start(); err != nil {
				t.Fatal(err)
			}
		}
	}
	load.Wait()
	a.done(t, "rolling restart")
	b.drain(t, 2*time.Minute)
	b.judge(t)
	for what, n := range c.counts {
		if what != "accepted" {
			t.Errorf("%s: %d", what, n)
		}
	}
	c.right(t)
}

// through gives a caller that asks by nginx, with TLS, which has the world's processes behind it.
func (w *world) through(t *testing.T) *caller {
	t.Helper()
	var list []string
	for _, p := range w.of("api") {
		// By default nginx leaves a server alone for ten seconds that has refused one connection; of two that are restarted within that time none would be left.
		list = append(list, strings.TrimPrefix(p.url(), "http://")+" max_fails=0")
	}
	// services.sh writes what it is given into "server …;".
	if err := w.servers.do("start", nginx, "SERVICES_NGINX_UPSTREAM="+strings.Join(list, "; server ")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.servers.do("stop", nginx); err != nil {
			t.Error(err)
		}
	})
	base, err := w.servers.url(nginx, "TEST_NGINX_URL")
	if err != nil {
		t.Fatal(err)
	}
	authority, err := w.servers.url(nginx, "TEST_CA_FILE")
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(authority)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	c := newCaller(w)
	c.base = func() string { return base }
	c.http.Transport = &http.Transport{MaxIdleConnsPerHost: 64, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}}
	return c
}
