package provider

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/promptd/promptd/internal/dialect"
)

// Signer makes the credential of one request, of its method, address, headers and body. It is the last to touch the request, once for each attempt, and
// adds headers alone. It may wait for a credential within the request's context. An error with a method Temporary that says true is a credential that could
// not be had now; any other one is a credential that is not good. Implementations are safe for concurrent use.
type Signer interface {
	Sign(r *http.Request, body []byte, at time.Time) error
}

// Renewer is a Signer whose credentials end. It is told when a service answers 401 to a request, and says whether to sign and send it again; an attempt does
// that once.
type Renewer interface {
	Signer
	Refused(r *http.Request, at time.Time) bool
}

// sign signs a request.
func (p *Provider) sign(r *http.Request, body []byte) error {
	if p.account.Signer == nil {
		return nil
	}
	err := p.account.Signer.Sign(r, body, time.Now())
	var later interface{ Temporary() bool }
	switch {
	case err == nil:
		return nil
	case r.Context().Err() != nil, errors.As(err, &later) && later.Temporary():
		return err
	default:
		return &dialect.Error{Outcome: dialect.Auth, Cause: err}
	}
}

// deliver signs a request and sends it, and once more where its credential had ended without our knowing. prepare makes the request anew.
func (p *Provider) deliver(ctx context.Context, body []byte, prepare func(context.Context) *http.Request) (*http.Response, error) {
	for again := false; ; again = true {
		r := prepare(ctx)
		if err := p.sign(r, body); err != nil {
			return nil, err
		}
		resp, err := p.client.Do(r) //nolint:gosec // The address is the operator's own configuration.
		if err != nil || resp.StatusCode != http.StatusUnauthorized || again {
			return resp, err
		}
		renewer, ok := p.account.Signer.(Renewer)
		if !ok || !renewer.Refused(r, time.Now()) {
			return resp, nil
		}
		_, _ = io.CopyN(io.Discard, resp.Body, mostErrorBody) //nolint:errcheck // What is left of it only spares a connection.
		_ = resp.Body.Close()                                 //nolint:errcheck // It was read.
	}
}
