package schema

import (
	"net/netip"
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// formatNamed is the table of formats. Each check takes any text and reports whether it has the format.
func formatNamed(name string, d Draft) (check func(string) bool, known bool) {
	switch name {
	case "date-time":
		check = isDateTime
	case "date":
		check = isDate
	case "time":
		check = isTime
	case "duration":
		check = isDuration
	case "email":
		check = isEmail
	case "idn-email":
		check = isIDNEmail
	case "hostname":
		if check = isHostname; !d.atLeast(Draft7) {
			check = isOldHostname
		}
	case "idn-hostname":
		check = isIDNHostname
	case "ipv4":
		check = isIPv4
	case "ipv6":
		check = isIPv6
	case "uri":
		check = func(s string) bool { return isURI(s, false, true) }
	case "uri-reference":
		check = func(s string) bool { return isURI(s, false, false) }
	case "iri":
		check = func(s string) bool { return isURI(s, true, true) }
	case "iri-reference":
		check = func(s string) bool { return isURI(s, true, false) }
	case "uri-template":
		check = isURITemplate
	case "uuid":
		check = isUUID
	case "json-pointer":
		check = isJSONPointer
	case "relative-json-pointer":
		check = isRelativeJSONPointer
	case "regex":
		check = isRegex
	case "iban":
		check = isIBAN
	case "luhn":
		check = isLuhn
	case "e164":
		check = isE164
	case "iso4217":
		check = isISO4217
	case "bcp47":
		check = isBCP47
	default:
		return nil, false
	}
	return check, true
}

// formatHint says how a text of the format looks.
func formatHint(name string) string {
	example, ok := map[string]string{
		"date-time": "2025-01-15T09:30:00Z", "date": "2025-01-15", "time": "09:30:00Z", "duration": "P3DT4H", "email": "name@example.org",
		"hostname": "www.example.org", "ipv4": "192.0.2.1", "ipv6": "2001:db8::1", "uri": "https://example.org/path", "uri-reference": "/path?query",
		"uri-template": "/users/{id}", "uuid": "123e4567-e89b-12d3-a456-426614174000", "json-pointer": "/a/0", "iban": "DE89370400440532013000",
		"e164": "+4930123456", "iso4217": "EUR", "bcp47": "de-CH",
	}[name]
	if !ok {
		return "Write it in the form of the format " + name + "."
	}
	return "Write it like " + example + "."
}

func isIPv4(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Is4()
}

func isIPv6(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Is6() && a.Zone() == ""
}

func isUUID(s string) bool {
	const length = 36
	if len(s) != length {
		return false
	}
	for i := range length {
		switch i {
		case 8, 13, 18, 23:
			if s[i] != '-' {
				return false
			}
		default:
			if hexDigit(s[i]) < 0 {
				return false
			}
		}
	}
	return true
}

func isJSONPointer(s string) bool {
	_, ok := value.Tokens(s)
	return ok
}

func isRelativeJSONPointer(s string) bool {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	if n == 0 || n > 1 && s[0] == '0' {
		return false
	}
	return s[n:] == "#" || isJSONPointer(s[n:])
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func isURITemplate(s string) bool {
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == '{':
			end := strings.IndexByte(s[i:], '}')
			if end < 0 || !isTemplateExpression(s[i+1:i+end]) {
				return false
			}
			i += end + 1
		case c == '%':
			if !isPercent(s[i:]) {
				return false
			}
			i += 3
		case c <= ' ' || c == 0x7f || strings.IndexByte("\"<>\\^`|}", c) >= 0:
			return false
		default:
			i++
		}
	}
	return true
}

func isTemplateExpression(s string) bool {
	if s != "" && strings.IndexByte("+#./;?&=,!@|", s[0]) >= 0 {
		s = s[1:]
	}
	for part := range strings.SplitSeq(s, ",") {
		name, modifier := part, ""
		if i := strings.IndexAny(part, ":*"); i >= 0 {
			name, modifier = part[:i], part[i:]
		}
		if !isVariableName(name) || !isModifier(modifier) {
			return false
		}
	}
	return true
}

func isVariableName(s string) bool {
	dot := true // A name neither begins nor ends with a dot, nor has two in a row.
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '.':
			if dot {
				return false
			}
			dot = true
			continue
		case c == '%':
			if !isPercent(s[i:]) {
				return false
			}
			i += 2
		case c != '_' && !isDigit(c) && !isLetter(c):
			return false
		}
		dot = false
	}
	return !dot
}

func isModifier(s string) bool {
	if s == "" || s == "*" {
		return true
	}
	const most = len(":9999")
	if s[0] != ':' || len(s) < 2 || len(s) > most || s[1] == '0' {
		return false
	}
	for i := 1; i < len(s); i++ {
		if !isDigit(s[i]) {
			return false
		}
	}
	return true
}

func isPercent(s string) bool {
	return len(s) >= 3 && s[0] == '%' && hexDigit(s[1]) >= 0 && hexDigit(s[2]) >= 0
}
