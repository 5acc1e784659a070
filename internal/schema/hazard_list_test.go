package schema

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/value"
)

// hazard is a schema and an instance that are made to cost much.
type hazard struct{ name, schema, instance string }

// list writes n items by their number.
func written(n int, item func(i int) string) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(item(i))
	}
	return b.String()
}

func nested(n int, leaf string) string {
	return strings.Repeat("[", n) + leaf + strings.Repeat("]", n)
}

// fanOut refers to itself some times at each of n levels; only the last level judges.
func fanOut(n int, keyword, leaf string) string {
	var b strings.Builder
	b.WriteString(`{"$ref":"#/$defs/d0","$defs":{`)
	for i := range n {
		fmt.Fprintf(&b, `"d%d":{%q:[{"$ref":"#/$defs/d%d"},{"$ref":"#/$defs/d%d"},{"$ref":"#/$defs/d%d"}]},`, i, keyword, i+1, i+1, i+1)
	}
	fmt.Fprintf(&b, `"d%d":%s}}`, n, leaf)
	return b.String()
}

// hazards are the ways of making a judge work that are known to us.
func hazards() []hazard {
	long := strings.Repeat("a", 100_000)
	numbers := written(100_000, func(i int) string { return fmt.Sprint(i) })
	digits := strings.Repeat("7", 120)
	wide := manyMembers(50_000)
	deep := nested(500, "1")
	list := []hazard{
		{"$ref fans out threefold, all valid", fanOut(40, "allOf", `{"type":"string"}`), `"a"`},
		{"$ref fans out threefold, none valid", fanOut(40, "anyOf", `{"type":"string","minLength":5}`), `"a"`},
		{"$ref fans out threefold, oneOf", fanOut(40, "oneOf", `{"type":"string"}`), `"a"`},
		{"$ref fans out threefold over a wide object", fanOut(40, "allOf", `{"required":["m1"]}`), `{` + wide + `}`},
		{"anyOf doubled 11 times inline", doubled(11, `{"type":"string","minLength":5}`), `"a"`},
		{"anyOf doubled 14 times by reference", doubledByReference(14), `"a"`},
		{"anyOf doubled 18 times by reference", doubledByReference(18), `"a"`},
		{"anyOf doubled 22 times by reference", doubledByReference(22), `"a"`},
		{"anyOf doubled 60 times by reference", doubledByReference(60), `"a"`},
		{"not of a doubled anyOf", `{"not":` + doubledByReference(40)[:1] + `"$ref":"#/$defs/d0"},` + doubledByReference(40)[len(`{"$ref":"#/$defs/d0",`):], `"a"`},
		{"allOf 60 deep and 80 wide", `{"$defs":{"d":{"type":"string"}},"allOf":[` + written(80, func(int) string {
			return strings.Repeat(`{"allOf":[`, 58) + `{"$ref":"#/$defs/d"}` + strings.Repeat(`]}`, 58)
		}) + `]}`, `"a"`},
		{"oneOf within items", `{"oneOf":[{"items":{"$ref":"#"}},{"items":{"$ref":"#"}}]}`, deep},
		{"anyOf within items, each item many", `{"anyOf":[{"items":{"$ref":"#"},"maxItems":1},{"items":{"$ref":"#"},"minItems":2},{"type":"number"}]}`, nested(200, numbers)},
		{"items and contains double", `{"items":{"$ref":"#"},"contains":{"$ref":"#"},"minContains":0}`, deep},
		{"if, then and else of itself", `{"if":{"items":{"$ref":"#"}},"then":{"items":{"$ref":"#"}},"else":{"items":{"$ref":"#"}}}`, deep},
		{"dependentSchemas of itself", `{"properties":{"a":{"$ref":"#"}},"dependentSchemas":{"a":{"properties":{"a":{"$ref":"#"}}}}}`, strings.Repeat(`{"a":`, 500) + `1` + strings.Repeat(`}`, 500)},
		{"unevaluatedProperties of a doubled anyOf", `{"unevaluatedProperties":false,` + fanOut(40, "anyOf", `{"additionalProperties":true}`)[1:], `{` + wide + `}`},
		{"unevaluatedItems of a doubled oneOf", `{"unevaluatedItems":false,` + fanOut(40, "oneOf", `{"prefixItems":[true]}`)[1:], `[` + numbers + `]`},
		{"unevaluatedItems within itself", `{"unevaluatedItems":{"$ref":"#"},"anyOf":[{"unevaluatedItems":{"$ref":"#"}},{"contains":{"type":"string"}}]}`, deep},
		{"$dynamicRef through many resources", `{"$id":"http://x/r","$dynamicAnchor":"n","$defs":{` + written(400, func(i int) string {
			return fmt.Sprintf(`"r%d":{"$id":"http://x/r%d","$dynamicAnchor":"m","items":{"$dynamicRef":"http://x/r#n"},"allOf":[{"$ref":"r%d"}]}`, i, i, i+1)
		}) + `,"r400":{"$id":"http://x/r400","items":{"$dynamicRef":"http://x/r#n"}}},"allOf":[{"$ref":"r0"}]}`, nested(20, numbers)},
		{"$dynamicRef tree", `{"$id":"http://x/t","$dynamicAnchor":"n","anyOf":[{"items":{"$dynamicRef":"#n"}},{"items":{"$dynamicRef":"#n"},"maxItems":3},{"type":"null"}]}`, deep},
		{"$recursiveRef tree", `{"$schema":"https://json-schema.org/draft/2019-09/schema","$recursiveAnchor":true,"anyOf":[{"items":{"$recursiveRef":"#"}},{"items":{"$recursiveRef":"#"},"maxItems":3},{"type":"null"}]}`, deep},
		{"enum of 30,000 numbers against 100,000 others", `{"items":{"enum":[` + written(30_000, func(i int) string { return fmt.Sprint(-1 - i) }) + `]}}`, `[` + numbers + `]`},
		{"enum of 20,000 texts against 100,000 numbers", `{"items":{"enum":[` + written(20_000, func(i int) string { return fmt.Sprintf(`"t%d"`, i) }) + `]}}`, `[` + numbers + `]`},
		{
			"enum of long arrays that differ at their end", `{"items":{"enum":[` + written(20, func(i int) string { return `[` + strings.Repeat("0,", 5000) + fmt.Sprint(i) + `]` }) + `]}}`,
			`[` + written(50, func(int) string { return `[` + strings.Repeat("0,", 5000) + `"x"]` }) + `]`,
		},
		{"const of a wide object in another order", `{"items":{"const":{` + manyMembers(8000) + `}}}`, `[` + written(12, func(int) string {
			return `{` + written(8000, func(i int) string { return fmt.Sprintf(`"m%d":%d`, 7999-i, 7999-i) }) + `}`
		}) + `]`},
		{"unique 100,000 numbers", `{"uniqueItems":true}`, `[` + numbers + `]`},
		{"unique 100,000 objects", `{"uniqueItems":true}`, `[` + written(100_000, func(i int) string { return fmt.Sprintf(`{"b":[%d],"a":"x"}`, i) }) + `]`},
		{"unique 100,000 long numbers", `{"uniqueItems":true}`, `[` + written(100_000, func(i int) string { return fmt.Sprintf(`%d.%se-300`, i, digits[:80]) }) + `]`},
		{"unique at every level", `{"uniqueItems":true,"items":{"$ref":"#"}}`, nested(400, written(2000, func(i int) string { return fmt.Sprintf(`[%d]`, i) }))},
		{"unique twelve long arrays", `{"uniqueItems":true}`, `[` + written(12, func(i int) string { return `[` + strings.Repeat("0,", 60_000) + fmt.Sprint(i) + `]` }) + `]`},
		{"multipleOf far exponents", `{"items":{"multipleOf":1e-400}}`, `[` + written(20_000, func(i int) string { return fmt.Sprintf(`%d%se+270`, i+1, digits[:90]) }) + `]`},
		{"multipleOf long digits", `{"items":{"multipleOf":` + digits[:90] + `e-380}}`, `[` + written(20_000, func(i int) string { return fmt.Sprintf(`%d.%se+360`, i+1, digits[:90]) }) + `]`},
		{"bounds of long digits", `{"items":{"minimum":` + digits + `,"exclusiveMaximum":` + digits + `e2}}`, `[` + written(20_000, func(i int) string { return digits[:100] + fmt.Sprint(i) + ".5e20" }) + `]`},
		{"1e400 by everything", `{"type":"integer","multipleOf":1e-400,"minimum":-1e400,"maximum":1e400,"enum":[1e399,1e400]}`, `1e400`},
		{"integers in exponents", `{"items":{"type":"integer"}}`, `[` + strings.Repeat("1.5e400,", 100_000) + `1e-400]`},
		{"contains in a long array", `{"items":{"contains":{"const":0},"minContains":0,"maxContains":1}}`, `[[` + numbers + `],[` + numbers + `]]`},
		{"many dependencies on a wide object", `{"dependentRequired":{` + written(5000, func(i int) string { return fmt.Sprintf(`"m%d":["m%d"]`, 49_999-i, 49_998-i) }) + `}}`, `{` + wide + `}`},
		{"many required names missing in a wide object", `{"required":[` + written(5000, func(i int) string { return fmt.Sprintf(`"x%d"`, i) }) + `]}`, `{` + wide + `}`},
		{"many patterns on a wide object", `{"patternProperties":{` + written(1000, func(i int) string { return fmt.Sprintf(`"%d[a-z]?$|b*c":{"type":"string"}`, i) }) + `}}`, `{` + wide + `}`},
		{"names by pattern", `{"propertyNames":{"pattern":"^(m|m[0-9]*|x)*z$"}}`, `{` + wide + `}`},
	}
	for _, p := range []string{
		`^(a+)+$`, `^(?!x)((a+)+)+$`, `^(a*)*\\1(a*)*\\2b$`, `^(a{1,100}){1,100}$`, `(a|aa)+b`, `(?=(a+))a*b\\1`, `(?<=a{1,50})b`, `((a*)*)*b`, `(?!.*(a+)+c)(a|b)+z$`, `.*a.{900}b.{90}c`, `(x+x+)+y|(a+a+)+y`,
		`(.*)(.*)(.*)(.*)\\1\\2\\3\\4x`, `(?:(?=a)a|(?=b)b)*c`, `([aA]{1,900}){1,30}b`, strings.Repeat(`a?`, 900) + strings.Repeat(`a`, 900) + `b`, strings.Repeat(`(a|b)*`, 150) + `c`, `(?i:(A|a|aa|aA)+)b`, `(?<!(a+)+b)c`,
	} {
		list = append(list, hazard{"pattern " + cut(p, 30), `{"pattern":"` + p + `"}`, `"` + long + `!"`}, hazard{"pattern in items " + cut(p, 30), `{"items":{"pattern":"` + p + `"}}`, `[` + written(400, func(int) string { return `"` + long[:250] + `!"` }) + `]`})
	}
	for _, f := range []string{
		"date-time", "duration", "email", "idn-email", "hostname", "idn-hostname", "ipv6", "uri", "iri-reference", "uri-template", "json-pointer", "regex", "iban", "luhn", "bcp47",
	} {
		for _, part := range []string{"a", "ä", "%41", "{a}", "/~0", "\\\\p{L}", "(?i:[\\\\w-ſ])", "1", "a.", "(", "[a-z", ":", "xn--a-"} {
			list = append(list, hazard{"format " + f + " of " + part, `{"format":"` + f + `"}`, `"` + strings.Repeat(part, 150_000/len(part)) + `"`})
		}
	}
	for _, rule := range []string{
		`self.all(x, self.all(y, x != y + 0.5))`, `self.map(x, x * 1.000000000000000000001).sum() == 0.1`, `self.filter(x, self.exists(y, y == x)).size() == 0`, `self.all(x, string(x).matches('^(a+)+$') || x >= 0)`, `self == self.map(x, x + 0)`,
	} {
		list = append(list, hazard{"rule " + rule, `{"x-rules":["` + rule + `"]}`, `[` + numbers + `]`},
			hazard{"rule in items " + rule, `{"items":{"x-rules":["` + rule + `"]}}`, `[` + written(900, func(i int) string {
				return `[` + written(100, func(j int) string { return fmt.Sprint(100*i + j) }) + `]`
			}) + `]`})
	}
	return append(list, reportHazards()...)
}

// reportHazards are those whose report is the work.
func reportHazards() []hazard {
	zeros := `[` + strings.Repeat("0,", 20_000) + `0]`
	many := written(4000, func(i int) string { return fmt.Sprintf(`{"const":"choice %d"}`, i) })
	words := written(6000, func(i int) string { return fmt.Sprintf(`"abcdefghijklmnopqrstuvwxyzabcdefgh%d"`, i) })
	return []hazard{
		{"report of 20,000 faults", `{"items":{"type":"string"}}`, zeros},
		{"report of 4,000 alternatives each", `{"items":{"anyOf":[` + many + `]}}`, zeros},
		{"report of 4,000 alternatives once", `{"items":{"oneOf":[` + many + `]}}`, `[0]`},
		{"report of a large enum", `{"items":{"enum":[` + words + `]}}`, `[` + written(5000, func(int) string { return `"abcdefghijklmnopqrstuvwxyzabcdefghxyz"` }) + `]`},
		{"report of a large not", `{"items":{"not":{"enum":[0,` + words + `]}}}`, zeros},
		{"report of a large contains", `{"items":{"contains":{"enum":[1,` + words + `]}}}`, `[` + strings.Repeat(`[0],`, 20_000) + `[]]`},
		{"report of names by a large schema", `{"propertyNames":{"enum":[` + words + `]}}`, `{` + manyMembers(20_000) + `}`},
		{"report of unknown names", `{"properties":{` + written(4000, func(i int) string { return fmt.Sprintf(`"member%d":{}`, i) }) + `},"additionalProperties":false}`, `{` + manyMembers(20_000) + `}`},
		{"report of missing names", `{"items":{"required":[` + written(4000, func(i int) string { return fmt.Sprintf(`"x%d"`, i) }) + `]}}`, `[` + strings.Repeat(`{},`, 500) + `{}]`},
		{"report at 500 levels", `{"anyOf":[{"items":{"$ref":"#"},"minItems":2},{"type":"string"}]}`, nested(500, `{}`)},
		{"report deep and wide", `{"items":{"$ref":"#"},"type":["array","string"]}`, nested(500, strings.Repeat("0,", 5000)+"0")},
		{"report of dependencies", `{"items":{"dependentRequired":{"a":[` + words + `]}}}`, `[` + strings.Repeat(`{"a":1},`, 5000) + `{}]`},
		{"report of long values", `{"items":{"type":"string"}}`, `[` + written(40, func(int) string {
			return `[` + written(40, func(int) string { return `["` + strings.Repeat("x", 500) + `"]` }) + `]`
		}) + `]`},
		{"report of a const that is large", `{"items":{"const":[` + words + `]}}`, zeros},
		{"report of alternatives within alternatives", fanOut(6, "anyOf", `{"required":["a","b","c"],"additionalProperties":false}`), `{` + manyMembers(500) + `}`},
		{"report of duplicates", `{"items":{"uniqueItems":true}}`, `[` + strings.Repeat(`[1,1],`, 20_000) + `[]]`},
	}
}

// judging is how long one judgement may take on a quiet machine. It is logged against, not asserted: a busy machine says nothing.
const judging = 50 * time.Millisecond

// Whatever the schema and the value, judging ends, and the verdict of what was given up is "not valid".
func TestEveryHazardEndsByItsBudget(t *testing.T) {
	type outcome struct {
		name, how     string
		accept, build time.Duration
		steps         int
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var outcomes []outcome
	for _, h := range hazards() { // Not parallel: they are timed.
		v := decode(t, h.instance)
		o := outcome{name: h.name, accept: time.Hour, build: time.Hour}
		for range 2 {
			raw := decode(t, h.schema)
			start := busy()
			s, err := Compile(raw, Options{})
			o.build = min(o.build, busy()-start)
			if err != nil {
				o.how, o.accept = "refused: "+cut(err.Error(), 60), 0
				break
			}
			start = busy()
			valid, report := s.Accept(t.Context(), v)
			o.accept = min(o.accept, busy()-start)
			o.how = map[bool]string{true: "valid", false: "not valid"}[valid.OK()]
			if valid.OK() != (len(report.Errors) == 0) {
				t.Errorf("%s: verdict %v with %d entries", h.name, valid.OK(), len(report.Errors))
			}
			if len(report.Errors) > 0 && report.Errors[0].Keyword == KeywordLimit {
				o.how = "given up"
			}
			o.steps = stepsOf(s, v)
		}
		outcomes = append(outcomes, o)
	}
	slices.SortFunc(outcomes, func(a, b outcome) int { return cmp.Compare(b.accept, a.accept) })
	over := 0
	for i, o := range outcomes {
		if o.accept > judging {
			over++
		}
		if i < 15 {
			t.Logf("%8.2f ms (%d steps, compiled in %.2f ms), %s: %s", ms(o.accept), o.steps, ms(o.build), o.how, o.name)
		}
	}
	slices.SortFunc(outcomes, func(a, b outcome) int { return cmp.Compare(b.build, a.build) })
	for _, o := range outcomes[:3] {
		t.Logf("compiled in %.2f ms: %s", ms(o.build), o.name)
	}
	t.Logf("%d hazards; %d took longer than %v", len(outcomes), over, judging)
	if _, err := value.DecodeString(`1e10000000`, value.Limits{}); err == nil {
		t.Error("a number of ten million digits is read")
	}
}

// busy gives the processor time of the thread so far: on a machine that others use as well the clock says little. Where it is not known, the clock serves.
func busy() time.Duration {
	const thread = 1 // RUSAGE_THREAD, on Linux alone.
	var use syscall.Rusage
	if err := syscall.Getrusage(thread, &use); err != nil {
		return time.Duration(time.Now().UnixNano())
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// stepsOf gives the steps that a verdict takes.
func stepsOf(s *Schema, v value.Value) int {
	t := s.trial(context.Background(), judgeSteps)
	defer s.release(t)
	t.run(s.root, v, nil)
	return judgeSteps - t.steps
}

// The budget bounds what is made to cost much and leaves real values alone: none of the corpora uses a tenth of it.
func TestRealValuesUseLittleOfTheBudget(t *testing.T) {
	t.Parallel()
	const room = 10
	lines, remotes := corpora(t)
	type use struct {
		steps, bytes int
		id           string
	}
	var uses []use
	for _, line := range lines {
		s, err := Compile(line.schema, Options{Remotes: remotes})
		if err != nil {
			continue
		}
		for i, test := range line.tests {
			uses = append(uses, use{stepsOf(s, test.data), len(test.data.Append(nil)), fmt.Sprintf("%s/%d", line.id, i)})
		}
	}
	slices.SortFunc(uses, func(a, b use) int { return cmp.Compare(b.steps, a.steps) })
	for _, u := range uses[:5] {
		t.Logf("%d steps for %d bytes of %s", u.steps, u.bytes, u.id)
	}
	t.Logf("%d instances; p99 %d steps, median %d steps; the budget has %d", len(uses), uses[len(uses)/100].steps, uses[len(uses)/2].steps, judgeSteps)
	if uses[0].steps*room > judgeSteps {
		t.Errorf("%s takes %d steps: less than %d times of it are allowed", uses[0].id, uses[0].steps, room)
	}
}

// What goes over an answer beside the judge (coercion, order, parts) ends by the same budget: coercing a wide object once took half a minute.
func TestEveryHazardIsCoercedAndOrderedWithinTheBudget(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	type outcome struct {
		name string
		took time.Duration
	}
	var outcomes []outcome
	for _, h := range hazards() { // Not parallel: they are timed.
		s, err := Compile(decode(t, h.schema), Options{})
		if err != nil {
			continue
		}
		v := decode(t, h.instance)
		start := busy()
		coerced, list := s.Coerce(v, Lenient)
		outcomes = append(outcomes, outcome{"coerce: " + h.name, busy() - start})
		if len(list) == 0 && !value.Identical(coerced, v) {
			t.Errorf("%s: the value was changed and nothing says so", h.name)
		}
		start = busy()
		ordered := s.Reorder(v)
		outcomes = append(outcomes, outcome{"reorder: " + h.name, busy() - start})
		if ordered.Len() != v.Len() {
			t.Errorf("%s: ordering took members away", h.name)
		}
		start = busy()
		s.AcceptPart(t.Context(), "/0", v)
		outcomes = append(outcomes, outcome{"part: " + h.name, busy() - start})
	}
	slices.SortFunc(outcomes, func(a, b outcome) int { return cmp.Compare(b.took, a.took) })
	for _, o := range outcomes[:5] {
		t.Logf("%8.2f ms, %s", ms(o.took), o.name)
	}
}
