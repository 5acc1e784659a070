package router

import (
	"cmp"
	"math"
	"strconv"
	"time"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/schema"
)

// Question is a request before anybody is asked.
type Question struct {
	Prompt *prompt.Prompt
	Caller *key.Caller
	Schema *schema.Schema
	// SchemaName is how the schema is called in answers.
	SchemaName string
	// Strategy is the configured one; options.routing goes before it.
	Strategy string

	now           time.Time
	text          size
	counted       bool
	input, output int // expected tokens
	complexity    float64
	lesson        lessonKey
}

// strategy is the name of the one that is wanted.
func (q *Question) strategy() string { return cmp.Or(q.Prompt.Options.Routing, q.Strategy) }

// pinnedBy names the options that name a provider or a model; empty where none does.
func (q *Question) pinnedBy() string {
	switch o := &q.Prompt.Options; {
	case o.Provider != "" && o.Model != "":
		return "options.provider and options.model"
	case o.Model != "":
		return "options.model"
	case o.Provider != "":
		return "options.provider"
	default:
		return ""
	}
}

// size counts a text by the bytes that make ASCII characters and those that make others.
type size struct{ ascii, other int }

func (s *size) add(text string) {
	other := 0
	for i := range len(text) {
		other += int(text[i] >> 7)
	}
	s.other += other
	s.ascii += len(text) - other
}

// tokens estimates the tokens of a text: about four bytes each in English and in JSON, three where characters have several bytes. It takes microseconds where
// a tokenizer takes hundreds, and only ranks candidates and leaves out windows that are far too small.
func (s size) tokens() int { return s.ascii/4 + s.other/3 }

// imageTokens is about what services count for an image of usual size.
const imageTokens = 1000

// promptTokens estimates what the caller's text takes.
func (q *Question) promptTokens() int {
	if !q.counted {
		q.counted = true
		q.text.add(q.Prompt.Text)
		for _, m := range q.Prompt.Messages {
			for _, part := range m.Parts {
				q.text.add(part.Text)
			}
		}
	}
	return q.text.tokens() + q.Prompt.Images()*imageTokens
}

// bytes is an upper bound of the tokens of the text that costs nothing to find out.
func (q *Question) bytes() int {
	n := len(q.Prompt.Text)
	for _, m := range q.Prompt.Messages {
		for _, part := range m.Parts {
			n += len(part.Text)
		}
	}
	return n + q.Prompt.Images()*imageTokens
}

// estimate fills in what strategies need: the tokens that are expected, and how complex the task is.
func (r *Router) estimate(q *Question) {
	shape := r.shapes.of(q.Schema)
	const instruction = 200 // The meta-prompt without the schema.
	q.input = instruction + shape.tokens + q.promptTokens()
	q.output = min(shape.answer, q.Prompt.Options.MaxTokens)
	q.complexity = complexity(q, shape)
}

func whole(n int) string { return strconv.Itoa(n) }

// percent writes a share with a digit behind the point where it is near the whole.
func percent(share float64) string {
	return strconv.FormatFloat(100*share, 'f', 1, 64) + " %"
}

// dollars writes an amount of nano-dollars with two significant digits.
func dollars(nano float64) string {
	usd := nano / 1e9
	digits := 2
	if usd > 0 {
		digits = max(2, 1-int(math.Floor(math.Log10(usd))))
	}
	return strconv.FormatFloat(usd, 'f', digits, 64)
}

// number writes a score.
func number(f float64) string { return strconv.FormatFloat(f, 'f', 2, 64) }
