package lowering_test

import (
	"regexp/syntax"
	"strings"
)

// pattern is what the rules of patterns ask about one.
type pattern struct {
	look        bool // look-ahead or look-behind
	back        bool // a reference back by name
	digitEscape bool // a backslash before a digit
	letter      byte // an escaped letter that is no plain control character: \d, \w, \b, \u…; 0: none
	innerAnchor bool // ^ or $ anywhere but at the ends
	special     bool // another group of the form (?…) than (?:…)
}

// scanPattern reads an ECMA-262 pattern by its characters.
func scanPattern(text string) (p pattern) {
	class := false
	for i := 0; i < len(text); i++ {
		switch ch := text[i]; {
		case ch == '\\':
			if i++; i == len(text) {
				break
			}
			switch next := text[i]; {
			case next >= '0' && next <= '9':
				p.digitEscape = true
			case next == 'n' || next == 'r' || next == 't':
			case next|0x20 >= 'a' && next|0x20 <= 'z':
				p.letter = next
				p.back = p.back || next == 'k'
			}
		case class:
			class = ch != ']'
		case ch == '[':
			class = true
		case ch == '^' && i > 0, ch == '$' && i < len(text)-1:
			p.innerAnchor = true
		case ch == '(' && strings.HasPrefix(text[i:], "(?") && !strings.HasPrefix(text[i:], "(?:"):
			p.special = true
			for _, look := range []string{"(?=", "(?!", "(?<=", "(?<!"} {
				p.look = p.look || strings.HasPrefix(text[i:], look)
			}
		}
	}
	return p
}

// anchored reports whether every way through a pattern begins with ^ and ends with $: "^a|b$" is anchored at neither end.
func anchored(text string) bool {
	re, err := syntax.Parse(text, syntax.Perl)
	return err == nil && edge(re, true) && edge(re, false)
}

func edge(re *syntax.Regexp, first bool) bool {
	switch re.Op {
	case syntax.OpBeginText:
		return first
	case syntax.OpEndText:
		return !first
	case syntax.OpCapture:
		return edge(re.Sub[0], first)
	case syntax.OpConcat:
		if first {
			return edge(re.Sub[0], true)
		}
		return edge(re.Sub[len(re.Sub)-1], false)
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			if !edge(sub, first) {
				return false
			}
		}
		return true
	default:
		return false
	}
}

// sample gives a text that a pattern matches, the shortest way through it; ok is false where the way is not plain.
func sample(text string) (string, bool) {
	re, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return "", false
	}
	var b strings.Builder
	ok := write(&b, re)
	return b.String(), ok
}

func write(b *strings.Builder, re *syntax.Regexp) bool {
	if b.Len() > 10_000 {
		return false
	}
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		if len(re.Rune) == 0 {
			return false
		}
		b.WriteRune(re.Rune[0])
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte('x')
	case syntax.OpCapture, syntax.OpPlus:
		return write(b, re.Sub[0])
	case syntax.OpRepeat:
		for range re.Min {
			if !write(b, re.Sub[0]) {
				return false
			}
		}
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if !write(b, sub) {
				return false
			}
		}
	case syntax.OpAlternate:
		return write(b, re.Sub[0])
	case syntax.OpEmptyMatch, syntax.OpBeginText, syntax.OpEndText, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpStar, syntax.OpQuest:
	default:
		return false
	}
	return true
}
