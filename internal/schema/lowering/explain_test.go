package lowering_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/value"
)

// What is shared between profiles must not show: each gets what Lower gives it alone.
func TestExplainingLowersAsLowerDoes(t *testing.T) {
	t.Parallel()
	refused := 0
	for _, s := range realSchemas(t, 40) {
		c := compiled(t, s.schema)
		e := lowering.Explain(c)
		for _, name := range lowering.Names() {
			p, _ := lowering.Named(name)
			want := lowering.Lower(c, p)
			got, why := e.Lower(p)
			if got.Mode != want.Mode || !value.Identical(got.Schema, want.Schema) || !value.Identical(got.Shown, want.Shown) || len(got.Residue) != len(want.Residue) ||
				!cmp.Equal(got.Narrowed, want.Narrowed) || !cmp.Equal(got.Texts, want.Texts) {
				t.Errorf("%s with %s: got %s %s, want %s %s", s.id, name, got.Mode, got.Schema, want.Mode, want.Schema)
			}
			refused += len(why)
		}
	}
	if refused == 0 {
		t.Error("no schema was refused by any mode: nothing was compared")
	}
}
