package schema

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/promptd/promptd/internal/value"
)

// RE2 judges what the matcher judges, where it can say the same: the patterns of the corpora over their texts, changed in places.
func TestTheMatcherAgreesWithRE2(t *testing.T) {
	t.Parallel()
	lines, _ := corpora(t)
	patterns := map[string]bool{}
	for _, p := range []string{
		`^(a+)+$`, `(a|aa)+b`, `((a*)*)*b`, `(x+x+)+y|(a+a+)+y`, `^a|b$|c`, `\ba+\b`, `\Ba`, `^.{2,5}$`, `(?:a?){3}b`, `(|a)+b`, `(a*?)b`, `[^a]b`, `ä+|[à-ü]b`, `(?i:straße)`, `^$`, `a{0}`, `(^a|b)c`, `a||b`, `(?m:^a$)`,
	} {
		patterns[p] = true
	}
	texts := []string{"", "a", "aab", "xxxy", "aaaa!", "b c", "ä", "äb", "STRASSE", "\n", "a\nb"}
	for i, line := range lines {
		collect(line.schema, func(name string, v value.Value) {
			if name == "pattern" && v.Kind() == value.KindString {
				patterns[v.Text()] = true
			}
			if name == "patternProperties" {
				for p := range v.Members() {
					patterns[p] = true
				}
			}
		})
		if i%7 == 0 {
			for _, test := range line.tests {
				collect(test.data, func(_ string, v value.Value) {
					if v.Kind() == value.KindString && len(v.Text()) < 200 {
						texts = append(texts, v.Text())
					}
				})
			}
		}
	}
	r := rand.New(rand.NewPCG(3, 5))
	judged, matched, compared := 0, 0, 0
	for p := range patterns {
		e, parser, err := parseECMA(p, false)
		if err != nil || parser.fancy {
			continue
		}
		var b strings.Builder
		emitRE2(&b, e)
		re, err := regexp.Compile(b.String())
		if err != nil {
			continue // Repeats beyond 1,000.
		}
		ours, err := compilePattern(p)
		if err != nil {
			t.Fatalf("%s: %v", p, err)
		}
		own, err := assemble(e, parser.captures)
		if err != nil {
			t.Fatalf("%s: %v", p, err)
		}
		compared++
		for range 40 {
			s := texts[r.IntN(len(texts))]
			if r.IntN(2) == 0 {
				s = sample(r, e, 0)
				if r.IntN(3) == 0 {
					s = texts[r.IntN(11)] + s + texts[r.IntN(11)]
				}
			}
			want := re.MatchString(s)
			steps := explainSteps
			m := matcher{}
			alone, ended := m.match(own, s, &steps)
			if got := ours.matchString(s); got != want || alone != want || !ended {
				t.Fatalf("%q on %q: %v and alone %v (ended %v), RE2 says %v", p, s, got, alone, ended, want)
			}
			if judged++; want {
				matched++
			}
		}
	}
	t.Logf("%d patterns on %d texts, %d of them matching", compared, judged, matched)
	if compared < 500 || matched*10 < judged {
		t.Errorf("%d patterns were compared and %d of %d texts match: that says little", compared, matched, judged)
	}
}

// collect walks over all members of a value.
func collect(v value.Value, f func(name string, v value.Value)) {
	for i := range v.Len() {
		f(v.NameAt(i), v.At(i))
		collect(v.At(i), f)
	}
}

// sample draws a text that an expression matches, as far as it needs no look-around.
func sample(r *rand.Rand, e *rx, depth int) string {
	switch e.kind {
	case rxSet:
		if len(e.set) == 0 {
			return ""
		}
		i := 2 * r.IntN(len(e.set)/2)
		if c := e.set[i] + r.Int32N(min(e.set[i+1]-e.set[i], 90)+1); c < 0xd800 || c > 0xdfff {
			return string(c)
		}
		return "x"
	case rxEither:
		return sample(r, e.subs[r.IntN(len(e.subs))], depth+1)
	case rxRepeat:
		n := e.min
		if more := e.max - e.min; (more > 0 || e.max < 0) && depth < 20 && n < 50 {
			n += r.IntN(3)
			if more > 0 {
				n = min(n, e.max)
			}
		}
		var b strings.Builder
		for range min(n, 300) {
			b.WriteString(sample(r, e.subs[0], depth+1))
		}
		return b.String()
	case rxSequence, rxCapture:
		var b strings.Builder
		for _, sub := range e.subs {
			b.WriteString(sample(r, sub, depth+1))
		}
		return b.String()
	default:
		return ""
	}
}

// emitRE2 writes the expression in RE2's syntax, with the same meaning.
func emitRE2(b *strings.Builder, e *rx) {
	switch e.kind {
	case rxEmpty:
	case rxSet:
		emitSet(b, e.set)
	case rxSequence:
		for _, sub := range e.subs {
			emitRE2(b, sub)
		}
	case rxEither:
		b.WriteString("(?:")
		for i, sub := range e.subs {
			if i > 0 {
				b.WriteByte('|')
			}
			emitRE2(b, sub)
		}
		b.WriteByte(')')
	case rxRepeat:
		b.WriteString("(?:")
		emitRE2(b, e.subs[0])
		b.WriteByte(')')
		emitCount(b, e)
	case rxCapture:
		b.WriteString("(?:")
		emitRE2(b, e.subs[0])
		b.WriteByte(')')
	case rxBegin:
		b.WriteString(choose(e.lines, `(?m:^)`, `\A`))
	case rxEnd:
		b.WriteString(choose(e.lines, `(?m:$)`, `\z`))
	case rxWordEdge:
		b.WriteString(`\b`)
	case rxNoWordEdge:
		b.WriteString(`\B`)
	case rxBackref, rxLook:
		emitSet(b, nil) // Never reached: such expressions are the matcher's.
	}
}

func choose(first bool, a, b string) string {
	if first {
		return a
	}
	return b
}

func emitCount(b *strings.Builder, e *rx) {
	switch {
	case e.min == 0 && e.max < 0:
		b.WriteByte('*')
	case e.min == 1 && e.max < 0:
		b.WriteByte('+')
	case e.min == 0 && e.max == 1:
		b.WriteByte('?')
	case e.max < 0:
		fmt.Fprintf(b, "{%d,}", e.min)
	default:
		fmt.Fprintf(b, "{%d,%d}", e.min, e.max)
	}
}

func emitSet(b *strings.Builder, set charset) {
	if len(set) == 0 {
		fmt.Fprintf(b, `[^\x{0}-\x{%x}]`, unicode.MaxRune)
		return
	}
	b.WriteByte('[')
	for i := 0; i < len(set); i += 2 {
		fmt.Fprintf(b, `\x{%x}-\x{%x}`, set[i], set[i+1])
	}
	b.WriteByte(']')
}
