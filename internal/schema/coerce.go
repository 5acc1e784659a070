package schema

import (
	"context"
	"fmt"
	"slices"

	"github.com/promptd/promptd/internal/value"
)

// Mode says how much coercion may do.
type Mode uint8

// The modes. Safe is the default: only what has one reading.
const (
	Safe Mode = iota
	Off
	Lenient
)

// ParseMode reads a mode's name: safe, off or lenient; empty is safe.
func ParseMode(name string) (Mode, error) {
	switch name {
	case "", "safe":
		return Safe, nil
	case "off":
		return Off, nil
	case "lenient":
		return Lenient, nil
	default:
		return Safe, fmt.Errorf("unknown coercion %q: it is one of safe, off, lenient", name)
	}
}

// String gives the mode's name.
func (m Mode) String() string {
	switch m {
	case Off:
		return "off"
	case Lenient:
		return "lenient"
	default:
		return "safe"
	}
}

// Coercion is one change that aligned a value with the schema.
type Coercion struct {
	// Kind is one of the Coerced constants.
	Kind string `json:"kind"`
	// Pointer is the place in the value before coercion.
	Pointer string `json:"pointer"`
	// Before and After are the value there; After is null where it was taken out.
	Before value.Value `json:"before"`
	After  value.Value `json:"after"`
}

// The kinds of coercion. Those from NumberToString on are lenient.
const (
	CoercedStringToNumber  = "string_to_number"
	CoercedStringToBoolean = "string_to_boolean"
	CoercedStringToNull    = "string_to_null"
	CoercedIntegral        = "integral_number"
	CoercedItemToArray     = "item_to_array"
	CoercedArrayToItem     = "array_to_item"
	CoercedEnumSpelling    = "enum_spelling"
	CoercedDateForm        = "date_form"
	CoercedTrimmed         = "trimmed"
	CoercedNullRemoved     = "null_removed"
	CoercedParsedString    = "parsed_string"
	CoercedNumberForm      = "number_form"

	CoercedNumberToString  = "number_to_string"
	CoercedBooleanToString = "boolean_to_string"
	CoercedNumberToBoolean = "number_to_boolean"
	CoercedBooleanWord     = "boolean_word"
	CoercedNullWord        = "null_word"
	CoercedEnumInText      = "enum_in_text"
	CoercedFirstItem       = "first_item"
	CoercedUnwrapped       = "unwrapped"
	CoercedWrapped         = "wrapped"
	CoercedRenamed         = "member_renamed"
	CoercedMemberRemoved   = "member_removed"
	CoercedMissingToNull   = "missing_to_null"
)

// Prices of coercions: among several ways the cheapest one is taken, and where two cost the same and differ, none.
const (
	safePrice    = 1
	lenientPrice = 3
	lossPrice    = 8
)

// maxAlign bounds the places that one coercion tries.
const maxAlign = 5000

// Coerce aligns a value with the schema where that has one reading. A value that is valid stays as it is, and so does one that coercion would
// not bring nearer to the schema.
func (s *Schema) Coerce(v value.Value, mode Mode) (value.Value, []Coercion) {
	if mode == Off {
		return v, nil
	}
	t := s.trial(context.Background(), judgeSteps)
	defer s.release(t)
	if t.run(s.root, v, nil) || t.stopped {
		return v, nil
	}
	a := &aligner{t: t, mode: mode, budget: maxAlign}
	r := a.align([]*node{s.root}, v, "")
	if len(r.list) == 0 {
		return v, nil
	}
	if !r.ok && s.faults(r.v) > s.faults(v) {
		return v, nil
	}
	return r.v, r.list
}

// faults counts what stands against a value.
func (s *Schema) faults(v value.Value) int {
	report := s.explain(context.Background(), v, explainSteps)
	return len(report.Errors) + report.More
}

// aligned is the outcome for one place.
type aligned struct {
	v     value.Value
	list  []Coercion
	price int
	ok    bool
}

type aligner struct {
	t      *trial
	mode   Mode
	budget int
}

func (a *aligner) lenient() bool { return a.mode == Lenient }

func (a *aligner) holds(set []*node, v value.Value) bool {
	for _, n := range set {
		if !a.t.run(n, v, nil) {
			return false
		}
	}
	return !a.t.stopped
}

// align finds the nearest value that all nodes allow.
func (a *aligner) align(set []*node, v value.Value, pointer string) aligned {
	if a.holds(set, v) {
		return aligned{v: v, ok: true}
	}
	if a.budget--; a.budget < 0 || a.t.stopped {
		return aligned{v: v}
	}
	w := a.wants(set)
	if !a.t.spend(10*len(w.some) + len(w.enums)>>2) {
		return aligned{v: v}
	}
	partial := aligned{v: v}
	if w.kinds&kindOf(v.Kind()) != 0 && v.Kind() >= value.KindArray {
		if r := a.container(set, w, v, pointer); r.ok {
			return r
		} else if len(r.list) > 0 {
			partial = r
		}
	}
	if r, ok := a.convert(set, w, v, pointer); ok {
		return r
	}
	return partial
}

// wants is what the nodes of a place say together.
type wants struct {
	nodes   []*node // certain
	choices []choice
	kinds   kinds
	enums   []value.Value // of certain nodes and of alternatives
	formats []string
	some    []*node // certain nodes and alternatives
}

func (a *aligner) wants(set []*node) *wants {
	w := &wants{}
	seen := map[*node]bool{}
	w.kinds = everyKind | anyInteger
	for _, n := range set {
		w.kinds &= w.certain(n, seen)
	}
	w.choices = slices.DeleteFunc(w.choices, func(c choice) bool {
		return slices.ContainsFunc(c.branches, func(b *node) bool { return slices.Contains(set, b) })
	})
	return w
}

// certain adds a node that judges in any case and gives the kinds that it leaves.
func (w *wants) certain(n *node, seen map[*node]bool) kinds {
	if seen[n] {
		return everyKind | anyInteger
	}
	seen[n] = true
	w.nodes = append(w.nodes, n)
	k := w.facts(n)
	for _, r := range n.refs {
		k &= w.certain(r, seen)
	}
	for _, c := range n.choices {
		w.choices = append(w.choices, c)
		k &= w.alternatives(c, 0)
	}
	return k
}

func (w *wants) facts(n *node) kinds {
	w.some = append(w.some, n)
	w.enums = append(w.enums, n.enum...)
	if n.format != "" {
		w.formats = append(w.formats, n.format)
	}
	if n.never {
		return 0
	}
	k := n.kinds
	if k&anyNumber != 0 {
		k |= anyInteger
	}
	return k
}

// alternatives gathers what the branches of a choice say, a few levels deep.
func (w *wants) alternatives(c choice, depth int) kinds {
	const deep = 4
	var all kinds
	for _, b := range c.branches {
		all |= w.alternative(b, depth+1)
		if depth > deep || len(w.some) > maxPart {
			return everyKind | anyInteger
		}
	}
	return all
}

func (w *wants) alternative(n *node, depth int) kinds {
	const deep = 8
	k := w.facts(n)
	if depth > deep {
		return k
	}
	for _, r := range n.refs {
		k &= w.alternative(r, depth+1)
	}
	for _, c := range n.choices {
		k &= w.alternatives(c, depth)
	}
	return k
}

func (w *wants) requires(name string) bool {
	for _, n := range w.nodes {
		if n.object == nil {
			continue
		}
		if at := n.object.find(name, 0); at >= 0 && n.object.properties[at].required {
			return true
		}
	}
	return false
}

// knows reports whether a certain node names the member.
func (w *wants) knows(name string) bool {
	for _, n := range w.nodes {
		if n.object != nil && n.object.find(name, 0) >= 0 {
			return true
		}
	}
	return false
}

// container aligns an object or array from within; where alternatives are open each is tried.
func (a *aligner) container(set []*node, w *wants, v value.Value, pointer string) aligned {
	for _, c := range w.choices {
		var found []aligned
		for _, b := range c.branches {
			if b.kinds&kindOf(v.Kind()) == 0 || b.never {
				continue
			}
			if r := a.align(append(slices.Clip(set), b), v, pointer); r.ok && a.holds(set, r.v) {
				found = append(found, r)
			}
		}
		if r, ok := a.cheapest(found, a.lenient()); ok {
			return r
		}
	}
	r := a.members
	if v.Kind() == value.KindArray {
		r = a.items
	}
	out := r(w, v, pointer)
	out.ok = a.holds(set, out.v)
	return out
}

// cheapest picks the way with the lowest price; two different values for the same price are two readings, unless the first may be taken.
func (a *aligner) cheapest(found []aligned, first bool) (aligned, bool) {
	if len(found) == 0 {
		return aligned{}, false
	}
	best := found[0]
	for _, r := range found[1:] {
		if r.price < best.price {
			best = r
		}
	}
	for _, r := range found {
		if r.price == best.price && !value.Equal(r.v, best.v) && !first {
			return aligned{}, false
		}
	}
	return best, true
}

func (a *aligner) items(w *wants, v value.Value, pointer string) aligned {
	out := aligned{v: v}
	var changed []value.Value // The items, from the first change on.
	for i := range v.Len() {
		var set []*node
		for _, n := range w.nodes {
			if n.array != nil {
				set = n.array.children(set, i)
			}
		}
		if len(set) == 0 || a.holds(set, v.At(i)) {
			continue
		}
		r := a.align(set, v.At(i), value.AppendIndex(pointer, i))
		if len(r.list) == 0 {
			continue
		}
		if changed == nil {
			changed = make([]value.Value, v.Len())
			for j := range changed {
				changed[j] = v.At(j)
			}
		}
		changed[i] = r.v
		out.list = append(out.list, r.list...)
		out.price += r.price
	}
	if changed != nil {
		out.v = located(value.Array(changed...), v)
	}
	return out
}

// located gives a container that was put together anew the place of the one that it stands for.
func located(v, before value.Value) value.Value {
	if offset, ok := before.Offset(); ok {
		return v.Located(offset)
	}
	return v
}

// membersOf copies an object's members, to be changed.
func membersOf(v value.Value) []value.Member {
	members := make([]value.Member, v.Len())
	for i := range members {
		members[i] = value.Member{Name: v.NameAt(i), Value: v.At(i)}
	}
	return members
}

func (a *aligner) members(w *wants, v value.Value, pointer string) aligned {
	out := aligned{v: v}
	if a.lenient() {
		out = a.rename(w, out, pointer)
	}
	list, changed := make([]value.Member, 0, out.v.Len()), false
	for name, item := range out.v.Members() {
		member := value.Member{Name: name, Value: item}
		if a.t.stopped {
			list = append(list, member)
			continue
		}
		var set []*node
		for _, n := range w.nodes {
			if n.object != nil {
				set = a.t.children(n.object, set, name)
			}
		}
		if len(set) == 0 || a.holds(set, item) {
			list = append(list, member)
			continue
		}
		at := value.AppendPointer(pointer, name)
		r := a.align(set, item, at)
		switch {
		case len(r.list) > 0:
			member.Value, changed = r.v, true
			out.list = append(out.list, r.list...)
			out.price += r.price
		case a.t.stopped:
		case item.IsNull() && !w.requires(name):
			changed = true
			out.list, out.price = append(out.list, Coercion{Kind: CoercedNullRemoved, Pointer: at, Before: item}), out.price+safePrice
			continue
		case a.lenient() && !w.requires(name) && slices.ContainsFunc(set, func(n *node) bool { return n.never }):
			changed = true
			out.list, out.price = append(out.list, Coercion{Kind: CoercedMemberRemoved, Pointer: at, Before: item}), out.price+lossPrice
			continue
		}
		list = append(list, member)
	}
	if changed {
		out.v = located(value.Object(list...), out.v)
	}
	if a.lenient() {
		out = a.nulls(w, out, pointer)
	}
	return out
}

// rename gives members the schema's spelling of their names where they differ only in case, space or punctuation.
func (a *aligner) rename(w *wants, out aligned, pointer string) aligned {
	const name = 20 // Steps that reading a name is worth.
	for _, n := range w.nodes {
		if n.object == nil || len(n.object.properties) == 0 || !a.t.spend(name*(out.v.Len()+len(n.object.properties))) {
			continue
		}
		there := make(map[string]bool, out.v.Len())
		unknown := map[string][]int{}
		for i := range out.v.Len() {
			name := out.v.NameAt(i)
			there[name] = true
			if n.object.find(name, 0) < 0 {
				unknown[plain(name)] = append(unknown[plain(name)], i)
			}
		}
		var members []value.Member
		for _, p := range n.object.properties {
			key := plain(p.name)
			found := unknown[key]
			if there[p.name] || key == "" || len(found) != 1 {
				continue
			}
			if members == nil {
				members = membersOf(out.v)
			}
			before := members[found[0]].Name
			members[found[0]].Name = p.name
			delete(unknown, key)
			out.list, out.price = append(out.list, Coercion{
				Kind: CoercedRenamed, Pointer: value.AppendPointer(pointer, before), Before: value.String(before), After: value.String(p.name),
			}), out.price+lenientPrice
		}
		if members != nil {
			out.v = value.Object(members...)
		}
	}
	return out
}

// nulls adds what is required, missing and may be null.
func (a *aligner) nulls(w *wants, out aligned, pointer string) aligned {
	for _, n := range w.nodes {
		if n.object == nil || n.object.required == 0 || !a.t.spend(out.v.Len()+len(n.object.properties)) {
			continue
		}
		there := make(map[string]bool, out.v.Len())
		for name := range out.v.Members() {
			there[name] = true
		}
		var members []value.Member
		for _, p := range n.object.properties {
			if !p.required || p.sub == nil || there[p.name] || !a.holds([]*node{p.sub}, value.Null()) {
				continue
			}
			if members == nil {
				members = membersOf(out.v)
			}
			members = append(members, value.Member{Name: p.name})
			out.list, out.price = append(out.list, Coercion{Kind: CoercedMissingToNull, Pointer: value.AppendPointer(pointer, p.name)}), out.price+lenientPrice
		}
		if members != nil {
			out.v = located(value.Object(members...), out.v)
		}
	}
	return out
}
