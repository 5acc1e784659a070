package pipeline

import (
	"testing"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// FuzzAStreamTakesNothingBack streams any text under schemas whose answers have other shapes: it never panics, and whatever it shows stays.
func FuzzAStreamTakesNothingBack(f *testing.F) {
	schemas := []string{
		`{"type":"object","properties":{"a":{"type":["integer","null"]},"b":{"type":"array","items":{"type":"string"}},"c":{}},"required":["b"],"additionalProperties":{"type":"integer"}}`,
		`{"anyOf":[{"type":"object","properties":{"k":{"const":"x"},"d":{"type":"object","additionalProperties":{"type":"number"}}},"required":["k"]},{"type":"array","prefixItems":[{"type":"string"},{"type":"integer"}]}]}`,
		`{"type":"object","properties":{"n":{"$ref":"#"},"e":{"enum":[1,"1",null,{"a":1}]}},"required":["e"],"additionalProperties":false}`,
	}
	names, profiles := lawProfiles()
	var readers []*reader
	for _, text := range schemas {
		raw, err := value.DecodeString(text, value.Limits{})
		if err != nil {
			f.Fatal(err)
		}
		s, err := schema.Compile(raw, schema.Options{})
		if err != nil {
			f.Fatal(err)
		}
		for i, name := range names {
			readers = append(readers, newReader(s, profiles[name], []schema.Mode{schema.Safe, schema.Lenient}[i%2]))
		}
	}
	for _, text := range []string{
		`{"a":null,"b":["x","y"],"c":"{\"z\":[1]}","additional":[{"key":"d","value":1},{"key":"d","value":2}]}`,
		"```json\n{\"result\":{\"k\":\"x\",\"d\":[{\"key\":\"p\",\"value\":1.5}]}}\n```",
		`{"result":{"array_2":{"1":2,"0":"x"}}}`,
		`{"n":{"value":{"n":null,"e":"1"}},"e":"{\"a\":1}"}`,
		`{"e":1,"n":{"e":"1","n":{"e":null}}}`,
	} {
		for size := range byte(9) {
			f.Add(text, size)
		}
	}
	f.Fuzz(func(t *testing.T, text string, size byte) {
		for _, r := range readers {
			if _, err := r.watch(t.Context(), text, false, func(at int) int { return at + 1 + int(size)%16 }); err != nil {
				t.Errorf("%v\ntext %q\nschema %s", err, text, r.schema.Value())
			}
		}
	})
}
