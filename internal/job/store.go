package job

import (
	"context"
	"errors"
	"time"

	"github.com/promptd/promptd/internal/key"
)

// The errors of a store that callers tell apart.
var (
	// ErrNotFound says that there is no such job within reach.
	ErrNotFound = errors.New("job: not found")
	// ErrLeaseLost says that the item is not the lease's any more: nothing was written.
	ErrLeaseLost = errors.New("job: lease lost")
	// ErrConflict says that the idempotency key was used for something else.
	ErrConflict = errors.New("job: idempotency key used for another body")
	// ErrIncomplete says that items of an upload are missing.
	ErrIncomplete = errors.New("job: items of the upload are missing")
	// ErrFinal says that the job is over, ErrNotFinal that it is not.
	ErrFinal    = errors.New("job: already over")
	ErrNotFinal = errors.New("job: not over yet")
)

// Store keeps jobs. All methods may be called at the same time, by several processes. Each is one transaction, or a few of which each leaves the store right: a
// crash between any two writes loses nothing that was acknowledged and shows nothing half. Leases, deadlines and due times run by the clock of the store, not by that of a process. A
// method that failed may have taken effect; calling it again is right. What is acknowledged is on disk.
type Store interface {
	// Submit keeps jobs with their items, all of them or none, and gives each as it is kept. One whose idempotency key the team has used within
	// the last day for the same hash gives the first job; for another hash its own error is ErrConflict. Jobs of one call may share a key.
	Submit(ctx context.Context, list []Submission) ([]Submitted, error)
	// Begin keeps a job whose items follow by Append, under numbers that the caller counts on, and that nobody sees before Seal has made it Pending. Append of numbers that
	// are there changes nothing. Seal is the acknowledgement; it answers as Submit does, by the hash that is known by then, and ErrIncomplete where not each of the numbers
	// from 0 to total is there once. An upload to which nothing was added for a time is deleted by Reap; then Append and Seal are ErrNotFound.
	Begin(ctx context.Context, s Submission) error
	Append(ctx context.Context, id ID, items []Item) error
	Seal(ctx context.Context, id ID, total int, hash [32]byte) (Submitted, error)

	Queue
	Reader

	// Cancel ends a job and every item that has not ended, at once: whoever holds one has lost its lease. The event is written in the same transaction.
	// A job that is over is ErrFinal and given as it is.
	Cancel(ctx context.Context, reach key.Reach, id ID) (Job, error)
	// Retry makes the failed and cancelled items of a job that is over pending again, as its next run: due at once, and with a deadline Patience from now. ErrNotFinal where it is not over, ErrFinal where nothing
	// failed or the results are gone.
	Retry(ctx context.Context, reach key.Reach, id ID) (Job, error)
	// Reap does a portion of what is due by time, and says what: items whose lease has ended are pending again, or failed where their worker was lost Policy.MostAttempts times (poison: such an item must
	// not take one worker after the other down); jobs that nothing of was begun at their deadline are expired; results, rows, and uploads that were given up are deleted. It may be called by several at
	// once.
	Reap(ctx context.Context, p Policy) (Reaped, error)
	// Lead says whether the holder is the leader of that name from now on for the lease: where nobody is, the other's lease has ended, or it was it already.
	Lead(ctx context.Context, name, holder string, lease time.Duration) (bool, error)
}

// Queue is the part of the store that workers use.
type Queue interface {
	// Claim takes items that are pending and due, each under a token of its own: class by class in the order of the classes wanted, and within a class one of each
	// team in turn, so that a team with many does not hold back one with few. A job becomes Processing with its first item. An item never goes to two at once.
	Claim(ctx context.Context, w Want) ([]Work, error)
	// Renew prolongs leases and gives those that were lost.
	Renew(ctx context.Context, leases []Lease, d time.Duration) (lost []Lease, err error)
	// Finish ends what was taken, each by itself, and gives for each what became of its job; its own error is ErrLeaseLost where the lease does not hold. Result, counts, the job's
	// state and, where that became final, its event are written in one transaction: so an item ends once, and a job has one event a run.
	// Finish of the same lease with the same end again, where it had taken effect, is ErrLeaseLost and changes nothing.
	Finish(ctx context.Context, list []Finished) ([]Ended, error)
	// Park leaves items waiting for what another way brings, until a time from now; whoever calls Finish, Renew or Park later uses the same lease.
	Park(ctx context.Context, leases []Lease, d time.Duration) (lost []Lease, err error)
	// Depth counts what is pending and due, by class, and gives the age of the oldest; of all teams together.
	Depth(ctx context.Context) ([]Depth, error)
}

// Reader is the part of the store that callers' questions are answered from.
type Reader interface {
	Job(ctx context.Context, reach key.Reach, id ID) (Job, error)
	// Jobs lists the newest first, without Request.
	Jobs(ctx context.Context, reach key.Reach, f Filter) (list []Job, next Cursor, err error)
	// Items gives up to limit items by number, from a number on; EndedItems those that have ended, in the order of their ends, after a place in it.
	Items(ctx context.Context, reach key.Reach, id ID, from, limit int) ([]Item, error)
	EndedItems(ctx context.Context, reach key.Reach, id ID, afterSeq, limit int) ([]Item, error)
}

// Submission is a job with its items as it is handed in. The store sets what goes by its clock: CreatedAt, a zero RunAt to the same instant, and a zero Deadline to
// Patience behind RunAt. It counts Progress.Total, and sets the items' RunAt to the job's.
type Submission struct {
	Job   Job
	Items []Item
	// Idempotency is the caller's key, empty where there is none, and Hash the SHA-256 of what has to be the same.
	Idempotency string
	Hash        [32]byte
}

// The times of a job that the store keeps (product.md section 3).
const (
	// Patience is the time between RunAt and Deadline where the caller gives none.
	Patience = 24 * time.Hour
	// Keep is how long results are kept after the end, Forget how long the row after that.
	Keep   = 24 * time.Hour
	Forget = 7 * 24 * time.Hour
	// Remember is how long an idempotency key counts.
	Remember = 24 * time.Hour
)

// Submitted is what became of one submission.
type Submitted struct {
	Job Job
	// Again says that the idempotency key had been used, and that Job is the first one.
	Again bool
	Err   error
}

// Want says what a worker would take.
type Want struct {
	Worker string
	Most   int
	Lease  time.Duration
	// Classes is the order in which classes are looked at; those that are not named are not taken.
	Classes []Priority
	// After is the team that was served last: the turn goes on behind it, in the order of their names.
	After key.TeamID
}

// Work is an item that was taken, with what is needed to do it.
type Work struct {
	Lease Lease
	Item  Item
	// Job is the item's, without Progress.
	Job Job
}

// Lease is the right to write what becomes of an item. One whose time has passed still holds until Reap has taken the item away: work that was late is not lost.
type Lease struct {
	Job   ID
	N     int
	Token string
}

// Finished is how an item goes on.
type Finished struct {
	Lease Lease
	// State is ItemCompleted or ItemFailed with a Result; or ItemPending to be taken again.
	State  ItemState
	Result []byte
	// Again is the wait until it may be taken again, where State is ItemPending. Try is written to the item's history where it is not nil.
	Again time.Duration
	Try   *Try
	// Uncounted says that this time does not count as an attempt: the worker gave it back unfinished, or a limit held it.
	Uncounted bool
}

// Ended is what became of one Finished.
type Ended struct {
	// Job is its id, State and Progress those after it.
	Job      ID
	State    State
	Progress Progress
	// Last says that this one made the job final.
	Last bool
	Err  error
}

// Depth is how much of a class waits.
type Depth struct {
	Class Priority
	Due   int
	// Oldest is how long the first of them has been due.
	Oldest time.Duration
}

// Policy are the times and bounds that Reap goes by.
type Policy struct {
	// MostAttempts is how often the worker of an item is lost before it counts as poison; tries that ended otherwise do not count.
	MostAttempts int
	// Again is the wait of an item whose worker was lost for so many times; nil means none.
	Again func(losses int) time.Duration
	// Upload is how long an upload may rest.
	Upload time.Duration
	// Portion bounds the rows of each kind that one call changes; the end of a job ends all of its items.
	Portion int
}

// Poison says that an item is given up by its history. That holds no more than MostTries.
func (p Policy) Poison(losses int) bool { return losses >= min(p.MostAttempts, MostTries) }

// After is when an item may be taken again whose worker was found lost at a time.
func (p Policy) After(now time.Time, losses int) time.Time {
	if p.Again == nil {
		return now
	}
	return now.Add(p.Again(losses))
}

// Reaped counts what one Reap did.
type Reaped struct {
	Requeued, Poisoned, Expired, Stripped, Deleted, Abandoned int
	// Ended are jobs that became final by it; Due are the classes in which something is pending and due.
	Ended []Ended
	Due   []Priority
	// More says that a portion was full: there may be more at once.
	More bool
}
