package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// Drop says what to take out of the cache: exactly one of its fields.
type Drop struct {
	// Schema is a name or name@version, Template a name, Key the cache_key of an answer.
	Schema, Template, Key string
	// All takes out everything of the team.
	All bool
}

// CacheStats are the figures of the team's part of the cache.
type CacheStats struct {
	Hits        uint64 `json:"hits"`
	Misses      uint64 `json:"misses"`
	Stores      uint64 `json:"stores"`
	Drops       uint64 `json:"drops"`
	Evictions   uint64 `json:"evictions"`
	Expirations uint64 `json:"expirations"`
	Entries     int64  `json:"entries"`
	Bytes       int64  `json:"bytes"`
	// MaxBytes is the bound of the whole cache; 0 where there is none or it is not known.
	MaxBytes int64 `json:"max_bytes"`
	// HitRatio is nil before the first lookup.
	HitRatio *float64 `json:"hit_ratio"`
}

// DropCache takes answers out of the cache and says how many.
func (c *Client) DropCache(ctx context.Context, d Drop) (int, error) {
	q := url.Values{}
	for name, value := range map[string]string{"schema": d.Schema, "template": d.Template, "key": d.Key} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if d.All {
		q.Set("all", "true")
	}
	if len(q) != 1 {
		return 0, errors.New("exactly one of schema, template, key or all says what to drop")
	}
	type dropped struct {
		Dropped int `json:"dropped"`
	}
	out, err := fetch[dropped](ctx, c, call{method: http.MethodDelete, path: "/v1/cache", query: q, repeatable: true})
	return out.Dropped, err
}

// CacheStats reads the cache's figures.
func (c *Client) CacheStats(ctx context.Context) (*CacheStats, error) {
	return fetch[*CacheStats](ctx, c, call{method: http.MethodGet, path: "/v1/cache/stats", repeatable: true})
}

// Me is who calls, and what is left.
type Me struct {
	ID     string   `json:"id"`
	Name   string   `json:"name"`
	Team   string   `json:"team"`
	Scopes []string `json:"scopes"`
	Models []string `json:"models"`
	// RateLimit is nil where the key has no limit of requests.
	RateLimit *RateLimit `json:"rate_limit"`
}

// RateLimit is what is left of a limit.
type RateLimit struct {
	PerHour   int `json:"per_hour"`
	Remaining int `json:"remaining"`
	// ResetSeconds is the time until the whole limit is there again.
	ResetSeconds float64 `json:"reset_seconds"`
}

// Me says who the key belongs to.
func (c *Client) Me(ctx context.Context) (*Me, error) {
	return fetch[*Me](ctx, c, call{method: http.MethodGet, path: "/v1/me", repeatable: true})
}

// Health is how the server and what it stands on are: status is ok, degraded or unavailable.
type Health struct {
	Status        string                `json:"status"`
	Version       string                `json:"version"`
	UptimeSeconds float64               `json:"uptime_seconds"`
	Dependencies  map[string]Dependency `json:"dependencies"`
}

// Dependency is how one of the things that promptd stands on is; Needed says that it cannot serve without it.
type Dependency struct {
	Status string  `json:"status"`
	Needed bool    `json:"needed"`
	TookMS float64 `json:"took_ms"`
}

// Health reads the server's health; no key is needed.
func (c *Client) Health(ctx context.Context) (*Health, error) {
	return fetch[*Health](ctx, c, call{method: http.MethodGet, path: "/v1/health", repeatable: true})
}

// Ready asks whether the server takes requests. Where it says no, the health says why and there is no error.
func (c *Client) Ready(ctx context.Context) (h *Health, ready bool, err error) {
	response, err := c.once(ctx, call{method: http.MethodGet, path: "/v1/health/ready"})
	var raw []byte
	var refused *Error
	switch {
	case err == nil:
		defer response.Body.Close() //nolint:errcheck // Nothing can be done about it.
		ready = true
		raw, err = readAll(response.Body)
	case errors.As(err, &refused) && refused.Status == http.StatusServiceUnavailable && refused.Raw != nil:
		raw, err = refused.Raw, nil
	}
	if err != nil {
		return nil, false, err
	}
	h = &Health{}
	if err := json.Unmarshal(raw, h); err != nil || h.Status == "" {
		return nil, false, fmt.Errorf("%s/v1/health/ready: the answer is not what promptd sends", c.base)
	}
	return h, ready, nil
}
