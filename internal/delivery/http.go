package delivery

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/promptd/promptd/internal/fault"
)

// The bounds of one send. Nothing of a target may hold a worker or fill the memory.
const (
	sendLimit   = 15 * time.Second
	tlsLimit    = 5 * time.Second
	mostBody    = 64 << 10
	mostHeaders = 64 << 10
	idleFor     = 90 * time.Second
	idleHosts   = 256
	idlePerHost = 4
	agent       = "promptd-webhooks/1"
)

// Request is a signed message on its way to a target.
type Request struct {
	URL    string
	Header http.Header
	Body   []byte
}

// Answer is what a target said.
type Answer struct {
	Status int
	// RetryAfter is what the target asks for, 0 where it asks for nothing.
	RetryAfter time.Duration
	// Text is the beginning of the body.
	Text string
}

// SendError says what went wrong with a send that had no answer.
type SendError struct {
	Kind ErrorKind
	// Detail says it in words that its owner may read: no address that a name led to.
	Detail string
	Cause  error
}

// Error says kind and detail.
func (e *SendError) Error() string { return string(e.Kind) + ": " + e.Detail }

// Unwrap gives the cause.
func (e *SendError) Unwrap() error { return e.Cause }

// Transport sends. It gives an [Answer] whatever its status, or a *[SendError]. It is safe for concurrent use.
type Transport interface {
	Send(ctx context.Context, r Request) (Answer, error)
}

// HTTPConfig is what [HTTP] may be told; the zero value calls public addresses over https.
type HTTPConfig struct {
	Policy Policy
	// Resolver looks names up; nil means the system's.
	Resolver *net.Resolver
	// Roots are the authorities that are trusted; nil means the system's.
	Roots *x509.CertPool
	// Now is the clock that dates in Retry-After are held against; nil means the real one.
	Now func() time.Time
}

// HTTP is the [Transport] over the network: no proxy of the environment, no redirect, TLS 1.2 or newer, and no address that the policy does not allow.
type HTTP struct {
	policy    Policy
	now       func() time.Time
	transport *http.Transport
}

// NewHTTP makes a transport.
func NewHTTP(c HTTPConfig) *HTTP {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &HTTP{policy: c.Policy, now: c.Now, transport: &http.Transport{
		DialContext:     c.Policy.dialer(c.Resolver).DialContext,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.Roots}, TLSHandshakeTimeout: tlsLimit,
		ForceAttemptHTTP2: true, DisableCompression: true, MaxResponseHeaderBytes: mostHeaders,
		MaxIdleConns: idleHosts, MaxIdleConnsPerHost: idlePerHost, IdleConnTimeout: idleFor,
	}}
}

// Close closes the connections that rest.
func (h *HTTP) Close() { h.transport.CloseIdleConnections() }

// Send sends once. A redirect is an answer like any other: it is not followed.
func (h *HTTP) Send(ctx context.Context, r Request) (Answer, error) {
	checked, err := h.policy.Check(r.URL, "/url")
	if err != nil {
		return Answer{}, &SendError{Kind: ErrorURL, Detail: fault.Of(err).Detail, Cause: err}
	}
	ctx, cancel := context.WithTimeout(ctx, sendLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, checked, bytes.NewReader(r.Body))
	if err != nil {
		return Answer{}, &SendError{Kind: ErrorURL, Detail: "the URL is not well-formed", Cause: err}
	}
	maps.Copy(req.Header, r.Header)
	req.Header.Set("User-Agent", agent)
	// Not sent, since it is empty. It says that a message may be sent once more where a connection that rested turns out to be closed: webhook-id tells receivers.
	req.Header["Idempotency-Key"] = nil
	res, err := h.transport.RoundTrip(req)
	if err != nil {
		return Answer{}, explain(ctx, err)
	}
	defer res.Body.Close()
	a := Answer{Status: res.StatusCode, RetryAfter: retryAfter(res.Header, h.now())}
	// The status is the answer. A body that breaks off or never ends takes nothing away from it.
	text, _ := io.ReadAll(io.LimitReader(res.Body, mostBody)) //nolint:errcheck // As said.
	a.Text = beginning(string(text), MostAnswer)
	return a, nil
}

// retryAfter reads the header as seconds or as a date.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	const most = 10 * 365 * 24 * 3600
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.Duration(min(max(n, 0), most)) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// beginning gives the first bytes of a text as valid UTF-8 without null bytes, which not every store keeps.
func beginning(text string, most int) string {
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", "\uFFFD"), "\uFFFD")
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}

// explain finds the kind of what went wrong.
func explain(ctx context.Context, err error) *SendError {
	var (
		blocked  *blockedError
		dns      *net.DNSError
		unknown  x509.UnknownAuthorityError
		invalid  x509.CertificateInvalidError
		hostname x509.HostnameError
		verify   *tls.CertificateVerificationError
		record   tls.RecordHeaderError
		alert    tls.AlertError
		errno    syscall.Errno
	)
	failed := func(kind ErrorKind, format string, args ...any) *SendError {
		return &SendError{Kind: kind, Detail: beginning(fmt.Sprintf(format, args...), MostDetail), Cause: err}
	}
	switch {
	case errors.As(err, &blocked):
		return failed(ErrorBlocked, "%s, which is not to be called", blocked.Error())
	case errors.As(err, &dns) && dns.IsNotFound:
		return failed(ErrorDNS, "there is no such host")
	case errors.As(err, &dns):
		return failed(ErrorDNS, "the name could not be looked up")
	case errors.As(err, &hostname), errors.As(err, &unknown), errors.As(err, &invalid):
		return failed(ErrorTLS, "the certificate is not valid for this host, or not trusted")
	// Package tls has no type for most of its errors: their text begins with its name.
	case errors.As(err, &verify), errors.As(err, &record), errors.As(err, &alert), strings.Contains(err.Error(), "tls: "):
		return failed(ErrorTLS, "the TLS handshake failed")
	case ctx.Err() != nil, errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), timedOut(err):
		return failed(ErrorTimeout, "no answer in time")
	case errors.As(err, &errno) && isDial(err):
		return failed(ErrorConnect, "the connection failed: %s", errno.Error())
	case isDial(err):
		return failed(ErrorConnect, "the connection failed")
	default:
		return failed(ErrorProtocol, "the connection broke, or what came back is not HTTP")
	}
}

func timedOut(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

func isDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

var _ Transport = (*HTTP)(nil)
