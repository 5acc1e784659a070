package pipeline

import (
	"context"

	"github.com/promptd/promptd/internal/repair"
	"github.com/promptd/promptd/internal/schema"
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
	if !ok {
		return ctx.Err() // Not yet in a shape that can be shown.
	}
	if p.isFrozen {
		raised, _ = over(raised, p.frozen, "", nil)
	}
	valid, ok := p.fields(ctx, p.root, raised, p.shown, p.any)
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
// they hold is judged. What was shown in the place, if known says that something was, stays and is not judged again.
func (p *partial) fields(ctx context.Context, at *schema.Part, v, shown value.Value, known bool) (value.Value, bool) {
	container := v.Kind() == value.KindObject || v.Kind() == value.KindArray
	switch {
	case known && (!container || shown.Kind() != v.Kind()):
		return shown, true
	case !container && at.Root():
		return v, false // It is the whole answer, and the result is due.
	case !container:
		return at.Field(ctx, v)
	case !known && !at.MayHold(v.Kind()):
		return v, false
	}
	if at.Holds(v); v.Kind() == value.KindArray {
		return p.items(ctx, at, v, shown)
	}
	earlier := byName{v: shown}
	kept := make([]value.Member, 0, v.Len())
	for name, item := range v.Members() {
		was, known := earlier.get(name)
		if child, ok := p.fields(ctx, at.Member(name), item, was, known); ok {
			kept = append(kept, value.Member{Name: name, Value: child})
		}
	}
	return value.Object(kept...), true // An empty one, too: it says the kind, and what comes later finds its place.
}

func (p *partial) items(ctx context.Context, at *schema.Part, v, shown value.Value) (value.Value, bool) {
	kept := make([]value.Value, 0, v.Len())
	for i, item := range v.Items() {
		var was value.Value
		if i < shown.Len() {
			was = shown.At(i)
		}
		child, ok := p.fields(ctx, at.Item(i), item, was, i < shown.Len())
		if !ok {
			break // A gap would shift what follows.
		}
		kept = append(kept, child)
	}
	return value.Array(kept...), true
}
