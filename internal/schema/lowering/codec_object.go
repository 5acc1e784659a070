package lowering

import (
	"github.com/promptd/promptd/internal/value"
)

// Rule R1: a provider that demands every property gets an optional one as required, or null; raising makes null absent. Where what is sent accepts null
// by itself, absence and null must stay apart, so the value travels in a wrapper: null, or {"value": …}.

// travel is how a property goes to the provider and back.
type travel uint8

const (
	unwrapped travel = iota
	nullable         // null stands for absence
	wrapped          // null stands for absence, {"value": v} for v
)

// wrapperName is the one member of a wrapper.
const wrapperName = "value"

// objectNode is the codec of objects with listed properties.
type objectNode struct {
	members []prop
	bySent  map[string]int // nil where there are few
	byName  map[string]int
	narrows bool   // members that nobody speaks of cannot be given
	further string // the member that holds the others as pairs
	value   *low   // of those pairs
	rest    *low   // the others where they are sent as they are
	// patterns have the members that they name, where those are sent as they are.
	patterns []patterned
}

const fewMembers = 8

// finish takes the members when it is decided how they travel.
func (n *objectNode) finish(props []prop) {
	n.members = props
	if n.further != "" {
		last := len(props) - 1
		n.members = props[:last]
	}
	if len(n.members) <= fewMembers {
		return
	}
	n.bySent, n.byName = make(map[string]int, len(n.members)), make(map[string]int, len(n.members))
	for i, m := range n.members {
		n.bySent[m.sent], n.byName[m.name] = i, i
	}
}

// place gives a member's place among the listed ones, -1 where it is not listed.
func (n *objectNode) place(d direction, name string) int {
	if n.bySent != nil {
		names := n.bySent
		if d == toProvider {
			names = n.byName
		}
		if i, ok := names[name]; ok {
			return i
		}
		return -1
	}
	for i := range n.members {
		if d == toProvider && n.members[i].name == name || d != toProvider && n.members[i].sent == name {
			return i
		}
	}
	return -1
}

// translate walks the members in the caller's order (rule R15): the listed ones first, then the others in the order of the value. Every member is
// translated once: twice would be exponential in the depth of an answer.
func (n *objectNode) translate(d direction, v value.Value, open bool) (value.Value, fate, error) {
	if v.Kind() != value.KindObject {
		return v, same, nil
	}
	var few [2 * fewMembers]int
	found := few[:]
	if len(n.members) > len(found) {
		found = make([]int, len(n.members))
	}
	others := 0
	for i := range v.Len() {
		if p := n.place(d, v.NameAt(i)); p >= 0 {
			found[p] = i + 1
		} else if d == toProvider || n.further == "" || v.NameAt(i) != n.further {
			others++
		}
	}
	b := builder{from: v}
	for p := range n.members {
		m := &n.members[p]
		if found[p] == 0 {
			if d == toProvider && m.travel != unwrapped {
				b.put(-1, m.sent, value.Null(), true)
			}
			continue
		}
		item, made, err := m.translate(d, v.At(found[p]-1), open && found[p] == v.Len())
		if err != nil {
			return value.Value{}, same, within(err, value.AppendPointer("", v.NameAt(found[p]-1)))
		}
		name := m.sent
		if d != toProvider {
			name = m.name
		}
		if made != absent {
			b.put(found[p]-1, name, item, made == changed || m.name != m.sent)
		}
	}
	if err := n.others(&b, d, v, open, others); err != nil {
		return value.Value{}, same, err
	}
	out, made := b.done()
	return out, made, nil
}

// others translates the members that are not listed.
func (n *objectNode) others(b *builder, d direction, v value.Value, open bool, count int) error {
	if n.further != "" && d == toProvider {
		var pairs []value.Value
		for name, item := range v.Members() {
			if n.place(d, name) >= 0 {
				continue
			}
			if _, named := n.other(d, name); n.narrows && !named {
				return unnamed(name)
			}
			out, _, err := translate(n.value.node, d, item, false)
			if err != nil {
				return within(err, value.AppendPointer("", name))
			}
			pairs = append(pairs, pair(name, out))
		}
		b.put(-1, n.further, value.Array(pairs...), true)
		return nil
	}
	if count > 0 {
		for i := range v.Len() {
			name := v.NameAt(i)
			if n.place(d, name) >= 0 || n.further != "" && name == n.further {
				continue
			}
			if d != toProvider && n.place(toProvider, name) >= 0 && b.has(name) {
				return &Error{Pointer: value.AppendPointer("", name), Message: "the member " + quoted(name) + " is given twice"}
			}
			codec, named := n.other(d, name)
			if d == toProvider && n.narrows && !named {
				return unnamed(name)
			}
			item, made, err := translate(codec, d, v.At(i), open && i == v.Len()-1)
			if err != nil {
				return within(err, value.AppendPointer("", name))
			}
			if made != absent {
				b.put(i, name, item, made == changed)
			}
		}
	}
	if n.further == "" {
		return nil
	}
	return n.spread(b, d, v, open)
}

func unnamed(name string) error {
	return &Error{Pointer: value.AppendPointer("", name), Message: "a member that no subschema names cannot be given", Narrowed: "additionalProperties"}
}

// other gives the codec of a member that is not listed and is sent as it is; named tells that a pattern names it.
func (n *objectNode) other(d direction, name string) (codec node, named bool) {
	if d == toProvider { // Nothing in them is to be raised, but they may refuse.
		for _, p := range n.patterns {
			if p.names(name) {
				return lowNode(p.low), true
			}
		}
	}
	return lowNode(n.rest), false
}

// spread puts the pairs of further members back.
func (n *objectNode) spread(b *builder, d direction, v value.Value, open bool) error {
	for i := range v.Len() {
		if v.NameAt(i) != n.further {
			continue
		}
		b.begin()
		pairs, ok, err := unpair(n.value.node, d, v.At(i), open && i == v.Len()-1)
		if err != nil {
			return within(err, value.AppendPointer("", n.further))
		}
		if !ok {
			return &Error{Pointer: value.AppendPointer("", n.further), Message: "the further members are no list of a " + pairKey + " and a " + pairValue + " each"}
		}
		for j, m := range pairs {
			if b.has(m.Name) || n.place(toProvider, m.Name) >= 0 {
				return &Error{Pointer: value.AppendPointer("", n.further) + value.AppendIndex("", j), Message: "the member " + quoted(m.Name) + " is given twice"}
			}
			b.put(-1, m.Name, m.Value, true)
		}
		return nil
	}
	return nil
}

// builder makes an object out of another's members. As long as it is the same as that one nothing is copied.
type builder struct {
	from  value.Value
	out   []value.Member
	n     int
	names map[string]bool
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
	if b.names != nil {
		b.names[name] = true
	}
}

// has reports whether a member was put.
func (b *builder) has(name string) bool {
	if b.names == nil {
		b.names = make(map[string]bool, len(b.out))
		for _, m := range b.out {
			b.names[m.Name] = true
		}
	}
	return b.names[name]
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

func (b *builder) done() (value.Value, fate) {
	if b.out == nil && b.n == b.from.Len() {
		return b.from, same
	}
	b.begin()
	return value.Object(b.out...), changed
}

// translate gives the member's value; it is absent where null stands for absence.
func (m *prop) translate(d direction, v value.Value, open bool) (value.Value, fate, error) {
	if d == toProvider && m.meant != nil && !m.meant(v) {
		return v, same, &Error{Message: "a member that only a condition names cannot be given otherwise than the condition has it", Narrowed: "properties"}
	}
	switch {
	case m.travel == unwrapped:
	case d == toProvider && m.travel == wrapped:
		out, _, err := translate(m.low.node, d, v, false)
		return value.Object(value.Member{Name: wrapperName, Value: out}), changed, err
	case d == toProvider:
	case v.IsNull():
		return value.Value{}, absent, nil
	case m.travel == wrapped:
		inner, ok := v.Get(wrapperName)
		if !ok && d == toCallerPart {
			return value.Value{}, absent, nil
		}
		if !ok {
			break // In the caller's shape.
		}
		if v.Len() != 1 {
			return v, same, &Error{Message: "an object that holds a " + wrapperName + " has other members"}
		}
		out, made, err := translate(m.low.node, d, inner, open)
		if err != nil {
			return v, same, within(err, "/"+wrapperName)
		}
		return out, max(made, changed), nil
	}
	return translate(m.low.node, d, v, open)
}
