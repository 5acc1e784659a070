package lowering

import (
	"strconv"

	"github.com/promptd/promptd/internal/value"
)

// Rules R2 and R3: dictionaries travel as arrays of pairs, tuples as objects of positions, any value as a tree of both.

func quoted(name string) string {
	const longest = 60
	return strconv.Quote(name[:min(len(name), longest)])
}

func pair(name string, v value.Value) value.Value {
	return value.Object(value.Member{Name: pairKey, Value: value.String(name)}, value.Member{Name: pairValue, Value: v})
}

// unpair reads pairs; ok is false where the value is something else.
func unpair(n node, d direction, v value.Value, open bool) (members []value.Member, ok bool, err error) {
	if v.Kind() != value.KindArray {
		return nil, false, nil
	}
	for i, item := range v.Items() {
		last := open && i == v.Len()-1
		key, hasKey := item.Get(pairKey)
		inner, hasValue := item.Get(pairValue)
		if last && d == toCallerPart && (!hasKey || !hasValue) {
			break
		}
		if !hasKey || !hasValue || item.Len() != 2 || key.Kind() != value.KindString {
			return nil, false, nil
		}
		out, made, err := translate(n, d, inner, last)
		if err != nil {
			return nil, false, within(err, value.AppendIndex("", i)+"/"+pairValue)
		}
		if made != absent {
			members = append(members, value.Member{Name: key.Text(), Value: out})
		}
	}
	return members, true, nil
}

// joined makes an object of pairs; a name that comes twice is an error, not a silent win.
func joined(members []value.Member, at string) (value.Value, error) {
	seen := make(map[string]bool, len(members))
	for i, m := range members {
		if seen[m.Name] {
			return value.Value{}, &Error{Pointer: at + value.AppendIndex("", i), Message: "the member " + quoted(m.Name) + " is given twice"}
		}
		seen[m.Name] = true
	}
	return value.Object(members...), nil
}

// pairsNode is the codec of a dictionary.
type pairsNode struct{ value *low }

func (n *pairsNode) translate(d direction, v value.Value, open bool) (value.Value, fate, error) {
	if d != toProvider {
		members, ok, err := unpair(n.value.node, d, v, open)
		if err != nil {
			return v, same, err
		}
		if !ok && v.Kind() == value.KindArray {
			return v, same, &Error{Message: "the members of an object are no list of a " + pairKey + " and a " + pairValue + " each"}
		}
		if !ok { // In the caller's shape.
			return v, same, nil
		}
		out, err := joined(members, "")
		return out, changed, err
	}
	if v.Kind() != value.KindObject {
		return v, same, nil
	}
	items := make([]value.Value, 0, v.Len())
	for name, item := range v.Members() {
		out, _, err := translate(n.value.node, d, item, false)
		if err != nil {
			return v, same, within(err, value.AppendPointer("", name))
		}
		items = append(items, pair(name, out))
	}
	return value.Array(items...), changed, nil
}

// tupleNode is the codec of a tuple: its items are the members of an object by their position.
type tupleNode struct {
	props []prop
	rest  *low
}

// fixed gives the count of items with a type of their own.
func (n *tupleNode) fixed() int {
	if n.rest != nil {
		return len(n.props) - 1
	}
	return len(n.props)
}

func (n *tupleNode) translate(d direction, v value.Value, open bool) (value.Value, fate, error) {
	if d == toProvider {
		return n.lower(v)
	}
	if v.Kind() != value.KindObject {
		return v, same, nil
	}
	var items []value.Value
	waits := d == toCallerPart && open // for positions that come later than others behind them
	taken, whole := 0, true
	for i := range n.fixed() {
		m := &n.props[i]
		old, ok := v.Get(m.sent)
		if ok {
			taken++
		}
		if !ok || !whole {
			if ok && !waits && !(m.travel != unwrapped && old.IsNull()) {
				return v, same, &Error{Pointer: "/" + m.sent, Message: "an item is given here, and one before it is missing"}
			}
			whole = false
			continue
		}
		out, made, err := m.translate(d, old, open && v.NameAt(v.Len()-1) == m.sent)
		if err != nil {
			return v, same, within(err, "/"+m.sent)
		}
		if made == absent {
			whole = false
			continue
		}
		items = append(items, out)
	}
	if n.rest != nil {
		if rest, ok := v.Get(restName); ok {
			taken++
			if whole && rest.Kind() == value.KindArray {
				out, _, err := translate(n.rest.node, d, rest, open)
				if err != nil {
					return v, same, within(err, "/"+restName)
				}
				items = append(items, itemsOf(out)...)
			} else if !waits && !rest.IsNull() && rest.Len() > 0 {
				return v, same, &Error{Pointer: "/" + restName, Message: "items are given here, and one before them is missing"}
			}
		}
	}
	if taken != v.Len() {
		return v, same, &Error{Message: "an object that holds the items of an array by their places has other members"}
	}
	return value.Array(items...), changed, nil
}

func (n *tupleNode) lower(v value.Value) (value.Value, fate, error) {
	if v.Kind() != value.KindArray {
		return v, same, nil
	}
	var members []value.Member
	for i := range n.fixed() {
		m := &n.props[i]
		if i >= v.Len() {
			if m.travel != unwrapped {
				members = append(members, value.Member{Name: m.sent, Value: value.Null()})
			}
			continue
		}
		out, _, err := m.translate(toProvider, v.At(i), false)
		if err != nil {
			return v, same, within(err, value.AppendIndex("", i))
		}
		members = append(members, value.Member{Name: m.sent, Value: out})
	}
	fixed := n.fixed()
	if n.rest == nil {
		if v.Len() > fixed {
			return v, same, &Error{Pointer: value.AppendIndex("", fixed), Message: "an item that no subschema speaks of cannot be given", Narrowed: "items"}
		}
		return value.Object(members...), changed, nil
	}
	rest := []value.Value{}
	for i := fixed; i < v.Len(); i++ {
		out, _, err := translate(n.rest.items.node, toProvider, v.At(i), false)
		if err != nil {
			return v, same, within(err, value.AppendIndex("", i))
		}
		rest = append(rest, out)
	}
	members = append(members, value.Member{Name: restName, Value: value.Array(rest...)})
	return value.Object(members...), changed, nil
}

// treeNode is the codec of any value where objects travel as their members.
type treeNode struct{}

func (n *treeNode) translate(d direction, v value.Value, open bool) (value.Value, fate, error) {
	switch v.Kind() {
	case value.KindArray:
		return (&listNode{item: &low{node: n}}).translate(d, v, open)
	case value.KindObject:
		if d == toProvider {
			out, _, err := (&pairsNode{&low{node: n}}).translate(d, v, false)
			return value.Object(value.Member{Name: treeMembers, Value: out}), changed, err
		}
		inner, ok := v.Get(treeMembers)
		if !ok && d == toCallerPart {
			return v, absent, nil
		}
		if !ok { // In the caller's shape.
			return v, same, nil
		}
		members, ok, err := unpair(n, d, inner, open)
		if err != nil {
			return v, same, within(err, "/"+treeMembers)
		}
		if !ok || v.Len() != 1 {
			return v, same, &Error{Message: "an object is not given as its " + treeMembers + " alone, a list of a " + pairKey + " and a " + pairValue + " each"}
		}
		out, err := joined(members, "/"+treeMembers)
		return out, changed, err
	default:
		return v, same, nil
	}
}
