package template

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/promptd/promptd/internal/body"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// Type is what a parameter takes.
type Type string

// The types.
const (
	String  Type = "string"
	Number  Type = "number"
	Integer Type = "integer"
	Boolean Type = "boolean"
	// Date is a day as RFC 3339 writes it: 2026-11-26.
	Date Type = "date"
	// Enum is one of the template's own texts.
	Enum Type = "enum"
	// List and Object are JSON, by a JSON Schema of their own.
	List   Type = "list"
	Object Type = "object"
)

// Types lists the types in the order of the reference.
func Types() []string {
	return []string{string(String), string(Number), string(Integer), string(Boolean), string(Date), string(Enum), string(List), string(Object)}
}

// The bounds of parameters.
const (
	mostParameters = 50
	mostValues     = 200
	mostValueChars = 200
	mostLength     = 1_000_000_000
	// mostDigits bounds a number, which stands inline.
	mostDigits = 64
	// schemaBytes bounds a parameter's own schema.
	schemaBytes = 64 << 10
)

// Parameter is one typed parameter of a template.
type Parameter struct {
	Name        string
	Type        Type
	Description string
	Required    bool
	// Default stands for a parameter that is not given, where HasDefault is set.
	Default    value.Value
	HasDefault bool
	schema     *schema.Schema
}

// always says whether the parameter has a value in every call.
func (p *Parameter) always() bool { return p.Required || p.HasDefault }

// fenced says whether the type can carry free text. What can't stands inline.
func (t Type) fenced() bool { return t == String || t == List || t == Object }

// readParameters reads the parameters in the order in which they stand; nested reads the object that holds them.
func readParameters(r, nested *body.Reader) []Parameter {
	all, given := r.Value("parameters")
	if !given || all.Kind() != value.KindObject {
		return nil
	}
	if all.Len() > mostParameters {
		r.Fault("parameters", "max_properties", fmt.Sprintf("a template has at most %d parameters", mostParameters), "Put what belongs together into one parameter of the type object.")
		for name := range all.Members() {
			nested.Value(name)
		}
		return nil
	}
	list := make([]Parameter, 0, all.Len())
	for name, v := range all.Members() {
		if !isParameter(name) {
			nested.Value(name)
			nested.Fault(name, "pattern", "this is not the name of a parameter", "A name has 1 to 64 letters a-z, digits and underscores and begins with a letter.")
			continue
		}
		one := nested.Object(name)
		if v.Kind() == value.KindObject {
			list = append(list, readParameter(one, name))
		}
	}
	return list
}

func readParameter(r *body.Reader, name string) Parameter {
	p := Parameter{Name: name, Description: r.String("description", "")}
	if badText(p.Description, maxDescription) {
		r.Fault("description", "length", "a description has at most 2,000 characters, none of them a control character", "")
	}
	p.Type = Type(r.Enum("type", "", Types()...))
	if _, given := r.Value("type"); !given {
		r.Fault("type", "required", "type is missing", "Use one of: "+strings.Join(Types(), ", ")+".")
	}
	p.Default, p.HasDefault = r.Value("default")
	p.Required = r.Bool("required", !p.HasDefault)
	if p.Required && p.HasDefault {
		r.Fault("default", "exclusive", "a parameter that is required needs no default", "Leave out default, or required.")
	}
	raw := p.read(r)
	if p.Type == "" {
		return p
	}
	compiled, err := schema.Compile(raw, schema.Options{Limits: schema.Limits{Bytes: schemaBytes}})
	if err != nil {
		for _, e := range fault.Of(err).Entries {
			r.Fault("schema", e.Rule, "schema is not a JSON Schema: "+e.Message+" (at "+e.Pointer+")", e.Hint)
		}
		return p
	}
	p.schema = compiled
	if p.HasDefault {
		for _, e := range p.judge(context.Background(), p.Default) {
			r.Fault("default", e.Rule, "default does not fit the parameter: "+e.Message, e.Hint)
		}
	}
	return p
}

// read takes what belongs to the type, and makes its JSON Schema.
func (p *Parameter) read(r *body.Reader) value.Value {
	own, hasSchema := r.Value("schema")
	_, hasLength := r.Value("max_length")
	_, hasValues := r.Value("values")
	member := func(name string, v value.Value) value.Member { return value.Member{Name: name, Value: v} }
	wrong := func(field string, given bool, of Type) {
		if given && p.Type != of && p.Type != "" {
			r.Fault(field, "type", field+" belongs to parameters of the type "+string(of), "Leave it out.")
		}
	}
	wrong("max_length", hasLength, String)
	wrong("values", hasValues, Enum)
	if hasSchema && p.Type != List && p.Type != Object && p.Type != "" {
		r.Fault("schema", "type", "schema belongs to parameters of the types list and object", "Leave it out.")
	}
	switch p.Type {
	case String:
		s := value.Object(member("type", value.String("string")))
		if n := r.Int("max_length", 0, 1, mostLength); n > 0 {
			s = s.With("maxLength", value.Int(n))
		}
		return s
	case Date:
		return value.Object(member("type", value.String("string")), member("format", value.String("date")))
	case Enum:
		return value.Object(member("enum", p.values(r)))
	case List, Object:
		kind := "array"
		if p.Type == Object {
			kind = "object"
		}
		if !hasSchema {
			return value.Object(member("type", value.String(kind)))
		}
		if own.Kind() != value.KindObject {
			r.Fault("schema", "type", "schema must be a JSON Schema object", "Leave it out where any "+kind+" will do.")
			return value.Object()
		}
		return own
	default:
		return value.Object(member("type", value.String(string(p.Type))))
	}
}

// values reads the texts of an enum.
func (p *Parameter) values(r *body.Reader) value.Value {
	texts := r.Strings("values")
	if len(texts) == 0 || len(texts) > mostValues {
		r.Fault("values", "items", fmt.Sprintf("an enum has 1 to %d values", mostValues), "List the texts that the parameter takes as values.")
		return value.Array(value.String("none"))
	}
	items := make([]value.Value, 0, len(texts))
	for i, text := range texts {
		switch {
		case text == "" || badText(text, mostValueChars):
			r.Fault("values", "length", fmt.Sprintf("value %d must have 1 to %d characters, none of them a control character", i+1, mostValueChars), "")
		case slices.Contains(texts[:i], text):
			r.Fault("values", "unique", fmt.Sprintf("value %d stands there twice", i+1), "Leave one out.")
		}
		items = append(items, value.String(text))
	}
	return value.Array(items...)
}

// judge says what is wrong with a value; the pointers lead into it.
func (p *Parameter) judge(ctx context.Context, v value.Value) []fault.Entry {
	if p.schema == nil {
		return nil // It is at fault itself.
	}
	if kind := p.kind(); kind != v.Kind() {
		return []fault.Entry{{Rule: "type", Message: fmt.Sprintf("parameter %s is of the kind %s; it must be %s", p.Name, v.Kind(), p.wants()), Hint: ""}}
	}
	if v.Kind() == value.KindNumber && len(v.Text()) > mostDigits {
		return []fault.Entry{{Rule: "length", Message: fmt.Sprintf("parameter %s is a number of more than %d characters", p.Name, mostDigits), Hint: "Send it with fewer digits, or as a string."}}
	}
	valid, report := p.schema.Accept(ctx, v)
	if valid.OK() {
		return nil
	}
	entries := make([]fault.Entry, 0, len(report.Errors))
	for _, e := range report.Errors {
		entries = append(entries, fault.Entry{Pointer: e.Pointer, Rule: e.Keyword, Message: "parameter " + p.Name + ": " + e.Message, Hint: e.Hint})
	}
	return entries
}

// kind is the kind of JSON value that the type takes.
func (p *Parameter) kind() value.Kind {
	switch p.Type {
	case Number, Integer:
		return value.KindNumber
	case Boolean:
		return value.KindBool
	case List:
		return value.KindArray
	case Object:
		return value.KindObject
	default:
		return value.KindString
	}
}

func (p *Parameter) wants() string {
	switch p.Type {
	case Date:
		return "a string with a date such as 2026-11-26"
	case Enum:
		return "a string, one of the parameter's values"
	case Integer, Object:
		return "an " + string(p.Type)
	case List:
		return "an array"
	default:
		return "a " + string(p.Type)
	}
}
