// Package dropin reads and writes the formats of OpenAI's API for programs that speak it: chat completions and responses.
//
// It is a codec of the front door and nothing else: bytes in, a [Request] out; an answer in, bytes out. What the answer must be is read from the request: a
// schema (response_format, text.format, or the one function that the model is forced to call) makes it a prompt for package pipeline; without one the
// request is package relay's, which hands its bytes on or, to services of another format, its conversation.
//
// parameters.go is the table of everything that these formats have and what becomes of it, from which the reference page is made; read.go, form.go and turns.go
// read the bodies, bound.go measures what a relayed one may take, terms.go refuses what its key could not be held to; whole.go and stream.go write the answers,
// error.go the errors.
package dropin

import (
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/value"
)

// Form is what an answer has to be.
type Form uint8

// The forms.
const (
	// Free answers are whatever the model says.
	Free Form = iota
	// Content is JSON under a schema, as the message's text.
	Content
	// Tool is JSON under a function's parameters, as a call of it.
	Tool
	// Function is Tool in the spelling that functions and function_call had before tools.
	Function
)

// Auto as the model leaves the choice to promptd.
const Auto = "auto"

// Request is one request in a format of OpenAI's.
type Request struct {
	Format dialect.Format
	// Model is what the caller named; empty for auto.
	Model  string
	Stream bool
	// Usage says that a stream ends with the count of tokens.
	Usage bool
	Form  Form
	// Function is the name of the function to be called where Form is Tool or Function.
	Function string
	// Explain says that the caller sent a member promptd, and so wants to see ours beside theirs.
	Explain bool
	// Prompt has the options, and where Form is not Free the conversation and the schema.
	Prompt prompt.Prompt

	raw  []byte
	body value.Value
	// schemaAt is the schema's place in the body, for faults.
	schemaAt string
}

// Reply is a complete answer in no format.
type Reply struct {
	// ID is the request's, Model the one that answered.
	ID, Model string
	Created   time.Time
	// Text is the content, or the function's arguments.
	Text    string
	Refusal string
	Stop    dialect.Stop
	Usage   dialect.Usage
	// Ours is the JSON object that stands beside theirs as promptd; empty is none.
	Ours []byte
}
