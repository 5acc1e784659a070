package prompt

import (
	"cmp"
	"context"
	"embed"
	"fmt"
	"strings"
	"sync"
	"text/template"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/schema/missing"
	"github.com/promptd/promptd/internal/value"
)

// MetaPromptVersion names the templates in use; it is part of every cache key, so that new wording never meets old answers.
const MetaPromptVersion = "v1"

//go:embed metaprompt
var templates embed.FS

// MetaPrompt is the instruction around a prompt for one schema and one model: a stable prefix, the same bytes for every request, so that the
// provider's prompt cache holds it.
type MetaPrompt struct {
	system string
	// chat is the instruction around a conversation, rendered when it is first wanted.
	chat  func() string
	reask *template.Template
}

// Writer renders meta-prompts from the templates.
type Writer struct {
	full, short, chat, reask *template.Template
}

// NewWriter reads the templates; an error means a broken build.
func NewWriter() (*Writer, error) {
	read := func(name string) (*template.Template, error) {
		path := "metaprompt/" + MetaPromptVersion + "/" + name + ".tmpl"
		t, err := template.ParseFS(templates, path)
		if err != nil {
			return nil, fmt.Errorf("read meta-prompt %s: %w", path, err)
		}
		return t, nil
	}
	var w Writer
	var err error
	if w.full, err = read("full"); err != nil {
		return nil, err
	}
	if w.short, err = read("short"); err != nil {
		return nil, err
	}
	if w.chat, err = read("chat"); err != nil {
		return nil, err
	}
	if w.reask, err = read("reask"); err != nil {
		return nil, err
	}
	return &w, nil
}

// view is what the templates see.
type view struct {
	// Schema is the schema as text; empty where the provider itself shows the model the schema that it is sent.
	Schema        string
	NullForAbsent bool
	Residue       []string
	Examples      []string
	// AnyObject says that the schema asks for an object and for nothing else.
	AnyObject bool
	// Askable are the places that may be said to be missing, Within those that are wanted only where what contains them is there. Where there are any, the
	// answer has the form of package missing.
	Askable, Within []string
}

// Bounds of what is said beside the schema, so that a meta-prompt stays small whatever the schema holds.
const (
	mostExamples     = 3
	mostExampleBytes = 4_000
	mostResidue      = 20
	mostResidueBytes = 2_000
)

// Write renders the meta-prompt of a schema lowered for a model. Schema and constraints are said once: either here, or in the schema that the
// provider shows the model, with the constraints that it does not enforce in the descriptions. Only what those leave out is said here.
func (w *Writer) Write(s *schema.Schema, l lowering.Lowered, small bool) (MetaPrompt, error) {
	return w.write(view{AnyObject: AnyObject(s)}, s, l, small)
}

// WriteAsking renders the meta-prompt of a form in which a model can say what is missing.
func (w *Writer) WriteAsking(f *missing.Form, l lowering.Lowered, small bool) (MetaPrompt, error) {
	var v view
	for _, p := range f.Places {
		list := &v.Askable
		if p.Within {
			list = &v.Within
		}
		*list = append(*list, cmp.Or(p.Pointer(), `"" (the whole answer)`))
	}
	return w.write(v, f.Schema(), l, small)
}

func (w *Writer) write(v view, s *schema.Schema, l lowering.Lowered, small bool) (MetaPrompt, error) {
	v.NullForAbsent, v.Examples = l.Mode == lowering.Strict, examples(s, l)
	if l.Shown.IsNull() {
		v.Residue = unsaid(l.Residue)
	} else {
		v.Schema = withoutExamples(s.Value(), l.Shown).String()
	}
	t := w.full
	if small {
		t = w.short
	}
	var b strings.Builder
	if err := t.Execute(&b, v); err != nil {
		return MetaPrompt{}, fmt.Errorf("render meta-prompt %s: %w", t.Name(), err)
	}
	chat := sync.OnceValue(func() string {
		var b strings.Builder
		_ = w.chat.Execute(&b, v) //nolint:errcheck // It takes the same view as the one before, and a builder takes every byte.
		return strings.TrimRight(b.String(), "\n")
	})
	return MetaPrompt{system: strings.TrimRight(b.String(), "\n"), chat: chat, reask: w.reask}, nil
}

// withoutExamples takes the root's examples out of the schema as it is told: they are said behind it, in the shape in which the model answers.
func withoutExamples(own, told value.Value) value.Value {
	if _, ok := told.Get("examples"); ok {
		return told.Without("examples")
	}
	if _, ok := own.Get("examples"); !ok {
		return told
	}
	properties, _ := told.Get("properties") // The root was wrapped: it is the only property.
	for name, inner := range properties.Members() {
		told = told.With("properties", value.Object(value.Member{Name: name, Value: inner.Without("examples")}))
	}
	return told
}

// unsaid are the constraints that no description says, as far as they have room.
func unsaid(residue []lowering.Residue) []string {
	var lines []string
	room := mostResidueBytes
	for _, r := range residue {
		if r.Said() || len(lines) == mostResidue {
			continue
		}
		at := r.Pointer
		if at == "" {
			at = "the whole answer"
		}
		if line := at + ": " + r.Keyword + " " + r.Value.String(); len(line) <= room {
			room -= len(line)
			lines = append(lines, line)
		}
	}
	return lines
}

// examples are the schema's own in the shape in which the model answers. An example that the schema itself does not allow would teach the model to
// fail, so it is left out.
func examples(s *schema.Schema, l lowering.Lowered) []string {
	list, ok := s.Value().Get("examples")
	if !ok || list.Kind() != value.KindArray {
		return nil
	}
	var texts []string
	room := mostExampleBytes
	for _, example := range list.Items() {
		if len(texts) == mostExamples {
			break
		}
		valid, _ := s.Accept(context.Background(), example) // Bounded in steps, and done once for a schema and a model.
		if !valid.OK() {
			continue
		}
		lowered, err := l.Lower(s.Reorder(example))
		if err != nil {
			continue
		}
		if text := lowered.String(); len(text) <= room {
			room -= len(text)
			texts = append(texts, text)
		}
	}
	return texts
}

// Messages builds the conversation of a first attempt: the stable instruction, then the caller's text fenced as data. Neighbouring turns of one role
// become one message, since the chat templates of many models take roles in turn alone.
func (m MetaPrompt) Messages(p Prompt) []dialect.Message {
	if p.Conversation {
		return m.conversation(p.Messages)
	}
	if len(p.Messages) == 0 {
		return []dialect.Message{text(dialect.System, m.system), text(dialect.User, fence(p.Text))}
	}
	messages := make([]dialect.Message, 0, 1+len(p.Messages))
	messages = append(messages, text(dialect.System, m.system))
	marker := markerOf(p.Messages)
	for _, turn := range p.Messages {
		role := dialect.User
		if turn.Role == "assistant" {
			role = dialect.Assistant
		}
		parts := make([]dialect.Part, 0, len(turn.Parts))
		for _, part := range turn.Parts {
			switch {
			case part.Image != "":
				parts = append(parts, dialect.Part{Image: part.Image, Detail: part.Detail})
			case part.Pieces != nil:
				parts = append(parts, dialect.Part{Text: interleave(part.Pieces, marker)})
			case turn.Role == "system":
				// It stands behind the instruction, not in it: the instruction stays the same bytes for every request.
				parts = append(parts, dialect.Part{Text: guidance + part.Text})
			case role == dialect.User:
				parts = append(parts, dialect.Part{Text: fence(part.Text)})
			default:
				parts = append(parts, dialect.Part{Text: part.Text})
			}
		}
		if last := &messages[len(messages)-1]; last.Role == role {
			last.Parts = append(last.Parts, parts...)
			continue
		}
		messages = append(messages, dialect.Message{Role: role, Parts: parts})
	}
	return messages
}

// guidance stands before what the caller says as system: it is the caller's own wish, not part of the text.
const guidance = "Guidance of the caller for this task:\n"

// Reask adds to a conversation the model's answer and what is wrong with it.
func (m MetaPrompt) Reask(messages []dialect.Message, answer string, report schema.Report) ([]dialect.Message, error) {
	const most = 12
	var list struct {
		Errors []string
		More   int
	}
	for i, e := range report.Errors {
		if i == most {
			list.More = len(report.Errors) - most
			break
		}
		at := e.Pointer
		if at == "" {
			at = "the whole answer"
		}
		line := at + ": " + e.Message
		if e.Hint != "" {
			line += " (" + e.Hint + ")"
		}
		list.Errors = append(list.Errors, line)
	}
	var b strings.Builder
	if err := m.reask.Execute(&b, list); err != nil {
		return nil, fmt.Errorf("render meta-prompt %s: %w", m.reask.Name(), err)
	}
	again := make([]dialect.Message, 0, len(messages)+2)
	again = append(again, messages...)
	return append(again, text(dialect.Assistant, answer), text(dialect.User, strings.TrimRight(b.String(), "\n"))), nil
}

func text(role dialect.Role, s string) dialect.Message {
	return dialect.Message{Role: role, Parts: []dialect.Part{{Text: s}}}
}
