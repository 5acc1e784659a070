package pipeline

import (
	"context"

	"github.com/promptd/promptd/internal/repair"
	"github.com/promptd/promptd/internal/schema"
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
	if ok && p.isFrozen {
		valid, _ = over(valid, p.frozen, "", nil)
	}
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
	case value.KindObject, value.KindArray:
		if !p.schema.AcceptKind(pointer, v.Kind()) {
			return value.Value{}, false
		}
	}
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

// keep puts what earlier attempts have shown over an answer, and tells where that changed something.
func (p *partial) keep(v value.Value, changes []schema.Coercion) (value.Value, []schema.Coercion) {
	if !p.isFrozen {
		return v, changes
	}
	return over(v, p.frozen, "", changes)
}

// keptStreamed is the kind of a change that kept a value which a stream had already shown.
const keptStreamed = "kept_streamed"

// over gives v with the values of an earlier snapshot in their places: members of objects by name, items of arrays by place. Where the kinds differ v stays as it
// is, and what was shown no longer holds.
func over(v, shown value.Value, pointer string, changes []schema.Coercion) (value.Value, []schema.Coercion) {
	switch {
	case v.Kind() != shown.Kind():
		return v, changes
	case v.Kind() == value.KindObject:
		for name, item := range shown.Members() {
			now, ok := v.Get(name)
			at := value.AppendPointer(pointer, name)
			switch {
			case !ok:
				v = v.With(name, item)
				changes = append(changes, schema.Coercion{Kind: keptStreamed, Pointer: at, After: item})
			case !value.Identical(now, item):
				now, changes = placed(now, item, at, changes)
				v = v.With(name, now)
			}
		}
		return v, changes
	case v.Kind() == value.KindArray:
		items := make([]value.Value, 0, max(v.Len(), shown.Len()))
		for i := range max(v.Len(), shown.Len()) {
			at := value.AppendIndex(pointer, i)
			switch {
			case i >= shown.Len():
				items = append(items, v.At(i))
			case i >= v.Len():
				items = append(items, shown.At(i))
				changes = append(changes, schema.Coercion{Kind: keptStreamed, Pointer: at, After: shown.At(i)})
			default:
				item := v.At(i)
				if !value.Identical(item, shown.At(i)) {
					item, changes = placed(item, shown.At(i), at, changes)
				}
				items = append(items, item)
			}
		}
		return value.Array(items...), changes
	default:
		return shown, changes
	}
}

// placed puts a shown value in the place of another one.
func placed(now, shown value.Value, at string, changes []schema.Coercion) (value.Value, []schema.Coercion) {
	container := now.Kind() == value.KindObject || now.Kind() == value.KindArray
	if container && now.Kind() == shown.Kind() {
		return over(now, shown, at, changes)
	}
	return shown, append(changes, schema.Coercion{Kind: keptStreamed, Pointer: at, Before: now, After: shown})
}

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
