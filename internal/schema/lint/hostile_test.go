package lint_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/lint"
)

// hostile gives schemas within the limits that were made to take long.
func hostile() map[string]string {
	repeat := func(n int, one func(i int) string) string {
		list := make([]string, n)
		for i := range list {
			list[i] = one(i)
		}
		return strings.Join(list, ",")
	}
	h := map[string]string{}
	h["256 KiB of names"] = `{"type":"object","required":[` + repeat(9000, func(i int) string { return fmt.Sprintf(`"member number %d"`, i) }) + `]}`
	h["4,900 properties"] = `{"type":"object","properties":{` + repeat(4900, func(i int) string { return fmt.Sprintf(`"p%d":{"type":"string","default":1}`, i) }) + `}}`
	h["a large enum"] = `{"enum":[` + repeat(20_000, func(i int) string { return fmt.Sprintf(`"v%d"`, i) }) + `]}`
	h["alternatives of one object"] = `{"oneOf":[` + repeat(2000, func(int) string { return `{"$ref":"#/$defs/a"}` }) + `],"$defs":{"a":{"type":"object","required":[` +
		repeat(300, func(i int) string { return fmt.Sprintf(`"p%d"`, i) }) + `],"properties":{` + repeat(2000, func(i int) string { return fmt.Sprintf(`"p%d":{}`, i) }) + `}}}}`
	h["many oneOf"] = `{"$defs":{"a":{"type":"object","required":[` + repeat(300, func(i int) string { return fmt.Sprintf(`"p%d"`, i) }) + `],"properties":{` +
		repeat(1500, func(i int) string { return fmt.Sprintf(`"p%d":{}`, i) }) + `}}},"properties":{` +
		repeat(800, func(i int) string {
			return fmt.Sprintf(`"o%d":{"oneOf":[{"$ref":"#/$defs/a"},{"$ref":"#/$defs/a"},{"type":"null"}]}`, i)
		}) + `}}`
	h["nested anyOf"] = `{"anyOf":[{"$ref":"#/$defs/d0"}],"$defs":{` + repeat(30, func(i int) string {
		return fmt.Sprintf(`"d%d":{"default":{"a":1},"anyOf":[{"$ref":"#/$defs/d%d"},{"$ref":"#/$defs/d%d"}]}`, i, i+1, i+1)
	}) + `,"d30":{"type":"object","required":["z"]}}}`
	h["costly examples"] = `{"$defs":{"p":{"pattern":"^(?=(a|b|ab|ba)*c)(a|aa|aaa)*$"}},"items":{"$ref":"#/$defs/p","examples":[` +
		repeat(2000, func(int) string { return `"` + strings.Repeat("a", 100) + `b"` }) + `]}}`
	h["patterns of names"] = `{"required":[` + repeat(3000, func(i int) string { return fmt.Sprintf(`"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa%d"`, i) }) + `],"patternProperties":{` +
		repeat(300, func(i int) string { return fmt.Sprintf(`"^(?=(a|b|ab)*c%d)(a|aa|aaa)*$":{"type":"string"}`, i) }) + `}}`
	h["a chain of references"] = `{"$ref":"#/$defs/d0","$defs":{` + repeat(2400, func(i int) string {
		return fmt.Sprintf(`"d%d":{"properties":{"a":{"$ref":"#/$defs/d%d"}}}`, i, i+1)
	}) + `,"d2400":{"type":"string"}}}`
	h["one large part in many places"] = `{"$defs":{"big":{"anyOf":[` + repeat(1500, func(i int) string { return fmt.Sprintf(`{"required":["r%d"]}`, i) }) + `]}},"type":"object","properties":{` +
		repeat(1500, func(i int) string {
			return fmt.Sprintf(`"p%d":{"type":"object","required":["x"],"allOf":[{"$ref":"#/$defs/big"}]}`, i)
		}) + `}}`
	return h
}

func TestHostileSchemasEndSoon(t *testing.T) {
	t.Parallel()
	for name, text := range hostile() {
		raw, err := lint.Decode([]byte(text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		start := time.Now()
		s, err := schema.Compile(raw, schema.Options{})
		if err != nil {
			t.Errorf("%s (%d bytes): %v", name, len(text), err)
			continue
		}
		compiled := time.Since(start)
		start = time.Now()
		r, err := lint.Of(t.Context(), s, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		linted := time.Since(start)
		start = time.Now()
		profiles, _ := lint.Profiles([]string{"openai", "gemini", "llamacpp"}, "")
		if _, err = lint.Of(t.Context(), s, profiles); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		t.Logf("%s, %d bytes: compiled in %v, %d pieces of advice (and %d more) in %v, %d dialects in %v", name, len(text), compiled, len(r.Advice), r.More, linted,
			len(profiles), time.Since(start)-linted)
	}
}

func TestWhatIsGivenUpIsSaid(t *testing.T) {
	t.Parallel()
	raw, err := lint.Decode([]byte(`{"type":"object","properties":{"a":{"type":"integer","default":"x"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	s, err := schema.Compile(raw, schema.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		ctx  context.Context //nolint:containedctx // A row of a table.
		want bool
	}{{ended, true}, {t.Context(), false}} {
		r, err := lint.Of(c.ctx, s, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.ContainsFunc(r.Advice, func(a lint.Advice) bool { return a.Rule == "unfinished" }); got != c.want {
			t.Errorf("with a context that ended %t: unfinished is said: %t", c.want, got)
		}
	}
}

func TestCheckingEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	raw, err := lint.Decode([]byte(`{"type":"object"}`))
	if err != nil {
		t.Fatal(err)
	}
	profiles, err := lint.Profiles(nil, "")
	if err != nil {
		t.Fatal(err)
	}
	if r, err := lint.Check(ctx, raw, schema.Options{}, profiles); err == nil {
		t.Errorf("got %v, want the context's error", r)
	}
}
