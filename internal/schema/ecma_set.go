package schema

import (
	"slices"
	"strings"
	"unicode"
)

// charset is a set of code points as sorted, disjoint ranges: first, last, first, last, …
type charset []rune

func ranges(pairs ...rune) charset { return charset(pairs).normal() }

// normal sorts the ranges and joins those that touch.
func (c charset) normal() charset {
	type span struct{ low, high rune }
	spans := make([]span, 0, len(c)/2)
	for i := 0; i+1 < len(c); i += 2 {
		spans = append(spans, span{c[i], c[i+1]})
	}
	slices.SortFunc(spans, func(a, b span) int { return int(a.low - b.low) })
	out := make(charset, 0, len(c))
	for _, s := range spans {
		if n := len(out); n > 0 && s.low <= out[n-1]+1 {
			out[n-1] = max(out[n-1], s.high)
			continue
		}
		out = append(out, s.low, s.high)
	}
	return out
}

func (c charset) has(r rune) bool {
	if len(c) <= 8 {
		for i := 0; i < len(c); i += 2 {
			if r >= c[i] && r <= c[i+1] {
				return true
			}
		}
		return false
	}
	low, high := 0, len(c)/2
	for low < high {
		if mid := (low + high) / 2; r > c[2*mid+1] {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return 2*low < len(c) && r >= c[2*low]
}

func (c charset) negated() charset {
	out := charset{}
	next := rune(0)
	for i := 0; i < len(c); i += 2 {
		if c[i] > next {
			out = append(out, next, c[i]-1)
		}
		next = c[i+1] + 1
	}
	if next <= unicode.MaxRune {
		out = append(out, next, unicode.MaxRune)
	}
	return out
}

// maxFolded bounds the ranges that are folded code point by code point.
const maxFolded = 5000

// folded adds what differs only in case.
func (c charset) folded() charset {
	out := slices.Clone(c)
	for i := 0; i < len(c); i += 2 {
		if c[i+1]-c[i] > maxFolded {
			continue // Such a range holds both cases but for its edges.
		}
		for r := c[i]; r <= c[i+1]; r++ {
			for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
				out = append(out, f, f)
			}
		}
	}
	return out.normal()
}

func digits() charset { return charset{'0', '9'} }

func wordChars() charset { return ranges('0', '9', 'A', 'Z', '_', '_', 'a', 'z') }

// spaces is ECMA-262's WhiteSpace and LineTerminator.
func spaces() charset {
	return ranges('\t', '\r', ' ', ' ', 0xa0, 0xa0, 0x1680, 0x1680, 0x2000, 0x200a, 0x2028, 0x2029, 0x202f, 0x202f, 0x205f, 0x205f, 0x3000, 0x3000, 0xfeff, 0xfeff)
}

func lineEnds() charset { return ranges('\n', '\n', '\r', '\r', 0x2028, 0x2029) }

func fromTable(table *unicode.RangeTable) charset {
	var out charset
	add := func(low, high, stride rune) {
		if stride == 1 {
			out = append(out, low, high)
			return
		}
		for r := low; r <= high; r += stride {
			out = append(out, r, r)
		}
	}
	for _, r := range table.R16 {
		add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
	for _, r := range table.R32 {
		add(rune(r.Lo), rune(r.Hi), rune(r.Stride)) //nolint:gosec // Code points fit.
	}
	return out.normal()
}

// property gives the set of \p{name}: a general category, a script as Script=, sc= or scx=, or a binary property.
func propertySet(name string) (charset, bool) {
	key, val, assigned := strings.Cut(name, "=")
	if assigned {
		switch key {
		case "General_Category", "gc":
			return category(val)
		case "Script", "sc", "Script_Extensions", "scx":
			if long, ok := scriptAlias(val); ok {
				val = long
			}
			if table, ok := unicode.Scripts[val]; ok {
				return fromTable(table), true
			}
		}
		return nil, false
	}
	if set, ok := category(name); ok {
		return set, true
	}
	return binary(name)
}

func category(name string) (charset, bool) {
	if table, ok := unicode.Categories[name]; ok {
		return fromTable(table), true
	}
	if short, ok := unicode.CategoryAliases[name]; ok {
		if table, ok := unicode.Categories[short]; ok {
			return fromTable(table), true
		}
	}
	return nil, false
}

func binary(name string) (charset, bool) {
	switch name {
	case "Any":
		return charset{0, unicode.MaxRune}, true
	case "ASCII":
		return charset{0, 0x7f}, true
	case "Assigned":
		set, _ := category("Cn")
		if set == nil {
			return nil, false
		}
		return set.negated(), true
	case "Alphabetic", "Alpha":
		return union(fromTable(unicode.L), fromTable(unicode.Nl), fromTable(unicode.Other_Alphabetic)), true
	case "Uppercase", "Upper":
		return union(fromTable(unicode.Lu), fromTable(unicode.Other_Uppercase)), true
	case "Lowercase", "Lower":
		return union(fromTable(unicode.Ll), fromTable(unicode.Other_Lowercase)), true
	case "White_Space", "space":
		return fromTable(unicode.White_Space), true
	}
	if table, ok := unicode.Properties[name]; ok {
		return fromTable(table), true
	}
	return nil, false
}

func union(sets ...charset) charset {
	var out charset
	for _, s := range sets {
		out = append(out, s...)
	}
	return out.normal()
}

func scriptAlias(short string) (string, bool) {
	long, ok := map[string]string{
		"Arab": "Arabic", "Armn": "Armenian", "Beng": "Bengali", "Cyrl": "Cyrillic", "Deva": "Devanagari", "Geor": "Georgian", "Grek": "Greek",
		"Hang": "Hangul", "Hani": "Han", "Hebr": "Hebrew", "Hira": "Hiragana", "Kana": "Katakana", "Latn": "Latin", "Taml": "Tamil", "Thai": "Thai", "Zyyy": "Common",
	}[short]
	return long, ok
}
