package body

import (
	"slices"

	"github.com/promptd/promptd/internal/fault"
)

// Strict names the unknown fields of this object and of those nested in it, for a body of which not every part is read by one Reader.
func (r *Reader) Strict() { r.unknown() }

// Faults gives what was found so far.
func (r *Reader) Faults() []fault.Entry { return slices.Clone(*r.faults) }
