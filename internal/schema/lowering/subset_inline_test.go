package lowering_test

import (
	"net/url"
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// references resolves the local references of one schema. Definitions are found by an index, for a caller may write a hundred thousand of them.
type references struct {
	root     value.Value
	known    map[string]target
	searches int
}

type target struct {
	pointer string // in one spelling
	schema  value.Value
	ok      bool
}

func indexReferences(root value.Value) *references {
	r := &references{root: root, known: map[string]target{"#": {"", root, true}}, searches: 5000}
	for _, p := range below("", root, true) {
		if p.definition {
			r.known["#"+p.at] = target{p.at, p.schema, true}
		}
	}
	return r
}

// resolve follows a local reference and gives the pointer in one spelling.
func (r *references) resolve(ref string) (pointer string, schema value.Value, ok bool) {
	t, ok := r.known[ref]
	if !ok {
		if r.searches--; r.searches < 0 {
			return "", value.Value{}, false
		}
		t = r.search(ref)
		r.known[ref] = t
	}
	return t.pointer, t.schema, t.ok
}

func (r *references) search(ref string) (t target) {
	raw, ok := strings.CutPrefix(ref, "#")
	if !ok || raw == "" {
		return t
	}
	if t.schema, t.ok = r.root.Lookup(raw); !t.ok {
		if raw, _ = url.PathUnescape(raw); raw == "" {
			return t
		}
		t.schema, t.ok = r.root.Lookup(raw)
	}
	tokens, _ := value.Tokens(raw)
	for _, token := range tokens {
		t.pointer = value.AppendPointer(t.pointer, token)
	}
	return t
}

// findCycle looks for a reference that leads back to a schema that it stands in. Definitions that nothing refers to count as well, and so does a chain
// of references that is too long to follow.
func findCycle(root value.Value, refs *references) (at string, found bool) {
	const active, done = 1, 2
	state := map[string]int{}
	steps, chain := maxSteps, 0
	var visit func(at string, s value.Value) bool
	visit = func(pointer string, s value.Value) bool {
		if steps--; steps < 0 || state[pointer] == done || len(pointer) > maxPointer {
			return false
		}
		if chain++; chain > maxChain {
			at = pointer
			return true
		}
		state[pointer] = active
		defer func() { state[pointer] = done; chain-- }()
		if ref, ok := s.Get("$ref"); ok {
			if target, sub, ok := refs.resolve(ref.Text()); ok {
				if state[target] == active {
					at = pointer
					return true
				}
				if visit(target, sub) {
					return true
				}
			}
		}
		for _, p := range below(pointer, s, false) {
			if state[p.at] == active {
				at = p.at
				return true
			}
			if visit(p.at, p.schema) {
				return true
			}
		}
		return false
	}
	if visit("", root) {
		return at, true
	}
	for _, p := range below("", root, true) {
		if p.definition && visit(p.at, p.schema) {
			return at, true
		}
	}
	return "", false
}

// weight is what a schema costs once every reference is replaced by what it refers to.
type weight struct{ bytes, items int64 }

// full is where weights stop growing: an exponential expansion is counted, never made.
const full = int64(1) << 40

func (w *weight) add(o weight) {
	w.bytes = min(full, w.bytes+o.bytes)
	w.items = min(full, w.items+o.items)
}

// inlined weighs a schema with all references inlined: its bytes as JSON and the sum of maxItems. A cycle weighs everything.
func inlined(root value.Value, refs *references) weight {
	n := &inliner{refs: refs, known: map[string]weight{}, active: map[string]bool{"": true}, steps: maxSteps}
	return n.schema(root)
}

type inliner struct {
	refs         *references
	known        map[string]weight
	active       map[string]bool
	steps, chain int
}

func (n *inliner) schema(s value.Value) weight {
	if n.steps--; n.steps < 0 || n.chain >= maxChain {
		return weight{full, full}
	}
	n.chain++
	defer func() { n.chain-- }()
	if ref, ok := s.Get("$ref"); ok {
		if target, sub, ok := n.refs.resolve(ref.Text()); ok {
			return n.target(target, sub)
		}
	}
	if s.Kind() != value.KindObject {
		return weight{bytes: int64(len(s.String()))}
	}
	w := weight{bytes: 2}
	members := int64(0)
	for name, item := range s.Members() {
		if name == "$defs" || name == "definitions" {
			continue
		}
		members++
		w.add(weight{bytes: int64(len(value.AppendQuoted(nil, name))) + 1})
		switch name {
		case "properties", "patternProperties", "dependentSchemas":
			for key, sub := range item.Members() {
				w.add(weight{bytes: int64(len(value.AppendQuoted(nil, key))) + 1})
				w.add(n.schema(sub))
			}
			w.add(weight{bytes: 2 + int64(max(0, item.Len()-1))})
		case "anyOf", "oneOf", "allOf", "prefixItems":
			for _, sub := range item.Items() {
				w.add(n.schema(sub))
			}
			w.add(weight{bytes: 2 + int64(max(0, item.Len()-1))})
		case "items", "additionalProperties", "additionalItems", "propertyNames", "contains", "not", "if", "then", "else",
			"unevaluatedItems", "unevaluatedProperties":
			w.add(n.schema(item))
		case "maxItems":
			count, ok := item.Decimal().Int64()
			if !ok || count > full {
				count = full
			}
			w.add(weight{bytes: int64(len(item.String())), items: max(0, count)})
		default:
			w.add(weight{bytes: int64(len(item.String()))})
		}
	}
	w.add(weight{bytes: max(0, members-1)})
	return w
}

func (n *inliner) target(pointer string, s value.Value) weight {
	if w, ok := n.known[pointer]; ok {
		return w
	}
	if n.active[pointer] {
		return weight{full, full}
	}
	n.active[pointer] = true
	w := n.schema(s)
	n.active[pointer] = false
	n.known[pointer] = w
	return w
}
