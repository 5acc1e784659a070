package compat

import (
	"regexp/syntax"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// everyText reports whether a regular expression surely matches every text, because it matches the empty one anywhere.
func everyText(pattern string) bool {
	switch pattern {
	case "", "^", "$", ".*", "^.*", ".*$", "[\\s\\S]*", "^[\\s\\S]*$":
		return true
	default:
		return false
	}
}

// impliesPattern reports whether every text that one regular expression matches is surely matched by the other.
func impliesPattern(have, want string) bool { return have == want }

// lengths gives the bounds on the characters of a group's strings, by minLength and maxLength, by patterns of whole texts and by formats.
func (g group) lengths() (least, most int) {
	least, most = g.of(value.KindString).sizes()
	for _, p := range g.places {
		if v, ok := p.Get("pattern"); ok {
			low, high := patternLengths(v.Text())
			least, most = max(least, low), fewest(most, high)
		}
		low, high := formatLengths(p)
		least, most = max(least, low), fewest(most, high)
	}
	return least, most
}

// formatLengths gives the bounds that formats of fixed form set.
func formatLengths(p schema.Place) (least, most int) {
	switch p.Format() {
	case "date":
		const day = len("2025-01-15")
		return day, day
	case "uuid":
		const hex = 36
		return hex, hex
	case "ipv4":
		return len("1.1.1.1"), len("255.255.255.255")
	case "iso4217":
		return len("EUR"), len("EUR")
	default:
		return 0, -1
	}
}

// patternLengths gives the bounds on the characters of texts that a regular expression matches. One that Go does not read sets none.
func patternLengths(pattern string) (least, most int) {
	re, err := syntax.Parse(pattern, syntax.Perl&^syntax.UnicodeGroups)
	if err != nil {
		return 0, -1
	}
	least, most = runeCounts(re)
	if !anchored(re) {
		most = -1
	}
	return least, most
}

// anchored reports whether an expression is about whole texts.
func anchored(re *syntax.Regexp) bool {
	if re.Op != syntax.OpConcat || len(re.Sub) < 2 {
		return false
	}
	first, last := re.Sub[0].Op, re.Sub[len(re.Sub)-1]
	return first == syntax.OpBeginText && last.Op == syntax.OpEndText
}

// manyRunes stands for no bound while counting.
const manyRunes = 1 << 20

// runeCounts gives the smallest and largest count of characters that an expression takes; the largest is negative where there is none.
func runeCounts(re *syntax.Regexp) (least, most int) {
	switch re.Op {
	case syntax.OpLiteral:
		return len(re.Rune), len(re.Rune)
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return 1, 1
	case syntax.OpCapture:
		return runeCounts(re.Sub[0])
	case syntax.OpStar:
		return 0, -1
	case syntax.OpPlus:
		least, _ = runeCounts(re.Sub[0])
		return least, -1
	case syntax.OpQuest:
		_, most = runeCounts(re.Sub[0])
		return 0, most
	case syntax.OpRepeat:
		least, most = runeCounts(re.Sub[0])
		least = min(least*re.Min, manyRunes)
		if most = most * re.Max; most < 0 || most > manyRunes || re.Max < 0 {
			most = -1
		}
		return least, most
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			low, high := runeCounts(sub)
			least = min(least+low, manyRunes)
			if most >= 0 && high >= 0 {
				most += high
			} else {
				most = -1
			}
		}
		return least, most
	case syntax.OpAlternate:
		least, most = runeCounts(re.Sub[0])
		for _, sub := range re.Sub[1:] {
			low, high := runeCounts(sub)
			least = min(least, low)
			if most < 0 || high < 0 {
				most = -1
			} else {
				most = max(most, high)
			}
		}
		return least, most
	case syntax.OpNoMatch:
		return 0, -1
	default:
		return 0, 0
	}
}
