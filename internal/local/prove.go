package local

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// prove waits until a server is healthy and makes sure that it is our child: only that one knows the key that we made, and lets nobody else in. A
// healthy answer alone was once given by another program on the port.
func prove(ctx context.Context, e Endpoint, every time.Duration) error {
	client := &http.Client{
		Timeout:       5 * time.Second,
		Transport:     &http.Transport{DisableKeepAlives: true}, // No proxy: this is loopback.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		// An answer of 503 means that the model is still loading; no answer, that the port is not open yet.
		if code, err := status(ctx, client, e.BaseURL+"/health", e.APIKey); err == nil && code == http.StatusOK {
			break
		}
		select {
		case <-ctx.Done():
			return unavailable("Try again on a less busy machine.", "the local model's server did not become healthy").Because(ctx.Err())
		case <-tick.C:
		}
	}
	with, err := status(ctx, client, e.BaseURL+"/props", e.APIKey)
	if err != nil {
		return unavailable(wayOut, "the local model's server does not answer").Because(err)
	}
	without, err := status(ctx, client, e.BaseURL+"/props", "")
	if err != nil {
		return unavailable(wayOut, "the local model's server does not answer").Because(err)
	}
	if with != http.StatusOK || without != http.StatusUnauthorized {
		return unavailable("Find what else listens there.", "another server answers at %s, where the local model should", e.BaseURL)
	}
	return nil
}

// status asks for a page and gives the answer's status alone.
func status(ctx context.Context, client *http.Client, url, key string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, fmt.Errorf("ask the local model's server: %w", err)
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("ask the local model's server: %w", bare(err))
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, answerMax)); err != nil {
		return 0, fmt.Errorf("read from the local model's server: %w", bare(err))
	}
	return resp.StatusCode, nil
}
