package catalogue

import (
	"bytes"
	_ "embed"
	"fmt"
	"strconv"
	"strings"
)

// modelsTSV is the table of the models that are known from a price list. tools/modeltable writes it. It is read where something is asked of it, service by
// service: nobody has accounts at all of them.
//
// A line [name] begins a service. Every other line is a model, with tabs between name, context window, most output tokens, flags and prices; what is empty
// is not known. A small letter among the flags is a yes, a capital a no: v vision, r reasoning, a always reasoning, p takes sampling options, s schemas for
// answers, n schemas enforced by the service, t tools, f a tool can be forced, c a prompt cache, d PDF documents, u audio.
//
// Prices are dollars per million tokens: i input, c cached input, w cache write, l cache write for an hour, o output, r reasoning. Behind >N stand the
// prices of calls with more than N input tokens, behind b those of a batch, behind b>N those of long calls of a batch.
//
//go:embed models.tsv
var modelsTSV []byte

// section gives a service's lines of the table.
func section(table []byte, service string) []byte {
	_, rest, found := bytes.Cut(table, []byte("\n["+service+"]\n"))
	if !found {
		return nil
	}
	if end := bytes.Index(rest, []byte("\n\n")); end >= 0 {
		rest = rest[:end+1]
	}
	return rest
}

// find gives a model's line of a section.
func find(section []byte, name string) (string, bool) {
	if strings.ContainsAny(name, "\t\n") {
		return "", false
	}
	key := []byte(name + "\t")
	for len(section) > 0 {
		line, rest, _ := bytes.Cut(section, []byte("\n"))
		if bytes.HasPrefix(line, key) || string(line) == name {
			return string(line), true
		}
		section = rest
	}
	return "", false
}

// readLine reads a line of the table.
func readLine(service Service, line string) (Model, error) {
	const columns = 5
	cells := append(strings.Split(line, "\t"), make([]string, columns)...)
	m := Model{Service: service.Name, Name: cells[0]}
	var err error
	if m.ContextWindow, err = count(cells[1]); err != nil {
		return m, err
	}
	if m.MaxOutputTokens, err = count(cells[2]); err != nil {
		return m, err
	}
	m.flags(service, cells[3])
	m.Price, err = readPrice(cells[4])
	return m, err
}

func count(s string) (int, error) {
	if s == "" {
		return 0, nil
	}
	return strconv.Atoi(s)
}

func (m *Model) flags(service Service, flags string) {
	answer := func(letter string) Answer {
		switch {
		case strings.Contains(flags, letter):
			return Yes
		case strings.Contains(flags, strings.ToUpper(letter)):
			return No
		default:
			return NotKnown
		}
	}
	m.Vision = answer("v") == Yes
	m.Schemas, m.Tools, m.PromptCache, m.PDF, m.Audio = answer("s"), answer("t"), answer("c"), answer("d"), answer("u")
	if answer("n") == Yes {
		m.Schemas = Yes
	}
	// Claude thinks only where it is told to; the others do it by themselves.
	told := service.Dialect == "anthropic" || service.Dialect == "bedrock"
	m.Reasoning = answer("a") == Yes || answer("p") == No || answer("r") == Yes && !told
}

// readPrice reads the prices of a line; nil where there are none.
func readPrice(text string) (*Price, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // A price that is not known is no error.
	}
	price := &Price{}
	at := price
	var step *Step
	for _, word := range strings.Fields(text) {
		if bound, long := strings.CutPrefix(strings.TrimPrefix(word, "b"), ">"); long || word == "b" {
			if step = nil; word == "b" {
				price.Batch = &Price{}
				at = price.Batch
				continue
			}
			n, err := strconv.ParseInt(bound, 10, 64)
			if err != nil {
				return nil, err
			}
			at.Above = append(at.Above, Step{Tokens: n})
			step = &at.Above[len(at.Above)-1]
			continue
		}
		amount, err := ParseUSD(word[1:])
		if err != nil {
			return nil, err
		}
		known := false
		if step != nil {
			known = step.set(word[0], amount)
		} else {
			known = at.set(word[0], amount)
		}
		if !known {
			return nil, fmt.Errorf("%q is no price", word)
		}
	}
	return price, nil
}

func (p *Price) set(kind byte, amount USD) bool {
	switch kind {
	case 'i':
		p.Input = amount
	case 'c':
		p.CachedInput = &amount
	case 'w':
		p.CacheWrite = &amount
	case 'l':
		p.LongCacheWrite = &amount
	case 'o':
		p.Output = amount
	case 'r':
		p.Reasoning = &amount
	default:
		return false
	}
	return true
}

func (s *Step) set(kind byte, amount USD) bool {
	switch kind {
	case 'i':
		s.Input = &amount
	case 'c':
		s.CachedInput = &amount
	case 'w':
		s.CacheWrite = &amount
	case 'l':
		s.LongCacheWrite = &amount
	case 'o':
		s.Output = &amount
	case 'r':
		s.Reasoning = &amount
	default:
		return false
	}
	return true
}
