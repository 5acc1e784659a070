package instance_test

import (
	"bufio"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/promptd/promptd/internal/provider/providertest/instance"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/sharedtest"
	"github.com/promptd/promptd/internal/value"
)

func decode(tb testing.TB, text string) value.Value {
	tb.Helper()
	v, err := value.DecodeString(text, value.Limits{})
	if err != nil {
		tb.Fatalf("decode %.200s: %v", text, err)
	}
	return v
}

func judge(tb testing.TB, s value.Value) (instance.Judge, bool) {
	tb.Helper()
	compiled, err := schema.Compile(s, schema.Options{Limits: schema.Limits{Bytes: 4 << 20}})
	if err != nil {
		return nil, false
	}
	return func(v value.Value) bool {
		valid, _ := compiled.Accept(tb.Context(), v)
		return valid.OK()
	}, true
}

func TestMadeInstancesAreValid(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, schema string }{
		{"anything", `{}`},
		{"true", `true`},
		{"object", `{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"integer"}},"required":["a","b"],"additionalProperties":false}`},
		{"enum", `{"enum":["x",1,null]}`},
		{"const beside a type", `{"type":"object","properties":{"kind":{"const":"order"}},"required":["kind"]}`},
		{"bounds", `{"type":"number","minimum":0.5,"exclusiveMaximum":0.51}`},
		{"bounds of draft 4", `{"$schema":"http://json-schema.org/draft-04/schema#","type":"integer","minimum":3,"exclusiveMinimum":true,"maximum":5,"exclusiveMaximum":true}`},
		{"multiples", `{"type":"number","multipleOf":0.05,"minimum":10,"maximum":10.12}`},
		{"negative", `{"type":"integer","maximum":-7,"minimum":-9,"multipleOf":4}`},
		{"lengths", `{"type":"string","minLength":70,"maxLength":75}`},
		{"pattern", `{"type":"string","pattern":"^[A-Z]{2}-[0-9]{4,6}(-x)?$"}`},
		{"pattern with a length", `{"type":"string","pattern":"^[a-z]+$","minLength":12,"maxLength":20}`},
		{"formats", `{"type":"array","prefixItems":[{"format":"date-time"},{"format":"date"},{"format":"time"},{"format":"duration"},{"format":"email"},` +
			`{"format":"hostname"},{"format":"ipv4"},{"format":"ipv6"},{"format":"uri"},{"format":"uuid"},{"format":"regex"},{"format":"json-pointer"},` +
			`{"format":"relative-json-pointer"},{"format":"uri-template"},{"format":"iri"},{"format":"idn-email"},{"format":"idn-hostname"}],"minItems":17,` +
			`"items":false}`},
		{"unique items", `{"type":"array","items":{"enum":[1,2,3,4]},"uniqueItems":true,"minItems":4}`},
		{"contains", `{"type":"array","items":{"type":"integer"},"contains":{"minimum":100},"minContains":2,"minItems":4}`},
		{"reference", `{"$ref":"#/$defs/a~1b","$defs":{"a/b":{"type":"object","required":["n"],"properties":{"n":{"$ref":"#named"}}},"c":{"$anchor":"named","type":"null"}}}`},
		{"recursion", `{"type":"object","properties":{"name":{"type":"string"},"children":{"type":"array","items":{"$ref":"#"},"minItems":0}},"required":["name","children"]}`},
		{"one branch", `{"anyOf":[{"type":"string","format":"date"},{"type":"null"}]}`},
		{"branches that exclude each other", `{"oneOf":[{"type":"object","required":["a"],"properties":{"a":{"type":"integer"}},"additionalProperties":false},` +
			`{"type":"object","required":["b"],"properties":{"b":{"type":"integer"}},"additionalProperties":false}]}`},
		{"all of", `{"allOf":[{"type":"object","required":["a"]},{"properties":{"a":{"type":"string","maxLength":3}}}]}`},
		{"condition", `{"type":"object","properties":{"kind":{"enum":["a","b"]},"n":{"type":"integer"}},"required":["kind"],"if":{"properties":{"kind":{"const":"a"}}},` +
			`"then":{"required":["n"]},"else":{"properties":{"n":false}}}`},
		{"not", `{"type":"string","not":{"pattern":"^[a-m]"}}`},
		{"map", `{"type":"object","additionalProperties":{"type":"integer"},"minProperties":3,"maxProperties":4}`},
		{"names", `{"type":"object","patternProperties":{"^x-[a-z]{3}$":{"type":"boolean"}},"additionalProperties":false,"minProperties":2}`},
		{"dependent", `{"type":"object","properties":{"a":{},"b":{}},"required":["a"],"dependentRequired":{"a":["b"]}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := decode(t, c.schema)
			ok, compiles := judge(t, s)
			if !compiles {
				t.Fatalf("the schema %s does not compile", c.schema)
			}
			for seed := range uint64(40) {
				v, err := instance.Make(s, rand.New(rand.NewPCG(seed, 1)), ok)
				if err != nil {
					t.Fatalf("seed %d: Make(%s): %v", seed, c.schema, err)
				}
				again, _ := instance.Make(s, rand.New(rand.NewPCG(seed, 1)), ok)
				if !value.Identical(v, again) {
					t.Fatalf("seed %d gives %s, then %s", seed, v, again)
				}
				if bad, spoiled := instance.Spoil(v, rand.New(rand.NewPCG(seed, 2)), ok); spoiled == ok(bad) {
					t.Errorf("seed %d: Spoil(%s) under %s is %s (spoiled: %v)", seed, v, c.schema, bad, spoiled)
				} else if !spoiled && c.name != "anything" && c.name != "true" {
					t.Errorf("seed %d: Spoil(%s) under %s finds nothing", seed, v, c.schema)
				}
			}
		})
	}
}

func TestNothingIsMadeForWhatHasNoInstance(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		`false`, `{"type":"string","minLength":3,"maxLength":2}`, `{"$ref":"#"}`, `{"enum":[]}`, `{"allOf":[{"type":"string"},{"type":"null"}]}`,
		`{"type":"object","required":["a"],"properties":{"a":{"$ref":"#"}}}`, `{"type":"integer","minimum":2,"maximum":1}`,
	} {
		if v, err := instance.Make(decode(t, s), rand.New(rand.NewPCG(1, 1)), nil); err == nil && s != `{"$ref":"#"}` {
			t.Errorf("Make(%s) = %s, want ErrNone", s, v)
		}
	}
}

// Real schemas are the measure: nearly all of them must get an instance. What the provider cannot answer validly, a test of the pipeline would count as a
// fault of the pipeline.
func TestRealSchemasGetInstances(t *testing.T) {
	t.Parallel()
	files, _ := filepath.Glob(filepath.Join(sharedtest.Dir(t, "data", "jsonschemabench"), "*.jsonl"))
	if len(files) == 0 {
		t.Fatal("no files of schemas")
	}
	made, spoiled, all := 0, 0, 0
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 64<<20)
		for n := 0; lines.Scan(); n++ {
			if n%4 != 0 {
				continue
			}
			s, ok := decode(t, lines.Text()).Get("schema")
			if !ok {
				continue
			}
			good, compiles := judge(t, s)
			if !compiles {
				continue
			}
			all++
			rng := rand.New(rand.NewPCG(9, uint64(n)))
			v, err := instance.Make(s, rng, good)
			if err != nil {
				if all-made < 12 {
					t.Logf("%s line %d: %.600s", filepath.Base(file), n+1, s)
				}
				continue
			}
			made++
			if _, ok := instance.Spoil(v, rng, good); ok {
				spoiled++
			}
		}
		if err := lines.Err(); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	t.Logf("%d of %d schemas get a valid instance, %d of those an invalid one", made, all, spoiled)
	if float64(made) < 0.97*float64(all) {
		t.Errorf("%d of %d real schemas get an instance, want 97 %%", made, all)
	}
}
