package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// Webhook is a registered endpoint.
type Webhook struct {
	ID   string `json:"id"`
	Team string `json:"team"`
	URL  string `json:"url"`
	// Events are those that it is told of; empty means all.
	Events  []string `json:"events"`
	Enabled bool     `json:"enabled"`
	// DisabledAt and DisabledReason are there where it is not enabled.
	DisabledAt     time.Time `json:"disabled_at,omitzero"`
	DisabledReason string    `json:"disabled_reason,omitempty"`
	// PreviousUntil is how long the secret before the last rotation signs too; zero where none does.
	PreviousUntil time.Time `json:"previous_secret_until,omitzero"`
	CreatedAt     time.Time `json:"created_at"`
	UpdatedAt     time.Time `json:"updated_at"`
	// Secret is shown when it was made, and never again.
	Secret string `json:"secret,omitempty"`
}

// WebhookRequest says which endpoint to register. Without a secret the server makes one; without events all are told.
type WebhookRequest struct {
	URL    string   `json:"url"`
	Secret string   `json:"secret,omitempty"`
	Events []string `json:"events,omitempty"`
}

// WebhookChange says what to change of an endpoint; nil leaves a thing as it is.
type WebhookChange struct {
	URL     *string   `json:"url,omitempty"`
	Events  *[]string `json:"events,omitempty"`
	Enabled *bool     `json:"enabled,omitempty"`
}

// WebhookPing is what an endpoint said to a test message.
type WebhookPing struct {
	MessageID string `json:"message_id"`
	// Delivered says that it took the message: any status from 200 to 299.
	Delivered bool            `json:"delivered"`
	Attempt   DeliveryAttempt `json:"attempt"`
}

// Delivery is one message to one endpoint.
type Delivery struct {
	ID        string `json:"id"`
	MessageID string `json:"message_id"`
	Event     string `json:"event"`
	JobID     string `json:"job_id,omitempty"`
	// WebhookID is empty where the URL came with the job.
	WebhookID string `json:"webhook_id,omitempty"`
	URL       string `json:"url"`
	// Status is pending, delivered or failed.
	Status     string    `json:"status"`
	Attempts   int       `json:"attempts"`
	LastStatus int       `json:"last_status,omitempty"`
	LastError  string    `json:"last_error,omitempty"`
	At         time.Time `json:"timestamp"`
	CreatedAt  time.Time `json:"created_at"`
	NextAt     time.Time `json:"next_attempt_at,omitzero"`
	EndedAt    time.Time `json:"ended_at,omitzero"`
	// Log holds the attempts; lists leave it out.
	Log []DeliveryAttempt `json:"attempt_log,omitempty"`
}

// DeliveryAttempt is one try of a delivery.
type DeliveryAttempt struct {
	N          int       `json:"n"`
	At         time.Time `json:"at"`
	URL        string    `json:"url"`
	DurationMS float64   `json:"duration_ms"`
	// Status is 0 where there was no answer.
	Status int    `json:"status,omitempty"`
	Error  string `json:"error,omitempty"`
	Detail string `json:"detail,omitempty"`
	// Answer is the beginning of what the endpoint said.
	Answer string `json:"answer,omitempty"`
}

// CreateWebhook registers an endpoint; the answer shows its secret, this once.
func (c *Client) CreateWebhook(ctx context.Context, r WebhookRequest) (*Webhook, error) {
	body, err := encode(r)
	if err != nil {
		return nil, err
	}
	return fetch[*Webhook](ctx, c, call{method: http.MethodPost, path: "/v1/webhooks", body: body})
}

// ListWebhooks reads a page of endpoints, the newest first.
func (c *Client) ListWebhooks(ctx context.Context, p Page) (*List[Webhook], error) {
	return fetch[*List[Webhook]](ctx, c, call{method: http.MethodGet, path: "/v1/webhooks", query: p.query(), repeatable: true})
}

// Webhooks reads every endpoint, page by page.
func (c *Client) Webhooks(ctx context.Context) iter.Seq2[Webhook, error] {
	return every(ctx, c.ListWebhooks)
}

// Webhook reads one endpoint.
func (c *Client) Webhook(ctx context.Context, id string) (*Webhook, error) {
	return withID[*Webhook](ctx, c, http.MethodGet, "/v1/webhooks", id, "", nil)
}

// ChangeWebhook changes an endpoint.
func (c *Client) ChangeWebhook(ctx context.Context, id string, change WebhookChange) (*Webhook, error) {
	return withID[*Webhook](ctx, c, http.MethodPatch, "/v1/webhooks", id, "", change)
}

// DeleteWebhook removes an endpoint. What is pending for it is not delivered.
func (c *Client) DeleteWebhook(ctx context.Context, id string) error {
	path, err := pathOf("/v1/webhooks", id, "")
	if err != nil {
		return err
	}
	_, err = c.do(ctx, call{method: http.MethodDelete, path: path, repeatable: true})
	return err
}

// RotateWebhook gives an endpoint another secret, shown this once; an empty one is made by the server. The one before signs too for 24 hours.
func (c *Client) RotateWebhook(ctx context.Context, id, secret string) (*Webhook, error) {
	body := map[string]string{}
	if secret != "" {
		body["secret"] = secret
	}
	return withID[*Webhook](ctx, c, http.MethodPost, "/v1/webhooks", id, "/rotate", body)
}

// PingWebhook sends an endpoint a test message now. What the endpoint says is the answer, and no error.
func (c *Client) PingWebhook(ctx context.Context, id string) (*WebhookPing, error) {
	return withID[*WebhookPing](ctx, c, http.MethodPost, "/v1/webhooks", id, "/ping", map[string]string{})
}

// DeliveryFilter chooses deliveries; empty fields choose all.
type DeliveryFilter struct {
	Page
	Job, Webhook, Status, Event string
}

func (f DeliveryFilter) query() url.Values {
	q := f.Page.query()
	for name, value := range map[string]string{"job": f.Job, "webhook": f.Webhook, "status": f.Status, "event": f.Event} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q
}

// ListDeliveries reads a page of deliveries, the newest first.
func (c *Client) ListDeliveries(ctx context.Context, f DeliveryFilter) (*List[Delivery], error) {
	return fetch[*List[Delivery]](ctx, c, call{method: http.MethodGet, path: "/v1/deliveries", query: f.query(), repeatable: true})
}

// Deliveries reads deliveries, page by page.
func (c *Client) Deliveries(ctx context.Context, f DeliveryFilter) iter.Seq2[Delivery, error] {
	return every(ctx, func(ctx context.Context, p Page) (*List[Delivery], error) {
		f.Cursor = p.Cursor
		return c.ListDeliveries(ctx, f)
	})
}

// Delivery reads one with its attempts.
func (c *Client) Delivery(ctx context.Context, id string) (*Delivery, error) {
	return withID[*Delivery](ctx, c, http.MethodGet, "/v1/deliveries", id, "", nil)
}

// Redeliver makes a delivery due again: the same message, under the same webhook-id.
func (c *Client) Redeliver(ctx context.Context, id string) (*Delivery, error) {
	return withID[*Delivery](ctx, c, http.MethodPost, "/v1/deliveries", id, "/redeliver", map[string]string{})
}

// withID calls a path that holds an id; a nil body is none.
func withID[T any](ctx context.Context, c *Client, method, before, id, after string, body any) (T, error) {
	var zero T
	path, err := pathOf(before, id, after)
	if err != nil {
		return zero, err
	}
	k := call{method: method, path: path, repeatable: method == http.MethodGet || method == http.MethodPatch}
	if body != nil {
		if k.body, err = encode(body); err != nil {
			return zero, err
		}
	}
	return fetch[T](ctx, c, k)
}
