package lowering_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/value"
)

// broken is a schema that breaks one rule, and a part of the complaint.
type broken struct{ rule, schema, want string }

// ruleCases are the proof of one profile's checker.
type ruleCases struct {
	profile string
	good    []string
	bad     []broken
}

// TestCheckersKnowTheirRules proves each checker: what keeps the rules passes, what breaks one is told.
func TestCheckersKnowTheirRules(t *testing.T) {
	t.Parallel()
	proved := map[string]bool{}
	for _, family := range [][]ruleCases{openaiRules(), serviceRules(), anthropicRules(), geminiRules(), engineRules()} {
		for _, c := range family {
			proved[c.profile] = true
			t.Run(c.profile, func(t *testing.T) {
				t.Parallel()
				proveChecker(t, c)
			})
		}
	}
	for _, profile := range checkedProfiles() {
		if !proved[profile] {
			t.Errorf("nothing proves the checker of %s", profile)
		}
	}
}

func proveChecker(t *testing.T, c ruleCases) {
	t.Helper()
	if len(c.good) == 0 || len(c.bad) == 0 {
		t.Error("a proof needs schemas that keep the rules and schemas that break them")
	}
	for _, text := range c.good {
		if got := checkSubset(c.profile, enforcing(c.profile), parsed(t, text)); len(got) > 0 {
			t.Errorf("%q for %s", got, text)
		}
	}
	for _, b := range c.bad {
		got := checkSubset(c.profile, enforcing(c.profile), parsed(t, b.schema))
		if !strings.Contains(strings.Join(got, "\n"), b.want) {
			t.Errorf("%s: %q, want %q for %s", b.rule, got, b.want, shortened(b.schema))
		}
	}
}

// enforcing gives the strongest mode of a profile.
func enforcing(profile string) lowering.Mode {
	if d, _ := dialectOf(profile); d.grammar {
		return lowering.Grammar
	}
	return lowering.Strict
}

func TestModesThatEnforceNothingTakeAnySchema(t *testing.T) {
	t.Parallel()
	strictTools := map[string]bool{"gemini": true, "gemini:openapi": true, "openai:xai": true, "openai:deepseek": true}
	bad := parsed(t, `{"not":{"unknown":1}}`)
	for _, profile := range checkedProfiles() {
		for _, mode := range []lowering.Mode{lowering.Strict, lowering.Tool, lowering.Grammar, lowering.JSON, lowering.Prompt} {
			enforced := mode == lowering.Strict || mode == lowering.Grammar || mode == lowering.Tool && strictTools[profile]
			if got := checkSubset(profile, mode, bad); (len(got) > 0) != enforced {
				t.Errorf("%s, %s: %q", profile, mode, got)
			}
		}
	}
	if got := checkSubset("nobody", lowering.Strict, parsed(t, `{}`)); len(got) != 1 {
		t.Errorf("an unknown profile: %q", got)
	}
	if got := checkSubset("anthropic", lowering.Grammar, parsed(t, `{"type":"string"}`)); len(got) != 1 {
		t.Errorf("a mode that the profile does not have: %q", got)
	}
}

// TestCheckersEnd gives each checker what is endless, exponential, deep, wide or malformed.
func TestCheckersEnd(t *testing.T) {
	t.Parallel()
	var doubling, wide, enum strings.Builder
	doubling.WriteString(`{"$ref":"#/$defs/d0","$defs":{`)
	wide.WriteString(`{"type":"object","anyOf":[`)
	for i := range 60 {
		fmt.Fprintf(&doubling, `"d%d":{"anyOf":[{"$ref":"#/$defs/d%d"},{"$ref":"#/$defs/d%d"}]},`, i, i+1, i+1)
	}
	doubling.WriteString(`"d60":{"type":"array","maxItems":1e300}}}`)
	for i := range 5_000 {
		fmt.Fprintf(&wide, `{"$ref":"#/$defs/x%d"},{"$ref":"#/missing/x%d"},`, i, i)
		fmt.Fprintf(&enum, `%d,`, i)
	}
	wide.WriteString(`{}],"$defs":{"a":{}`)
	for i := range 5_000 {
		fmt.Fprintf(&wide, `,"x%d":{"patternProperties":{"^a%d":true},"required":["a"]}`, i, i)
	}
	wide.WriteString(`}}`)
	hostile := []string{
		doubling.String(), wide.String(), `{"enum":[` + enum.String() + `0]}`,
		`{"$ref":"#"}`, `{"$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}},"$ref":"#/$defs/a"}`,
		strings.Repeat(`{"items":`, 500) + `1` + strings.Repeat(`}`, 500),
		`null`, `[]`, `"x"`, `true`, `{"type":7}`,
		`{"properties":[1],"required":{"a":1},"enum":1,"anyOf":{"a":{}},"$defs":3,"items":[[]],"$ref":5,"pattern":1,"const":{}}`,
		`{"$ref":"#/%zz"}`, `{"$ref":""}`, `{"pattern":"\\"}`, `{"patternProperties":{"(":{},"[":{}}}`, `{"maxItems":-1e300,"minItems":1e300}`,
	}
	list := make([]value.Value, 0, len(hostile))
	for _, text := range hostile {
		list = append(list, parsed(t, text))
	}
	deep := value.Object()
	for range 200_000 {
		deep = value.Object(value.Member{Name: "items", Value: deep})
	}
	for _, profile := range checkedProfiles() {
		for _, s := range list {
			if got := checkSubset(profile, enforcing(profile), s); len(got) > maxComplaints {
				t.Errorf("%s: %d complaints", profile, len(got))
			}
		}
		if got := checkSubset(profile, enforcing(profile), deep); len(got) == 0 {
			t.Errorf("%s takes a schema of 200,000 levels", profile)
		}
	}
}

func TestInlinedWeighsWithoutExpanding(t *testing.T) {
	t.Parallel()
	weigh := func(text string) weight {
		root := parsed(t, text)
		return inlined(root, indexReferences(root))
	}
	plain := `{"type":"object","properties":{"a":{"type":"array","items":{"anyOf":[{"type":"string"},{"enum":["x",1]}]},"maxItems":3},"b":{}},"required":[]}`
	if w := weigh(plain); w != (weight{int64(len(plain)), 3}) {
		t.Errorf("%+v, want %d bytes and 3 items", w, len(plain))
	}
	twice := weight{int64(len(`{"anyOf":[{"maxItems":5},{"maxItems":5}]}`)), 10}
	if w := weigh(`{"anyOf":[{"$ref":"#/$defs/A"},{"$ref":"#/$defs/A"}],"$defs":{"A":{"maxItems":5}}}`); w != twice {
		t.Errorf("%+v: a reference counts as often as it stands", w)
	}
	if w := weigh(`{"$ref":"#/$defs/A","$defs":{"A":{"items":{"$ref":"#/$defs/A"}}}}`); w.bytes != full {
		t.Errorf("%+v: a cycle weighs everything", w)
	}
}

func TestFindCycle(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`{"type":"object","properties":{"a":{"$ref":"#/$defs/A"},"b":{"$ref":"#/$defs/A"}},"$defs":{"A":{"$ref":"#/$defs/B"},"B":{}}}`: false,
		`{"$defs":{"A":{"items":{"$ref":"#"}}}}`: false,
		`{"properties":{"a":{"$ref":"#"}}}`:      true,
		`{"$defs":{"A":{"items":{"$ref":"#/$defs/B"}},"B":{"properties":{"x":{"$ref":"#/$defs/A"}}}}}`: true,
		`{"properties":{"a":{"items":{"$ref":"#/properties/a"}}}}`:                                     true,
		`{"properties":{"a":{"$ref":"#/properties/b"},"b":{"type":"string"}}}`:                         false,
		`{"$ref":"#/$defs/a~1b","$defs":{"a/b":{"not":{"$ref":"#/$defs/a%7E1b"}}}}`:                    true,
	} {
		root := parsed(t, text)
		if at, got := findCycle(root, indexReferences(root)); got != want {
			t.Errorf("a cycle in %s: %v at %q", text, got, at)
		}
	}
}

// closedWith gives a closed object with one required property a.
func closedWith(sub string) string {
	return `{"type":"object","properties":{"a":` + sub + `},"required":["a"],"additionalProperties":false}`
}

// definedAs gives a closed object whose required property a is of the definition A.
func definedAs(sub string) string {
	return strings.TrimSuffix(closedWith(`{"$ref":"#/$defs/A"}`), "}") + `,"$defs":{"A":` + sub + `}}`
}

// closedOf gives a closed object of so many properties, all required or none.
func closedOf(n int, required bool, sub string) string {
	var names, members []string
	for i := range n {
		name := fmt.Sprintf(`"p%d"`, i)
		members = append(members, name+":"+sub)
		if required {
			names = append(names, name)
		}
	}
	return `{"type":"object","properties":{` + strings.Join(members, ",") + `},"required":[` + strings.Join(names, ",") + `],"additionalProperties":false}`
}

// nested gives closed objects of so many levels.
func nested(levels int) string {
	text := `{"type":"string"}`
	for range levels {
		text = closedWith(text)
	}
	return text
}

// enumOf gives an enum of so many different strings of a length.
func enumOf(n, length int) string {
	list := make([]string, n)
	for i := range n {
		list[i] = fmt.Sprintf(`"%0*d"`, length, i)
	}
	return `{"type":"string","enum":[` + strings.Join(list, ",") + `]}`
}

func parsed(tb testing.TB, text string) value.Value {
	tb.Helper()
	v, err := value.DecodeString(text, value.Limits{})
	if err != nil {
		tb.Fatalf("decode %s: %v", shortened(text), err)
	}
	return v
}

func shortened(text string) string {
	if len(text) > 300 {
		return text[:300] + "…"
	}
	return text
}
