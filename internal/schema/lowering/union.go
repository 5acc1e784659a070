package lowering

import (
	"slices"
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// unionNode is the codec of alternatives. Where an answer's shape tells which one it is, that one's codec applies; where it does not, the alternatives
// stand in objects of one member that name them.
type unionNode struct {
	low  *low
	flat bool // nothing is translated in any alternative
	sure bool // and nothing is refused
}

func (n *unionNode) translate(d direction, v value.Value, open bool) (value.Value, fate, error) {
	if d == toProvider {
		return n.lower(v)
	}
	l := n.low
	if l.tagged != nil {
		if v.Kind() != value.KindObject || v.Len() != 1 {
			if d == toCallerPart && v.Kind() == value.KindObject && v.Len() == 0 {
				return v, absent, nil
			}
			for _, tag := range l.tagged {
				if _, ok := v.Get(tag); ok {
					return v, same, &Error{Message: "an object that names an alternative has other members"}
				}
			}
			return v, same, nil // In the caller's shape.
		}
		for i, tag := range l.tagged {
			if v.NameAt(0) != tag {
				continue
			}
			out, made, err := translate(l.alts[i].node, d, v.At(0), open)
			if err != nil {
				return v, same, within(err, value.AppendPointer("", tag))
			}
			return out, max(made, changed), nil
		}
		return v, same, nil
	}
	if n.flat {
		return v, same, nil
	}
	if d == toCallerPart && open && v.Len() >= 0 && (v.Kind() == value.KindObject || v.Kind() == value.KindArray) {
		return n.part(v)
	}
	for _, a := range l.alts {
		if a.shaped().fits(v) {
			return translate(a.node, d, v, open)
		}
	}
	return n.nearest(d, v, open)
}

// nearest raises a value that no alternative has the shape of by the only one of its kind: something in it is wrong, and the rest of it has the
// provider's shape all the same. Left as it is that shape could pass for a value, so where several are of its kind it is an error. A kind that none has is the
// caller's shape.
func (n *unionNode) nearest(d direction, v value.Value, open bool) (value.Value, fate, error) {
	var only *low
	for _, a := range n.low.alts {
		if a.shaped().allKinds().has(v.Kind()) {
			if only != nil {
				return v, same, &Error{Message: "the value has the form of none of the alternatives"}
			}
			only = a
		}
	}
	if only == nil {
		return v, same, nil
	}
	return translate(only.node, d, v, open)
}

// part raises the beginning of a container where only one alternative can still come of it.
func (n *unionNode) part(v value.Value) (value.Value, fate, error) {
	var only *low
	for _, a := range n.low.alts {
		if a.shaped().mayBecome(v) {
			if only != nil {
				return v, absent, nil
			}
			only = a
		}
	}
	if only == nil {
		out, made, err := n.nearest(toCallerPart, v, true)
		if made == same {
			made = absent
		}
		return out, made, err
	}
	return translate(only.node, toCallerPart, v, true)
}

func (n *unionNode) lower(v value.Value) (value.Value, fate, error) {
	if n.sure {
		return v, same, nil
	}
	l := n.low
	var first error
	for i, a := range l.alts {
		if !l.tests[i](v) {
			continue
		}
		out, made, err := translate(a.node, toProvider, v, false)
		if err != nil {
			if first == nil {
				first = err
			}
			if deep(err) { // Trying the others at every level would double the work with each.
				return v, same, first
			}
			continue
		}
		if l.tagged != nil {
			return value.Object(value.Member{Name: l.tagged[i], Value: out}), changed, nil
		}
		return out, made, nil
	}
	return v, same, first
}

// deep reports whether an error lies deeper than a union's own members.
func deep(err error) bool {
	e, ok := err.(*Error) //nolint:errorlint // Translations give nothing else, unwrapped.
	return ok && strings.Count(e.Pointer, "/") > 2
}

// decide settles for every union whether its alternatives need names. Naming some changes how others look from outside, since a union that is named is an
// object, so all are asked again until none changes.
func (f *fitter) decide(top *low) {
	lows := reachable(top)
	for {
		for _, l := range lows {
			l.shape = nil
		}
		f.changes = changing(lows)
		named := false
		for _, l := range lows {
			if l.form == unionForm && l.tagged == nil && f.isUnion(l) && f.changes[l] && f.ambiguous(l) {
				f.tag(l)
				named = true
			}
		}
		if !named {
			break
		}
	}
	for _, l := range lows {
		if l.form == unionForm && l.typ != nil && len(l.typ.alts) > 0 && l.typ.choice.Keyword == "oneOf" && !f.exclusive(l) {
			l.left = append(l.left, l.typ.choice)
		}
	}
}

// isUnion tells unions of the schema from that of any value.
func (f *fitter) isUnion(l *low) bool {
	_, ok := unguarded(l.node).(*unionNode)
	return ok
}

// ambiguous reports whether an answer could be raised by the wrong alternative.
func (f *fitter) ambiguous(l *low) bool {
	for i, a := range l.alts {
		for _, b := range l.alts[:i] {
			if !f.disjoint(a.shaped(), b.shaped()) && !f.agree(a, b, 0) {
				return true
			}
		}
	}
	return false
}

// reachable lists a graph's lows, parts first where nothing leads back.
func reachable(top *low) (list []*low) {
	seen := map[*low]bool{}
	var visit func(l *low)
	visit = func(l *low) {
		if seen[l] {
			return
		}
		seen[l] = true
		for _, c := range l.children() {
			visit(c)
		}
		list = append(list, l)
	}
	visit(top)
	return list
}

// changing finds the lows whose codec changes a value, itself or in its parts; more than the order of members, that is.
func changing(lows []*low) map[*low]bool { return spreading(lows, (*low).translates) }

func (l *low) translates() bool {
	switch n := unguarded(l.node).(type) {
	case *textNode, *labelNode, *pairsNode, *tupleNode, *treeNode:
		return true
	case *objectNode:
		return n.further != "" || slices.ContainsFunc(l.props, func(p prop) bool { return p.travel != unwrapped || p.name != p.sent })
	case *unionNode:
		return l.tagged != nil
	default:
		return false
	}
}

// exclusive reports whether no answer fits two alternatives.
func (f *fitter) exclusive(l *low) bool {
	for i, a := range l.alts {
		for _, b := range l.alts[:i] {
			if !f.disjoint(a.shaped(), b.shaped()) {
				return false
			}
		}
	}
	return true
}

// tag names the alternatives: by the definitions they come from, or by their kind and number.
func (f *fitter) tag(l *low) {
	taken := names{}
	for i, a := range l.alts {
		l.tagged = append(l.tagged, alias(tagOf(a, i), taken))
	}
	l.shape = nil
}

func tagOf(l *low, i int) string {
	for l.form == linkForm && l.typ == nil {
		l = l.target
	}
	if l.typ != nil && len(l.typ.places) > 0 {
		p := l.typ.places[len(l.typ.places)-1]
		for t := l.typ; t != nil; t = t.link {
			if len(t.places) > 0 {
				p = t.places[0]
			}
		}
		if tokens, ok := value.Tokens(p.Pointer()); ok && len(tokens) > 1 {
			if holder := tokens[len(tokens)-2]; holder == "$defs" || holder == "definitions" {
				return tokens[len(tokens)-1]
			}
		}
	}
	if k := l.shaped().branches(); len(k) == 1 {
		if names := k[0].kinds.names(false); len(names) == 1 {
			return names[0] + "_" + itoa(i+1)
		}
	}
	return "option_" + itoa(i+1)
}

// agree reports whether an answer that fits both raises to the same by either.
func (f *fitter) agree(a, b *low, depth int) bool {
	a, b = a.resolved(), b.resolved()
	if f.steps--; f.steps < 0 || depth > 8 {
		return false
	}
	if a == b || !f.changes[a] && !f.changes[b] {
		return true
	}
	if a.form == textForm && b.form == textForm {
		return true
	}
	if a.form == arrayForm && b.form == arrayForm && a.items != nil && b.items != nil && len(a.first)+len(b.first) == 0 {
		_, pairsA := unguarded(a.node).(*pairsNode)
		_, pairsB := unguarded(b.node).(*pairsNode)
		return pairsA == pairsB && f.agree(a.items, b.items, depth+1)
	}
	if a.form != objectForm || b.form != objectForm {
		return false
	}
	x, okX := unguarded(a.node).(*objectNode)
	y, okY := unguarded(b.node).(*objectNode)
	if pairs := a.node == nil && b.node == nil; !pairs {
		if !okX || !okY || x.further != y.further || x.rest != y.rest {
			return false
		}
	}
	for i := range a.props {
		p := &a.props[i]
		q := b.prop(p.sent)
		if q == nil {
			if !f.unseen(p, b, depth) {
				return false
			}
			continue
		}
		if p.name != q.name || (p.travel == wrapped) != (q.travel == wrapped) || !f.agree(p.low, q.low, depth+1) {
			return false
		}
		if p.travel != q.travel { // One of them takes null for absence: the other must not take null at all.
			if p.travel == unwrapped && p.low.acceptsNull() || q.travel == unwrapped && q.low.acceptsNull() {
				return false
			}
		}
	}
	for i := range b.props {
		if q := &b.props[i]; a.prop(q.sent) == nil && !f.unseen(q, a, depth) {
			return false
		}
	}
	return true
}

// refusing finds the lows that may refuse a right value, themselves or in their parts: see Lowered.Narrowed.
func refusing(lows []*low) map[*low]bool { return spreading(lows, (*low).refuses) }

// spreading finds the lows that are so themselves, or have a part that is.
func spreading(lows []*low, is func(*low) bool) map[*low]bool {
	users := map[*low][]*low{}
	found := map[*low]bool{}
	var queue []*low
	for _, l := range lows {
		for _, c := range l.children() {
			users[c] = append(users[c], l)
		}
		if is(l) {
			found[l] = true
			queue = append(queue, l)
		}
	}
	for len(queue) > 0 {
		l := queue[0]
		queue = queue[1:]
		for _, u := range users[l] {
			if !found[u] {
				found[u] = true
				queue = append(queue, u)
			}
		}
	}
	return found
}

func (l *low) refuses() bool {
	if _, guarded := l.node.(*guardNode); guarded {
		return true
	}
	switch n := l.node.(type) {
	case *objectNode:
		return n.narrows || slices.ContainsFunc(l.props, func(p prop) bool { return p.meant != nil })
	case *tupleNode:
		return n.rest == nil
	default:
		return false
	}
}

// unseen reports whether it makes no difference that other does not have the property. An answer that has it does not fit other where that is closed, and
// shapes look no deeper than the alternatives' own members; elsewhere it is other's codec that may meet it, and that leaves it as it is.
func (f *fitter) unseen(p *prop, other *low, depth int) bool {
	return depth == 0 && other.open == closedMembers || p.travel == unwrapped && p.name == p.sent && !f.changes[p.low]
}

func (l *low) prop(sent string) *prop {
	for i := range l.props {
		if l.props[i].sent == sent {
			return &l.props[i]
		}
	}
	return nil
}

// resolved follows links.
func (l *low) resolved() *low {
	for i := 0; l.form == linkForm && i < 64; i++ {
		l = l.target
	}
	return l
}

// acceptsNull reports whether what is sent for a low may be null.
func (l *low) acceptsNull() bool {
	for _, b := range l.shaped().branches() {
		if b.fitsAlone(value.Null()) {
			return true
		}
	}
	return false
}

// children gives the lows that a low is made of.
func (l *low) children() (list []*low) {
	if l.target != nil {
		list = append(list, l.target)
	}
	list = append(list, l.alts...)
	list = append(list, l.first...)
	for i := range l.props {
		list = append(list, l.props[i].low)
	}
	for _, p := range l.pattern {
		list = append(list, p.low)
	}
	for _, c := range []*low{l.items, l.further} {
		if c != nil {
			list = append(list, c)
		}
	}
	return list
}
