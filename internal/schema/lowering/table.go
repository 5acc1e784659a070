package lowering

import "slices"

// row is one line of the table: what a dialect, or one service or engine behind it, accepts.
type row struct {
	name  string
	forms func() []form
}

// table is the table of profiles. Sources and dates: reference schema-subsets, sections 2 and 3, November 2026. What a source is not sure of is not used.
func table() []row {
	jsonMode, prompt := form{mode: JSON, fit: inObject}, form{mode: Prompt, fit: inPrompt}
	guide := form{mode: Tool, fit: asGuide, optIn: true}
	after := func(mode Mode, s func() subset) func() []form {
		return func() []form { return []form{{mode: mode, fit: asSubset, subset: s()}, guide, jsonMode, prompt} }
	}
	engine := func(s func() subset, c Caps) func() []form {
		return func() []form { return []form{{mode: Grammar, fit: asSubset, subset: s(), caps: c}, jsonMode, prompt} }
	}
	// Anthropic and Bedrock have no JSON mode: below strict output stands a forced tool.
	claude := func(s func() subset) func() []form {
		return func() []form {
			return []form{{mode: Strict, fit: asSubset, subset: s()}, {mode: Tool, fit: asGuide}, prompt}
		}
	}
	return []row{
		{"openai", after(Strict, openAI)},                                                    // 2.1: openai-python 3.54.0 and the structured outputs guide
		{"openai:azure", after(Strict, azure)},                                               // 2.1
		{"openai:openrouter", after(Strict, openAI)},                                         // 2.5: forwards
		{"openai:xai", after(Strict, careful)},                                               // 2.5: always enforced, "practical subset"
		{"openai:groq", after(Strict, careful)},                                              // 2.5: vendor page
		{"openai:fireworks", after(Strict, careful)},                                         // 2.5: fireworks-ai 1.2.30
		{"openai:together", after(Strict, careful)},                                          // 2.5: depends on the engine behind it
		{"openai:perplexity", after(Strict, careful)},                                        // 2.5
		{"openai:cerebras", after(Strict, cerebras)},                                         // 2.5
		{"openai:mistral", after(Strict, mistral)},                                           // 2.5
		{"openai:deepseek", after(Tool, deepSeek)},                                           // 2.5: strict tools at /beta; its chat has JSON mode alone
		{"openai:vllm", engine(vLLM, Caps{})},                                                // 2.8: backend auto
		{"cohere", after(Strict, cohere)},                                                    // 2.5: cohere 7.3.1
		{"anthropic", claude(anthropic)},                                                     // 2.2: anthropic 2.12.0
		{"bedrock", claude(bedrock)},                                                         // 2.4: botocore 1.44.5
		{"bedrock:claude", claude(bedrock)},                                                  // 2.4
		{"gemini", after(Strict, gemini)},                                                    // 2.3, responseJsonSchema: google-genai 3.4.0
		{"gemini:openapi", after(Strict, openAPI)},                                           // 2.3, responseSchema
		{"ollama", engine(converter, Caps{StringLength: 2000, Items: 100, Members: true})},   // 2.7
		{"llamacpp", engine(converter, Caps{StringLength: 2000, Items: 100, Members: true})}, // 2.6: measured at 0c1e57098
		{"llamacpp:llguidance", engine(llGuidance, Caps{StringLength: 2000, Formats: true, Items: 100, Properties: 100, Members: true})}, // 2.8: measured, 1.9.1
	}
}

// azure is OpenAI's, behind in what it takes.
func azure() subset {
	s := openAI()
	s.keywords = slices.DeleteFunc(s.keywords, func(k string) bool { return k == "minLength" || k == "maxLength" })
	return s
}

// openAI is the strict mode of OpenAI's structured outputs.
func openAI() subset {
	return limited(subset{
		keywords: []string{
			"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern", "format", "minItems", "maxItems",
		},
		formats: []string{"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"},
		object:  true, anything: anyTree, typeLists: true, recursion: true, rootRef: true, refSiblings: true,
	})
}

// limited sets OpenAI's limits, which services of its shape are not known to raise.
func limited(s subset) subset {
	s.nesting, s.properties, s.characters = 10, 5000, 120_000
	s.enumValues, s.bigEnum, s.bigEnumCharacters = 1000, 250, 15_000
	return s
}

// careful is what the services that follow OpenAI's shape surely take: the shape of a value, and nothing that only some enforce.
func careful() subset {
	return limited(subset{object: true, lists: listStringsNumbers, typeLists: true, refSiblings: true})
}

// cerebras has small limits.
func cerebras() subset {
	s := careful()
	s.properties, s.text = 500, 5000
	return s
}

func mistral() subset {
	return subset{object: true, lists: listStringsNumbers, inline: true, optional: -1, bytes: 1 << 20}
}

// deepSeek is DeepSeek's strict tools.
func deepSeek() subset {
	return limited(subset{
		keywords: []string{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "pattern"},
		object:   true, lists: listStringsNumbers, refSiblings: true, plainNames: true,
	})
}

// cohere wants a root that requires a member.
func cohere() subset {
	return subset{object: true, needs: true, lists: listStringsNumbers, inline: true, bytes: 1 << 20}
}

// anthropic is Claude's structured output: optional properties and unions are few, and nothing leads back to itself.
func anthropic() subset {
	return subset{
		keywords: []string{"format"},
		formats:  []string{"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"},
		fewItems: true, typeLists: true, optional: 10, unions: 16,
	}
}

// bedrock compiles Claude's schemas with a few keywords more, and wants an object. Other families are held to Claude's limits too.
func bedrock() subset {
	s := anthropic()
	s.keywords, s.formats = []string{"minLength", "maxLength", "pattern"}, nil
	s.object = true
	return s
}

// gemini is responseJsonSchema.
func gemini() subset {
	return subset{
		keywords: []string{"minimum", "maximum", "minItems", "maxItems"},
		tuples:   tupleBounded, lists: listStringsNumbers, typeLists: true, ordering: true, folds: true, optional: -1, bytes: 30_000, itemsTotal: 900,
	}
}

// openAPI is Gemini's responseSchema, a subset of OpenAPI 3.0.
func openAPI() subset {
	return subset{
		keywords: []string{"minimum", "maximum", "minItems", "maxItems", "minLength", "maxLength", "format"},
		formats:  []string{"date-time"},
		tuples:   tupleLoose, lists: listStrings, emptyless: true, openAPI: true, inline: true, ordering: true, folds: true, optional: -1, bytes: 30_000, itemsTotal: 900,
	}
}

// engine is what grammar engines have in common: the caller's shape.
func engine() subset {
	return subset{dictionaries: true, anything: anyNative, lists: listAny, typeLists: true, recursion: true, quiet: true, optional: -1}
}

func llGuidance() subset {
	s := engine()
	s.keywords = []string{
		"minProperties", "maxProperties", "minItems", "maxItems", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
		"minLength", "maxLength", "pattern", "format",
	}
	// 2026-11-26: the format uri is too large for the one inside llama.cpp's server.
	s.formats = []string{"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}
	s.patterned, s.tuples, s.near, s.spans = true, tupleNative, true, true
	return s
}

func converter() subset {
	s := engine()
	s.keywords = []string{"minItems", "maxItems", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "pattern", "format"}
	s.formats = []string{"date-time", "time", "date", "uuid"}
	s.shuts, s.tuples, s.converter = true, tupleExact, true
	return s
}

// vLLM takes xgrammar where that one's check lets a schema pass, else llguidance: only what both read alike is sent.
func vLLM() subset {
	s := engine()
	s.keywords = []string{
		"minProperties", "maxProperties", "minItems", "maxItems", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength",
		"pattern", "format",
	}
	s.formats = []string{"date-time", "time", "date", "email", "ipv4", "ipv6", "uuid"}
	s.patterned, s.shuts, s.tuples, s.anchored = true, true, tupleNative, true
	return s
}
