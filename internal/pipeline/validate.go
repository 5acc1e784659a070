package pipeline

import (
	"context"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// verdict is what the schema says of a value.
type verdict struct {
	valid  schema.Valid
	report schema.Report
}

// validate asks the caller's schema, and nobody else, whether the value is valid.
type validate struct{ meter Meter }

func (s validate) do(ctx context.Context, r raised) (verdict, error) {
	if r.valid.OK() && same(r.value, r.valid.Value()) {
		s.meter.Judged("passed")
		return verdict{valid: r.valid}, ctx.Err()
	}
	valid, report := r.schema.Accept(ctx, r.value)
	if err := ctx.Err(); err != nil {
		return verdict{}, err
	}
	if valid.OK() {
		s.meter.Judged("passed")
	} else {
		s.meter.Judged("failed")
	}
	return verdict{valid, report}, nil
}

// same tells without a comparison whether a value is the very one that was judged; false says nothing.
func same(a, b value.Value) bool {
	one, ok := a.Identity()
	other, there := b.Identity()
	return ok && there && one == other
}
