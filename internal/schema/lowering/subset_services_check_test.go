package lowering_test

import (
	"unicode/utf8"

	"github.com/promptd/promptd/internal/value"
)

// serviceDialect holds section 2.5: the services that speak OpenAI's shape. What the reference marks [?] is read as not permitted, and where it says
// nothing of a service but its shape, OpenAI's strict rules stand: a schema that keeps them is taken by all.
func serviceDialect(profile string) (dialect, bool) {
	d := openaiStrict()
	switch profile {
	case "openai:groq":
		return groqStrict(), true
	case "openai:mistral":
		return mistralSchema(), true
	case "openai:cohere", "cohere":
		return cohereSchema(), true
	case "openai:together":
	case "openai:xai": // Its tools are always strict.
		d.keywords = less(d.keywords, "minLength", "maxLength", "minItems", "maxItems")
		d.tools = true
	case "openai:fireworks": // No length or regex bounds; oneOf is supported.
		d.keywords = append(less(d.keywords, "minLength", "maxLength", "pattern"), "oneOf")
		d.bearing = append(d.bearing, "oneOf")
	case "openai:cerebras":
		d.keywords = less(d.keywords, "minItems", "pattern", "format")
		d.properties = 500
		d.whole = func(c *subsetChecker) { // Characters of what is not said: of the whole text, then.
			if n := utf8.RuneCountInString(c.root.String()); n > 5000 {
				c.add("", "the schema has %d characters, 5,000 are allowed", n)
			}
		}
	case "openai:deepseek": // Strict tools: what is listed, which const and multipleOf are not.
		d.keywords = less(d.keywords, "minLength", "maxLength", "minItems", "maxItems", "const", "multipleOf")
		d.tools = true
	case "openai:perplexity":
		d.acyclic = true
	default:
		return dialect{}, false
	}
	return d, true
}

// groqStrict is the column "groq strict" of section 3.
func groqStrict() dialect {
	return dialect{
		keywords:     words("type description enum const anyOf $ref properties required additionalProperties items"),
		rootKeywords: words("$defs"),
		bearing:      words("type $ref anyOf enum const"),
		objectRoot:   true, closed: true, allRequired: true, oneKind: true, acyclic: true,
		refs: []string{"#/$defs/"},
	}
}

// mistralSchema is the column "mistral" of section 3: what is native, and what is ignored and so may be sent.
func mistralSchema() dialect {
	return dialect{
		keywords: words(`type description title default examples $comment deprecated readOnly writeOnly
			enum const anyOf properties required additionalProperties patternProperties items prefixItems
			pattern format minLength maxLength minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minItems maxItems`),
		booleans:   "true",
		objectRoot: true, oneType: true,
	}
}

// cohereSchema is Cohere's json_schema: no bounds of any kind, a root with a required property, no recursion.
func cohereSchema() dialect {
	return dialect{
		keywords:     words("type description enum const anyOf $ref properties required additionalProperties items"),
		rootKeywords: words("$defs"),
		bearing:      words("type $ref anyOf enum const"),
		objectRoot:   true, acyclic: true,
		refs: []string{"#/$defs/"},
		more: func(c *subsetChecker, at string, s value.Value) {
			if further, ok := s.Get("additionalProperties"); ok && (further.Kind() != value.KindBool || further.Truth()) {
				c.add(at, "additionalProperties may only be false")
			}
		},
		whole: func(c *subsetChecker) {
			properties, _ := c.root.Get("properties")
			list, _ := c.root.Get("required")
			required := setOf(textsOf(list))
			for name := range properties.Members() {
				if required[name] {
					return
				}
			}
			c.add("", "the root must have at least one required property")
		},
	}
}
