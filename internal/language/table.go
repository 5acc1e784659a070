package language

import (
	_ "embed" // for the table
	"errors"
)

// ngrams is the table as tools/languagetable wrote it. A string, so that nobody can change it.
//
//go:embed ngrams.bin
var ngrams string

// The table's format. tools/languagetable/table.go describes and writes it; what is here must agree with it.
const (
	magic        = "NGRAM2"
	bucketBits   = 17
	steps        = 32  // of a weight to one natural logarithm
	laneBias     = 512 // what is added to a weight to make a lane of a row
	lanesPerQuad = 4
	maxLanguages = 64
	maxQuads     = 13 // of a row: the languages of the Latin script, four lanes each
)

// gram is a packed n-gram of up to five symbols of 12 bits, the last symbol lowest.
type gram uint64

const (
	symbolBits = 12
	maxOrder   = 5
	rowOrder   = 2       // n-grams of so many symbols have rows, longer ones lists
	boundary   = gram(1) // the symbol for the edge of a word

	// characterMark sets single characters of Chinese and Japanese apart from packed n-grams.
	characterMark gram = 1 << 62
)

// symbolOf gives the symbol of a lower-case letter: the code point, with Latin Extended Additional moved into room that no
// shared script uses. The letters of other blocks have none and end a word, as they do for the table's maker.
func symbolOf(r rune) (gram, bool) {
	switch {
	case r < 0x250 || r >= 0x400 && r < 0x530 || r >= 0x600 && r < 0x700 || r >= 0x900 && r < 0x980:
		return gram(r), true //nolint:gosec // a letter's code point is positive
	case r >= 0x1E00 && r < 0x1F00:
		return gram(r - 0x1000), true
	default:
		return 0, false
	}
}

// markOf gives the n-gram of a single Chinese character or kana.
func markOf(r rune) gram { return characterMark | gram(r) } //nolint:gosec // a letter's code point is positive

// last gives the last n symbols.
func (g gram) last(n int) gram { return g & (1<<(symbolBits*n) - 1) }

// hash spreads an n-gram over 32 bits: bucket and fingerprint.
func hash(g gram) uint32 {
	h := uint64(g) * 0x9E3779B97F4A7C15
	h ^= h >> 32
	h *= 0xD6E8FEB86659FD93
	return uint32(h >> 32)
}

// table reads the bytes in place.
type table struct {
	codes   string             // two letters each
	rows    [characters]string // by script, 2 bytes a lane
	offsets string             // where buckets begin, 4 bytes each
	words   string             // entries, 2 bytes a word
}

// open splits the bytes and checks what reading relies on.
func open(raw string) (table, error) {
	damaged := errors.New("language table is damaged: build it again with tools/languagetable")
	r := reader{rest: raw}
	if r.take(len(magic)) != magic || word(r.take(2), 0) != maxLanguages {
		return table{}, damaged
	}
	t := table{codes: r.take(2 * maxLanguages)}
	counts := r.take(4 * int(characters))
	for s := range characters {
		t.rows[s] = r.take(int(long(counts, 4*int(s))) * s.stride())
	}
	if long(r.take(4), 0) != bucketBits {
		return table{}, damaged
	}
	t.offsets = r.take(4 * (1<<bucketBits + 1))
	t.words = r.rest
	if r.short {
		return table{}, damaged
	}
	before := uint32(0)
	for b := 0; b < len(t.offsets); b += 4 {
		at := long(t.offsets, b)
		if at < before {
			return table{}, damaged
		}
		before = at
	}
	if int(before)*2 != len(t.words) {
		return table{}, damaged
	}
	return t, nil
}

// stride is the length in bytes of a row of the script: a lane for each language, and whole quads.
func (s script) stride() int {
	first, last := s.languages()
	return (last - first + lanesPerQuad - 1) / lanesPerQuad * 8
}

func (t *table) code(language int) string { return t.codes[2*language : 2*language+2] }

// entry gives the words from where the n-gram's entry begins, past its fingerprint, or nothing.
func (t *table) entry(g gram) string {
	h := hash(g)
	b := int(h>>(32-bucketBits)) * 4
	bucket := t.words[int(long(t.offsets, b))*2 : int(long(t.offsets, b+4))*2]
	fingerprint := uint16(h) //nolint:gosec // its lower half
	for len(bucket) >= 4 {
		hit := word(bucket, 0) == fingerprint
		bucket = bucket[2:]
		if hit {
			return bucket
		}
		for len(bucket) >= 2 {
			w := word(bucket, 0)
			bucket = bucket[2:]
			if w&1 == 1 {
				break
			}
		}
	}
	return ""
}

// add adds the weights that the n-gram's list has, in 1/steps, to the scores by language. It says whether there is such a list.
func (t *table) add(g gram, scores *[maxLanguages]int32) bool {
	for list := t.entry(g); len(list) >= 2; list = list[2:] {
		// Six bits of language, nine of signed weight, one that marks the last.
		w := word(list, 0)
		scores[w>>10] += int32(int16(w<<6) >> 7) //nolint:gosec // the sign is the word's tenth bit
		if w&1 == 1 {
			return true
		}
	}
	return false
}

// row gives the row of the last two symbols or, where no language is known to write that pair, of the last one.
func (t *table) row(s script, window gram) string {
	for n := rowOrder; n > 0; n-- {
		entry := t.entry(window.last(n))
		if len(entry) < 2 {
			continue
		}
		stride := s.stride()
		at := int(word(entry, 0)>>1) * stride
		if at+stride <= len(t.rows[s]) {
			return t.rows[s][at : at+stride]
		}
	}
	return ""
}

// reader takes a string apart. Past its end it gives a few zeros, enough for the numbers of the head.
type reader struct {
	rest  string
	short bool
}

func (r *reader) take(n int) string {
	if n > len(r.rest) {
		r.short = true
		return string(make([]byte, min(n, 16)))
	}
	head := r.rest[:n]
	r.rest = r.rest[n:]
	return head
}

func word(s string, i int) uint16 {
	_ = s[i+1]
	return uint16(s[i]) | uint16(s[i+1])<<8
}

func long(s string, i int) uint32 {
	_ = s[i+3]
	return uint32(s[i]) | uint32(s[i+1])<<8 | uint32(s[i+2])<<16 | uint32(s[i+3])<<24
}

func quad(s string, i int) uint64 {
	_ = s[i+7]
	return uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
		uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
}
