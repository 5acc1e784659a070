package schema

import (
	"fmt"
	"strings"
)

// Draft is a version of JSON Schema.
type Draft uint8

// The drafts. The zero Draft is the default, 2020-12.
const (
	Draft202012 Draft = iota
	Draft201909
	Draft7
	Draft6
	Draft4
)

// ParseDraft reads a draft's short name: 2020-12, 2019-09, 7, 6 or 4. The empty name is the default.
func ParseDraft(name string) (Draft, error) {
	switch name {
	case "", "2020-12":
		return Draft202012, nil
	case "2019-09":
		return Draft201909, nil
	case "7":
		return Draft7, nil
	case "6":
		return Draft6, nil
	case "4":
		return Draft4, nil
	default:
		return 0, fmt.Errorf("unknown draft %q: it is one of 2020-12, 2019-09, 7, 6, 4", name)
	}
}

// String gives the short name.
func (d Draft) String() string {
	return [...]string{"2020-12", "2019-09", "7", "6", "4"}[d]
}

// atLeast reports whether the draft is as new as another one.
func (d Draft) atLeast(other Draft) bool { return d <= other }

// draftOf finds the draft that a $schema names. Scheme and an empty fragment do not matter: real schemas mix them up.
func draftOf(uri string) (Draft, bool) {
	uri = strings.TrimSuffix(strings.TrimSpace(uri), "#")
	uri = strings.TrimPrefix(strings.TrimPrefix(uri, "https://"), "http://")
	switch uri {
	case "json-schema.org/draft/2020-12/schema":
		return Draft202012, true
	case "json-schema.org/draft/2019-09/schema":
		return Draft201909, true
	case "json-schema.org/draft-07/schema":
		return Draft7, true
	case "json-schema.org/draft-06/schema":
		return Draft6, true
	case "json-schema.org/draft-04/schema":
		return Draft4, true
	default:
		return 0, false
	}
}

// vocabulary tells which groups of keywords a dialect has.
type vocabulary struct {
	applicator, validation, unevaluated, assertsFormat bool
}

func fullVocabulary() vocabulary {
	return vocabulary{applicator: true, validation: true, unevaluated: true}
}

// shape tells how a keyword holds subschemas.
type shape uint8

const (
	noSchema shape = iota
	oneSchema
	listOfSchemas
	mapOfSchemas
	oneOrList        // items before 2020-12
	mapOfSchemaOrSet // dependencies
)

// keywordInfo says what a keyword is in which drafts.
type keywordInfo struct {
	shape  shape
	oldest Draft
	newest Draft
	// inPlace subschemas judge the same place of the instance.
	inPlace bool
}

func (k keywordInfo) in(d Draft) bool { return d.atLeast(k.oldest) && k.newest.atLeast(d) }

// keywordOf is the table of all keywords that judge, apply or identify, and of the annotations.
func keywordOf(name string) (keywordInfo, bool) {
	all := func(s shape) (keywordInfo, bool) { return keywordInfo{shape: s, oldest: Draft4}, true }
	since := func(d Draft, s shape) (keywordInfo, bool) { return keywordInfo{shape: s, oldest: d}, true }
	switch name {
	case "allOf", "anyOf", "oneOf":
		return keywordInfo{shape: listOfSchemas, oldest: Draft4, inPlace: true}, true
	case "not":
		return keywordInfo{shape: oneSchema, oldest: Draft4, inPlace: true}, true
	case "if", "then", "else":
		return keywordInfo{shape: oneSchema, oldest: Draft7, inPlace: true}, true
	case "dependentSchemas":
		return keywordInfo{shape: mapOfSchemas, oldest: Draft201909, inPlace: true}, true
	case "dependencies":
		return keywordInfo{shape: mapOfSchemaOrSet, oldest: Draft4, inPlace: true}, true
	case "properties", "patternProperties", "definitions", "$defs":
		return all(mapOfSchemas)
	case "additionalProperties":
		return all(oneSchema)
	case "items":
		return all(oneOrList)
	case "additionalItems":
		return keywordInfo{shape: oneSchema, oldest: Draft4, newest: Draft201909}, true
	case "prefixItems":
		return since(Draft202012, listOfSchemas)
	case "contains", "propertyNames":
		return since(Draft6, oneSchema)
	case "unevaluatedItems", "unevaluatedProperties", "contentSchema":
		return since(Draft201909, oneSchema)
	case "$schema", "$ref", "type", "enum", "required", "minProperties", "maxProperties", "minItems", "maxItems", "uniqueItems",
		"minLength", "maxLength", "pattern", "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
		"title", "description", "default":
		return all(noSchema)
	case "id":
		return keywordInfo{oldest: Draft4, newest: Draft4}, true
	case "$id", "const", "examples":
		return since(Draft6, noSchema)
	case "$comment", "readOnly", "writeOnly", "contentMediaType", "contentEncoding":
		return since(Draft7, noSchema)
	case "$anchor", "$vocabulary", "dependentRequired", "minContains", "maxContains", "deprecated":
		return since(Draft201909, noSchema)
	case "$recursiveRef", "$recursiveAnchor":
		return keywordInfo{oldest: Draft201909, newest: Draft201909}, true
	case "$dynamicRef", "$dynamicAnchor":
		return since(Draft202012, noSchema)
	default:
		return keywordInfo{}, false
	}
}
