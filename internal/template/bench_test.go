package template_test

import (
	"strings"
	"testing"
)

// BenchmarkRender measures what a template costs a request: checking parameters and making pieces.
func BenchmarkRender(b *testing.B) {
	c := compiled(b, everything)
	parameters := decode(b, strings.Replace(`{`+some+`}`, "ACME", strings.Repeat("two coffees, please. ", 200), 1))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Render(b.Context(), parameters); err != nil {
			b.Fatal(err)
		}
	}
}
