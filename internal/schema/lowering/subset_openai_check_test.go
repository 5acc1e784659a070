package lowering_test

import "regexp"

// openaiDialect holds section 2.1: OpenAI's strict subset, Azure's deviation from it, and OpenRouter, which forwards it.
func openaiDialect(profile string) (dialect, bool) {
	d := openaiStrict()
	switch profile {
	case "openai", "openai:openrouter":
	case "openai:azure": // Lengths are to be treated as unsupported.
		d.keywords = less(d.keywords, "minLength", "maxLength")
	default:
		return dialect{}, false
	}
	return d, true
}

// openaiStrict is what api.openai.com takes with strict: true.
func openaiStrict() dialect {
	return dialect{
		keywords: words(`type description enum const anyOf $ref properties required additionalProperties items
			minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minLength maxLength pattern format minItems maxItems`),
		rootKeywords: words("$defs definitions"),
		formats:      words("date-time time date duration email hostname ipv4 ipv6 uuid"),
		bearing:      words("type $ref anyOf enum const"),
		objectRoot:   true, closed: true, allRequired: true, needItems: true,
		refs:    []string{"#", "#/$defs/", "#/definitions/"},
		pattern: linear,
		// Levels are counted per root and per definition, without following $ref.
		depth: 10, properties: 5000, characters: 120_000, enumValues: 1000, bigEnum: true,
	}
}

// linear says what an engine without look-around and references back cannot compile; both its and ours are such engines.
func linear(pattern string) string {
	if _, err := regexp.Compile(pattern); err != nil {
		return "is not permitted: " + err.Error()
	}
	return ""
}
