package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/promptd/promptd/client"
	"github.com/promptd/promptd/internal/app"
	"github.com/promptd/promptd/internal/config"
	"github.com/promptd/promptd/internal/local"
	"github.com/promptd/promptd/internal/provider"
)

const (
	// probeLimit bounds one look at a provider, slowProbe is where it counts as slow.
	probeLimit = 5 * time.Second
	slowProbe  = time.Second
	// soon is how long before its end a certificate or a key is worth a word.
	soon = 14 * 24 * time.Hour
)

// address says whether an address is free to listen on. One that a promptd has already is in order: check and doctor run beside it.
func (f *findings) address(ctx context.Context, area, flag, address string, secure bool) {
	var lc net.ListenConfig
	socket, err := lc.Listen(ctx, "tcp", address)
	if err == nil {
		_ = socket.Close() //nolint:errcheck // It was only a try.
		f.add(area, fine, "", "%s is free", address)
		return
	}
	if h := running(ctx, address, secure); h != nil {
		f.add(area, note, "", "%s: promptd %s runs there and is %s", address, h.Version, h.Status)
		return
	}
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	f.add(area, bad, "Stop what listens there, or choose another address ("+flag+").", "can't listen on %s: %v", address, err)
}

// running asks a promptd at an address for its health; nil where there is none.
func running(ctx context.Context, address string, secure bool) *client.Health {
	host, port, err := net.SplitHostPort(address)
	if err != nil || port == "0" {
		return nil
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	scheme, through := "http", &http.Client{}
	if secure {
		scheme = "https"
		// The certificate is seldom made out to the loopback address. No key is sent, and the answer is only asked whether it is a promptd's.
		through.Transport = &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // As above.
	}
	c, err := client.New(scheme+"://"+net.JoinHostPort(host, port), "", client.WithRetries(0), client.WithHTTPClient(through))
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	h, err := c.Health(ctx)
	if err != nil || h.Status == "" {
		return nil
	}
	return h
}

// certificate says whether the listener's certificate can be used.
func (f *findings) certificate(t config.TLS) {
	if t.Cert == "" {
		return
	}
	pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	var leaf *x509.Certificate
	if err == nil {
		leaf, err = x509.ParseCertificate(pair.Certificate[0])
	}
	switch now := time.Now(); {
	case err != nil:
		f.add("tls", bad, "", "%v", err)
	case now.After(leaf.NotAfter):
		f.add("tls", bad, "Renew it.", "%s has ended on %s", t.Cert, leaf.NotAfter.Format(time.DateOnly))
	case leaf.NotAfter.Sub(now) < soon:
		f.add("tls", risky, "Renew it.", "%s ends on %s", t.Cert, leaf.NotAfter.Format(time.DateOnly))
	default:
		f.add("tls", fine, "", "%s is good until %s", t.Cert, leaf.NotAfter.Format(time.DateOnly))
	}
}

// models looks at every provider, all at once, and at the local model. That nothing can answer at all is the one problem: one provider that is away is
// what the others are for.
func (f *findings) models(ctx context.Context, c *config.Config, offline bool) {
	choice, localErr := local.FindInstalled(ctx, local.Look{})
	found := make([]finding, len(c.Providers))
	if !offline {
		transport := provider.Transport()
		defer transport.CloseIdleConnections()
		var looking sync.WaitGroup
		for n := range c.Providers {
			looking.Go(func() { found[n] = probe(ctx, transport, &c.Providers[n]) })
		}
		looking.Wait()
	}
	able := 0
	for n, one := range found {
		p := &c.Providers[n]
		if offline {
			one = finding{Area: "provider " + p.Name, Is: fine, Text: describeProvider(p) + ", not called"}
		}
		if one.Is != bad {
			able++
		}
		*f = append(*f, one)
	}
	if able > 0 || localErr == nil {
		for n := range *f {
			if one := &(*f)[n]; one.Is == bad && strings.HasPrefix(one.Area, "provider ") {
				one.Is = risky
			}
		}
	}
	switch {
	case localErr == nil:
		f.add("local model", fine, "", "%s", choice.Detail)
	case len(c.Providers) == 0:
		f.add("providers", bad, "Set a provider's variable such as OPENAI_API_KEY, configure one, or run promptd local install.", "no provider is configured, and no local model is installed")
	default:
		f.add("local model", note, "", "not installed; promptd local install fetches one")
	}
}

func describeProvider(p *config.Provider) string {
	names := make([]string, len(p.Models))
	for n, m := range p.Models {
		names[n] = m.Name
	}
	return fmt.Sprintf("%s at %s with %s", p.Dialect, p.BaseURL, strings.Join(names, ", "))
}

// probe asks a provider for its list of models, which costs nothing. Any answer but a refused key shows that it is there.
func probe(ctx context.Context, transport http.RoundTripper, p *config.Provider) finding {
	out := finding{Area: "provider " + p.Name}
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	address := p.BaseURL + "/models"
	switch p.Dialect {
	case "llamacpp", "ollama", "anthropic": // Their base URL is the bare address.
		address = p.BaseURL + "/v1/models"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return finding{Area: out.Area, Is: bad, Text: p.BaseURL + " is no address"}
	}
	if err := app.Authorise(request, p, transport); err != nil {
		return finding{Area: out.Area, Is: bad, Text: "there is no credential for " + p.BaseURL + ": " + err.Error(), Advice: "Correct api_key or auth of this provider."}
	}
	begun := time.Now()
	response, err := transport.RoundTrip(request)
	took := time.Since(begun)
	if err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("no answer within %s", probeLimit)
		}
		out.Is, out.Text = bad, fmt.Sprintf("%s can't be reached: %v", p.BaseURL, err)
		out.Advice = "Check base_url, the network and the proxy (HTTPS_PROXY)."
		return out
	}
	defer response.Body.Close() //nolint:errcheck // Nothing of it is wanted.
	_, _ = io.CopyN(io.Discard, response.Body, 1<<20)
	out.Is, out.Text = fine, fmt.Sprintf("%s answers in %d ms", describeProvider(p), took.Milliseconds())
	switch {
	case response.StatusCode == http.StatusUnauthorized || response.StatusCode == http.StatusForbidden:
		out.Is, out.Text = bad, fmt.Sprintf("%s refuses the key (status %d)", p.BaseURL, response.StatusCode)
		out.Advice = "Correct api_key of this provider, or its variable."
	case response.StatusCode >= http.StatusInternalServerError:
		out.Is, out.Text = bad, fmt.Sprintf("%s is in trouble (status %d)", p.BaseURL, response.StatusCode)
	case took > slowProbe:
		out.Is, out.Advice = risky, "Each attempt waits for that connection; a provider nearer to this machine is quicker."
		out.Text += ", which is slow"
	}
	if skew, known := clockSkew(response.Header.Get("Date"), time.Now(), took); known && skew.Abs() > time.Minute {
		if out.Is == fine {
			out.Is = risky
		}
		out.Text += fmt.Sprintf("; this machine's clock differs by %s", skew.Round(time.Second))
		out.Advice = strings.TrimSpace(out.Advice + " Set the clock (NTP): expiry of keys and certificates depends on it.")
	}
	return out
}

// clockSkew compares this machine's clock with a server's Date header, which has whole seconds.
func clockSkew(date string, now time.Time, took time.Duration) (time.Duration, bool) {
	theirs, err := http.ParseTime(date)
	if err != nil {
		return 0, false
	}
	return now.Add(-took / 2).Sub(theirs), true
}

// nearestFolder gives the nearest folder above a path that exists.
func nearestFolder(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	for {
		info, err := os.Stat(abs)
		switch {
		case err == nil && info.IsDir():
			return abs, nil
		case err == nil:
			return "", fmt.Errorf("%s is no folder", abs)
		case !errors.Is(err, fs.ErrNotExist):
			return "", err
		}
		above := filepath.Dir(abs)
		if above == abs {
			return "", err
		}
		abs = above
	}
}

// writable tries to make a file.
func writable(dir string) error {
	file, err := os.CreateTemp(dir, ".promptd-check-")
	if err != nil {
		return err
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

// plainPath takes the path out of an error that names it already.
func plainPath(err error) error {
	var wrapped *fs.PathError
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}
