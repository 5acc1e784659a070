package delivery

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
)

// Hooks is what callers do with endpoints and the log. It is safe for concurrent use.
type Hooks struct {
	Registry  Registry
	Log       Log
	Transport Transport
	Policy    Policy
	// Random is the source of secrets; NewID gives UUIDs of version 7.
	Random io.Reader
	NewID  func() string
	// Now is the clock; nil means the real one. Wake is called when something is due; nil where nobody sends.
	Now  func() time.Time
	Wake func()
}

// Create registers an endpoint. Where no secret is given one is made. The endpoint that it gives holds the secret, to be shown this once.
func (h *Hooks) Create(ctx context.Context, team key.TeamID, url, secret string, events []string) (Endpoint, error) {
	checked, err := h.Policy.Check(url, "/url")
	if err != nil {
		return Endpoint{}, err
	}
	list, err := eventsOf(events)
	if err != nil {
		return Endpoint{}, err
	}
	s, err := h.secret(secret, "/secret")
	if err != nil {
		return Endpoint{}, err
	}
	e := Endpoint{ID: EndpointID("wh_" + strings.ReplaceAll(h.NewID(), "-", "")), Team: team, URL: checked, Events: list, Secret: s, CreatedAt: h.now()}
	e.UpdatedAt = e.CreatedAt
	if err := h.Registry.AddEndpoint(ctx, e); err != nil {
		return Endpoint{}, err
	}
	return e, nil
}

// eventsOf reads names of events; the same twice is once, and none is all.
func eventsOf(names []string) ([]Event, error) {
	var list []Event
	seen := map[Event]bool{}
	for i, name := range names {
		e := Event(name)
		if !e.Subscribable() {
			return nil, fault.Invalid(fmt.Sprintf("/events/%d", i), "enum", "events holds an event that does not exist", "Use any of "+eventNames()+", or leave events out for all.")
		}
		if !seen[e] {
			seen[e] = true
			list = append(list, e)
		}
	}
	return list, nil
}

func eventNames() string {
	names := make([]string, 0, len(Events()))
	for _, e := range Events() {
		names = append(names, string(e))
	}
	return strings.Join(names, ", ")
}

// secret reads a given secret or makes one.
func (h *Hooks) secret(text, pointer string) (Secret, error) {
	if text == "" {
		return NewSecret(h.Random)
	}
	s, err := ParseSecret(text)
	if err != nil {
		return Secret{}, fault.Invalid(pointer, "format", "the webhook's secret can't be used: "+err.Error(), "Leave it out, and promptd makes one; or write whsec_ and 24 to 64 random bytes in base64.")
	}
	return s, nil
}

// Change changes an endpoint. events is nil where they stay.
func (h *Hooks) Change(ctx context.Context, reach key.Reach, id EndpointID, url *string, events *[]string, enabled *bool) (Endpoint, error) {
	c := Change{Enabled: enabled}
	if url != nil {
		checked, err := h.Policy.Check(*url, "/url")
		if err != nil {
			return Endpoint{}, err
		}
		c.URL = &checked
	}
	if events != nil {
		list, err := eventsOf(*events)
		if err != nil {
			return Endpoint{}, err
		}
		c.Events = &list
	}
	return h.Registry.ChangeEndpoint(ctx, reach, id, c, h.now())
}

// Rotate gives an endpoint another secret, made or given, and shows it this once. The one before signs too for a day.
func (h *Hooks) Rotate(ctx context.Context, reach key.Reach, id EndpointID, secret string) (Endpoint, error) {
	s, err := h.secret(secret, "/secret")
	if err != nil {
		return Endpoint{}, err
	}
	return h.Registry.RotateSecret(ctx, reach, id, s, h.now().Add(RotationOverlap), h.now())
}

// Pong is what a target said to a ping.
type Pong struct {
	Message MessageID
	Attempt Attempt
}

// Ping sends an endpoint the event ping now, once, even while it is disabled. What the target says is the answer and no error; a ping is not in the log.
func (h *Hooks) Ping(ctx context.Context, reach key.Reach, id EndpointID) (Pong, error) {
	e, err := h.Registry.Endpoint(ctx, reach, id)
	if err != nil {
		return Pong{}, err
	}
	now := h.now()
	data, _ := json.Marshal(struct { //nolint:errcheck // A text alone.
		Webhook EndpointID `json:"webhook_id"`
	}{e.ID})
	m := Message{ID: MessageID("msg_ping_" + strings.ReplaceAll(h.NewID(), "-", "")), Team: e.Team, Event: Ping, At: now, Payload: Envelope(Ping, now, data)}
	answer, err := h.Transport.Send(ctx, Request{URL: e.URL, Header: headers(&m, now, e.Secrets(now)), Body: m.Payload})
	if ctx.Err() != nil {
		return Pong{}, fmt.Errorf("ping %s: %w", e.ID, ctx.Err())
	}
	a, _ := judge(e.URL, answer, err)
	a.N, a.At, a.Took = 1, now, h.now().Sub(now)
	return Pong{m.ID, *a}, nil
}

// Redeliver makes a delivery due again. One whose endpoint cannot be told is a CONFLICT.
func (h *Hooks) Redeliver(ctx context.Context, reach key.Reach, id ID) (Delivery, error) {
	d, _, err := h.Log.Delivery(ctx, reach, id)
	if err != nil {
		return Delivery{}, err
	}
	if d.Endpoint != "" {
		e, err := h.Registry.Endpoint(ctx, key.OfTeam(d.Team), d.Endpoint)
		switch {
		case fault.Is(err, fault.NotFound):
			return Delivery{}, conflict("Register the URL again; what happened before is not sent to it.", "the webhook %s, which this delivery was for, was deleted", d.Endpoint)
		case err != nil:
			return Delivery{}, err
		case !e.DisabledAt.IsZero():
			return Delivery{}, conflict("Enable it first: PATCH /v1/webhooks/{id} with {\"enabled\": true}.", "the webhook %s is disabled: %s", e.ID, e.DisabledWhy)
		}
	}
	if d, err = h.Log.Redeliver(ctx, reach, id); err == nil && h.Wake != nil {
		h.Wake()
	}
	return d, err
}

func conflict(remedy, format string, args ...any) error {
	f := fault.New(fault.Conflict, format, args...)
	f.Remediation = remedy
	return f
}

// Aim checks the target that a job asks for, at the pointer of its webhook. made is the secret that was made because the caller gave a URL alone: messages are
// always signed, and the caller is to be shown it once. The zero Target stays what it is: who subscribes is told.
func (h *Hooks) Aim(ctx context.Context, team key.TeamID, asked Target, pointer string) (to Target, made string, err error) {
	switch {
	case asked.Endpoint != "" && (asked.URL != "" || asked.Secret != ""):
		return Target{}, "", fault.Invalid(pointer, "oneOf", "webhook has an id and a url or secret", "Name a registered webhook by its id, or give url and secret.")
	case asked.Endpoint != "":
		e, err := h.Registry.Endpoint(ctx, key.OfTeam(team), asked.Endpoint)
		if fault.Is(err, fault.NotFound) {
			return Target{}, "", fault.Invalid(pointer+"/id", "exists", "there is no webhook of that id", "promptd webhooks list shows those of your team.")
		}
		if err == nil && !e.DisabledAt.IsZero() {
			err = fault.Invalid(pointer+"/id", "enabled", "the webhook is disabled: "+e.DisabledWhy, "Enable it first: PATCH /v1/webhooks/{id} with {\"enabled\": true}.")
		}
		return Target{Endpoint: asked.Endpoint}, "", err
	case asked.URL == "" && asked.Secret != "":
		return Target{}, "", fault.Invalid(pointer+"/url", "required", "webhook has a secret and no url", "Give the https URL that messages are sent to.")
	case asked.URL == "":
		return Target{}, "", nil
	}
	url, urlErr := h.Policy.Check(asked.URL, pointer+"/url")
	s, secretErr := h.secret(asked.Secret, pointer+"/secret")
	if err := cmp.Or(urlErr, secretErr); err != nil {
		return Target{}, "", err
	}
	if asked.Secret == "" {
		made = s.Reveal()
	}
	return Target{URL: url, Secret: s.Reveal()}, made, nil
}

// now gives the time in the precision that every store keeps.
func (h *Hooks) now() time.Time {
	now := time.Now
	if h.Now != nil {
		now = h.Now
	}
	return now().UTC().Truncate(time.Microsecond)
}
