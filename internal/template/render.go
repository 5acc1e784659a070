package template

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/value"
)

// mostEntries bounds the faults that one answer lists.
const mostEntries = 20

// Render gives the messages that a call's parameters make of the template. Every fault is an INVALID_REQUEST whose pointers begin with /parameters.
func (c *Compiled) Render(ctx context.Context, parameters value.Value) ([]prompt.Message, error) {
	values, entries := c.take(ctx, parameters)
	if len(entries) > 0 {
		f := &fault.Fault{Code: fault.InvalidRequest, Detail: entries[0].Message, Entries: entries[:min(len(entries), mostEntries)]}
		if n := len(entries) - 1; n > 0 {
			f.Detail = fmt.Sprintf("%s, and %d more", entries[0].Message, n)
		}
		f.Remediation = "Correct the parameters named in errors; GET /v1/templates/{name} shows what the template takes."
		return nil, f
	}
	messages := make([]prompt.Message, 0, len(c.turns))
	for _, t := range c.turns {
		pieces := c.write(nil, t.nodes, values)
		if len(pieces) == 0 {
			continue // Its sections are all absent.
		}
		messages = append(messages, prompt.Message{Role: t.role, Parts: []prompt.Part{prompt.PartOf(pieces...)}})
	}
	return messages, nil
}

// take checks parameters and adds the defaults. null is a parameter that is not given.
func (c *Compiled) take(ctx context.Context, given value.Value) (map[string]value.Value, []fault.Entry) {
	if given.Kind() != value.KindObject {
		return nil, []fault.Entry{{
			Pointer: "/parameters", Rule: "type", Message: "parameters is of the kind " + given.Kind().String() + "; it must be an object",
			Hint: "Send the values by their names, for example {\"document\": \"…\"}.",
		}}
	}
	var entries []fault.Entry
	for name := range given.Members() {
		if c.parameter(name) == nil {
			const most = 64
			shown := strings.ToValidUTF8(name[:min(len(name), most)], "")
			entries = append(entries, fault.Entry{
				Pointer: value.AppendPointer("/parameters", shown), Rule: "unknown_parameter", Message: fmt.Sprintf("there is no parameter %q", shown), Hint: c.takes(),
			})
			if len(entries) > mostEntries {
				return nil, entries
			}
		}
	}
	values := make(map[string]value.Value, len(c.Parameters))
	for i := range c.Parameters {
		p := &c.Parameters[i]
		at := value.AppendPointer("/parameters", p.Name)
		v, ok := given.Get(p.Name)
		switch {
		case ok && (!v.IsNull() || p.Required):
			found := p.judge(ctx, v)
			for j := range found {
				found[j].Pointer = at + found[j].Pointer
			}
			entries = append(entries, found...)
			values[p.Name] = v
		case p.HasDefault:
			values[p.Name] = p.Default
		case p.Required:
			entries = append(entries, fault.Entry{Pointer: at, Rule: "required", Message: "parameter " + p.Name + " is missing", Hint: "Send " + p.wants() + "."})
		}
	}
	return values, entries
}

func (c *Compiled) takes() string {
	if len(c.Parameters) == 0 {
		return "The template takes no parameters."
	}
	var names []string
	for _, p := range c.Parameters {
		names = append(names, p.Name)
	}
	return "Known parameters: " + strings.Join(names, ", ") + "."
}

// write adds the pieces of nodes.
func (c *Compiled) write(pieces []prompt.Piece, nodes []node, values map[string]value.Value) []prompt.Piece {
	for i := range nodes {
		n := &nodes[i]
		v, there := values[n.text]
		shown := there && (v.Kind() != value.KindBool || v.Truth())
		switch {
		case n.kind == literal:
			pieces = append(pieces, prompt.Piece{Text: n.text})
		case n.kind == placeholder && there:
			pieces = append(pieces, piece(c.parameter(n.text), v))
		case n.kind == section && shown, n.kind == inverted && !shown:
			pieces = c.write(pieces, n.inner, values)
		}
	}
	return pieces
}

// piece writes a value as its type is written.
func piece(p *Parameter, v value.Value) prompt.Piece {
	one := prompt.Piece{Text: v.Text(), Data: p.Type.fenced() || !plain(p, v)}
	switch v.Kind() {
	case value.KindBool, value.KindNull:
		one.Text = v.String()
	case value.KindArray, value.KindObject:
		one.Text = v.String()
		one.Leaves = leaves(nil, v)
	}
	return one
}

// plain says once more, apart from the schema that has judged the value, that it can stand inline: an enum's own text, or digits.
func plain(p *Parameter, v value.Value) bool {
	switch p.Type {
	case Boolean, Enum:
		return true
	default:
		return len(v.Text()) <= mostDigits && strings.Trim(v.Text(), "0123456789+-.eE") == ""
	}
}

// leaves adds the strings of a value.
func leaves(texts []string, v value.Value) []string {
	switch v.Kind() {
	case value.KindString:
		return append(texts, v.Text())
	case value.KindArray:
		for _, item := range v.Items() {
			texts = leaves(texts, item)
		}
	case value.KindObject:
		for _, item := range v.Members() {
			texts = leaves(texts, item)
		}
	}
	return texts
}

// Longest gives the parameter with the longest text among those that were given, for a message about a prompt that is too long.
func (c *Compiled) Longest(parameters value.Value) (name string, characters int) {
	for _, p := range c.Parameters {
		v, ok := parameters.Get(p.Name)
		if !ok {
			continue
		}
		text := v.Text()
		if v.Kind() == value.KindArray || v.Kind() == value.KindObject {
			text = v.String()
		}
		if n := utf8.RuneCountInString(text); n > characters || name == "" {
			name, characters = p.Name, n
		}
	}
	return name, characters
}
