package lowering

import (
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// byType lowers a schema without references and logic by what its type says.
func (c *closer) byType(s value.Value, at string) (piece, error) {
	if _, ok := s.Get("enum"); ok {
		return c.listed(s, at)
	}
	if _, ok := s.Get("const"); ok {
		return c.listed(s, at)
	}
	kinds, ok := typesOf(s)
	if !ok {
		return piece{}, c.misfit(at, "a schema without a type")
	}
	if len(kinds) == 1 {
		return c.ofType(s, at, kinds)
	}
	var complex, simple []string
	for _, k := range kinds {
		if k == "object" || k == "array" {
			complex = append(complex, k)
		} else {
			simple = append(simple, k)
		}
	}
	if len(complex) == 0 {
		return c.ofType(s, at, simple)
	}
	// Objects and arrays stand in an alternative each: their keywords belong to them alone.
	u := &union{}
	var schemas []value.Value
	bare := s.Without("description").Without("default")
	add := func(kinds []string) error {
		p, err := c.ofType(bare, at, kinds)
		if err == nil {
			schemas = append(schemas, p.schema)
			u.shapes, u.nodes = append(u.shapes, p.shape), append(u.nodes, p.node)
		}
		return err
	}
	for _, k := range complex {
		if err := add([]string{k}); err != nil {
			return piece{}, err
		}
	}
	if len(simple) > 0 {
		if err := add(simple); err != nil {
			return piece{}, err
		}
	}
	c.unions = append(c.unions, u)
	schema := withDescription(value.Object(value.Member{Name: "anyOf", Value: value.Array(schemas...)}), describe(s, nil))
	return piece{schema: schema, node: u, shape: &shape{anyOf: u.shapes}}, nil
}

// typesOf reads the keyword type.
func typesOf(s value.Value) (kinds []string, ok bool) {
	t, ok := s.Get("type")
	if !ok {
		return nil, false
	}
	if t.Kind() == value.KindString {
		return []string{t.Text()}, kindsOf(t.Text()) != 0
	}
	for _, item := range t.Items() {
		if kindsOf(item.Text()) == 0 {
			return nil, false
		}
		if !slices.Contains(kinds, item.Text()) {
			kinds = append(kinds, item.Text())
		}
	}
	return kinds, len(kinds) > 0
}

// ofType lowers for one type, or for several of scalars.
func (c *closer) ofType(s value.Value, at string, kinds []string) (piece, error) {
	switch kinds[0] {
	case "object":
		return c.object(s, at)
	case "array":
		return c.array(s, at)
	}
	own, left := c.assertions(s, at, kinds)
	members := []value.Member{{Name: "type", Value: typeValue(kinds)}}
	schema := withDescription(value.Object(append(members, own...)...), describe(s, left))
	return piece{schema: schema, shape: &shape{kinds: kindsOf(kinds...)}}, nil
}

func typeValue(kinds []string) value.Value {
	if len(kinds) == 1 {
		return value.String(kinds[0])
	}
	items := make([]value.Value, len(kinds))
	for i, k := range kinds {
		items[i] = value.String(k)
	}
	return value.Array(items...)
}

// assertions splits the assertions that matter for the types into those that the subset has and the residue (rules R12 and R17).
func (c *closer) assertions(s value.Value, at string, kinds []string) (own []value.Member, left []Residue) {
	for name, item := range s.Members() {
		r := roleOf(name)
		if r == general || r == listing && name != "contains" && name != "unevaluatedItems" || r == properties || r == logical || name == "required" ||
			!slices.ContainsFunc(kinds, r.appliesTo) {
			continue
		}
		if m, ok := c.subset.assertion(s, name, item); ok {
			own = append(own, m)
		} else if !idle(name, item) && !replaced(s, name, item) {
			left = append(left, Residue{Pointer: at, Keyword: name, Value: item})
		}
	}
	c.residue = append(c.residue, left...)
	return own, left
}

// assertion gives a keyword as the subset takes it; ok is false where it does not.
func (f *subset) assertion(s value.Value, name string, item value.Value) (value.Member, bool) {
	if !slices.Contains(f.keywords, name) {
		return value.Member{}, false
	}
	m := value.Member{Name: name, Value: item}
	switch name {
	case "format":
		return m, slices.Contains(f.formats, item.Text())
	case "pattern":
		return m, plainPattern(item.Text())
	case "minimum", "maximum": // draft 4: a boolean beside makes the bound exclusive (rule R20)
		exclusive := "exclusiveM" + name[1:]
		if flag, ok := s.Get(exclusive); ok && flag.Kind() == value.KindBool && flag.Truth() {
			return value.Member{Name: exclusive, Value: item}, item.Kind() == value.KindNumber
		}
	}
	return m, item.Kind() == value.KindNumber
}

// replaced reports whether a keyword is the boolean of draft 4, which assertion writes in today's form.
func replaced(s value.Value, name string, item value.Value) bool {
	return strings.HasPrefix(name, "exclusive") && item.Kind() == value.KindBool
}

// idle reports whether an assertion asserts nothing.
func idle(name string, item value.Value) bool {
	switch name {
	case "uniqueItems":
		return !item.Truth()
	case "minLength", "minItems", "minProperties":
		return item.Decimal().IsZero()
	case "propertyNames", "unevaluatedItems":
		return item.Kind() == value.KindBool && item.Truth() || item.Kind() == value.KindObject && item.Len() == 0
	default:
		return false
	}
}

// plainPattern reports whether a pattern is one that every engine reads alike: no look-around, no references back, no word boundaries, anchors at
// the ends alone.
func plainPattern(pattern string) bool {
	re, err := syntax.Parse(pattern, syntax.Perl&^syntax.UnicodeGroups)
	return err == nil && plainTree(re, true, true)
}

func plainTree(re *syntax.Regexp, first, last bool) bool {
	switch re.Op {
	case syntax.OpWordBoundary, syntax.OpNoWordBoundary, syntax.OpBeginLine, syntax.OpEndLine:
		return false
	case syntax.OpBeginText:
		return first
	case syntax.OpEndText:
		return last
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		return re.Flags&syntax.NonGreedy == 0 && plainTree(re.Sub[0], false, false)
	case syntax.OpConcat:
		for i, sub := range re.Sub {
			if !plainTree(sub, first && i == 0, last && i == len(re.Sub)-1) {
				return false
			}
		}
		return true
	}
	for _, sub := range re.Sub {
		if !plainTree(sub, first, last) {
			return false
		}
	}
	return true
}

// listed lowers enum and const: the values that the type allows.
func (c *closer) listed(s value.Value, at string) (piece, error) {
	var values []value.Value
	if one, ok := s.Get("const"); ok {
		values = []value.Value{one}
	} else {
		all, _ := s.Get("enum")
		for _, v := range all.Items() {
			values = append(values, v)
		}
	}
	types, hasTypes := typesOf(s)
	var kept []value.Value
	for _, v := range values {
		if k := v.Kind(); k == value.KindObject || k == value.KindArray {
			return piece{}, c.misfit(at, "an enum of objects or arrays")
		}
		if !hasTypes || slices.ContainsFunc(types, func(t string) bool { return isOfType(v, t) }) {
			kept = append(kept, v)
		}
	}
	if _, both := s.Get("enum"); both && len(values) == 1 && len(kept) == 1 {
		if all, _ := s.Get("enum"); !slices.ContainsFunc(itemsOf(all), func(v value.Value) bool { return value.Equal(v, kept[0]) }) {
			kept = nil
		}
	}
	if len(kept) == 0 {
		return piece{}, c.misfit(at, "an enum that nothing satisfies")
	}
	var left []Residue
	for name, item := range s.Members() {
		if r := roleOf(name); r == numeric || r == textual {
			left = append(left, Residue{Pointer: at, Keyword: name, Value: item})
		}
	}
	c.residue = append(c.residue, left...)
	return listedPiece(kept, describe(s, left)), nil
}

func itemsOf(array value.Value) []value.Value {
	items := make([]value.Value, 0, array.Len())
	for _, v := range array.Items() {
		items = append(items, v)
	}
	return items
}

// listedPiece writes the values as one enum, with a type where they share it.
func listedPiece(values []value.Value, description string) piece {
	var kinds []string
	for _, v := range values {
		k := v.Kind().String()
		if v.Kind() == value.KindNumber && v.Decimal().IsInteger() {
			k = "integer"
		}
		if !slices.Contains(kinds, k) {
			kinds = append(kinds, k)
		}
	}
	if slices.Contains(kinds, "number") {
		kinds = slices.DeleteFunc(kinds, func(k string) bool { return k == "integer" })
	}
	var members []value.Member
	if len(kinds) == 1 {
		members = append(members, value.Member{Name: "type", Value: value.String(kinds[0])})
	}
	members = append(members, value.Member{Name: "enum", Value: value.Array(values...)})
	return piece{
		schema: withDescription(value.Object(members...), description),
		shape:  &shape{kinds: kindsOf(kinds...), values: values},
	}
}

// isOfType reports whether a value is of a type by its name.
func isOfType(v value.Value, name string) bool {
	if name == "integer" {
		return v.Kind() == value.KindNumber && v.Decimal().IsInteger()
	}
	return v.Kind().String() == name
}
