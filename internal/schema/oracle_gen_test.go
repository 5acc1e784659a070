package schema

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// drawn draws schemas of every keyword and values that they speak of.
type drawn struct {
	r     *rand.Rand
	draft Draft
}

func (d *drawn) pick(texts ...string) string { return texts[d.r.IntN(len(texts))] }

// depths of schemas and values.
const (
	drawnSchemas = 3
	drawnValues  = 3
)

// schema writes a schema; keywords stand beside each other as they come.
func (d *drawn) schema(depth int) string {
	if depth > drawnSchemas || d.r.IntN(10) == 0 {
		if d.draft == Draft4 {
			return d.pick(`{}`, `{"not":{}}`, `{"type":"string"}`, `{"type":"integer"}`, `{"minimum":1}`)
		}
		return d.pick(`true`, `true`, `false`, `{}`, `{"type":"string"}`, `{"type":"integer"}`, `{"minimum":1}`)
	}
	if depth > 0 && d.r.IntN(7) == 0 {
		return d.reference(depth)
	}
	keywords := d.keywords(depth)
	names := make([]string, 0, len(keywords))
	for name := range keywords {
		names = append(names, name)
	}
	// Maps have no order: sorted, the same seed draws the same schema.
	slices.Sort(names)
	var members []string
	put := func(name string) {
		if at := slices.Index(names, name); at >= 0 {
			members = append(members, fmt.Sprintf("%q:%s", name, keywords[name]()))
			names = slices.Delete(names, at, at+1)
		}
	}
	for range 1 + d.r.IntN(4) {
		name := names[d.r.IntN(len(names))]
		put(name)
		// Keywords that say something together stand together more often than by chance.
		for _, partner := range partners(name) {
			if d.r.IntN(2) == 0 {
				put(partner)
			}
		}
	}
	if depth == 0 {
		members = append(members, d.definitions()...)
	}
	return "{" + strings.Join(members, ",") + "}"
}

func partners(name string) []string {
	switch name {
	case "if", "then", "else":
		return []string{"if", "then", "else"}
	case "unevaluatedProperties", "unevaluatedItems":
		return []string{"anyOf", "allOf", "if", "then", "properties", "prefixItems", "contains", "dependentSchemas", "patternProperties"}
	case "minContains", "maxContains":
		return []string{"contains"}
	case "contains":
		return []string{"minContains", "maxContains", "unevaluatedItems"}
	case "additionalProperties":
		return []string{"properties", "patternProperties"}
	case "additionalItems":
		return []string{"items"}
	case "minimum", "maximum":
		return []string{"exclusiveMinimum", "exclusiveMaximum"}
	default:
		return nil
	}
}

// definitions are what references of the root lead to: plain ones, and from 2019-09 on resources with anchors that dynamic references see.
func (d *drawn) definitions() []string {
	x, y := d.schema(2), d.schema(2)
	members := []string{fmt.Sprintf(`%q:{"x":%s,"y":%s%s}`, d.container(), x, y, d.resources())}
	switch {
	case d.draft == Draft202012 && d.r.IntN(2) == 0:
		members = append(members, `"$id":"http://x.test/root"`, `"$dynamicAnchor":"n"`)
	case d.draft == Draft201909 && d.r.IntN(2) == 0:
		members = append(members, `"$id":"http://x.test/root"`, `"$recursiveAnchor":true`)
	}
	return members
}

// resources writes further definitions, with identifiers and anchors of their own. What they hold refers to nothing: its base is another one.
func (d *drawn) resources() string {
	inner := d.schema(2)
	for len(inner) < 4 || inner[0] != '{' || strings.Contains(inner, `ef":"`) {
		inner = d.schema(2)
	}
	inner = inner[1:] // It is put behind other members.
	switch d.draft {
	case Draft202012:
		return `,"z":{"$id":"z","$dynamicAnchor":"n","properties":{"a":{"$dynamicRef":"#n"}},"items":{"$dynamicRef":"#n"},"$defs":{"k":{"$anchor":"here",` + inner + `}}` +
			`,"w":{"$id":"w",` + inner +
			`,"v":{"$id":"v","$defs":{"n":{"$dynamicAnchor":"n",` + inner + `},"properties":{"b":{"$ref":"z"},"c":{"$dynamicRef":"#n"}}}`
	case Draft201909:
		return `,"z":{"$id":"z","$recursiveAnchor":` + d.pick("true", "false") + `,"properties":{"a":{"$recursiveRef":"#"}},"items":{"$recursiveRef":"#"},"$defs":{"k":{"$anchor":"here",` + inner + `}}` +
			`,"w":{"$id":"w",` + inner +
			`,"v":{"$id":"v","$recursiveAnchor":true,"properties":{"b":{"$ref":"z"},"c":{"$recursiveRef":"#"}}}`
	case Draft4:
		return `,"z":{"id":"#z",` + inner + `,"w":{"id":"http://x.test/w",` + inner + `,"v":{"properties":{"b":{"$ref":"#"}}}`
	default:
		return `,"z":{"$id":"#z",` + inner + `,"w":{"$id":"http://x.test/w",` + inner + `,"v":{"properties":{"b":{"$ref":"#"}}}`
	}
}

func (d *drawn) reference(depth int) string {
	refs := []string{`#/` + d.container() + `/x`, `#/` + d.container() + `/y`, `#/` + d.container() + `/v`, `#/` + d.container() + `/w`}
	if d.draft.atLeast(Draft201909) {
		refs = append(refs, `#/`+d.container()+`/z`, "z", "v", "z#here")
	} else {
		refs = append(refs, `#z`, `http://x.test/w`)
	}
	ref := fmt.Sprintf(`"$ref":%q`, refs[d.r.IntN(len(refs))])
	switch d.r.IntN(6) {
	case 0:
		switch d.draft {
		case Draft202012:
			ref = `"$dynamicRef":` + d.pick(`"#n"`, `"z#n"`, `"v#n"`)
		case Draft201909:
			ref = `"$recursiveRef":"#"`
		default:
		}
	case 1:
		if d.draft.atLeast(Draft201909) {
			if more := d.schema(depth + 1); len(more) > 2 && more[0] == '{' && !strings.Contains(more, `"$ref"`) {
				return "{" + ref + "," + more[1:]
			}
		} else {
			return "{" + ref + `,"type":"null"}` // It is ignored.
		}
	default:
	}
	return "{" + ref + "}"
}

// keywords writes each keyword that the draft has.
func (d *drawn) keywords(depth int) map[string]func() string {
	sub := func() string { return d.schema(depth + 1) }
	list := func() string {
		items := []string{sub()}
		for range d.r.IntN(3) {
			items = append(items, sub())
		}
		return "[" + strings.Join(items, ",") + "]"
	}
	named := func() string { return fmt.Sprintf(`{"a":%s,"b":%s}`, sub(), sub()) }
	fixed := func(texts ...string) func() string { return func() string { return d.pick(texts...) } }
	keywords := map[string]func() string{
		"type":                 fixed(`"object"`, `"array"`, `"string"`, `"number"`, `"integer"`, `["null","boolean"]`, `["object","array","number"]`, `["integer","string"]`),
		"enum":                 fixed(`[1,"a",null]`, `[[],{}]`, `[{"a":1.0}]`, `[true]`, `[1e2,"ab"]`, `[0,false]`, `[[0],[false]]`, `[9007199254740993]`, `["aa","ab","b","ba","c","ca","cab",3,10]`),
		"minimum":              fixed(`0`, `-1.5`, `1e2`, `1E-2`, `9007199254740993`, `1e300`),
		"maximum":              fixed(`10`, `1e300`, `0.1e1`, `99.99`, `-1E-400`),
		"multipleOf":           fixed(`2`, `0.01`, `1.5`, `1e-2`, `1e1`, `1e-400`, `0.3`, `7`, `123456789012345678901`),
		"minLength":            fixed(`1`, `2.0`, `0`, `2e0`),
		"maxLength":            fixed(`1`, `3`, `0`),
		"pattern":              fixed(`"^a"`, `"b$"`, `"[a-z]{2}"`, `"^(a|b)*c?$"`, `"^\\p{L}+$"`, `"(?=b)b"`),
		"format":               fixed(`"date"`, `"ipv4"`, `"uuid"`, `"email"`, `"uri"`, `"date-time"`, `"unknown"`),
		"minItems":             fixed(`1`, `2`, `0`),
		"maxItems":             fixed(`2`, `1.0`, `3`),
		"uniqueItems":          fixed(`true`, `true`, `false`),
		"minProperties":        fixed(`1`, `2`),
		"maxProperties":        fixed(`2`, `1`, `3e0`),
		"required":             fixed(`["a"]`, `["a","c"]`, `["b"]`),
		"properties":           named,
		"patternProperties":    func() string { return fmt.Sprintf(`{"^a":%s,"c|d":%s}`, sub(), sub()) },
		"additionalProperties": sub,
		"allOf":                list,
		"anyOf":                list,
		"oneOf":                list,
		"not":                  sub,
		"items":                sub,
	}
	if d.draft.atLeast(Draft6) {
		keywords["const"] = fixed(`1`, `1.0`, `{"a":[1]}`, `null`, `1e2`, `false`, `"ab"`, `[1,{"a":0}]`)
		keywords["contains"], keywords["propertyNames"] = sub, sub
		keywords["exclusiveMinimum"], keywords["exclusiveMaximum"] = fixed(`1`, `-1e0`, `1e-1`), fixed(`2`, `1.0e2`, `1e400`)
	} else {
		keywords["exclusiveMinimum"], keywords["exclusiveMaximum"] = fixed(`true`, `false`), fixed(`true`, `false`)
	}
	if d.draft.atLeast(Draft7) {
		keywords["if"], keywords["then"], keywords["else"] = sub, sub, sub
	}
	if d.draft.atLeast(Draft201909) {
		keywords["dependentRequired"] = fixed(`{"a":["b"]}`, `{"a":["b","c"],"c":[]}`)
		keywords["dependentSchemas"] = func() string { return fmt.Sprintf(`{"a":%s,"c":%s}`, sub(), sub()) }
		keywords["unevaluatedProperties"], keywords["unevaluatedItems"] = sub, sub
		keywords["minContains"], keywords["maxContains"] = fixed(`0`, `2`, `1.0`), fixed(`1`, `2`, `0`)
	} else {
		keywords["dependencies"] = func() string { return fmt.Sprintf(`{"a":["b"],"c":%s}`, sub()) }
	}
	if d.draft == Draft202012 {
		keywords["prefixItems"] = list
	} else {
		keywords["additionalItems"] = sub
		if d.r.IntN(3) == 0 {
			keywords["items"] = list
		}
	}
	return keywords
}

func (d *drawn) container() string {
	if d.draft.atLeast(Draft201909) {
		return "$defs"
	}
	return "definitions"
}

// value writes a value that such schemas speak of.
func (d *drawn) value(depth int) string {
	if depth < drawnValues && d.r.IntN(2) == 0 {
		if d.r.IntN(2) == 0 {
			var items []string
			for range d.r.IntN(4) {
				items = append(items, d.value(depth+1))
			}
			return "[" + strings.Join(items, ",") + "]"
		}
		var members []string
		for _, name := range []string{"a", "b", "c", "ad"} {
			if d.r.IntN(2) == 0 {
				members = append(members, fmt.Sprintf("%q:%s", name, d.value(depth+1)))
			}
		}
		return "{" + strings.Join(members, ",") + "}"
	}
	return d.pick(`null`, `true`, `false`, `0`, `1`, `1.0`, `2`, `-2`, `0.015`, `1e2`, `100000000000000000001`, `1e0`, `10E-1`, `-0`, `0e10`, `1e399`, `1e-399`, `9007199254740993`, `9007199254740992`, `3`, `21`,
		`""`, `"a"`, `"ab"`, `"cab"`, `"ä"`, `"2025-01-15"`, `"192.0.2.1"`, `"a@b.test"`, `[]`, `{}`)
}
