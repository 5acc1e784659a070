package lowering

import (
	"slices"

	"github.com/promptd/promptd/internal/value"
)

// object lowers an object: closed, with every property required (rule R1).
func (c *closer) object(s value.Value, at string) (piece, error) {
	props, hasProps := s.Get("properties")
	if err := c.closable(s, at, hasProps); err != nil {
		return piece{}, err
	}
	required := requiredNames(s)
	own, left := c.assertions(s, at, []string{"object"})
	if len(own) > 0 {
		return piece{}, c.misfit(at, "the keyword "+own[0].Name) // no closed subset has these
	}
	var (
		lowered []value.Member
		codecs  []member
		parts   []shapeMember
	)
	for name, sub := range props.Members() {
		needed := slices.Contains(required, name)
		if sub.Kind() == value.KindBool && !sub.Truth() && !needed {
			continue // rule R18: nothing satisfies it, so it is never there
		}
		p, err := c.inside(func() (piece, error) { return c.place(sub, value.AppendPointer(at+"/properties", name)) })
		if err != nil {
			return piece{}, err
		}
		m := member{name: name, node: p.node}
		schema := p.schema
		if !needed {
			if m.travel = nullable; c.acceptsNull(sub, nil, 0) {
				m.travel, schema = wrapped, wrapSchema(schema)
			} else {
				schema = nullableSchema(schema)
			}
		}
		lowered = append(lowered, value.Member{Name: name, Value: schema})
		codecs = append(codecs, m)
		parts = append(parts, shapeMember{name: name, required: needed, shape: p.shape})
	}
	for _, name := range required {
		if _, ok := props.Get(name); !ok {
			return piece{}, c.misfit(at, "a required member that is not among the properties")
		}
	}
	return piece{
		schema: closedObject(lowered, describe(s, left)), node: newObject(codecs),
		shape: &shape{kinds: kindsOf("object"), members: parts},
	}, nil
}

// closable reports whether closing an object loses nothing that its schema speaks of. An object that is silent about further members is narrowed.
func (c *closer) closable(s value.Value, at string, hasProps bool) error {
	for name, item := range s.Members() {
		switch name {
		case "patternProperties", "dependentSchemas", "dependencies":
			if item.Len() > 0 {
				return c.misfit(at, "the keyword "+name)
			}
		case "dependentRequired":
			if err := c.dependent(s, item, at); err != nil {
				return err
			}
		case "additionalProperties", "unevaluatedProperties":
			if item.Kind() != value.KindBool || item.Truth() {
				return c.misfit(at, "an open object")
			}
		}
	}
	if _, closed := s.Get("additionalProperties"); closed {
		return nil
	}
	if _, closed := s.Get("unevaluatedProperties"); closed {
		return nil
	}
	if !hasProps {
		return c.misfit(at, "an object without properties")
	}
	c.narrowed = append(c.narrowed, at)
	return nil
}

// dependent refuses conditions on members that a closed object could not have.
func (c *closer) dependent(s, item value.Value, at string) error {
	props, _ := s.Get("properties")
	for _, names := range item.Members() {
		for _, n := range names.Items() {
			if _, ok := props.Get(n.Text()); !ok {
				return c.misfit(at, "dependentRequired of a member that is not among the properties")
			}
		}
	}
	return nil
}

func requiredNames(s value.Value) []string {
	list, _ := s.Get("required")
	names := make([]string, 0, list.Len())
	for _, n := range list.Items() {
		names = append(names, n.Text())
	}
	return names
}

// acceptsNull reports whether a schema, of those that place takes, accepts null. Where it is unsure it says yes: the wrapper is right for both.
// within are the references that are being followed: one that comes again adds nothing.
func (c *closer) acceptsNull(s value.Value, within map[string]bool, depth int) bool {
	if depth > 200 || s.Kind() != value.KindObject {
		return true
	}
	if ref, ok := s.Get("$ref"); ok {
		return c.targetAcceptsNull(ref.Text(), within, depth)
	}
	if one, ok := s.Get("const"); ok && !one.IsNull() {
		return false
	}
	if list, ok := s.Get("enum"); ok && !slices.ContainsFunc(itemsOf(list), value.Value.IsNull) {
		return false
	}
	if kinds, ok := typesOf(s); ok {
		return slices.Contains(kinds, "null")
	}
	if all, ok := s.Get("allOf"); ok && all.Len() == 1 {
		return c.acceptsNull(all.At(0), within, depth+1)
	}
	for _, name := range [...]string{"anyOf", "oneOf"} {
		if branches, ok := s.Get(name); ok {
			return slices.ContainsFunc(itemsOf(branches), func(b value.Value) bool {
				return b.Kind() == value.KindObject && c.acceptsNull(b, within, depth+1)
			})
		}
	}
	return true
}

func (c *closer) targetAcceptsNull(ref string, within map[string]bool, depth int) bool {
	at, ok := localPointer(c.root, ref)
	if !ok {
		return true
	}
	if known, ok := c.nulls[at]; ok {
		return known
	}
	if within[at] {
		return false
	}
	target, ok := c.root.Lookup(at)
	if !ok {
		return true
	}
	outermost := within == nil
	if outermost {
		within = map[string]bool{}
	}
	within[at] = true
	accepts := c.acceptsNull(target, within, depth+1)
	if accepts || outermost {
		c.nulls[at] = accepts // Within another one, "no" may only mean that the other one is not decided yet.
	}
	return accepts
}

// array lowers an array with one kind of item.
func (c *closer) array(s value.Value, at string) (piece, error) {
	for name, item := range s.Members() {
		if name == "prefixItems" && item.Len() > 0 {
			return piece{}, c.misfit(at, "a tuple")
		}
	}
	items, ok := s.Get("items")
	if !ok || items.Kind() != value.KindObject {
		return piece{}, c.misfit(at, "an array without one kind of item")
	}
	p, err := c.inside(func() (piece, error) { return c.place(items, at+"/items") })
	if err != nil {
		return piece{}, err
	}
	own, left := c.assertions(s, at, []string{"array"})
	members := append([]value.Member{{Name: "type", Value: value.String("array")}}, own...)
	members = append(members, value.Member{Name: "items", Value: p.schema})
	out := piece{
		schema: withDescription(value.Object(members...), describe(s, left)),
		shape:  &shape{kinds: kindsOf("array")},
	}
	if p.node != nil {
		out.node = &list{item: p.node}
	}
	return out, nil
}
