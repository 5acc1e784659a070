// Package job keeps work that is done later: a prompt or a batch of up to 50,000 that was accepted, got its id, and is finished whatever dies on the way.
//
// It is not for the work itself, which is the pipeline's, the same as for a request that waits; nor for telling who asked (package delivery). It knows no
// database: [Store] is declared here and implemented by the stores.
//
// The row in the store is the truth. A [Job] is what the caller sees; its parts are [Item]s, one for a single prompt, and an item is what a worker takes, does
// and finishes. A worker takes items under a lease with a token, renews it while it works, and every later write carries the token: a worker that lost its lease,
// because it hung or because the job was cancelled, can write nothing any more. What a dead worker held is taken again when its lease has ended. A broker carries
// wake-ups alone: what is pending and due in the store is what is to be dispatched, so that a message that is lost costs time and nothing else.
package job

import (
	"time"

	"github.com/promptd/promptd/internal/key"
)

// MostItems is how many prompts a job may hold (product.md section 8).
const MostItems = 50_000

// ID names a job; it is a UUID of version 7.
type ID string

// Priority is the class that a job waits in. A higher class goes first; within a class teams take turns.
type Priority uint8

// The classes. The zero Priority is none.
const (
	High Priority = iota + 1
	Normal
	Low
)

// Urgency says whether a job may wait for a cheaper way.
type Urgency uint8

// The urgencies.
const (
	// Soon is work by direct calls.
	Soon Urgency = iota
	// Whenever is work that may go through a provider's batch API at a lower price, within a day.
	Whenever
)

// Job is a piece of accepted work.
type Job struct {
	ID   ID
	Team key.TeamID
	// Key is whose limits and budget hold; it is empty where no keys are wanted.
	Key      key.ID
	State    State
	Priority Priority
	Urgency  Urgency
	// Batch says that the job was sent as items, and that its results are read as such.
	Batch bool
	// Request is the JSON object that was sent, without items, webhook and what else is the job's own; what items share is in it.
	Request []byte
	// Metadata is the caller's JSON object; nil where there is none.
	Metadata []byte
	Webhook  Webhook
	Progress Progress
	// Run counts from 1 how often the job was begun by its caller: a retry of what failed begins the next. Events carry it.
	Run int
	// RunAt is when it may begin. Deadline is when it ends as expired where nothing of it has begun.
	RunAt, Deadline time.Time
	CreatedAt       time.Time
	// StartedAt is when the first item was taken, CompletedAt when the state became final; zero before.
	StartedAt, CompletedAt time.Time
	// ExpiresAt is when the results go, ForgottenAt when the row does; zero before the end.
	ExpiresAt, ForgottenAt time.Time
	// Gone says that the results were deleted.
	Gone bool
	// Trace is the W3C traceparent of the submitting request; empty where there was none.
	Trace string
}

// Webhook says who is told of the job's end. The zero Webhook is every subscribed endpoint of the team.
type Webhook struct {
	// Endpoint names a registered one; or URL and Secret are given inline.
	Endpoint, URL, Secret string
}

// Progress counts items. What is neither completed, failed nor cancelled is still to be done.
type Progress struct {
	Total, Completed, Failed, Cancelled int
}

// Done says that nothing is left to be done.
func (p Progress) Done() bool { return p.Completed+p.Failed+p.Cancelled >= p.Total }

// Final is the state of a job whose items have all ended by themselves.
func (p Progress) Final() State {
	switch {
	case p.Failed == 0:
		return Completed
	case p.Completed == 0:
		return Failed
	default:
		return CompletedWithErrors
	}
}

// Item is one prompt of a job.
type Item struct {
	Job ID
	// N counts the items of a job from 0.
	N int
	// Name is the caller's id of the item.
	Name  string
	State ItemState
	// Request is the item as it was sent; nil in a job that is no batch, where Job.Request is all there is.
	Request []byte
	// Result is the answer of an item that completed, as /v1/analyze gives it, or the problem document of one that failed.
	Result []byte
	// Attempt counts how often a worker has taken it; a release does not count.
	Attempt int
	// Tries are the last of these that did not end it, the oldest first: at most MostTries.
	Tries []Try
	// RunAt is when it may be taken (again).
	RunAt time.Time
	// EndedAt is when it ended, and Seq the place of that among the ends of the job's items, counted from 1; both zero before.
	EndedAt time.Time
	Seq     int
}

// MostTries bounds the history that is kept with an item.
const MostTries = 16

// Try is one time that a worker had an item and did not end it.
type Try struct {
	Worker    string    `json:"worker"`
	StartedAt time.Time `json:"started_at"`
	EndedAt   time.Time `json:"ended_at"`
	// Code is the fault's code, or LEASE_LOST where the worker was not heard of again.
	Code   string `json:"code"`
	Detail string `json:"detail,omitempty"`
}

// LeaseLost is the code of a try whose worker died or hung.
const LeaseLost = "LEASE_LOST"
