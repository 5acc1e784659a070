package lowering

import (
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// asOpenAPI writes null as a flag, and nothing beside alternatives, as OpenAPI 3.0 has it.
func asOpenAPI(s value.Value) value.Value {
	s = rewrite(s, func(n value.Value) value.Value {
		branches, ok := n.Get("anyOf")
		if !ok {
			return n
		}
		words, _ := n.Get("description")
		var kept []value.Value
		null := false
		for _, b := range branches.Items() {
			if isNull(b) {
				null = true
				continue
			}
			kept = append(kept, b)
		}
		for i, b := range kept {
			if own, ok := b.Get("description"); words.Text() != "" && !hasAny(b, "anyOf") && (!ok || len(kept) == 1) {
				b = withDescription(b, strings.TrimSpace(words.Text()+" "+own.Text()))
			}
			if inner, ok := b.Get("anyOf"); ok && null { // Nothing stands beside alternatives: the first of them may be null.
				b = b.With("anyOf", inner.WithAt(0, inner.At(0).With("nullable", value.Bool(true))))
			} else if null {
				b = b.With("nullable", value.Bool(true))
			}
			kept[i] = b
		}
		switch len(kept) {
		case 0:
			return typed("null")
		case 1:
			return kept[0]
		default:
			return value.Object(value.Member{Name: "anyOf", Value: value.Array(kept...)})
		}
	})
	return rewrite(s, func(n value.Value) value.Value {
		if !isNull(n) {
			return n
		}
		return n.With("type", value.String("string")).With("nullable", value.Bool(true))
	})
}

func isNull(s value.Value) bool {
	kind, _ := s.Get("type")
	return kind.Text() == "null"
}
