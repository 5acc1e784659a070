package schema

import (
	"net/netip"
	"strings"
	"unicode/utf8"
)

// isURI judges a URI (RFC 3986) or IRI (RFC 3987); absolute demands a scheme, else a relative reference is allowed too.
func isURI(s string, wide, absolute bool) bool {
	if !hasURICharacters(s, wide) {
		return false
	}
	rest := s
	scheme, hasScheme := "", false
	if i := strings.IndexAny(s, ":/?#"); i >= 0 && s[i] == ':' {
		scheme, rest, hasScheme = s[:i], s[i+1:], true
		if !isScheme(scheme) {
			return false
		}
	}
	if absolute && !hasScheme {
		return false
	}
	rest, fragment, _ := strings.Cut(rest, "#")
	if strings.ContainsAny(fragment, "#[]") {
		return false
	}
	rest, query, _ := strings.Cut(rest, "?")
	if strings.ContainsAny(query, "[]") {
		return false
	}
	path := rest
	if after, ok := strings.CutPrefix(rest, "//"); ok {
		authority := after
		path = ""
		if i := strings.IndexByte(after, '/'); i >= 0 {
			authority, path = after[:i], after[i:]
		}
		if !isAuthority(authority, wide) {
			return false
		}
	}
	return !strings.ContainsAny(path, "[]")
}

// hasURICharacters judges the characters and percent escapes; where brackets may stand is judged by part.
func hasURICharacters(s string, wide bool) bool {
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '%':
			if !isPercent(s[i:]) {
				return false
			}
			i += 3
		case c < utf8.RuneSelf:
			if !isDigit(c) && !isLetter(c) && strings.IndexByte("-._~:/?#[]@!$&'()*+,;=", c) < 0 {
				return false
			}
			i++
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			if !wide || !isIRIRune(r) {
				return false
			}
			i += n
		}
	}
	return true
}

// isIRIRune is RFC 3987's ucschar and iprivate.
func isIRIRune(r rune) bool {
	switch {
	case r < 0xa0 || r >= 0xfdd0 && r <= 0xfdef || r&0xfffe == 0xfffe:
		return false
	case r >= 0xfff0 && r <= 0xffff || r >= 0xe0000 && r < 0xe1000:
		return false
	default:
		return true
	}
}

func isScheme(s string) bool {
	if s == "" || !isLetter(s[0]) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isDigit(c) && !isLetter(c) && c != '+' && c != '-' && c != '.' {
			return false
		}
	}
	return true
}

func isAuthority(s string, _ bool) bool {
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		if strings.ContainsAny(s[:i], "@[]") {
			return false
		}
		s = s[i+1:]
	}
	host, port := s, ""
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 || !isIPLiteral(s[1:end]) {
			return false
		}
		host, port = "", s[end+1:]
		if port != "" && port[0] != ':' {
			return false
		}
	} else if i := strings.IndexByte(s, ':'); i >= 0 {
		host, port = s[:i], s[i:]
	}
	for i := 1; i < len(port); i++ {
		if !isDigit(port[i]) {
			return false
		}
	}
	return !strings.ContainsAny(host, "[]")
}

func isIPLiteral(s string) bool {
	if s != "" && (s[0] == 'v' || s[0] == 'V') {
		version, rest, ok := strings.Cut(s[1:], ".")
		if !ok || version == "" || rest == "" || strings.ContainsAny(rest, "[]/?#@%") {
			return false
		}
		for i := range len(version) {
			if hexDigit(version[i]) < 0 {
				return false
			}
		}
		return true
	}
	a, err := netip.ParseAddr(s)
	return err == nil && a.Is6() && a.Zone() == ""
}
