package registry_test

import (
	"testing"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/registry"
)

// A machine that is busy finds nothing out: that is told as such, and not as a schema that breaks something.
func TestAComparisonThatTakesTooLongIsNoConflict(t *testing.T) {
	t.Parallel()
	r := newRegistry(t, open(t, t.TempDir()), func(c *registry.Config) { c.Patience = -1 })
	publish(t, r, "a", object("n", "integer"), "")
	wider := object("n", "number")
	_, err := r.Publish(t.Context(), team, "", draft(t, "a", wider, ""))
	wantCode(t, "publish", err, fault.Timeout)
	_, err = r.Compare(t.Context(), team, "a", registry.Question{Schema: decode(t, wider)})
	wantCode(t, "compare", err, fault.Timeout)
	if n := publish(t, r, "a", wider, "none"); n != 2 {
		t.Errorf("published with compatibility none: got version %d, want 2", n)
	}
}
