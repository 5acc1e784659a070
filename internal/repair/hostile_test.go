package repair

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/value"
)

// hostileTexts gives texts of about n bytes that are made to cost time or memory. Each was or could be quadratic in a careless reader.
func hostileTexts(n int) map[string]string {
	fill := func(unit string) string { return strings.Repeat(unit, n/len(unit)+1) }
	var names, items, elements strings.Builder
	for i := 0; names.Len() < n; i++ {
		fmt.Fprintf(&names, `"k%d":1,`, i)
		fmt.Fprintf(&items, `"k%d":1 `, i)
		fmt.Fprintf(&elements, "<k%d/>", i)
	}
	return map[string]string{
		"different names":           "{" + names.String() + "x",
		"different names apart":     "[" + items.String(),
		"different elements":        "<r>" + elements.String(),
		"brackets":                  fill("["),
		"braces":                    fill("{"),
		"parentheses":               fill("("),
		"nested objects":            fill(`{"a":`),
		"nested objects, no quotes": fill(`{a:`),
		"pairs of brackets":         fill("[]"),
		"pairs of braces":           fill("{}"),
		"closers":                   "[" + fill("]"),
		"quotes":                    fill(`"`),
		"quotes in an array":        "[" + fill(`"`),
		"quotes in an object":       `{"a":` + fill(`"`),
		"spaced quotes":             `{"a": "` + fill(` "x `),
		"apostrophes":               `{'a': '` + fill(`'s `),
		"smart quotes":              fill("“"),
		"backslashes":               fill(`\`),
		"backslashes in a string":   `{"a": "` + fill(`\`),
		"escaped quotes":            `{"a": ` + fill(`\"`),
		"commas":                    fill(","),
		"commas in an array":        "[" + fill(","),
		"commas in an object":       "{" + fill(","),
		"colons":                    "{" + fill(":"),
		"names without values":      "{" + fill(`"a" `),
		"names and names":           "{" + fill(`"a", `),
		"open names":                "{" + fill(`"a:1,`),
		"forgotten colons":          "{" + fill(`"a" 1,`),
		"one name again and again":  "{" + fill(`"a":1,`),
		"fences":                    fill("```"),
		"fences and braces":         fill("```json\n{"),
		"tildes":                    fill("~~~ "),
		"comments without end":      "[" + fill("/*"),
		"line comments":             "[" + fill("// x\n"),
		"hashes":                    "[" + fill("#"),
		"hash lines":                "[1 " + fill(" #x"),
		"elements":                  fill("<a>"),
		"end tags":                  fill("</a"),
		"attributes":                "<a " + fill("b='c "),
		"unescaped signs":           fill("<a> <1 "),
		"reasoning":                 fill("<think>"),
		"reasoning and braces":      fill("</think>{"),
		"prose with brackets":       fill("see [x] and {y} "),
		"prose with objects":        fill(`so {"a": 1} and `),
		"letters":                   fill("a"),
		"letters in an array":       "[" + fill("a"),
		"words in an array":         "[" + fill("a b "),
		"digits":                    fill("7"),
		"digits in an array":        "[" + fill("7"),
		"minuses":                   "[" + fill("- "),
		"dots":                      "[" + fill("."),
		"ellipses":                  "[" + fill("... "),
		"plusses":                   `["a"` + fill(` + "b"`),
		"calls":                     "[" + fill("Date("),
		"spaces":                    "{" + fill(" ") + "x",
		"wide spaces":               "{" + fill("\u3000") + "x",
		"line breaks":               "{" + fill("\n") + "x",
		"nested strings":            fill(`"{\"a\":`),
		"pairs in an array":         "[" + fill(`"a":1,`),
		"implied objects":           "[" + fill(`"a":"b" `),
		"arrays among members":      `{"a":[1],` + fill(`[2],`),
		"dashes":                    fill("- "),
		"dash lines":                fill("- a\n"),
		"yaml names":                fill("a: "),
		"yaml lines":                fill("a: b\n"),
		"yaml text lines":           "a: b\n" + fill(" c\n"),
		"yaml quotes":               "a: " + fill(`"`),
		"bad bytes":                 `{"a":"` + fill("\xff"),
		"nul bytes":                 "[" + fill("\x00"),
		"half pairs":                `["` + fill(`\ud800`),
	}
}

// hostileHints are the ways to read that a caller can ask for.
func hostileHints() map[string]Hints {
	schema, _ := value.DecodeString(`{"type":"object","required":["a"],"properties":{"a":{"type":["object","array"]},"b":{"enum":["x","y"]}}}`, value.Limits{})
	return map[string]Hints{"plain": {}, "schema": {Schema: ShapeOf(schema)}, "notations": {XML: true, YAML: true}}
}

func TestHostileTextsTakeLinearWork(t *testing.T) {
	t.Parallel()
	const size, most = 1 << 18, 64
	for name, text := range hostileTexts(size) {
		for how, h := range hostileHints() {
			p := newParser(text, h)
			_, err := p.read()
			var bound *value.SyntaxError
			if err != nil && !errors.As(err, &bound) && !errors.Is(err, ErrNoValue) {
				t.Errorf("%s, %s: %v", name, how, err)
			}
			if p.steps > most*len(text) {
				t.Errorf("%s, %s: %d steps over %d bytes", name, how, p.steps, len(text))
			}
			if len(p.repairs) > maxRepairs {
				t.Errorf("%s, %s: %d repairs are kept", name, how, len(p.repairs))
			}
		}
	}
}

// fastest gives the shortest of a few runs, which other load disturbs least.
func fastest(do func()) time.Duration {
	best := time.Duration(1 << 62)
	for range 3 {
		start := time.Now()
		do()
		best = min(best, time.Since(start))
	}
	return best
}

// The counted steps leave library calls out, so time is compared as well: eight times the text may cost 8 times the time, and quadratic
// reading would cost 64 times.
func TestHostileTextsTakeLinearTime(t *testing.T) {
	small, large := hostileTexts(1<<14), hostileTexts(1<<17)
	const most, floor = 32, 2 * time.Millisecond
	for name := range small {
		for how, h := range hostileHints() {
			read := func(text string) func() { return func() { _, _ = Read(text, h) } }
			stream := func(text string) func() {
				return func() {
					s := NewStream(h)
					for len(text) > 0 {
						n := min(64, len(text))
						s.Write(text[:n])
						s.Snapshot()
						text = text[n:]
					}
				}
			}
			for what, do := range map[string]func(string) func(){"reading": read, "streaming": stream} {
				grows := ""
				for range 6 { // Other load slows a run at times; quadratic reading is slow each time.
					few, many := fastest(do(small[name])), fastest(do(large[name]))
					if grows = ""; many <= most*max(few, floor) {
						break
					}
					grows = fmt.Sprintf("%v for 16 KiB and %v for 128 KiB", few, many)
				}
				if grows != "" {
					t.Errorf("%s of %s, %s: %s", what, name, how, grows)
				}
			}
		}
	}
}

func TestTenMegabytesAreReadInBoundedMemory(t *testing.T) {
	const size = 10 << 20
	for _, name := range []string{
		"brackets", "braces", "nested objects", "quotes", "quotes in an object", "spaced quotes", "backslashes", "backslashes in a string", "commas",
		"commas in an array", "forgotten colons", "pairs of brackets", "names and names", "words in an array", "prose with objects", "half pairs",
	} {
		text := hostileTexts(size)[name]
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got, err := Read(text, Hints{})
		runtime.ReadMemStats(&after)
		// A value costs at most about 100 bytes, and there are at most a million of them.
		if used := after.TotalAlloc - before.TotalAlloc; used > 40*size {
			t.Errorf("%s: %d MiB were allocated for 10 MiB of text", name, used>>20)
		}
		if len(got.Repairs) > maxRepairs {
			t.Errorf("%s: %d repairs", name, len(got.Repairs))
		}
		var bound *value.SyntaxError
		if err != nil && !errors.As(err, &bound) && !errors.Is(err, ErrNoValue) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDepthIsBounded(t *testing.T) {
	t.Parallel()
	const deep = 100_000
	for _, unit := range []string{"[", "{", "(", `{"a":`, "{a:[", `[{"a":[`, "<a>", "- ", "Date(", "```\n[", "["} {
		for _, tail := range []string{"", "1", strings.Repeat("]", deep)} {
			for how, h := range hostileHints() {
				text := strings.Repeat(unit, deep) + tail
				got, err := Read(text, h)
				var bound *value.SyntaxError
				switch {
				case errors.As(err, &bound):
					if bound.Rule != value.RuleDepth && bound.Rule != value.RuleNodes {
						t.Errorf("%d times %q, %s: %v", deep, unit, how, err)
					}
				case err != nil && !errors.Is(err, ErrNoValue):
					t.Errorf("%d times %q, %s: %v", deep, unit, how, err)
				case err == nil && depth(got.Value) > maxDepth:
					t.Errorf("%d times %q, %s: a value %d deep", deep, unit, how, depth(got.Value))
				}
			}
		}
	}
}

func depth(v value.Value) int {
	deepest := 0
	for i := range v.Len() {
		deepest = max(deepest, depth(v.At(i)))
	}
	return deepest + 1
}
