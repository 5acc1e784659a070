package schema

import (
	"errors"
	"strings"
)

// pattern is a compiled regular expression: the commonest forms need no search, the others are the matcher's.
type pattern struct {
	source  string
	prefix  string // the whole pattern is "begins with this"
	program *program
	runs    *runs
	work    int // what reading it cost and its program takes
}

// maxPatternWork bounds the patterns of one schema together: "(a{1000}){25}" unfolds to a megabyte, and a schema has room for thousands of those.
const maxPatternWork = 2 << 20

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
	case p.program != nil:
		const begin = 8 // Steps that beginning is worth.
		if !t.spend(begin) {
			return false
		}
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
	p := pattern{source: source, work: len(source) + parser.work}
	if prefix, ok := literalPrefix(e); ok {
		p.prefix = prefix
		return p, nil
	}
	if p.runs = newRuns(e); p.runs != nil {
		return p, nil
	}
	p.program, err = assemble(e, parser.captures)
	if err != nil {
		return pattern{}, err
	}
	const instructionWork = 8
	p.work += instructionWork * len(p.program.code)
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

// isRegex is the check of the format regex.
func isRegex(s string) bool {
	_, _, err := parseECMA(s, true)
	return err == nil
}

var errProgramSize = errors.New("it is too large") //nolint:gochecknoglobals // A sentinel error.
