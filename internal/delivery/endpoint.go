package delivery

import (
	"slices"
	"time"

	"github.com/promptd/promptd/internal/key"
)

// EndpointID names an endpoint; ids sort by the time of creation.
type EndpointID string

// MostEndpoints is how many endpoints a team may have: each event is told to all that subscribe.
const MostEndpoints = 100

// RotationOverlap is how long the secret before a rotation signs too, so that a receiver can take the new one over without a gap.
const RotationOverlap = 24 * time.Hour

// Endpoint is a registered target of a team.
type Endpoint struct {
	ID   EndpointID
	Team key.TeamID
	URL  string
	// Events are those that it subscribes to; empty means all.
	Events []Event
	// Secret signs; Previous signs too until PreviousUntil, where that is not zero.
	Secret, Previous Secret
	PreviousUntil    time.Time
	// DisabledAt is when it was disabled, zero while it is enabled; DisabledWhy says by what.
	DisabledAt  time.Time
	DisabledWhy string
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// Why an endpoint is disabled.
const (
	DisabledByCaller = "disabled by a call of the API"
	DisabledByTarget = "the target answered 410 Gone"
)

// Secrets are those that sign at a time, the current one first.
func (e *Endpoint) Secrets(now time.Time) []Secret {
	if e.PreviousUntil.After(now) && !e.Previous.IsZero() {
		return []Secret{e.Secret, e.Previous}
	}
	return []Secret{e.Secret}
}

// Subscribes says whether it is told of an event.
func (e *Endpoint) Subscribes(event Event) bool {
	return event.Subscribable() && (len(e.Events) == 0 || slices.Contains(e.Events, event))
}

// Change is what a call of the API changes of an endpoint; nil leaves a thing as it is.
type Change struct {
	URL     *string
	Events  *[]Event
	Enabled *bool
}

// Apply changes an endpoint at a time. Enabling one takes the reason away that it was disabled for; a change that changes nothing of that keeps it.
func (c Change) Apply(e *Endpoint, at time.Time) {
	if c.URL != nil {
		e.URL = *c.URL
	}
	if c.Events != nil {
		e.Events = *c.Events
	}
	switch {
	case c.Enabled == nil:
	case *c.Enabled:
		e.DisabledAt, e.DisabledWhy = time.Time{}, ""
	case e.DisabledAt.IsZero():
		e.DisabledAt, e.DisabledWhy = at, DisabledByCaller
	}
	e.UpdatedAt = at
}
