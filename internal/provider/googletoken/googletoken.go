// Package googletoken makes the credential of calls to Google Cloud: an access token that is good for about an hour and is renewed in time.
//
// [Tokens] owns one token for each account. [Tokens.Signer] gives what puts it on a request, and [Tokens.Run] ends the renewals under way when the program
// ends. A token is renewed in the background before it ends, once for all callers, while calls go on with the old one: no call fails or waits because of a
// renewal as long as the old token is good. Only a call that finds no good token at all waits, within its own deadline.
//
// Tokens come from a file of credentials by way of golang.org/x/oauth2/google, which knows service accounts, users, workload identity federation and
// impersonation, or from the metadata server of the machine. Tokens and keys are never printed.
package googletoken

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"
)

// When tokens are renewed. 2026-11: tokens are good for an hour. The metadata server gives the same token until four to five minutes before its end, so that
// asking earlier is of no use (docs: authenticate to Google APIs, access tokens).
const (
	early = 225 * time.Second
	// margin is the least time for which a token that is sent must still be good: a call takes a while to get there, and clocks differ.
	margin = 10 * time.Second
	// limit bounds one renewal.
	limit = 30 * time.Second
	// The pause after a renewal that failed; it doubles with each failure in a row.
	firstPause, mostPause = 500 * time.Millisecond, 10 * time.Second
	// settled is how old a token must be before a service that refuses it makes us renew it: a fresh one that is refused lacks a permission.
	settled = 30 * time.Second
)

// Account says whose token it is.
type Account struct {
	// Credentials are the JSON of a service account's key file or of another file of credentials; empty asks the metadata server.
	Credentials string
}

// Config says how tokens are had. The zero value is right for programs.
type Config struct {
	// Transport carries the requests to token servers; nil is one of its own, which honours the proxies of the environment.
	Transport http.RoundTripper
	// Metadata is the address of the metadata server; empty is Google's usual one. It is asked directly, past any proxy.
	Metadata string
}

// Tokens keeps the tokens of all accounts. It is safe for concurrent use.
type Tokens struct {
	fetcher fetcher

	mu       sync.Mutex
	accounts map[Account]*Signer
	ended    bool
	renewing sync.WaitGroup
}

// New makes a keeper of tokens.
func New(c Config) *Tokens {
	return &Tokens{fetcher: newFetcher(c), accounts: map[Account]*Signer{}}
}

// Run ends the renewals when the context does, and waits for them.
func (t *Tokens) Run(ctx context.Context) error {
	<-ctx.Done()
	t.mu.Lock()
	t.ended = true
	for _, s := range t.accounts {
		s.stop()
	}
	t.mu.Unlock()
	t.renewing.Wait()
	return nil
}

// Signer gives the signer of an account, the same one each time, so that a reload keeps its token. It fails for credentials that can't be read.
func (t *Tokens) Signer(a Account) (*Signer, error) {
	if err := check(a); err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.accounts[a]
	if s == nil {
		s = &Signer{tokens: t, account: a}
		t.accounts[a] = s
	}
	return s, nil
}

// begin counts a renewal in, unless the program ends.
func (t *Tokens) begin() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return false
	}
	t.renewing.Add(1)
	return true
}

// token is an access token with its times.
type token struct {
	value          string
	made, goodTill time.Time
}

func (k *token) goodAt(at time.Time, spare time.Duration) bool {
	return k != nil && at.Add(spare).Before(k.goodTill)
}

// Signer puts an account's token on requests. It is safe for concurrent use.
type Signer struct {
	tokens  *Tokens
	account Account

	mu      sync.Mutex
	current *token
	renewal *renewal // under way; nil is none
	// failed counts renewals that failed in a row, cause is why the last one did. Before the time pause none is begun.
	failed int
	cause  error
	pause  time.Time
}

// renewal is one that is under way, or has ended when done is closed.
type renewal struct {
	done   chan struct{}
	cancel context.CancelFunc
	err    error // set before done is closed
}

// String hides the credentials.
func (*Signer) String() string { return "googletoken.Signer" }

// GoString hides the credentials.
func (s *Signer) GoString() string { return s.String() }

// Sign adds the header Authorization. It waits for a token, within the request's context, only where there is no good one.
func (s *Signer) Sign(r *http.Request, _ []byte, at time.Time) error {
	value, err := s.value(r.Context(), at)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+value)
	return nil
}

// Refused is told that a service answered 401 to a request, and says whether to sign it again: the token it carried is not used any more. A token that was
// just made is kept, so that a service which refuses every token is not the reason for one renewal after the other.
func (s *Signer) Refused(r *http.Request, at time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.current == nil || r.Header.Get("Authorization") != "Bearer "+s.current.value:
		return true // It is another one by now.
	case at.Sub(s.current.made) < settled:
		return false
	default:
		s.current = nil
		return true
	}
}

// value gives a good token.
func (s *Signer) value(ctx context.Context, at time.Time) (string, error) {
	s.mu.Lock()
	current, now := s.current, s.renewal
	if now == nil && !current.goodAt(at, early) && !at.Before(s.pause) {
		now = s.renew(ctx)
	}
	cause := s.cause
	s.mu.Unlock()
	switch {
	case current.goodAt(at, margin):
		return current.value, nil
	case now == nil:
		return "", cause
	}
	select {
	case <-now.done:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case now.err != nil:
		return "", now.err
	case s.current == nil:
		return "", errRefused
	default:
		return s.current.value, nil
	}
}

// errRefused is for the token that was refused before it was used.
var errRefused = errors.New("google: the service refuses the account's tokens")

// renew begins a renewal; the signer is locked. It outlives the request that was the first to need it.
func (s *Signer) renew(ctx context.Context) *renewal {
	n := &renewal{done: make(chan struct{}), cancel: func() {}}
	if !s.tokens.begin() {
		n.err = errEnded
		close(n.done)
		return n
	}
	ctx, n.cancel = context.WithTimeout(context.WithoutCancel(ctx), limit)
	s.renewal = n
	go func() {
		defer s.tokens.renewing.Done()
		defer n.cancel()
		made, err := s.tokens.fetcher.fetch(ctx, s.account)
		s.conclude(n, made, err)
	}()
	return n
}

var errEnded = errors.New("google: the program ends")

// conclude takes over what a renewal brought.
func (s *Signer) conclude(n *renewal, made *token, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.renewal = nil
	if n.err = err; err != nil {
		s.pause = time.Now().Add(min(mostPause, firstPause<<min(s.failed, 10)))
		s.failed, s.cause = s.failed+1, err
	} else {
		s.current, s.failed, s.cause, s.pause = made, 0, nil, time.Time{}
	}
	close(n.done)
}

// stop ends a renewal that is under way.
func (s *Signer) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.renewal != nil {
		s.renewal.cancel()
	}
}
