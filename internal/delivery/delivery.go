// Package delivery tells callers' own servers what has happened: webhooks after the Standard Webhooks specification, at least once, each message under one id.
//
// It is not for deciding what is told: jobs and budgets do that. It knows no database: [Store], [Registry] and [Log] are declared here and implemented by the stores.
//
// What is told is a [Message]. Whoever ends a job writes it in the same transaction, and the store makes of it one [Delivery] for each target: the URL that came
// with the job, the endpoint that the job names, or every [Endpoint] of the team that subscribes to the event. The [Sender] claims due deliveries under a lease
// with a token, sends them signed, and writes what became of each attempt; every write carries the token, so that a sender that hung can overwrite nothing. A
// target that does not answer is tried again over a day, with a breaker for each host. [Hooks] is what the API does with endpoints, [Policy] says which URLs and
// addresses may be called, and [HTTP] is the one place that calls them.
package delivery

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/promptd/promptd/internal/key"
)

// Event is what a message tells of (product.md section 3).
type Event string

// The events. An endpoint subscribes to any of them but Ping, which is sent on demand.
const (
	JobCompleted           Event = "job.completed"
	JobCompletedWithErrors Event = "job.completed_with_errors"
	JobFailed              Event = "job.failed"
	JobCancelled           Event = "job.cancelled"
	JobExpired             Event = "job.expired"
	BudgetAlert            Event = "budget.alert"
	Ping                   Event = "ping"
)

// Events are those that an endpoint may subscribe to.
func Events() []Event {
	return []Event{JobCompleted, JobCompletedWithErrors, JobFailed, JobCancelled, JobExpired, BudgetAlert}
}

// Subscribable says whether an endpoint may subscribe to the event.
func (e Event) Subscribable() bool { return slices.Contains(Events(), e) }

// MessageID is the webhook-id: the same for every target, attempt and replay of a message. It holds no full stop, which separates what is signed.
type MessageID string

// Message is something that has happened, told once to each of its targets.
type Message struct {
	ID    MessageID
	Team  key.TeamID
	Event Event
	// Job is the job's id, empty where the event is not a job's.
	Job string
	// At is when it happened.
	At time.Time
	// Trace is the W3C traceparent that receivers get; empty where there is none.
	Trace string
	// Payload is the body where it is known when the message is written. Otherwise it is composed when it is first sent, and kept: every attempt sends the same bytes.
	Payload []byte
}

// JobMessage is the message of a job's end. Its id depends on job, event and run alone: a job ends once a run, and is told of once, whoever writes it how often.
func JobMessage(team key.TeamID, job string, event Event, run int, at time.Time) Message {
	name := strings.TrimPrefix(string(event), "job.")
	id := "msg_" + strings.ReplaceAll(job, "-", "") + "_" + name + "_" + strconv.Itoa(run)
	return Message{ID: MessageID(id), Team: team, Event: event, Job: job, At: at}
}

// Target says who is told. The zero Target is every enabled endpoint of the team that subscribes to the event.
type Target struct {
	// Endpoint names a registered one, which is told whatever it subscribes to; or URL and Secret are given inline.
	Endpoint EndpointID
	URL      string
	Secret   string
}

// Status is how a delivery stands.
type Status string

// The states. Failed is over and can be replayed, and so can Delivered.
const (
	Pending   Status = "pending"
	Delivered Status = "delivered"
	Failed    Status = "failed"
)

// Statuses are all of them.
func Statuses() []Status { return []Status{Pending, Delivered, Failed} }

// ID names a delivery.
type ID string

// Delivery is one message to one target, as the log shows it.
type Delivery struct {
	ID      ID
	Message MessageID
	Team    key.TeamID
	Event   Event
	Job     string
	// Endpoint is empty where the URL came with the job.
	Endpoint EndpointID
	// URL is the target when the delivery was made; an endpoint's may have changed since, and each attempt has its own.
	URL    string
	Status Status
	// Attempts counts them, those before a replay too.
	Attempts int
	// LastStatus is the HTTP status of the last attempt that had an answer, LastError the kind of what went wrong last; zero where there was none.
	LastStatus int
	LastError  ErrorKind
	At         time.Time
	CreatedAt  time.Time
	// NextAt is when it is tried next, zero where it is over; EndedAt when it was, zero before.
	NextAt, EndedAt time.Time
}

// Attempt is one try of a delivery.
type Attempt struct {
	N   int
	At  time.Time
	URL string
	// Took is the whole time from the look-up of the name to the end of the answer.
	Took time.Duration
	// Status is the answer's, 0 where there was none.
	Status int
	// Error is the kind of what went wrong, empty where nothing did, and Detail says it in words.
	Error  ErrorKind
	Detail string
	// Answer is the beginning of what the target said, at most MostAnswer bytes of valid UTF-8.
	Answer string
}

// MostAnswer bounds what is kept of an answer, MostDetail what is kept of an error's text; both in bytes.
const (
	MostAnswer = 1024
	MostDetail = 500
)

// ErrorKind is what went wrong with an attempt or a delivery, in one word.
type ErrorKind string

// The kinds.
const (
	// ErrorDNS: the name could not be looked up. ErrorBlocked: it leads to an address that is not to be called. ErrorConnect: nothing listens there.
	ErrorDNS     ErrorKind = "dns"
	ErrorBlocked ErrorKind = "blocked_address"
	ErrorConnect ErrorKind = "connect"
	ErrorTLS     ErrorKind = "tls"
	ErrorTimeout ErrorKind = "timeout"
	// ErrorProtocol: what came back is not HTTP, or the connection broke within it.
	ErrorProtocol ErrorKind = "protocol"
	ErrorURL      ErrorKind = "url"
	ErrorRedirect ErrorKind = "redirect"
	ErrorStatus   ErrorKind = "status"
	// ErrorGone: the target answered 410 and is told nothing more.
	ErrorGone ErrorKind = "gone"
	// ErrorDisabled and ErrorDeleted: the endpoint is not there to be told. ErrorPayload: what should be told of is no longer kept.
	ErrorDisabled ErrorKind = "endpoint_disabled"
	ErrorDeleted  ErrorKind = "endpoint_deleted"
	ErrorPayload  ErrorKind = "payload"
	// ErrorAge: it was not delivered within webhooks.max_age.
	ErrorAge ErrorKind = "max_age"
)
