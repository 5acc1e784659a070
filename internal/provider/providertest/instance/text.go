package instance

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"

	"github.com/promptd/promptd/internal/value"
)

// text makes a string of the pattern, the format and the length that are wanted.
func (m *maker) text(all []value.Value, name string) (value.Value, bool) {
	least, most := bound(all, "minLength", 0, larger), bound(all, "maxLength", 1<<20, smaller)
	if least > most {
		return value.Null(), false
	}
	var patterns []string
	for _, s := range all {
		if p, ok := s.Get("pattern"); ok && p.Kind() == value.KindString {
			patterns = append(patterns, p.Text())
		}
	}
	for _, s := range all {
		format, _ := s.Get("format")
		if t, ok := m.formatted(format.Text()); ok && fits(t, patterns, least, most) {
			return value.String(t), true
		}
	}
	for try := range 40 {
		if len(patterns) == 0 {
			break
		}
		if t, ok := m.matching(patterns[try%len(patterns)], least, most); ok && fits(t, patterns, least, most) {
			return value.String(t), true
		}
	}
	if len(patterns) > 0 {
		// A pattern that this package cannot read: a plain text may do, the judge tells.
		for _, guess := range [...]string{name, "a", "1", "example", "1.0.0", "#ffffff", "./file.txt", "https://example.org/a"} {
			if fits(guess, patterns, least, most) {
				return value.String(guess), true
			}
		}
	}
	t := m.words()
	for utf8.RuneCountInString(t) < least {
		t += " " + m.words()
	}
	if r := []rune(t); len(r) > most {
		t = string(r[:most])
	}
	return value.String(t), true
}

// fits reports whether a text keeps to the bounds and to the patterns that Go can read.
func fits(t string, patterns []string, least, most int) bool {
	if n := utf8.RuneCountInString(t); n < least || n > most {
		return false
	}
	for _, p := range patterns {
		if re, err := regexp.Compile(p); err == nil && !re.MatchString(t) {
			return false
		}
	}
	return true
}

func (m *maker) word() string {
	return pick(m, "amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "harbor", "island", "juniper", "kestrel", "lagoon", "meadow", "nectar", "orchard",
		"prairie", "quartz", "river", "summit", "tundra", "umbra", "valley", "willow", "zephyr")
}

// words makes a text of one to four words; now and then it holds what repair must not trip over.
func (m *maker) words() string {
	list := make([]string, 1+m.rng.IntN(4))
	for i := range list {
		list[i] = m.word()
	}
	t := strings.Join(list, " ")
	switch m.rng.IntN(12) {
	case 0:
		return t + ", " + m.word() + ": \"" + m.word() + "\" & 'more'"
	case 1:
		return "Straße „" + t + "“ – 12 €"
	case 2:
		return t + "\n" + m.word() + "\t{" + m.word() + "}"
	default:
		return t
	}
}

func pick[T any](m *maker, list ...T) T { return list[m.rng.IntN(len(list))] }

// formatted makes a text of a format; false for formats that this package does not know.
func (m *maker) formatted(format string) (string, bool) {
	n := m.rng.IntN
	date := fmt.Sprintf("20%02d-%02d-%02d", 10+n(20), 1+n(12), 1+n(28))
	clock := fmt.Sprintf("%02d:%02d:%02d", n(24), n(60), n(60))
	switch format {
	case "date":
		return date, true
	case "time":
		return clock + pick(m, "Z", "+02:00"), true
	case "date-time":
		return date + "T" + clock + pick(m, "Z", "+01:00", ".25Z"), true
	case "duration":
		return fmt.Sprintf("P%dDT%dH%dM", 1+n(9), n(24), n(60)), true
	case "email", "idn-email":
		return m.word() + "." + m.word() + "@example.org", true
	case "hostname", "idn-hostname":
		return m.word() + ".example.org", true
	case "ipv4":
		return fmt.Sprintf("192.0.2.%d", n(256)), true
	case "ipv6":
		return fmt.Sprintf("2001:db8::%x", 1+n(0xffff)), true
	case "uri", "iri", "uri-reference", "iri-reference", "uri-template":
		return "https://example.org/" + m.word() + "/" + m.word(), true
	case "uuid":
		return fmt.Sprintf("%08x-%04x-4%03x-a%03x-%012x", m.rng.Uint32(), n(1<<16), n(1<<12), n(1<<12), m.rng.Uint64()&(1<<48-1)), true
	case "json-pointer":
		return "/" + m.word() + "/0", true
	case "relative-json-pointer":
		return "1/" + m.word(), true
	case "regex":
		return "^" + m.word() + "[0-9]+$", true
	default:
		return "", false
	}
}

// matching makes a text that matches a pattern, with repetitions that aim at the length; false for patterns that Go cannot read.
func (m *maker) matching(pattern string, least, most int) (string, bool) {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return "", false
	}
	var b strings.Builder
	m.write(&b, re.Simplify(), least, most)
	return b.String(), b.Len() <= 1<<16
}

// write adds a text that matches one node.
func (m *maker) write(b *strings.Builder, re *syntax.Regexp, least, most int) {
	if b.Len() > 1<<16 {
		return
	}
	switch re.Op {
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			b.WriteRune(r)
		}
	case syntax.OpCharClass:
		b.WriteRune(m.oneOf(re.Rune))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte("abcdefghijklmnopqrstuvwxyz0123456789"[m.rng.IntN(36)])
	case syntax.OpCapture, syntax.OpConcat:
		for _, sub := range re.Sub {
			m.write(b, sub, least, most)
		}
	case syntax.OpAlternate:
		m.write(b, re.Sub[m.rng.IntN(len(re.Sub))], least, most)
	case syntax.OpQuest:
		if m.rng.IntN(2) == 0 {
			m.write(b, re.Sub[0], least, most)
		}
	case syntax.OpStar, syntax.OpPlus:
		times := m.rng.IntN(4)
		if re.Op == syntax.OpPlus {
			times++
		}
		for range times {
			m.write(b, re.Sub[0], least, most)
		}
		for b.Len() < least && re.Sub[0].Op != syntax.OpEmptyMatch { // Only a repetition can make up for the length.
			before := b.Len()
			m.write(b, re.Sub[0], least, most)
			if b.Len() == before {
				break
			}
		}
	}
}

// oneOf chooses a character of a class, a plain one where there is any.
func (m *maker) oneOf(ranges []rune) rune {
	var plain []rune
	for i := 0; i+1 < len(ranges); i += 2 {
		for r := max(ranges[i], '!'); r <= min(ranges[i+1], '~') && len(plain) < 100; r++ {
			plain = append(plain, r)
		}
	}
	if len(plain) > 0 {
		return plain[m.rng.IntN(len(plain))]
	}
	if len(ranges) == 0 {
		return 'a'
	}
	i := m.rng.IntN(len(ranges)/2) * 2
	return ranges[i]
}
