package lowering_test

func serviceRules() []ruleCases {
	xai := openaiStrictRules("openai:xai", "minLength", "maxLength", "minItems", "maxItems")
	fireworks := openaiStrictRules("openai:fireworks", "minLength", "maxLength", "pattern", "oneOf")
	fireworks.good = append(fireworks.good, closedWith(`{"oneOf":[{"type":"string"},{"type":"null"}]}`))
	together := openaiStrictRules("openai:together")
	cerebras := openaiStrictRules("openai:cerebras", "minItems", "pattern", "format")
	cerebras.bad = append(cerebras.bad,
		broken{"500 properties", closedOf(501, true, `{"type":"null"}`), "501 properties, 500"},
		broken{"5,000 characters", closedWith(enumOf(100, 50)), "5,000 are allowed"})
	deepseek := openaiStrictRules("openai:deepseek", "minLength", "maxLength", "minItems", "maxItems", "const", "multipleOf")
	perplexity := openaiStrictRules("openai:perplexity")
	for _, c := range []*ruleCases{&xai, &fireworks, &together, &cerebras, &deepseek} {
		c.good = append(c.good, recursive()...)
	}
	for _, text := range recursive() {
		perplexity.bad = append(perplexity.bad, broken{"no recursion", text, "recursion"})
	}
	return []ruleCases{xai, fireworks, together, cerebras, deepseek, perplexity, groqRules(), mistralRules(), cohereRules("cohere"), cohereRules("openai:cohere")}
}

// notPermitted makes a case of each keyword.
func notPermitted(frame func(string) string, keywords string) (list []broken) {
	for _, keyword := range words(keywords) {
		list = append(list, broken{keyword, frame(`{"type":"string","` + keyword + `":1}`), keyword + " is not permitted"})
	}
	return list
}

// unlistedEverywhere are the keywords that no strict mode permits.
const unlistedEverywhere = `not if then else dependentRequired dependentSchemas unevaluatedProperties unevaluatedItems
	propertyNames contains minContains maxContains uniqueItems x-own $schema`

func groqRules() ruleCases {
	return ruleCases{profile: "openai:groq", good: []string{
		closedWith(`{"type":["string","null"],"description":"d"}`), closedWith(`{"enum":["x","y"]}`), closedWith(`{"type":"integer","enum":[1,2]}`),
		closedWith(`{"anyOf":[{"const":"x"},{"type":"null"}]}`), closedWith(`{"type":"array","items":{"type":"array","items":{"type":"string"}}}`),
		definedAs(`{"type":"string"}`),
		nested(30),
	}, bad: append(
		notPermitted(closedWith, unlistedEverywhere+` oneOf allOf pattern format minLength maxLength minimum maximum exclusiveMinimum exclusiveMaximum multipleOf
			minItems maxItems patternProperties minProperties maxProperties prefixItems default title`),
		broken{"root is an object", `{"type":"array","items":{"type":"string"}}`, "root must have type object"},
		broken{"root is no choice", `{"type":"object","properties":{},"required":[],"additionalProperties":false,"anyOf":[{"type":"null"}]}`, "root must not be"},
		broken{"all required", `{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false}`, "required must include"},
		broken{"closed", closedWith(`{"type":"object","properties":{}}`), "additionalProperties must be false"},
		broken{"typed", closedWith(`{}`), "must have one of"},
		broken{"no boolean", closedWith(`true`), "must be an object"},
		broken{"no mixed enum", closedWith(`{"enum":["x",1]}`), "mixed types"},
		broken{"no enum with null", closedWith(`{"enum":["x",null]}`), "mixed types"},
		broken{"enum of scalars", closedWith(`{"enum":[[1]]}`), "scalar"},
		broken{"no $ref to the root", closedWith(`{"anyOf":[{"type":"null"},{"$ref":"#"}]}`), "is not of the form"},
		broken{"$ref alone", closedWith(`{"$ref":"#/$defs/A","description":"d"}`), "beside $ref"},
		broken{"no recursion", recursive()[1], "recursion"},
	)}
}

func mistralRules() ruleCases {
	object := func(sub string) string { return `{"type":"object","properties":{"a":` + sub + `}}` }
	return ruleCases{profile: "openai:mistral", good: []string{
		object(`{"type":"string","pattern":"x","format":"uri","minLength":1,"default":"x","title":"t"}`), object(`{}`), object(`true`),
		object(`{"anyOf":[{"type":"string"},{"type":"null"}]}`),
		object(`{"enum":["x",1,null]}`), object(`{"type":"object","additionalProperties":{"type":"string"}}`),
		object(`{"type":"array","prefixItems":[{"type":"string"}],"maxItems":1}`),
		object(`{"type":"object","patternProperties":{"^x":{"type":"number","minimum":1,"multipleOf":2}},"additionalProperties":true}`), closedWith(`{"const":1}`),
	}, bad: append(
		notPermitted(object, unlistedEverywhere+" oneOf allOf $ref $defs definitions minProperties maxProperties nullable"),
		broken{"root is an object", `{"type":"string"}`, "root must have type object"},
		broken{"no list of types", object(`{"type":["string","null"]}`), "must not be a list"},
		broken{"no false", object(`false`), "must be an object"},
		broken{"no enum of objects", object(`{"enum":[{"a":1}]}`), "scalar"},
	)}
}

func cohereRules(profile string) ruleCases {
	return ruleCases{profile: profile, good: []string{
		closedWith(`{"type":"string","enum":["x"]}`),
		`{"type":"object","properties":{"a":{"type":"array","items":{"type":"integer"}},"b":{"type":"null"}},"required":["a"]}`,
		`{"type":"object","properties":{"a":{"$ref":"#/$defs/A"}},"required":["a"],"$defs":{"A":{"type":"string"}}}`,
	}, bad: append(
		notPermitted(closedWith, unlistedEverywhere+` oneOf allOf pattern format minLength maxLength minimum maximum exclusiveMinimum exclusiveMaximum multipleOf
			minItems maxItems patternProperties minProperties maxProperties prefixItems default title`),
		broken{"root is an object", `{"type":"array","items":{"type":"string"}}`, "root must have type object"},
		broken{"a required property", `{"type":"object","properties":{"a":{"type":"string"}},"required":[]}`, "at least one required"},
		broken{"a required property that is there", `{"type":"object","properties":{"a":{"type":"string"}},"required":["b"]}`, "at least one required"},
		broken{"no dictionary", closedWith(`{"type":"object","additionalProperties":{"type":"string"}}`), "may only be false"},
		broken{"typed", closedWith(`{}`), "must have one of"},
		broken{"no recursion", recursive()[1], "recursion"},
	)}
}
