package lowering

import "github.com/promptd/promptd/internal/value"

// Rule R1: a provider that demands every property gets an optional one as required, or null; raising makes null absent. Where the property itself
// accepts null, absence and null must stay apart, so the value travels in a wrapper: null, or {"value": …}.

// travel is how a property goes to the provider and back.
type travel uint8

const (
	unwrapped travel = iota
	nullable         // null stands for absence
	wrapped          // null stands for absence, {"value": v} for v
)

// wrapperName is the one member of a wrapper.
const wrapperName = "value"

// member is a property of an object's codec.
type member struct {
	name   string
	node   node
	travel travel
}

// object is the codec of objects with listed properties. Members that are not listed stay as they are, behind the listed ones.
type object struct {
	members []member
	places  map[string]int // by name; nil where there are few
}

const fewMembers = 8

func newObject(members []member) *object {
	o := &object{members: members}
	if len(members) > fewMembers {
		o.places = make(map[string]int, len(members))
		for i, m := range members {
			o.places[m.name] = i
		}
	}
	return o
}

// place gives a member's place among the listed ones, -1 where it is not listed.
func (o *object) place(name string) int {
	if o.places != nil {
		if i, ok := o.places[name]; ok {
			return i
		}
		return -1
	}
	for i := range o.members {
		if o.members[i].name == name {
			return i
		}
	}
	return -1
}

func (o *object) plain(seen map[node]bool) bool {
	for _, m := range o.members {
		if m.travel != unwrapped || !plain(m.node, seen) {
			return false
		}
	}
	return true
}

// translate walks the members in the caller's order (rule R15): the listed ones first, then the others in the order of the value. Every member is
// translated once: twice would be exponential in the depth of an answer.
func (o *object) translate(d direction, v value.Value) (value.Value, bool, error) {
	if v.Kind() != value.KindObject {
		return v, false, nil
	}
	var few [2 * fewMembers]int
	found := few[:]
	if len(o.members) > len(found) {
		found = make([]int, len(o.members))
	}
	others := false
	for i := range v.Len() {
		if p := o.place(v.NameAt(i)); p >= 0 {
			found[p] = i + 1
		} else {
			others = true
		}
	}
	b := builder{from: v}
	for p := range o.members {
		m := &o.members[p]
		if found[p] == 0 {
			if d == toProvider && m.travel != unwrapped {
				b.put(-1, m.name, value.Null(), true)
			}
			continue
		}
		item, present, changed, err := m.translate(d, v.At(found[p]-1))
		if err != nil {
			return value.Value{}, false, within(err, value.AppendPointer("", m.name))
		}
		if present {
			b.put(found[p]-1, m.name, item, changed)
		}
	}
	for i := 0; others && i < v.Len(); i++ {
		if name := v.NameAt(i); o.place(name) < 0 {
			b.put(i, name, v.At(i), false)
		}
	}
	out, changed := b.done()
	return out, changed, nil
}

// builder makes an object out of another's members. As long as it is the same as that one nothing is copied.
type builder struct {
	from value.Value
	out  []value.Member
	n    int
}

// put adds a member, which was the source's at that place.
func (b *builder) put(source int, name string, item value.Value, changed bool) {
	if b.out == nil && source == b.n && !changed {
		b.n++
		return
	}
	b.begin()
	b.out = append(b.out, value.Member{Name: name, Value: item})
	b.n++
}

// begin copies what was the same so far.
func (b *builder) begin() {
	if b.out != nil {
		return
	}
	b.out = make([]value.Member, b.n, max(b.from.Len(), b.n)+1)
	for i := range b.n {
		b.out[i] = value.Member{Name: b.from.NameAt(i), Value: b.from.At(i)}
	}
}

func (b *builder) done() (out value.Value, changed bool) {
	if b.out == nil && b.n == b.from.Len() {
		return b.from, false
	}
	b.begin()
	return value.Object(b.out...), true
}

// translate gives the member's value; present is false where it stands for absence.
func (m *member) translate(d direction, v value.Value) (out value.Value, present, changed bool, err error) {
	switch {
	case m.travel == unwrapped:
	case d == toProvider && m.travel == wrapped:
		out, _, err = translate(m.node, d, v)
		return value.Object(value.Member{Name: wrapperName, Value: out}), true, true, err
	case d == toProvider:
	case v.IsNull():
		return value.Value{}, false, true, nil
	case m.travel == wrapped:
		inner, ok := v.Get(wrapperName)
		if !ok || v.Len() != 1 {
			return v, true, false, nil // not what was asked for: left to judgement
		}
		out, _, err = translate(m.node, d, inner)
		return out, true, true, err
	}
	out, changed, err = translate(m.node, d, v)
	return out, true, changed, err
}

// wrapSchema is the lowered schema of a wrapped property.
func wrapSchema(s value.Value) value.Value {
	description, _ := s.Get("description")
	s = s.Without("description")
	wrapper := closedObject([]value.Member{{Name: wrapperName, Value: s}}, "")
	said := "null where absent, else an object with the value, which may be null."
	if text := description.Text(); text != "" {
		said = text + " (" + said + ")"
	}
	return value.Object(
		value.Member{Name: "description", Value: value.String(said)},
		value.Member{Name: "anyOf", Value: value.Array(typed("null"), wrapper)},
	)
}

// nullableSchema is the lowered schema of a property for which null stands for absence.
func nullableSchema(s value.Value) value.Value {
	kind, hasKind := s.Get("type")
	_, hasEnum := s.Get("enum")
	_, hasConst := s.Get("const")
	if hasKind && !hasEnum && !hasConst {
		switch {
		case kind.Kind() == value.KindArray:
			return s.With("type", appended(kind, value.String("null")))
		case kind.Text() != "object" && kind.Text() != "array":
			return s.With("type", value.Array(kind, value.String("null")))
		}
	}
	if branches, ok := s.Get("anyOf"); ok {
		return s.With("anyOf", appended(branches, typed("null")))
	}
	members := make([]value.Member, 0, 2)
	if description, ok := s.Get("description"); ok {
		members = append(members, value.Member{Name: "description", Value: description})
		s = s.Without("description")
	}
	members = append(members, value.Member{Name: "anyOf", Value: value.Array(s, typed("null"))})
	return value.Object(members...)
}

func typed(kind string) value.Value {
	return value.Object(value.Member{Name: "type", Value: value.String(kind)})
}

func appended(array value.Value, item value.Value) value.Value {
	items := make([]value.Value, 0, array.Len()+1)
	for _, old := range array.Items() {
		items = append(items, old)
	}
	return value.Array(append(items, item)...)
}

// closedObject is a lowered object: every property is required and there are no others.
func closedObject(properties []value.Member, description string) value.Value {
	names := make([]value.Value, len(properties))
	for i, p := range properties {
		names[i] = value.String(p.Name)
	}
	members := make([]value.Member, 0, 5)
	members = append(members, value.Member{Name: "type", Value: value.String("object")})
	if description != "" {
		members = append(members, value.Member{Name: "description", Value: value.String(description)})
	}
	return value.Object(append(members,
		value.Member{Name: "properties", Value: value.Object(properties...)},
		value.Member{Name: "required", Value: value.Array(names...)},
		value.Member{Name: "additionalProperties", Value: value.Bool(false)},
	)...)
}
