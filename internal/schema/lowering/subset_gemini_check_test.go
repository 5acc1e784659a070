package lowering_test

import (
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/promptd/promptd/internal/value"
)

// geminiDialect holds section 2.3: responseJsonSchema ("gemini"), and responseSchema ("gemini:openapi"), OpenAPI's subset, as the Gemini API takes it.
// The tools of both have parameters of the same form. title is listed for both and is to be removed.
func geminiDialect(profile string) (dialect, bool) {
	switch profile {
	case "gemini":
		return dialect{
			keywords: words(`$id $ref $anchor type format description enum items prefixItems minItems maxItems minimum maximum anyOf oneOf
				properties additionalProperties required propertyOrdering`),
			rootKeywords: words("$defs"),
			bearing:      words("type anyOf oneOf $ref enum"),
			tools:        true, acyclic: true, oneKind: true,
			refs: []string{"#/$defs/"}, beside: words("$id $anchor $defs"),
			more: func(c *subsetChecker, at string, s value.Value) {
				enum, _ := s.Get("enum")
				for _, v := range enum.Items() {
					if v.Kind() != value.KindString && v.Kind() != value.KindNumber {
						c.add(at, "an enum may only hold strings and numbers, not %s", v.Kind())
					}
				}
				if further, _ := s.Get("additionalProperties"); further.Kind() == value.KindObject {
					c.add(at, "additionalProperties with a schema is unreliable: a dictionary was seen to arrive empty")
				}
				foldable(c, at, s)
				geminiArrays(c, at, s)
				ordering(c, at, s)
			},
			whole: geminiLimits,
		}, true
	case "gemini:openapi":
		return dialect{
			keywords: words(`type format description nullable enum items minItems maxItems properties required minProperties maxProperties
				minimum maximum minLength maxLength pattern anyOf default example propertyOrdering`),
			formats: words("enum date-time"),
			bearing: words("type anyOf"),
			tools:   true, oneType: true, needItems: true,
			more: func(c *subsetChecker, at string, s value.Value) {
				openapiTypes(c, at, s)
				geminiArrays(c, at, s)
				ordering(c, at, s)
			},
			whole: func(c *subsetChecker) {
				geminiLimits(c)
				if n := integerEnumText(c.root); n > 2000 {
					c.add("", "the enums of integers have %d characters, 2,000 are allowed", n)
				}
			},
		}, true
	default:
		return dialect{}, false
	}
}

// foldable: gemini-2.5-flash answered outside a choice of one-value enums with descriptions; they are to be one enum.
func foldable(c *subsetChecker, at string, s value.Value) {
	branches, _ := s.Get("anyOf")
	kinds := map[value.Kind]bool{}
	for _, b := range branches.Items() {
		enum, _ := b.Get("enum")
		if enum.Len() != 1 || !holds(b, "description") {
			return
		}
		kinds[enum.At(0).Kind()] = true
	}
	if branches.Len() > 1 && len(kinds) == 1 {
		c.add(at, "an anyOf of one-value enums must be one enum")
	}
}

// geminiArrays: an array of as few as as many items ended in a 500 at 70.
func geminiArrays(c *subsetChecker, at string, s value.Value) {
	least, _ := s.Get("minItems")
	most, _ := s.Get("maxItems")
	low, _ := least.Decimal().Int64()
	high, _ := most.Decimal().Int64()
	if low == high && low >= 70 {
		c.add(at, "minItems and maxItems are both %d", low)
	}
}

// ordering: propertyOrdering is the order of properties.
func ordering(c *subsetChecker, at string, s value.Value) {
	order, ok := s.Get("propertyOrdering")
	if !ok {
		return
	}
	properties, _ := s.Get("properties")
	var names []string
	for name := range properties.Members() {
		names = append(names, name)
	}
	if !slices.Equal(names, textsOf(order)) {
		c.add(at, "propertyOrdering is not the order of properties")
	}
}

// openapiTypes checks what OpenAPI's subset says otherwise than JSON Schema.
func openapiTypes(c *subsetChecker, at string, s value.Value) {
	kinds := typeNames(s)
	if slices.Contains(kinds, "null") {
		c.add(at, "type null is not known; nullable says it")
	}
	if v, ok := s.Get("nullable"); ok && v.Kind() != value.KindBool {
		c.add(at, "nullable must be a boolean")
	}
	if holds(s, "anyOf") && s.Len() > 1 {
		c.add(at, "nothing may stand beside anyOf")
	}
	enum, ok := s.Get("enum")
	if !ok {
		return
	}
	if len(kinds) != 1 || kinds[0] != "string" && kinds[0] != "integer" {
		c.add(at, "an enum must have type string or integer")
	}
	for _, v := range enum.Items() {
		_, err := strconv.ParseInt(v.Text(), 10, 64)
		switch {
		case v.Kind() != value.KindString:
			c.add(at, "an enum may only hold strings, not %s", v.Kind())
		case v.Text() == "":
			c.add(at, "an enum must not hold the empty string")
		case err != nil && slices.Contains(kinds, "integer"):
			c.add(at, "an enum of type integer holds %s", v)
		}
	}
}

// integerEnumText counts the characters of enums of type integer.
func integerEnumText(root value.Value) (n int) {
	everywhere(root, true, func(_ string, s value.Value) {
		enum, _ := s.Get("enum")
		if slices.Contains(typeNames(s), "integer") {
			for _, text := range textsOf(enum) {
				n += utf8.RuneCountInString(text)
			}
		}
	})
	return n
}

// geminiLimits are our reading of budgets that are nowhere published (section 5). References are counted as often as they stand: Gemini expands them.
func geminiLimits(c *subsetChecker) {
	w := inlined(c.root, c.targets)
	if w.items > 900 {
		c.add("", "the sum of maxItems is %d, 900 are allowed", w.items)
	}
	if w.bytes > 30_000 {
		c.add("", "the schema has %d bytes with references inlined, 30,000 are allowed", w.bytes)
	}
}
