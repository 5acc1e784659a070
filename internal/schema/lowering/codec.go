package lowering

import (
	"github.com/promptd/promptd/internal/value"
)

// direction is the way of a translation.
type direction uint8

const (
	toProvider direction = iota
	toCaller
	// toCallerPart raises an answer that is still being written: what may yet change is left out.
	toCallerPart
)

// fate is what a translation made of a value.
type fate uint8

const (
	same    fate = iota // the value itself, so that unchanged containers are not copied
	changed             // another value
	absent              // nothing stands for it, or nothing yet
)

// node is the codec of one place in a schema; codecs compose over the graph as types do. A nil node changes nothing. Nodes are immutable once Lower has
// returned, and their depth of recursion is the value's.
type node interface {
	// translate gives the translated value. open tells, of an answer that is still being written, that the value may be incomplete.
	translate(d direction, v value.Value, open bool) (out value.Value, made fate, err error)
}

func translate(n node, d direction, v value.Value, open bool) (value.Value, fate, error) {
	if n == nil {
		return v, same, nil
	}
	return n.translate(d, v, open)
}

// lowNode is the codec of a low, which may still be in the making when it is referred to.
func lowNode(l *low) node {
	if l == nil {
		return nil
	}
	return l.node
}

// linkNode is the codec of a reference.
type linkNode struct{ target *low }

func (n *linkNode) translate(d direction, v value.Value, open bool) (value.Value, fate, error) {
	return translate(n.target.node, d, v, open)
}

// guardNode refuses values of kinds that a schema without a type allows and does not speak of.
type guardNode struct {
	inner node
	kinds kinds
}

func (n *guardNode) translate(d direction, v value.Value, open bool) (value.Value, fate, error) {
	if d == toProvider && !n.kinds.has(v.Kind()) {
		return v, same, &Error{Message: "a value of another kind than the schema speaks of cannot be given", Narrowed: "type"}
	}
	return translate(n.inner, d, v, open)
}

// unguarded gives what a guard stands before.
func unguarded(n node) node {
	if g, ok := n.(*guardNode); ok {
		return g.inner
	}
	return n
}

// rootNode is the codec of a root that is no object (rule R4).
type rootNode struct{ inner *low }

// rootName is the member that holds such a root.
const rootName = "result"

func (n *rootNode) translate(d direction, v value.Value, open bool) (value.Value, fate, error) {
	if d == toProvider {
		inner, _, err := translate(n.inner.node, d, v, false)
		return value.Object(value.Member{Name: rootName, Value: inner}), changed, err
	}
	inner, ok := v.Get(rootName)
	if !ok && d == toCallerPart {
		return v, absent, nil
	}
	if !ok { // A model that forgot the wrapper answered in the caller's shape.
		return translate(n.inner.node, d, v, open)
	}
	if v.Len() != 1 {
		return v, same, &Error{Message: "an object that holds the answer as " + rootName + " has other members"}
	}
	out, made, err := translate(n.inner.node, d, inner, open)
	if err != nil {
		return v, same, within(err, "/"+rootName)
	}
	return out, max(made, changed), nil
}

// listNode is the codec of arrays: the first items have their own, the others share one.
type listNode struct {
	first []*low
	item  *low
}

func (n *listNode) translate(d direction, v value.Value, open bool) (value.Value, fate, error) {
	if v.Kind() != value.KindArray {
		return v, same, nil
	}
	var items []value.Value
	for i, old := range v.Items() {
		out, made, err := translate(n.at(i), d, old, open && i == v.Len()-1)
		if err != nil {
			return value.Value{}, same, within(err, value.AppendIndex("", i))
		}
		if items == nil {
			if made == same {
				continue
			}
			items = make([]value.Value, i, v.Len())
			for j := range i {
				items[j] = v.At(j)
			}
		}
		if made == absent {
			break // It is the last one, and not there yet.
		}
		items = append(items, out)
	}
	if items == nil {
		return v, same, nil
	}
	return value.Array(items...), changed, nil
}

func (n *listNode) at(i int) node {
	if i < len(n.first) {
		return n.first[i].node
	}
	return lowNode(n.item)
}

// textNode is the codec of a value that travels as JSON text (rule R10).
type textNode struct{}

func (*textNode) translate(d direction, v value.Value, _ bool) (value.Value, fate, error) {
	if d == toProvider {
		return value.String(v.String()), changed, nil
	}
	if v.Kind() != value.KindString {
		return v, same, nil
	}
	out, err := value.DecodeString(v.Text(), value.Limits{})
	if err != nil {
		return v, same, &Error{Message: "the text is not JSON: " + err.Error()}
	}
	return out, changed, nil
}

// labelNode is the codec of listed values that travel as texts (rule R11).
type labelNode struct {
	values []value.Value
	labels []string
	byText map[string]int
	byJSON map[string]int
}

// newLabels gives texts their own words and other values their JSON text; where that would mix them up every value gets its JSON text.
func newLabels(values []value.Value) *labelNode {
	n := &labelNode{values: values, byText: map[string]int{}, byJSON: map[string]int{}}
	label := func(v value.Value, quoted bool) string {
		if v.Kind() == value.KindString && !quoted && v.Text() != "" {
			return v.Text()
		}
		return v.String()
	}
	quoted := false
	seen := map[string]bool{}
	for _, v := range values {
		quoted = quoted || seen[label(v, false)]
		seen[label(v, false)] = true
	}
	for i, v := range values {
		text := label(v, quoted)
		n.labels = append(n.labels, text)
		n.byText[text] = i
		n.byJSON[sameText(v)] = i
	}
	return n
}

func (n *labelNode) translate(d direction, v value.Value, _ bool) (value.Value, fate, error) {
	if d == toProvider {
		if i, ok := n.byJSON[sameText(v)]; ok {
			return value.String(n.labels[i]), changed, nil
		}
		return v, same, nil
	}
	if v.Kind() == value.KindString {
		if i, ok := n.byText[v.Text()]; ok {
			return n.values[i], changed, nil
		}
	}
	return v, same, nil
}

// What has the provider's form in part is neither an answer in it nor one in the caller's shape: taken for the latter, the names of the form would pass as the
// caller's own data.

// Error says at which place of a value a translation is impossible.
type Error struct {
	// Pointer is the JSON pointer of the place in the value.
	Pointer string
	// Message says why.
	Message string
	// Narrowed is the keyword of a [Narrowing] where the value is right and cannot be given all the same; else it is empty.
	Narrowed string
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
	return &Error{Pointer: part + e.Pointer, Message: e.Message, Narrowed: e.Narrowed}
}
