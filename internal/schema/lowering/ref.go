package lowering

import (
	"net/url"
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// Rule R8: references. Every local target becomes a definition of the lowered schema, wherever it lay; recursion goes through it.

// definition is a schema that is referred to.
type definition struct {
	pointer string // in the caller's schema
	name    string // in the lowered one
	done    bool
	schema  value.Value
	node    node
	shape   *shape
}

// refNode is the codec of a reference: that of its target, which may still be in the making.
type refNode struct{ target *definition }

func (r *refNode) translate(d direction, v value.Value) (value.Value, bool, error) {
	return translate(r.target.node, d, v)
}

func (r *refNode) plain(seen map[node]bool) bool { return plain(r.target.node, seen) }

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

// definitionName gives a name for a target: its own where it is simple, made unique.
func definitionName(pointer string, taken map[string]bool) string {
	name := "root"
	if tokens, ok := value.Tokens(pointer); ok && len(tokens) > 0 {
		name = tokens[len(tokens)-1]
	}
	simple := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' || r == '.' {
			return r
		}
		return '_'
	}, name)
	if simple == "" {
		simple = "def"
	}
	unique := simple
	for n := 2; taken[unique]; n++ {
		unique = simple + "_" + itoa(n)
	}
	taken[unique] = true
	return unique
}

func refTo(name string) value.Value {
	return value.Object(value.Member{Name: "$ref", Value: value.String("#/$defs/" + name)})
}
