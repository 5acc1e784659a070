package schema

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// pattern is a compiled regular expression. RE2 runs it in linear time where it can say the same; else the matcher does.
type pattern struct {
	source  string
	prefix  string // the whole pattern is "begins with this"
	re      *regexp.Regexp
	program *program
	runs    *runs
}

func (p pattern) weight() int {
	w := 200 + 40*len(p.source)
	if p.program != nil {
		w += 64 * len(p.program.code)
	}
	return w
}

// matches reports whether the pattern matches somewhere in the text. A matcher that runs out of steps stops the trial.
func (t *trial) matches(p pattern, s string) bool {
	switch {
	case p.runs != nil:
		return t.spend(1+len(s)>>3) && p.runs.match(s)
	case p.re != nil:
		return t.spend(4+len(s)/2) && p.re.MatchString(s)
	case p.program != nil:
		ok, ended := t.matcher.match(p.program, s, &t.steps)
		if !ended {
			t.stop()
		}
		return ok && ended && t.spend(1)
	default:
		return t.spend(1) && strings.HasPrefix(s, p.prefix)
	}
}

// maxProgram bounds the instructions of a pattern.
const maxProgram = 30_000

// compilePattern reads a pattern as ECMA-262 means it.
func compilePattern(source string) (pattern, error) {
	e, parser, err := parseECMA(source, false)
	if err != nil {
		return pattern{}, err
	}
	p := pattern{source: source}
	if prefix, ok := literalPrefix(e); ok {
		p.prefix = prefix
		return p, nil
	}
	if p.runs = newRuns(e); p.runs != nil {
		return p, nil
	}
	if !parser.fancy {
		var b strings.Builder
		emitRE2(&b, e)
		const long = 1 << 20
		if b.Len() < long {
			if p.re, err = regexp.Compile(b.String()); err == nil {
				return p, nil
			}
			p.re = nil // Repeats beyond 1,000: the matcher has no such bound.
		}
	}
	p.program, err = assemble(e, parser.captures)
	if err != nil {
		return pattern{}, err
	}
	return p, nil
}

// literalPrefix recognises ^text, the commonest key of patternProperties, and patterns that match everything.
func literalPrefix(e *rx) (string, bool) {
	list := []*rx{e}
	if e.kind == rxSequence {
		list = e.subs
	}
	if len(list) == 0 {
		return "", true
	}
	if list[0].kind != rxBegin || list[0].lines {
		return "", len(list) == 1 && matchesEmpty(list[0])
	}
	var b strings.Builder
	for i, sub := range list[1:] {
		if i == len(list)-2 && sub.kind == rxRepeat && sub.min == 0 {
			break // ^text.* says no more than ^text.
		}
		if sub.kind != rxSet || len(sub.set) != 2 || sub.set[0] != sub.set[1] || sub.set[0] >= 0xd800 && sub.set[0] < 0xe000 {
			return "", false
		}
		b.WriteRune(sub.set[0])
	}
	return b.String(), true
}

func matchesEmpty(e *rx) bool { return e.kind == rxRepeat && e.min == 0 }

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

// isRegex is the check of the format regex.
func isRegex(s string) bool {
	_, _, err := parseECMA(s, true)
	return err == nil
}

var errProgramSize = errors.New("it is too large") //nolint:gochecknoglobals // A sentinel error.
