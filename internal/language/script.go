package language

import "unicode"

// script is a set of letters that one or several languages are written in.
type script uint8

// The scripts: first those that several languages share, then those that name their language.
const (
	latin script = iota
	cyrillic
	arabic
	devanagari
	characters // Chinese characters and kana

	greek
	armenian
	hebrew
	bengali
	gurmukhi
	gujarati
	oriya
	tamil
	telugu
	kannada
	malayalam
	sinhala
	thai
	lao
	tibetan
	burmese
	georgian
	hangul
	ethiopic
	khmer
	thaana

	scripts
	none script = 255
)

// languages gives the numbers in the table of the languages that share the script, the last not included.
// The order is that of tools/languagetable; TestTableNumbersTheLanguagesOfEachScript holds them together.
func (s script) languages() (first, last int) {
	switch s {
	case latin:
		return 0, 49
	case cyrillic:
		return 49, 57
	case arabic:
		return 57, 60
	case devanagari:
		return 60, 62
	case characters:
		return 62, 64
	default:
		return 0, 0
	}
}

// language gives the language that the script alone tells, or nothing. Where a script has lesser users (Yiddish, Tigrinya,
// Assamese), it is the language of the many.
func (s script) language() string {
	switch s {
	case greek:
		return "el"
	case armenian:
		return "hy"
	case hebrew:
		return "he"
	case bengali:
		return "bn"
	case gurmukhi:
		return "pa"
	case gujarati:
		return "gu"
	case oriya:
		return "or"
	case tamil:
		return "ta"
	case telugu:
		return "te"
	case kannada:
		return "kn"
	case malayalam:
		return "ml"
	case sinhala:
		return "si"
	case thai:
		return "th"
	case lao:
		return "lo"
	case tibetan:
		return "bo"
	case burmese:
		return "my"
	case georgian:
		return "ka"
	case hangul:
		return "ko"
	case ethiopic:
		return "am"
	case khmer:
		return "km"
	case thaana:
		return "dv"
	default:
		return ""
	}
}

// weight is how many Latin letters a letter of the script is worth when scripts are compared. Names of things, code and the
// web's own phrases are Latin in texts of every language, so other scripts count double; a sign for a syllable or a word does the
// work of three letters.
func (s script) weight() int {
	switch s {
	case latin:
		return 1
	case characters, hangul, ethiopic:
		return 4
	default:
		return 2
	}
}

// scriptOf gives the script of a letter. What is no letter, or of a script that is not known here, has none.
func scriptOf(r rune) script {
	if r < 0x80 {
		if r|0x20 >= 'a' && r|0x20 <= 'z' {
			return latin
		}
		return none
	}
	// To look a letter up takes longer than all the rest of this, so the two alphabets of most texts do without.
	switch {
	case r < 0x250 && r >= 0xC0 && r != '×' && r != '÷':
		return latin
	case r >= 0x400 && r < 0x482:
		return cyrillic
	}
	s := block(r)
	if s == none || !unicode.IsLetter(r) {
		return none
	}
	return s
}

// block gives the script of the block that a code point beyond ASCII lies in.
func block(r rune) script {
	switch {
	case r < 0x250:
		return latin
	case r < 0x370:
		return none
	case r < 0x400:
		return greek
	case r < 0x530:
		return cyrillic
	case r < 0x590:
		return armenian
	case r < 0x600:
		return hebrew
	case r < 0x700:
		return arabic
	case r >= 0x750 && r < 0x780:
		return arabic
	case r >= 0x780 && r < 0x7C0:
		return thaana
	case r < 0x900:
		return none
	case r < 0x1000:
		return indic(r)
	case r < 0x10A0:
		return burmese
	case r < 0x1100:
		return georgian
	case r < 0x1200:
		return hangul
	case r < 0x13A0:
		return ethiopic
	case r >= 0x1780 && r < 0x1800:
		return khmer
	case r >= 0x1C90 && r < 0x1CC0:
		return georgian
	case r >= 0x1E00 && r < 0x1F00:
		return latin
	case r >= 0x1F00 && r < 0x2000:
		return greek
	default:
		return eastern(r)
	}
}

// indic splits the blocks of 128 from Devanagari to Tibetan.
func indic(r rune) script {
	blocks := [...]script{devanagari, bengali, gurmukhi, gujarati, oriya, tamil, telugu, kannada, malayalam, sinhala, thai, lao, tibetan, tibetan}
	return blocks[(r-0x900)>>7]
}

// eastern tells the scripts of the far east, and the second forms that some letters have at the end of the first plane.
func eastern(r rune) script {
	switch {
	case r >= 0x3005 && r <= 0x3007, r >= 0x3041 && r <= 0x30FF, r >= 0x31F0 && r < 0x3200, r >= 0x3400 && r < 0xA000, r >= 0xF900 && r < 0xFB00:
		return characters
	case r >= 0x3130 && r < 0x3190, r >= 0xAC00 && r < 0xD800:
		return hangul
	case r >= 0xFB1D && r < 0xFB50:
		return hebrew
	case r >= 0xFB50 && r < 0xFE00, r >= 0xFE70 && r < 0xFF00:
		return arabic
	case r >= 0xFF66 && r < 0xFFA0:
		return characters
	case r >= 0x20000 && r < 0x32000:
		return characters
	default:
		return none
	}
}
