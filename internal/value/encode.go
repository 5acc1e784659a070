package value

import (
	"slices"
	"strings"
)

// Append writes the value as compact JSON in its own order, with its numbers as they were written.
func (v Value) Append(dst []byte) []byte {
	switch v.kind {
	case KindBool:
		if v.truth {
			return append(dst, "true"...)
		}
		return append(dst, "false"...)
	case KindNumber:
		return append(dst, v.text...)
	case KindString:
		return AppendQuoted(dst, v.text)
	case KindArray:
		dst = append(dst, '[')
		for i := range v.list() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = v.list()[i].Value.Append(dst)
		}
		return append(dst, ']')
	case KindObject:
		dst = append(dst, '{')
		for i := range v.list() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(AppendQuoted(dst, v.list()[i].Name), ':')
			dst = v.list()[i].Value.Append(dst)
		}
		return append(dst, '}')
	default:
		return append(dst, "null"...)
	}
}

// AppendCanonical writes the value as compact JSON with the members of every object sorted by name, bytewise. Numbers keep their text:
// RFC 8785 would fold 9007199254740993 into …992, and two requests that differ would share a key.
func (v Value) AppendCanonical(dst []byte) []byte {
	switch v.kind {
	case KindArray:
		dst = append(dst, '[')
		for i := range v.list() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = v.list()[i].Value.AppendCanonical(dst)
		}
		return append(dst, ']')
	case KindObject:
		members := v.list()
		byName := func(a, b Member) int { return strings.Compare(a.Name, b.Name) }
		if !slices.IsSortedFunc(members, byName) {
			members = slices.Clone(members)
			slices.SortFunc(members, byName)
		}
		dst = append(dst, '{')
		for i := range members {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(AppendQuoted(dst, members[i].Name), ':')
			dst = members[i].Value.AppendCanonical(dst)
		}
		return append(dst, '}')
	default:
		return v.Append(dst)
	}
}

// String gives the value as compact JSON.
func (v Value) String() string { return string(v.Append(nil)) }

// MarshalJSON lets encoders of other packages write the value.
func (v Value) MarshalJSON() ([]byte, error) { return v.Append(nil), nil }

// UnmarshalJSON lets decoders of other packages read a value, strictly.
func (v *Value) UnmarshalJSON(data []byte) error {
	read, err := Decode(data, Limits{})
	if err != nil {
		return err
	}
	*v = read
	return nil
}

// AppendQuoted writes a string as JSON: quotes, backslashes and control characters are escaped, everything else is UTF-8 as it is.
func AppendQuoted(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c != 0x7f {
			continue
		}
		dst = append(dst, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
}
