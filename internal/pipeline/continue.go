package pipeline

import (
	"bytes"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/missing"
	"github.com/promptd/promptd/internal/value"
)

// A request that goes on with a state becomes the first request again, with the questions and replies behind it as further turns.

// resume puts the first request of a state in the place of the one that brings it.
func (p *Pipeline) resume(x *exchange) error {
	c := x.prompt.Continues
	d, err := p.states.open(x.who.Team, c.State, time.Now())
	if err != nil {
		return err
	}
	last := &d.Rounds[len(d.Rounds)-1]
	for _, a := range c.Answers {
		if !slices.ContainsFunc(last.Questions, func(q missing.Question) bool { return q.Pointer == a.Pointer }) {
			return fault.Invalid(value.AppendPointer("/answers", a.Pointer), "asked", "nothing was asked about this place", "Use the pointers of the questions that came with the state.")
		}
	}
	last.Reply, last.Answers = prompt.Normalise(c.Reply).Text, c.Answers
	first, err := c.Original(d.Request)
	if err != nil {
		return err
	}
	first.Continues, first.Stream, first.ClientRequestID = c, x.prompt.Stream, x.prompt.ClientRequestID
	x.prompt, x.dialogue = first, d
	return nil
}

// said counts the characters that the person says in this request.
func (d *dialogue) said() int {
	last := d.Rounds[len(d.Rounds)-1]
	n := utf8.RuneCountInString(last.Reply)
	for _, a := range last.Answers {
		n += utf8.RuneCountInString(prompt.Normalise(a.Text).Text)
	}
	return n
}

// turns adds the rounds to the first request's turns. A question that was answered by itself is a turn by itself, so that each reply stands behind its question.
func (d *dialogue) turns(q *prompt.Prompt) []prompt.Message {
	turns := slices.Clone(q.Messages)
	if len(turns) == 0 {
		turns = []prompt.Message{{Role: "user", Parts: []prompt.Part{{Text: q.Text}}}}
	}
	add := func(asked []missing.Question, reply string) {
		turns = append(turns,
			prompt.Message{Role: "assistant", Parts: []prompt.Part{{Text: missing.Report(asked).String()}}},
			prompt.Message{Role: "user", Parts: []prompt.Part{{Text: reply}}})
	}
	for _, r := range d.Rounds {
		if len(r.Answers) == 0 {
			add(r.Questions, r.Reply)
		}
		for _, a := range r.Answers {
			if i := slices.IndexFunc(r.Questions, func(q missing.Question) bool { return q.Pointer == a.Pointer }); i >= 0 {
				add(r.Questions[i:i+1], a.Text)
			}
		}
	}
	return turns
}

// goesOn checks that the schema that judges now is the one that the questions were about.
func (d *dialogue) goesOn(s *schema.Schema) error {
	if hash := s.Hash(); !bytes.Equal(hash[:], d.Schema) {
		return fault.Invalid("/state", "schema", "the schema is not the one that the questions were about: it has changed since", "Start anew, without state.")
	}
	return nil
}

// ofState moves faults that are about the first request to the state, which is what this request's body has of it.
func ofState(x *exchange, err error) error {
	f := fault.Of(err)
	if x.prompt.Continues == nil || len(f.Entries) == 0 {
		return err
	}
	return f.Moved(func(e *fault.Entry) {
		tokens, _ := value.Tokens(e.Pointer)
		if len(tokens) == 0 || !slices.Contains([]string{"state", "prompt", "answers"}, tokens[0]) {
			e.Message, e.Pointer = "in the request that the state holds, at "+e.Pointer+": "+e.Message, "/state"
		}
	})
}

// next is the state behind an answer that asks.
func (f *found) next(now time.Time) *dialogue {
	d := dialogue{Request: f.first()}
	if f.dialogue != nil {
		d.Request, d.Rounds = f.dialogue.Request, slices.Clone(f.dialogue.Rounds)
	}
	hash := f.schema.Hash()
	d.Asked, d.Schema = now.Unix(), hash[:]
	d.Rounds = append(d.Rounds, round{Questions: f.result.questions})
	return &d
}

// first is the request as a state keeps it: what it refers to is named by version, so that the answer goes on with what it began with.
func (f *found) first() value.Value {
	body := f.prompt.Body.Without("stream")
	if f.reference != "" && !f.prompt.SchemaBound {
		body = body.With("schema", value.String(f.reference))
	}
	if f.prompt.Template != nil {
		body = body.With("template", value.String(f.prompt.Template.Ref))
	}
	return body
}

// missed is the fault of a request without an answer since the text does not say enough, with what is missing as its report.
func (s attempts) missed(t *series, r raised) error {
	entries := make([]schema.Entry, 0, len(r.said.Questions))
	for _, q := range r.said.Questions {
		entries = append(entries, schema.Entry{
			Keyword: keywordMissing, Pointer: q.Pointer, Expected: "a value that the text gives", Actual: "missing", Message: "the text does not say it", Hint: q.Text,
		})
	}
	t.exchange.report = &Validation{Errors: entries, Repairs: r.read.Repairs, Reasks: t.reasked, Schema: schemaName(t.schema), Mode: r.plan.lowered.Mode}
	f := fault.New(fault.ValidationFailed, "the text does not say what the schema requires: %s", listOf(r.said.Questions))
	f.Remediation = "Add to the text what is missing; or have it asked for with options.missing: ask."
	if t.dialogue != nil && len(t.dialogue.Rounds) >= mostRounds {
		f.Detail = "after " + value.Int(mostRounds).Text() + " rounds of questions, " + f.Detail
		f.Remediation = "Start anew with a text that says it."
	}
	return t.fail(stop, f)
}

func listOf(questions []missing.Question) string {
	const most = 5
	text := ""
	for i, q := range questions {
		switch {
		case i == most:
			return text + ", …"
		case i > 0:
			text += ", "
		}
		if q.Pointer == "" {
			text += "the whole answer"
		}
		text += q.Pointer
	}
	return text
}

// keywordMissing is the keyword of entries about what the text does not say.
const keywordMissing = "MISSING"

// unasked is the report of an answer that neither answers nor asks for something that can be missing.
func unasked(f *missing.Form, said missing.Said) schema.Report {
	var names []string
	for _, p := range f.Places {
		names = append(names, p.Pointer())
	}
	hint := "Give the answer. Only these places can be missing: " + clipped(strings.Join(names, ", "))
	if len(said.Unknown) == 0 {
		return schema.Report{Errors: []schema.Entry{{
			Keyword: keywordMissing, Pointer: "/answer", Expected: "an answer, or what is missing", Actual: "neither",
			Message: "nothing is said to be missing, and there is no answer", Hint: hint,
		}}}
	}
	return schema.Report{Errors: []schema.Entry{{
		Keyword: keywordMissing, Pointer: "/missing", Expected: "places that can be missing", Actual: clipped(strings.Join(said.Unknown, ", ")),
		Message: "none of these is a place that can be missing: what is optional is left out, and what the schema lets be null is null", Hint: hint,
	}}}
}

// inForm sets the pointers of a report below the member of the form that they are about, as the model wrote it.
func inForm(report schema.Report) schema.Report {
	entries := slices.Clone(report.Errors)
	for i := range entries {
		if entries[i].Keyword != keywordMissing && entries[i].Keyword != "SHAPE" {
			entries[i].Pointer = "/answer" + entries[i].Pointer
		}
	}
	report.Errors = entries
	return report
}
