package main

import (
	"fmt"
	"math"
	"unicode"
)

// maxOrder is the longest n-gram that lingua counts.
const maxOrder = 5

// symbolBits is the room of one symbol in a packed n-gram: five symbols and no more fit a uint64.
const symbolBits = 12

// boundary is the symbol for the edge of a word.
const boundary = 1

// gram is a packed n-gram: its last symbol in the lowest bits.
type gram uint64

func (g gram) push(symbol gram) gram { return g<<symbolBits | symbol }

// drop leaves the last symbol out: the context of g.
func (g gram) drop() gram { return g >> symbolBits }

func (g gram) order() int {
	n := 0
	for ; g != 0; g >>= symbolBits {
		n++
	}
	return n
}

// tail leaves the first symbol out: what the model backs off to.
func (g gram) tail() gram { return g & (1<<(symbolBits*(g.order()-1)) - 1) }

// startsWord says whether the first of n symbols is the edge of a word.
func (g gram) startsWord(n int) bool { return g>>(symbolBits*(n-1)) == boundary }

// symbolOf gives the symbol of a letter, as internal/language does: the code point, with Latin Extended Additional
// moved into room that no table's script uses. Letters of other blocks have none.
func symbolOf(r rune) (gram, bool) {
	switch {
	case r < 0x250 || r >= 0x400 && r < 0x530 || r >= 0x600 && r < 0x700 || r >= 0x900 && r < 0x980:
		return gram(r), true
	case r >= 0x1E00 && r < 0x1F00:
		return gram(r - 0x1000), true
	}
	return 0, false
}

// pack gives the n-gram of the text, or false where a letter is of another script or has no symbol.
func pack(text string, script *unicode.RangeTable) (gram, bool) {
	var g gram
	for _, r := range text {
		s, ok := symbolOf(r)
		if !ok || !unicode.Is(script, r) {
			return 0, false
		}
		g = g.push(s)
	}
	return g, true
}

// counts holds how often each n-gram of one language was seen, words' edges included.
//
// Lingua keeps only letters and no edges, but it keeps every n-gram of its texts, unpruned. So what is missing says
// where words begin and end: an n-gram begins as many words as it was seen without a letter before it.
type counts struct {
	language string
	by       [maxOrder + 1]map[gram]float64
	total    float64
}

// readCounts reads a language's models and rebuilds the counts behind them.
func readCounts(dir, language string, script *unicode.RangeTable) (*counts, error) {
	c := &counts{language: language}
	plain := [maxOrder + 1]map[gram]float64{}
	for i, file := range modelFiles() {
		model, err := readModel(dir, language, file)
		if err != nil {
			return nil, err
		}
		n := i + 1
		plain[n] = make(map[gram]float64, len(model))
		for text, p := range model {
			g, ok := pack(text, script)
			if !ok {
				continue
			}
			if n > 1 {
				p *= plain[n-1][g.drop()]
			}
			plain[n][g] = p
		}
		if len(plain[n]) == 0 {
			return nil, fmt.Errorf("language %s has no %s", language, file)
		}
	}
	// The rarest letter was seen once: that turns shares into counts.
	once := math.Inf(1)
	for _, p := range plain[1] {
		once = min(once, p)
	}
	for n := 1; n <= maxOrder; n++ {
		for g, p := range plain[n] {
			plain[n][g] = math.Round(p / once)
		}
	}
	c.addEdges(plain)
	return c, nil
}

// addEdges adds the n-grams with word edges to those of letters alone.
func (c *counts) addEdges(plain [maxOrder + 1]map[gram]float64) {
	before, after, around := sums{}, sums{}, sums{}
	for n := 2; n <= maxOrder; n++ {
		for g, k := range plain[n] {
			before[g.tail()] += k
			after[g.drop()] += k
			if n > 2 {
				around[g.drop().tail()] += k
			}
		}
	}
	for n := range c.by {
		c.by[n] = map[gram]float64{}
	}
	add := func(g gram, k float64) {
		if k > 0 {
			c.by[g.order()][g] += k
		}
	}
	words := 0.0
	for n := 1; n <= maxOrder; n++ {
		for g, k := range plain[n] {
			add(g, k)
			if n == maxOrder {
				continue
			}
			edge := gram(boundary) << (symbolBits * n)
			start, end := k-before[g], k-after[g]
			add(edge|g, start)
			add(g.push(boundary), end)
			if n < maxOrder-1 {
				add((edge | g).push(boundary), k-before[g]-after[g]+around[g])
			}
			if n == 1 {
				words += start
				c.total += k
			}
		}
	}
	c.by[1][boundary] = words
	c.total += words
}

type sums map[gram]float64
