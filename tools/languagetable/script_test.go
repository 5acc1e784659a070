package main

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"
)

// twoLanguages is a script of two small languages.
func twoLanguages(t *testing.T) *script {
	t.Helper()
	s := &script{memo: map[gram][]float32{}}
	for _, text := range []string{
		"the cat and the dog and the bird sat on the mat and the cat ate the bird on the mat and the dog ate the cat",
		"die katze und der hund und der vogel sassen auf der matte und die katze frass den vogel auf der matte und der hund die katze",
	} {
		c := &counts{}
		c.addEdges(plainCounts(text))
		s.models = append(s.models, newModel(c))
	}
	return s
}

func TestProbabilitiesOfAllContinuationsSumToOne(t *testing.T) {
	t.Parallel()
	s := twoLanguages(t)
	var alphabet []gram
	for g := gram(1); g < 1<<symbolBits; g++ {
		if s.models[0].by[1][g]+s.models[1].by[1][g] > 0 {
			alphabet = append(alphabet, g)
		}
	}
	for _, context := range []string{"t", "_th", "and", "_de", "_d"} {
		h := mustPack(t, context)
		var sums [2]float64
		for _, x := range alphabet {
			for i, p := range s.vector(h.push(x), h.order()+1) {
				sums[i] += float64(p)
			}
		}
		// The prior that is shared between languages is not exactly one's own, and a little is kept for unseen letters.
		for i, sum := range sums {
			if sum < 0.7 || sum > 1.3 {
				t.Errorf("after %s in language %d: the probabilities sum to %.2f", context, i, sum)
			}
		}
	}
}

func TestKeptWeightsFavourTheLanguageThatHasTheGram(t *testing.T) {
	t.Parallel()
	s := twoLanguages(t)
	s.collect()
	s.weigh()
	few, many := s.prune(0.05), s.prune(1e-4)
	if len(few) >= len(many) {
		t.Errorf("%d n-grams kept where much is asked of them, %d where little is", len(few), len(many))
	}
	sums := map[string][2]float64{}
	for _, word := range []string{"_the_", "_der_"} {
		var sum [2]float64
		g := mustPack(t, word)
		for n := 2; n <= maxOrder; n++ {
			prefix := g >> (symbolBits * (maxOrder - n))
			for _, e := range many {
				for m := n; m > 0; m-- {
					if e.gram == prefix&(1<<(symbolBits*m)-1) && e.gram.order() == m {
						for _, w := range e.weights {
							sum[w.language] += float64(w.value)
						}
					}
				}
			}
		}
		sums[word] = sum
	}
	if v := sums["_the_"]; v[0] < v[1]+2 {
		t.Errorf("the: evidence %v, want the first language ahead", v)
	}
	if v := sums["_der_"]; v[1] < v[0]+2 {
		t.Errorf("der: evidence %v, want the second language ahead", v)
	}
}

func TestTableRefusesWhatItsFormatCannotHold(t *testing.T) {
	t.Parallel()
	many := newTable()
	many.codes = make([]string, maxLanguage+2)
	if _, err := many.encode(); err == nil {
		t.Error("65 languages were written")
	}
	odd := newTable()
	odd.addCharacters([]string{"zho"}, nil)
	if _, err := odd.encode(); err == nil {
		t.Error("a code of three letters was written")
	}
}

func TestTableHoldsWhatWasPut(t *testing.T) {
	t.Parallel()
	tab := newTable()
	entries := []entry{
		{mustPack(t, "a"), []weight{{0, 1}, {1, -2}}},
		{mustPack(t, "ba"), []weight{{1, 0.5}}},
		{mustPack(t, "cba"), []weight{{0, -7.9}, {1, 0.001}}},
	}
	if err := tab.addScript([]string{"xx", "yy"}, entries); err != nil {
		t.Fatal(err)
	}
	if want := []uint16{laneBias + steps, laneBias - 2*steps, laneBias, laneBias}; !slices.Equal(tab.rows[0][:4], want) {
		t.Errorf("row of a: %v, want %v", tab.rows[0][:4], want)
	}
	if want := []uint16{laneBias + steps, laneBias - 3*steps/2, laneBias, laneBias}; !slices.Equal(tab.rows[0][4:], want) {
		t.Errorf("row of ba, with a's: %v, want %v", tab.rows[0][4:], want)
	}
	h := hash(mustPack(t, "cba"))
	value := int(math.Round(-7.9 * steps))
	if got, want := tab.buckets[h>>(32-bucketBits)], []uint16{uint16(h), uint16(value&0x1FF)<<1 | 1}; !slices.Equal(got, want) {
		t.Errorf("list of cba: %x, want %x: the weight that rounds to nothing is left out", got, want)
	}
	raw, err := tab.encode()
	if err != nil {
		t.Fatal(err)
	}
	if string(raw[:len(magic)]) != magic || binary.LittleEndian.Uint16(raw[len(magic):]) != 2 || string(raw[len(magic)+2:len(magic)+6]) != "xxyy" {
		t.Errorf("head is %q", raw[:12])
	}
}
