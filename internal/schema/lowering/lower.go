package lowering

import (
	"fmt"

	"github.com/promptd/promptd/internal/value"
)

// Lower fits a schema, which compiles, to the strongest form of the profile that it fits. It gives the same bytes for the same arguments. It fails
// only for what is no schema.
func Lower(schema value.Value, p Profile) (Lowered, error) {
	if k := schema.Kind(); k != value.KindObject && k != value.KindBool {
		return Lowered{}, fmt.Errorf("lower: a schema is an object or a boolean, not %s", k)
	}
	forms := p.forms()
	for i, f := range forms {
		l, err := lowerTo(schema, f)
		if err == nil {
			return l, nil
		}
		if i == len(forms)-1 {
			break
		}
	}
	// None of the forms that the profile names takes it: prompt mode takes anything.
	return lowerTo(schema, form{mode: Prompt, fit: inPrompt})
}

// misfit says why a schema does not fit a form.
type misfit struct {
	pointer string
	reason  string
}

func (m *misfit) Error() string { return m.reason + " at " + m.pointer }

// lowerTo fits a schema to one form; the error is a misfit.
func lowerTo(schema value.Value, f form) (Lowered, error) {
	switch f.fit {
	case asSubset:
		return lowerClosed(schema, f)
	case asGrammar:
		return lowerOpen(schema, f), nil
	case asGuide:
		l := unenforced(schema, f.mode, true)
		l.Schema, l.Shown = l.Shown, value.Null()
		l.capped = l.Schema
		return l, nil
	case inObject:
		return unenforced(schema, f.mode, true), nil
	default:
		return unenforced(schema, f.mode, false), nil
	}
}

// unenforced is the form of modes in which nothing is enforced but, where wanted, that the root is an object.
func unenforced(schema value.Value, mode Mode, object bool) Lowered {
	l := Lowered{Mode: mode, Shown: quiet(schema), codec: codec{root: orderOf(schema)}}
	if object && !onlyObjects(schema, schema, 0) {
		l.Shown = wrapShown(l.Shown)
		l.codec.root = &rootWrap{inner: l.codec.root}
	}
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
