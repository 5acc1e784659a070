package lowering_test

import (
	"slices"

	"github.com/promptd/promptd/internal/value"
)

// anthropicDialect holds sections 2.2 and 2.4: Anthropic's output_config.format and strict tools, and Bedrock's Converse, which compiles the schemas of
// Claude and of others by rules of its own and counts Claude's as Anthropic does.
func anthropicDialect(profile string) (dialect, bool) {
	switch profile {
	case "anthropic":
		return dialect{
			// pattern is not among them: it is sent only where a probe has shown that it works.
			keywords:     words("type description enum const anyOf allOf $ref properties required additionalProperties items format minItems"),
			rootKeywords: words("$defs"),
			formats:      anthropicFormats(),
			bearing:      words("type anyOf allOf $ref const enum"),
			closed:       true, acyclic: true, smallMin: true,
			refs:  []string{"#/$defs/"},
			more:  noReferenceInAllOf,
			whole: anthropicLimits,
		}, true
	case "bedrock", "bedrock:claude":
		d := dialect{
			keywords: words(`type description enum const anyOf $ref properties required additionalProperties items
				pattern format minLength maxLength minItems`),
			rootKeywords: words("$defs"),
			bearing:      words("type anyOf $ref const enum"),
			objectRoot:   true, closed: true, acyclic: true, smallMin: true,
			refs:    []string{"#/$defs/"},
			pattern: bedrockPattern,
		}
		if profile == "bedrock:claude" {
			d.formats, d.whole = anthropicFormats(), anthropicLimits
		}
		return d, true
	default:
		return dialect{}, false
	}
}

func anthropicFormats() []string {
	return words("date-time time date duration email hostname uri ipv4 ipv6 uuid")
}

// noReferenceInAllOf: allOf with $ref is said to be limited, and not how.
func noReferenceInAllOf(c *subsetChecker, at string, s value.Value) {
	all, _ := s.Get("allOf")
	if slices.ContainsFunc(itemsOf(all), func(branch value.Value) bool { return holds(branch, "$ref") }) {
		c.add(at, "$ref must not stand in allOf")
	}
}

// anthropicLimits are hard: above them the answer is a 400.
func anthropicLimits(c *subsetChecker) {
	if n := optionalCount(c.root); n > 24 {
		c.add("", "%d optional parameters, 24 are allowed", n)
	}
	if n := unionCount(c.root); n > 16 {
		c.add("", "%d unions, 16 are allowed", n)
	}
}

// optionalCount counts the properties that are not required, over what is reached from the root without following $ref.
func optionalCount(root value.Value) (n int) {
	everywhere(root, false, func(_ string, s value.Value) {
		properties, _ := s.Get("properties")
		list, _ := s.Get("required")
		required := setOf(textsOf(list))
		for name := range properties.Members() {
			if !required[name] {
				n++
			}
		}
	})
	return n
}

// unionCount counts the schemas with anyOf or a list of types, over what is reached from the root without following $ref.
func unionCount(root value.Value) (n int) {
	everywhere(root, false, func(_ string, s value.Value) {
		if kind, _ := s.Get("type"); holds(s, "anyOf") || kind.Kind() == value.KindArray {
			n++
		}
	})
	return n
}

// bedrockPattern takes no look-around and no reference back, for which it holds every escaped digit.
func bedrockPattern(text string) string {
	if p := scanPattern(text); p.look {
		return "has look-around"
	} else if p.digitEscape || p.back {
		return "has a reference back"
	}
	return ""
}
