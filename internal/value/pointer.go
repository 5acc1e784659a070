package value

import (
	"strconv"
	"strings"
)

// AppendPointer adds a reference token to a JSON pointer (RFC 6901).
func AppendPointer(pointer, token string) string {
	if strings.ContainsAny(token, "~/") {
		token = strings.ReplaceAll(strings.ReplaceAll(token, "~", "~0"), "/", "~1")
	}
	return pointer + "/" + token
}

// AppendIndex adds an array place to a JSON pointer.
func AppendIndex(pointer string, i int) string { return pointer + "/" + strconv.Itoa(i) }

// Tokens splits a JSON pointer into its reference tokens; ok is false where the text is no pointer.
func Tokens(pointer string) (tokens []string, ok bool) {
	if pointer == "" {
		return nil, true
	}
	if pointer[0] != '/' {
		return nil, false
	}
	tokens = strings.Split(pointer[1:], "/")
	for i, token := range tokens {
		for j := 0; j < len(token); j++ {
			if token[j] == '~' && (j+1 == len(token) || token[j+1] != '0' && token[j+1] != '1') {
				return nil, false
			}
		}
		if strings.IndexByte(token, '~') >= 0 {
			tokens[i] = strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
		}
	}
	return tokens, true
}

// Lookup gives the value at a JSON pointer.
func (v Value) Lookup(pointer string) (Value, bool) {
	tokens, ok := Tokens(pointer)
	if !ok {
		return Value{}, false
	}
	for _, token := range tokens {
		switch v.kind {
		case KindObject:
			if v, ok = v.Get(token); !ok {
				return Value{}, false
			}
		case KindArray:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(v.list()) || strconv.Itoa(i) != token {
				return Value{}, false
			}
			v = v.list()[i].Value
		default:
			return Value{}, false
		}
	}
	return v, true
}
