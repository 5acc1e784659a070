package lowering_test

import (
	"regexp"
	"slices"
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// A behavioural check that what a schema enforces is kept by its lowered form. It reads the caller's schema by itself and asks the lowered one nothing
// but whether it takes a value.

// maxMutants bounds the mutants of one instance.
const maxMutants = 200

// checkKept breaks each valid instance at each place that an unconditional required, enum or const governs, lowers what it broke, and lists what the
// lowered schema accepts all the same, as "pointer keyword", each once. A mutant that is not lowered cannot be given, and so is kept out: an instance
// that the lowered form cannot give unbroken either proves little, so whoever calls this passes instances that it gives.
func checkKept(schema value.Value, valid []value.Value, lower func(value.Value) (value.Value, error), accepts func(value.Value) bool) (lost []string) {
	for _, x := range valid {
		for _, m := range mutants(schema, x) {
			name := m.pointer + " " + m.keyword
			if slices.Contains(lost, name) {
				continue
			}
			if down, err := lower(m.value); err == nil && accepts(down) {
				lost = append(lost, name)
			}
		}
	}
	return lost
}

// mutant is an instance that is broken in one place.
type mutant struct {
	pointer, keyword string
	value            value.Value
}

// mutants lists at most maxMutants of an instance.
func mutants(schema, x value.Value) []mutant {
	b := &breaker{x: x, draft: draftOf(schema), seen: map[[2]string]bool{}, steps: 20_000, references: indexReferences(schema)}
	b.walk("", schema, nil, x)
	return b.out
}

// breaker walks a schema and an instance together.
type breaker struct {
	x          value.Value
	references *references
	draft      int
	seen       map[[2]string]bool // the pointers of a schema and of the value that it was applied to
	steps      int
	out        []mutant
}

// draftOf reads $schema: which keywords are there depends on it.
func draftOf(schema value.Value) int {
	uri, _ := schema.Get("$schema")
	for name, draft := range map[string]int{"draft-03": 3, "draft-04": 4, "draft-06": 6, "draft-07": 7, "2019-09": 2019} {
		if strings.Contains(uri.Text(), name) {
			return draft
		}
	}
	return 2020
}

func (b *breaker) walk(at string, s value.Value, path []string, x value.Value) {
	if b.steps--; b.steps < 0 || len(b.out) >= maxMutants || s.Kind() != value.KindObject {
		return
	}
	key := [2]string{at, pointerOf(path)}
	if b.seen[key] {
		return
	}
	b.seen[key] = true
	if at != "" && holds(s, "$id", "id") {
		return // A schema of its own: its references start from itself.
	}
	if ref, ok := s.Get("$ref"); ok {
		if pointer, target, ok := b.references.resolve(ref.Text()); ok {
			b.walk(pointer, target, path, x)
		}
		if b.draft <= 7 {
			return // Until then nothing is read beside it.
		}
	}
	all, _ := s.Get("allOf")
	for i, sub := range all.Items() {
		b.walk(value.AppendIndex(at+"/allOf", i), sub, path, x)
	}
	b.listed(s, path, x)
	switch x.Kind() {
	case value.KindObject:
		b.required(s, path, x)
		b.members(at, s, path, x)
	case value.KindArray:
		b.items(at, s, path, x)
	default:
	}
}

// listed breaks enum and const.
func (b *breaker) listed(s value.Value, path []string, x value.Value) {
	if enum, ok := s.Get("enum"); ok && enum.Kind() == value.KindArray {
		b.replace("enum", path, x, itemsOf(enum))
	}
	if one, ok := s.Get("const"); ok && b.draft > 4 {
		b.replace("const", path, x, []value.Value{one})
	}
}

func (b *breaker) replace(keyword string, path []string, x value.Value, list []value.Value) {
	if other, ok := unlisted(x, list); ok {
		b.add(path, keyword, other, false)
	}
}

func (b *breaker) required(s value.Value, path []string, x value.Value) {
	required, _ := s.Get("required")
	for _, name := range textsOf(required) {
		if holds(x, name) {
			b.add(append(slices.Clone(path), name), "required", value.Value{}, true)
		}
	}
}

func (b *breaker) add(path []string, keyword string, with value.Value, remove bool) {
	pointer := pointerOf(path)
	double := func(m mutant) bool { return m.pointer == pointer && m.keyword == keyword && keyword == "required" }
	if len(b.out) < maxMutants && !slices.ContainsFunc(b.out, double) {
		b.out = append(b.out, mutant{pointer, keyword, change(b.x, path, with, remove)})
	}
}

func (b *breaker) members(at string, s value.Value, path []string, x value.Value) {
	properties, _ := s.Get("properties")
	patterned, _ := s.Get("patternProperties")
	further, _ := s.Get("additionalProperties")
	var res []*regexp.Regexp
	for text := range patterned.Members() {
		re, err := regexp.Compile(text)
		if err != nil {
			further = value.Null() // Nobody knows here whom it governs.
			continue
		}
		res = append(res, re)
	}
	for name, item := range x.Members() {
		below := append(slices.Clone(path), name)
		if sub, ok := properties.Get(name); ok {
			b.walk(value.AppendPointer(at+"/properties", name), sub, below, item)
		} else if !slices.ContainsFunc(res, func(re *regexp.Regexp) bool { return re.MatchString(name) }) {
			b.walk(at+"/additionalProperties", further, below, item)
		}
	}
}

func (b *breaker) items(at string, s value.Value, path []string, x value.Value) {
	first, firstAt, rest, restAt := value.Value{}, "", value.Value{}, ""
	items, _ := s.Get("items")
	switch {
	case b.draft == 2020:
		first, _ = s.Get("prefixItems")
		firstAt, rest, restAt = at+"/prefixItems", items, at+"/items"
	case items.Kind() == value.KindArray:
		rest, _ = s.Get("additionalItems")
		first, firstAt, restAt = items, at+"/items", at+"/additionalItems"
	default:
		rest, restAt = items, at+"/items"
	}
	for i, item := range x.Items() {
		below := append(slices.Clone(path), value.AppendIndex("", i)[1:])
		if i < first.Len() && first.Kind() == value.KindArray {
			b.walk(value.AppendIndex(firstAt, i), first.At(i), below, item)
		} else {
			b.walk(restAt, rest, below, item)
		}
	}
}

// unlisted gives a value of the same JSON kind that is not in a list which x is in.
func unlisted(x value.Value, list []value.Value) (value.Value, bool) {
	in := func(v value.Value) bool {
		return slices.ContainsFunc(list, func(o value.Value) bool { return value.Equal(v, o) })
	}
	if !in(x) {
		return value.Value{}, false // The schema does not say what this check believes.
	}
	switch x.Kind() {
	case value.KindString:
		text := x.Text() + "~"
		for in(value.String(text)) {
			text += "~"
		}
		return value.String(text), true
	case value.KindNumber:
		n, _ := x.Decimal().Int64() // 0 for a fraction, and for a number that is no int64.
		for i := range int64(len(list)) + 1 {
			if v := value.Int(n + i + 1); !in(v) {
				return v, true
			}
		}
	case value.KindBool:
		if v := value.Bool(!x.Truth()); !in(v) {
			return v, true
		}
	default:
	}
	return value.Value{}, false
}

// change gives v with the value at a path exchanged or removed.
func change(v value.Value, path []string, with value.Value, remove bool) value.Value {
	if len(path) == 0 {
		return with
	}
	if len(path) == 1 && remove {
		return v.Without(path[0])
	}
	for i := range v.Len() {
		if v.Kind() == value.KindObject && v.NameAt(i) == path[0] || v.Kind() == value.KindArray && value.AppendIndex("", i)[1:] == path[0] {
			return v.WithAt(i, change(v.At(i), path[1:], with, remove))
		}
	}
	return v
}

func pointerOf(path []string) (pointer string) {
	for _, token := range path {
		pointer = value.AppendPointer(pointer, token)
	}
	return pointer
}
