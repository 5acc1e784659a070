package lowering_test

import "strings"

func openaiRules() []ruleCases {
	azure := openaiStrictRules("openai:azure", "minLength", "maxLength")
	azure.bad = append(azure.bad,
		broken{"no minLength", closedWith(`{"type":"string","minLength":1}`), "minLength is not permitted"},
		broken{"no maxLength", closedWith(`{"type":"string","maxLength":1}`), "maxLength is not permitted"})
	own := openaiStrictRules("openai")
	own.good = append(own.good, recursive()...)
	own.good = append(own.good, closedOf(5000, true, `{"type":"string"}`), closedWith(enumOf(1000, 15)), closedWith(enumOf(250, 100)))
	return []ruleCases{own, openaiStrictRules("openai:openrouter"), azure}
}

// recursive are schemas that lead back to themselves.
func recursive() []string {
	return []string{
		closedWith(`{"anyOf":[{"type":"string"},{"$ref":"#"}]}`),
		definedAs(`{"type":"array","items":{"$ref":"#/$defs/A"}}`),
	}
}

// openaiStrictRules prove the rules of section 2.1, for a service that does not permit some of its keywords.
func openaiStrictRules(profile string, without ...string) ruleCases {
	c := ruleCases{profile: profile, good: []string{
		closedWith(`{"type":["string","null"]}`),
		closedWith(`{"anyOf":[{"type":"string","description":"d"},{"type":"null"}]}`),
		definedAs(`{"type":"array","items":{"type":"string"}}`),
		`{"type":"object","properties":{},"required":[],"additionalProperties":false}`,
		`{"type":"object","properties":{},"additionalProperties":false}`,
		closedWith(`{"enum":["x",1,null,true]}`),
		nested(10),
	}}
	for keyword, sub := range map[string]string{
		"minLength": `{"type":"string","minLength":1}`, "maxLength": `{"type":"string","maxLength":1}`, "pattern": `{"type":"string","pattern":"^[a-z]+$"}`,
		"format": `{"type":"string","format":"uuid"}`, "const": `{"const":"x"}`, "minItems": `{"type":"array","items":{"type":"string"},"minItems":1}`,
		"maxItems": `{"type":"array","items":{"type":"string"},"maxItems":9}`, "multipleOf": `{"type":"number","multipleOf":0.5}`,
		"minimum": `{"type":"integer","minimum":1,"maximum":2,"exclusiveMinimum":0,"exclusiveMaximum":3}`,
	} {
		if len(less([]string{keyword}, without...)) == 1 {
			c.good = append(c.good, closedWith(sub))
		} else {
			c.bad = append(c.bad, broken{keyword, closedWith(sub), keyword + " is not permitted"})
		}
	}
	for _, keyword := range less(words(`allOf not if then else dependentRequired dependentSchemas oneOf patternProperties unevaluatedProperties propertyNames
		minProperties maxProperties unevaluatedItems contains minContains maxContains uniqueItems default prefixItems
		title examples $comment readOnly x-own nullable`), without...) {
		c.bad = append(c.bad, broken{keyword, closedWith(`{"type":"string","` + keyword + `":1}`), keyword + " is not permitted"})
	}
	c.bad = append(c.bad,
		broken{"root is an object", `{"type":"array","items":{"type":"string"}}`, "root must have type object"},
		broken{"root is one type", `{"type":["object","null"],"properties":{},"additionalProperties":false}`, "root must have type object"},
		broken{
			"root is no anyOf", `{"type":"object","properties":{},"additionalProperties":false,"anyOf":[{"type":"null"}]}`,
			"root must not be",
		},
		broken{"root is no $ref", `{"$ref":"#/$defs/A","$defs":{"A":{"type":"object","properties":{},"additionalProperties":false}}}`, "root must not be"},
		broken{"properties present", closedWith(`{"type":"object","additionalProperties":false}`), "must have properties"},
		broken{
			"all required", closedWith(`{"type":"object","properties":{"x":{"type":"string"}},"required":[],"additionalProperties":false}`),
			"required must include every key",
		},
		broken{
			"required names properties", closedWith(`{"type":"object","properties":{"x":{"type":"string"}},"required":["x","y"],"additionalProperties":false}`),
			"required has 2 names",
		},
		broken{"closed", closedWith(`{"type":"object","properties":{}}`), "additionalProperties must be false"},
		broken{"closed, no schema", closedWith(`{"type":"object","properties":{},"additionalProperties":{"type":"string"}}`), "additionalProperties must be false"},
		broken{"closed without a type", closedWith(`{"anyOf":[{"type":"string"}],"properties":{}}`), "additionalProperties must be false"},
		broken{
			"closed in definitions", `{"type":"object","properties":{},"additionalProperties":false,"$defs":{"A":{"type":"object","properties":{}}}}`,
			"/$defs/A: additionalProperties",
		},
		broken{"items present", closedWith(`{"type":"array"}`), "must have items"},
		broken{"items typed", closedWith(`{"type":"array","items":{}}`), "must have one of type"},
		broken{"items no boolean", closedWith(`{"type":"array","items":true}`), "must be an object"},
		broken{"typed", closedWith(`{"description":"anything"}`), "must have one of type"},
		broken{"known type", closedWith(`{"type":"text"}`), "a known type"},
		broken{"known format", closedWith(`{"type":"string","format":"uri"}`), "format"},
		broken{"no lookahead", closedWith(`{"type":"string","pattern":"^(?!x)"}`), "pattern"},
		broken{"no reference back", closedWith(`{"type":"string","pattern":"(a)\\1"}`), "pattern"},
		broken{"$ref to a definition", closedWith(`{"$ref":"#/properties/b"}`), "is not of the form"},
		broken{"$ref not below a definition", closedWith(`{"$ref":"#/$defs/A/items"}`), "is not of the form"},
		broken{"$ref leads somewhere", closedWith(`{"$ref":"#/$defs/A"}`), "leads nowhere"},
		broken{"$ref alone", closedWith(`{"$ref":"#","description":"d"}`), "beside $ref"},
		broken{"definitions at the root", closedWith(`{"type":"string","$defs":{}}`), "$defs is not permitted"},
		broken{"enum of scalars", closedWith(`{"enum":[{"a":1}]}`), "must be a scalar"},
		broken{"const scalar", closedWith(`{"const":[1]}`), "scalar"},
		broken{"enum not empty", closedWith(`{"type":"string","enum":[]}`), "not empty"},
		broken{"anyOf not empty", closedWith(`{"anyOf":[]}`), "not empty"},
		broken{"bound is a number", closedWith(`{"type":"integer","minimum":"1"}`), "must be a number"},
		broken{"count is one", closedWith(`{"type":"array","items":{"type":"string"},"maxItems":-1}`), "must be a count"},
		broken{
			"required different", `{"type":"object","properties":{"a":{"type":"null"},"b":{"type":"null"}},"required":["a","a"],"additionalProperties":false}`,
			"different strings",
		},
		broken{"10 levels", nested(11), "more than 10 levels"},
		broken{
			"10 levels in a definition", `{"type":"object","properties":{},"additionalProperties":false,"$defs":{"A":` + nested(11) + `}}`,
			"more than 10 levels",
		},
		broken{"5,000 properties", closedOf(5001, true, `{"type":"null"}`), "properties, 5"},
		broken{"1,000 enum values", closedWith(`{"anyOf":[` + enumOf(501, 4) + `,` + enumOf(500, 4) + `]}`), "1001 enum values"},
		broken{"15,000 characters of an enum", closedWith(enumOf(251, 60)), "15,000"},
		broken{"characters of properties and const", closedWith(`{"const":"` + strings.Repeat("x", 120_000) + `"}`), "characters in names and values"},
	)
	return c
}
