package repair

import (
	"slices"

	"github.com/promptd/promptd/internal/value"
)

const (
	maxShapeNodes = 200_000
	maxShapeParts = 256
)

// kinds is a set of JSON kinds.
type kinds uint8

const allKinds kinds = 1<<(value.KindObject+1) - 1

func (k kinds) has(kind value.Kind) bool { return k&(1<<kind) != 0 }

// node is a Shape made from a JSON Schema. It is a hint and not a validator: where a keyword is not understood everything is accepted.
type node struct {
	kinds      kinds
	props      map[string]*node
	additional *node // what members have that props does not name; nil where nothing is known
	prefix     []*node
	items      *node
	required   []string
	choices    []value.Value
	all        []*node // allOf and references: they hold too
	any        []*node // anyOf and oneOf: one of them holds
	parts      []*node // the node and everything joined to it through all and any
	state      uint8   // 0 new, 1 being finished, 2 finished
}

// ShapeOf makes a Shape from a JSON Schema, following local references. It is built once for a schema and may be used by many at a time.
func ShapeOf(schema value.Value) Shape {
	b := builder{root: schema, refs: map[string]*node{}}
	n := b.build(schema, 0)
	b.finish()
	return n
}

// builder turns schemas into nodes. Every subschema is visited once, and once more where a reference names it.
type builder struct {
	root    value.Value
	refs    map[string]*node
	anchors map[string]value.Value
	nodes   []*node
}

func (b *builder) node() *node {
	n := &node{kinds: allKinds}
	b.nodes = append(b.nodes, n)
	return n
}

func (b *builder) build(schema value.Value, depth int) *node {
	n := b.node()
	if schema.Kind() == value.KindBool && !schema.Truth() {
		n.kinds = 0
	}
	if schema.Kind() != value.KindObject || depth > maxDepth || len(b.nodes) > maxShapeNodes {
		return n
	}
	b.fill(n, schema, depth+1)
	return n
}

func (b *builder) fill(n *node, schema value.Value, depth int) {
	for name, v := range schema.Members() {
		switch name {
		case "type":
			n.kinds &= typeKinds(v)
		case "enum":
			if v.Kind() == value.KindArray {
				n.choices = slices.Collect(values(v))
			}
		case "const":
			n.choices = []value.Value{v}
		case "properties":
			n.props = make(map[string]*node, v.Len())
			for name, s := range v.Members() {
				n.props[name] = b.build(s, depth)
			}
		case "additionalProperties", "unevaluatedProperties":
			n.additional = b.build(v, depth)
		case "patternProperties":
			for _, s := range v.Members() {
				if v.Len() == 1 {
					n.additional = b.build(s, depth)
				}
			}
		case "prefixItems":
			n.prefix = b.list(v, depth)
		case "items":
			if v.Kind() == value.KindArray {
				n.prefix = b.list(v, depth)
			} else {
				n.items = b.build(v, depth)
			}
		case "additionalItems":
			if n.items == nil {
				n.items = b.build(v, depth)
			}
		case "required":
			for _, name := range v.Items() {
				n.required = append(n.required, name.Text())
			}
		case "allOf":
			n.all = append(n.all, b.list(v, depth)...)
		case "anyOf", "oneOf":
			n.any = append(n.any, b.list(v, depth)...)
		case "$ref", "$dynamicRef", "$recursiveRef":
			n.all = append(n.all, b.ref(v.Text(), depth))
		}
	}
	if nullable, _ := schema.Get("nullable"); nullable.Truth() {
		n.kinds |= 1 << value.KindNull
	}
	if n.choices != nil {
		var allowed kinds
		for _, c := range n.choices {
			allowed |= 1 << c.Kind()
		}
		n.kinds &= allowed
	}
}

func values(array value.Value) func(func(value.Value) bool) {
	return func(yield func(value.Value) bool) {
		for _, v := range array.Items() {
			if !yield(v) {
				return
			}
		}
	}
}

func (b *builder) list(v value.Value, depth int) []*node {
	nodes := make([]*node, 0, v.Len())
	for _, s := range v.Items() {
		nodes = append(nodes, b.build(s, depth))
	}
	return nodes
}

func typeKinds(v value.Value) kinds {
	var set kinds
	if v.Kind() == value.KindArray {
		for _, name := range v.Items() {
			set |= typeKinds(name)
		}
		return set
	}
	switch v.Text() {
	case "null":
		return 1 << value.KindNull
	case "boolean":
		return 1 << value.KindBool
	case "number", "integer":
		return 1 << value.KindNumber
	case "string":
		return 1 << value.KindString
	case "array":
		return 1 << value.KindArray
	case "object":
		return 1 << value.KindObject
	default:
		return allKinds
	}
}

// ref gives the node of a reference inside the schema; one that accepts everything for a reference to elsewhere.
func (b *builder) ref(ref string, depth int) *node {
	if n, ok := b.refs[ref]; ok {
		return n
	}
	n := b.node()
	b.refs[ref] = n
	target, ok := b.resolve(ref)
	if ok && len(b.nodes) <= maxShapeNodes && depth <= maxDepth {
		if target.Kind() == value.KindObject {
			b.fill(n, target, depth)
		} else if target.Kind() == value.KindBool && !target.Truth() {
			n.kinds = 0
		}
	}
	return n
}

func (b *builder) resolve(ref string) (value.Value, bool) {
	if len(ref) > 0 && ref[0] == '#' {
		if len(ref) == 1 {
			return b.root, true
		}
		if ref[1] == '/' {
			return b.root.Lookup(unescapePercent(ref[1:]))
		}
	}
	if b.anchors == nil {
		b.anchors = map[string]value.Value{}
		b.collect(b.root, 0)
	}
	v, ok := b.anchors[ref]
	return v, ok
}

// collect finds the anchors and identifiers in the schema.
func (b *builder) collect(v value.Value, depth int) {
	if depth > maxDepth {
		return
	}
	for name, member := range v.Members() {
		switch name {
		case "$anchor", "$dynamicAnchor":
			b.anchors["#"+member.Text()] = v
		case "$id", "id":
			b.anchors[member.Text()] = v
		}
	}
	for i := range v.Len() {
		b.collect(v.At(i), depth+1)
	}
}

// unescapePercent resolves the percent escapes of a pointer in a URI fragment.
func unescapePercent(s string) string {
	var out []byte
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if r, n := hex(s[i+1:], 2); n == 2 {
				out = append(out, byte(r))
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}

// finish computes what a node takes from those joined to it. A node that is joined to itself through others counts as accepting all.
func (b *builder) finish() {
	for _, n := range b.nodes {
		n.finish(0)
	}
	for _, n := range b.nodes {
		n.join()
	}
}

func (n *node) finish(depth int) {
	if n.state != 0 || depth > maxDepth {
		return
	}
	n.state = 1
	for _, other := range n.all {
		other.finish(depth + 1)
		if other.state == 2 {
			n.kinds &= other.kinds
			n.required = append(n.required, other.required...)
			if n.choices == nil {
				n.choices = other.choices
			}
		}
	}
	if len(n.any) > 0 {
		n.finishAny(depth)
	}
	n.state = 2
}

func (n *node) finishAny(depth int) {
	var union kinds
	var choices []value.Value
	closed := true
	var objects []*node
	for _, other := range n.any {
		other.finish(depth + 1)
		if other.state != 2 {
			union, closed = allKinds, false
			continue
		}
		union |= other.kinds
		if other.kinds.has(value.KindObject) {
			objects = append(objects, other)
		}
		if other.choices == nil {
			closed = closed && other.kinds == 1<<value.KindNull
		} else if len(choices) < maxShapeParts {
			choices = append(choices, other.choices...)
		}
	}
	n.kinds &= union
	if n.choices == nil && closed && len(choices) > 0 {
		n.choices = choices
	}
	if len(objects) == 1 {
		n.required = append(n.required, objects[0].required...)
	}
}

// join collects the nodes that are joined to this one.
func (n *node) join() {
	n.parts = []*node{n}
	if len(n.all)+len(n.any) == 0 {
		return
	}
	seen := map[*node]bool{n: true}
	for i := 0; i < len(n.parts); i++ {
		for _, list := range [][]*node{n.parts[i].all, n.parts[i].any} {
			for _, other := range list {
				if !seen[other] && len(n.parts) < maxShapeParts {
					seen[other] = true
					n.parts = append(n.parts, other)
				}
			}
		}
	}
}

// Accepts implements Shape.
func (n *node) Accepts(kind value.Kind) bool { return n.kinds.has(kind) }

// Required implements Shape.
func (n *node) Required() []string { return n.required }

// Choices implements Shape.
func (n *node) Choices() []value.Value { return n.choices }

// Property implements Shape.
func (n *node) Property(name string) (Shape, bool) {
	var found, rest *node
	for _, part := range n.parts {
		if p, ok := part.props[name]; ok {
			found = found.or(p)
		} else if part.additional != nil {
			rest = rest.or(part.additional)
		}
	}
	switch {
	case found != nil:
		return found, true
	case rest != nil && rest.kinds != 0:
		return rest, false
	default:
		return nil, false
	}
}

// Item implements Shape.
func (n *node) Item(i int) Shape {
	var found *node
	for _, part := range n.parts {
		switch {
		case i < len(part.prefix):
			found = found.or(part.prefix[i])
		case part.items != nil:
			found = found.or(part.items)
		}
	}
	if found == nil {
		return nil
	}
	return found
}

// or gives a node that accepts what either accepts.
func (n *node) or(other *node) *node {
	if n == nil || n == other {
		return other
	}
	union := &node{kinds: n.kinds | other.kinds, state: 2}
	if n.choices != nil && other.choices != nil {
		union.choices = append(slices.Clip(n.choices), other.choices...)
	}
	union.parts = append(append(make([]*node, 0, len(n.parts)+len(other.parts)), n.parts...), other.parts...)
	if len(union.parts) > maxShapeParts {
		union.parts = union.parts[:maxShapeParts]
	}
	return union
}
