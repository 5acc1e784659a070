package repair

import (
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// inProse finds the one scalar in a sentence that the schema wants: "The answer is **true**." It must be the only one of its kind there, and
// stand out: first, last, in quotation marks or emphasised. "true or false" has two readings and "not true" has another one.
func (r *root) inProse(schema Shape) (Result, bool) {
	if schema == nil {
		return Result{}, false
	}
	if !schema.Accepts(value.KindBool) && schema.Choices() == nil && schema.Accepts(value.KindArray) && !schema.Accepts(value.KindString) {
		schema = schema.Item(0)
	} else if schema.Accepts(value.KindArray) && !schema.Accepts(value.KindBool) && !schema.Accepts(value.KindString) {
		schema = schema.Item(0)
	}
	if schema == nil {
		return Result{}, false
	}
	words := wanted(schema)
	if len(words) == 0 || len(words) > lookLimit {
		return Result{}, false
	}
	p := r.p
	text := p.text[r.from:]
	if len(text) > 64*lookLimit {
		return Result{}, false // A long text is no one-word answer, and every word is looked for in it.
	}
	found := mention{at: -1}
	for _, word := range words {
		at, ok := find(text, word)
		if !ok {
			return Result{}, false
		}
		if at < 0 {
			continue
		}
		if found.at >= 0 && !(found.at <= at && at+len(word) <= found.at+len(found.word)) {
			if at <= found.at && found.at+len(found.word) <= at+len(word) {
				found = mention{at, word} // A longer word that holds the shorter one.
				continue
			}
			return Result{}, false
		}
		if found.at < 0 {
			found = mention{at, word}
		}
	}
	if found.at < 0 || !found.standsOut(text) {
		return Result{}, false
	}
	v := value.String(text[found.at : found.at+len(found.word)])
	if schema.Accepts(value.KindBool) {
		switch found.word {
		case "true":
			v = value.Bool(true)
		case "false":
			v = value.Bool(false)
		}
	}
	p.note(KindProse, r.from)
	p.note(KindUnquoted, r.from+found.at)
	return Result{Value: v.Located(r.from + found.at), Repairs: sortRepairs(p.repairs)}, true
}

// wanted gives the words that the schema allows, in small letters where case does not matter.
func wanted(schema Shape) []string {
	var words []string
	for _, choice := range schema.Choices() {
		if choice.Kind() == value.KindString && choice.Text() != "" {
			words = append(words, choice.Text())
		}
	}
	if len(words) == 0 && schema.Accepts(value.KindBool) && !schema.Accepts(value.KindString) {
		words = append(words, "true", "false")
	}
	return words
}

type mention struct {
	at   int
	word string
}

// find gives the first place of the word, whatever its case; -1 where it is absent.
func find(text, word string) (at int, ok bool) {
	for i := 0; i+len(word) <= len(text); i++ {
		if !strings.EqualFold(text[i:i+len(word)], word) {
			continue
		}
		if i > 0 && wordByte(text[i-1]) && wordByte(word[0]) {
			continue
		}
		if end := i + len(word); end < len(text) && wordByte(text[end]) && wordByte(word[len(word)-1]) {
			continue
		}
		return i, true
	}
	return -1, true
}

func wordByte(c byte) bool { return letter(c) || digit(c) || c == '_' }

// standsOut reports whether the word is first or last in the text, quoted or emphasised, and not denied.
func (m mention) standsOut(text string) bool {
	before := strings.TrimRight(text[:m.at], " \t\r\n")
	after := strings.Trim(text[m.at+len(m.word):], " \t\r\n")
	lower := strings.ToLower(before)
	for _, denial := range []string{"not", "n't", "n’t", "never", "no", "isn't", "neither", "nor", "than"} {
		if strings.HasSuffix(lower, " "+denial) || lower == denial || strings.HasSuffix(denial, "t") && denial != "not" && strings.HasSuffix(lower, denial) {
			return false
		}
	}
	if strings.Trim(before, "*_\"'`([ ") == "" || strings.Trim(after, "*_\"'`.!)] ") == "" {
		return true
	}
	marks := "*_\"'`"
	return m.at > 0 && strings.IndexByte(marks, text[m.at-1]) >= 0 && after != "" && strings.IndexByte(marks, after[0]) >= 0
}
