package lowering_test

import (
	"strings"
	"testing"
)

func anthropicRules() []ruleCases {
	return []ruleCases{anthropicOwnRules(), bedrockRules("bedrock"), claudeRules()}
}

// claudeLimits are the cases of Anthropic's budgets: 24 optional parameters and 16 unions.
func claudeLimits() (good []string, bad []broken) {
	union := `{"type":["string","null"]}`
	choice := `{"anyOf":[{"type":"string"},{"type":"null"}]}`
	defined := definedAs(closedOf(40, false, union))
	return []string{closedOf(24, false, `{"type":"string"}`), closedOf(16, true, union), closedOf(16, true, choice), defined}, []broken{
		{"24 optional", closedOf(25, false, `{"type":"string"}`), "25 optional parameters"},
		{"24 optional, nested", closedWith(`{"type":"array","items":` + closedOf(25, false, `{"type":"string"}`) + `}`), "25 optional parameters"},
		{"16 unions by anyOf", closedOf(17, true, choice), "17 unions"},
		{"16 unions by type", closedOf(17, true, union), "17 unions"},
	}
}

func anthropicOwnRules() ruleCases {
	good, bad := claudeLimits()
	return ruleCases{profile: "anthropic", good: append(good,
		`{"type":"array","items":{"type":"integer"},"minItems":1}`, `{"type":"string","format":"uri"}`,
		`{"type":"object","properties":{},"additionalProperties":false}`,
		`{"anyOf":[{"type":"string"},{"const":null},{"enum":["x",1,true]}]}`, closedWith(`{"allOf":[{"type":"string"},{"enum":["x"]}]}`),
		`{"$ref":"#/$defs/A","$defs":{"A":`+closedWith(`{"type":"string","description":"d"}`)+`}}`, nested(30),
	), bad: append(append(bad,
		notPermitted(closedWith, unlistedEverywhere+` oneOf pattern minLength maxLength minimum maximum exclusiveMinimum exclusiveMaximum multipleOf maxItems
			prefixItems minProperties maxProperties patternProperties default title examples`)...),
		broken{"closed", `{"type":"object","properties":{}}`, "additionalProperties must be false"},
		broken{"closed, no schema", `{"type":"object","additionalProperties":{"type":"string"}}`, "additionalProperties must be false"},
		broken{"closed in a choice", `{"anyOf":[{"type":"null"},{"type":["object","null"],"properties":{}}]}`, "additionalProperties must be false"},
		broken{"minItems 0 or 1", `{"type":"array","items":{"type":"string"},"minItems":2}`, "minItems must be 0 or 1"},
		broken{"known format", `{"type":"string","format":"iri"}`, "format iri"},
		broken{"typed", closedWith(`{}`), "must have one of"},
		broken{"typed items", `{"type":"array","items":{"description":"d"}}`, "must have one of"},
		broken{"no boolean", closedWith(`true`), "must be an object"},
		broken{"enum of scalars", `{"enum":[{"a":1}]}`, "scalar"},
		broken{"const scalar", `{"const":{"a":1}}`, "scalar"},
		broken{"no $ref to the root", closedWith(`{"$ref":"#"}`), "is not of the form"},
		broken{"no $ref to another place", closedWith(`{"$ref":"#/properties/a"}`), "is not of the form"},
		broken{"$ref leads somewhere", closedWith(`{"$ref":"#/$defs/A"}`), "leads nowhere"},
		broken{"$ref alone", `{"$ref":"#/$defs/A","description":"d","$defs":{"A":{"type":"string"}}}`, "beside $ref"},
		broken{"no $ref in allOf", `{"allOf":[{"$ref":"#/$defs/A"}],"$defs":{"A":{"type":"string"}}}`, "in allOf"},
		broken{"no recursion", recursive()[1], "recursion"},
		broken{
			"no recursion over two definitions",
			`{"type":"null","$defs":{"A":{"anyOf":[{"type":"null"},{"$ref":"#/$defs/B"}]},"B":{"type":"array","items":{"$ref":"#/$defs/A"}}}}`, "recursion",
		},
	)}
}

func bedrockRules(profile string) ruleCases {
	return ruleCases{profile: profile, good: []string{
		closedWith(`{"type":"string","pattern":"^[a-z]\\.(?:x|y)$","minLength":1,"maxLength":9}`),
		closedWith(`{"type":"array","items":{"type":["string","null"]},"minItems":1}`),
		closedWith(`{"type":"string","format":"uuid"}`), closedWith(`{"enum":["x",1,null]}`), closedWith(`{"const":"x"}`),
		`{"type":"object","properties":{"a":{"$ref":"#/$defs/A"}},"additionalProperties":false,"$defs":{"A":{"type":"string"}}}`,
	}, bad: append(
		notPermitted(closedWith, unlistedEverywhere+` oneOf allOf minimum maximum exclusiveMinimum exclusiveMaximum multipleOf maxItems prefixItems
			minProperties maxProperties patternProperties default title`),
		broken{"root is an object", `{"type":"array","items":{"type":"string"}}`, "root must have type object"},
		broken{"closed", closedWith(`{"type":"object","properties":{}}`), "additionalProperties must be false"},
		broken{"minItems 0 or 1", closedWith(`{"type":"array","items":{"type":"string"},"minItems":2}`), "minItems must be 0 or 1"},
		broken{"no lookahead", closedWith(`{"type":"string","pattern":"^(?=x)"}`), "look-around"},
		broken{"no lookbehind", closedWith(`{"type":"string","pattern":"(?<!x)y"}`), "look-around"},
		broken{"no reference back", closedWith(`{"type":"string","pattern":"(a)\\1"}`), "reference back"},
		broken{"no named reference back", closedWith(`{"type":"string","pattern":"(?<n>a)\\k<n>"}`), "reference back"},
		broken{"an escaped digit is one", closedWith(`{"type":"string","pattern":"[\\0]"}`), "reference back"},
		broken{"typed", closedWith(`{}`), "must have one of"},
		broken{"enum of scalars", closedWith(`{"enum":[[1]]}`), "scalar"},
		broken{"$ref alone", closedWith(`{"$ref":"#/$defs/A","description":"d"}`), "beside $ref"},
		broken{"no recursion", recursive()[1], "recursion"},
	)}
}

func claudeRules() ruleCases {
	c := bedrockRules("bedrock:claude")
	good, bad := claudeLimits()
	c.good = append(c.good, good...)
	c.bad = append(append(c.bad, bad...), broken{"known format", closedWith(`{"type":"string","format":"iri"}`), "format iri"})
	return c
}

func TestOptionalsAndUnionsAreCountedWithoutReferences(t *testing.T) {
	t.Parallel()
	text := `{"type":"object","properties":{"a":{"$ref":"#/$defs/A"},"b":{"type":["string","null"]},
	    "c":{"anyOf":[` + closedOf(3, false, `{"type":"null"}`) + `,{"type":"null"}]}},
	  "required":["b"],"$defs":{"A":` + closedOf(40, false, `{"anyOf":[{"type":"null"}]}`) + `}}`
	if o, u := optionalCount(parsed(t, text)), unionCount(parsed(t, text)); o != 5 || u != 2 {
		t.Errorf("%d optional parameters and %d unions, want 5 and 2", o, u)
	}
	if o := optionalCount(parsed(t, strings.Replace(text, `"required":["b"],`, "", 1))); o != 6 {
		t.Errorf("%d optional parameters, want 6", o)
	}
}
