package schema

import (
	"unicode/utf8"

	"github.com/promptd/promptd/internal/value"
)

// Reports show the beginning of values and schemas that may be as large as a request: no more of them is written than is shown.

// brief writes a value as compact JSON, cut to a count of bytes.
func brief(v value.Value, limit int) string { return cut(string(appendBrief(nil, v, limit)), limit) }

// briefList writes values as an array, cut to a count of bytes.
func briefList(list []value.Value, limit int) string {
	dst := []byte{'['}
	for i := range list {
		if len(dst) > limit {
			break
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendBrief(dst, list[i], limit)
	}
	return cut(string(append(dst, ']')), limit)
}

// appendBrief writes the whole value where it is within the limit, else more than the limit of its beginning.
func appendBrief(dst []byte, v value.Value, limit int) []byte {
	switch v.Kind() {
	case value.KindString:
		return value.AppendQuoted(dst, cut(v.Text(), limit))
	case value.KindArray, value.KindObject:
		opening, closing := byte('['), byte(']')
		if v.Kind() == value.KindObject {
			opening, closing = '{', '}'
		}
		dst = append(dst, opening)
		for i := range v.Len() {
			if len(dst) > limit {
				return dst
			}
			if i > 0 {
				dst = append(dst, ',')
			}
			if v.Kind() == value.KindObject {
				dst = append(value.AppendQuoted(dst, cut(v.NameAt(i), limit)), ':')
			}
			dst = appendBrief(dst, v.At(i), limit)
		}
		return append(dst, closing)
	default:
		return v.Append(dst)
	}
}

// quoteAll names members as a list, the first ones where there are many.
func quoteAll(names []string) string {
	dst := []byte{'['}
	for i, name := range names {
		if len(dst) > maxExpected {
			break
		}
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = append(dst, quote(name)...)
	}
	return string(append(dst, ']'))
}

func quote(s string) string { return string(value.AppendQuoted(nil, cut(s, 80))) }

// memberNames names an object's members, the first ones where there are many.
func memberNames(v value.Value) string {
	const many = 100 // More than are shown.
	names := make([]string, 0, min(v.Len(), many))
	for i := range cap(names) {
		names = append(names, v.NameAt(i))
	}
	return quoteAll(names)
}

// cut shortens a text to a count of bytes at a code point's border.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	limit -= len("…")
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit] + "…"
}
