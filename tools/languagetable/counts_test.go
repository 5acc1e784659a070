package main

import (
	"strings"
	"testing"
	"unicode"
)

// plainCounts counts as lingua does: the runs of up to five letters inside words, without edges.
func plainCounts(text string) [maxOrder + 1]map[gram]float64 {
	var plain [maxOrder + 1]map[gram]float64
	for n := range plain {
		plain[n] = map[gram]float64{}
	}
	for _, word := range strings.Fields(text) {
		letters := []rune(word)
		for n := 1; n <= maxOrder; n++ {
			for i := 0; i+n <= len(letters); i++ {
				g, ok := pack(string(letters[i:i+n]), unicode.Latin)
				if !ok {
					panic(word)
				}
				plain[n][g]++
			}
		}
	}
	return plain
}

func mustPack(t *testing.T, text string) gram {
	t.Helper()
	var g gram
	for _, r := range text {
		s, ok := symbolOf(r)
		if r == '_' {
			s, ok = boundary, true
		}
		if !ok {
			t.Fatalf("%q has no symbol", r)
		}
		g = g.push(s)
	}
	return g
}

func TestEdgesOfWordsAreRebuiltFromWhatIsMissing(t *testing.T) {
	t.Parallel()
	const text = "the cat sat on the mat then the catalogue ate a cat"
	var c counts
	c.addEdges(plainCounts(text))
	for gram, want := range map[string]float64{
		"_": 12, "t": 10, "_c": 3, "_t": 4, "t_": 4, "e_": 5, "_a": 2, "_a_": 1, "_on_": 1, "_cat": 3, "cat_": 2, "_cat_": 2, "_the_": 3, "_the": 4, "the_": 3,
		"_then": 1, "then_": 1, "ogue_": 1, "_cata": 1, "catal": 1, "alog_": 0, "_ogue": 0, "cat": 3, "at_": 4,
	} {
		g := mustPack(t, gram)
		if got := c.by[g.order()][g]; got != want {
			t.Errorf("%s: counted %v times, want %v", gram, got, want)
		}
	}
	if want := float64(len(strings.ReplaceAll(text, " ", "")) + 12); c.total != want {
		t.Errorf("total is %v, want %v", c.total, want)
	}
}

func TestPackedGramsComeApart(t *testing.T) {
	t.Parallel()
	g := mustPack(t, "_nữa")
	if g.order() != 4 || !g.startsWord(4) || g.tail() != mustPack(t, "nữa") || g.drop() != mustPack(t, "_nữ") {
		t.Errorf("%x: order %d, tail %x, context %x", g, g.order(), g.tail(), g.drop())
	}
	for text, table := range map[string]*unicode.RangeTable{"a1": unicode.Latin, "aб": unicode.Latin, "语": unicode.Han} {
		if _, ok := pack(text, table); ok {
			t.Errorf("%q was packed", text)
		}
	}
}
