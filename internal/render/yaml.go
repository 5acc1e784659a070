package render

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/promptd/promptd/internal/value"
)

// YAML is written so that readers of YAML 1.1 and 1.2 agree on it: block style, two spaces a level, empty collections as {} and
// []. A string stands plain only where no reader could take it for anything else: it begins with a letter, is none of the words
// that some version reads as a boolean or null, and holds nothing that has a meaning in YAML. Lines of text are a literal
// block where every reader gives them back as they were. Everything else is double-quoted.
//
// Numbers keep their digits. One with an exponent is spelled as YAML 1.1 wants it, 1.0e+5 for 1e5: without point and sign
// readers of that version take it for a string.

// longestKey is the length in bytes above which a key is written with a question mark: YAML allows 1,024 characters on a line
// of the short form, escapes included.
const longestKey = 1000

func appendYAML(dst []byte, v value.Value) []byte {
	w := yamlWriter{out: dst}
	w.root(v)
	return w.out
}

type yamlWriter struct{ out []byte }

func (w *yamlWriter) root(v value.Value) {
	if isBlock(v) {
		w.block(v, 0)
		return
	}
	w.scalar(v, 0)
	w.out = append(w.out, '\n')
}

// isBlock says that a value takes lines of its own.
func isBlock(v value.Value) bool {
	return (v.Kind() == value.KindObject || v.Kind() == value.KindArray) && v.Len() > 0
}

// block writes a collection that is not empty. The cursor stands where the first line's content begins; every line is ended.
func (w *yamlWriter) block(v value.Value, indent int) {
	for i := range v.Len() {
		if i > 0 {
			w.indent(indent)
		}
		item := v.At(i)
		if v.Kind() == value.KindArray {
			w.out = append(w.out, "- "...)
			if isBlock(item) { // The item's first line goes on behind the dash.
				w.block(item, indent+2)
				continue
			}
			w.scalar(item, indent)
			w.out = append(w.out, '\n')
			continue
		}
		w.member(v.NameAt(i), item, indent)
	}
}

func (w *yamlWriter) member(name string, item value.Value, indent int) {
	w.key(name, indent)
	if isBlock(item) {
		w.out = append(w.out, '\n')
		w.indent(indent + 2)
		w.block(item, indent+2)
		return
	}
	w.out = append(w.out, ' ')
	w.scalar(item, indent)
	w.out = append(w.out, '\n')
}

func (w *yamlWriter) indent(n int) {
	for range n {
		w.out = append(w.out, ' ')
	}
}

// key writes a key and its colon.
func (w *yamlWriter) key(name string, indent int) {
	start := len(w.out)
	w.text(name)
	if len(w.out)-start > longestKey {
		w.out = append(w.out[:start], "? "...)
		w.quoted(name)
		w.out = append(w.out, '\n')
		w.indent(indent)
	}
	w.out = append(w.out, ':')
}

// scalar writes a value on one line, or a literal block without its last line's end.
func (w *yamlWriter) scalar(v value.Value, indent int) {
	switch v.Kind() {
	case value.KindNull:
		w.out = append(w.out, "null"...)
	case value.KindBool:
		if v.Truth() {
			w.out = append(w.out, "true"...)
		} else {
			w.out = append(w.out, "false"...)
		}
	case value.KindNumber:
		w.number(v.Text())
	case value.KindString:
		if s := v.Text(); fitsLiteral(s) {
			w.literal(s, indent+2)
		} else {
			w.text(s)
		}
	case value.KindArray:
		w.out = append(w.out, "[]"...)
	case value.KindObject:
		w.out = append(w.out, "{}"...)
	}
}

func (w *yamlWriter) number(text string) {
	mantissa, exponent, scientific := cutExponent(text)
	w.out = append(w.out, mantissa...)
	if !scientific {
		return
	}
	if !strings.Contains(mantissa, ".") {
		w.out = append(w.out, ".0"...)
	}
	w.out = append(w.out, 'e')
	if exponent[0] != '-' && exponent[0] != '+' {
		w.out = append(w.out, '+')
	}
	w.out = append(w.out, exponent...)
}

// cutExponent parts a number's text at its e or E.
func cutExponent(text string) (mantissa, exponent string, scientific bool) {
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		return text[:i], text[i+1:], true
	}
	return text, "", false
}

// text writes a string on one line.
func (w *yamlWriter) text(s string) {
	if isPlain(s) {
		w.out = append(w.out, s...)
		return
	}
	w.quoted(s)
}

// isPlain says that no reader takes the string for anything but itself, as a key or as a value.
func isPlain(s string) bool {
	first, _ := utf8.DecodeRuneInString(s)
	if !unicode.IsLetter(first) || s[len(s)-1] == ' ' || isYAMLWord(s) {
		return false
	}
	for _, r := range s {
		switch {
		case r == '_' || r == '-' || r == '.' || r == '/' || r == ' ' || r == '(' || r == ')' || r == '+' || r == ',' || r == ';':
		case r < utf8.RuneSelf:
			if !isASCIILetter(r) && !isDigit(r) {
				return false
			}
		case !isYAMLPrintable(r) || unicode.IsSpace(r):
			return false
		}
	}
	return true
}

func isASCIILetter(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }

func isDigit(r rune) bool { return r >= '0' && r <= '9' }

// isYAMLWord says that some version of YAML, or some reader in any spelling, gives the word a meaning.
func isYAMLWord(s string) bool {
	if len(s) > len("infinity") {
		return false
	}
	switch strings.ToLower(s) {
	case "true", "false", "yes", "no", "on", "off", "y", "n", "null", "nan", "inf", "infinity":
		return true
	}
	return false
}

// isYAMLPrintable says that the character may stand in a YAML text as it is, and that no reader takes it for the end of a line.
func isYAMLPrintable(r rune) bool {
	switch {
	case r >= ' ' && r <= '~':
		return true
	case r < 0xA0, r == '\u2028', r == '\u2029', r == '\uFEFF', r == '\uFFFE', r == '\uFFFF':
		return false
	}
	// Non-characters of the upper planes are allowed by YAML; readers differ, so they are escaped.
	return r&0xFFFE != 0xFFFE
}

// quoted writes a double-quoted string.
func (w *yamlWriter) quoted(s string) {
	const hex = "0123456789ABCDEF"
	w.out = append(w.out, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			w.out = append(w.out, '\\', byte(r))
		case r == '\n':
			w.out = append(w.out, `\n`...)
		case r == '\t':
			w.out = append(w.out, `\t`...)
		case r == '\r':
			w.out = append(w.out, `\r`...)
		case isYAMLPrintable(r):
			w.out = utf8.AppendRune(w.out, r)
		case r <= 0xFF:
			w.out = append(w.out, '\\', 'x', hex[r>>4], hex[r&15])
		case r <= 0xFFFF:
			w.out = append(w.out, '\\', 'u', hex[r>>12], hex[r>>8&15], hex[r>>4&15], hex[r&15])
		default:
			w.out = append(w.out, '\\', 'U')
			for shift := 28; shift >= 0; shift -= 4 {
				w.out = append(w.out, hex[r>>shift&15])
			}
		}
	}
	w.out = append(w.out, '"')
}

// fitsLiteral says that the string is several lines that every reader gives back from a literal block as they were: it begins
// with text, so that the indentation is plain to see; no line ends with a space; at most one line's end closes it.
func fitsLiteral(s string) bool {
	end := strings.IndexByte(s, '\n')
	if end <= 0 || end == len(s)-1 || s[0] == ' ' || strings.HasSuffix(s, "\n\n") || s[len(s)-1] == ' ' {
		return false
	}
	before := rune(0)
	for _, r := range s {
		if r == '\n' {
			if before == ' ' {
				return false
			}
		} else if !isYAMLPrintable(r) {
			return false
		}
		before = r
	}
	return true
}

// literal writes a literal block whose lines are indented.
func (w *yamlWriter) literal(s string, indent int) {
	w.out = append(w.out, '|')
	if s[len(s)-1] != '\n' {
		w.out = append(w.out, '-')
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(s, "\n"), "\n") {
		w.out = append(w.out, '\n')
		if line != "" {
			w.indent(indent)
			w.out = append(w.out, line...)
		}
	}
}
