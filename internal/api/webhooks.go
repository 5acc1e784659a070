package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/promptd/promptd/internal/body"
	"github.com/promptd/promptd/internal/delivery"
	"github.com/promptd/promptd/internal/idempotency"
	"github.com/promptd/promptd/internal/key"
)

// Webhook is a registered endpoint as the API shows it, without its secret.
type Webhook struct {
	ID             delivery.EndpointID `json:"id"`
	Team           key.TeamID          `json:"team"`
	URL            string              `json:"url"`
	Events         []delivery.Event    `json:"events" doc:"What it is told of; empty is everything."`
	Enabled        bool                `json:"enabled"`
	DisabledAt     time.Time           `json:"disabled_at,omitzero" doc:"Left out while it is enabled."`
	DisabledReason string              `json:"disabled_reason,omitempty" doc:"Whether a call disabled it, or the target by answering 410."`
	PreviousUntil  time.Time           `json:"previous_secret_until,omitzero" doc:"How long the secret before the last rotation signs too; left out where none does."`
	CreatedAt      time.Time           `json:"created_at"`
	UpdatedAt      time.Time           `json:"updated_at"`
}

// WebhookWithSecret is the answer that shows an endpoint's secret, once.
type WebhookWithSecret struct {
	Webhook
	Secret string `json:"secret" doc:"What messages are signed with. It is shown this once."`
}

// Webhooks is a page of endpoints.
type Webhooks struct {
	Data       []Webhook       `json:"data"`
	NextCursor delivery.Cursor `json:"next_cursor,omitempty"`
}

// WebhookPing is what a target said to a test message.
type WebhookPing struct {
	MessageID delivery.MessageID `json:"message_id" doc:"The webhook-id that it was sent under."`
	Delivered bool               `json:"delivered" doc:"Whether the target took it: any status from 200 to 299."`
	Attempt   DeliveryAttempt    `json:"attempt"`
}

func shownWebhook(e *delivery.Endpoint) Webhook {
	w := Webhook{
		ID: e.ID, Team: e.Team, URL: e.URL, Events: append([]delivery.Event{}, e.Events...), Enabled: e.DisabledAt.IsZero(), DisabledAt: e.DisabledAt,
		DisabledReason: e.DisabledWhy, CreatedAt: e.CreatedAt, UpdatedAt: e.UpdatedAt,
	}
	if e.PreviousUntil.After(time.Now()) {
		w.PreviousUntil = e.PreviousUntil
	}
	return w
}

// showSecret answers with an endpoint and its secret.
func showSecret(status int, e *delivery.Endpoint) (idempotency.Response, error) {
	raw, err := json.Marshal(WebhookWithSecret{shownWebhook(e), e.Secret.Reveal()})
	if err != nil {
		return idempotency.Response{}, fmt.Errorf("encode a webhook: %w", err)
	}
	return idempotency.Response{Status: status, ContentType: mediaJSON, Body: append(raw, '\n')}, nil
}

// newWebhook is what POST /v1/webhooks asks for.
type newWebhook struct {
	url, secret string
	events      []string
}

func readNewWebhook(r *body.Reader) (newWebhook, error) {
	w := newWebhook{url: r.String("url", ""), secret: r.Nullable("secret"), events: r.Strings("events")}
	if _, given := r.Value("url"); !given {
		r.Fault("url", "required", "url is missing", "Give the https URL that messages are sent to.")
	}
	return w, r.Done()
}

// createWebhook is POST /v1/webhooks.
func (s *Server) createWebhook(c *call) error {
	asked, err := readAsked(c, false, readNewWebhook)
	if err != nil {
		return err
	}
	return c.onceHidden(asked.name, asked.raw, func(ctx context.Context) (idempotency.Response, error) {
		e, err := s.deps.Webhooks.Create(ctx, c.caller.Team, asked.what.url, asked.what.secret, asked.what.events)
		if err != nil {
			return idempotency.Response{}, err
		}
		return showSecret(http.StatusCreated, &e)
	})
}

// listWebhooks is GET /v1/webhooks.
func (s *Server) listWebhooks(c *call) error {
	q := c.query()
	most := q.number("limit", delivery.DefaultPage, 1, delivery.MostPage)
	cursor, _ := q.text("cursor")
	if cursor != "" && !isID(cursor, "wh_") {
		q.fault("cursor", "cursor", "it is not one that promptd gave", "Send next_cursor unchanged, or none to begin.")
	}
	if err := q.done(); err != nil {
		return err
	}
	list, next, err := s.deps.Webhooks.Registry.Endpoints(c.r.Context(), key.OfTeam(c.caller.Team), most, delivery.Cursor(cursor))
	if err != nil {
		return err
	}
	page := Webhooks{Data: make([]Webhook, 0, len(list)), NextCursor: next}
	for i := range list {
		page.Data = append(page.Data, shownWebhook(&list[i]))
	}
	return c.json(http.StatusOK, page)
}

// webhookID is the endpoint that the path names.
func (c *call) webhookID() delivery.EndpointID { return delivery.EndpointID(c.r.PathValue("id")) }

// readWebhook is GET /v1/webhooks/{id}.
func (s *Server) readWebhook(c *call) error {
	e, err := s.deps.Webhooks.Registry.Endpoint(c.r.Context(), key.OfTeam(c.caller.Team), c.webhookID())
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, shownWebhook(&e))
}

// changeWebhook is PATCH /v1/webhooks/{id}.
func (s *Server) changeWebhook(c *call) error {
	r, _, err := c.object(false)
	if err != nil {
		return err
	}
	var url *string
	var events *[]string
	var enabled *bool
	if _, given := r.Value("url"); given {
		url = new(r.String("url", ""))
	}
	if _, given := r.Value("events"); given {
		events = new(r.Strings("events"))
	}
	if _, given := r.Value("enabled"); given {
		enabled = new(r.Bool("enabled", true))
	}
	if _, given := r.Value("secret"); given {
		r.Fault("secret", "immutable", "the secret can't be changed in place: a receiver would refuse what is signed with another", "POST /v1/webhooks/{id}/rotate takes one, and both sign for 24 hours.")
	}
	if err := r.Done(); err != nil {
		return err
	}
	e, err := s.deps.Webhooks.Change(c.r.Context(), key.OfTeam(c.caller.Team), c.webhookID(), url, events, enabled)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, shownWebhook(&e))
}

// deleteWebhook is DELETE /v1/webhooks/{id}.
func (s *Server) deleteWebhook(c *call) error {
	if err := s.deps.Webhooks.Registry.DeleteEndpoint(c.r.Context(), key.OfTeam(c.caller.Team), c.webhookID()); err != nil {
		return err
	}
	return c.empty()
}

func readSecret(r *body.Reader) (string, error) {
	secret := r.Nullable("secret")
	return secret, r.Done()
}

// rotateWebhook is POST /v1/webhooks/{id}/rotate.
func (s *Server) rotateWebhook(c *call) error {
	asked, err := readAsked(c, true, readSecret)
	if err != nil {
		return err
	}
	return c.onceHidden(asked.name, asked.raw, func(ctx context.Context) (idempotency.Response, error) {
		e, err := s.deps.Webhooks.Rotate(ctx, key.OfTeam(c.caller.Team), c.webhookID(), asked.what)
		if err != nil {
			return idempotency.Response{}, err
		}
		return showSecret(http.StatusOK, &e)
	})
}

// pingWebhook is POST /v1/webhooks/{id}/ping.
func (s *Server) pingWebhook(c *call) error {
	asked, err := readAsked(c, true, readNothing)
	if err != nil {
		return err
	}
	return c.once(asked.name, asked.raw, func(ctx context.Context) (idempotency.Response, error) {
		pong, err := s.deps.Webhooks.Ping(ctx, key.OfTeam(c.caller.Team), c.webhookID())
		if err != nil {
			return idempotency.Response{}, err
		}
		return jsonAnswer(http.StatusOK, WebhookPing{MessageID: pong.Message, Delivered: pong.Attempt.Error == "", Attempt: shownAttempt(&pong.Attempt)})
	})
}
