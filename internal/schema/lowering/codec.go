package lowering

import "github.com/promptd/promptd/internal/value"

// codec translates values between the caller's shape and the provider's. The zero codec changes nothing.
type codec struct{ root node }

func (c codec) lower(v value.Value) (value.Value, error) { return c.run(toProvider, v) }

func (c codec) raise(v value.Value) (value.Value, error) { return c.run(toCaller, v) }

func (c codec) run(d direction, v value.Value) (value.Value, error) {
	out, _, err := translate(c.root, d, v)
	if err != nil {
		return value.Value{}, err
	}
	return out, nil
}

// direction is the way of a translation.
type direction bool

const (
	toProvider direction = true
	toCaller   direction = false
)

// node is the codec of one place in a schema; codecs compose over the tree as the schema does. A nil node changes nothing. Nodes are immutable once
// Lower has returned, and their depth of recursion is the value's.
type node interface {
	// translate gives the translated value; changed is false where it is the argument, so that unchanged containers are not copied.
	translate(d direction, v value.Value) (out value.Value, changed bool, err error)
	// plain reports whether the node changes nothing but the order of members. What is being visited already counts as plain.
	plain(seen map[node]bool) bool
}

func translate(n node, d direction, v value.Value) (value.Value, bool, error) {
	if n == nil {
		return v, false, nil
	}
	return n.translate(d, v)
}

func plain(n node, seen map[node]bool) bool {
	if n == nil || seen[n] {
		return true
	}
	seen[n] = true
	return n.plain(seen)
}

// list is the codec of arrays: the first items have their own, the others share one.
type list struct {
	first []node
	item  node
}

func (l *list) translate(d direction, v value.Value) (value.Value, bool, error) {
	if v.Kind() != value.KindArray {
		return v, false, nil
	}
	var items []value.Value
	for i, old := range v.Items() {
		out, changed, err := translate(l.at(i), d, old)
		if err != nil {
			return value.Value{}, false, within(err, value.AppendIndex("", i))
		}
		if items == nil {
			if !changed {
				continue
			}
			items = make([]value.Value, i, v.Len())
			for j := range i {
				items[j] = v.At(j)
			}
		}
		items = append(items, out)
	}
	if items == nil {
		return v, false, nil
	}
	return value.Array(items...), true, nil
}

func (l *list) at(i int) node {
	if i < len(l.first) {
		return l.first[i]
	}
	return l.item
}

func (l *list) plain(seen map[node]bool) bool {
	for _, n := range l.first {
		if !plain(n, seen) {
			return false
		}
	}
	return plain(l.item, seen)
}

// Error says at which place of a value a translation is impossible.
type Error struct {
	// Pointer is the JSON pointer of the place in the value.
	Pointer string
	// Message says why.
	Message string
}

// Error says place and reason.
func (e *Error) Error() string {
	if e.Pointer == "" {
		return e.Message
	}
	return e.Message + " at " + e.Pointer
}

// within sets the place of an error below a part of the value.
func within(err error, part string) error {
	e, ok := err.(*Error) //nolint:errorlint // Translations give nothing else, unwrapped.
	if !ok {
		return err
	}
	return &Error{Pointer: part + e.Pointer, Message: e.Message}
}
