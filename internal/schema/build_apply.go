package schema

import (
	"net/url"
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// places gives the resource that a subschema belongs to, which may be one inside r.
func (c *compiler) places(r *resource, pointer string) *resource { return r.doc.places[pointer] }

func hasFragment(ref, name string) bool {
	_, fragment, _ := strings.Cut(ref, "#")
	if decoded, err := url.PathUnescape(fragment); err == nil {
		fragment = decoded
	}
	return fragment == name
}

// schemas reads a keyword whose value is an array of schemas.
func (b *builder) schemas(keyword string) []*node {
	v, ok := b.get(keyword)
	if !ok {
		return nil
	}
	if v.Kind() != value.KindArray || v.Len() == 0 {
		b.bad(keyword, "keyword_type", keyword+" is an array of at least one schema", "")
		return nil
	}
	nodes := make([]*node, v.Len())
	for i := range nodes {
		nodes[i] = b.c.node(b.n.resource.doc, value.AppendIndex(b.at(keyword), i))
	}
	return nodes
}

// schema reads a keyword whose value is a schema.
func (b *builder) schema(keyword string) *node {
	v, ok := b.get(keyword)
	if !ok {
		return nil
	}
	if v.Kind() != value.KindObject && v.Kind() != value.KindBool {
		b.bad(keyword, "keyword_type", keyword+" is a schema: an object or a boolean", "")
		return nil
	}
	return b.c.child(b.n, keyword)
}

// logic adds the keywords that combine schemas for the same value.
func (b *builder) logic() {
	n := b.n
	if list := b.schemas("allOf"); list != nil {
		n.refs = append(n.refs, list...)
		n.inPlace = append(n.inPlace, list...)
		n.every = append(n.every, &allOfKeyword{list})
	}
	if list := b.schemas("anyOf"); list != nil {
		n.choices = append(n.choices, choice{branches: list})
		n.inPlace = append(n.inPlace, list...)
		n.every = append(n.every, &anyOfKeyword{n: n, branches: list})
	}
	if list := b.schemas("oneOf"); list != nil {
		n.choices = append(n.choices, choice{branches: list, one: true})
		n.inPlace = append(n.inPlace, list...)
		n.every = append(n.every, &oneOfKeyword{n: n, branches: list})
	}
	if sub := b.schema("not"); sub != nil {
		n.other = true
		n.inPlace = append(n.inPlace, sub)
		n.every = append(n.every, &notKeyword{n: n, sub: sub})
	}
	then, otherwise := b.schema("then"), b.schema("else")
	if cond := b.schema("if"); cond != nil && (then != nil || otherwise != nil || b.d.atLeast(Draft201909)) {
		n.other = n.other || then != nil || otherwise != nil
		n.every = append(n.every, &ifKeyword{cond: cond, then: then, otherwise: otherwise})
		for _, sub := range []*node{cond, then, otherwise} {
			if sub != nil {
				n.inPlace = append(n.inPlace, sub)
			}
		}
	}
	b.dependents()
}

func (b *builder) dependents() {
	k := &dependentKeyword{n: b.n}
	for _, keyword := range []string{"dependentSchemas", "dependentRequired", "dependencies"} {
		v, ok := b.get(keyword)
		if !ok {
			continue
		}
		if v.Kind() != value.KindObject {
			b.bad(keyword, "keyword_type", keyword+" is an object", "")
			continue
		}
		for name, item := range v.Members() {
			d := dependent{keyword: keyword, name: name}
			isList := item.Kind() == value.KindArray || keyword == "dependencies" && item.Kind() == value.KindString
			switch {
			case keyword != "dependentSchemas" && isList:
				d.required = b.names(keyword, item)
			case keyword != "dependentRequired":
				d.sub = b.c.child(b.n, keyword, name)
				b.n.inPlace = append(b.n.inPlace, d.sub)
			default:
				b.bad(keyword, "keyword_type", "dependentRequired maps names to arrays of names", "")
			}
			k.list = append(k.list, d)
		}
	}
	if len(k.list) > 0 {
		b.n.other = true
		b.add(value.KindObject, k)
	}
}

// names reads an array of member names.
func (b *builder) names(keyword string, v value.Value) []string {
	if v.Kind() == value.KindString {
		return []string{v.Text()} // Draft 3's form of dependencies, still seen.
	}
	var names []string
	seen := map[string]bool{}
	for _, item := range v.Items() {
		if item.Kind() != value.KindString {
			b.bad(keyword, "keyword_type", keyword+" lists names, each a string", "")
			return nil
		}
		if seen[item.Text()] {
			b.advise(keyword, "duplicate_name", keyword+" names a member twice")
			continue
		}
		seen[item.Text()] = true
		names = append(names, item.Text())
	}
	return names
}

// members reads a keyword whose value is an object of schemas.
func (b *builder) members(keyword string) value.Value {
	v, ok := b.get(keyword)
	if !ok {
		return value.Null()
	}
	if v.Kind() != value.KindObject {
		b.bad(keyword, "keyword_type", keyword+" is an object of schemas", "")
		return value.Null()
	}
	return v
}

func (b *builder) objects(voc vocabulary) {
	k := &objectKeyword{n: b.n, min: -1, max: -1}
	used := false
	if voc.applicator {
		for name := range b.members("properties").Members() {
			used = true
			k.properties = append(k.properties, property{name: name, sub: b.c.child(b.n, "properties", name)})
		}
		k.named = len(k.properties)
		patterns := b.members("patternProperties")
		for text := range patterns.Members() {
			used = true
			if p, ok := b.compilePattern("patternProperties", value.String(text)); ok {
				k.patterns = append(k.patterns, patternProperty{pattern: p, sub: b.c.child(b.n, "patternProperties", text)})
			}
		}
		k.additional = b.schema("additionalProperties")
		k.names = b.schema("propertyNames")
		used = used || k.additional != nil || k.names != nil
	}
	if voc.validation {
		k.min, k.max = b.count("minProperties"), b.count("maxProperties")
		if v, ok := b.get("required"); ok {
			if v.Kind() != value.KindArray {
				b.bad("required", "keyword_type", "required is an array of names", "Write \"required\": [\"name\"] beside properties.")
			} else {
				k.require(b.names("required", v))
			}
		}
		used = used || k.min > 0 || k.max >= 0 || k.required > 0
	}
	if used {
		k.prepare()
		b.n.object = k
		b.add(value.KindObject, k)
	}
}

func (b *builder) arrays(voc vocabulary) {
	k := &arrayKeyword{n: b.n, min: -1, max: -1, minContains: 1, maxContains: -1}
	used := false
	if voc.applicator {
		b.items(k)
		k.contains = b.schema("contains")
		k.marksContained = b.d == Draft202012
		used = len(k.prefix) > 0 || k.rest != nil || k.contains != nil
	}
	if voc.validation {
		k.min, k.max = b.count("minItems"), b.count("maxItems")
		if v, ok := b.get("uniqueItems"); ok {
			if v.Kind() != value.KindBool {
				b.bad("uniqueItems", "keyword_type", "uniqueItems is a boolean", "")
			}
			k.unique = v.Truth()
		}
		if low := b.count("minContains"); low >= 0 {
			k.minContains = low
		}
		k.maxContains = b.count("maxContains")
		used = used || k.min > 0 || k.max >= 0 || k.unique
	}
	if used {
		b.n.array = k
		b.add(value.KindArray, k)
	}
}

func (b *builder) items(k *arrayKeyword) {
	if list := b.schemas("prefixItems"); list != nil {
		k.prefix, k.prefixKeyword = list, "prefixItems"
	}
	v, ok := b.get("items")
	switch {
	case !ok:
		return
	case v.Kind() == value.KindArray && b.d == Draft202012:
		b.bad("items", "keyword_type", "items is a schema in draft 2020-12, not an array", "Name the array prefixItems, or set $schema to the draft that is meant.")
	case v.Kind() == value.KindArray:
		for i := range v.Len() {
			k.prefix = append(k.prefix, b.c.node(b.n.resource.doc, value.AppendIndex(b.at("items"), i)))
		}
		k.prefixKeyword, k.restKeyword = "items", "additionalItems"
		k.rest = b.schema("additionalItems")
	default:
		k.rest, k.restKeyword = b.schema("items"), "items"
	}
}

func (b *builder) unevaluated() {
	if sub := b.schema("unevaluatedItems"); sub != nil {
		b.n.tracks = true
		b.n.last[0] = &unevaluatedKeyword{n: b.n, keyword: "unevaluatedItems", kind: value.KindArray, sub: sub}
	}
	if sub := b.schema("unevaluatedProperties"); sub != nil {
		b.n.tracks = true
		b.n.last[1] = &unevaluatedKeyword{n: b.n, keyword: "unevaluatedProperties", kind: value.KindObject, sub: sub}
	}
}
