// Package prompt holds the request as data: the caller's text with its options, and the meta-prompt that promptd builds around it for a model.
//
// The main types are [Prompt], made by [Read] from a request's body, and [MetaPrompt], rendered once per schema and model from the versioned
// templates in metaprompt/. The caller's text is normalised ([Normalise]) and fenced as data, so that nothing in it can pose as an instruction.
// What a prompt costs, where it goes and what comes back is not known here.
package prompt

import (
	"time"

	"github.com/promptd/promptd/internal/render"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// Prompt is one request: what is to be turned into data, and how.
type Prompt struct {
	// Text is the caller's text; empty where Messages stand for it.
	Text string
	// Messages are the turns of a conversation that stands for the text.
	Messages []Message
	// Conversation says that the messages are a program's own instructions, to be passed as they are and not as data to be read.
	Conversation bool
	// Schema is the caller's JSON Schema; null means the default result schema.
	Schema value.Value
	// HasSchema tells a schema from none.
	HasSchema bool
	// SchemaRef names a registered schema in place of Schema, as name or name@version.
	SchemaRef string
	// SchemaBound says that the schema is the template's, and stands nowhere in the request.
	SchemaBound bool
	// Template is the template that stands for the text; nil where there is none.
	Template *Template
	// Continues is what goes on where an answer has asked back; the rest is empty then, until the state is read. Nil where nothing does.
	Continues *Continuation
	// Body is the request as it was sent.
	Body    value.Value
	Format  render.Format
	Stream  bool
	Options Options
	// ClientRequestID is the caller's own id of the request.
	ClientRequestID string
}

// Message is one turn: a role of system, user or assistant, and its parts in order.
type Message struct {
	Role  string
	Parts []Part
}

// Part is text, or an image given by a data: URL.
type Part struct {
	Text  string
	Image string
	// Detail is how closely the model is to look at the image: low or high; empty leaves it to the model.
	Detail string
	// Pieces are what a template made of its text and its parameters; Text is all of them together.
	Pieces []Piece
}

// Options are the request's choices (product.md section 3).
type Options struct {
	IncludeConfidence bool
	LanguageDetection bool
	CacheTTL          time.Duration
	BypassCache       bool
	Provider          string
	Model             string
	// Routing names the strategy that orders providers and models; empty is the configured one.
	Routing     string
	Temperature float64
	// MaxTokens is the room of the first attempt; an answer that was cut gets more.
	MaxTokens   int
	Timeout     time.Duration
	MaxAttempts int
	Coercion    schema.Mode
	// Missing says what becomes of what the schema requires and the text does not say.
	Missing Missing
	// RedactLogs keeps prompt and answer of this request out of the history.
	RedactLogs bool
}

// Images counts the image parts.
func (p Prompt) Images() int {
	n := 0
	for _, m := range p.Messages {
		for _, part := range m.Parts {
			if part.Image != "" {
				n++
			}
		}
	}
	return n
}
