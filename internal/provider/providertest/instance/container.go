package instance

import (
	"regexp"
	"slices"
	"strconv"

	"github.com/promptd/promptd/internal/value"
)

// object makes an object: what is required, some of what may be there, and more only where a count demands it.
func (m *maker) object(all []value.Value, depth int) (value.Value, bool) {
	least, most := bound(all, "minProperties", 0, larger), bound(all, "maxProperties", 1<<20, smaller)
	required, known := requiredNames(all), propertyNames(all)
	wanted := slices.Clone(required)
	for _, name := range known {
		if !slices.Contains(wanted, name) && depth < deep && m.rng.Float64() < m.optional {
			wanted = append(wanted, name)
		}
	}
	if len(wanted) > most {
		wanted = wanted[:max(most, len(required))]
	}
	for _, name := range known {
		if len(wanted) >= least {
			break
		}
		if !slices.Contains(wanted, name) {
			wanted = append(wanted, name)
		}
	}
	for n := 0; len(wanted) < least && n < least+20; n++ {
		if name := m.newName(all, n); !slices.Contains(wanted, name) {
			wanted = append(wanted, name)
		}
	}
	wanted = m.dependent(all, wanted)
	var members []value.Member
	for _, name := range inOrder(wanted, known) {
		schemas := memberSchemas(all, name)
		v, ok := m.place(schemas, name, depth+1)
		if !ok {
			if slices.Contains(required, name) {
				return value.Null(), false
			}
			continue
		}
		members = append(members, value.Member{Name: name, Value: v})
	}
	return value.Object(members...), true
}

// inOrder sorts names as the schema lists them; those that it does not list come last, in their own order.
func inOrder(names, known []string) []string {
	var out []string
	for _, name := range known {
		if slices.Contains(names, name) {
			out = append(out, name)
		}
	}
	for _, name := range names {
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

func requiredNames(all []value.Value) []string {
	var names []string
	for _, s := range all {
		list, _ := s.Get("required")
		for _, item := range list.Items() {
			if item.Kind() == value.KindString && !slices.Contains(names, item.Text()) {
				names = append(names, item.Text())
			}
		}
	}
	return names
}

func propertyNames(all []value.Value) []string {
	var names []string
	for _, s := range all {
		properties, _ := s.Get("properties")
		if properties.Kind() != value.KindObject {
			continue
		}
		for name, schema := range properties.Members() {
			if schema.Kind() == value.KindBool && !schema.Truth() {
				continue
			}
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// dependent adds what the presence of the names demands.
func (m *maker) dependent(all []value.Value, names []string) []string {
	for i := 0; i < len(names); i++ { // The list grows while it is walked.
		for _, s := range all {
			for _, keyword := range [...]string{"dependentRequired", "dependencies"} {
				table, _ := s.Get(keyword)
				more, _ := table.Get(names[i])
				for _, item := range more.Items() {
					if item.Kind() == value.KindString && !slices.Contains(names, item.Text()) {
						names = append(names, item.Text())
					}
				}
			}
		}
	}
	return names
}

// newName makes up the name of a further member.
func (m *maker) newName(all []value.Value, n int) string {
	for _, s := range all {
		if table, _ := s.Get("patternProperties"); table.Kind() == value.KindObject && table.Len() > 0 {
			if name, ok := m.matching(table.NameAt(m.rng.IntN(table.Len())), 0, 40); ok {
				return name
			}
		}
		if names, ok := s.Get("propertyNames"); ok {
			if v, ok := m.place([]value.Value{names, value.Object(value.Member{Name: "type", Value: value.String("string")})}, "", mostDeep-2); ok {
				return v.Text()
			}
		}
	}
	return m.word() + "_" + strconv.Itoa(n)
}

// memberSchemas gives the schemas that apply to a member.
func memberSchemas(all []value.Value, name string) []value.Value {
	var list []value.Value
	for _, s := range all {
		named := false
		if properties, _ := s.Get("properties"); properties.Kind() == value.KindObject {
			if p, ok := properties.Get(name); ok {
				list, named = append(list, p), true
			}
		}
		if patterns, _ := s.Get("patternProperties"); patterns.Kind() == value.KindObject {
			for pattern, p := range patterns.Members() {
				if re, err := regexp.Compile(pattern); err == nil && re.MatchString(name) {
					list, named = append(list, p), true
				}
			}
		}
		if named {
			continue
		}
		if rest, ok := s.Get("additionalProperties"); ok {
			list = append(list, rest)
		} else if rest, ok := s.Get("unevaluatedProperties"); ok && rest.Kind() == value.KindObject {
			list = append(list, rest)
		}
	}
	return list
}

// array makes an array of few items.
func (m *maker) array(all []value.Value, depth int) (value.Value, bool) {
	least, most := bound(all, "minItems", 0, larger), bound(all, "maxItems", 1<<20, smaller)
	if least > most {
		return value.Null(), false
	}
	length := least
	if depth < deep {
		length = min(most, least+m.rng.IntN(3))
		if least == 0 && m.rng.IntN(4) > 0 {
			length = min(most, max(length, 1))
		}
	}
	unique := false
	for _, s := range all {
		u, _ := s.Get("uniqueItems")
		unique = unique || u.Truth()
		if contains, ok := s.Get("contains"); ok && contains.Kind() == value.KindObject {
			length = min(most, max(length, 1))
		}
	}
	items := make([]value.Value, 0, length)
	for i := range length {
		schemas := itemSchemas(all, i)
		for _, s := range all {
			if contains, ok := s.Get("contains"); ok && i < bound(all, "minContains", 1, larger) {
				schemas = append(schemas, contains)
			}
		}
		v, ok := m.item(schemas, items, unique, depth)
		if !ok {
			if i >= least {
				break
			}
			return value.Null(), false
		}
		items = append(items, v)
	}
	return value.Array(items...), true
}

// item makes one item, different from the others where that is demanded.
func (m *maker) item(schemas, before []value.Value, unique bool, depth int) (value.Value, bool) {
	for range 8 {
		v, ok := m.place(schemas, "", depth+1)
		if !ok {
			return value.Null(), false
		}
		if !unique || !slices.ContainsFunc(before, func(b value.Value) bool { return value.Equal(b, v) }) {
			return v, true
		}
	}
	return value.Null(), false
}

// itemSchemas gives the schemas that apply to an item, in the words of all drafts.
func itemSchemas(all []value.Value, i int) []value.Value {
	var list []value.Value
	for _, s := range all {
		prefix, hasPrefix := s.Get("prefixItems")
		items, hasItems := s.Get("items")
		if items.Kind() == value.KindArray {
			prefix, hasPrefix = items, true
			items, hasItems = s.Get("additionalItems")
		}
		switch {
		case hasPrefix && i < prefix.Len():
			list = append(list, prefix.At(i))
		case hasItems:
			list = append(list, items)
		}
	}
	return list
}
