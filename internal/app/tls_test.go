package app

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/provider/providertest"
)

// certificate writes a self-made certificate for 127.0.0.1 and gives its files.
func certificate(t *testing.T) (cert, secret string, trusted *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cert, secret = write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", pkcs8)
	trusted = x509.NewCertPool()
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	trusted.AddCert(parsed)
	return cert, secret, trusted
}

func TestTheListenerSpeaksTLS(t *testing.T) {
	t.Parallel()
	cert, secret, trusted := certificate(t)
	service := providertest.New(t, providertest.Settings{Text: `{"n":7}`})
	for _, c := range []struct {
		least, extra string
		http2        bool
		older        bool // TLS 1.2 is taken
	}{{"1.3", "", true, false}, {"1.2", ", min_version: \"1.2\"", false, true}} {
		s := newSetting(t, "tls: {cert: "+cert+", key: "+secret+c.extra+"}\nproviders:"+account("one", service))
		s.environ = []string{"SERVICE_KEY=sk-secret"}
		r := s.start(t)
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: c.http2}
		t.Cleanup(transport.CloseIdleConnections)
		r.client = &http.Client{Transport: transport}
		if !strings.HasPrefix(r.URL(), "https://127.0.0.1:") {
			t.Fatal(r.URL())
		}
		if a := r.ask(t); !strings.Contains(a.body, `"data":{"n":7}`) {
			t.Error(a.body)
		}
		a := r.must(t, http.StatusOK, http.MethodPost, r.URL()+"/v1/analyze", r.secret, strings.Replace(question, "{", `{"stream":true,`, 1))
		if !strings.Contains(a.body, "event: result\n") {
			t.Errorf("streamed: %s", a.body)
		}

		old := &tls.Dialer{Config: &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12}}
		conn, err := old.DialContext(t.Context(), "tcp", r.Address())
		if (err == nil) != c.older {
			t.Errorf("min_version %s: a client of TLS 1.2 got %v", c.least, err)
		}
		if err == nil {
			_ = conn.Close() //nolint:errcheck // Nothing was said.
		}
		transport.CloseIdleConnections()
		r.end(t)
	}
}

func TestAnUnreadableCertificateIsToldBeforeAnythingRuns(t *testing.T) {
	t.Parallel()
	cert, secret, _ := certificate(t)
	for _, files := range [][2]string{{cert, cert}, {secret, secret}, {cert, cert + ".gone"}} {
		s := newSetting(t, "tls: {cert: "+files[0]+", key: "+files[1]+"}")
		if _, err := s.build(t); err == nil || !strings.Contains(err.Error(), "TLS certificate") || strings.Contains(err.Error(), "BEGIN") {
			t.Errorf("%v: %v", files, err)
		}
	}
}
