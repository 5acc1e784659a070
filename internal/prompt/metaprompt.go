package prompt

import (
	"embed"
	"fmt"
	"strings"
	"text/template"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/lowering"
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
	reask  *template.Template
}

// Writer renders meta-prompts from the templates.
type Writer struct {
	full, short, reask *template.Template
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
	if w.reask, err = read("reask"); err != nil {
		return nil, err
	}
	return &w, nil
}

// view is what the templates see.
type view struct {
	Enforced      bool
	NullForAbsent bool
	Schema        string
	Residue       []string
	Examples      []string
}

const (
	mostExamples = 3
	mostResidue  = 20
)

// Write renders the meta-prompt of a schema lowered for a model. The schema and its constraints are said once: where the provider enforces the
// lowered schema, only what it does not enforce is said.
func (w *Writer) Write(s value.Value, l lowering.Lowered, small bool) (MetaPrompt, error) {
	v := view{Enforced: l.Mode == lowering.Strict || l.Mode == lowering.Tool}
	v.NullForAbsent = v.Enforced
	if !v.Enforced {
		// A grammar forces the form but tells the model nothing of what the fields mean, so only the strict modes leave the schema out.
		v.Schema = told(s, l).String()
	}
	for i, r := range l.Residue {
		if !v.Enforced || i == mostResidue {
			break
		}
		v.Residue = append(v.Residue, constraint(r))
	}
	v.Examples = examples(s, l)
	t := w.full
	if small {
		t = w.short
	}
	var b strings.Builder
	if err := t.Execute(&b, v); err != nil {
		return MetaPrompt{}, fmt.Errorf("render meta-prompt %s: %w", t.Name(), err)
	}
	return MetaPrompt{system: strings.TrimRight(b.String(), "\n"), reask: w.reask}, nil
}

// told is the schema as the model reads it: the lowered one under a grammar, since it must answer in that shape, else the caller's own.
func told(s value.Value, l lowering.Lowered) value.Value {
	if l.Mode == lowering.Grammar && !l.Schema.IsNull() {
		return l.Schema
	}
	return s
}

func constraint(r lowering.Residue) string {
	at := r.Pointer
	if at == "" {
		at = "the answer"
	}
	return at + ": " + r.Keyword + " " + r.Value.String()
}

// examples are the schema's own, lowered, as far as they translate.
func examples(s value.Value, l lowering.Lowered) []string {
	list, ok := s.Get("examples")
	if !ok {
		return nil
	}
	var texts []string
	for _, example := range list.Items() {
		if lowered, err := l.Lower(example); err == nil && len(texts) < mostExamples {
			texts = append(texts, lowered.String())
		}
	}
	return texts
}

// Messages builds the conversation of a first attempt: the stable instruction, then the caller's text fenced as data.
func (m MetaPrompt) Messages(p Prompt) []dialect.Message {
	if len(p.Messages) == 0 {
		return []dialect.Message{text(dialect.System, m.system), text(dialect.User, fence(p.Text))}
	}
	messages := make([]dialect.Message, 0, 1+len(p.Messages))
	messages = append(messages, text(dialect.System, m.system))
	for _, turn := range p.Messages {
		role := dialect.User
		if turn.Role == "assistant" {
			role = dialect.Assistant
		}
		parts := make([]dialect.Part, 0, len(turn.Parts))
		for _, part := range turn.Parts {
			switch {
			case part.Image != "":
				parts = append(parts, dialect.Part{Image: part.Image})
			case turn.Role == "system":
				parts = append(parts, dialect.Part{Text: "Guidance of the caller for this task:\n" + part.Text})
			case role == dialect.User:
				parts = append(parts, dialect.Part{Text: fence(part.Text)})
			default:
				parts = append(parts, dialect.Part{Text: part.Text})
			}
		}
		messages = append(messages, dialect.Message{Role: role, Parts: parts})
	}
	return messages
}

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
