package lowering

import (
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// plainPattern reports whether a pattern is one that every engine reads alike: no look-around, no references back, no word boundaries, anchors at
// the ends alone.
func plainPattern(pattern string) bool {
	if strings.Contains(pattern, `\<`) || strings.Contains(pattern, `\>`) { // Ends of words to some.
		return false
	}
	re, err := syntax.Parse(pattern, syntax.Perl&^syntax.UnicodeGroups)
	return err == nil && plainTree(re, true, true)
}

func plainTree(re *syntax.Regexp, first, last bool) bool {
	switch re.Op {
	case syntax.OpWordBoundary, syntax.OpNoWordBoundary, syntax.OpBeginLine, syntax.OpEndLine:
		return false
	case syntax.OpBeginText:
		return first
	case syntax.OpEndText:
		return last
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		return re.Flags&syntax.NonGreedy == 0 && plainTree(re.Sub[0], false, false)
	case syntax.OpConcat:
		for i, sub := range re.Sub {
			if !plainTree(sub, first && i == 0, last && i == len(re.Sub)-1) {
				return false
			}
		}
		return true
	}
	for _, sub := range re.Sub {
		if !plainTree(sub, first, last) {
			return false
		}
	}
	return true
}

// idle reports whether an assertion asserts nothing.
func idle(name string, item value.Value) bool {
	switch name {
	case "uniqueItems", "x-extractive":
		return !item.Truth()
	case "minLength", "minItems", "minProperties":
		return item.Decimal().IsZero()
	case "propertyNames", "unevaluatedItems":
		return item.Kind() == value.KindBool && item.Truth() || item.Kind() == value.KindObject && item.Len() == 0
	default:
		return false
	}
}

// wholePattern reports whether a pattern is anchored at both ends, whichever of its alternatives matches.
func wholePattern(pattern string) bool {
	re, err := syntax.Parse(pattern, syntax.Perl&^syntax.UnicodeGroups)
	return err == nil && re.Op == syntax.OpConcat && re.Sub[0].Op == syntax.OpBeginText && re.Sub[len(re.Sub)-1].Op == syntax.OpEndText
}

// simplePattern gives a pattern as the converter reads it: anchored at both ends, of literals, classes, groups, alternatives and counts. Classes by
// letter are spelled out where that is exact. What could stand for a quotation mark or a backslash is not simple: it would end the JSON string.
func simplePattern(pattern string) (string, bool) {
	re, err := syntax.Parse(pattern, syntax.Perl&^syntax.UnicodeGroups)
	if err != nil || re.Op != syntax.OpConcat || !plainTree(re, true, true) ||
		re.Sub[0].Op != syntax.OpBeginText || re.Sub[len(re.Sub)-1].Op != syntax.OpEndText || strings.Contains(pattern, "[]") || strings.Contains(pattern, "[^") {
		return "", false
	}
	var b strings.Builder
	class := false
	for i := 0; i < len(pattern); i++ {
		switch ch := pattern[i]; {
		case ch < 0x20 || ch >= 0x7f || ch == '"' || ch == '.' && !class:
			return "", false
		case ch == '\\' && i+1 < len(pattern):
			i++
			spelled, ok := escaped(pattern[i], class)
			if !ok {
				return "", false
			}
			b.WriteString(spelled)
			continue
		case ch == '[':
			class = true
		case ch == ']':
			class = false
		case ch == '(' && !class && strings.HasPrefix(pattern[i:], "(?"):
			if !strings.HasPrefix(pattern[i:], "(?:") {
				return "", false
			}
			i += len("?:")
			b.WriteByte('(')
			continue
		}
		b.WriteByte(pattern[i])
	}
	return b.String(), true
}

// escaped spells out an escape.
func escaped(ch byte, class bool) (string, bool) {
	switch {
	case ch == 'd' && class:
		return "0-9", true
	case ch == 'd':
		return "[0-9]", true
	case ch == 'w' && class:
		return "A-Za-z0-9_", true
	case ch == 'w':
		return "[A-Za-z0-9_]", true
	case ch >= '0' && ch <= '9' || ch >= 'a' && ch <= 'z' || ch >= 'A' && ch <= 'Z' || ch == '\\' || ch == '"':
		return "", false
	case class && strings.IndexByte("^-[]", ch) >= 0:
		return "", false // Grammars have no such escape in a class.
	case !class && strings.IndexByte("^$.[]()|{}*+?", ch) >= 0:
		return "\\" + string(ch), true
	default:
		return string(ch), true
	}
}

// huge reports whether a bound is so far away that the engine fails to write it as a pattern; it hardly binds.
func huge(bound value.Value) bool {
	const far = 1_000_000_000_000_000
	d := bound.Decimal()
	return d.Compare(value.Int(far).Decimal()) >= 0 || d.Compare(value.Int(-far).Decimal()) <= 0
}

// apart reports whether surely no name matches two of the patterns: engines refuse those that overlap.
func apart(patterns []string) bool {
	var begins []byte
	for _, pattern := range patterns {
		if len(patterns) == 1 {
			return true
		}
		rest, ok := strings.CutPrefix(pattern, "^")
		if !ok || rest == "" || strings.ContainsAny(pattern, "|*?{") || strings.IndexByte(`\\[(.+$`, rest[0]) >= 0 || slices.Contains(begins, rest[0]) {
			return false
		}
		begins = append(begins, rest[0])
	}
	return true
}
