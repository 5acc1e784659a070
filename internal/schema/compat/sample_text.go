package compat

import (
	"regexp/syntax"
	"slices"
	"strings"
)

// sampleTexts gives texts that a regular expression probably matches; whoever takes one judges it.
func sampleTexts(pattern string) []string {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil
	}
	var list []string
	for turn := range 6 {
		var b strings.Builder
		writeSample(&b, re, turn)
		if text := b.String(); len(text) <= maxSampled && !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	if !strings.HasPrefix(pattern, "^") && len(list) > 0 {
		list = append(list, "zz"+list[0])
	}
	if !strings.HasSuffix(pattern, "$") && len(list) > 0 {
		list = append(list, list[0]+"zz")
	}
	return list
}

// writeSample writes one text of an expression; turns take other characters, alternatives and counts.
func writeSample(b *strings.Builder, re *syntax.Regexp, turn int) {
	if b.Len() > maxSampled {
		return
	}
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		if n := len(re.Rune) / 2; n > 0 {
			low, high := re.Rune[2*(turn%n)], re.Rune[2*(turn%n)+1]
			if low < ' ' && high > 'z' { // A class of what is excluded: something readable.
				low = []rune("aZ5-")[turn%4]
			}
			b.WriteRune(low)
		}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteRune([]rune("aZ5-é ")[turn%6])
	case syntax.OpCapture:
		writeSample(b, re.Sub[0], turn)
	case syntax.OpStar, syntax.OpQuest:
		if turn%2 == 1 {
			writeSample(b, re.Sub[0], turn/2)
		}
	case syntax.OpPlus:
		for range 1 + turn%3 {
			writeSample(b, re.Sub[0], turn/2)
		}
	case syntax.OpRepeat:
		count := re.Min
		if turn%2 == 1 {
			if count = re.Max; count < 0 {
				count = re.Min + turn
			}
		}
		for range count {
			writeSample(b, re.Sub[0], turn/2)
		}
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			writeSample(b, sub, turn)
		}
	case syntax.OpAlternate:
		writeSample(b, re.Sub[turn%len(re.Sub)], turn/2)
	default:
	}
}

// formatSamples gives texts of a format.
func formatSamples(format string) []string {
	switch format {
	case "date-time":
		return []string{"2025-01-15T09:30:00Z", "2024-02-29T23:59:59.5+02:00"}
	case "date":
		return []string{"2025-01-15", "2024-02-29"}
	case "time":
		return []string{"09:30:00Z", "23:59:59.5+02:00"}
	case "duration":
		return []string{"P3DT4H", "P1W"}
	case "email", "idn-email":
		return []string{"name@example.org", "näme@example.org"}
	case "hostname", "idn-hostname":
		return []string{"www.example.org", "localhost"}
	case "ipv4":
		return []string{"192.0.2.1", "10.0.0.255"}
	case "ipv6":
		return []string{"2001:db8::1", "::1"}
	case "uri", "iri":
		return []string{"https://example.org/path", "urn:x:y", "https://example.org/ä"}
	case "uri-reference", "iri-reference":
		return []string{"/path?query", "a", "https://example.org/path", "/ä"}
	case "uri-template":
		return []string{"/users/{id}"}
	case "uuid":
		return []string{"123e4567-e89b-12d3-a456-426614174000"}
	case "json-pointer":
		return []string{"/a/0", ""}
	case "relative-json-pointer":
		return []string{"1/a"}
	case "regex":
		return []string{"^a$", "(x)"}
	case "iban":
		return []string{"DE89370400440532013000"}
	case "luhn":
		return []string{"4111111111111111"}
	case "e164":
		return []string{"+4930123456"}
	case "iso4217":
		return []string{"EUR"}
	case "bcp47":
		return []string{"de-CH", "en"}
	default:
		return nil
	}
}
