package lowering

import (
	"slices"
	"strconv"
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// writer writes a graph of lows as a schema of one subset. What is used twice, leads back to itself or nests too deep becomes a definition.
type writer struct {
	*subset
	bare   bool // without descriptions
	root   *low
	names  names
	defs   []value.Member
	known  map[*low]string
	texts  map[string]string // names of definitions by their text
	depth  int
	unions int // written outside definitions
	inside int // how many definitions are being written
	cycles map[*low]bool
	weight map[*low]int
}

func newWriter(s *subset, root *low, bare bool) *writer {
	w := &writer{
		subset: s, root: root, bare: bare || s.quiet, names: names{}, known: map[*low]string{}, texts: map[string]string{}, cycles: map[*low]bool{},
		weight: map[*low]int{},
	}
	w.survey(root)
	return w
}

// survey counts how often each low is used and finds those that lead back to themselves.
func (w *writer) survey(root *low) {
	state := map[*low]int8{}
	var visit func(l *low)
	visit = func(l *low) {
		l.uses++
		switch state[l] {
		case 1:
			w.cycles[l.resolved()] = true // What a link leads to is what is written.
			return
		case 2:
			return
		}
		state[l] = 1
		weight := 1 + len(l.values)/4
		for _, c := range l.children() {
			visit(c)
			weight += w.weight[c]
		}
		w.weight[l] = min(weight, 1000)
		state[l] = 2
	}
	visit(root)
}

// document writes the whole.
func (w *writer) document() value.Value {
	root := w.root.resolved()
	var s value.Value
	if w.wrapped() {
		w.depth++
		inner := w.place(w.root)
		w.depth--
		s = w.closing(value.Object(
			value.Member{Name: "type", Value: value.String("object")},
			value.Member{Name: "properties", Value: value.Object(value.Member{Name: rootName, Value: inner})},
			value.Member{Name: "required", Value: value.Array(value.String(rootName))}))
	} else {
		if w.cycles[root] && w.rootRef {
			w.known[root] = "#"
		}
		if root.form == unionForm {
			w.unions++
		}
		s = w.body(root, w.spoken(w.root))
	}
	if len(w.defs) > 0 {
		slices.SortStableFunc(w.defs, func(a, b value.Member) int { return strings.Compare(a.Name, b.Name) })
		s = s.With("$defs", value.Object(w.defs...))
	}
	if w.openAPI {
		s = asOpenAPI(s)
	}
	return s
}

// wrapped reports whether the root stands in an object of one member (rule R4).
func (w *writer) wrapped() bool {
	root := w.root.resolved()
	if !w.object {
		return false
	}
	return root.form != objectForm || w.needs && !slices.ContainsFunc(root.props, func(p prop) bool { return !p.optional })
}

// spoken gives what is said at a low: its own words, or those of what it leads to.
func (w *writer) spoken(l *low) saying {
	s := l.said
	for i := 0; l.form == linkForm && i < 64; i++ {
		l = l.target
		if s.description == "" {
			s.description = l.said.description
		}
		if !s.hasFallback {
			s.fallback, s.hasFallback = l.said.fallback, l.said.hasFallback
		}
	}
	return s
}

// place writes a low where it is used: as it is, or as a reference.
func (w *writer) place(l *low) value.Value {
	target := l.resolved()
	if !w.defined(target) {
		return w.counted(w.body(target, w.spoken(l)), func() string { return nameOf(target) })
	}
	ref := w.reference(target)
	if own := w.words(l.said, nil, ""); l != target && own != "" && w.refSiblings {
		return withDescription(value.Object(value.Member{Name: "anyOf", Value: value.Array(ref)}), own)
	}
	return ref
}

// small is the weight up to which a low is written again rather than referred to.
const small = 3

// defined reports whether a low is a definition.
func (w *writer) defined(l *low) bool {
	if w.inline {
		return false
	}
	if w.known[l] != "" || w.cycles[l] {
		return true
	}
	return l.uses > 1 && w.weight[l] > small || w.nesting > 0 && l.form == objectForm && w.depth >= w.nesting
}

// reference gives a reference to a low's definition, which is written the first time.
func (w *writer) reference(l *low) value.Value {
	name, ok := w.known[l]
	if !ok {
		name = alias(nameOf(l), w.names)
		w.known[l] = name
		depth := w.depth
		w.depth = 0
		w.inside++
		s := w.body(l, w.spoken(l))
		w.inside--
		w.depth = depth
		w.defs = append(w.defs, value.Member{Name: name, Value: s})
	}
	if name == "#" {
		return value.Object(value.Member{Name: "$ref", Value: value.String("#")})
	}
	return refTo(name)
}

// nameOf gives a definition its name: the last word of its pointer that is one.
func nameOf(l *low) string {
	if l.name != "" {
		return l.name
	}
	if l.typ != nil && len(l.typ.places) > 0 {
		if tokens, ok := value.Tokens(l.typ.places[0].Pointer()); ok && len(tokens) > 0 {
			for i := len(tokens) - 1; i >= 0; i-- {
				if _, err := strconv.Atoi(tokens[i]); err != nil && roleOf(tokens[i]) == unknown {
					return tokens[i]
				}
			}
		}
		return "root"
	}
	return "def"
}

// counted keeps the unions outside definitions to what the subset allows: further ones become definitions.
func (w *writer) counted(s value.Value, name func() string) value.Value {
	if w.subset.unions == 0 || w.inside > 0 || !isUnion(s) {
		return s
	}
	if w.unions++; w.unions <= w.subset.unions {
		return s
	}
	return w.shared(s, name())
}

func isUnion(s value.Value) bool {
	kind, _ := s.Get("type")
	return hasAny(s, "anyOf") || kind.Kind() == value.KindArray
}

// shared makes a definition of a schema; equal ones share it.
func (w *writer) shared(s value.Value, name string) value.Value {
	text := s.String()
	known, ok := w.texts[text]
	if !ok {
		known = alias(name, w.names)
		w.texts[text] = known
		w.defs = append(w.defs, value.Member{Name: known, Value: s})
	}
	return refTo(known)
}

// words gives a description.
func (w *writer) words(s saying, left []Residue, note string) string {
	if w.bare {
		return ""
	}
	return describe(s, left, note)
}

// body writes a low.
func (w *writer) body(l *low, said saying) value.Value {
	words := w.words(said, l.left, l.note)
	switch l.form {
	case scalarForm:
		members := append([]value.Member{{Name: "type", Value: typeValue(l.kinds)}}, l.asserts...)
		return withDescription(value.Object(members...), words)
	case listForm:
		return w.list(l, words)
	case textForm:
		return withDescription(typed("string"), words)
	case freeForm:
		return withDescription(value.Object(), words)
	case arrayForm:
		return w.array(l, words)
	case objectForm:
		return w.objectBody(l, words)
	default:
		var branches []value.Value
		for i, a := range l.alts {
			if l.tagged != nil {
				w.depth++
			}
			b := w.place(a)
			if l.tagged != nil {
				w.depth--
				b = w.closing(value.Object(
					value.Member{Name: "type", Value: value.String("object")},
					value.Member{Name: "properties", Value: value.Object(value.Member{Name: l.tagged[i], Value: b})},
					value.Member{Name: "required", Value: value.Array(value.String(l.tagged[i]))}))
			}
			if !slices.ContainsFunc(branches, func(o value.Value) bool { return l.tagged == nil && value.Identical(o, b) }) {
				branches = append(branches, b)
			}
		}
		if len(branches) == 1 {
			d, _ := branches[0].Get("description")
			if words == "" || hasAny(branches[0], "$ref") {
				return branches[0]
			}
			return withDescription(branches[0], strings.TrimSpace(words+" "+d.Text()))
		}
		if merged, ok := w.foldEnums(branches); ok {
			return withDescription(merged, words)
		}
		return withDescription(value.Object(value.Member{Name: "anyOf", Value: value.Array(branches...)}), words)
	}
}

// foldEnums makes one enum of alternatives that are enums of one kind: some models answer outside the options otherwise.
func (w *writer) foldEnums(branches []value.Value) (value.Value, bool) {
	if !w.folds {
		return value.Value{}, false
	}
	var all []value.Value
	kind := ""
	for _, b := range branches {
		k, _ := b.Get("type")
		list, ok := b.Get("enum")
		if !ok || k.Kind() != value.KindString || kind != "" && k.Text() != kind {
			return value.Value{}, false
		}
		kind = k.Text()
		for _, v := range list.Items() {
			if !slices.ContainsFunc(all, func(o value.Value) bool { return value.Equal(o, v) }) {
				all = append(all, v)
			}
		}
	}
	return value.Object(value.Member{Name: "type", Value: value.String(kind)}, value.Member{Name: "enum", Value: value.Array(all...)}), true
}

func (w *writer) list(l *low, words string) value.Value {
	values := l.values
	if l.labels {
		values = nil
		for _, text := range l.node.(*labelNode).labels { //nolint:forcetypeassert // Labels have no other codec.
			values = append(values, value.String(text))
		}
	}
	var members []value.Member
	if kind, ok := commonKind(values); ok {
		members = append(members, value.Member{Name: "type", Value: value.String(kind)})
	}
	members = append(members, value.Member{Name: "enum", Value: value.Array(values...)})
	return withDescription(value.Object(members...), words)
}

func (w *writer) array(l *low, words string) value.Value {
	members := append([]value.Member{{Name: "type", Value: value.String("array")}}, l.asserts...)
	if l.first != nil {
		var first []value.Value
		for _, item := range l.first {
			first = append(first, w.place(item))
		}
		members = append(members, value.Member{Name: "prefixItems", Value: value.Array(first...)})
	}
	switch {
	case l.items != nil:
		if l.first == nil || l.items.form != freeForm {
			members = append(members, value.Member{Name: "items", Value: w.place(l.items)})
		}
	case l.ends:
		members = append(members, value.Member{Name: "items", Value: value.Bool(false)})
	}
	return withDescription(value.Object(members...), words)
}

func (w *writer) objectBody(l *low, words string) value.Value {
	w.depth++
	defer func() { w.depth-- }()
	var properties, patterns []value.Member
	var required []value.Value
	for i := range l.props {
		p := &l.props[i]
		properties = append(properties, value.Member{Name: p.sent, Value: w.property(p)})
		if !p.optional {
			required = append(required, value.String(p.sent))
		}
	}
	members := append([]value.Member{{Name: "type", Value: value.String("object")}}, l.asserts...)
	if len(properties) > 0 || !w.dictionaries {
		members = append(members, value.Member{Name: "properties", Value: value.Object(properties...)})
	}
	for _, p := range l.pattern {
		patterns = append(patterns, value.Member{Name: p.pattern, Value: w.place(p.low)})
	}
	if len(patterns) > 0 {
		members = append(members, value.Member{Name: "patternProperties", Value: value.Object(patterns...)})
	}
	if len(required) > 0 || !w.dictionaries && w.optional == 0 {
		members = append(members, value.Member{Name: "required", Value: value.Array(required...)})
	}
	s := withDescription(value.Object(members...), words)
	switch l.open {
	case closedMembers:
		return w.closing(s)
	case openMembers:
		return s.With("additionalProperties", value.Bool(true))
	case furtherMembers:
		if l.further.resolved().form == freeForm {
			return s.With("additionalProperties", value.Bool(true))
		}
		return s.With("additionalProperties", w.place(l.further))
	default:
		return s
	}
}

// closing says that an object has no other members.
func (w *writer) closing(s value.Value) value.Value {
	if w.openAPI {
		return w.ordered(s)
	}
	return w.ordered(s.With("additionalProperties", value.Bool(false)))
}

// ordered says the order of members to a dialect that sorts them otherwise.
func (w *writer) ordered(s value.Value) value.Value {
	if !w.ordering {
		return s
	}
	properties, _ := s.Get("properties")
	var names []value.Value
	for name := range properties.Members() {
		names = append(names, value.String(name))
	}
	if len(names) == 0 {
		return s
	}
	return s.With("propertyOrdering", value.Array(names...))
}
