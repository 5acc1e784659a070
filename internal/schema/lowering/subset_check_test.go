package lowering_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/promptd/promptd/internal/value"
)

// Checkers of what providers accept, written from the published rules (reference schema-subsets, sections 2.1, 2.6 and 2.8) and from nothing in this
// package: they share no table with the lowering.

// complaints gathers what a provider would refuse.
type complaints []string

func (c *complaints) add(at, format string, args ...any) {
	if len(*c) < 20 {
		*c = append(*c, fmt.Sprintf("%s: ", at)+fmt.Sprintf(format, args...))
	}
}

// strictChecker checks OpenAI's strict subset (section 2.1).
type strictChecker struct {
	complaints
	root value.Value

	properties, characters, enumValues int
}

func checkStrict(root value.Value) []string {
	c := &strictChecker{root: root}
	if kind, _ := root.Get("type"); kind.Text() != "object" {
		c.add("", "the root must have type object")
	}
	for _, name := range []string{"anyOf", "$ref"} {
		if _, ok := root.Get(name); ok {
			c.add("", "the root must not be %s", name)
		}
	}
	c.schema(root, "", 0)
	switch {
	case c.properties > 5000:
		c.add("", "%d properties, 5,000 are allowed", c.properties)
	case c.characters > 120_000:
		c.add("", "%d characters in names and values, 120,000 are allowed", c.characters)
	case c.enumValues > 1000:
		c.add("", "%d enum values, 1,000 are allowed", c.enumValues)
	}
	return c.complaints
}

func (c *strictChecker) schema(s value.Value, at string, depth int) {
	if s.Kind() != value.KindObject {
		c.add(at, "a subschema must be an object, not %s", s.Kind())
		return
	}
	allowed := []string{
		"type", "description", "enum", "const", "anyOf", "$ref", "properties", "required", "additionalProperties", "items",
		"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern", "format", "minItems", "maxItems",
	}
	if at == "" {
		allowed = append(allowed, "$defs")
	}
	for name := range s.Members() {
		if !slices.Contains(allowed, name) {
			c.add(at, "the keyword %s is not permitted", name)
		}
	}
	if !slices.ContainsFunc([]string{"type", "$ref", "anyOf", "enum", "const"}, func(name string) bool { _, ok := s.Get(name); return ok }) {
		c.add(at, "a schema must have a type, $ref, anyOf, enum or const")
	}
	if _, ok := s.Get("$ref"); ok {
		c.reference(s, at)
		return
	}
	kinds := typeNames(s)
	c.assertions(s, kinds, at)
	if slices.Contains(kinds, "object") {
		depth++
		if depth > 10 {
			c.add(at, "more than 10 levels of nesting")
		}
		c.object(s, at, depth)
	}
	if slices.Contains(kinds, "array") {
		items, ok := s.Get("items")
		if !ok {
			c.add(at, "an array must have items")
		} else {
			c.schema(items, at+"/items", depth)
		}
	}
	if branches, ok := s.Get("anyOf"); ok {
		if branches.Len() == 0 {
			c.add(at, "an empty anyOf")
		}
		for i, b := range branches.Items() {
			c.schema(b, value.AppendIndex(at+"/anyOf", i), depth)
		}
	}
	if at == "" {
		defs, _ := s.Get("$defs")
		for name, d := range defs.Members() {
			c.characters += utf8.RuneCountInString(name)
			c.schema(d, value.AppendPointer("/$defs", name), 0)
		}
	}
}

func (c *strictChecker) reference(s value.Value, at string) {
	if s.Len() != 1 {
		c.add(at, "nothing may stand beside $ref")
	}
	ref, _ := s.Get("$ref")
	if ref.Text() == "#" {
		return
	}
	name, ok := strings.CutPrefix(ref.Text(), "#/$defs/")
	if !ok || strings.Contains(name, "/") {
		c.add(at, "$ref %s is not # or #/$defs/name", ref.Text())
		return
	}
	if _, ok := c.root.Lookup(ref.Text()[1:]); !ok {
		c.add(at, "$ref %s leads nowhere", ref.Text())
	}
}

func (c *strictChecker) object(s value.Value, at string, depth int) {
	if further, ok := s.Get("additionalProperties"); !ok || further.Kind() != value.KindBool || further.Truth() {
		c.add(at, "additionalProperties must be false")
	}
	properties, ok := s.Get("properties")
	if !ok {
		c.add(at, "an object must have properties")
	}
	required, _ := s.Get("required")
	var names []string
	for _, r := range required.Items() {
		names = append(names, r.Text())
	}
	c.properties += properties.Len()
	for name, sub := range properties.Members() {
		if !slices.Contains(names, name) {
			c.add(at, "required must include every key; %s is missing", name)
		}
		c.characters += utf8.RuneCountInString(name)
		c.schema(sub, value.AppendPointer(at+"/properties", name), depth)
	}
	if len(names) != properties.Len() {
		c.add(at, "required has %d names, there are %d properties", len(names), properties.Len())
	}
}

func (c *strictChecker) assertions(s value.Value, kinds []string, at string) {
	for _, k := range kinds {
		if !slices.Contains([]string{"string", "number", "integer", "boolean", "null", "object", "array"}, k) {
			c.add(at, "unknown type %s", k)
		}
	}
	if format, ok := s.Get("format"); ok &&
		!slices.Contains([]string{"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}, format.Text()) {
		c.add(at, "the format %s is not permitted", format.Text())
	}
	if pattern, ok := s.Get("pattern"); ok {
		if _, err := regexp.Compile(pattern.Text()); err != nil { // No look-around, no references back.
			c.add(at, "the pattern %s is not permitted", pattern.Text())
		}
	}
	enum, ok := s.Get("enum")
	if ok && enum.Len() == 0 {
		c.add(at, "an empty enum")
	}
	text := 0
	for _, v := range enum.Items() {
		if v.Kind() == value.KindObject || v.Kind() == value.KindArray {
			c.add(at, "an enum value must be a scalar")
		}
		text += utf8.RuneCountInString(v.Text())
	}
	c.enumValues += enum.Len()
	if c.characters += text; enum.Len() > 250 && text > 15_000 {
		c.add(at, "an enum of %d values with %d characters", enum.Len(), text)
	}
	if one, ok := s.Get("const"); ok {
		c.characters += utf8.RuneCountInString(one.Text())
		if one.Kind() == value.KindObject || one.Kind() == value.KindArray {
			c.add(at, "const must be a scalar")
		}
	}
}

func itemsOf(array value.Value) (items []value.Value) {
	for _, v := range array.Items() {
		items = append(items, v)
	}
	return items
}

func typeNames(s value.Value) (names []string) {
	kind, _ := s.Get("type")
	if kind.Kind() == value.KindString {
		return []string{kind.Text()}
	}
	for _, k := range kind.Items() {
		names = append(names, k.Text())
	}
	return names
}

// grammarChecker checks what an engine compiles: llguidance (section 2.8), or llama.cpp's own converter (section 2.6).
type grammarChecker struct {
	complaints
	root      value.Value
	converter bool
	seen      map[string]bool
}

func checkGrammar(root value.Value, converter bool) []string {
	c := &grammarChecker{root: root, converter: converter, seen: map[string]bool{}}
	c.schema(root, "")
	return c.complaints
}

func (c *grammarChecker) schema(s value.Value, at string) {
	if s.Kind() == value.KindBool && !c.converter {
		return
	}
	if s.Kind() != value.KindObject {
		c.add(at, "a subschema must be an object, not %s", s)
		return
	}
	allowed := []string{
		"$defs", "$ref", "type", "description", "title", "enum", "const", "anyOf", "allOf", "properties", "required", "additionalProperties", "items", "prefixItems",
		"minItems", "maxItems", "minLength", "maxLength", "pattern", "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
	}
	if !c.converter {
		allowed = append(allowed, "patternProperties", "minProperties", "maxProperties", "multipleOf")
	}
	for name, item := range s.Members() {
		if !slices.Contains(allowed, name) {
			c.add(at, "the engine does not know the keyword %s", name)
		}
		c.keyword(s, name, item, at)
	}
	if c.converter {
		c.convertible(s, at)
	}
}

func (c *grammarChecker) keyword(s value.Value, name string, item value.Value, at string) {
	below := at + "/" + name
	switch name {
	case "$ref":
		if !strings.HasPrefix(item.Text(), "#/") {
			c.add(at, "$ref %s does not begin with #/", item.Text())
		} else if _, ok := c.root.Lookup(item.Text()[1:]); !ok {
			c.add(at, "$ref %s leads nowhere", item.Text())
		}
	case "properties", "patternProperties", "$defs":
		for key, sub := range item.Members() {
			c.schema(sub, value.AppendPointer(below, key))
		}
	case "items":
		c.schema(item, below)
		if _, tuple := s.Get("prefixItems"); tuple && c.converter {
			c.add(at, "items beside prefixItems")
		}
	case "additionalProperties":
		if item.Kind() != value.KindBool {
			c.schema(item, below)
		}
	case "anyOf", "allOf", "prefixItems":
		if item.Len() == 0 && name != "prefixItems" {
			c.add(at, "an empty %s", name)
		}
		for i, sub := range item.Items() {
			c.schema(sub, value.AppendIndex(below, i))
		}
	case "enum":
		if item.Len() == 0 {
			c.add(at, "an empty enum")
		}
	case "type":
		for _, k := range typeNames(s) {
			if !slices.Contains([]string{"string", "number", "integer", "boolean", "null", "object", "array"}, k) {
				c.add(at, "unknown type %s", k)
			}
		}
	case "format":
		known := []string{"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}
		if c.converter {
			known = []string{"date-time", "time", "date", "uuid"}
		}
		if !slices.Contains(known, item.Text()) {
			c.add(at, "unknown format %s", item.Text())
		}
	case "pattern":
		if _, err := regexp.Compile(item.Text()); err != nil {
			c.add(at, "the engine cannot compile the pattern %s", item.Text())
		}
	case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties":
		if item.Kind() != value.KindNumber {
			c.add(at, "%s must be a number", name)
		}
		if properties, _ := s.Get("properties"); strings.HasSuffix(name, "Properties") {
			required, _ := s.Get("required")
			for key := range properties.Members() {
				if !slices.ContainsFunc(itemsOf(required), func(v value.Value) bool { return v.Text() == key }) {
					c.add(at, "%s is taken only where every listed member is required", name)
				}
			}
		}
	}
}

// convertible checks what llama.cpp's converter refuses or silently reads as something narrower.
func (c *grammarChecker) convertible(s value.Value, at string) {
	has := func(name string) bool { _, ok := s.Get(name); return ok }
	if s.Len() > 0 && !slices.ContainsFunc([]string{"type", "$ref", "enum", "const", "anyOf", "allOf", "properties", "additionalProperties", "items", "prefixItems"}, has) {
		if at != "" || !has("$defs") {
			c.add(at, "the converter does not recognise %s", s)
		}
	}
	if pattern, ok := s.Get("pattern"); ok {
		if text := pattern.Text(); !strings.HasPrefix(text, "^") || !strings.HasSuffix(text, "$") || strings.Contains(text, `\d`) || strings.Contains(text, `\w`) || strings.Contains(text, `\s`) {
			c.add(at, "the converter drops the pattern %s", text)
		}
	}
	// Constraints beside a choice or a reference are not seen: they must not be sent as if they were.
	for _, name := range []string{"anyOf", "$ref", "allOf"} {
		for _, other := range []string{"type", "properties", "required", "items", "enum", "const"} {
			if has(name) && has(other) {
				c.add(at, "%s is not seen beside %s", other, name)
			}
		}
	}
}
