package pipeline

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/promptd/promptd/internal/cache"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/template"
	"github.com/promptd/promptd/internal/value"
)

// Templates says what a reference to a template means for a team.
type Templates interface {
	Resolve(ctx context.Context, team key.TeamID, ref string) (*template.Use, error)
}

// expand makes of a template and its parameters what the other steps know: messages, a schema, and options below the request's own. It comes first of
// all, because the options hold the request's limit of time.
type expand struct {
	templates Templates
	settings  func() Settings
}

func (s expand) do(ctx context.Context, x *exchange) (*exchange, error) {
	t := *x.prompt.Template // The caller's own is left as it is.
	x.prompt.Template = &t
	use, err := s.templates.Resolve(ctx, x.who.Team, t.Ref)
	if err != nil {
		return x, atTemplate(err)
	}
	asked := t.Ref
	t.Ref, t.Hash = use.Ref(), use.Compiled.Hash
	if err := bind(&x.prompt, use); err != nil {
		return x, err
	}
	if x.prompt.Options, err = t.Options(use.Options); err != nil {
		return x, err
	}
	if x.prompt.Messages, err = use.Render(ctx, t.Parameters); err != nil {
		return x, err
	}
	return x, s.check(x, use, asked)
}

// check holds what a template renders to to the caller's limit, and says which parameter makes it long.
func (s expand) check(x *exchange, use *template.Use, asked string) error {
	most := x.who.PromptChars
	if most == 0 {
		most = s.settings().PromptChars
	}
	characters := Characters(x.prompt.Messages)
	if characters > 0 && characters <= most {
		return nil
	}
	name, length := use.Longest(x.prompt.Template.Parameters)
	at := "/template"
	if name != "" {
		at = value.AppendPointer("/parameters", name)
	}
	if characters == 0 {
		return fault.Invalid(at, "min_length", "the template "+asked+" renders to nothing after invisible characters are taken out", "Give its parameters texts that can be read.")
	}
	f := fault.Invalid(at, "limits.prompt_chars", "", "Send a shorter text, or raise limits.prompt_chars.")
	f.Detail = fmt.Sprintf("the template %s renders to %d characters; this key allows %d (limits.prompt_chars)", use.Ref(), characters, most)
	if name != "" {
		f.Detail += fmt.Sprintf("; its longest parameter is %s with %d", name, length)
	}
	f.Entries[0].Message = f.Detail
	return f
}

// Characters counts what a template renders to, as limits.prompt_chars does.
func Characters(messages []prompt.Message) int {
	n := 0
	for _, m := range messages {
		for _, part := range m.Parts {
			n += utf8.RuneCountInString(part.Text)
		}
	}
	return n
}

// bind takes over the schema that is bound to a template. A request that brings another is refused: either the answer would not be what the template
// promises, or not what the request asks for.
func bind(q *prompt.Prompt, use *template.Use) error {
	bound := use.Schema
	if bound.IsNull() {
		return nil
	}
	reference := bound.Kind() == value.KindString
	if q.HasSchema || q.SchemaRef != "" {
		same := q.HasSchema && value.Equal(q.Schema, bound) || reference && isVersionOf(q.SchemaRef, bound.Text())
		if same {
			return nil
		}
		return fault.Invalid("/schema", "exclusive", "the template "+use.Ref()+" has a schema bound to it, and the request brings another", "Leave schema out, or use a template without one.")
	}
	q.SchemaBound = true
	if reference {
		q.SchemaRef = bound.Text()
	} else {
		q.Schema, q.HasSchema = bound, true
	}
	return nil
}

// isVersionOf says whether a reference is the bound one, or names a version where the bound one leaves it open: that is how work that is done later keeps the
// version that it was accepted with.
func isVersionOf(ref, bound string) bool {
	version, pinned := strings.CutPrefix(ref, bound)
	return pinned && (version == "" || version[0] == '@')
}

// atTemplate says which field a reference's fault is about.
func atTemplate(err error) error {
	f := fault.Of(err)
	switch f.Code {
	case fault.NotFound, fault.Gone, fault.InvalidRequest, fault.Conflict:
		return f.At("/template", "reference")
	default:
		return err
	}
}

// ofTemplate moves the faults of a bound schema to the template, since the request's body has no schema.
func ofTemplate(q *prompt.Prompt, err error) error {
	f := fault.Of(err)
	if !q.SchemaBound || len(f.Entries) == 0 {
		return err
	}
	return f.Moved(func(e *fault.Entry) {
		if e.Rule == "reference" && e.Pointer == "/schema" || f.Code == fault.InvalidSchema {
			e.Pointer = "/template"
			e.Message = "the schema bound to " + q.Template.Ref + ": " + e.Message
		}
	})
}

// templateKey adds what a template makes of an answer to its cache key: the content, and where its words end and its data begins.
func templateKey(b *cache.Builder, q *prompt.Prompt) {
	if q.Template == nil {
		return
	}
	b.Text("prompt template", q.Template.Ref)
	b.Bytes("template hash", q.Template.Hash[:])
	for _, m := range q.Messages {
		for _, part := range m.Parts {
			for _, piece := range part.Pieces {
				b.Bool("data", piece.Data)
				b.Text("piece", piece.Text)
			}
		}
	}
}
