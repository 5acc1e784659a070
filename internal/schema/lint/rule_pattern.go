package lint

import (
	"regexp/syntax"
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// patternUnanchored finds patterns that are open at an end.
func (l *linter) patternUnanchored() {
	for v := range l.own {
		p, ok := v.Get("pattern")
		if !ok {
			continue
		}
		switch begins, ends := anchors(p.Text()); {
		case !begins && !ends:
			l.say(value.AppendPointer(v.Pointer(), "pattern"), "around it")
		case !begins:
			l.say(value.AppendPointer(v.Pointer(), "pattern"), "before it")
		case !ends:
			l.say(value.AppendPointer(v.Pointer(), "pattern"), "behind it")
		}
	}
}

// anchors reports whether a pattern holds the beginning and the end of the text. What Go's parser does not read, such as look-around, is told by its ends.
func anchors(pattern string) (begins, ends bool) {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return strings.HasPrefix(pattern, "^"), strings.HasSuffix(pattern, "$") && !strings.HasSuffix(pattern, `\$`)
	}
	return anchored(re, syntax.OpBeginText, false), anchored(re, syntax.OpEndText, true)
}

// anchored reports whether an expression always passes an end of the text.
func anchored(re *syntax.Regexp, op syntax.Op, last bool) bool {
	switch re.Op {
	case op:
		return true
	case syntax.OpStar: // ".*" at an end says as much: anything may stand there.
		return re.Sub[0].Op == syntax.OpAnyChar || re.Sub[0].Op == syntax.OpAnyCharNotNL
	case syntax.OpCapture:
		return anchored(re.Sub[0], op, last)
	case syntax.OpConcat:
		if last {
			return anchored(re.Sub[len(re.Sub)-1], op, last)
		}
		return anchored(re.Sub[0], op, last)
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			if !anchored(sub, op, last) {
				return false
			}
		}
		return true
	default:
		return false
	}
}

// patternSlashes finds patterns that are written as a program writes them.
func (l *linter) patternSlashes() {
	for v := range l.own {
		if p, ok := v.Get("pattern"); ok && len(p.Text()) > 2 && strings.HasPrefix(p.Text(), "/") && strings.HasSuffix(p.Text(), "/") {
			l.say(value.AppendPointer(v.Pointer(), "pattern"))
		}
	}
}

// patternLookaround finds patterns beyond what engines of providers read.
func (l *linter) patternLookaround() {
	for v := range l.own {
		if p, ok := v.Get("pattern"); ok {
			if what := beyondEngines(p.Text()); what != "" {
				l.say(value.AppendPointer(v.Pointer(), "pattern"), what)
			}
		}
		for pattern := range v.Patterns() {
			if what := beyondEngines(pattern); what != "" {
				l.say(value.AppendPointer(value.AppendPointer(v.Pointer(), "patternProperties"), pattern), what)
			}
		}
	}
}

// beyondEngines names what in a pattern needs a search that goes back.
func beyondEngines(pattern string) string {
	class := false
	for i := 0; i < len(pattern); i++ {
		rest := pattern[i:]
		switch {
		case rest[0] == '\\' && len(rest) > 1:
			if !class && (rest[1] >= '1' && rest[1] <= '9' || strings.HasPrefix(rest, `\k<`)) {
				return "a reference back"
			}
			i++
		case class:
			class = rest[0] != ']'
		case rest[0] == '[':
			class = true
		case strings.HasPrefix(rest, "(?=") || strings.HasPrefix(rest, "(?!"):
			return "look-ahead"
		case strings.HasPrefix(rest, "(?<=") || strings.HasPrefix(rest, "(?<!"):
			return "look-behind"
		}
	}
	return ""
}
