package pipeline

import (
	"context"

	"github.com/promptd/promptd/internal/repair"
	"github.com/promptd/promptd/internal/value"
)

// partial is what a stream shows before the answer is judged: fields that are complete and valid by themselves. What was shown is frozen: a later
// snapshot holds every earlier value unchanged, and an answer that does not is refused.
type partial struct {
	resolved
	plan  *plan
	read  *repair.Stream
	shown value.Value
	any   bool
	count int // scalars and finished containers shown
}

func newPartial(r resolved) *partial { return &partial{resolved: r} }

// begin starts reading an attempt's text.
func (p *partial) begin(a planned) {
	p.plan = a.plan
	p.read = repair.NewStream(repair.Hints{Schema: a.plan.shape})
}

// add reads a piece of text and shows what is new.
func (p *partial) add(ctx context.Context, text string) error {
	p.read.Write(text)
	snapshot, ok := p.read.Snapshot()
	if !ok {
		return ctx.Err()
	}
	raised, err := p.plan.lowered.Raise(snapshot)
	if err != nil {
		return ctx.Err() // Not yet in a shape that can be shown.
	}
	valid, ok := p.prune(ctx, "", raised)
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

// prune keeps the fields of an incomplete value that are complete and valid as they are. The containers on the way are incomplete by nature, so only what
// they hold is judged.
func (p *partial) prune(ctx context.Context, pointer string, v value.Value) (value.Value, bool) {
	switch v.Kind() {
	case value.KindObject:
		kept := make([]value.Member, 0, v.Len())
		for name, item := range v.Members() {
			if child, ok := p.prune(ctx, value.AppendPointer(pointer, name), item); ok {
				kept = append(kept, value.Member{Name: name, Value: child})
			}
		}
		return value.Object(kept...), len(kept) > 0 || v.Len() == 0
	case value.KindArray:
		var kept []value.Value
		for i, item := range v.Items() {
			child, ok := p.prune(ctx, value.AppendIndex(pointer, i), item)
			if !ok {
				break // A gap would shift what follows.
			}
			kept = append(kept, child)
		}
		return value.Array(kept...), len(kept) > 0 || v.Len() == 0
	default:
		return v, pointer != "" && p.schema.AcceptPart(ctx, pointer, v)
	}
}

// heldBy reports whether a final value holds everything that was shown.
func (p *partial) heldBy(final value.Value) bool { return !p.any || holds(final, p.shown) }

// holds reports whether a value has every part of an earlier snapshot, unchanged.
func holds(v, earlier value.Value) bool {
	if v.Kind() != earlier.Kind() {
		return false
	}
	switch v.Kind() {
	case value.KindObject:
		for name, item := range earlier.Members() {
			now, ok := v.Get(name)
			if !ok || !holds(now, item) {
				return false
			}
		}
		return true
	case value.KindArray:
		if v.Len() < earlier.Len() {
			return false
		}
		for i, item := range earlier.Items() {
			if !holds(v.At(i), item) {
				return false
			}
		}
		return true
	default:
		return value.Identical(v, earlier)
	}
}

// leaves counts the scalars of a value.
func leaves(v value.Value) int {
	if v.Kind() != value.KindObject && v.Kind() != value.KindArray {
		return 1
	}
	n := 0
	for i := range v.Len() {
		n += leaves(v.At(i))
	}
	return n
}
