package lowering_test

import (
	"fmt"
	"strings"
)

func engineRules() []ruleCases {
	return []ruleCases{converterRules("llamacpp"), converterRules("ollama"), guidanceRules(), vllmRules()}
}

// engineGood are schemas that every engine enforces.
func engineGood() []string {
	return []string{
		`{"type":"object","properties":{"a":{"type":"string","minLength":1},"b":{"type":"integer","minimum":1,"exclusiveMaximum":9}},"required":["a"]}`,
		`{"type":"object","additionalProperties":{"type":"number"}}`, `{"type":"array","prefixItems":[{"type":"string"},{}]}`,
		`{"type":"string","enum":["x"],"default":"x","title":"t"}`,
		`{"enum":["x",1,null,{"a":1}]}`, `{"const":[1]}`, `{"type":["string","null"],"maxLength":3}`, closedWith(`{"description":"anything"}`), `{}`,
		`{"anyOf":[{"type":"string"},{"type":"array","items":{"type":"boolean"},"minItems":2,"maxItems":5}],"description":"d"}`,
		`{"type":"string","pattern":"^[A-Z]{2}(x|y)+$"}`,
		`{"$ref":"#/$defs/N","$defs":{"N":{"type":"object","properties":{"n":{"anyOf":[{"$ref":"#/$defs/N"},{"type":"null"}]}},"required":["n"]}}}`,
		`{"type":"object","properties":{"a":{"type":"integer"},"b":{"$ref":"#/properties/a"}}}`, `{"type":"string","format":"date-time"}`,
		closedWith(enumOf(1500, 9)),
	}
}

// engineBad are schemas that no engine is to be sent.
func engineBad() []broken {
	return append(notPermitted(closedWith, `not if then else dependentRequired dependentSchemas unevaluatedProperties
		unevaluatedItems propertyNames contains uniqueItems oneOf additionalItems x-own`),
		broken{"$ref begins with #/", closedWith(`{"$ref":"#"}`), "is not of the form"},
		broken{"$ref leads somewhere", closedWith(`{"$ref":"#/$defs/A"}`), "leads nowhere"},
		broken{"enum not empty", `{"enum":[]}`, "not empty"},
		broken{"anyOf not empty", `{"anyOf":[]}`, "not empty"},
		broken{"known type", `{"type":"any"}`, "a known type"},
		broken{"no list of items", `{"type":"array","items":[{"type":"string"}]}`, "must be an object"},
		broken{"no lookahead", `{"type":"string","pattern":"^(?!x)[a-z]+$"}`, "pattern"},
		broken{"no reference back", `{"type":"string","pattern":"^(a)\\1$"}`, "pattern"},
		broken{"known format", `{"type":"string","format":"iban"}`, "format iban"},
	)
}

func converterRules(profile string) ruleCases {
	return ruleCases{profile: profile, good: append(engineGood(),
		`{"allOf":[{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]},{"$ref":"#/$defs/A"}],"$defs":{"A":{"enum":[{"a":"x"}]}}}`,
		`{"type":"string","pattern":"^a\\.b\\$[0-9^$]?$"}`, `{"type":"integer","maximum":3}`, `{"type":["integer","null"],"maximum":3}`,
	), bad: append(append(engineBad(), notPermitted(closedWith, "patternProperties minProperties maxProperties multipleOf")...),
		broken{"no true", closedWith(`true`), "must be an object"},
		broken{"no false", closedWith(`false`), "must be an object"},
		broken{"no items beside prefixItems", `{"type":"array","prefixItems":[{}],"items":{}}`, "items beside prefixItems"},
		broken{"no items: false beside prefixItems", `{"type":"array","prefixItems":[{}],"items":false}`, "items beside prefixItems"},
		broken{"pattern anchored", `{"type":"string","pattern":"[0-9]{3}"}`, "not anchored"},
		broken{"pattern anchored at the end", `{"type":"string","pattern":"^[0-9]{3}"}`, "not anchored"},
		broken{"pattern anchored in each way", `{"type":"string","pattern":"^a|b$"}`, "not anchored"},
		broken{"no escaped end", `{"type":"string","pattern":"^a\\$"}`, "not anchored"},
		broken{`no \d`, `{"type":"string","pattern":"^\\d$"}`, "is dropped"},
		broken{`no \w in a class`, `{"type":"string","pattern":"^[\\w-]$"}`, "is dropped"},
		broken{`no \s`, `{"type":"string","pattern":"^a\\s$"}`, "is dropped"},
		broken{`no \b`, `{"type":"string","pattern":"^a\\b$"}`, "is dropped"},
		broken{"no inner anchor", `{"type":"string","pattern":"^(a$|^b)$"}`, "is dropped"},
		broken{"no length beside pattern", `{"type":"string","pattern":"^a$","maxLength":3}`, "length bounds"},
		broken{"no number bounds", `{"type":"number","maximum":3}`, "integers alone"},
		broken{"no bounds of a list with number", `{"type":["number","null"],"exclusiveMinimum":3}`, "integers alone"},
		broken{"no bounds without a type", `{"minimum":3,"enum":[1,4]}`, "integers alone"},
		broken{"format email", `{"type":"string","format":"email"}`, "format email"},
		broken{"format uri", `{"type":"string","format":"uri"}`, "format uri"},
		broken{"nothing beside anyOf", `{"anyOf":[{"type":"string"}],"minLength":3}`, "not seen beside anyOf"},
		broken{"nothing beside $ref", `{"$ref":"#/$defs/A","maxLength":3,"$defs":{"A":{"type":"string"}}}`, "beside $ref"},
		broken{"nothing beside allOf", `{"allOf":[{"type":"object"}],"type":"object"}`, "not seen beside allOf"},
		broken{"allOf of objects or enums", `{"allOf":[{"type":"string","minLength":1}]}`, "allOf of anything but"},
		broken{"required is listed", `{"type":"object","required":["a"]}`, "not among the properties"},
		broken{"a kind is said", `{"minLength":3}`, "does not recognise"},
	)}
}

func guidanceRules() ruleCases {
	var patterns strings.Builder
	patterns.WriteString(`{"patternProperties":{"^$":{}`)
	for i := range maxPatterns {
		fmt.Fprintf(&patterns, `,"^a%d$":{}`, i)
	}
	patterns.WriteString(`}}`)
	return ruleCases{profile: "llamacpp:llguidance", good: append(engineGood(),
		closedWith(`true`), `{"type":"array","prefixItems":[{}],"items":false}`, `{"type":"object","required":["a"]}`,
		`{"allOf":[{"type":"object"},{"required":["a"]}]}`,
		`{"type":"object","properties":{"x":{"type":"integer"}},"anyOf":[{"required":["x"]},{"required":["y"]}]}`,
		`{"type":"string","pattern":"[0-9]\\d","maxLength":3}`,
		`{"type":"object","patternProperties":{"^a":{"type":"string"},"^b":{"type":"null"}},"minProperties":1}`, `{"type":"number","maximum":3,"multipleOf":0.5}`,
		`{"type":"object","properties":{"a":{}},"required":["a"],"maxProperties":3}`, `{"type":"string","format":"email"}`,
	), bad: append(engineBad(),
		broken{"disjoint patterns", `{"patternProperties":{"^a":{},"^[ab]c":{}}}`, "must be disjoint"},
		broken{"disjoint patterns, any name", `{"patternProperties":{".*":{},"x$":{}}}`, "must be disjoint"},
		broken{"patterns of names compile", `{"patternProperties":{"^(?=a)":{}}}`, "cannot compile"},
		broken{"not too many patterns to compare", patterns.String(), "301 patterns"},
		broken{"counts beside optional members", `{"properties":{"a":{}},"minProperties":1}`, "counts of members"},
	)}
}

func vllmRules() ruleCases {
	return ruleCases{profile: "openai:vllm", good: append(engineGood(),
		closedWith(`true`), `{"type":"array","prefixItems":[{}],"items":false}`, `{"allOf":[{"type":"string"}]}`, `{"type":"number","maximum":3,"multipleOf":0.5}`,
		`{"type":"object","additionalProperties":{"type":"string"},"minProperties":1,"maxProperties":3}`, `{"type":"string","format":"email"}`,
		`{"type":"string","format":"uri"}`,
		`{"type":"object","patternProperties":{"^a[a-z]*$":{"type":"string"}},"additionalProperties":false}`, `{"type":"string","pattern":"^(a|\\d)$|^c$"}`,
	), bad: append(engineBad(),
		broken{"no allOf of two", `{"allOf":[{"type":"string"},{"minLength":1}]}`, "allOf is ignored"},
		broken{"nothing beside allOf", `{"type":"string","allOf":[{"minLength":1}]}`, "not seen beside allOf"},
		broken{"nothing beside anyOf", `{"type":"object","properties":{"x":{}},"anyOf":[{"required":["x"]}]}`, "not seen beside anyOf"},
		broken{"nothing beside $ref", `{"$ref":"#/$defs/A","maxLength":3,"$defs":{"A":{"type":"string"}}}`, "beside $ref"},
		broken{"pattern anchored", `{"type":"string","pattern":"[0-9]{3}"}`, "as if it were anchored"},
		broken{"pattern anchored at the beginning", `{"type":"string","pattern":"[0-9]{3}$"}`, "as if it were anchored"},
		broken{"pattern anchored in each way", `{"type":"string","pattern":"^a|b$"}`, "as if it were anchored"},
		broken{"no length beside pattern", `{"type":"string","pattern":"^a+$","minLength":3}`, "length bounds"},
		broken{"patterns of names anchored", `{"type":"object","patternProperties":{"^a":{}}}`, "as if it were anchored"},
		broken{"no patternProperties beside properties", `{"properties":{"b":{}},"patternProperties":{"^a$":{}}}`, "patternProperties must not stand"},
		broken{"no minProperties beside properties", `{"properties":{"b":{}},"required":["b"],"minProperties":1}`, "minProperties must not stand"},
		broken{"no maxProperties beside properties", `{"properties":{"b":{}},"required":["b"],"maxProperties":1}`, "maxProperties must not stand"},
		broken{"required is listed", `{"type":"object","required":["a"]}`, "not among the properties"},
		broken{"no false", closedWith(`false`), "must be dropped"},
		broken{"disjoint patterns", `{"patternProperties":{"^a.*$":{},"^[ab]c*$":{}}}`, "must be disjoint"},
	)}
}
