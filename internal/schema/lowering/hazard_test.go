package lowering_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/value"
)

// hostile are schemas within the limits that are made to cost much.
func hostile() map[string]string {
	definitions := func(n int, each func(i int) string) string {
		var b strings.Builder
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `"d%d":%s`, i, each(i))
		}
		return b.String()
	}
	many := func(n int, text string) string { return strings.TrimSuffix(strings.Repeat(text+",", n), ",") }
	return map[string]string{
		"anyOf doubled by references": `{"$ref":"#/$defs/d0","$defs":{` + definitions(60, func(i int) string {
			if i == 59 {
				return `{"type":"integer"}`
			}
			return fmt.Sprintf(`{"anyOf":[{"$ref":"#/$defs/d%d"},{"$ref":"#/$defs/d%d"}]}`, i+1, i+1)
		}) + `}}`,
		"an optional member whose alternatives are doubled": `{"type":"object","properties":{"a":{"$ref":"#/$defs/d0"}},"additionalProperties":false,"$defs":{` + definitions(60, func(i int) string {
			if i == 59 {
				return `{"type":"integer"}`
			}
			return fmt.Sprintf(`{"anyOf":[{"$ref":"#/$defs/d%d"},{"$ref":"#/$defs/d%d"}]}`, i+1, i+1)
		}) + `}}`,
		"properties doubled by references": `{"$ref":"#/$defs/d0","$defs":{` + definitions(60, func(i int) string {
			if i == 59 {
				return `{"type":"integer"}`
			}
			return fmt.Sprintf(`{"type":"object","properties":{"a":{"$ref":"#/$defs/d%d","title":"t"},"b":{"allOf":[{"$ref":"#/$defs/d%d"}]}},"additionalProperties":false}`, i+1, i+1)
		}) + `}}`,
		"a long chain": `{"$ref":"#/$defs/d0","$defs":{` + definitions(1500, func(i int) string {
			return fmt.Sprintf(`{"type":"object","properties":{"n":{"$ref":"#/$defs/d%d"}},"additionalProperties":false}`, (i+1)%1500)
		}) + `}}`,
		"many that refer to many": `{"type":"object","properties":{` + definitions(1600, func(int) string { return `{"title":"t","anyOf":[{"$ref":"#/$defs/wide"}]}` }) +
			`},"$defs":{"wide":{"anyOf":[` + many(1600, `{"$ref":"#"}`) + `]}}}`,
		"a wide oneOf of objects": `{"oneOf":[` + func() string {
			var b strings.Builder
			for i := range 900 {
				fmt.Fprintf(&b, `{"type":"object","properties":{"k":{"const":"x%d"},"o":{"type":"string"}},"required":["k"],"additionalProperties":false},`, i)
			}
			return strings.TrimSuffix(b.String(), ",")
		}() + `]}`,
		"recursion through everything": `{"type":"object","properties":{"a":{"anyOf":[{"$ref":"#"},{"type":"array","items":{"$ref":"#/properties/a"}}]},"b":{"allOf":[{"$ref":"#"}]}},"additionalProperties":{"$ref":"#/properties/b"}}`,
		"references in a ring":         `{"$ref":"#/$defs/a","$defs":{"a":{"items":{"allOf":[{"$ref":"#/$defs/b"}]}},"b":{"anyOf":[{"items":{"$ref":"#/$defs/a"}},{"$ref":"#/$defs/c"}]},"c":{"properties":{"x":{"oneOf":[{"$ref":"#/$defs/a"},{"$ref":"#/$defs/b"}]}}}}}`,
		"large enum":                   `{"enum":[` + many(20_000, `"abcdefgh"`) + `]}`,
		"nesting":                      strings.Repeat(`{"type":"array","items":`, 60) + `{}` + strings.Repeat(`}`, 60),
	}
}

func TestLoweringIsBounded(t *testing.T) {
	t.Parallel()
	for name, text := range hostile() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw := read(t, text)
			s, err := schema.Compile(raw, schema.Options{})
			if err != nil {
				t.Fatalf("the hazard is refused before it is one: %v", err)
			}
			deep := value.Int(1)
			for range 200 {
				deep = object("a", value.Array(deep), "n", deep)
				if deep.Len() > 0 && len(deep.Append(nil)) > 100_000 {
					break
				}
			}
			for _, p := range lowering.Names() {
				start := time.Now()
				profile, _ := lowering.Named(p)
				l := lowering.Lower(s, profile)
				lowered := time.Since(start)
				if up, err := l.Raise(deep); err == nil {
					_, _ = l.Lower(up)
				}
				if took := time.Since(start); took > time.Minute {
					t.Errorf("%s: lowering took %v", p, took)
				} else {
					t.Logf("%s: mode %s, %d bytes, lowered in %v, a value there and back in %v", p, l.Mode, len(l.Schema.Append(nil)), lowered, took-lowered)
				}
			}
		})
	}
}
