package prompt

import (
	"strconv"

	"github.com/promptd/promptd/internal/body"
	"github.com/promptd/promptd/internal/value"
)

// Missing says what becomes of what the schema requires and the text does not say.
type Missing uint8

const (
	// MissingNull leaves it to the schema: the answer has to satisfy it, with null where it allows null.
	MissingNull Missing = iota
	// MissingAsk gives questions to put to the person in place of an answer, and a state to go on with.
	MissingAsk
	// MissingFail refuses, and says what is missing.
	MissingFail
)

// String gives the option's value.
func (m Missing) String() string { return [...]string{"null", "ask", "fail"}[m] }

func readMissing(r *body.Reader) Missing {
	switch r.Enum("missing", "null", "null", "ask", "fail") {
	case "ask":
		return MissingAsk
	case "fail":
		return MissingFail
	default:
		return MissingNull
	}
}

// Continuation goes on where an answer has asked back: with its state, and what the person says. Schema and options are in the state.
type Continuation struct {
	State string
	// Reply is what the person says; it is empty where Answers stand for it.
	Reply string
	// Answers are what the person says to single questions.
	Answers []Reply

	defaults Defaults
}

// Reply is what a person says to the question about a place.
type Reply struct{ Pointer, Text string }

// MostState bounds a state, in bytes: what would be longer is not given out.
const MostState = 256 << 10

// readContinuation reads state, and prompt or answers.
func readContinuation(r *body.Reader, d Defaults) *Continuation {
	c := &Continuation{State: r.String("state", ""), defaults: d}
	if v, _ := r.Value("state"); v.Kind() == value.KindString && (c.State == "" || len(c.State) > MostState) {
		r.Fault("state", "length", "a state has 1 to "+strconv.Itoa(MostState)+" bytes", "Send it as the last answer gave it.")
	}
	for _, field := range []string{"messages", "template", "parameters", "schema", "format", "options"} {
		if _, given := r.Value(field); given {
			r.Fault(field, "exclusive", "state and "+field+" exclude each other: a state holds what was asked for", "Leave it out; or start anew without state.")
		}
	}
	_, hasReply := r.Value("prompt")
	_, hasAnswers := r.Value("answers")
	switch {
	case hasReply && hasAnswers:
		r.Fault("answers", "exclusive", "prompt and answers exclude each other", "Send one of them.")
	case hasAnswers:
		c.Answers = readAnswers(r)
	case hasReply:
		c.Reply = r.String("prompt", "")
	default:
		r.Fault("prompt", "required", "prompt is missing", "Send what the person replied as prompt, or as answers: an object from the questions' pointers to texts.")
	}
	return c
}

func readAnswers(r *body.Reader) []Reply {
	v, _ := r.Value("answers")
	if v.Kind() != value.KindObject || v.Len() == 0 {
		r.Fault("answers", "type", "answers must be an object with at least one member", `Send the questions' pointers with texts, for example {"/date": "next Friday"}.`)
		return nil
	}
	fields := r.Object("answers")
	list := make([]Reply, 0, v.Len())
	for pointer := range v.Members() {
		text := fields.String(pointer, "")
		if item, _ := v.Get(pointer); item.Kind() == value.KindString && Normalise(text).Text == "" {
			fields.Fault(pointer, "min_length", "this answer is empty", "Leave out the questions that have no answer; they are asked again.")
		}
		list = append(list, Reply{pointer, text})
	}
	return list
}

// Original reads the request that a state holds.
func (c *Continuation) Original(request value.Value) (Prompt, error) {
	return Read(request, c.defaults)
}
