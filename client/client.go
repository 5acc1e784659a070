// Package client is the Go client of a promptd server: typed requests and answers over its HTTP API.
//
// It is for programs that use promptd, and promptd's own command line is one of them. It is not for running promptd, and it judges nothing: an answer has
// passed the whole schema before it arrives, and what could not be made valid arrives as an [Error] that carries the problem document.
//
// The main type is [Client], made by [New] and safe for concurrent use:
//
//	c, err := client.New("http://127.0.0.1:8420", os.Getenv("PROMPTD_API_KEY"))
//	answer, err := c.Analyze(ctx, client.Request{Prompt: text, Schema: schema})
//	err = answer.Decode(&invoice)
//
// Contexts bound every call; the client adds no deadline of its own. It tries again only where a second try can do no harm: reads always, an analysis
// under an Idempotency-Key, and everything else only where the server surely did not begin (no connection, 429, 503).
package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Client calls one promptd server.
type Client struct {
	base    *url.URL
	key     string
	http    *http.Client
	agent   string
	retries int
	// pause waits between tries; tests replace it.
	pause func(context.Context, time.Duration) error
}

// Option changes how a Client works.
type Option func(*Client)

// WithHTTPClient sends requests through another HTTP client. It should have no Timeout where streams are read.
func WithHTTPClient(h *http.Client) Option { return func(c *Client) { c.http = h } }

// WithRetries sets how often a failed call is tried again at most; the default is 2, and 0 switches it off together with the Idempotency-Key of its own.
func WithRetries(n int) Option { return func(c *Client) { c.retries = max(n, 0) } }

// WithUserAgent sets the User-Agent header.
func WithUserAgent(agent string) Option { return func(c *Client) { c.agent = agent } }

const defaultRetries = 2

// New makes a Client for the server at an address such as http://127.0.0.1:8420. The key is empty where the server wants none.
func New(baseURL, apiKey string, options ...Option) (*Client, error) {
	base, err := url.Parse(strings.TrimRight(baseURL, "/"))
	switch {
	case err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "":
		return nil, fmt.Errorf("server address %q: write it as http://host:port or https://host", baseURL)
	case base.RawQuery != "" || base.Fragment != "" || base.User != nil:
		return nil, errors.New("server address: it must be a plain address without user, query and fragment")
	case strings.ContainsFunc(apiKey, func(r rune) bool { return r <= ' ' || r > '~' }):
		return nil, errors.New("API key: it holds characters that no key has; was it copied whole and alone?")
	}
	c := &Client{base: base, key: apiKey, http: &http.Client{}, agent: "promptd-go", retries: defaultRetries, pause: sleep}
	for _, o := range options {
		o(c)
	}
	return c, nil
}

// call is one call of the API.
type call struct {
	method, path string
	query        url.Values
	body         []byte
	header       http.Header
	// repeatable says that the server may get the call twice without harm.
	repeatable bool
	// stream says that the answer is a stream of events.
	stream bool
	// accept is what the answer may be where it is neither JSON nor such a stream.
	accept string
	// upload opens a body of the type media that is sent as it is read, once a try; single says that it can be read once.
	upload func() (io.Reader, error)
	media  string
	single bool
}

// mostAnswer bounds what is read of an answer that is not a stream.
const mostAnswer = 256 << 20

// do sends a call and gives the body of its answer.
func (c *Client) do(ctx context.Context, k call) ([]byte, error) {
	response, err := c.send(ctx, k)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close() //nolint:errcheck // Nothing can be done about it.
	return readAll(response.Body)
}

// fetch decodes the answer.
func fetch[T any](ctx context.Context, c *Client, k call) (T, error) {
	var out T
	raw, err := c.do(ctx, k)
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		return out, fmt.Errorf("%s %s: the answer is not what promptd sends: %w", k.method, k.path, err)
	}
	return out, nil
}

func readAll(r io.Reader) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r, mostAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the answer: %w", err)
	case len(raw) > mostAnswer:
		return nil, fmt.Errorf("read the answer: it is larger than %d bytes", mostAnswer)
	}
	return raw, nil
}

// send gives a successful answer with its body open, after as many tries as are safe.
func (c *Client) send(ctx context.Context, k call) (*http.Response, error) {
	for try := 0; ; try++ {
		response, err := c.once(ctx, k)
		if err == nil {
			return response, nil
		}
		wait, again := again(err, k.repeatable, try)
		if !again || k.single || try >= c.retries || ctx.Err() != nil {
			return nil, err
		}
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= wait {
			return nil, err // The wait would outlast the caller: what happened says more than a deadline.
		}
		if c.pause(ctx, wait) != nil {
			return nil, err
		}
	}
}

// once sends a call a single time.
func (c *Client) once(ctx context.Context, k call) (*http.Response, error) {
	target := *c.base
	target.Path = c.base.Path + k.path
	target.RawQuery = k.query.Encode()
	var body io.Reader
	media := "application/json"
	switch {
	case k.body != nil:
		body = bytes.NewReader(k.body)
	case k.upload != nil:
		var err error
		if body, err = k.upload(); err != nil {
			return nil, err
		}
		media = k.media
	}
	request, err := http.NewRequestWithContext(ctx, k.method, target.String(), body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", k.method, k.path, err)
	}
	for name, values := range k.header {
		request.Header[name] = values
	}
	if body != nil {
		request.Header.Set("Content-Type", media)
	}
	accept := cmp.Or(k.accept, "application/json")
	if k.stream {
		accept = "text/event-stream, application/problem+json"
	}
	request.Header.Set("Accept", accept)
	request.Header.Set("User-Agent", c.agent)
	if c.key != "" {
		request.Header.Set("Authorization", "Bearer "+c.key)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, unreachable(ctx, c.base.Redacted(), err)
	}
	if response.StatusCode >= http.StatusOK && response.StatusCode < http.StatusMultipleChoices {
		return response, nil
	}
	defer response.Body.Close() //nolint:errcheck // Nothing can be done about it.
	return nil, problem(response)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
