package main

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// The table's format, which internal/language/table.go reads:
//
//	"NGRAM2"            magic
//	uint16              number of languages
//	2 bytes each        their ISO 639-1 codes, padded with a zero code to an even number
//	uint32 each         per script that several languages share, how many rows it has
//	uint16 each         the rows, script by script: a lane for each of the script's languages, padded to a multiple of four
//	uint32              bits of a bucket's number
//	uint32 each         where each bucket begins in the words that follow, and where the last one ends
//	uint16 each         the words: per entry its fingerprint, then what it says
//
// All numbers are little-endian. Nearly every pair of letters says something of every language, so one or two symbols have a
// row, which holds their weights together, in steps of 1/32 above -laneBias; their entry is the row's number among its script's
// rows, times two, plus one. Of longer n-grams, the entry lists the languages that it speaks of: each word is a language's number
// (6 bits), the weight in steps (9 bits, signed) and a bit that marks the last word of the entry.
const (
	magic       = "NGRAM2"
	bucketBits  = 17
	steps       = 32
	laneBias    = 512
	rowOrder    = 2
	maxLanguage = 1<<6 - 1
)

// table gathers entries by bucket.
type table struct {
	codes   []string
	rows    [][]uint16 // by script
	counts  []uint32   // of rows, by script
	buckets [][]uint16
	seen    map[uint32]bool
	clashes int
}

func newTable() *table {
	return &table{buckets: make([][]uint16, 1<<bucketBits), seen: map[uint32]bool{}}
}

// hash spreads an n-gram over 32 bits: bucket and fingerprint.
func hash(g gram) uint32 {
	h := uint64(g) * 0x9E3779B97F4A7C15
	h ^= h >> 32
	h *= 0xD6E8FEB86659FD93
	return uint32(h >> 32)
}

// addScript appends the languages of a script to the numbering and their entries to the table.
func (t *table) addScript(languages []string, entries []entry) error {
	first := len(t.codes)
	t.codes = append(t.codes, languages...)
	lanes := (len(languages) + 3) / 4 * 4
	var rows []uint16
	dense := map[gram][]float32{}
	for _, e := range entries {
		order := e.gram.order()
		if order > rowOrder {
			t.addWeights(first, e)
			continue
		}
		row := make([]float32, lanes)
		dense[e.gram] = row
		for _, w := range e.weights {
			row[w.language] = w.value
		}
		for i, v := range dense[e.gram.tail()] {
			row[i] += v
		}
		t.put(e.gram, []uint16{uint16(len(rows)/lanes)<<1 | 1})
		for _, v := range row {
			rows = append(rows, uint16(laneBias+max(1-laneBias, min(laneBias-1, int(math.Round(float64(v)*steps))))))
		}
	}
	n := len(rows) / lanes
	if n >= 1<<15 {
		return fmt.Errorf("%d rows for the script of %s, but an entry numbers %d", n, languages[0], 1<<15)
	}
	t.rows, t.counts = append(t.rows, rows), append(t.counts, uint32(n))
	return nil
}

// addCharacters appends languages that single characters tell apart.
func (t *table) addCharacters(languages []string, entries []entry) {
	first := len(t.codes)
	t.codes = append(t.codes, languages...)
	for _, e := range entries {
		t.addWeights(first, e)
	}
}

// addWeights puts an entry that lists the languages it speaks of, numbered from first on.
func (t *table) addWeights(first int, e entry) {
	var words []uint16
	for _, w := range e.weights {
		v := max(-256, min(255, int(math.Round(float64(w.value)*steps))))
		if v != 0 {
			words = append(words, uint16(first+w.language)<<10|uint16(v&0x1FF)<<1)
		}
	}
	if len(words) > 0 {
		words[len(words)-1] |= 1
		t.put(e.gram, words)
	}
}

// put stores an entry. An n-gram whose hash is taken, one in ten thousand, is left out: the one before it is as short or shorter.
func (t *table) put(g gram, words []uint16) {
	h := hash(g)
	if t.seen[h] {
		t.clashes++
		return
	}
	t.seen[h] = true
	b := h >> (32 - bucketBits)
	t.buckets[b] = append(append(t.buckets[b], uint16(h)), words...)
}

func (t *table) encode() ([]byte, error) {
	if len(t.codes) > maxLanguage+1 {
		return nil, fmt.Errorf("%d languages, but a word of the table numbers %d", len(t.codes), maxLanguage+1)
	}
	raw := binary.LittleEndian.AppendUint16([]byte(magic), uint16(len(t.codes)))
	for _, code := range t.codes {
		if len(code) != 2 {
			return nil, fmt.Errorf("language code %q has not two letters", code)
		}
		raw = append(raw, code...)
	}
	if len(t.codes)%2 == 1 {
		raw = append(raw, 0, 0)
	}
	for _, n := range t.counts {
		raw = binary.LittleEndian.AppendUint32(raw, n)
	}
	for _, lane := range slices.Concat(t.rows...) {
		raw = binary.LittleEndian.AppendUint16(raw, lane)
	}
	raw = binary.LittleEndian.AppendUint32(raw, bucketBits)
	at := 0
	for _, words := range t.buckets {
		raw = binary.LittleEndian.AppendUint32(raw, uint32(at))
		at += len(words)
	}
	raw = binary.LittleEndian.AppendUint32(raw, uint32(at))
	for _, w := range slices.Concat(t.buckets...) {
		raw = binary.LittleEndian.AppendUint16(raw, w)
	}
	fmt.Printf("%d entries, %d left out because their hash was taken\n", len(t.seen), t.clashes)
	return raw, nil
}
