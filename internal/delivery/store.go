package delivery

import (
	"context"
	"errors"
	"time"

	"github.com/promptd/promptd/internal/key"
)

// ErrLeaseLost says that a delivery is not the lease's any more: nothing was written.
var ErrLeaseLost = errors.New("delivery: lease lost")

// Lane is what takes turns: the deliveries of one team to one host.
type Lane struct {
	Team key.TeamID
	Host string
}

// Store is what the [Sender] needs of a store. All methods may be called at the same time, by several processes; each is one transaction. Due times, leases and
// ages run by the clock of the store. A method that failed may have taken effect; calling it again is right.
//
// Deliveries are made by the store itself, in the transaction that ends a job, and by Announce: one for each (message, target), however often they are made.
type Store interface {
	// Due gives up to most lanes with deliveries that are due, in the order of their names, those behind a lane; the zero Lane begins.
	Due(ctx context.Context, after Lane, most int) ([]Lane, error)
	// Claim takes due deliveries of lanes, of each at most its number, the longest due first, under the token for the lease. One is never with two at once: a
	// delivery whose lease has ended is due again.
	Claim(ctx context.Context, token string, lease time.Duration, shares []Share) ([]Claimed, error)
	// Renew prolongs leases under the token and gives those that were lost.
	Renew(ctx context.Context, token string, ids []ID, lease time.Duration) (lost []ID, err error)
	// Keep writes the payload, before it is first sent. ErrLeaseLost where the token does not hold.
	Keep(ctx context.Context, token string, id ID, payload []byte) error
	// Record writes an attempt and what becomes of the delivery. ErrLeaseLost where the token does not hold, or does not any more because it was recorded.
	Record(ctx context.Context, token string, id ID, r Result) error
	// Announce makes the deliveries of messages to the endpoints that subscribe and were there when it happened, and moves a cursor on, which never goes back.
	Announce(ctx context.Context, cursor string, to int64, list []Message) (made int, err error)
	// Cursor reads one; 0 where it never moved.
	Cursor(ctx context.Context, name string) (int64, error)
	// Sweep does a portion of what is due by age: pending deliveries that were not claimed for longer than expire fail, and what ended longer ago than keep is
	// deleted with its attempts. It says how many of each.
	Sweep(ctx context.Context, expire, keep time.Duration, most int) (failed, deleted int, err error)
}

// Share is how many deliveries of a lane are wanted.
type Share struct {
	Lane Lane
	Most int
}

// Claimed is a delivery that was taken, with what is needed to send it.
type Claimed struct {
	ID       ID
	Message  Message
	Endpoint EndpointID
	// Missing says why the target cannot be told; empty where it can.
	Missing ErrorKind
	URL     string
	Secrets []Secret
	// Attempts counts those before, and Tries those since the delivery was made or replayed.
	Attempts, Tries int
	// Age is the time since the delivery was made or replayed, by the store's clock.
	Age time.Duration
}

// Result is what became of an attempt.
type Result struct {
	// Attempt is nil where nothing was sent. Its number is the store's to give.
	Attempt *Attempt
	Status  Status
	// Error is why a delivery failed, or is to be tried again.
	Error ErrorKind
	// Again is the wait until the next attempt, where Status is Pending.
	Again time.Duration
	// Disable disables the endpoint.
	Disable bool
}

// Registry keeps endpoints. All methods may be called at the same time, and see nothing outside the [key.Reach]: what lies outside is NOT_FOUND.
type Registry interface {
	// AddEndpoint keeps a new one; CONFLICT where the team has as many as it may.
	AddEndpoint(ctx context.Context, e Endpoint) error
	Endpoint(ctx context.Context, reach key.Reach, id EndpointID) (Endpoint, error)
	// Endpoints lists the newest first; an empty cursor begins, an empty next one ends.
	Endpoints(ctx context.Context, reach key.Reach, limit int, after Cursor) (list []Endpoint, next Cursor, err error)
	// ChangeEndpoint changes what is given, at a time. What is pending for it goes to the new URL. Enabling it takes the reason away that it was disabled for.
	ChangeEndpoint(ctx context.Context, reach key.Reach, id EndpointID, c Change, at time.Time) (Endpoint, error)
	// RotateSecret puts a secret in the place of the current one, which signs too until a time.
	RotateSecret(ctx context.Context, reach key.Reach, id EndpointID, s Secret, until, at time.Time) (Endpoint, error)
	// DeleteEndpoint removes it. What is pending for it fails when it is due; the log stays.
	DeleteEndpoint(ctx context.Context, reach key.Reach, id EndpointID) error
}

// Log is the deliveries as callers see them.
type Log interface {
	// Deliveries lists the newest first.
	Deliveries(ctx context.Context, reach key.Reach, f Filter) (list []Delivery, next Cursor, err error)
	// Delivery reads one with its attempts, the oldest first, at most MostAttempts of the newest.
	Delivery(ctx context.Context, reach key.Reach, id ID) (Delivery, []Attempt, error)
	// Redeliver makes one due again, with the whole of its time before it: the same message under the same webhook-id. One that is pending is due at once.
	Redeliver(ctx context.Context, reach key.Reach, id ID) (Delivery, error)
}

// MostAttempts is how many attempts Delivery gives.
const MostAttempts = 200

// Filter chooses deliveries.
type Filter struct {
	Job      string
	Endpoint EndpointID
	Status   Status
	Event    Event
	After    Cursor
	Limit    int
}

// Cursor is a place in a list.
type Cursor string

// The sizes of a page.
const (
	DefaultPage = 50
	MostPage    = 500
)
