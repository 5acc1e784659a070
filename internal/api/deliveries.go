package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/promptd/promptd/internal/delivery"
	"github.com/promptd/promptd/internal/idempotency"
	"github.com/promptd/promptd/internal/key"
)

// Delivery is one message to one target as the API shows it.
type Delivery struct {
	ID         delivery.ID         `json:"id"`
	MessageID  delivery.MessageID  `json:"message_id" doc:"The webhook-id: the same for every target, attempt and replay."`
	Event      delivery.Event      `json:"event"`
	JobID      string              `json:"job_id,omitempty"`
	WebhookID  delivery.EndpointID `json:"webhook_id,omitempty" doc:"Left out where the URL came with the job."`
	URL        string              `json:"url" doc:"The target when the delivery was made; each attempt names its own."`
	Status     delivery.Status     `json:"status" enum:"pending,delivered,failed"`
	Attempts   int                 `json:"attempts" doc:"How many there were, those before a replay too."`
	LastStatus int                 `json:"last_status,omitempty" doc:"The HTTP status of the last answer."`
	LastError  delivery.ErrorKind  `json:"last_error,omitempty" doc:"What went wrong last, in one word."`
	At         time.Time           `json:"timestamp" doc:"When it happened."`
	CreatedAt  time.Time           `json:"created_at"`
	NextAt     time.Time           `json:"next_attempt_at,omitzero" doc:"Left out where it is over."`
	EndedAt    time.Time           `json:"ended_at,omitzero"`
	Log        []DeliveryAttempt   `json:"attempt_log,omitempty" doc:"The attempts, the oldest first, at most the last 200. Lists leave it out."`
}

// DeliveryAttempt is one try.
type DeliveryAttempt struct {
	N          int                `json:"n" minimum:"1"`
	At         time.Time          `json:"at"`
	URL        string             `json:"url"`
	DurationMS float64            `json:"duration_ms"`
	Status     int                `json:"status,omitempty" doc:"Left out where there was no answer."`
	Error      delivery.ErrorKind `json:"error,omitempty" doc:"Left out where the target took the message."`
	Detail     string             `json:"detail,omitempty"`
	Answer     string             `json:"answer,omitempty" doc:"The beginning of what the target said, at most 1 KiB."`
}

// Deliveries is a page of the log.
type Deliveries struct {
	Data       []Delivery      `json:"data"`
	NextCursor delivery.Cursor `json:"next_cursor,omitempty"`
}

func shownDelivery(d *delivery.Delivery) Delivery {
	return Delivery{
		ID: d.ID, MessageID: d.Message, Event: d.Event, JobID: d.Job, WebhookID: d.Endpoint, URL: d.URL, Status: d.Status, Attempts: d.Attempts,
		LastStatus: d.LastStatus, LastError: d.LastError, At: d.At, CreatedAt: d.CreatedAt, NextAt: d.NextAt, EndedAt: d.EndedAt,
	}
}

func shownAttempt(a *delivery.Attempt) DeliveryAttempt {
	return DeliveryAttempt{
		N: a.N, At: a.At, URL: a.URL, DurationMS: milliseconds(a.Took), Status: a.Status, Error: a.Error, Detail: a.Detail, Answer: a.Answer,
	}
}

// jsonAnswer is an answer that can be kept.
func jsonAnswer(status int, v any) (idempotency.Response, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return idempotency.Response{}, fmt.Errorf("encode an answer: %w", err)
	}
	return idempotency.Response{Status: status, ContentType: mediaJSON, Body: append(raw, '\n')}, nil
}

// isID says whether a text is an id of that kind.
func isID(text, mark string) bool {
	rest, ok := strings.CutPrefix(text, mark)
	return ok && len(rest) == 32 && strings.Trim(rest, "0123456789abcdef") == ""
}

// listDeliveries is GET /v1/deliveries.
func (s *Server) listDeliveries(c *call) error {
	q := c.query()
	f := delivery.Filter{Limit: q.number("limit", delivery.DefaultPage, 1, delivery.MostPage)}
	text := func(name string) string { s, _ := q.text(name); return s }
	f.Job, f.Endpoint, f.After = text("job"), delivery.EndpointID(text("webhook")), delivery.Cursor(text("cursor"))
	f.Status, f.Event = delivery.Status(q.enum("status", namesOf(delivery.Statuses())...)), delivery.Event(q.enum("event", namesOf(delivery.Events())...))
	if err := q.done(); err != nil {
		return err
	}
	list, next, err := s.deps.Webhooks.Log.Deliveries(c.r.Context(), key.OfTeam(c.caller.Team), f)
	if err != nil {
		return err
	}
	page := Deliveries{Data: make([]Delivery, 0, len(list)), NextCursor: next}
	for i := range list {
		page.Data = append(page.Data, shownDelivery(&list[i]))
	}
	return c.json(http.StatusOK, page)
}

// namesOf are words that a parameter takes; the empty one stands for all.
func namesOf[T ~string](words []T) []string {
	names := []string{""}
	for _, w := range words {
		names = append(names, string(w))
	}
	return names
}

// readDelivery is GET /v1/deliveries/{id}.
func (s *Server) readDelivery(c *call) error {
	d, attempts, err := s.deps.Webhooks.Log.Delivery(c.r.Context(), key.OfTeam(c.caller.Team), delivery.ID(c.r.PathValue("id")))
	if err != nil {
		return err
	}
	out := shownDelivery(&d)
	for i := range attempts {
		out.Log = append(out.Log, shownAttempt(&attempts[i]))
	}
	return c.json(http.StatusOK, out)
}

// redeliver is POST /v1/deliveries/{id}/redeliver.
func (s *Server) redeliver(c *call) error {
	asked, err := readAsked(c, true, readNothing)
	if err != nil {
		return err
	}
	return c.once(asked.name, asked.raw, func(ctx context.Context) (idempotency.Response, error) {
		d, err := s.deps.Webhooks.Redeliver(ctx, key.OfTeam(c.caller.Team), delivery.ID(c.r.PathValue("id")))
		if err != nil {
			return idempotency.Response{}, err
		}
		return jsonAnswer(http.StatusAccepted, shownDelivery(&d))
	})
}
