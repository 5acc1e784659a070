package config

import (
	"fmt"
	"strings"
)

// expand replaces ${NAME} by the variable's value; $${ stands for ${ itself. It works on values after parsing, so that
// what a variable holds can never become a key or a list.
func (l *loader) expand(text string) (string, bool, *fault) {
	if !strings.Contains(text, "${") {
		return text, false, nil
	}
	var b strings.Builder
	for rest := text; ; {
		at := strings.Index(rest, "${")
		if at < 0 {
			b.WriteString(rest)
			return b.String(), true, nil
		}
		if at > 0 && rest[at-1] == '$' {
			b.WriteString(rest[:at-1] + "${")
			rest = rest[at+2:]
			continue
		}
		b.WriteString(rest[:at])
		name, after, closed := strings.Cut(rest[at+2:], "}")
		if !closed || !validName(name) {
			return "", true, &fault{"${ is not followed by the name of a variable and }", "write ${NAME}, or $${ for the characters themselves"}
		}
		value, set := l.env(name)
		if !set {
			return "", true, &fault{fmt.Sprintf("the variable %s is not set", name), "set it, or write the value here"}
		}
		b.WriteString(value)
		rest = after
	}
}

// validName reports whether a text can be the name of an environment variable.
func validName(s string) bool {
	for i, r := range s {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}
