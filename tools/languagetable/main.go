// Command languagetable computes the n-gram table of internal/language from the model figures of lingua-go.
//
// Lingua's models say, for 75 languages, how often each run of up to five letters comes. The command
//
//  1. rebuilds the counts behind those figures, with the edges of words that lingua left out (counts.go);
//  2. smooths them into probabilities of a letter after up to four others (smooth.go);
//  3. keeps of them what tells the languages of one script apart, the more of it the closer two languages are (script.go);
//  4. writes the hash table that internal/language reads in place (table.go).
//
// It reads the models from the module cache and nothing else. It takes about four minutes and 4 GB:
//
//	go run -C tools/languagetable .
package main

import (
	"flag"
	"fmt"
	"os"
	"unicode"
)

func main() {
	out := flag.String("out", "../../internal/language/ngrams.bin", "file to write")
	flag.Parse()
	if err := run(*out); err != nil {
		fmt.Fprintln(os.Stderr, "languagetable:", err)
		os.Exit(1)
	}
}

// group is the languages of one script. Their order, and that of the groups, is the numbering of languages in the table.
type group struct {
	languages []string
	letters   *unicode.RangeTable
	least     float64 // evidence that an n-gram must carry to be kept: smaller is better and bigger
}

// groups lists the scripts that several languages share; internal/language knows their order.
func groups() []group {
	return []group{
		{[]string{
			"af", "az", "bs", "ca", "cs", "cy", "da", "de", "en", "eo", "es", "et", "eu", "fi", "fr", "ga", "hr", "hu", "id", "is", "it", "la", "lg", "lt", "lv",
			"mi", "ms", "nb", "nl", "nn", "pl", "pt", "ro", "sk", "sl", "sn", "so", "sq", "st", "sv", "sw", "tl", "tn", "tr", "ts", "vi", "xh", "yo", "zu",
		}, unicode.Latin, 3e-5},
		{[]string{"be", "bg", "kk", "mk", "mn", "ru", "sr", "uk"}, unicode.Cyrillic, 2e-5},
		{[]string{"ar", "fa", "ur"}, unicode.Arabic, 3e-5},
		{[]string{"hi", "mr"}, unicode.Devanagari, 3e-5},
	}
}

func run(out string) error {
	dir, err := moduleDir()
	if err != nil {
		return err
	}
	t := newTable()
	for _, g := range groups() {
		s, err := readScript(dir, g.languages, g.letters)
		if err != nil {
			return err
		}
		s.collect()
		s.weigh()
		entries := s.prune(g.least)
		if err := t.addScript(g.languages, entries); err != nil {
			return err
		}
		fmt.Printf("%d languages from %s: %d n-grams\n", len(g.languages), g.languages[0], len(entries))
	}
	characters, err := readCharacters(dir)
	if err != nil {
		return err
	}
	t.addCharacters([]string{"zh", "ja"}, characters)
	fmt.Printf("zh and ja: %d characters\n", len(characters))
	raw, err := t.encode()
	if err != nil {
		return err
	}
	fmt.Printf("%d bytes into %s\n", len(raw), out)
	return os.WriteFile(out, raw, 0o644)
}
