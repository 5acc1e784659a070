package lowering

// settle decides how optional members travel: as such where the subset has them and room for them, else as null.
func (f *fitter) settle(root *low) {
	room := f.optional
	var times map[*low]int
	if room > 0 {
		times = f.times(root)
	}
	seen := map[*low]bool{}
	queue := []*low{root}
	for len(queue) > 0 {
		l := queue[0]
		queue = queue[1:]
		if seen[l] {
			continue
		}
		seen[l] = true
		need := 0
		for i := range l.props {
			if !l.props[i].required {
				need += times[l]
			}
		}
		native := f.optional < 0 || need > 0 && need <= room
		if native {
			room -= need
		}
		for i := range l.props {
			p := &l.props[i]
			if p.required {
				continue
			}
			switch {
			case native:
				p.optional = true
			case p.low.acceptsNull():
				p.travel = wrapped
			default:
				p.travel = nullable
			}
		}
		switch n := unguarded(l.node).(type) {
		case *objectNode:
			n.finish(l.props)
		case *tupleNode:
			n.props = l.props
		}
		queue = append(queue, l.children()...)
	}
}
