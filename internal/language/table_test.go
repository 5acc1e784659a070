package language

import (
	"strings"
	"testing"
	"unicode"
)

func TestTableIsSmall(t *testing.T) {
	t.Parallel()
	// The issue allows 8 MB in memory. The table is read where it lies, so this is all there is.
	if n := len(ngrams); n > 5<<20 {
		t.Errorf("the table has %d bytes, want at most %d", n, 5<<20)
	} else {
		t.Logf("the table has %d bytes", n)
	}
}

func TestTableNumbersTheLanguagesOfEachScript(t *testing.T) {
	t.Parallel()
	d := newDetector(t)
	next := 0
	for s, want := range map[script]string{latin: "af zu", cyrillic: "be uk", arabic: "ar ur", devanagari: "hi mr", characters: "zh ja"} {
		first, last := s.languages()
		if got := d.table.code(first) + " " + d.table.code(last-1); got != want {
			t.Errorf("script %d has the languages %s, want %s", s, got, want)
		}
		next = max(next, last)
	}
	if next != maxLanguages {
		t.Errorf("scripts number %d languages, the table %d", next, maxLanguages)
	}
	if last := latin.stride() / 8; last != maxQuads {
		t.Errorf("a row of the Latin script has %d quads, the sums %d", last, maxQuads)
	}
	for s := range scripts {
		first, last := s.languages()
		if shared, own := last > first, s.language() != ""; shared == own {
			t.Errorf("script %d: shared %v, and a language of its own %v", s, shared, own)
		}
	}
}

func TestEveryLaneStaysInsideItsSixteenBits(t *testing.T) {
	t.Parallel()
	d := newDetector(t)
	for s, rows := range d.table.rows {
		if len(rows) == 0 {
			t.Errorf("script %d has no rows", s)
		}
		for i := 0; i < len(rows); i += 2 {
			if lane := int(word(rows, i)); lane*maxRows >= 1<<16 {
				t.Fatalf("script %d: lane %d is %d, so %d rows run over", s, i/2, lane, maxRows)
			}
		}
	}
}

func TestLongWordIsSummedLikeAShortOne(t *testing.T) {
	t.Parallel()
	d := newDetector(t)
	// Two hundred letters without a space: more than the lanes can sum at once.
	text := strings.Repeat("переосвидетельствование", 9)
	if g := d.Detect(text); g.Code != "ru" || g.Confidence < 0.9 {
		t.Errorf("got %v, want ru for sure", g)
	}
}

func TestDamagedTableIsRefused(t *testing.T) {
	t.Parallel()
	head := len(magic) + 2 + 2*maxLanguages + 4*int(characters)
	longer := []byte(ngrams)
	longer[head-1] = 0xFF // four thousand million rows
	unsorted := []byte(ngrams)
	unsorted[len(ngrams)-len(newDetector(t).table.words)-1-4*(1<<bucketBits)] = 0x7F // the first bucket begins past the end
	for name, raw := range map[string]string{
		"empty": "", "magic alone": magic, "other magic": "X" + ngrams[1:], "head alone": ngrams[:head], "cut": ngrams[:len(ngrams)-2],
		"longer": ngrams + "xx", "too many rows": string(longer), "buckets out of order": string(unsorted), "half": ngrams[:len(ngrams)/2],
	} {
		if _, err := open(raw); err == nil {
			t.Errorf("%s: the table was taken", name)
		}
	}
	if _, err := open(ngrams); err != nil {
		t.Errorf("the whole table: %v", err)
	}
}

func TestShortCutsForLettersAgreeWithUnicode(t *testing.T) {
	t.Parallel()
	for r := range rune(0x600) {
		s := scriptOf(r)
		if got, want := s != none, unicode.IsLetter(r) && (r < 0x80 || block(r) != none); got != want {
			t.Errorf("scriptOf(%q) = %d, but that it is a letter is %v", r, s, want)
		}
		if s != none && lowered(r) != unicode.ToLower(r) {
			t.Errorf("lowered(%q) = %q, want %q", r, lowered(r), unicode.ToLower(r))
		}
	}
}
