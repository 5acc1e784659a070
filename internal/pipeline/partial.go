package pipeline

import (
	"context"

	"github.com/promptd/promptd/internal/repair"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/missing"
	"github.com/promptd/promptd/internal/value"
)

// partial is what a stream shows before the answer is judged: fields that are complete, raised, coerced and valid by themselves. What was shown is
// frozen: a later snapshot holds every earlier value unchanged, and an answer that does not is refused.
//
// Of an answer that passes every snapshot is a part already, so that freezing costs nothing: the reader shows what is complete, raising leaves out what
// may yet change, and the schema's parts tell what the whole will keep. Only answers that do not have the form asked for can contradict themselves.
type partial struct {
	resolved
	plan  *plan
	read  *repair.Stream
	root  *schema.Part
	shown value.Value
	any   bool
	count int // scalars and finished containers shown
	// frozen is what earlier attempts have shown: the one under way may fill only the rest.
	frozen   value.Value
	isFrozen bool
}

func newPartial(r resolved) *partial { return &partial{resolved: r} }

// begin starts reading an attempt's text.
func (p *partial) begin(a planned) {
	p.plan = a.plan
	p.frozen, p.isFrozen = p.shown, p.any
	p.read = repair.NewStream(repair.Hints{Schema: a.plan.shape})
	p.root = p.schema.Unfinished(p.prompt.Options.Coercion)
}

// add reads a piece of text and shows what is new.
func (p *partial) add(ctx context.Context, text string) error {
	p.read.Write(text)
	snapshot, ok := p.read.Snapshot()
	if !ok {
		return ctx.Err()
	}
	raised, ok := p.plan.lowered.RaisePart(snapshot)
	if ok && p.form != nil {
		raised, ok = missing.Begun(snapshot, raised)
	}
	if !ok {
		return ctx.Err() // Not yet in a shape that can be shown.
	}
	if p.isFrozen {
		raised, _ = over(raised, p.frozen, "", nil)
	}
	valid, ok, _ := p.fields(ctx, p.root, raised, p.shown, p.any)
	if !ok || p.any && !holds(valid, p.shown) {
		return ctx.Err()
	}
	n := leaves(valid)
	if n <= p.count {
		return ctx.Err()
	}
	p.shown, p.any, p.count = valid, true, n
	return p.emit(Event{Partial: &valid})
}

// fields keeps what of an incomplete value may be shown, and gives it as it will be. The containers on the way are incomplete by nature, so only what
// they hold is judged. What was shown in the place, if known says that something was, stays and is not judged again; fresh tells that the outcome holds
// more. An empty container is shown, too: it says the kind, and what comes later finds its place.
func (p *partial) fields(ctx context.Context, at *schema.Part, v, shown value.Value, known bool) (out value.Value, ok, fresh bool) {
	container := isContainer(v)
	switch {
	case known && (!container || shown.Kind() != v.Kind()):
		return shown, true, false
	case !container && at.Root():
		return v, false, false // It is the whole answer, and the result is due.
	case !container:
		out, ok = at.Field(ctx, v)
		return out, ok, ok
	case !known && !at.MayHold(v.Kind()):
		return v, false, false
	}
	at.Holds(v)
	k := part{shown: shown, fresh: !known}
	if v.Kind() == value.KindArray {
		p.items(ctx, at, v, &k)
	} else {
		p.members(ctx, at, v, &k)
	}
	if !k.fresh && k.n == shown.Len() {
		return shown, true, false
	}
	k.copies()
	if v.Kind() == value.KindObject {
		return value.Object(k.list...), true, true
	}
	items := make([]value.Value, len(k.list))
	for i := range k.list {
		items[i] = k.list[i].Value
	}
	return value.Array(items...), true, true
}

func isContainer(v value.Value) bool {
	return v.Kind() == value.KindObject || v.Kind() == value.KindArray
}

func (p *partial) members(ctx context.Context, at *schema.Part, v value.Value, k *part) {
	earlier := byName{v: k.shown}
	for i := range v.Len() {
		name, item := v.NameAt(i), v.At(i)
		was, known := earlier.get(name)
		if known && !isContainer(item) {
			k.add(name, was, false) // As most of them are: no need to ask what judges the place.
		} else if child, ok, fresh := p.fields(ctx, at.Member(name), item, was, known); ok {
			k.add(name, child, fresh)
		}
	}
}

func (p *partial) items(ctx context.Context, at *schema.Part, v value.Value, k *part) {
	for i := range v.Len() {
		var was value.Value
		known := i < k.shown.Len()
		if known {
			was = k.shown.At(i)
		}
		if known && !isContainer(v.At(i)) {
			k.add("", was, false)
		} else if child, ok, fresh := p.fields(ctx, at.Item(i), v.At(i), was, known); ok {
			k.add("", child, fresh)
		} else {
			return // A gap would shift what follows.
		}
	}
}

// part gathers what is shown of a container. As long as that is what was shown before nothing is copied.
type part struct {
	shown value.Value
	n     int
	fresh bool // it is not, from some place on
	list  []value.Member
}

// add takes the next member or item.
func (k *part) add(name string, v value.Value, fresh bool) {
	if !k.fresh && !fresh && k.n < k.shown.Len() && k.shown.NameAt(k.n) == name {
		k.n++
		return
	}
	k.copies()
	k.list = append(k.list, value.Member{Name: name, Value: v})
	k.n++
}

// copies takes over what was the same so far.
func (k *part) copies() {
	if k.list != nil {
		return
	}
	k.fresh = true
	k.list = make([]value.Member, k.n, k.shown.Len()+1)
	for i := range k.n {
		k.list[i] = value.Member{Name: k.shown.NameAt(i), Value: k.shown.At(i)}
	}
}
