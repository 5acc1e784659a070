package main

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"unicode"
	"unicode/utf8"
)

// characterMark sets the characters that Japanese and Chinese share apart from packed n-grams.
const characterMark gram = 1 << 62

// readCharacters weighs Japanese against Chinese by single characters: what a character says does not need its neighbours.
func readCharacters(dir string) ([]entry, error) {
	ja, err := readModel(dir, "ja", modelFiles()[0])
	if err != nil {
		return nil, err
	}
	zh, err := readModel(dir, "zh", modelFiles()[0])
	if err != nil {
		return nil, err
	}
	if len(ja) == 0 || len(zh) == 0 {
		return nil, fmt.Errorf("no characters of ja and zh in %s", dir)
	}
	// A character that one of them lacks may be a rare one there: as if it had been seen this often.
	const unknown, strongest, weakest = 2e-6, 5, 0.1
	// Lingua's Chinese is written in traditional characters. Of a character that only its Japanese has, simplified Chinese may
	// well make use, so it counts as one that both use alike: half of what Japanese is written in are kana.
	const alike = -0.7
	all := maps.Clone(ja)
	maps.Copy(all, zh)
	var out []entry
	for _, text := range slices.Sorted(maps.Keys(all)) {
		r, size := utf8.DecodeRuneInString(text)
		if size != len(text) || !unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) {
			continue
		}
		w := math.Log((ja[text] + unknown) / (zh[text] + unknown))
		if w > 0 && zh[text] < unknown && unicode.Is(unicode.Han, r) {
			w = alike
		}
		if math.Abs(w) < weakest {
			continue
		}
		w = max(min(w, strongest), -strongest)
		out = append(out, entry{gram: characterMark | gram(r), weights: []weight{{0, float32(-w / 2)}, {1, float32(w / 2)}}})
	}
	return out, nil
}
