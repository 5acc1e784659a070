package lowering_test

import (
	"fmt"
	"strings"
)

func geminiRules() []ruleCases {
	lists := func(n, most int) string {
		return closedOf(n, true, fmt.Sprintf(`{"type":"array","items":{"type":"string"},"maxItems":%d}`, most))
	}
	long := closedOf(1, true, `{"type":"string","description":"`+strings.Repeat("d", 30_000)+`"}`)
	doubling := `{"$ref":"#/$defs/d0","$defs":{`
	for i := range 50 {
		doubling += fmt.Sprintf(`"d%d":{"anyOf":[{"$ref":"#/$defs/d%d"},{"$ref":"#/$defs/d%d"}]},`, i, i+1, i+1)
	}
	doubling += `"d50":{"type":"string"}}}`
	shared := []broken{
		{"array of exactly 70", closedWith(`{"type":"array","items":{"type":"string"},"minItems":70,"maxItems":70}`), "both 70"},
		{"ordering", `{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}},"propertyOrdering":["b","a"]}`, "propertyOrdering is not"},
		{"ordering names all", `{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}},"propertyOrdering":["a"]}`, "propertyOrdering is not"},
	}
	json := ruleCases{profile: "gemini", good: []string{
		`{"type":"array","items":{"type":["string","null"]},"minItems":1,"maxItems":900}`, closedWith(`{"type":"string","enum":["x","y"]}`),
		closedWith(`{"type":"number","enum":[1,2.5]}`),
		`{"type":"object","properties":{"a":{"type":"integer","minimum":1,"maximum":2},"b":{"type":"string","format":"date-time"}},"propertyOrdering":["a","b"]}`,
		`{"type":"array","prefixItems":[{"type":"string"},{"oneOf":[{"type":"string"},{"type":"null"}]}]}`, `{"type":"object","additionalProperties":true}`,
		`{"type":"object","properties":{"a":{"$ref":"#/$defs/A","$anchor":"x"},"b":{"$ref":"#/$defs/A"}},"$defs":{"A":{"type":"string","description":"d"}}}`,
		`{"anyOf":[{"type":"string","enum":["x"]},{"type":"number","enum":[1]}]}`,
		`{"anyOf":[{"type":"string","enum":["x"],"description":"d"},{"type":"number","enum":[1],"description":"e"}]}`,
		lists(9, 100),
	}, bad: append(append(shared,
		notPermitted(closedWith, `const pattern minLength maxLength exclusiveMinimum exclusiveMaximum multipleOf uniqueItems minProperties maxProperties

				patternProperties propertyNames allOf not if then else dependentRequired dependentSchemas default contains title
			unevaluatedProperties $comment nullable definitions`)...),
		broken{"title at the root", `{"type":"string","title":"t"}`, "title is not permitted"},
		broken{"enum without null", closedWith(`{"enum":["x",null]}`), "strings and numbers, not null"},
		broken{"enum without booleans", closedWith(`{"enum":[true]}`), "strings and numbers, not boolean"},
		broken{"no mixed enum", closedWith(`{"enum":["x",1]}`), "mixed types"},
		broken{"enum of scalars", closedWith(`{"enum":[{"a":1}]}`), "scalar"},
		broken{"no dictionary", closedWith(`{"type":"object","additionalProperties":{"type":"string"}}`), "unreliable"},
		broken{
			"one enum", closedWith(`{"anyOf":[{"type":"string","enum":["x"],"description":"d"},{"type":"string","enum":["y"],"description":"e"}]}`),
			"must be one enum",
		},
		broken{"typed", closedWith(`{"description":"d"}`), "must have one of"},
		broken{"no boolean", closedWith(`true`), "must be an object"},
		broken{"$ref alone", `{"type":"object","properties":{"a":{"$ref":"#/$defs/A","description":"d"}},"$defs":{"A":{"type":"string"}}}`, "beside $ref"},
		broken{"$ref to a definition", closedWith(`{"$ref":"#"}`), "is not of the form"},
		broken{"$ref leads somewhere", closedWith(`{"$ref":"#/$defs/A"}`), "leads nowhere"},
		broken{
			"no cycle, not even below what is optional",
			`{"type":"object","properties":{"a":{"$ref":"#/$defs/A"}},"$defs":{"A":{"type":"object","properties":{"n":{"$ref":"#/$defs/A"}}}}}`, "recursion",
		},
		broken{"900 items", lists(10, 91), "maxItems is 910"},
		broken{
			"900 items by references",
			`{"type":"object","properties":{"a":{"$ref":"#/$defs/A"},"b":{"$ref":"#/$defs/A"}},"$defs":{"A":{"type":"array","items":{"type":"string"},"maxItems":500}}}`,
			"maxItems is 1000",
		},
		broken{"30,000 bytes", long, "30,000"},
		broken{"30,000 bytes when inlined", doubling, "30,000"},
	)}
	object := func(sub string) string {
		return `{"type":"object","properties":{"a":` + sub + `},"required":["a"]}`
	}
	openapi := ruleCases{profile: "gemini:openapi", good: []string{
		object(`{"type":"string","nullable":true,"minLength":1,"maxLength":9,"pattern":"^x","description":"d","default":"x","example":"x"}`),
		object(`{"type":"string","enum":["x","y"],"format":"enum"}`), object(`{"type":"integer","enum":["1","-2"]}`),
		object(`{"type":"string","format":"date-time"}`),
		`{"type":"array","items":{"type":"number","minimum":1,"maximum":2},"minItems":1,"maxItems":2}`,
		object(`{"anyOf":[{"type":"string","nullable":true},{"type":"integer"}]}`),
		`{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"boolean"}},"propertyOrdering":["a","b"],"minProperties":1,"maxProperties":2}`,
	}, bad: append(append(shared,
		notPermitted(object, `additionalProperties $ref $defs definitions const oneOf allOf prefixItems exclusiveMinimum exclusiveMaximum multipleOf
			uniqueItems patternProperties propertyNames not if then else dependentRequired dependentSchemas contains title $id $anchor examples`)...),
		broken{"one type", object(`{"type":["string","null"]}`), "must not be a list"},
		broken{"no type null", object(`{"type":"null"}`), "type null is not known"},
		broken{"nullable is a boolean", object(`{"type":"string","nullable":"yes"}`), "must be a boolean"},
		broken{"items are mandatory", object(`{"type":"array"}`), "must have items"},
		broken{"anyOf alone", object(`{"anyOf":[{"type":"string"}],"nullable":true}`), "nothing may stand beside anyOf"},
		broken{"anyOf alone, description too", object(`{"anyOf":[{"type":"string"}],"description":"d"}`), "nothing may stand beside anyOf"},
		broken{"enum of strings", object(`{"type":"integer","enum":[1]}`), "strings, not number"},
		broken{"enum without null", object(`{"type":"string","enum":["x",null]}`), "strings, not null"},
		broken{"enum without empty string", object(`{"type":"string","enum":[""]}`), "empty string"},
		broken{"enum typed", object(`{"type":"boolean","enum":["true"]}`), "type string or integer"},
		broken{"enum of integers", object(`{"type":"integer","enum":["x"]}`), "type integer holds"},
		broken{"2,000 characters of integers", object(strings.Replace(enumOf(300, 7), "string", "integer", 1)), "2,000"},
		broken{"known format", object(`{"type":"string","format":"uri"}`), "format uri"},
		broken{"typed", object(`{}`), "must have one of"},
		broken{"no boolean", object(`true`), "must be an object"},
		broken{"900 items", strings.ReplaceAll(lists(10, 91), `,"additionalProperties":false`, ""), "maxItems is 910"},
		broken{"30,000 bytes", strings.ReplaceAll(long, `,"additionalProperties":false`, ""), "30,000"},
	)}
	return []ruleCases{json, openapi}
}
