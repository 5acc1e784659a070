package provider_test

import (
	"testing"

	"github.com/promptd/promptd/internal/provider/calltest"
	"github.com/promptd/promptd/internal/provider/providertest"
)

func TestEveryFormConforms(t *testing.T) {
	t.Parallel()
	rows := map[providertest.Wire]bool{}
	for _, f := range calltest.Forms() {
		rows[f.Wire] = true
		t.Run(string(f.Wire), func(t *testing.T) {
			t.Parallel()
			calltest.Run(t, f)
		})
	}
	for _, w := range providertest.Wires() {
		if !rows[w] {
			t.Errorf("wire form %s has no row in calltest.Forms", w)
		}
	}
}
