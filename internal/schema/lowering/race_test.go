package lowering_test

import (
	"sync"
	"testing"

	"github.com/promptd/promptd/internal/schema/lowering"
)

// TestLoweredIsSafeForConcurrentUse is for the race detector: one lowered schema serves every request.
func TestLoweredIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	raw := read(t, `{"anyOf":[{"$ref":"#/$defs/a"},{"$ref":"#/$defs/b"},{"type":"array","items":{"anyOf":[{"$ref":"#/$defs/a"},{"$ref":"#/$defs/b"}]}}],"$defs":{`+
		`"a":{"type":"object","properties":{"v":{},"w":{"type":"object"}},"required":["v"],"additionalProperties":false},`+
		`"b":{"type":"object","properties":{"v":{"type":"string"},"w":{"$ref":"#"}},"required":["v"],"additionalProperties":false}}}`)
	x := read(t, `[{"v":[1,{"a":null}],"w":{}},{"v":"x","w":{"v":1}}]`)
	for _, name := range lowering.Names() {
		p, _ := lowering.Named(name)
		l := lowering.Lower(compiled(t, raw), p)
		down, err := l.Lower(x)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if up, err := l.Raise(down); err != nil || up.String() != x.String() {
					t.Errorf("%s: %s %v, want %s", name, up, err, x)
				}
				l.RaisePart(down)
				if again, err := l.Lower(x); err != nil || again.String() != down.String() {
					t.Errorf("%s: %s %v, want %s", name, again, err, down)
				}
			})
		}
		wg.Wait()
	}
}
