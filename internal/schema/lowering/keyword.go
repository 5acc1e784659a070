package lowering

import (
	"strconv"

	"github.com/promptd/promptd/internal/value"
)

func itoa(n int) string { return strconv.Itoa(n) }

// role tells what a keyword is for.
type role uint8

const (
	unknown    role = iota // no keyword of JSON Schema: noise (rule R19)
	annotation             // says nothing of what is valid
	identifier             // names the schema or the vocabulary
	container              // holds definitions
	reference
	general    // asserts on any kind: type, enum, const
	numeric    // asserts on numbers
	textual    // asserts on strings
	counting   // asserts on arrays, without subschemas
	listing    // applies subschemas to items
	naming     // asserts on objects, without subschemas of members
	properties // applies subschemas to members
	logical    // applies subschemas to the same value
)

// roleOf is the table of keywords of all drafts.
func roleOf(keyword string) role {
	switch keyword {
	case "title", "description", "default", "examples", "example", "deprecated", "readOnly", "writeOnly", "$comment", "contentEncoding",
		"contentMediaType", "contentSchema":
		return annotation
	case "$schema", "$id", "id", "$anchor", "$dynamicAnchor", "$recursiveAnchor", "$vocabulary":
		return identifier
	case "$defs", "definitions":
		return container
	case "$ref", "$dynamicRef", "$recursiveRef":
		return reference
	case "type", "enum", "const":
		return general
	case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf":
		return numeric
	case "minLength", "maxLength", "pattern", "format", "x-extractive":
		return textual
	case "minItems", "maxItems", "uniqueItems", "minContains", "maxContains":
		return counting
	case "items", "prefixItems", "additionalItems", "contains", "unevaluatedItems":
		return listing
	case "required", "minProperties", "maxProperties", "dependentRequired", "propertyNames":
		return naming
	case "properties", "patternProperties", "additionalProperties", "unevaluatedProperties", "dependentSchemas", "dependencies":
		return properties
	case "allOf", "anyOf", "oneOf", "not", "if", "then", "else":
		return logical
	default:
		return unknown
	}
}

// appliesTo reports whether a keyword with that role can assert anything on a value of the kind.
func (r role) appliesTo(kind string) bool {
	switch r {
	case numeric:
		return kind == "number" || kind == "integer"
	case textual:
		return kind == "string"
	case counting, listing:
		return kind == "array"
	case naming, properties:
		return kind == "object"
	case general, logical, reference:
		return true
	default:
		return false
	}
}

// rewrite applies f to a schema and every schema within it, from the inside out. What is data (enum, const, default) is not touched.
func rewrite(s value.Value, f func(value.Value) value.Value) value.Value {
	if s.Kind() != value.KindObject {
		return s
	}
	members := make([]value.Member, 0, s.Len())
	for name, item := range s.Members() {
		members = append(members, value.Member{Name: name, Value: rewriteKeyword(name, item, f)})
	}
	return f(value.Object(members...))
}

func rewriteKeyword(name string, v value.Value, f func(value.Value) value.Value) value.Value {
	switch name {
	case "properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies":
		members := make([]value.Member, 0, v.Len())
		for key, item := range v.Members() {
			members = append(members, value.Member{Name: key, Value: rewrite(item, f)})
		}
		if v.Kind() != value.KindObject {
			return v
		}
		return value.Object(members...)
	case "items", "prefixItems", "allOf", "anyOf", "oneOf":
		if v.Kind() != value.KindArray {
			return rewrite(v, f)
		}
		items := make([]value.Value, 0, v.Len())
		for _, item := range v.Items() {
			items = append(items, rewrite(item, f))
		}
		return value.Array(items...)
	case "additionalProperties", "additionalItems", "contains", "propertyNames", "not", "if", "then", "else", "unevaluatedItems",
		"unevaluatedProperties", "contentSchema":
		return rewrite(v, f)
	default:
		return v
	}
}
