// Package usage keeps what requests did and what they cost: the history of requests with their attempts, and the sums by key,
// team, provider, model, schema and time.
//
// It is not for live metrics (package observe), nor for budgets and limits (package limit).
//
// The main types are [Record], one request with what came of it, and [Log], which takes records off the request's path and
// writes them in batches: bounded, flushed at the end, and slow instead of lossy when the store can't follow. [Store] is
// declared here and implemented by the stores. [Retention] deletes what is older than the days that are kept; sums stay.
// Costs are integer nano-dollars or unknown, never a guessed zero.
package usage

import (
	"time"

	"github.com/promptd/promptd/internal/key"
)

// Cost is an amount of money that may be unknown. The zero Cost is unknown.
type Cost struct {
	Nanos key.Nanos
	Known bool
}

// Costs makes a known cost.
func Costs(n key.Nanos) Cost { return Cost{Nanos: n, Known: true} }

// Plus adds two costs; what is unknown stays unknown.
func (c Cost) Plus(d Cost) Cost { return Cost{Nanos: c.Nanos + d.Nanos, Known: c.Known && d.Known} }

// AppendJSON writes dollars as an exact decimal number, or null.
func (c Cost) AppendJSON(b []byte) []byte {
	if !c.Known {
		return append(b, "null"...)
	}
	return c.Nanos.AppendDollars(b)
}

// MarshalJSON writes dollars or null.
func (c Cost) MarshalJSON() ([]byte, error) { return c.AppendJSON(nil), nil }

// Tokens counts what models read and wrote.
type Tokens struct {
	Input       int64
	Output      int64
	CachedInput int64
}

// Record is one request and what came of it. It is not changed once it was given to a [Log].
type Record struct {
	// RequestID is ours and unique; ClientRequestID is what the caller sent, or empty.
	RequestID       string
	ClientRequestID string
	Team            key.TeamID
	Key             key.ID
	// Time is when the request arrived; stores keep microseconds.
	Time time.Time

	// Status is the HTTP status, Code the fault's name or empty.
	Status int
	Code   string
	// ValidationStatus is passed, failed, needs_input, or empty where nothing was judged.
	ValidationStatus string
	// Provider and Model answered last; they are empty where none was called.
	Provider string
	Model    string
	// Schema is the reference that the caller gave or empty; SchemaHash is the content's.
	Schema     string
	SchemaHash string
	// Template is the template that the caller named, as name@version, or empty. Lists leave it out.
	Template    string
	DialectMode string
	Cached      bool
	Coalesced   bool
	Language    string

	Tokens Tokens
	Cost   Cost
	// Spent splits tokens and cost where attempts went to more than one model; empty means that Provider and Model bear all.
	Spent []Share

	// Processing is the whole time, Overhead promptd's own share.
	Processing time.Duration
	Overhead   time.Duration

	// Attempts and Validation are JSON as the answer shows them; empty means none.
	Attempts   []byte
	Validation []byte

	// Prompt and Answer are texts. They are dropped where prompts are not stored, and where Private is set.
	Prompt  string
	Answer  string
	Private bool
}

// Share is the part of a request's tokens and cost that one model had.
type Share struct {
	Provider string
	Model    string
	Tokens   Tokens
	Cost     Cost
}

// Passed says whether the request gave validated data.
func (r *Record) Passed() bool { return r.ValidationStatus == "passed" }

// NeedsInput says whether the request ended with questions instead of data: no judgement of an answer.
func (r *Record) NeedsInput() bool { return r.ValidationStatus == "needs_input" }

// Unpriced says whether the request cost something that is not known. Where no provider was called, nothing was spent.
func (r *Record) Unpriced() bool {
	return !r.Cost.Known && !r.Cached && !r.Coalesced && r.Provider != ""
}
