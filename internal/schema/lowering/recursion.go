package lowering

// Rule R9: where a dialect has no recursion, types that lead back to themselves are unrolled to a depth, and are JSON texts below it.

// parts gives the types that a type is made of.
func (t *typ) parts() (list []*typ) {
	add := func(x *typ) {
		if x != nil {
			list = append(list, x)
		}
	}
	add(t.link)
	for _, a := range t.alts {
		add(a.typ)
	}
	for _, m := range t.members {
		add(m.typ)
	}
	for _, p := range t.patterns {
		add(p.typ)
	}
	for _, x := range t.tuple {
		add(x)
	}
	add(t.rest)
	add(t.further)
	return list
}

// recursion finds the groups of types that lead to each other, and in them the heads: every way round passes one.
type recursion struct {
	index, low map[*typ]int
	stack      []*typ
	onStack    map[*typ]bool
	group      map[*typ]int
	heads      map[*typ]bool
	path       map[*typ]bool
	groups     int
}

func findRecursion(root *typ) recursion {
	r := recursion{
		index: map[*typ]int{}, low: map[*typ]int{}, onStack: map[*typ]bool{}, group: map[*typ]int{}, heads: map[*typ]bool{}, path: map[*typ]bool{},
	}
	r.visit(root)
	return r
}

// visit is Tarjan's search for strongly connected components; the types on the way that are met again are heads.
func (r *recursion) visit(t *typ) {
	r.index[t] = len(r.index) + 1
	r.low[t] = r.index[t]
	r.stack = append(r.stack, t)
	r.onStack[t], r.path[t] = true, true
	loop := false
	for _, c := range t.parts() {
		if c == t {
			loop = true
		}
		if r.index[c] == 0 {
			r.visit(c)
			r.low[t] = min(r.low[t], r.low[c])
		} else if r.onStack[c] {
			r.low[t] = min(r.low[t], r.index[c])
		}
		if r.path[c] {
			r.heads[c] = true
		}
	}
	r.path[t] = false
	if r.low[t] != r.index[t] {
		return
	}
	size := 0
	for i := len(r.stack) - 1; r.stack[i] != t; i-- {
		size++
	}
	cyclic := size > 0 || loop
	if cyclic {
		r.groups++
	}
	for {
		x := r.stack[len(r.stack)-1]
		r.stack = r.stack[:len(r.stack)-1]
		r.onStack[x] = false
		if cyclic {
			r.group[x] = r.groups
		}
		if x == t {
			return
		}
	}
}
