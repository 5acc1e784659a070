// Package language tells which language a text is written in: 75 languages of lingua's models and ten more that a script
// of their own gives away. It is for the prompt's `original_language`, not for finding the languages inside a mixed text.
//
// [Detector] is all there is; it is immutable, needs no start-up work and allocates nothing per text (but for text whose
// accents are written apart, which is put together first). It works in three steps:
//
//  1. sample.go reads the first 300 letters that are prose: code, addresses, numbers and markup are passed over.
//  2. script.go tells the script of each letter. Greek, Thai, Korean and the like name their language at once.
//  3. Latin, Cyrillic, Arabic and Devanagari are shared. There, every run of one to five letters, edges of words included, is
//     looked up in a table that says which languages it speaks for (table.go), and the evidence is summed word by word
//     (score.go). Japanese is told from Chinese by single characters of the same table.
//
// Two things bound what names and foreign words can do: no word speaks against a language by more than [wordLimit], and a word
// with a capital inside a text counts half.
//
// The confidence is the probability of the guess among the languages of its script, times that script's share of the sample.
// A guess that is hardly better than chance is `und`, as is a text without letters or one of letters that are no words.
//
// The table, ngrams.bin, lies in the binary as it lies on the disk and is read in place. It is computed from the model figures
// of lingua-go (Apache License 2.0, see NOTICE) by a command, in about four minutes and 4 GB:
//
//	go run -C tools/languagetable .
package language

import "math"

// Undetermined is the code of a text whose language cannot be told.
const Undetermined = "und"

// leastConfidence is where a guess becomes no guess: with fifty languages to choose from, chance is far below it, but a text
// so short that three or more languages share it comes near.
const leastConfidence = 0.2

// temperature flattens the probabilities: neighbouring n-grams are not independent evidence, as summing takes them to be.
// Set where confidences agree with how often guesses are right (TestConfidenceIsHonest).
const temperature = 1.6

// Guess is a language with how sure the detector is of it.
type Guess struct {
	Code       string  // ISO 639-1, or "und"
	Confidence float64 // 0 to 1
}

// Detector tells languages apart. It may be used by any number of goroutines.
type Detector struct {
	table table
}

// New makes a detector of the embedded table. It fails only if the binary was built with a damaged one.
func New() (*Detector, error) {
	t, err := open(ngrams)
	if err != nil {
		return nil, err
	}
	return &Detector{table: t}, nil
}

// Detect guesses the language of the text from its first letters.
func (d *Detector) Detect(text string) Guess {
	t := tally{table: &d.table}
	t.sample(prefix(text))
	return t.guess()
}

// guess decides: first the script, then its language.
func (t *tally) guess() Guess {
	best, all := script(0), 0
	for s, n := range t.letters {
		all += n
		if n > t.letters[best] {
			best = script(s)
		}
	}
	if all == 0 {
		return Guess{Code: Undetermined}
	}
	share := float64(t.letters[best]) / float64(all)
	if code := best.language(); code != "" {
		return sure(code, share)
	}
	if !t.isLanguage(best) {
		return Guess{Code: Undetermined}
	}
	code, p := t.choose(best)
	return sure(code, p*share)
}

// choose gives the likeliest language of a script that several share, and its probability among them.
func (t *tally) choose(s script) (string, float64) {
	first, last := s.languages()
	scores := &t.clipped
	if t.words < fewWords {
		scores = &t.plain
	}
	best := first
	for l := first; l < last; l++ {
		if scores[l] > scores[best] {
			best = l
		}
	}
	sum := 0.0
	for l := first; l < last; l++ {
		sum += math.Exp(float64(scores[l]-scores[best]) / (steps * temperature))
	}
	return t.table.code(best), 1 / sum
}

func sure(code string, confidence float64) Guess {
	if confidence < leastConfidence {
		return Guess{Code: Undetermined, Confidence: 0}
	}
	return Guess{Code: code, Confidence: confidence}
}
