package schema

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// compileHazards are schemas that are made to cost much before any value is judged.
func compileHazards() []hazard {
	items := func(n int, item func(i int) string) string { return `{"allOf":[` + written(n, item) + `]}` }
	return []hazard{
		{name: "4,000 patterns that unfold", schema: items(4000, func(i int) string { return fmt.Sprintf(`{"pattern":"(a{1000}){25}%d"}`, i) })},
		{name: "4,000 patterns of large sets", schema: items(4000, func(i int) string { return fmt.Sprintf(`{"pattern":"\\p{L}[\\p{Lu}\\p{Nd}]%d"}`, i) })},
		{name: "4,000 patterns that fold", schema: items(4000, func(i int) string { return fmt.Sprintf(`{"pattern":"(?i:[\\w-ſ]+)%d"}`, i) })},
		{name: "one pattern of 250 kB", schema: `{"pattern":"` + strings.Repeat("(a|b)*", 40_000) + `"}`},
		{name: "one pattern of large sets", schema: `{"pattern":"` + strings.Repeat(`\\p{L}`, 40_000) + `"}`},
		{name: "one pattern of nested groups", schema: `{"pattern":"` + strings.Repeat("(", 100_000) + strings.Repeat(")", 100_000) + `"}`},
		{name: "one pattern of repeats within repeats", schema: `{"pattern":"((((a{9}){9}){9}){9}){9}"}`},
		{name: "5,000 subschemas in one level", schema: items(4990, func(i int) string { return fmt.Sprintf(`{"minimum":%d}`, i) })},
		{name: "5,000 properties", schema: `{"properties":{` + written(4990, func(i int) string { return fmt.Sprintf(`"p%d":{"type":"string"}`, i) }) + `}}`},
		{name: "2,500 references to the last of 2,400 definitions", schema: `{"$defs":{` + written(2400, func(i int) string { return fmt.Sprintf(`"d%d":{}`, i) }) + `},"allOf":[` + written(2500, func(int) string { return `{"$ref":"#/$defs/d2399"}` }) + `]}`},
		{name: "a chain of 4,900 references", schema: `{"$ref":"#/$defs/d0","$defs":{` + written(4900, func(i int) string { return fmt.Sprintf(`"d%d":{"$ref":"#/$defs/d%d"}`, i, i+1) }) + `,"d4900":{"type":"string"}` + `}}`},
		{name: "references into what is no schema", schema: `{"x":[` + written(2000, func(i int) string { return fmt.Sprintf(`{"y":{"z":%d}}`, i) }) + `],"allOf":[` + written(2000, func(i int) string { return fmt.Sprintf(`{"$ref":"#/x/%d/y"}`, i) }) + `]}`},
		{name: "2,000 identifiers and anchors", schema: `{"$defs":{` + written(2000, func(i int) string {
			return fmt.Sprintf(`"d%d":{"$id":"http://x.test/%d","$anchor":"a","$dynamicAnchor":"b","$dynamicRef":"#b"}`, i, i)
		}) + `}}`},
		{name: "the same identifier 4,000 times", schema: `{"$defs":{` + written(4000, func(i int) string { return fmt.Sprintf(`"d%d":{"$id":"http://x.test/"}`, i) }) + `}}`},
		{name: "an enum of 40,000 values", schema: `{"enum":[` + written(40_000, func(i int) string { return fmt.Sprint(i) }) + `]}`},
		{name: "an enum of wide objects", schema: `{"enum":[` + written(20, func(i int) string { return `{` + manyMembers(900) + fmt.Sprintf(`,"z":%d}`, i) }) + `]}`},
		{name: "required of 20,000 names", schema: `{"required":[` + written(20_000, func(i int) string { return fmt.Sprintf(`"r%d"`, i) }) + `]}`},
		{name: "10,000 unknown keywords", schema: `{` + written(10_000, func(i int) string { return fmt.Sprintf(`"k%d":{}`, i) }) + `}`},
		{name: "names of 60 kB at 60 levels", schema: strings.Repeat(`{"properties":{"`+strings.Repeat("n", 4000)+`":`, 60) + `{}` + strings.Repeat(`}}`, 60)},
		{name: "multipleOf of 120 digits 4,000 times", schema: items(4000, func(i int) string { return fmt.Sprintf(`{"multipleOf":%d%se-390}`, i+1, strings.Repeat("3", 40)) })},
	}
}

// A schema compiles or is refused, whatever it is made of, within bounds of time and memory.
func TestEveryHazardCompilesOrIsRefused(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const room = 200 << 20
	for _, h := range compileHazards() { // Not parallel: they are timed and their memory is measured.
		raw := decode(t, h.schema)
		var before, behind runtime.MemStats
		runtime.ReadMemStats(&before)
		start := busy()
		s, err := Compile(raw, Options{})
		took := busy() - start
		runtime.ReadMemStats(&behind)
		how := "compiled"
		if err != nil {
			how = "refused: " + cut(err.Error(), 100)
		}
		made := behind.TotalAlloc - before.TotalAlloc
		t.Logf("%8.2f ms, %d MB, %s: %s", ms(took), made>>20, h.name, how)
		if made > room {
			t.Errorf("%s: compiling makes %d MB, want at most %d", h.name, made>>20, room>>20)
		}
		if s != nil {
			s.Accept(t.Context(), decode(t, `"aaaaaaaaaaaaaaaaaaaaaaaaaaaa"`))
		}
	}
}
