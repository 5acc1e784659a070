package pipeline

import (
	"context"

	"github.com/promptd/promptd/internal/schema"
)

// verdict is what the schema says of a value.
type verdict struct {
	valid  schema.Valid
	report schema.Report
}

// validate asks the caller's schema, and nobody else, whether the value is valid.
type validate struct{ meter Meter }

func (s validate) do(ctx context.Context, r raised) (verdict, error) {
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
