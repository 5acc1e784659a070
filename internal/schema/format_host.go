package schema

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/bidi"
	"golang.org/x/text/unicode/norm"
)

// Lengths of DNS names.
const (
	maxHost  = 253
	maxLabel = 63
)

// isHostname is RFC 1123's hostname; labels that begin with xn-- must hold valid Punycode of a valid label.
func isHostname(s string) bool {
	if s == "" || len(s) > maxHost {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if !isLabel(label) {
			return false
		}
	}
	return true
}

// isOldHostname is RFC 1034's hostname, which drafts 4 and 6 name: hyphens may stand anywhere inside a label.
func isOldHostname(s string) bool {
	if s == "" || len(s) > maxHost {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if !isLDH(label) {
			return false
		}
	}
	return true
}

func isLDH(s string) bool {
	if s == "" || len(s) > maxLabel || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c != '-' && !isDigit(c) && !isLetter(c) {
			return false
		}
	}
	return true
}

func isLabel(s string) bool {
	if !isLDH(s) {
		return false
	}
	if len(s) > 3 && s[2] == '-' && s[3] == '-' {
		return strings.EqualFold(s[:2], "xn") && isPunycode(s)
	}
	return true
}

func isPunycode(label string) bool {
	u, err := idna.Punycode.ToUnicode(strings.ToLower(label))
	if err != nil || isASCII(u) {
		return false
	}
	back, err := idna.Punycode.ToASCII(u)
	return err == nil && strings.EqualFold(back, label) && isULabel(u)
}

// isIDNHostname is RFC 5890's internationalised hostname.
func isIDNHostname(s string) bool {
	if s == "" || len(s) > utf8.UTFMax*maxHost { // Punycode is not shorter than its code points.
		return false
	}
	total := 0
	s = strings.NewReplacer("。", ".", "．", ".", "｡", ".").Replace(s)
	rightToLeft := isRightToLeft(s)
	for label := range strings.SplitSeq(s, ".") {
		if rightToLeft && !isBidiLabel([]rune(label)) {
			return false
		}
		ascii := label
		if isASCII(label) {
			if !isLabel(label) {
				return false
			}
		} else {
			var err error
			if ascii, err = idna.Punycode.ToASCII(label); err != nil || len(ascii) > maxLabel || !isULabel(label) {
				return false
			}
		}
		total += len(ascii) + 1
	}
	return total-1 <= maxHost
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// isULabel judges a label by RFC 5891 and 5892: allowed code points, contexts, hyphens, no leading mark, and RFC 5893's rule for
// right-to-left text.
func isULabel(s string) bool {
	if s == "" || !norm.NFC.IsNormalString(s) || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	runes := []rune(s)
	if len(runes) > 3 && runes[2] == '-' && runes[3] == '-' || unicode.Is(unicode.M, runes[0]) {
		return false
	}
	for i, r := range runes {
		if !isIDNARune(r) || !inContext(runes, i) {
			return false
		}
	}
	return !isRightToLeft(s) || isBidiLabel(runes)
}

// isIDNARune is PVALID, CONTEXTJ or CONTEXTO of RFC 5892, computed from Unicode's properties.
func isIDNARune(r rune) bool {
	switch {
	case r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z':
		return true
	case r < utf8.RuneSelf:
		return false
	}
	switch r {
	case 0xdf, 0x3c2, 0x6fd, 0x6fe, 0xf0b, 0x3007, 0xb7, 0x375, 0x5f3, 0x5f4, 0x30fb, 0x200c, 0x200d:
		return true
	case 0x640, 0x7fa, 0x302e, 0x302f, 0x3031, 0x3032, 0x3033, 0x3034, 0x3035, 0x303b:
		return false
	}
	if !unicode.In(r, unicode.Ll, unicode.Lo, unicode.Lm, unicode.Lu, unicode.Mn, unicode.Mc, unicode.Nd) || unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) {
		return false
	}
	const jamo, jamoEnd = 0x1100, 0x11ff
	if r >= jamo && r <= jamoEnd || r >= 0xa960 && r <= 0xa97f || r >= 0xd7b0 && r <= 0xd7ff {
		return false
	}
	text := string(r)
	return norm.NFKC.String(strings.ToLower(norm.NFKC.String(text))) == text
}

// inContext judges the code points that are allowed only beside certain others (RFC 5892, appendix A).
func inContext(runes []rune, i int) bool {
	before := func(n int) rune {
		if i-n < 0 {
			return 0
		}
		return runes[i-n]
	}
	after := rune(0)
	if i+1 < len(runes) {
		after = runes[i+1]
	}
	switch r := runes[i]; {
	case r == 0x200d:
		return isVirama(before(1))
	case r == 0x200c:
		return isVirama(before(1)) || i > 0 && after != 0 && unicode.In(before(1), unicode.Arabic, unicode.Syriac, unicode.Mongolian, unicode.Nko) && unicode.In(after, unicode.Arabic, unicode.Syriac, unicode.Mongolian, unicode.Nko)
	case r == 0xb7:
		return before(1) == 'l' && after == 'l'
	case r == 0x375:
		return unicode.Is(unicode.Greek, after)
	case r == 0x5f3 || r == 0x5f4:
		return unicode.Is(unicode.Hebrew, before(1))
	case r == 0x30fb:
		for _, other := range runes {
			if unicode.In(other, unicode.Hiragana, unicode.Katakana, unicode.Han) {
				return true
			}
		}
		return false
	case r >= 0x660 && r <= 0x669:
		return !holds(runes, 0x6f0, 0x6f9)
	case r >= 0x6f0 && r <= 0x6f9:
		return !holds(runes, 0x660, 0x669)
	default:
		return true
	}
}

func holds(runes []rune, low, high rune) bool {
	for _, r := range runes {
		if r >= low && r <= high {
			return true
		}
	}
	return false
}

func isVirama(r rune) bool {
	const virama = 9
	return norm.NFC.PropertiesString(string(r)).CCC() == virama
}

func isRightToLeft(s string) bool {
	for _, r := range s {
		p, _ := bidi.LookupRune(r)
		if c := p.Class(); c == bidi.R || c == bidi.AL || c == bidi.AN {
			return true
		}
	}
	return false
}

// isBidiLabel is RFC 5893's rule, which holds for every label of a name with right-to-left characters.
func isBidiLabel(runes []rune) bool {
	if len(runes) == 0 {
		return false
	}
	first, _ := bidi.LookupRune(runes[0])
	left := first.Class() == bidi.L
	if !left && first.Class() != bidi.R && first.Class() != bidi.AL {
		return false
	}
	european, arabic := false, false
	last := first.Class()
	for _, r := range runes {
		p, _ := bidi.LookupRune(r)
		c := p.Class()
		switch c {
		case bidi.ES, bidi.CS, bidi.ET, bidi.ON, bidi.BN, bidi.NSM:
		case bidi.EN:
			european = true
		case bidi.L:
			if !left {
				return false
			}
		case bidi.R, bidi.AL, bidi.AN:
			if left {
				return false
			}
			arabic = arabic || c == bidi.AN
		default:
			return false
		}
		if c != bidi.NSM {
			last = c
		}
	}
	if left {
		return last == bidi.L || last == bidi.EN
	}
	return !(european && arabic) && (last == bidi.R || last == bidi.AL || last == bidi.EN || last == bidi.AN)
}

// isEmail is RFC 5321's Mailbox.
func isEmail(s string) bool { return isASCII(s) && isMailbox(s, isHostname) }

// isIDNEmail is RFC 6531's Mailbox.
func isIDNEmail(s string) bool {
	return isMailbox(s, func(domain string) bool { return isIDNHostname(norm.NFC.String(domain)) })
}

func isMailbox(s string, isDomain func(string) bool) bool {
	at := strings.LastIndexByte(s, '@')
	if at <= 0 {
		return false
	}
	local, domain := s[:at], s[at+1:]
	if !isLocalPart(local) {
		return false
	}
	if inner, ok := strings.CutPrefix(domain, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		if six, tagged := strings.CutPrefix(inner, "IPv6:"); tagged {
			return ok && isIPv6(six)
		}
		return ok && isIPv4(inner)
	}
	return isDomain(domain)
}

func isLocalPart(s string) bool {
	if s[0] == '"' {
		return isQuotedLocal(s)
	}
	for atom := range strings.SplitSeq(s, ".") {
		if atom == "" {
			return false
		}
		for i := range len(atom) {
			c := atom[i]
			if !isDigit(c) && !isLetter(c) && c < utf8.RuneSelf && strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) < 0 {
				return false
			}
		}
	}
	return true
}

func isQuotedLocal(s string) bool {
	if len(s) < 2 || s[len(s)-1] != '"' {
		return false
	}
	s = s[1 : len(s)-1]
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			if i++; i >= len(s) || s[i] < ' ' || s[i] == 0x7f {
				return false
			}
		case c == '"' || c < ' ' || c == 0x7f:
			return false
		}
	}
	return true
}
