package language

import (
	"slices"
	"unicode"
)

const (
	// wordLimit is the most, in natural logarithms, that one word can speak against a language: a name or a foreign word must
	// not outweigh the sentence that it stands in.
	wordLimit = 5
	// fewWords is the number of words below which there is no sentence to protect: every word counts in full.
	fewWords = 5
	// maxRows is how many rows may be summed before a lane of 16 bits could run over.
	maxRows = 1<<16/(2*laneBias) - 1
)

// Letters that are no language (qwrtp zzxq) are like one of them, but not by much that the table lists. In the labelled texts,
// the table lists half to all of the runs of four letters, in random letters an eighth.
const (
	evidentOrder = 4
	fewRuns      = 8 // fewer say nothing
	leastKnown   = 4 // one of so many must be known
)

// isLanguage says whether the letters of a script look like any language at all. Arabic and Devanagari always do: without
// their vowel signs, words are too short for the table to list much.
func (t *tally) isLanguage(s script) bool {
	return s > cyrillic || t.runs[s] < fewRuns || t.known[s]*leastKnown >= t.runs[s]
}

// tally sums the evidence of a text.
type tally struct {
	table *table

	read    int                 // letters read
	letters [scripts]int        // the same by script, with the script's weight
	words   int                 // words read
	runs    [characters]int     // runs of evidentOrder symbols, by script
	known   [characters]int     // those of them that the table lists
	plain   [maxLanguages]int32 // evidence by language, in 1/steps
	clipped [maxLanguages]int32 // the same with the limit per word

	current script              // script of the word being read, or none
	capital bool                // the word begins with a capital and is not the text's first
	window  gram                // its last five symbols
	length  int                 // its symbols so far, the edge included
	scores  [maxLanguages]int32 // its evidence, but for what the lanes hold
	lanes   [maxQuads]uint64    // the sum of rows: four languages to a number, laneBias too much per row
	rows    int                 // how many
}

// letter takes the next letter of the text.
func (t *tally) letter(s script, r rune) {
	t.read++
	t.letters[s] += s.weight()
	if s >= characters {
		t.end()
		if s == characters {
			t.table.add(markOf(r), &t.plain)
			t.table.add(markOf(r), &t.clipped)
		}
		return
	}
	lower := lowered(r)
	symbol, ok := symbolOf(lower)
	if !ok {
		t.end()
		return
	}
	if s != t.current {
		t.end()
		t.current, t.window, t.length = s, boundary, 1
		t.capital = t.words > 0 && lower != r
	}
	t.push(symbol)
}

// lowered is unicode.ToLower for letters, fast for most of them.
func lowered(r rune) rune {
	switch {
	case r < 0x80:
		return r | 0x20
	case r >= 0x430 && r < 0x460:
		return r
	case r >= 0x410 && r < 0x430:
		return r + 0x20
	default:
		return unicode.ToLower(r)
	}
}

// push adds the evidence of the n-grams that end in the symbol.
func (t *tally) push(symbol gram) {
	t.window = t.window<<symbolBits | symbol
	t.length++
	if row := t.table.row(t.current, t.window); row != "" {
		for i := range len(row) / 8 {
			t.lanes[i] += quad(row, 8*i)
		}
		if t.rows++; t.rows == maxRows {
			t.unpack()
		}
	}
	for n := rowOrder + 1; n <= min(t.length, maxOrder); n++ {
		known := t.table.add(t.window.last(n), &t.scores)
		if n == evidentOrder {
			t.runs[t.current]++
			if known {
				t.known[t.current]++
			}
		}
	}
}

// unpack moves the lanes into the scores.
func (t *tally) unpack() {
	first, last := t.current.languages()
	over := int32(t.rows * laneBias) //nolint:gosec // at most maxRows
	for i := range last - first {
		lane := t.lanes[i/lanesPerQuad] >> (16 * (i % lanesPerQuad))
		t.scores[first+i] += int32(lane&0xFFFF) - over
	}
	t.lanes, t.rows = [maxQuads]uint64{}, 0
}

// end ends the word being read, if any.
func (t *tally) end() {
	if t.current == none {
		return
	}
	t.push(boundary)
	t.unpack()
	first, last := t.current.languages()
	t.current = none
	t.words++
	half := 0
	if t.capital {
		half = 1
	}
	scores, plain, clipped := t.scores[first:last], t.plain[first:last], t.clipped[first:last]
	most := slices.Max(scores)
	for l, v := range scores {
		v -= most
		plain[l] += v >> half
		clipped[l] += max(v, -wordLimit*steps) >> half
	}
	clear(scores)
}
