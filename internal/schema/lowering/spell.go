package lowering

import "github.com/promptd/promptd/internal/value"

// Spell writes a schema in the place of the reference that leads to it from a property of the root, where what a model or a provider reads is the text as it was
// written: nobody but the compiler can follow a reference out of it. What was lowered has no such reference left and stays as it is.
func (l Lowered) Spell(ref string, s value.Value) Lowered {
	l.Shown = spelled(l.Shown, ref, s)
	l.Schema = spelled(l.Schema, ref, s)
	l.capped = spelled(l.capped, ref, s)
	return l
}

func spelled(text value.Value, ref string, s value.Value) value.Value {
	properties, _ := text.Get("properties")
	if properties.Kind() != value.KindObject {
		return text
	}
	for name, item := range properties.Members() {
		if to, ok := item.Get("$ref"); ok && to.Text() == ref {
			return text.With("properties", properties.With(name, below(quiet(s), value.AppendPointer("/properties", name))))
		}
	}
	return text
}
