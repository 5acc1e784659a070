package repair

import (
	"math/big"
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// classify tells what a token is: a number, a literal, or neither. The kind is empty where it is strict JSON. atEnd says that the text
// ends with the token, which may then be cut.
func (p *parser) classify(token string, shape Shape, atEnd bool) (v value.Value, kind Kind, ok bool) {
	if token == "" {
		return value.Value{}, "", false
	}
	if digit(token[0]) || token[0] == '-' || token[0] == '+' || token[0] == '.' {
		return number(token, shape, atEnd)
	}
	word := token
	if atEnd && (len(p.frames) > 0 || len(token) > 1) {
		word = completed(token)
	}
	switch literalAt(word) {
	case word:
	default:
		return value.Value{}, "", false
	}
	switch word {
	case "true", "True", "TRUE":
		v = value.Bool(true)
	case "false", "False", "FALSE":
		v = value.Bool(false)
	}
	if word == "true" || word == "false" || word == "null" {
		return v, "", true
	}
	if shape != nil && !shape.Accepts(v.Kind()) && shape.Accepts(value.KindString) {
		return value.Value{}, "", false // The word itself is the text that is wanted.
	}
	return v, KindLiteral, true
}

// completed gives the literal of which the token, at the very end of the text, is the beginning.
func completed(token string) string {
	for _, word := range []string{"true", "false", "null"} {
		if strings.HasPrefix(word, token) {
			return word
		}
	}
	return token
}

// literalAt gives the literal with which the text begins, as a whole word; empty where there is none.
func literalAt(s string) string {
	end := 0
	for end < len(s) && end < 10 && (letter(s[end]) || digit(s[end]) || s[end] == '_') {
		end++
	}
	switch word := s[:end]; word {
	case "true", "false", "null", "True", "False", "None", "TRUE", "FALSE", "NULL", "Null", "undefined", "NaN", "nan", "NAN", "nil":
		return word
	}
	return ""
}

// number reads a number in JSON's or a related spelling. A spelling with leading zeros is a code and no number, unless nothing but a
// number fits; one beyond the bounds stays a text.
func number(token string, shape Shape, cut bool) (v value.Value, kind Kind, ok bool) {
	if shape != nil && !shape.Accepts(value.KindNumber) && shape.Accepts(value.KindString) {
		return value.Value{}, "", false
	}
	if v, err := value.Number(token); err == nil {
		return v, "", true
	}
	text, ok := normalised(token, cut)
	if !ok {
		return value.Value{}, "", false
	}
	if zeros := strings.TrimPrefix(text, "-"); len(zeros) > 1 && zeros[0] == '0' && digit(zeros[1]) {
		if shape == nil || shape.Accepts(value.KindString) {
			return value.Value{}, "", false
		}
		sign := text[:len(text)-len(zeros)]
		if zeros = strings.TrimLeft(zeros, "0"); zeros == "" || !digit(zeros[0]) {
			zeros = "0" + zeros
		}
		text = sign + zeros
	}
	v, err := value.Number(text)
	return v, KindNumber, err == nil
}

// normalised brings the spellings of Python, JavaScript and Go into JSON's: +1, .5, 1., 1_000, 0x1f, 10n. A cut exponent is left out.
func normalised(token string, cut bool) (string, bool) {
	if len(token) > 2*value.MaxNumberLength {
		return "", false
	}
	text := strings.TrimPrefix(token, "+")
	sign := ""
	if strings.HasPrefix(text, "-") {
		sign, text = "-", text[1:]
	}
	if len(text) > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X') {
		n, ok := new(big.Int).SetString(text[2:], 16)
		if !ok || text[2] == '-' || text[2] == '+' {
			return "", false
		}
		return sign + n.String(), true
	}
	if strings.Contains(text, "_") {
		text = strings.ReplaceAll(text, "_", "")
	}
	if cut {
		text = strings.TrimRight(text, "eE+-")
	}
	if text == "" || !digit(text[0]) && (text[0] != '.' || len(text) == 1 || !digit(text[1])) {
		return "", false
	}
	if text[0] == '.' {
		text = "0" + text
	}
	if i := strings.IndexByte(text, '.'); i >= 0 && (i+1 == len(text) || !digit(text[i+1])) {
		text = text[:i] + ".0" + text[i+1:]
	}
	if n := len(text) - 1; text[n] == 'n' && n > 0 && digit(text[n-1]) {
		text = text[:n]
	}
	return sign + text, true
}
