package bulk

import (
	"context"
	"errors"
	"time"

	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/schema/lowering"
)

// Batch is a batch as it is kept.
type Batch struct {
	// Label is our own name of it, unlike any other for all times.
	Label string
	Stage Stage
	// Provider and Model name who is asked; Via marks the credential.
	Provider, Model, Via string
	// ID, InputFile, OutputFile and ErrorFile are the service's.
	ID, InputFile, OutputFile, ErrorFile string
	// Items counts the calls.
	Items int
	// Looks counts the looks since it was begun, Failures what went wrong in a row.
	Looks, Failures int
	// Cancelled says that its end was asked for.
	Cancelled bool
	// Owner is the process that holds what the items have reserved of budgets; empty where that was given back. Forfeited says that another one did and is gone:
	// what it held counts as spent, and what the items cost is not charged again.
	Owner     string
	Forfeited bool
	// Code says why it was given up; empty where it was not.
	Code string
	// CreatedAt is when it was first kept, by the store's clock; ExpiresAt is the service's, zero where it is not known.
	CreatedAt, ExpiresAt time.Time
}

// Stage says how far a batch is.
type Stage string

// The stages.
const (
	// Sending: it is being made; whether the service has it is not known.
	Sending Stage = "sending"
	// Open: the service has it.
	Open Stage = "open"
	// Closed: all of its items went on, one way or the other.
	Closed Stage = "closed"
)

// Item is a call of a batch, and the item of a job that it is for.
type Item struct {
	// N is the place in the batch, from 0.
	N     int
	Lease job.Lease
	Team  key.TeamID
	Key   key.ID
	// Mode is the structured output mode of the call.
	Mode lowering.Mode
	// Reserved is what is held of budgets for it.
	Reserved key.Nanos
}

// ID is the call's id at the service: the same for all times, and of no other item.
func (i *Item) ID() string { return callID(i.Lease.Job, i.Lease.N) }

// ErrLost says that a batch is not the holder's any more: nothing was written.
var ErrLost = errors.New("bulk: the batch is held by another process")

// Store keeps batches. All methods may be called at the same time, by several processes, and each is one transaction. Holds and due times run by the clock of the
// store. What is acknowledged is on disk.
type Store interface {
	// Keep writes a batch with its items before the service hears of it, held by the holder for the lease, and owned by it. An item of a job that was in a batch before is refused,
	// and with it all: the error is then ErrTried.
	Keep(ctx context.Context, b Batch, items []Item, holder string, lease time.Duration) error
	// Save writes what is known of a batch that the holder holds: all but its label, its items and CreatedAt. With a time for the next look it lets go of it.
	// Else it holds it for the lease from now. ErrLost where it is not the holder's.
	Save(ctx context.Context, b Batch, holder string, next, lease time.Duration) error
	// Hold prolongs the holder's lease; ErrLost where it is not the holder's.
	Hold(ctx context.Context, label, holder string, lease time.Duration) error
	// Take gives the holder batches that are not closed, due, and held by nobody whose lease lasts, the longest due first. Those of another owner it gives only when
	// they have been due for the lag: their owner takes them sooner, if it is there. Their Owner is as it was.
	Take(ctx context.Context, holder string, lease, lag time.Duration, most int) ([]Batch, error)
	// Owned gives the labels of the batches that are not closed and whose Owner it is. Leave makes it the Owner of none.
	Owned(ctx context.Context, owner string) ([]string, error)
	Leave(ctx context.Context, owner string) error
	// Items gives those items that were not ended, from a place on, in their order.
	Items(ctx context.Context, label string, from, most int) ([]Item, error)
	// End notes that items went on. Doing it again changes nothing.
	End(ctx context.Context, label string, places []int) error
	// Tried says whether an item of a job was ever in a batch.
	Tried(ctx context.Context, id job.ID, n int) (bool, error)
	// Forget deletes at most so many batches that were created longer ago than keep and are closed, with their items, and says how many.
	Forget(ctx context.Context, keep time.Duration, most int) (int, error)
}

// ErrTried says that an item was in a batch before.
var ErrTried = errors.New("bulk: the item was in a batch before")
