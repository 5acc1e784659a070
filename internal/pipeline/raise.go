package pipeline

import (
	"context"
)

// raise brings a value from the provider's shape to the caller's, aligns it to the schema's types and orders its members as the schema does. Nothing
// after this step changes the value.
type raise struct{ meter Meter }

func (s raise) do(ctx context.Context, p parsed) (raised, error) {
	v, err := p.plan.lowered.Raise(p.read.Value)
	if err != nil {
		return raised{}, err
	}
	r := raised{parsed: p}
	if p.form != nil {
		r.said = p.form.Open(v)
		if v = r.said.Answer; len(r.said.Questions) > 0 || !r.said.Answered {
			return r, nil
		}
	}
	// Most answers are valid as they come, and are judged once then.
	r.value = p.schema.Reorder(v)
	if r.valid, _ = p.schema.Accept(ctx, r.value); r.valid.OK() {
		return r, nil
	}
	v, coercions := p.schema.Coerce(v, p.prompt.Options.Coercion)
	for _, c := range coercions {
		s.meter.Coerced(c.Kind)
	}
	r.value, r.coercions = p.schema.Reorder(v), coercions
	return r, nil
}
