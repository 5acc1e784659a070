package render

import (
	"strconv"
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// TOON is written as its specification 4.4 has it (toon-spec: 4.4), with two spaces a level: arrays of uniform objects become
// tables whose header names the fields once, objects of uniform objects become keyed tables, everything else is indented.
// Arrays declare their length. Keys are never folded.
//
// Numbers are exact. They are written in TOON's canonical form, without an exponent and without zeros that say nothing, so 1.50
// becomes 1.5 and 1e3 becomes 1000: the same number in other digits. Outside 1e-6 to 1e21 an exponent is used. Objects in a table take the order of fields of the first of them, as the specification demands.

func appendTOON(dst []byte, v value.Value, delimiter byte) []byte {
	w := toonWriter{out: dst, delimiter: delimiter}
	w.root(v)
	return w.out
}

type toonWriter struct {
	out       []byte
	delimiter byte
	// begun says that a line has been written: lines are parted, not ended.
	begun bool
}

func (w *toonWriter) root(v value.Value) {
	switch v.Kind() {
	case value.KindObject:
		if v.Len() > 0 {
			w.rootObject(v)
		}
	case value.KindArray:
		w.line(0)
		if v.Len() == 0 {
			w.out = append(w.out, "[]"...)
			return
		}
		w.array(v, 0, true)
	case value.KindString:
		s := v.Text()
		if strings.HasPrefix(s, "\uFEFF") { // Readers take it for a byte-order mark.
			w.quoted(s)
			return
		}
		w.str(s)
	case value.KindNull, value.KindBool, value.KindNumber:
		w.primitive(v)
	}
}

func (w *toonWriter) rootObject(v value.Value) {
	if fields, ok := keyedTable(v); ok {
		w.line(0)
		w.keyed(v, fields, 0)
		return
	}
	for i := range v.Len() {
		w.line(0)
		w.field(v.NameAt(i), v.At(i), 0)
	}
}

// line starts a line at a depth.
func (w *toonWriter) line(depth int) {
	if w.begun {
		w.out = append(w.out, '\n')
	}
	w.begun = true
	for range depth {
		w.out = append(w.out, "  "...)
	}
}

// field writes a member whose line stands at depth and has been started. What it opens stands one deeper.
func (w *toonWriter) field(name string, v value.Value, depth int) {
	w.key(name)
	switch v.Kind() {
	case value.KindObject:
		if fields, ok := keyedTable(v); ok {
			w.keyed(v, fields, depth)
			return
		}
		w.out = append(w.out, ':')
		for i := range v.Len() {
			w.line(depth + 1)
			w.field(v.NameAt(i), v.At(i), depth+1)
		}
	case value.KindArray:
		if v.Len() == 0 {
			w.out = append(w.out, ": []"...)
			return
		}
		w.array(v, depth, true)
	case value.KindNull, value.KindBool, value.KindNumber, value.KindString:
		w.out = append(w.out, ": "...)
		w.primitive(v)
	}
}

// array writes header and content of an array that is not empty. Tables are not allowed for an array that is itself an item.
func (w *toonWriter) array(v value.Value, depth int, tables bool) {
	w.out = append(w.out, '[')
	w.out = strconv.AppendInt(w.out, int64(v.Len()), 10)
	w.declare()
	w.out = append(w.out, ']')
	if isPrimitives(v) {
		w.out = append(w.out, ": "...)
		w.cells(v)
		return
	}
	if tables {
		if fields, ok := uniform(items(v)); ok {
			w.fields(fields)
			w.out = append(w.out, ':')
			for i := range v.Len() {
				w.line(depth + 1)
				w.row(v.At(i), fields, false)
			}
			return
		}
	}
	w.out = append(w.out, ':')
	for i := range v.Len() {
		w.line(depth + 1)
		w.item(v.At(i), depth+1)
	}
}

// declare names the delimiter in a header; a comma goes without saying.
func (w *toonWriter) declare() {
	if w.delimiter != ',' {
		w.out = append(w.out, w.delimiter)
	}
}

func (w *toonWriter) cells(v value.Value) {
	for i := range v.Len() {
		if i > 0 {
			w.out = append(w.out, w.delimiter)
		}
		w.primitive(v.At(i))
	}
}

// item writes a list item whose line stands at depth and has been started.
func (w *toonWriter) item(v value.Value, depth int) {
	w.out = append(w.out, '-')
	if v.Kind() == value.KindObject && v.Len() == 0 {
		return
	}
	w.out = append(w.out, ' ')
	switch v.Kind() {
	case value.KindArray:
		if v.Len() == 0 {
			w.out = append(w.out, "[0"...)
			w.declare()
			w.out = append(w.out, "]:"...)
			return
		}
		w.array(v, depth, false)
	case value.KindObject: // The first field stands behind the hyphen and counts as one deeper.
		for i := range v.Len() {
			if i > 0 {
				w.line(depth + 1)
			}
			w.field(v.NameAt(i), v.At(i), depth+1)
		}
	case value.KindNull, value.KindBool, value.KindNumber, value.KindString:
		w.primitive(v)
	}
}

// keyed writes an object of uniform objects as a table whose rows have keys.
func (w *toonWriter) keyed(v value.Value, fields []toonField, depth int) {
	w.out = append(w.out, '[')
	w.out = strconv.AppendInt(w.out, int64(v.Len()), 10)
	w.out = append(w.out, ':')
	w.declare()
	w.out = append(w.out, ']')
	w.fields(fields)
	w.out = append(w.out, ':')
	for i := range v.Len() {
		w.line(depth + 1)
		w.key(v.NameAt(i))
		w.out = append(w.out, ": "...)
		w.row(v.At(i), fields, false)
	}
}

func (w *toonWriter) fields(fields []toonField) {
	w.out = append(w.out, '{')
	for i, f := range fields {
		if i > 0 {
			w.out = append(w.out, w.delimiter)
		}
		w.key(f.name)
		if f.group != nil {
			w.fields(f.group)
		}
	}
	w.out = append(w.out, '}')
}

// row writes the leaves of an object in the order of the fields; more says that cells stand before.
func (w *toonWriter) row(v value.Value, fields []toonField, more bool) {
	for i, f := range fields {
		cell := member(v, f.name, i)
		if f.group != nil {
			w.row(cell, f.group, more)
		} else {
			if more {
				w.out = append(w.out, w.delimiter)
			}
			w.primitive(cell)
		}
		more = true
	}
}

func (w *toonWriter) primitive(v value.Value) {
	switch v.Kind() {
	case value.KindBool:
		w.out = strconv.AppendBool(w.out, v.Truth())
	case value.KindNumber:
		w.out = appendTOONNumber(w.out, v.Text())
	case value.KindString:
		w.str(v.Text())
	case value.KindNull, value.KindArray, value.KindObject: // Collections never get here.
		w.out = append(w.out, "null"...)
	}
}

func (w *toonWriter) key(name string) {
	if isTOONKey(name) {
		w.out = append(w.out, name...)
		return
	}
	w.quoted(name)
}

func (w *toonWriter) str(s string) {
	if needsTOONQuotes(s, w.delimiter) {
		w.quoted(s)
		return
	}
	w.out = append(w.out, s...)
}

func (w *toonWriter) quoted(s string) {
	w.out = append(w.out, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			w.out = append(w.out, '\\', c)
		case c == '\n':
			w.out = append(w.out, `\n`...)
		case c == '\r':
			w.out = append(w.out, `\r`...)
		case c == '\t':
			w.out = append(w.out, `\t`...)
		case c < ' ':
			w.out = append(append(w.out, `\u`...), hex4(rune(c))...)
		default:
			w.out = append(w.out, c)
		}
	}
	w.out = append(w.out, '"')
}

// isTOONKey says that a key stands without quotes.
func isTOONKey(s string) bool {
	for i := range len(s) {
		c := rune(s[i])
		if !isASCIILetter(c) && c != '_' && (i == 0 || !isDigit(c) && c != '.') {
			return false
		}
	}
	return s != ""
}

// needsTOONQuotes holds the specification's rules for string values.
func needsTOONQuotes(s string, delimiter byte) bool {
	switch s {
	case "", "true", "false", "null":
		return true
	}
	if s[0] == ' ' || s[len(s)-1] == ' ' || s[0] == '-' || s[0] == '#' || isNumberLike(s) {
		return true
	}
	for i := range len(s) {
		switch c := s[i]; c {
		case ':', '"', '\\', '[', ']', '{', '}', delimiter:
			return true
		default:
			if c < ' ' {
				return true
			}
		}
	}
	return false
}
