package lowering

import "github.com/promptd/promptd/internal/value"

// Rule R4: a provider that answers with objects alone gets any other root as the one member of an object.

// rootName is the member that holds the caller's value.
const rootName = "result"

// rootWrap is the codec of a wrapped root.
type rootWrap struct{ inner node }

func (w *rootWrap) translate(d direction, v value.Value) (value.Value, bool, error) {
	if d == toProvider {
		out, _, err := translate(w.inner, d, v)
		return value.Object(value.Member{Name: rootName, Value: out}), true, err
	}
	inner, ok := v.Get(rootName)
	if !ok || v.Len() != 1 {
		// A model that forgot the wrapper answered in the caller's shape.
		return translate(w.inner, d, v)
	}
	out, _, err := translate(w.inner, d, inner)
	return out, true, err
}

func (w *rootWrap) plain(map[node]bool) bool { return false }

// onlyObjects reports whether a schema surely refuses everything but objects. It looks no deeper than it can be sure.
func onlyObjects(root, s value.Value, depth int) bool {
	if depth > 8 || s.Kind() != value.KindObject {
		return false
	}
	if kind, ok := s.Get("type"); ok {
		return kind.Text() == "object" || kind.Len() == 1 && kind.At(0).Text() == "object"
	}
	if c, ok := s.Get("const"); ok {
		return c.Kind() == value.KindObject
	}
	if target, ok := s.Get("$ref"); ok {
		if at, ok := localPointer(root, target.Text()); ok {
			if found, ok := root.Lookup(at); ok && onlyObjects(root, found, depth+1) {
				return true
			}
		}
	}
	if all, ok := s.Get("allOf"); ok {
		for _, branch := range all.Items() {
			if onlyObjects(root, branch, depth+1) {
				return true
			}
		}
	}
	for _, name := range [...]string{"anyOf", "oneOf"} {
		if any, ok := s.Get(name); ok && any.Len() > 0 {
			every := true
			for _, branch := range any.Items() {
				every = every && onlyObjects(root, branch, depth+1)
			}
			if every {
				return true
			}
		}
	}
	return false
}

// wrapShown wraps a schema that is not lowered: for a forced tool and for the prompt. Its local references are set below the new root.
func wrapShown(s value.Value) value.Value {
	const place = "/properties/" + rootName
	s = rewrite(s, func(node value.Value) value.Value {
		if ref, ok := node.Get("$ref"); ok && len(ref.Text()) > 0 && ref.Text()[0] == '#' {
			if text := ref.Text(); text == "#" || text[1] == '/' {
				return node.With("$ref", value.String("#"+place+text[1:]))
			}
		}
		return node
	})
	return closedObject([]value.Member{{Name: rootName, Value: s}}, "")
}
