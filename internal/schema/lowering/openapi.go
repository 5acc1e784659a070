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
			if null {
				b = orNull(b)
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

// orNull lets a schema be null too. Nothing stands beside alternatives, so there the first of them may be.
func orNull(s value.Value) value.Value {
	if branches, ok := s.Get("anyOf"); ok {
		return s.With("anyOf", branches.WithAt(0, orNull(branches.At(0))))
	}
	return s.With("nullable", value.Bool(true))
}

func isNull(s value.Value) bool {
	kind, _ := s.Get("type")
	return kind.Text() == "null"
}
