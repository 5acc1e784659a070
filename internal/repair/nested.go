package repair

import (
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// maxNested is how many strings deep JSON is looked for inside JSON.
const maxNested = 3

// nester opens strings that hold JSON where the schema has room for the JSON but not for a string.
type nester struct {
	level      int
	budget     *parser // counts the nodes of the whole text; nil where the text is strict JSON
	repairs    []Repair
	unfinished bool
}

// unwanted reports whether a string stands where only a container may.
func unwanted(v value.Value, shape Shape) bool {
	return v.Kind() == value.KindString && !shape.Accepts(value.KindString) &&
		(shape.Accepts(value.KindObject) || shape.Accepts(value.KindArray))
}

// walk gives the value with its unwanted strings opened; the value itself where there is none.
func (n *nester) walk(v value.Value, shape Shape, depth int) value.Value {
	if shape == nil || depth > maxDepth {
		return v
	}
	switch v.Kind() {
	case value.KindString:
		if unwanted(v, shape) {
			offset, _ := v.Offset()
			if inner, ok := n.open(v.Text(), shape, max(offset, 0)); ok {
				return inner
			}
		}
	case value.KindArray:
		return n.children(v, depth, func(i int) Shape { return shape.Item(i) })
	case value.KindObject:
		return n.children(v, depth, func(i int) Shape { return property(shape, v.NameAt(i)) })
	}
	return v
}

// children walks the members and copies the container only where one of them changed.
func (n *nester) children(v value.Value, depth int, shape func(int) Shape) value.Value {
	var changed []value.Member
	for i := range v.Len() {
		before := len(n.repairs)
		child := n.walk(v.At(i), shape(i), depth+1)
		if len(n.repairs) == before && changed == nil {
			continue
		}
		if changed == nil {
			changed = make([]value.Member, v.Len())
			for j := range v.Len() {
				changed[j] = value.Member{Name: v.NameAt(j), Value: v.At(j)}
			}
		}
		changed[i].Value = child
	}
	if changed == nil {
		return v
	}
	out := value.Object(changed...)
	if v.Kind() == value.KindArray {
		items := make([]value.Value, len(changed))
		for i := range changed {
			items[i] = changed[i].Value
		}
		out = value.Array(items...)
	}
	if offset, ok := v.Offset(); ok {
		out = out.Located(offset)
	}
	return out
}

// open reads the JSON inside a string that began at the offset.
func (n *nester) open(text string, shape Shape, offset int) (value.Value, bool) {
	if n.level >= maxNested || !strings.ContainsAny(text[:min(len(text), lookLimit)], "{[\"") {
		return value.Value{}, false
	}
	var found Result
	if v, err := value.DecodeString(text, value.Limits{}); err == nil {
		found.Value = v
		if unwanted(v, shape) {
			deeper := nester{level: n.level + 1, budget: n.budget}
			inner, ok := deeper.open(v.Text(), shape, offset)
			if !ok {
				return value.Value{}, false
			}
			found = Result{Value: inner, Unfinished: deeper.unfinished}
		}
	} else {
		sub := newParser(text, Hints{Schema: shape})
		sub.nested = n.level + 1
		if found, err = sub.read(); err != nil {
			return value.Value{}, false
		}
		found.Unfinished = found.Unfinished || endsInside(text)
	}
	if kind := found.Value.Kind(); kind != value.KindObject && kind != value.KindArray || !shape.Accepts(kind) {
		return value.Value{}, false
	}
	if n.budget != nil {
		if n.budget.nodes += size(found.Value); n.budget.nodes > maxNodes {
			return value.Value{}, false
		}
	}
	n.repairs = append(n.repairs, Repair{Kind: KindNestedJSON, Offset: offset})
	for _, r := range found.Repairs {
		if len(n.repairs) < maxRepairs {
			n.repairs = append(n.repairs, Repair{Kind: r.Kind, Offset: offset})
		}
	}
	n.unfinished = n.unfinished || found.Unfinished
	return unlocated(found.Value).Located(offset), true
}

// size counts the values in a value.
func size(v value.Value) int {
	n := 1
	for i := range v.Len() {
		n += size(v.At(i))
	}
	return n
}

// unlocated gives the value with unknown offsets: those of a text inside a string are no offsets of the text.
func unlocated(v value.Value) value.Value {
	switch v.Kind() {
	case value.KindNull:
		return value.Null()
	case value.KindBool:
		return value.Bool(v.Truth())
	case value.KindString:
		return value.String(v.Text())
	case value.KindNumber:
		if n, err := value.Number(v.Text()); err == nil {
			return n
		}
		return v
	case value.KindArray:
		items := make([]value.Value, v.Len())
		for i := range items {
			items[i] = unlocated(v.At(i))
		}
		return value.Array(items...)
	default:
		members := make([]value.Member, v.Len())
		for i := range members {
			members[i] = value.Member{Name: v.NameAt(i), Value: unlocated(v.At(i))}
		}
		return value.Object(members...)
	}
}
