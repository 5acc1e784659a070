// Package history judges what was seen of a promptd from outside: by callers, by the provider that was called, and by receivers of webhooks.
//
// It is not for what a program does inside. It knows the promises alone (product.md sections 7 to 9, docs/guide/jobs.md) and imports nothing of promptd, so that a mistake in
// the code is not repeated in its judge. Whoever runs a service under faults, simulated or real, writes down events, and [Judge] says which promise was broken.
//
// The main type is [History]: what callers ordered, the bounds that were promised, and the events in the order in which they were seen. An answer carries when its
// question was sent (Since), because only a question that was sent after another's answer must not see an older state.
package history

import "time"

// Kind is what an event tells.
type Kind uint8

// The kinds.
const (
	// Submitted: a caller sent an order. Accepted: the answer named the Job.
	Submitted Kind = iota + 1
	Accepted
	// CancelSent and Cancelled: a caller asked for the end of a job, and was told that it has ended so.
	CancelSent
	Cancelled
	// RetrySent and Retried: a caller asked for the next run of a job, and was told that it is Run.
	RetrySent
	Retried
	// JobRead is a job's State, Run and Progress, ItemRead an item's State and Answer, as an answer gave them.
	JobRead
	ItemRead
	// CallBegun and CallEnded are a provider's: Call for an Item of a Job by a Process, with the Order that its text is of and the Most that it may cost; its end with Cost, and with Answer where there
	// was one. Cut says that nobody heard the answer.
	CallBegun
	CallEnded
	// Received is a message at a receiver, with what it said of it in Taken.
	Received
	// Killed is the end of a Process without warning, and what it held of budgets by then in Most; Drained one with a warning, which gives work
	// back, and Most is what it could not give back of budgets.
	Killed
	Drained
	// Frozen and Thawed: a Process stood still.
	Frozen
	Thawed
	// Away and Back: the receiver was not to be reached.
	Away
	Back
	// Balance is what the budgets have down at the end: Cost is what is spent, Most what is reserved.
	Balance
)

// Event is something that was seen. Which fields count is said at its Kind.
type Event struct {
	At, Since time.Duration
	Kind      Kind
	// Order is the number of the order in History.Orders.
	Order   int
	Job     string
	Item    int
	Run     int
	State   string
	Answer  string
	Call    int
	Process string
	Cost    int64
	Most    int64
	// Message is the webhook-id, Event what it tells of, and Signed whether the signature is right.
	Message, Event string
	Progress       Progress
	Signed, Taken  bool
	Cut            bool
	// Last marks reads that were made when everything had come to rest.
	Last bool
}

// Progress counts the items of a job.
type Progress struct{ Total, Completed, Failed, Cancelled int }

// Order is what a caller wanted once, however often it had to be sent.
type Order struct {
	// Key says that it had an Idempotency-Key.
	Key   bool
	Items int
	Team  string
	Class int
	// RunAt and Deadline are zero where none was given.
	RunAt, Deadline time.Duration
	// Webhook says that a receiver is to be told of its end.
	Webhook bool
}

// Bounds are what was promised.
type Bounds struct {
	// Lease is how long a worker may be silent, and Attempts how often an item is tried.
	Lease    time.Duration
	Attempts int
	// MaxAge is how long a webhook is tried.
	MaxAge time.Duration
	// Fair, where it is not zero, bounds how many first calls for items of one other team may begin while an item of a team waits. It holds where nothing fails.
	Fair int
}

// History is all that was seen.
type History struct {
	Orders []Order
	Bounds Bounds
	Events []Event
}

// Violation is a promise that was broken.
type Violation struct{ Rule, Text string }

// String is both.
func (v Violation) String() string { return v.Rule + ": " + v.Text }

// final says that nothing more becomes of a job by itself.
func final(state string) bool {
	switch state {
	case "completed", "completed_with_errors", "failed", "cancelled", "expired":
		return true
	default:
		return false
	}
}

// ended is the same of an item.
func ended(state string) bool {
	return state == "completed" || state == "failed" || state == "cancelled"
}
