package registry

import (
	"context"

	"github.com/promptd/promptd/internal/schema"
)

// Comparison is what a comparison of a new schema with a version found.
type Comparison struct {
	Mode Compatibility
	// Against is the version that was compared with; 0 where there was none.
	Against int
}

// refusal is the CONFLICT of a schema that breaks what it owes, or nil.
func (c *Comparison) refusal(string) error { return nil }

// compare compares a schema with a version.
func (r *Registry) compare(_ context.Context, before *Version, _ *schema.Schema, mode Compatibility) (Comparison, error) {
	return Comparison{Mode: mode, Against: before.Number}, nil
}
