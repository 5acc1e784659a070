package lowering

import "github.com/promptd/promptd/internal/value"

// Rules R5 and R18: oneOf becomes anyOf, and that only one alternative may apply is judged afterwards, unless they exclude each other anyway.
// Alternatives that nothing satisfies are dropped.

// union lowers anyOf and oneOf.
func (c *closer) union(s value.Value, at, keyword string, branches value.Value) (piece, error) {
	if !onlyAnnotated(s, keyword) {
		return piece{}, c.misfit(at, "keywords beside "+keyword)
	}
	u := &union{}
	var schemas []value.Value
	for i, b := range branches.Items() {
		if b.Kind() == value.KindBool && !b.Truth() {
			continue
		}
		p, err := c.place(b, value.AppendIndex(at+"/"+keyword, i))
		if err != nil {
			return piece{}, err
		}
		schemas = append(schemas, p.schema)
		u.shapes, u.nodes = append(u.shapes, p.shape), append(u.nodes, p.node)
	}
	if len(schemas) == 0 {
		return piece{}, c.misfit(at, "alternatives that nothing satisfies")
	}
	var left []Residue
	if keyword == "oneOf" && !c.exclusive(u) {
		left = []Residue{{Pointer: at, Keyword: keyword, Value: branches}}
		c.residue = append(c.residue, left...)
	}
	c.unions = append(c.unions, u)
	schema := withDescription(value.Object(value.Member{Name: "anyOf", Value: value.Array(schemas...)}), describe(s, left))
	return piece{schema: schema, node: u, shape: &shape{anyOf: u.shapes}}, nil
}

// exclusive reports whether no value can satisfy two alternatives. Definitions still in the making count as overlapping.
func (c *closer) exclusive(u *union) bool {
	for i, a := range u.shapes {
		if !a.finished(0) {
			return false
		}
		for _, b := range u.shapes[:i] {
			if !c.comparison.disjoint(a, b) {
				return false
			}
		}
	}
	return true
}

// finished reports whether all that a shape refers to in place is known.
func (s *shape) finished(depth int) bool {
	if s == nil || depth > 32 {
		return false
	}
	if s.target != nil {
		return s.target.shape.finished(depth + 1)
	}
	for _, b := range s.anyOf {
		if !b.finished(depth + 1) {
			return false
		}
	}
	return true
}
