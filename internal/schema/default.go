package schema

import "github.com/promptd/promptd/internal/value"

// Default compiles the schema of an answer where the caller gives none (product.md section 3). It is compiled by whoever wires the program,
// once.
func Default() (*Schema, error) {
	text := `{
		"$schema": "https://json-schema.org/draft/2020-12/schema",
		"title": "Result",
		"type": "object",
		"properties": {
			"intent": {"type": "string", "minLength": 1, "description": "What the text wants or does, in a few words."},
			"subject": {"type": "string", "description": "What the text is about."},
			"entities": {
				"type": "object",
				"description": "What the text names.",
				"properties": {
					"key_details": {"type": "array", "items": {"type": "string"}, "description": "Facts of the text, each a short phrase: names, dates, amounts, numbers."},
					"source": {"type": "string", "description": "Where it comes from, if the text says so."},
					"target": {"type": "string", "description": "Where it goes or whom it concerns, if the text says so."}
				},
				"required": ["key_details"],
				"additionalProperties": false
			}
		},
		"required": ["intent", "subject", "entities"],
		"additionalProperties": false
	}`
	raw, err := value.DecodeString(text, value.Limits{})
	if err != nil {
		return nil, err
	}
	return Compile(raw, Options{})
}
