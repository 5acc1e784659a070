package schema

import (
	"slices"
	"strconv"
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// fit draws a value that a schema mostly allows: by its own keywords and those of the subschemas that judge the same place, as far as they are easily met.
func (d *drawn) fit(root, s value.Value, depth int) value.Value {
	any := func() value.Value { return must(d.value(min(depth, drawnValues))) }
	const deep = 6
	if depth > deep || s.Kind() != value.KindObject {
		return any()
	}
	facts := d.facts(root, s, 0, nil)
	for _, f := range facts {
		if v, ok := f.Get("const"); ok {
			return v
		}
		if list, ok := f.Get("enum"); ok && list.Len() > 0 && d.r.IntN(8) > 0 {
			return list.At(d.r.IntN(list.Len()))
		}
	}
	switch d.kind(facts) {
	case "object":
		return d.fitObject(root, facts, depth)
	case "array":
		return d.fitArray(root, facts, depth)
	case "string":
		return d.fitString(facts)
	case "number", "integer":
		return d.fitNumber(facts)
	case "boolean":
		return value.Bool(d.r.IntN(2) == 0)
	case "null":
		return value.Null()
	default:
		return any()
	}
}

func must(text string) value.Value {
	v, err := value.DecodeString(text, value.Limits{})
	if err != nil {
		panic(text + ": " + err.Error())
	}
	return v
}

// facts gathers the subschemas that judge one place, alternatives by chance.
func (d *drawn) facts(root, s value.Value, depth int, list []value.Value) []value.Value {
	const deep = 5
	if depth > deep || s.Kind() != value.KindObject {
		return list
	}
	list = append(list, s)
	for _, name := range []string{"$ref", "$dynamicRef", "$recursiveRef"} {
		if ref, ok := s.Get(name); ok {
			list = d.facts(root, d.followed(root, ref.Text()), depth+1, list)
		}
	}
	if all, ok := s.Get("allOf"); ok {
		for _, sub := range all.Items() {
			list = d.facts(root, sub, depth+1, list)
		}
	}
	for _, name := range []string{"anyOf", "oneOf"} {
		if some, ok := s.Get(name); ok {
			list = d.facts(root, some.At(d.r.IntN(some.Len())), depth+1, list)
		}
	}
	if then, ok := s.Get("then"); ok && d.r.IntN(2) == 0 {
		if cond, ok := s.Get("if"); ok {
			list = d.facts(root, then, depth+1, d.facts(root, cond, depth+1, list))
		}
	} else if otherwise, ok := s.Get("else"); ok {
		list = d.facts(root, otherwise, depth+1, list)
	}
	return list
}

// followed gives what a drawn reference most likely leads to.
func (d *drawn) followed(root value.Value, ref string) value.Value {
	name := strings.TrimPrefix(strings.TrimPrefix(ref, "#/"+d.container()+"/"), "#")
	for _, known := range []string{"z", "v", "w"} {
		if name == known || strings.HasSuffix(ref, "/"+known) || strings.HasPrefix(ref, known+"#") {
			name = known
		}
	}
	if defs, ok := root.Get(d.container()); ok {
		if found, ok := defs.Get(name); ok {
			return found
		}
	}
	return root
}

// kind chooses a type that the facts allow.
func (d *drawn) kind(facts []value.Value) string {
	names := []string{"object", "array", "string", "number", "integer", "boolean", "null"}
	said := false
	for _, f := range facts {
		t, ok := f.Get("type")
		if !ok {
			continue
		}
		said = true
		allowed := t.String()
		left := slices.DeleteFunc(slices.Clone(names), func(name string) bool {
			return !strings.Contains(allowed, `"`+name+`"`) && !(name == "integer" && strings.Contains(allowed, `"number"`))
		})
		if len(left) > 0 {
			names = left
		}
	}
	if said || d.r.IntN(8) == 0 {
		return names[d.r.IntN(len(names))]
	}
	var meant []string
	for _, f := range facts {
		for name := range f.Members() {
			switch name {
			case "properties", "required", "patternProperties", "additionalProperties", "minProperties", "maxProperties", "propertyNames", "unevaluatedProperties", "dependencies", "dependentRequired", "dependentSchemas":
				meant = append(meant, "object")
			case "items", "prefixItems", "additionalItems", "contains", "minItems", "maxItems", "uniqueItems", "unevaluatedItems":
				meant = append(meant, "array")
			case "minLength", "maxLength", "pattern", "format":
				meant = append(meant, "string")
			case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf":
				meant = append(meant, "number")
			}
		}
	}
	if len(meant) == 0 {
		return ""
	}
	return meant[d.r.IntN(len(meant))]
}

func (d *drawn) fitString(facts []value.Value) value.Value {
	for _, f := range facts {
		if format, ok := f.Get("format"); ok {
			switch format.Text() {
			case "date":
				return value.String(d.pick("2025-01-15", "2024-02-29", "2023-02-29"))
			case "ipv4":
				return value.String(d.pick("192.0.2.1", "192.0.2.256"))
			case "uuid":
				return value.String("123e4567-e89b-12d3-a456-426614174000")
			case "email":
				return value.String("a@b.test")
			case "uri":
				return value.String(d.pick("https://b.test/a", "/a"))
			case "date-time":
				return value.String(d.pick("2025-01-15T09:30:00Z", "2025-01-15T09:30:60Z"))
			}
		}
	}
	return value.String(d.pick("a", "ab", "abc", "aac", "ba", "b", "", "äb", "aab", "\U0001f600", "\U0001f600b"))
}

func (d *drawn) fitNumber(facts []value.Value) value.Value {
	text := d.pick("0", "1", "2", "3", "10", "100", "-1", "0.5", "6", "12", "9007199254740993")
	for _, f := range facts {
		for _, name := range []string{"minimum", "maximum", "multipleOf", "exclusiveMinimum", "exclusiveMaximum"} {
			if v, ok := f.Get(name); ok && v.Kind() == value.KindNumber && d.r.IntN(3) > 0 {
				text = v.Text()
			}
		}
	}
	if !strings.ContainsAny(text, ".eE") && d.r.IntN(3) == 0 {
		text += d.pick(".0", "e0", ".5", "0e-1", "E1", "0.00e-1")
	}
	v, err := value.Number(text)
	if err != nil {
		return value.Int(1)
	}
	return v
}

func (d *drawn) fitArray(root value.Value, facts []value.Value, depth int) value.Value {
	low, high := 0, 3
	var first []value.Value
	rest := value.Bool(true)
	var wanted []value.Value
	for _, f := range facts {
		if n, ok := f.Get("minItems"); ok {
			low = max(low, small(n))
		}
		if n, ok := f.Get("maxItems"); ok {
			high = min(high, small(n))
		}
		if c, ok := f.Get("contains"); ok {
			wanted = append(wanted, c, c)
		}
		for _, name := range []string{"additionalItems", "unevaluatedItems", "items"} {
			if s, ok := f.Get(name); ok && s.Kind() != value.KindArray {
				rest = s
			}
		}
		for _, name := range []string{"prefixItems", "items"} {
			if s, ok := f.Get(name); ok && s.Kind() == value.KindArray {
				first = slices.Collect(func(yield func(value.Value) bool) {
					for _, item := range s.Items() {
						if !yield(item) {
							return
						}
					}
				})
			}
		}
	}
	var items []value.Value
	for i := range low + d.r.IntN(max(high-low, 0)+1) {
		switch {
		case i < len(first):
			items = append(items, d.fit(root, first[i], depth+1))
		case len(wanted) > 0 && d.r.IntN(2) == 0:
			items = append(items, d.fit(root, wanted[0], depth+1))
		default:
			items = append(items, d.fit(root, rest, depth+1))
		}
	}
	return value.Array(items...)
}

func small(v value.Value) int {
	n, _ := v.Decimal().Int64()
	return int(min(n, 4))
}

func (d *drawn) fitObject(root value.Value, facts []value.Value, depth int) value.Value {
	names := map[string]bool{}
	subs := map[string]value.Value{}
	rest := value.Bool(true)
	for _, f := range facts {
		if list, ok := f.Get("required"); ok {
			for _, name := range list.Items() {
				names[name.Text()] = true
			}
		}
		properties, _ := f.Get("properties")
		for name, s := range properties.Members() {
			subs[name] = s
			names[name] = names[name] || d.r.IntN(3) > 0
		}
		patterns, _ := f.Get("patternProperties")
		for pattern, s := range patterns.Members() {
			name := map[string]string{"^a": "ad", "c|d": "c"}[pattern]
			subs[name] = s
			names[name] = names[name] || d.r.IntN(2) == 0
		}
		for _, name := range []string{"additionalProperties", "unevaluatedProperties"} {
			if s, ok := f.Get(name); ok {
				rest = s
			}
		}
	}
	if rest.Truth() || rest.Kind() == value.KindObject {
		names[d.pick("b", "c", "e", "ad")] = d.r.IntN(2) == 0
	}
	var members []value.Member
	for _, name := range []string{"a", "b", "c", "ad", "e"} {
		if !names[name] {
			continue
		}
		s, ok := subs[name]
		if !ok {
			s = rest
		}
		members = append(members, value.Member{Name: name, Value: d.fit(root, s, depth+1)})
	}
	return value.Object(members...)
}

// respelled writes a value's numbers in other ways and its members in another order: it stays the same value.
func (d *drawn) respelled(v value.Value) value.Value {
	switch v.Kind() {
	case value.KindNumber:
		text := v.Text()
		if !strings.ContainsAny(text, ".eE") {
			text += d.pick("", ".0", "e0", ".00E0", "0e-1")
		} else if i := strings.IndexAny(text, "eE"); i < 0 {
			text += d.pick("0", "e0", "000")
		} else if n, err := strconv.Atoi(text[i+1:]); err == nil {
			text = text[:i] + "E" + strconv.Itoa(n)
		}
		if n, err := value.Number(text); err == nil {
			return n
		}
		return v
	case value.KindArray, value.KindObject:
		for i := range v.Len() {
			v = v.WithAt(i, d.respelled(v.At(i)))
		}
		if v.Kind() == value.KindObject && v.Len() > 1 && d.r.IntN(2) == 0 {
			name := v.NameAt(0)
			item := v.At(0)
			v = v.Without(name).With(name, item)
		}
		return v
	default:
		return v
	}
}
