package lowering

import "github.com/promptd/promptd/internal/value"

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

// property writes a member as it travels.
func (w *writer) property(p *prop) value.Value {
	var s value.Value
	switch p.travel {
	case nullable:
		s = w.place(p.low)
		if isUnion(s) && w.inside == 0 { // It is counted already.
			w.unions--
		}
		s = w.counted(w.nullable(s), func() string { return p.sent })
	case wrapped:
		w.depth++
		inner := w.place(p.low)
		w.depth--
		s = w.counted(w.wrapper(inner), func() string { return p.sent })
	default:
		s = w.place(p.low)
	}
	if p.note != "" && !w.bare && !hasAny(s, "$ref") {
		d, _ := s.Get("description")
		s = withDescription(s, sentence(d.Text(), p.note+"."))
	}
	return s
}

// wrapper is the lowered schema of a wrapped property.
func (w *writer) wrapper(s value.Value) value.Value {
	description, _ := s.Get("description")
	s = s.Without("description")
	inner := w.closing(value.Object(
		value.Member{Name: "type", Value: value.String("object")},
		value.Member{Name: "properties", Value: value.Object(value.Member{Name: wrapperName, Value: s})},
		value.Member{Name: "required", Value: value.Array(value.String(wrapperName))}))
	out := value.Object(value.Member{Name: "anyOf", Value: value.Array(typed("null"), inner)})
	if w.bare {
		return out
	}
	said := "null where absent, else an object with the value, which may be null."
	if text := description.Text(); text != "" {
		said = text + " (" + said + ")"
	}
	return withDescription(out, said)
}

// nullable is the lowered schema of a property for which null stands for absence.
func (w *writer) nullable(s value.Value) value.Value {
	kind, hasKind := s.Get("type")
	if hasKind && w.typeLists && !hasAny(s, "enum", "const") {
		switch {
		case kind.Kind() == value.KindArray:
			return s.With("type", appended(kind, value.String("null")))
		case kind.Text() != "object" && kind.Text() != "array":
			return s.With("type", value.Array(kind, value.String("null")))
		}
	}
	if branches, ok := s.Get("anyOf"); ok {
		return s.With("anyOf", appended(branches, typed("null")))
	}
	members := make([]value.Member, 0, 2)
	if description, ok := s.Get("description"); ok {
		members = append(members, value.Member{Name: "description", Value: description})
		s = s.Without("description")
	}
	members = append(members, value.Member{Name: "anyOf", Value: value.Array(s, typed("null"))})
	return value.Object(members...)
}
