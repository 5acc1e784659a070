package lowering_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/value"
)

// The laws of lowering (design of the schema compiler), each checked for one schema and its instances.

// profiles are the profiles under test; each is also taken without its strongest mode.
func profiles() map[string]lowering.Profile {
	list := map[string]lowering.Profile{}
	for _, name := range lowering.Names() {
		p, _ := lowering.Named(name)
		list[name] = p
	}
	return list
}

// outcome counts what the laws were checked on.
type outcome struct {
	lowered, enforced   int
	instances, narrowed int
	silent              map[string]int // narrowed ones by keyword
	respelled           int
	typed, texts        int
	mode                lowering.Mode
}

// checkLaws checks every law; fail is told what does not hold.
func checkLaws(tb testing.TB, name string, p lowering.Profile, raw value.Value, instances []value.Value, fail func(format string, args ...any)) (o outcome) {
	s, err := schema.Compile(raw, schema.Options{})
	if err != nil {
		return o
	}
	l := lowering.Lower(s, p)
	o.lowered++
	checkDeterminism(name, p, raw, l, fail)
	o.typed, o.texts = l.Typed, len(l.Texts)
	o.mode = l.Mode
	var sent *schema.Schema
	if !l.Schema.IsNull() {
		o.enforced++
		checkFit(name, l, fail)
		if sent, err = schema.Compile(asSent(name, l.Schema), sentOptions(s, l)); err != nil {
			fail("%s: the lowered schema does not compile: %v\n%s", name, err, l.Schema)
			return o
		}
	}
	for _, x := range instances {
		if v, _ := s.Accept(tb.Context(), x); !v.OK() {
			continue
		}
		o.instances++
		down, err := l.Lower(x)
		var refused *lowering.Error
		if errors.As(err, &refused) && refused.Narrowed != "" && slices.ContainsFunc(l.Narrowed, func(n lowering.Narrowing) bool { return n.Keyword == refused.Narrowed }) {
			o.narrowed++
			if o.silent == nil {
				o.silent = map[string]int{}
			}
			o.silent[refused.Narrowed]++
			continue
		}
		if err != nil {
			fail("%s: a valid instance is not lowered: %v\nschema   %s\ninstance %s", name, err, raw, x)
			continue
		}
		up, err := l.Raise(down)
		if err == nil && !bytes.Equal(up.AppendCanonical(nil), x.AppendCanonical(nil)) && value.Equal(up, x) {
			o.respelled++ // A listed number comes back as the schema spells it.
		} else if err != nil || !value.Equal(up, x) {
			fail("%s: Raise(Lower(x)) is not x: %v\nschema   %s\ninstance %s\nlowered  %s\nraised   %s", name, err, raw, x, down, up)
		}
		if sent == nil {
			continue
		}
		if v, report := sent.Accept(tb.Context(), down); !v.OK() {
			fail("%s: a valid instance is shut out: %+v\nschema   %s\nlowered  %s\ninstance %s\nlowered  %s", name, report.Errors[0], raw, l.Schema, x, down)
		}
	}
	return o
}

// sentOptions reads what is sent as its reader does: a tool gets the caller's own words, anything enforced is of draft 2020-12.
func sentOptions(s *schema.Schema, l lowering.Lowered) schema.Options {
	o := schema.Options{Limits: schema.Limits{Bytes: 16 << 20, Subschemas: 100_000, Depth: 500}}
	if l.Mode == lowering.Tool {
		o.Draft = s.Draft()
	}
	return o
}

// checkDeterminism lowers again, and a copy that was read from other bytes.
func checkDeterminism(name string, p lowering.Profile, raw value.Value, l lowering.Lowered, fail func(string, ...any)) {
	copied, err := value.DecodeString(" "+raw.String(), value.Limits{})
	if err != nil {
		return // Deeper than a text may be.
	}
	compiled, err := schema.Compile(copied, schema.Options{})
	if err != nil {
		fail("%s: a copy does not compile: %v", name, err)
		return
	}
	again := lowering.Lower(compiled, p)
	if !value.Identical(again.Schema, l.Schema) || !value.Identical(again.Capped(), l.Capped()) || !value.Identical(again.Shown, l.Shown) ||
		again.Mode != l.Mode || len(again.Residue) != len(l.Residue) {
		fail("%s: lowering twice gives different bytes\nschema %s\nfirst  %s\nsecond %s", name, raw, l.Schema, again.Schema)
	}
}

// checkFit checks the lowered schema, with and without caps, by the published rules.
func checkFit(name string, l lowering.Lowered, fail func(string, ...any)) {
	for _, s := range []value.Value{l.Schema, l.Capped()} {
		bad := checkSubset(name, l.Mode, s)
		if len(bad) > 0 {
			fail("%s: the provider refuses the lowered schema: %q\n%s", name, bad, s)
		}
	}
}

// checkTotality raises what no schema asked for.
func checkTotality(r *rand.Rand, name string, p lowering.Profile, raw value.Value, answers []value.Value, fail func(string, ...any)) {
	s, err := schema.Compile(raw, schema.Options{})
	if err != nil {
		return
	}
	l := lowering.Lower(s, p)
	for _, x := range answers {
		for range 4 {
			x = disturb(r, x)
			for _, f := range []func(value.Value) (value.Value, error){l.Raise, l.Lower} {
				func() {
					defer func() {
						if p := recover(); p != nil {
							fail("%s: a panic: %v\nschema %s\nvalue  %s", name, p, raw, x)
						}
					}()
					_, err := f(x)
					var bad *lowering.Error
					if err != nil && !errors.As(err, &bad) {
						fail("%s: an error without a place: %v", name, err)
					} else if err != nil {
						if _, ok := x.Lookup(bad.Pointer); !ok {
							fail("%s: the error's pointer %q leads nowhere in %s", name, bad.Pointer, x)
						}
					}
				}()
			}
		}
	}
}

// disturb changes a value in one place.
func disturb(r *rand.Rand, v value.Value) value.Value {
	if v.Len() > 0 && r.IntN(4) > 0 {
		i := r.IntN(v.Len())
		if v.Kind() == value.KindObject && r.IntN(5) == 0 {
			return v.Without(v.NameAt(i))
		}
		return v.WithAt(i, disturb(r, v.At(i)))
	}
	texts := []string{`null`, `true`, `0`, `-1.5`, `1e400`, `"a"`, `""`, `[]`, `{}`, `{"value":null}`, `{"value":{"value":1}}`, `{"result":1}`, `{"result":{"result":[]}}`, `[[null]]`, `{"a":{"a":1}}`}
	out, _ := value.DecodeString(texts[r.IntN(len(texts))], value.Limits{})
	return out
}

// asSent writes OpenAPI's flag for null as JSON Schema has it, for our judge.
func asSent(name string, s value.Value) value.Value {
	if name != "gemini:openapi" {
		return s
	}
	var walk func(v value.Value, schema bool) value.Value
	walk = func(v value.Value, schema bool) value.Value {
		for i := range v.Len() {
			in := v.Kind() == value.KindArray && schema || v.Kind() == value.KindObject && v.NameAt(i) != "enum"
			v = v.WithAt(i, walk(v.At(i), in))
		}
		if flag, ok := v.Get("nullable"); ok && flag.Kind() == value.KindBool && flag.Truth() {
			null := value.Object(value.Member{Name: "type", Value: value.String("null")})
			return value.Object(value.Member{Name: "anyOf", Value: value.Array(v.Without("nullable"), null)})
		}
		return v
	}
	return walk(s, true)
}
