package prompt

import (
	"unicode"
	"unicode/utf8"
)

// Characters without a picture of their own can carry text that a reader does not see and a model reads: instructions in tag characters, bytes in runs
// of variation selectors, bits in zero-width characters. Some of them have honest work: they join emoji, choose the form of an ideograph, part
// the words of Thai and the stems of Persian. The rule is the same for all: an invisible character stays where the visible ones beside
// it need it, and only one at a time, so that nothing can be hidden that is longer than what is seen.

const (
	graphemeJoiner = 0x034F
	hangulLead     = 0x115F
	hangulVowel    = 0x1160
	zeroSpace      = 0x200B
	nonJoiner      = 0x200C
	joiner         = 0x200D
	keycap         = 0x20E3
	textForm       = 0xFE0E
	emojiForm      = 0xFE0F
	blackFlag      = 0x1F3F4
	tagBase        = 0xE0000
	tagEnd         = 0xE007F
)

// invisible tells whether a character is one of those that must have a reason to stay.
func invisible(r rune) bool {
	switch {
	case r < 0xAD:
		return r == 0
	case r < 0x2000:
		return r == 0xAD || r == graphemeJoiner || r == 0x061C || r == hangulLead || r == hangulVowel || r == 0x17B4 || r == 0x17B5 || r >= 0x180B && r <= 0x180F
	case r < 0x3000:
		return r >= zeroSpace && r <= 0x200F || r >= 0x202A && r <= 0x202E || r >= 0x2060 && r <= 0x206F
	case r < 0x10000:
		return r == 0x3164 || r >= 0xFE00 && r <= emojiForm || r == 0xFEFF || r == 0xFFA0 || r >= 0xFFF0 && r <= 0xFFFB
	}
	return r >= 0x1BCA0 && r <= 0x1BCA3 || r >= 0x1D173 && r <= 0x1D17A || r >= tagBase && r <= 0xE0FFF
}

// surroundings are what stands before a character, as far as it decides.
type surroundings struct {
	// last is the character before, base the last one that is neither a combining mark nor invisible.
	last, base rune
	// hidden says that the character before is invisible itself.
	hidden bool
}

// start takes in the last characters of a text without invisible ones.
func (c *surroundings) start(s string) {
	for i := len(s); i > 0; {
		r, size := utf8.DecodeLastRuneInString(s[:i])
		if i == len(s) {
			c.last = r
		}
		c.base = r
		if !unicode.Is(unicode.Mn, r) {
			return
		}
		i -= size
	}
}

// keep decides about a character between those already seen and the rest. It says -1 where the character goes, else how many bytes
// of the rest stay together with it.
func (c *surroundings) keep(r rune, rest string) int {
	if !invisible(r) {
		c.last, c.hidden = r, false
		if !unicode.Is(unicode.Mn, r) {
			c.base = r
		}
		if r == blackFlag {
			return flag(rest)
		}
		return 0
	}
	next, _ := utf8.DecodeRuneInString(rest)
	if !c.needs(r, next) {
		return -1
	}
	c.last, c.hidden = r, true
	return 0
}

// needs tells whether the neighbours need an invisible character.
func (c *surroundings) needs(r, next rune) bool {
	if r == joiner && pictographic(c.base) && (!c.hidden || c.last == emojiForm) && pictographic(next) {
		return true
	}
	if c.hidden {
		return false
	}
	switch {
	case r == joiner || r == nonJoiner:
		return joining(c.script()) || joining(next)
	case r == zeroSpace:
		return unspaced(c.script()) && unspaced(next)
	case r == graphemeJoiner:
		return c.last != 0 && unicode.Is(unicode.Mn, next) && !invisible(next)
	case r == hangulLead:
		return next > hangulVowel && next <= 0x11A7 || next >= 0xD7B0 && next <= 0xD7C6
	case r == hangulVowel:
		return (c.last >= 0x1100 && c.last < hangulLead || c.last >= 0xA960 && c.last <= 0xA97C) &&
			(next >= 0x11A8 && next <= 0x11FF || next >= 0xD7CB && next <= 0xD7FB)
	case r >= 0x180B && r <= 0x180F:
		return unicode.Is(unicode.Mongolian, c.last) && (r != 0x180E || unicode.Is(unicode.Mongolian, next))
	case r == textForm || r == emojiForm:
		return pictographic(c.last) || next == keycap && (c.last >= '0' && c.last <= '9' || c.last == '#' || c.last == '*')
	case r >= 0xFE00 && r < textForm:
		return hasForms(c.last)
	case r >= 0xE0100 && r <= 0xE01EF:
		return unicode.Is(unicode.Han, c.last)
	case r >= 0x1BCA0 && r <= 0x1BCA3:
		return unicode.Is(unicode.Duployan, c.last)
	case r >= 0x1D173 && r <= 0x1D17A:
		return musical(c.last) || musical(next)
	}
	return false
}

// script is a character whose script is that of the text so far: marks that any script may use say nothing, so the letter below them is asked.
func (c *surroundings) script() rune {
	if unicode.Is(unicode.Inherited, c.last) {
		return c.base
	}
	return c.last
}

// flag is the length of the tags of a subdivision's flag: a country, one to three letters or digits, and the end. Longer ones are no flag.
func flag(rest string) int {
	const country, longest = 2, 5
	n := 0
	for i, r := range rest {
		switch letter := r - tagBase; {
		case r == tagEnd && n > country:
			return i + utf8.RuneLen(r)
		case n < longest && letter >= 'a' && letter <= 'z', n >= country && n < longest && letter >= '0' && letter <= '9':
			n++
		default:
			return 0
		}
	}
	return 0
}

// joining are the scripts whose letters change their form or stay apart by joiners.
func joining(r rune) bool {
	return unicode.In(r, unicode.Arabic, unicode.Syriac, unicode.Nko, unicode.Mandaic, unicode.Mongolian, unicode.Phags_Pa, unicode.Adlam, unicode.Hanifi_Rohingya,
		unicode.Devanagari, unicode.Bengali, unicode.Gurmukhi, unicode.Gujarati, unicode.Oriya, unicode.Tamil, unicode.Telugu, unicode.Kannada, unicode.Malayalam,
		unicode.Sinhala, unicode.Tibetan, unicode.Myanmar, unicode.Khmer, unicode.Balinese, unicode.Javanese, unicode.Grantha, unicode.Newa, unicode.Tirhuta,
		unicode.Meetei_Mayek, unicode.Sharada, unicode.Brahmi, unicode.Chakma)
}

// unspaced are the scripts that write words without spaces and let a zero-width space part them.
func unspaced(r rune) bool {
	return unicode.In(r, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar, unicode.Tibetan, unicode.Javanese, unicode.Balinese, unicode.Tai_Le,
		unicode.New_Tai_Lue, unicode.Tai_Tham, unicode.Tai_Viet)
}

// hasForms are the characters for which Unicode defines variants chosen by the first selectors. What decomposes is not among them: the selector
// would stand behind a mark.
func hasForms(r rune) bool {
	return r >= 0x2200 && r <= 0x2AFF && r != 0x2ADC && unicode.Is(unicode.Sm, r) || r == 0x3001 || r == 0x3002 ||
		unicode.In(r, unicode.Han, unicode.Myanmar, unicode.Manichaean, unicode.Phags_Pa)
}

func musical(r rune) bool { return r >= 0x1D100 && r <= 0x1D172 || r >= 0x1D17B && r <= 0x1D1FF }

// pictographic are the characters that emoji are made of. Blocks are taken whole where most of them are emoji or will be.
func pictographic(r rune) bool {
	switch {
	case r < 0x2000:
		return r == 0xA9 || r == 0xAE
	case r < 0x3000:
		return r == 0x203C || r == 0x2049 || r == 0x2122 || r == 0x2139 || r >= 0x2194 && r <= 0x21AA || r == 0x231A || r == 0x231B || r == 0x2328 ||
			r == 0x23CF || r >= 0x23E9 && r <= 0x23FA || r == 0x24C2 || r >= 0x25AA && r <= 0x25FE || r >= 0x2600 && r <= 0x27BF ||
			r == 0x2934 || r == 0x2935 || r >= 0x2B05 && r <= 0x2B55
	case r < 0x10000:
		return r == 0x3030 || r == 0x303D || r == 0x3297 || r == 0x3299
	}
	return r >= 0x1F000 && r <= 0x1FAFF
}
