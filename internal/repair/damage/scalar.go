package damage

import (
	"strings"

	"github.com/promptd/promptd/internal/repair"
	"github.com/promptd/promptd/internal/value"
)

func (w *writer) literal(v value.Value) {
	if w.hit(repair.KindLiteral) {
		switch {
		case v.IsNull():
			w.add(pick(w.rng, "None", "undefined", "NULL", "nil"))
		case v.Truth():
			w.add(pick(w.rng, "True", "TRUE"))
		default:
			w.add(pick(w.rng, "False", "FALSE"))
		}
		return
	}
	w.add(v.String())
}

func (w *writer) number(v value.Value) {
	text := v.Text()
	switch {
	case w.hit(repair.KindNumber):
		switch {
		case strings.HasPrefix(text, "0."):
			text = text[1:]
		case strings.HasPrefix(text, "-0."):
			text = "-" + text[2:]
		case strings.ContainsAny(text, ".eE"):
		case len(text) > 4 && text[0] != '-':
			text = text[:len(text)-3] + "_" + text[len(text)-3:]
		default:
			text = pick(w.rng, text+".", text+"n")
		}
		if text[0] != '-' && text[0] != '.' && w.rng.IntN(3) == 0 {
			text = "+" + text
		}
	case w.hit(repair.KindCall):
		text = pick(w.rng, "NumberLong(", "NumberInt(", "NumberDecimal(") + text + ")"
	}
	w.add(text)
}

// identifier reports whether a name may stand without quotes.
func identifier(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || i > 0 && c >= '0' && c <= '9') {
			return false
		}
	}
	return s != ""
}

func (w *writer) name(name string) {
	switch {
	case identifier(name) && w.hit(repair.KindUnquoted):
		w.add(name)
	case identifier(name) && w.hit(repair.KindMissingQuote):
		if w.rng.IntN(2) == 0 {
			w.add(name, `"`)
		} else {
			w.add(`"`, name)
		}
	default:
		w.quoted(name)
	}
}

// endlessString writes a string without its closing mark where the next name shows the end.
func (w *writer) endlessString(s, next string) bool {
	if !words(s) || !identifier(next) || w.kind != repair.KindMissingQuote || w.chance < 1 && w.rng.Float64() >= w.chance {
		return false
	}
	// The next name must keep both of its marks, so this is the last damage.
	w.hits++
	w.add(`"`, s)
	w.kind = ""
	return true
}

// words reports whether a text is nothing but letters, digits and single spaces.
func words(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == ' ' && i > 0 && i+1 < len(s)) {
			return false
		}
	}
	return s != "" && (s[0] > '9' || s[0] < '0')
}

func reserved(s string) bool {
	switch strings.ToLower(s) {
	case "true", "false", "null", "none", "nil", "undefined", "nan":
		return true
	}
	return false
}

func (w *writer) str(s string) {
	switch {
	case words(s) && !reserved(firstWord(s)) && w.hit(repair.KindUnquoted):
		w.add(s)
	case len(s) > 3 && strings.IndexByte(s, '\\') < 0 && w.hit(repair.KindConcatenation):
		half := len(s) / 2
		for half > 0 && s[half]&0xC0 == 0x80 {
			half--
		}
		w.quoted(s[:half])
		w.add(pick(w.rng, " + ", "+", " +\n    "))
		w.quoted(s[half:])
	case w.hit(repair.KindCall):
		w.add(pick(w.rng, "ObjectId(", "ISODate(", "new Date("))
		w.quoted(s)
		w.add(")")
	default:
		w.quoted(s)
	}
}

func firstWord(s string) string {
	word, _, _ := strings.Cut(s, " ")
	return word
}

// quoted writes a name or a string with its marks.
func (w *writer) quoted(s string) {
	text := string(value.AppendQuoted(nil, s))
	inner := text[1 : len(text)-1]
	switch {
	case !strings.ContainsAny(s, `'"\`) && w.hit(repair.KindSingleQuotes):
		text = "'" + inner + "'"
	case !strings.ContainsAny(s, `'"\“”‘’«»`) && w.hit(repair.KindSmartQuotes):
		text = pick(w.rng, "“"+inner+"”", "‘"+inner+"’", "„"+inner+"”")
	case words(s) && w.hit(repair.KindDoubledQuotes):
		text = pick(w.rng, `""`+inner+`""`, `"""`+inner+`"""`)
	case quotesInWords(s) && w.hit(repair.KindUnescapedQuote):
		text = strings.ReplaceAll(text, `\"`, `"`)
	case strings.ContainsAny(s, "\n\t") && !strings.HasSuffix(s, "\n") && w.hit(repair.KindControlCharacter):
		text = strings.NewReplacer(`\\`, `\\`, `\n`, "\n", `\t`, "\t").Replace(text)
	case w.kind == repair.KindBadEscape:
		text = w.badEscape(text)
	case w.hit(repair.KindSurrogate):
		w.keeps = false
		text = `"` + inner + pick(w.rng, `\ud800`, `\udc00x`) + `"`
	case w.hit(repair.KindBadUTF8):
		w.keeps = false
		text = `"` + inner + "\xff" + `"`
	}
	w.add(text)
}

// badEscape writes backslashes that JSON wants doubled alone, and needless ones before apostrophes.
func (w *writer) badEscape(text string) string {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\'' && w.hit(repair.KindBadEscape):
			out.WriteString(`\'`)
		case text[i] == '\\' && text[i+1] == '\\':
			if next := text[i+2]; next < 0x80 && !strings.ContainsRune("\"\\/bfnrtux'`", rune(next)) && w.hit(repair.KindBadEscape) {
				out.WriteByte('\\')
			} else {
				out.WriteString(`\\`)
			}
			i++
		case text[i] == '\\':
			out.WriteString(text[i : i+2])
			i++
		default:
			out.WriteByte(text[i])
		}
	}
	return out.String()
}

// quotesInWords reports whether every quotation mark in the text stands beside a letter and before no delimiter, so that a reader can tell
// it from the string's end.
func quotesInWords(s string) bool {
	found := false
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' || s[i] < 0x20 {
			return false
		}
		if s[i] != '"' {
			continue
		}
		found = true
		if i == 0 || i+1 == len(s) {
			return false
		}
		if rest := strings.TrimLeft(s[i+1:], " "); rest == "" || strings.IndexByte(",:}]{[\"'+#/(", rest[0]) >= 0 {
			return false
		}
		if before := strings.TrimRight(s[:i], " "); before == "" || strings.IndexByte(",:{[", before[len(before)-1]) >= 0 {
			return false
		}
	}
	return found
}
