// Package missing finds what a schema requires and a text may not say, and lets a model say so instead of inventing it.
//
// Where a member is required and its schema allows no null, has no default and lists no word such as "unknown", a model that must satisfy the schema has nothing
// honest to write when the text is silent: it invents. [Places] finds such places statically. The main type is [Form]: the schema that is sent instead of the
// caller's, an object with the list of what is missing and, where nothing is, the caller's value. [Form.Open] takes an answer apart again.
//
// It is not for judging: what comes out as the value is judged by the caller's schema alone, which stands in the form by reference and so keeps its draft, its
// identifiers and its own keywords.
package missing

import (
	"context"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/value"
)

// The members of a form. The list comes first, so that a model makes up its mind about what is missing before it writes values.
const (
	missingName = "missing"
	answerName  = "answer"
)

// answerURL is where the form refers to the caller's schema. It is beside the base that a schema without an identifier has, so that relative references
// inside lead where they would lead without the form.
const answerURL = "schema:///answer"

// Form is the schema that lets a model answer or say what is missing. It is immutable and safe for concurrent use.
type Form struct {
	// Places are those that may be said to be missing, in the schema's order.
	Places []Place

	schema  *schema.Schema
	callers value.Value
}

// New makes the form of a schema; nil where there is nothing that could be missing.
func New(s *schema.Schema) (*Form, error) {
	places := Places(s)
	if len(places) == 0 {
		return nil, nil //nolint:nilnil // Nothing to ask for is an answer.
	}
	f := &Form{Places: places, callers: s.Value()}
	form := closed(
		member(missingName, object(
			member("type", value.String("array")),
			member("description", value.String("What the answer must hold and the text does not say; empty where the text says it all.")),
			member("items", f.report()),
			member("maxItems", value.Int(int64(f.most()))))),
		member(answerName, object(member("$ref", value.String(answerURL)))),
	).With("required", value.Array(value.String(missingName)))
	if examples := examplesOf(s); examples.Len() > 0 {
		form = form.With("examples", examples)
	}
	const room = 1 << 20 // The caller's schema has kept its own limits already; what is around it is small.
	var err error
	f.schema, err = schema.Compile(form, schema.Options{Limits: schema.Limits{Bytes: room}, Remotes: schema.Remotes{answerURL: f.callers}})
	return f, err
}

// report is the schema of one thing that is missing.
func (f *Form) report() value.Value {
	pointer := object(member("type", value.String("string")))
	if f.finite() {
		var pointers []value.Value
		for _, p := range f.Places {
			pointers = append(pointers, value.String(p.Pointer()))
		}
		pointer = pointer.With("enum", value.Array(pointers...))
	} else {
		pointer = pointer.With("description", value.String("The place in the answer, as a JSON pointer."))
	}
	return closed(
		member("pointer", pointer),
		member("question", object(
			member("type", value.String("string")),
			member("description", value.String("A short question to the person who wrote the text, in the language of the text.")),
			member("maxLength", value.Int(toldQuestion)))),
	).With("required", value.Array(value.String("pointer"), value.String("question")))
}

// most is how many things can be missing: a model that is held to it does not run away with its list.
func (f *Form) most() int {
	if f.finite() {
		return min(len(f.Places), mostQuestions)
	}
	return mostQuestions
}

// finite reports whether the pointers of all places can be listed.
func (f *Form) finite() bool {
	for _, p := range f.Places {
		if p.Many() {
			return false
		}
	}
	return true
}

func object(members ...value.Member) value.Value { return value.Object(members...) }

func member(name string, v value.Value) value.Member { return value.Member{Name: name, Value: v} }

// closed is an object schema without further members.
func closed(properties ...value.Member) value.Value {
	return object(member("type", value.String("object")), member("properties", object(properties...)), member("additionalProperties", value.Bool(false)))
}

// examplesOf gives the schema's own examples as answers in the form, where it allows them itself.
func examplesOf(s *schema.Schema) value.Value {
	const most = 3
	var list []value.Value
	examples, _ := s.Value().Get("examples")
	if examples.Kind() != value.KindArray {
		return value.Array()
	}
	for _, example := range examples.Items() {
		if valid, _ := s.Accept(context.Background(), example); valid.OK() && len(list) < most { // Bounded in steps, and done once for a schema.
			list = append(list, object(member(missingName, value.Array()), member(answerName, example)))
		}
	}
	return value.Array(list...)
}

// Schema is the form as a compiled schema.
func (f *Form) Schema() *schema.Schema { return f.schema }

// Lower fits the form to a profile, as any schema is. Where a model is shown the text of a schema, the caller's stands in it.
func (f *Form) Lower(p lowering.Profile) lowering.Lowered {
	return lowering.Lower(f.schema, p).Spell(answerURL, f.callers.Without("examples"))
}

// Question is a place that is missing, with what to ask the person.
type Question struct {
	Pointer string `json:"pointer"`
	Text    string `json:"question"`
}

// Report is what a model says of places that are missing, in the form: as its own turn in a conversation that goes on.
func Report(questions []Question) value.Value {
	list := make([]value.Value, len(questions))
	for i, q := range questions {
		list[i] = object(member("pointer", value.String(q.Pointer)), member("question", value.String(q.Text)))
	}
	return object(member(missingName, value.Array(list...)))
}

// Said is an answer in the form, taken apart.
type Said struct {
	// Questions are those about places that can be missing, each once. The answer is incomplete where there is one.
	Questions []Question
	// Unknown are the pointers that were reported and are no such places.
	Unknown []string
	// Answer is the caller's value; Answered says that there is one.
	Answer   value.Value
	Answered bool
}

// Begun gives the caller's value as far as it goes of an answer that is still being written: read is it as it stands, raised in the form. There is none before
// it is known that nothing is missing, which is when the list has ended empty and something comes behind it.
func Begun(read, raised value.Value) (answer value.Value, ok bool) {
	if read.Kind() != value.KindObject || read.Len() < 2 || read.NameAt(0) != missingName || read.At(0).Kind() != value.KindArray || read.At(0).Len() > 0 {
		return value.Value{}, false
	}
	return raised.Get(answerName)
}

// Bounds of what a model may ask.
const (
	mostQuestions     = 20
	mostQuestionRunes = 500 // What is longer is cut.
	toldQuestion      = 200 // What the model is held to.
)

// Open takes an answer in the form apart. An answer that is no such object is taken for the caller's value as it is: models that are not held to the form
// forget it, and the value is judged like any other.
func (f *Form) Open(v value.Value) Said {
	list, reported := v.Get(missingName)
	answer, answered := v.Get(answerName)
	size := 0
	for _, has := range []bool{reported, answered} {
		if has {
			size++
		}
	}
	if v.Kind() != value.KindObject || size == 0 || v.Len() != size || reported && list.Kind() != value.KindArray {
		return Said{Answer: v, Answered: true}
	}
	s := Said{Answer: answer, Answered: answered}
	for _, item := range listOf(list) {
		at, _ := item.Get("pointer")
		text, _ := item.Get("question")
		s.report(f, at.Text(), text.Text())
	}
	return s
}

// report adds a question where its place is one that can be missing.
func (s *Said) report(f *Form, pointer, text string) {
	place, ok := f.Place(pointer)
	if !ok {
		if len(s.Unknown) < mostQuestions {
			s.Unknown = append(s.Unknown, pointer)
		}
		return
	}
	if len(s.Questions) == mostQuestions {
		return
	}
	for _, q := range s.Questions {
		if q.Pointer == pointer {
			return
		}
	}
	if text = clean(text); text == "" {
		text = place.plainly(pointer)
	}
	s.Questions = append(s.Questions, Question{pointer, text})
}

// Place finds the place that a pointer leads to.
func (f *Form) Place(pointer string) (Place, bool) {
	for _, p := range f.Places {
		if p.Is(pointer) {
			return p, true
		}
	}
	return Place{}, false
}

// plainly asks for a place where the model had no words.
func (p Place) plainly(pointer string) string {
	tokens, _ := value.Tokens(pointer)
	if len(tokens) == 0 {
		return "Please give the value."
	}
	name := tokens[len(tokens)-1]
	if _, err := strconv.Atoi(name); err == nil {
		return "Please give the value at " + pointer + "."
	}
	return "Please give " + strings.ReplaceAll(name, "_", " ") + "."
}

// clean makes one line of a question.
func clean(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if utf8.RuneCountInString(text) <= mostQuestionRunes {
		return text
	}
	return string([]rune(text)[:mostQuestionRunes-1]) + "…"
}
