package provider

import (
	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/fault"
)

// Verdict is what an outcome says of the health of the model that was asked.
type Verdict uint8

// The verdicts.
const (
	// Neither: the outcome comes of the request, of its caller or of the load, and says nothing of health.
	Neither Verdict = iota
	// Good: the service answered as it should, whatever the answer is worth.
	Good
	// Bad: the service failed.
	Bad
)

// String gives the verdict's word in the reference.
func (v Verdict) String() string {
	return [...]string{"neither", "good", "bad"}[min(v, Bad)]
}

// Rule is an outcome's row of the table: all that follows from what became of an attempt. The loop, the breaker, the limits and the fault that the caller gets
// read it; nobody else decides on an outcome.
type Rule struct {
	Outcome dialect.Outcome
	// Repeat says that the same call, unchanged, may work at the same candidate after a pause.
	Repeat bool
	// Next says that another candidate may do better.
	Next bool
	// Reask says that the model may do better when it is shown its own answer and what is wrong with it.
	Reask bool
	// Health is how the breaker counts it.
	Health Verdict
	// Slows says that the service was given more than it takes: the concurrency limit goes down.
	Slows bool
	// Rests says that the credential is the cause: it rests, and others go on.
	Rests bool
	// Code is what the caller gets where no further attempt helps. It is Internal for OK, which is no fault.
	Code fault.Code
	// Means says in words what it is, for the reference.
	Means string
}

// RuleOf gives the row of an outcome; that of Unknown for one that is none.
func RuleOf(o dialect.Outcome) Rule {
	rows := rules()
	if int(o) < len(rows) {
		return rows[o]
	}
	return rows[dialect.Unknown]
}

// Rules lists the table in the order of the outcomes.
func Rules() []Rule {
	rows := rules()
	return rows[:]
}

// rules is the table of routing.md. A breaker that counted what callers cause would let one caller take a model away from all others, so what a request
// brings upon itself is Neither. So is a limit that was hit: it is no illness, and it has remedies of its own, the concurrency limit and the rest.
func rules() [dialect.Cancelled + 1]Rule {
	return [...]Rule{
		dialect.Unknown: {
			Repeat: true, Next: true, Health: Bad, Code: fault.ProviderError,
			Means: "an answer that is not understood, or one of which nobody said that it is complete",
		},
		dialect.OK:        {Outcome: dialect.OK, Health: Good, Code: fault.Internal, Means: "a complete answer"},
		dialect.Truncated: {Outcome: dialect.Truncated, Next: true, Health: Good, Code: fault.ValidationFailed, Means: "an answer that ran out of room; it is asked for again with more"},
		dialect.Refused:   {Outcome: dialect.Refused, Next: true, Health: Good, Code: fault.ContentRefused, Means: "the model declined"},
		dialect.Filtered:  {Outcome: dialect.Filtered, Next: true, Health: Good, Code: fault.ContentRefused, Means: "the service's content filter stopped it"},
		dialect.Paused:    {Outcome: dialect.Paused, Repeat: true, Next: true, Health: Good, Code: fault.ProviderError, Means: "the service broke off a long turn"},
		dialect.Invalid: {
			Outcome: dialect.Invalid, Repeat: true, Next: true, Reask: true, Health: Good, Code: fault.ValidationFailed,
			Means: "an answer that does not satisfy the schema, or is longer than 16 MiB",
		},
		dialect.RateLimited: {
			Outcome: dialect.RateLimited, Repeat: true, Next: true, Slows: true, Rests: true, Code: fault.ProviderError,
			Means: "more was asked than the account's limits allow",
		},
		dialect.OverloadedProvider: {
			Outcome: dialect.OverloadedProvider, Repeat: true, Next: true, Health: Bad, Slows: true, Code: fault.ProviderError,
			Means: "the service is overloaded or failed inside",
		},
		dialect.Quota: {
			Outcome: dialect.Quota, Next: true, Health: Bad, Rests: true, Code: fault.ProviderError,
			Means: "the account has no quota or credit left",
		},
		dialect.Timeout:         {Outcome: dialect.Timeout, Repeat: true, Next: true, Health: Bad, Code: fault.Timeout, Means: "no answer, or no first byte, in the time it had"},
		dialect.Connection:      {Outcome: dialect.Connection, Repeat: true, Next: true, Health: Bad, Code: fault.ProviderError, Means: "no connection, or one that broke"},
		dialect.Auth:            {Outcome: dialect.Auth, Next: true, Health: Bad, Rests: true, Code: fault.ProviderError, Means: "credential or permission was refused"},
		dialect.BadRequest:      {Outcome: dialect.BadRequest, Next: true, Code: fault.ProviderError, Means: "the service does not take the request as it is"},
		dialect.TooLarge:        {Outcome: dialect.TooLarge, Next: true, Code: fault.ProviderError, Means: "the request has more bytes than the service takes"},
		dialect.SchemaRejected:  {Outcome: dialect.SchemaRejected, Next: true, Code: fault.ProviderError, Means: "the service does not take the schema; a weaker mode is tried first"},
		dialect.ContextExceeded: {Outcome: dialect.ContextExceeded, Next: true, Code: fault.ProviderError, Means: "the request is longer than the model's context window"},
		dialect.Cancelled:       {Outcome: dialect.Cancelled, Code: fault.Timeout, Means: "the caller went away, or another attempt was faster"},
	}
}
