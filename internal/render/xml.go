package render

import (
	"strings"
	"unicode/utf8"

	"github.com/promptd/promptd/internal/value"
)

// The mapping to XML 1.0, which a reader turns back into the same value:
//
//   - The document element is <result>.
//   - An element's type attribute says what it holds: object, array, number, boolean, null. Without one it is a string.
//   - The members of an object are child elements in order. A member is named by its element, or by the attribute key where
//     there is one: <entry key="1st name"> is the member "1st name", because that is no name of an element. <entry> without
//     key is the member "entry".
//   - The items of an array are child elements <item> in order.
//   - Numbers keep their digits; booleans are true and false; null is empty.
//   - Space between elements, inside objects and arrays, means nothing. The text of strings is kept to the last space; a
//     carriage return is a character reference.
//   - Characters that XML cannot carry (controls, U+FFFE, U+FFFF): the element has the attribute escaped="true", and in its text
//     \uXXXX stands for the character with that number and \\ for a backslash. For the attribute key the mark is
//     key-escaped="true". Without the mark a backslash is a backslash.
func appendXML(dst []byte, v value.Value) []byte {
	w := xmlWriter{out: append(dst, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"...)}
	w.element("result", "", false, v, 0)
	return w.out
}

type xmlWriter struct{ out []byte }

// element writes one element and the end of its line. Keyed says that the key is an attribute.
func (w *xmlWriter) element(tag, key string, keyed bool, v value.Value, indent int) {
	w.indent(indent)
	w.out = append(append(w.out, '<'), tag...)
	if keyed {
		w.keyAttribute(key)
	}
	if t := xmlType(v.Kind()); t != "" {
		w.attribute("type", t)
	}
	text := xmlText(v)
	escaped := v.Kind() == value.KindString && !fitsXML(text)
	if escaped {
		w.attribute("escaped", "true")
	}
	switch {
	case v.Kind() == value.KindNull, v.Kind() != value.KindString && text == "" && v.Len() == 0:
		w.out = append(w.out, "/>\n"...)
		return
	case v.Kind() == value.KindObject, v.Kind() == value.KindArray:
		w.out = append(w.out, ">\n"...)
		w.children(v, indent+2)
		w.indent(indent)
	default:
		w.out = append(w.out, '>')
		w.text(text, escaped, false)
	}
	w.out = append(append(append(w.out, "</"...), tag...), ">\n"...)
}

func (w *xmlWriter) children(v value.Value, indent int) {
	for i := range v.Len() {
		switch name := v.NameAt(i); {
		case v.Kind() == value.KindArray:
			w.element("item", "", false, v.At(i), indent)
		case isXMLName(name):
			w.element(name, "", false, v.At(i), indent)
		default:
			w.element("entry", name, true, v.At(i), indent)
		}
	}
}

func (w *xmlWriter) indent(n int) {
	for range n {
		w.out = append(w.out, ' ')
	}
}

func (w *xmlWriter) attribute(name, text string) {
	w.out = append(append(append(append(append(w.out, ' '), name...), `="`...), text...), '"')
}

func (w *xmlWriter) keyAttribute(key string) {
	escaped := !fitsXML(key)
	w.out = append(w.out, ` key="`...)
	w.text(key, escaped, true)
	w.out = append(w.out, '"')
	if escaped {
		w.attribute("key-escaped", "true")
	}
}

// xmlType gives the type attribute of a kind; a string has none.
func xmlType(k value.Kind) string {
	switch k {
	case value.KindNull:
		return "null"
	case value.KindBool:
		return "boolean"
	case value.KindNumber:
		return "number"
	case value.KindArray:
		return "array"
	case value.KindObject:
		return "object"
	case value.KindString:
	}
	return ""
}

// xmlText gives the text of an element without children.
func xmlText(v value.Value) string {
	if v.Kind() != value.KindBool {
		return v.Text()
	}
	if v.Truth() {
		return "true"
	}
	return "false"
}

// isXMLName says that a key can name an element in every edition of XML 1.0: letters of ASCII and Latin-1, digits, and - . _ after
// the first. Names that begin with xml are reserved, and a colon would name a namespace.
func isXMLName(key string) bool {
	if key == "" || len(key) >= 3 && strings.EqualFold(key[:3], "xml") {
		return false
	}
	for i, r := range key {
		switch {
		case isASCIILetter(r), r == '_':
		case r >= 0xC0 && r <= 0xFF && r != 0xD7 && r != 0xF7:
		case i > 0 && (isDigit(r) || r == '-' || r == '.'):
		default:
			return false
		}
	}
	return true
}

// fitsXML says that XML can carry every character.
func fitsXML(s string) bool {
	for _, r := range s {
		if !isXMLChar(r) {
			return false
		}
	}
	return true
}

func isXMLChar(r rune) bool {
	if r < ' ' {
		return r == '\t' || r == '\n' || r == '\r'
	}
	return r != '\uFFFE' && r != '\uFFFF'
}

// text writes character data or the text of an attribute.
func (w *xmlWriter) text(s string, escaped, attribute bool) {
	for _, r := range s {
		switch {
		case r == '&':
			w.out = append(w.out, "&amp;"...)
		case r == '<':
			w.out = append(w.out, "&lt;"...)
		case r == '>':
			w.out = append(w.out, "&gt;"...)
		case r == '"' && attribute:
			w.out = append(w.out, "&quot;"...)
		case r == '\\' && escaped:
			w.out = append(w.out, `\\`...)
		case !isXMLChar(r):
			w.out = append(append(w.out, `\u`...), hex4(r)...)
		case r == '\r', attribute && (r == '\n' || r == '\t'), r >= 0x7F && r < 0xA0, r == '\u2028':
			// Readers would turn these into line feeds or spaces, or advise against them.
			w.out = append(append(append(w.out, "&#x"...), hex4(r)...), ';')
		default:
			w.out = utf8.AppendRune(w.out, r)
		}
	}
}

// hex4 gives a character's number in four hexadecimal digits.
func hex4(r rune) string {
	const hex = "0123456789abcdef"
	return string([]byte{hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15]})
}
