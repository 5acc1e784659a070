package lowering

import (
	"net/url"
	"strings"

	"github.com/promptd/promptd/internal/value"
)

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
	s = below(s, "/properties/"+rootName)
	return closedObject([]value.Member{{Name: rootName, Value: s}}, "")
}

// below sets a schema's local references to a place below another root.
func below(s value.Value, place string) value.Value {
	return rewrite(s, func(node value.Value) value.Value {
		if ref, ok := node.Get("$ref"); ok && len(ref.Text()) > 0 && ref.Text()[0] == '#' {
			if text := ref.Text(); text == "#" || text[1] == '/' {
				return node.With("$ref", value.String("#"+place+text[1:]))
			}
		}
		return node
	})
}

// localPointer gives the JSON pointer that a reference means within its own document.
func localPointer(root value.Value, ref string) (string, bool) {
	for _, name := range [...]string{"$id", "id"} {
		if id, ok := root.Get(name); ok && id.Text() != "" {
			ref = strings.TrimPrefix(ref, strings.TrimSuffix(id.Text(), "#"))
		}
	}
	fragment, ok := strings.CutPrefix(ref, "#")
	if !ok && ref != "" {
		return "", false
	}
	pointer, err := url.PathUnescape(fragment)
	if err != nil || pointer != "" && pointer[0] != '/' {
		return "", false
	}
	return pointer, true
}
