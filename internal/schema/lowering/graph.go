package lowering

import (
	"context"
	"slices"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// low is the lowered form of a type for one subset: what is sent, and the codec of it. Lows form a graph as types do.
type low struct {
	form  lowForm
	typ   *typ
	level int // how often recursion may still come back to here

	kinds   []string // of a scalar
	values  []value.Value
	labels  bool // values are sent as texts
	asserts []value.Member
	items   *low
	first   []*low // items of a tuple that is sent as such
	ends    bool   // nothing behind them
	props   []prop
	further *low // members that are not named, where those are sent as such
	open    openness
	pattern []patterned
	alts    []*low
	tests   []func(value.Value) bool // which alternative a value of the caller's belongs to
	tagged  []string                 // names of the alternatives where they stand in objects of one member
	target  *low                     // of a link
	said    saying
	note    string // how the form is to be read
	left    []Residue

	node  node
	shape *shape
	name  string
	uses  int
}

type lowForm uint8

const (
	scalarForm lowForm = iota
	listForm           // listed values
	textForm           // JSON text of a value
	freeForm           // any value at all
	arrayForm
	objectForm
	unionForm
	linkForm
)

// openness is what a lowered object says of members that it does not name.
type openness uint8

const (
	closedMembers openness = iota
	silentMembers
	openMembers
	furtherMembers
)

// prop is a member of a lowered object.
type prop struct {
	name     string // the caller's
	sent     string
	low      *low
	required bool // by the caller
	optional bool // sent as optional
	travel   travel
	note     string
	// meant tells, of a member that only conditions name, whether a value is as they have it; others cannot be given.
	meant func(value.Value) bool
}

type patterned struct {
	pattern string
	low     *low
	names   func(name string) bool
}

// fitter makes lows for one subset.
type fitter struct {
	*subset
	norm     *normalizer
	heads    map[*typ]bool
	group    map[*typ]int
	unroll   int
	lows     map[lowKey]*low
	order    []*low
	any      *low
	narrowed []Narrowing
	unions   []*low
	changes  map[*low]bool // what a codec changes, itself or in its parts
	comparison
}

type lowKey struct {
	typ   *typ
	level int
}

// fit gives the low of a type; level is how often recursion may still come back within the group of types at hand.
func (f *fitter) fit(t *typ, level int) *low {
	key := lowKey{t, level}
	if l, ok := f.lows[key]; ok {
		return l
	}
	l := &low{typ: t, level: level, said: t.said, left: slices.Clone(t.left)}
	f.lows[key] = l
	f.order = append(f.order, l)
	switch {
	case t.refuses():
		f.text(l, "") // Nothing satisfies it; where that shows only later than the object around it is made, it is judged.
	case t.link != nil:
		f.link(l)
	case len(t.alts) > 0:
		f.alternatives(l)
	case t.listed:
		f.list(l)
	case f.isFree(t):
		f.free(l)
	default:
		f.kinds(l)
		if t.implied {
			l.node = &guardNode{inner: l.node, kinds: t.kinds}
		}
	}
	return l
}

// refuses reports whether nothing satisfies a type, followed through its links: they may be made before what they lead to is known.
func (t *typ) refuses() bool {
	for i := 0; t.link != nil && i < 64; i++ {
		t = t.link
	}
	return t.never || t.link == nil && len(t.alts) == 0 && t.kinds == 0
}

// below gives the low of a type within another one.
func (f *fitter) below(l *low, t *typ) *low {
	level := f.unroll
	if !f.recursion && f.group[t] != 0 && l.typ != nil && f.group[t] == f.group[l.typ] {
		level = l.level
		if f.heads[t] {
			if level--; level < 0 {
				return f.cutOff(t)
			}
		}
	}
	return f.fit(t, level)
}

// cutOff ends recursion: below it values are JSON texts (rule R9).
func (f *fitter) cutOff(t *typ) *low {
	key := lowKey{t, -1}
	if l, ok := f.lows[key]; ok {
		return l
	}
	l := &low{typ: t, level: -1}
	f.lows[key] = l
	f.order = append(f.order, l)
	f.text(l, "nested deeper")
	if !f.isFree(t) && t.kinds != 0 {
		l.left = append(l.left, Residue{t.places[0].Pointer(), "type", typeValue(t.kinds.names(t.whole))})
	}
	return l
}

// text makes a low a JSON text (rule R10).
func (f *fitter) text(l *low, what string) {
	l.form, l.node = textForm, &textNode{}
	l.note = "JSON text of the value"
	if what != "" {
		l.note = "JSON text of the value, " + what
	}
}

func (f *fitter) link(l *low) {
	l.form, l.target = linkForm, f.below(l, l.typ.link)
	l.node = &linkNode{l.target}
}

// alternatives makes a union (rules R5 and R7).
func (f *fitter) alternatives(l *low) {
	for _, a := range l.typ.alts {
		if a.typ.refuses() {
			continue
		}
		l.alts = append(l.alts, f.below(l, a.typ))
		l.tests = append(l.tests, accepts(a.test))
	}
	f.union(l)
}

func (f *fitter) union(l *low) {
	if len(l.alts) == 0 {
		f.text(l, "")
		return
	}
	if len(l.alts) == 1 {
		l.form, l.target, l.node = linkForm, l.alts[0], &linkNode{l.alts[0]}
		return
	}
	l.form = unionForm
	l.node = &unionNode{low: l}
	f.unions = append(f.unions, l)
}

func accepts(p schema.Place) func(value.Value) bool {
	return func(v value.Value) bool { return p.Accepts(context.Background(), v) }
}

// isFree reports whether a type allows any value.
func (f *fitter) isFree(t *typ) bool {
	return t.kinds == everyKind && !t.whole && len(t.asserts) == 0 && len(t.members) == 0 && len(t.patterns) == 0 && t.names == nil && t.further == nil && !t.closed &&
		len(t.tuple) == 0 && t.rest == nil && !t.ends
}

// free makes a low of a type that allows any value.
func (f *fitter) free(l *low) {
	switch f.anything {
	case anyNative:
		l.form = freeForm
	case anyTree:
		any := f.tree()
		l.form, l.target, l.node = linkForm, any, &linkNode{any}
	default:
		f.text(l, "of any kind")
	}
}

// tree is the low of any value where recursion is allowed: every kind, objects as their members.
func (f *fitter) tree() *low {
	if f.any != nil {
		return f.any
	}
	f.any = &low{form: unionForm, name: "json", said: saying{description: "Any JSON value; an object is given by its members."}}
	items := &low{form: arrayForm, items: f.any}
	pair := &low{form: objectForm, props: []prop{
		{name: pairKey, sent: pairKey, low: &low{form: scalarForm, kinds: []string{"string"}}, required: true},
		{name: pairValue, sent: pairValue, low: f.any, required: true},
	}}
	members := &low{form: objectForm, props: []prop{{name: treeMembers, sent: treeMembers, low: &low{form: arrayForm, items: pair}, required: true}}}
	f.any.alts = []*low{
		{form: scalarForm, kinds: []string{"string"}},
		{form: scalarForm, kinds: []string{"number"}},
		{form: scalarForm, kinds: []string{"boolean"}},
		{form: scalarForm, kinds: []string{"null"}},
		items, members,
	}
	f.any.node = &treeNode{}
	return f.any
}

// kinds makes a low of a type that says its kinds.
func (f *fitter) kinds(l *low) {
	t := l.typ
	if t.implied {
		f.narrow(t, Narrowing{Keyword: "type", Kinds: t.kinds.names(t.whole)})
	}
	var scalars []string
	for _, name := range t.kinds.names(t.whole) {
		if name != "object" && name != "array" {
			scalars = append(scalars, name)
		}
	}
	complex := t.kinds & kindsOf("object", "array")
	switch {
	case complex == 0:
		f.scalar(l, scalars)
	case complex == t.kinds && complex == kindsOf("object"):
		f.object(l)
	case complex == t.kinds && complex == kindsOf("array"):
		f.array(l)
	default:
		f.split(l, scalars, complex)
	}
}

// split gives objects, arrays and scalars an alternative each: their keywords belong to them alone.
func (f *fitter) split(l *low, scalars []string, complex kinds) {
	part := func(k kinds, fill func(*low)) {
		p := &low{typ: l.typ, level: l.level}
		f.order = append(f.order, p)
		fill(p)
		l.alts = append(l.alts, p)
		l.tests = append(l.tests, func(v value.Value) bool { return k.has(v.Kind()) })
	}
	if complex&kindsOf("object") != 0 {
		part(kindsOf("object"), f.object)
	}
	if complex&kindsOf("array") != 0 {
		part(kindsOf("array"), f.array)
	}
	if len(scalars) > 0 {
		part(kindsOf(scalars...), func(p *low) { f.scalar(p, scalars) })
	}
	f.union(l)
}

// narrow notes that right answers of a kind that is hardly ever meant cannot be given.
func (f *fitter) narrow(t *typ, n Narrowing) {
	n.Pointer = t.places[0].Pointer()
	if !slices.ContainsFunc(f.narrowed, func(o Narrowing) bool { return o.Pointer == n.Pointer && o.Keyword == n.Keyword }) {
		f.narrowed = append(f.narrowed, n)
	}
}

// list makes a low of listed values (rules R11 and R11b).
func (f *fitter) list(l *low) {
	t := l.typ
	l.form, l.values = listForm, t.values
	for _, a := range t.asserts {
		l.left = append(l.left, a.origin)
	}
	var have kinds
	for _, v := range t.values {
		have |= 1 << v.Kind()
	}
	containers := have&kindsOf("object", "array") != 0
	switch {
	case have == kindsOf("null"):
		f.scalar(l, []string{"null"})
		return
	case f.lists == listAny || f.lists == listScalars && !containers:
		return
	case f.lists == listStringsNumbers && (have == kindsOf("string") || have == kindsOf("number")), f.lists == listStrings && have == kindsOf("string"):
		if !slices.ContainsFunc(t.values, func(v value.Value) bool { return v.Kind() == value.KindString && v.Text() == "" }) || !f.emptyless {
			return
		}
	case have == kindsOf("boolean") && len(t.values) == 2:
		l.form, l.kinds = scalarForm, []string{"boolean"}
		return
	}
	l.labels = true
	l.node = newLabels(t.values)
}
