package lowering

import (
	"errors"
	"slices"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// Lower fits a schema to the strongest form of the profile that it fits. It gives the same bytes for the same arguments.
func Lower(s *schema.Schema, p Profile) Lowered {
	l, _ := Explain(s).Lower(p)
	return l
}

// misfit says why a schema does not fit a form.
type misfit struct {
	pointer string
	reason  string
	near    bool // not much is too much
}

func (m *misfit) Error() string {
	if m.pointer == "" {
		return m.reason
	}
	return m.reason + " at " + m.pointer
}

// maxUnrolled is how often recursion is unrolled at most.
const maxUnrolled = 4

// maxLows bounds the size of what is sent.
const maxLows = 20_000

// lowerTo fits a schema in normal form to a form that enforces; the error is a misfit.
func lowerTo(s *schema.Schema, n *normalizer, root *typ, f form) (Lowered, error) {
	if root.refuses() {
		return Lowered{}, &misfit{reason: "a schema that nothing satisfies"}
	}
	var cycles recursion
	levels := 0
	if !f.subset.recursion {
		if cycles = findRecursion(root); cycles.groups > 0 {
			levels = maxUnrolled
		}
	}
	for {
		l, err := fitted(s, n, root, f, cycles, levels, false)
		var no *misfit
		if errors.As(err, &no) && no.near { // Without descriptions it may do.
			l, err = fitted(s, n, root, f, cycles, levels, true)
		}
		if err == nil || levels == 0 {
			return l, err
		}
		levels /= 2
	}
}

// leastText is the shortest text of a low: {"type":"null"}.
const leastText = 15

func fitted(s *schema.Schema, n *normalizer, root *typ, form form, cycles recursion, levels int, bare bool) (Lowered, error) {
	f := &fitter{
		subset: &form.subset, norm: n, heads: cycles.heads, group: cycles.group, unroll: levels, lows: map[lowKey]*low{}, comparison: comparison{maxCompared},
	}
	top := f.fit(root, levels)
	if len(f.order) > maxLows {
		return Lowered{}, &misfit{reason: "too large a schema"}
	}
	f.settle(top)
	for _, l := range f.order {
		l.shape = nil
	}
	f.trimLists()
	f.trimItems(top)
	f.decide(top)
	may := refusing(f.order)
	for _, l := range f.unions {
		if u, ok := l.node.(*unionNode); ok {
			u.flat = !f.changes[l]
			u.sure = u.flat && !may[l]
		}
	}
	freeze(top, map[*low]bool{})
	w := newWriter(f.subset, top, bare)
	if f.subset.inline || f.subset.bytes > 0 {
		size := w.spread()
		if f.subset.bytes > 0 && size > f.subset.bytes/leastText {
			return Lowered{}, &misfit{reason: "too long a text"}
		}
		if size > maxLows {
			return Lowered{}, &misfit{reason: "too large a schema without references"}
		}
	}
	sent := w.document()
	if err := f.subset.fits(sent); err != nil {
		return Lowered{}, err
	}
	l := Lowered{Schema: sent, capped: sent, Mode: form.mode, Caps: form.caps, codec: top.node, lows: len(f.order), Narrowed: f.narrowed}
	if w.wrapped() {
		l.codec = &rootNode{top}
	}
	if form.caps != (Caps{}) {
		l.capped = withCaps(sent, form.caps)
	}
	if form.subset.spans {
		l.marked()
	}
	if form.subset.quiet {
		l.Shown = quiet(s.Value())
	}
	f.account(&l, s, top)
	return l, nil
}

// spread gives the count of lows when all references are written out.
func (w *writer) spread() int {
	total := 0
	for l, n := range (&fitter{}).times(w.root) {
		total = min(endless, total+n*(1+len(l.values)))
	}
	return total
}

// account gathers the residue in the schema's order, and what became JSON text.
func (f *fitter) account(l *Lowered, s *schema.Schema, root *low) {
	order := map[string]int{}
	for i, pointer := range s.Order() {
		order[pointer] = i
	}
	seen := map[*low]bool{}
	type said struct{ pointer, keyword string }
	known := map[said]bool{}
	var visit func(x *low)
	visit = func(x *low) {
		if seen[x] {
			return
		}
		seen[x] = true
		for _, r := range x.left {
			if at := (said{r.Pointer, r.Keyword}); !known[at] {
				known[at] = true
				l.Residue = append(l.Residue, r)
			}
		}
		if x.typ != nil && x.form != linkForm && x.form != unionForm && x.typ != f.norm.open && !f.isFree(x.typ) {
			l.Typed++
			if x.form == textForm {
				l.Texts = append(l.Texts, x.typ.places[0].Pointer())
			}
		}
		for _, c := range x.children() {
			visit(c)
		}
	}
	visit(root)
	slices.SortStableFunc(l.Residue, func(a, b Residue) int { return order[a.Pointer] - order[b.Pointer] })
	slices.Sort(l.Texts)
}

// unenforced is the form of modes in which nothing is enforced but, where wanted, that the root is an object.
func unenforced(s value.Value, f form) Lowered {
	l := Lowered{Mode: f.mode, Shown: quiet(s)}
	if f.fit != inPrompt && !onlyObjects(s, s, 0) {
		l.Shown = wrapShown(l.Shown)
		l.codec = &rootNode{&low{}}
	}
	return l
}

// guiding sends the schema as the caller wrote it.
func guiding(s value.Value, f form) Lowered {
	l := unenforced(s, f)
	l.Schema, l.Shown = l.Shown, value.Null()
	l.capped = l.Schema
	return l
}

// quiet takes off a schema's root what says nothing to a model (rule R19).
func quiet(s value.Value) value.Value {
	for _, name := range [...]string{"$schema", "$comment"} {
		if _, ok := s.Get(name); ok {
			s = s.Without(name)
		}
	}
	return s
}
