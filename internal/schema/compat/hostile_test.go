package compat_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/schema/compat"
)

// hostile are schemas whose comparison would take for ever if it were not bounded; the second version differs in what says "integer".
func hostile() map[string]string {
	var nested, wide, recursive strings.Builder
	nested.WriteString(strings.Repeat(`{"type":"object","anyOf":[{"required":["a"]},{"required":["b"]}],"properties":{"a":`, 25) + `{"type":"integer"}` + strings.Repeat(`}}`, 25))
	for i := range 300 {
		fmt.Fprintf(&wide, `,{"type":"object","properties":{"p%d":{"type":"integer"}},"patternProperties":{"^x%d":{}}}`, i, i%4)
	}
	for i := range 30 {
		fmt.Fprintf(&recursive, `,"d%d":{"anyOf":[{"type":"integer"},{"type":"array","items":{"$ref":"#/$defs/d%d"}},{"type":"object","additionalProperties":{"$ref":"#/$defs/d%d"},"propertyNames":{"not":{"$ref":"#/$defs/d%d"}}}]}`,
			i, (i+1)%30, (i*7+3)%30, (i+5)%30)
	}
	return map[string]string{
		"nested":    nested.String(),
		"choices":   `{"allOf":[` + strings.Repeat(`{"anyOf":[{"type":"string","minLength":1},{"type":["array","string"],"maxLength":9},{"type":"integer"}]},`, 40) + `{}]}`,
		"wide":      `{"anyOf":[` + wide.String()[1:] + `]}`,
		"recursive": `{"$ref":"#/$defs/d0","$defs":{` + recursive.String()[1:] + `}}`,
		"itself":    `{"anyOf":[{"type":"integer"},{"$ref":"#/$defs/a"}],"$defs":{"a":{"anyOf":[{"type":"array","items":{"$ref":"#"}},{"type":"null"}]}}}`,
	}
}

func TestComparingHostileSchemasEnds(t *testing.T) {
	t.Parallel()
	for name, text := range hostile() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			old, now := compiled(t, text), compiled(t, strings.Replace(text, `"integer"`, `"boolean"`, 1))
			r := compat.Check(context.Background(), old, now, compat.Full)
			if r.Compatible {
				t.Error("called compatible")
			}
			if same := compat.Check(context.Background(), old, compiled(t, `{"title":"x",`+text[1:]), compat.Full); !same.Compatible {
				t.Errorf("another title: not compatible: %+v", same.Findings[:1])
			}
		})
	}
}

func TestAnEndedContextProvesNothing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r := compat.Check(ctx, compiled(t, `{"type":"string","enum":["a"]}`), compiled(t, `{"type":"string"}`), compat.Backward)
	if r.Compatible || len(r.Findings) == 0 || r.Findings[0].Verdict != compat.Undecided {
		t.Errorf("got %+v, want an undecided finding", r)
	}
}

func TestModes(t *testing.T) {
	t.Parallel()
	old, now := compiled(t, `{"type":"integer"}`), compiled(t, `{"type":"number"}`)
	for mode, want := range map[compat.Mode]bool{compat.None: true, compat.Backward: true, compat.Forward: false, compat.Full: false} {
		if read, err := compat.ParseMode(string(mode)); err != nil || read != mode {
			t.Errorf("%s: read as %s: %v", mode, read, err)
		}
		if r := compat.Check(context.Background(), old, now, mode); r.Compatible != want || r.Mode != mode {
			t.Errorf("%s: got %t, want %t", mode, r.Compatible, want)
		}
	}
	if _, err := compat.ParseMode("sideways"); err == nil {
		t.Error("a mode that does not exist is read")
	}
}
