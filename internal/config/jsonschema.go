package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// member is one name and value of a JSON object whose order is kept.
type member struct {
	name  string
	value any
}

// ordered is a JSON object in the order of the declarations, so that the published schema reads like the file.
type ordered []member

// MarshalJSON writes the members in their order.
func (o ordered) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(m.name)
		if err != nil {
			return nil, err
		}
		var value bytes.Buffer
		e := json.NewEncoder(&value)
		e.SetEscapeHTML(false)
		if err := e.Encode(m.value); err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(bytes.TrimSpace(value.Bytes()))
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// JSONSchema gives the JSON Schema (draft 2020-12) of the configuration file, for editors and checks. It is what the decoder
// accepts by form; what concerns more than one key, and what this version lacks, only Load can tell.
func JSONSchema() ([]byte, error) {
	o := ordered{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"title", "promptd configuration"},
	}
	o = append(o, objectSchema(reflect.TypeFor[Config]())...)
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(o); err != nil {
		return nil, fmt.Errorf("write the schema of the configuration: %w", err)
	}
	return b.Bytes(), nil
}

func objectSchema(t reflect.Type) ordered {
	var props ordered
	for _, f := range fieldsOf(t) {
		props = append(props, member{f.name, f.schema()})
	}
	o := ordered{{"type", "object"}, {"properties", props}, {"additionalProperties", false}}
	if f, ok := lookup(fieldsOf(t), "name"); ok && f.def == "" {
		o = append(o, member{"required", []string{"name"}})
	}
	return o
}

func (f field) schema() ordered {
	o := ordered{{"description", f.text}}
	switch f.kind {
	case kindObject:
		// A section without keys is null in YAML and changes nothing.
		s := objectSchema(f.typ)
		s[0].value = []string{"object", "null"}
		return append(o, s...)
	case kindObjects:
		return append(o, member{"type", "array"}, member{"items", objectSchema(f.typ.Elem())})
	case kindTable:
		return append(o, member{"type", "object"}, member{"additionalProperties", ordered{{"type", "string"}}})
	case kindList:
		o = append(o, member{"type", "array"}, member{"items", f.one().scalarSchema()})
		if f.def != "" {
			o = append(o, member{"default", strings.Split(f.def, ",")})
		}
		return o
	}
	o = append(o, f.scalarSchema()...)
	if d := f.schemaDefault(); d != nil {
		o = append(o, member{"default", d})
	}
	return o
}

// variable is the form of a text that holds a ${NAME}; it may stand for any scalar.
func variable() ordered { return ordered{{"type", "string"}, {"pattern", `\$\{`}} }

func (f field) scalarSchema() ordered {
	var s ordered
	switch f.kind {
	case kindSecret, kindLocator:
		return ordered{{"type", "string"}}
	case kindText:
		if f.enum == nil {
			return ordered{{"type", "string"}}
		}
		s = ordered{{"enum", f.enum}}
	case kindBool:
		s = ordered{{"type", "boolean"}}
	case kindInt, kindFloat:
		s = ordered{{"type", map[kind]string{kindInt: "integer", kindFloat: "number"}[f.kind]}, {"minimum", json.Number(f.min)}, {"maximum", json.Number(f.max)}}
	case kindDuration:
		s = ordered{{"type", "string"}, {"pattern", `^([0-9]+d|0|[+-]?([0-9]*\.?[0-9]+(ns|us|µs|ms|s|m|h))+)$`}}
	case kindBytes:
		return ordered{{"anyOf", []any{
			ordered{{"type", "integer"}, {"minimum", json.Number(f.min)}, {"maximum", json.Number(f.max)}},
			ordered{{"type", "string"}, {"pattern", `^[0-9]+ ?(B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB)?$`}},
			variable(),
		}}}
	case kindUSD:
		s = ordered{{"type", []string{"number", "string"}}}
	}
	return ordered{{"anyOf", []any{s, variable()}}}
}

func (f field) schemaDefault() any {
	switch f.kind {
	case kindBool:
		return f.def == "true"
	case kindInt, kindFloat, kindBytes:
		return json.Number(f.def)
	case kindSecret, kindUSD:
		return nil
	default:
		if f.enum != nil && f.def == "" {
			return nil
		}
		return f.def
	}
}

// showDuration gives a duration as the file writes it, without the zero parts that Go prints.
func showDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	if h, ok := strings.CutSuffix(s, "h"); ok {
		if n, err := strconv.Atoi(h); err == nil && n > 24 && n%24 == 0 {
			return strconv.Itoa(n/24) + "d"
		}
	}
	return s
}
