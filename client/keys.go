package client

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Key is an API key as the server shows it, without its secret.
type Key struct {
	ID     string   `json:"id"`
	Name   string   `json:"name"`
	Team   string   `json:"team"`
	Scopes []string `json:"scopes"`
	// Prefix is the beginning of the secret, by which its owner recognises it.
	Prefix string `json:"prefix"`
	// RateLimitPerHour is nil where the server's default holds, and 0 where there is no limit.
	RateLimitPerHour *int `json:"rate_limit_per_hour"`
	// TokensPerMinute and MaxConcurrency are 0 where there is no limit.
	TokensPerMinute int      `json:"tokens_per_minute"`
	MaxConcurrency  int      `json:"max_concurrency"`
	PromptChars     int      `json:"prompt_chars,omitempty"`
	Models          []string `json:"models"`
	// Budget is nil where there is none.
	Budget    *Budget   `json:"budget"`
	CreatedAt time.Time `json:"created_at"`
	// The times below are zero where the thing has not happened or never will.
	ExpiresAt  time.Time `json:"expires_at,omitzero"`
	RevokedAt  time.Time `json:"revoked_at,omitzero"`
	LastUsedAt time.Time `json:"last_used_at,omitzero"`
}

// Issued is a key with its secret, which is shown this once.
type Issued struct {
	Key
	Secret string `json:"key"`
}

// KeyRequest says which key to make. What is empty has the server's default.
type KeyRequest struct {
	Name   string   `json:"name"`
	Team   string   `json:"team,omitempty"`
	Scopes []string `json:"scopes,omitempty"`
	// RateLimitPerHour is 0 for no limit.
	RateLimitPerHour *int `json:"rate_limit_per_hour,omitempty"`
	// TokensPerMinute and MaxConcurrency are 0 for no limit, Budget is nil for none.
	TokensPerMinute int       `json:"tokens_per_minute,omitempty"`
	MaxConcurrency  int       `json:"max_concurrency,omitempty"`
	Budget          *Budget   `json:"budget,omitempty"`
	PromptChars     int       `json:"prompt_chars,omitempty"`
	Models          []string  `json:"models,omitempty"`
	ExpiresAt       time.Time `json:"expires_at,omitzero"`
}

// Page chooses a page of a list: Limit 0 is the server's default, an empty Cursor begins.
type Page struct {
	Limit  int
	Cursor string
}

func (p Page) query() url.Values {
	q := url.Values{}
	if p.Limit > 0 {
		q.Set("limit", strconv.Itoa(p.Limit))
	}
	if p.Cursor != "" {
		q.Set("cursor", p.Cursor)
	}
	return q
}

// List is a page of a list; an empty NextCursor ends it.
type List[T any] struct {
	Data       []T    `json:"data"`
	NextCursor string `json:"next_cursor,omitempty"`
}

// CreateKey makes a key; it needs the scope admin.
func (c *Client) CreateKey(ctx context.Context, r KeyRequest) (*Issued, error) {
	body, err := encode(r)
	if err != nil {
		return nil, err
	}
	return fetch[*Issued](ctx, c, call{method: http.MethodPost, path: "/v1/keys", body: body})
}

// ListKeys reads a page of keys, the newest first.
func (c *Client) ListKeys(ctx context.Context, p Page) (*List[Key], error) {
	return fetch[*List[Key]](ctx, c, call{method: http.MethodGet, path: "/v1/keys", query: p.query(), repeatable: true})
}

// Keys reads every key, page by page.
func (c *Client) Keys(ctx context.Context) iter.Seq2[Key, error] { return every(ctx, c.ListKeys) }

// RotateKey gives a key another secret. The one before ends after the grace.
func (c *Client) RotateKey(ctx context.Context, id string, grace time.Duration) (*Issued, error) {
	body, err := encode(map[string]int64{"grace_seconds": int64(grace / time.Second)})
	if err != nil {
		return nil, err
	}
	path, err := pathOf("/v1/keys", id, "/rotate")
	if err != nil {
		return nil, err
	}
	return fetch[*Issued](ctx, c, call{method: http.MethodPost, path: path, body: body})
}

// RevokeKey ends a key for good.
func (c *Client) RevokeKey(ctx context.Context, id string) error {
	path, err := pathOf("/v1/keys", id, "")
	if err != nil {
		return err
	}
	_, err = c.do(ctx, call{method: http.MethodDelete, path: path, repeatable: true})
	return err
}

// pathOf puts an id into a path. Ids of promptd hold letters, digits and some marks; anything else would be another path.
func pathOf(before, id, after string) (string, error) {
	for i := range len(id) {
		switch ch := id[i]; {
		case ch >= 'a' && ch <= 'z', ch >= 'A' && ch <= 'Z', ch >= '0' && ch <= '9', ch == '-', ch == '_', ch == '~', ch == '.' && i > 0:
		default:
			return "", fmt.Errorf("%q is not an id that promptd gives", id)
		}
	}
	if id == "" {
		return "", fmt.Errorf("the id is empty")
	}
	return before + "/" + id + after, nil
}

// every reads a list to its end.
func every[T any](ctx context.Context, read func(context.Context, Page) (*List[T], error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		page := Page{}
		for {
			list, err := read(ctx, page)
			if err != nil {
				yield(zero, err)
				return
			}
			for _, one := range list.Data {
				if !yield(one, nil) {
					return
				}
			}
			if list.NextCursor == "" {
				return
			}
			page.Cursor = list.NextCursor
		}
	}
}
