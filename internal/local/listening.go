package local

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
)

// askTimeout bounds the question to a port of this machine.
const askTimeout = 300 * time.Millisecond

// answerMax bounds what is read of an answer; a list of models is a few kilobytes.
const answerMax = 1 << 20

// listener is a place where a model server usually listens.
type listener struct {
	source, address string
}

func usualListeners() []listener {
	return []listener{{"ollama", "127.0.0.1:11434"}, {"llama-server", "127.0.0.1:8080"}, {"lm-studio", "127.0.0.1:1234"}}
}

// heard is what a listener answered: an endpoint, or why there is none.
type heard struct {
	listener

	endpoint Endpoint
	err      error
}

// listen asks all listeners at once and gives their answers in order.
func (l Look) listen(ctx context.Context) []heard {
	all := make([]heard, len(l.listeners))
	client := &http.Client{
		Timeout: askTimeout,
		// Never through a proxy: this is about this machine. Never kept alive: it is asked once.
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	var asked sync.WaitGroup
	for n, at := range l.listeners {
		all[n] = heard{listener: at}
		if slices.Contains(l.Own, at.address) {
			all[n].err = errOwn
			continue
		}
		asked.Go(func() { all[n].endpoint, all[n].err = ask(ctx, client, at) })
	}
	asked.Wait()
	return all
}

var errOwn = fmt.Errorf("that is promptd itself")

// models is the list that OpenAI-compatible servers answer.
type models struct {
	Data []struct {
		ID      string `json:"id"`
		OwnedBy string `json:"owned_by"`
	} `json:"data"`
}

func ask(ctx context.Context, client *http.Client, at listener) (Endpoint, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+at.address+"/v1/models", nil)
	if err != nil {
		return Endpoint{}, fmt.Errorf("ask %s: %w", at.address, err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return Endpoint{}, fmt.Errorf("nothing answers within %s: %w", askTimeout, bare(err))
	}
	defer resp.Body.Close()
	server := strings.ToLower(resp.Header.Get("Server"))
	switch {
	case strings.HasPrefix(server, "promptd"):
		// Promptd asking promptd would go round in circles.
		return Endpoint{}, errOwn
	case resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden:
		return Endpoint{}, fmt.Errorf("it wants a key: configure it as a provider with base_url http://%s", at.address)
	case resp.StatusCode != http.StatusOK:
		return Endpoint{}, fmt.Errorf("it answers status %d", resp.StatusCode)
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, answerMax))
	if err != nil {
		return Endpoint{}, fmt.Errorf("read its list of models: %w", bare(err))
	}
	return endpointOf(at, server, raw)
}

// endpointOf reads a list of models.
func endpointOf(at listener, server string, raw []byte) (Endpoint, error) {
	var list models
	if err := json.Unmarshal(raw, &list); err != nil {
		return Endpoint{}, fmt.Errorf("its answer is not a list of models")
	}
	for _, m := range list.Data {
		// Embedding models are listed beside those that write.
		if m.ID == "" || len(m.ID) > 200 || strings.ContainsFunc(m.ID, unicode.IsControl) || strings.Contains(strings.ToLower(m.ID), "embed") {
			continue
		}
		e := Endpoint{Source: at.source, Dialect: dialectOpenAI, BaseURL: "http://" + at.address + "/v1", Model: m.ID}
		if strings.HasPrefix(server, "llama.cpp") || m.OwnedBy == "llamacpp" {
			e.Dialect, e.BaseURL = dialectLlama, "http://"+at.address
		}
		return e, nil
	}
	return Endpoint{}, fmt.Errorf("it has no model that writes text")
}

// bare takes the address off an HTTP error, which the message names already.
func bare(err error) error {
	if u, ok := err.(*url.Error); ok { //nolint:errorlint // The client wraps exactly once; anything deeper is not the address.
		return u.Err
	}
	return err
}
