package language

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	// sampleLetters is how many letters decide. More would not make guesses better: a sentence has about a hundred.
	sampleLetters = 300
	// sampleBytes is how far into the text those letters are looked for, past code, addresses and numbers.
	sampleBytes = 4096
	// longestTag is how far a < looks for its >.
	longestTag = 256
	// longestWord is where a run of ASCII letters and digits is a key or encoded data: longer than any word of the languages known.
	longestWord = 48
)

// prefix cuts the text to what is looked at, with accents that are written apart put together: the table knows only whole letters.
func prefix(text string) string {
	if len(text) > sampleBytes {
		cut := sampleBytes
		for cut > sampleBytes-utf8.UTFMax && !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut]
	}
	// The accents' block, U+0300 to U+036F, begins with these two bytes. To look for them first is many times faster.
	if strings.IndexByte(text, 0xCC) >= 0 || strings.IndexByte(text, 0xCD) >= 0 {
		return norm.NFC.String(text)
	}
	return text
}

// read takes the prose of the text, token by token, until the sample is full.
func (t *tally) sample(text string) {
	t.current = none
	for text != "" && t.read < sampleLetters {
		switch c := text[0]; {
		case c <= ' ':
			t.end()
			text = text[1:]
		case c == '<' && tag(text) > 0:
			t.end()
			text = text[tag(text):]
		case strings.HasPrefix(text, "```"):
			text = text[fence(text):]
		default:
			n := token(text)
			t.token(text[:n])
			text = text[n:]
		}
	}
	t.end()
}

// token reads the letters of a token; of one that is no prose only those beyond ASCII, as Chinese or Thai has no space
// between a word and the address that follows it.
func (t *tally) token(token string) {
	prose := isProse(token)
	for _, r := range token {
		if t.read == sampleLetters {
			return
		}
		s := scriptOf(r)
		if s == none || !prose && r < utf8.RuneSelf {
			t.end()
			continue
		}
		t.letter(s, r)
	}
}

// token gives the length of the token that the text begins with: up to white space, markup, or the end of a JSON name.
func token(text string) int {
	for i := range len(text) {
		switch c := text[i]; {
		case c <= ' ':
			return i
		case c == '<' && i > 0 && tag(text[i:]) > 0:
			return i
		case c == ':' && i > 0 && text[i-1] == '"':
			return i + 1
		}
	}
	return len(text)
}

// tag gives the length of the HTML or XML tag that the text begins with, or 0.
func tag(text string) int {
	if len(text) < 3 || !isLetter(text[1]) && text[1] != '/' && text[1] != '!' && text[1] != '?' {
		return 0
	}
	return strings.IndexByte(text[:min(len(text), longestTag)], '>') + 1
}

// fence gives the length of the fenced block that the text begins with. A fence that names no language is only passed itself:
// people also fence the text that they ask about.
func fence(text string) int {
	const mark = "```"
	rest := text[len(mark):]
	if rest == "" || !isLetter(rest[0]) {
		return len(mark)
	}
	if end := strings.Index(rest, mark); end >= 0 {
		return len(mark) + end + len(mark)
	}
	return len(text)
}

// isProse tells words from code, addresses, paths, identifiers and keys. It looks at ASCII alone.
func isProse(token string) bool {
	if strings.HasSuffix(token, `":`) || strings.HasPrefix(token, "www.") {
		return false
	}
	humps, slashes, run := 0, 0, 0
	for i := range len(token) {
		c := token[i]
		before, after := byte(' '), byte(' ')
		if i > 0 {
			before = token[i-1]
		}
		if i+1 < len(token) {
			after = token[i+1]
		}
		switch {
		case isLetter(c):
			run++
			if c <= 'Z' && before >= 'a' && before <= 'z' {
				humps++
			}
		case isDigit(c):
			run++
			if isLetter(before) {
				return false // sha256, x86, B2B; but not 16de or 2RACUN
			}
		default:
			run = 0
			if c == '/' {
				slashes++
			}
			if code(before, c, after) {
				return false
			}
		}
		// One hump is common: Irish bhFuil, Zulu eThekwini. Two are an identifier's.
		if humps > 1 || slashes > 1 || run > longestWord {
			return false
		}
	}
	return true
}

// code says whether a mark between two others is as in code or an address, not as in prose.
func code(before, c, after byte) bool {
	inside := isWord(before) && isWord(after)
	switch c {
	case '_', '=', '@', '\\', '$', '^', '~':
		return inside
	case ':':
		return after == '/' || after == ':' || after == '\\'
	case '.':
		return isLetter(before) && after >= 'a' && after <= 'z' // A sentence that follows without a space begins with a capital.
	case '(', '[':
		return isWord(before)
	case ';', '{', '}':
		return inside || before == ')' || after == '{' || before == '}'
	default:
		return false
	}
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isWord(c byte) bool { return isLetter(c) || isDigit(c) }
