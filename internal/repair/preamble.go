package repair

import (
	"slices"
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// preamble is what a Stream knows of the text before the value. A value begins where nothing but white space, reasoning and a fence's mark
// stand before it. Behind prose it could be an example, so that more is asked of it.
type preamble struct {
	mode   preambleMode
	prose  bool // prose was seen since the beginning or the last reasoning
	fenced bool
	mark   byte   // of the fence
	count  int    // marks seen
	word   []byte // the fence's language or the tag so far
	gap    bool   // white space stands behind the language
	closer string // the tag that ends the reasoning
	seen   int    // how much of it was seen
	other  bool   // the fence holds another language

	bracket byte // that stands behind prose
	from    int  // where
	line    bool // nothing else stood in its line
	broken  bool // a line break follows it
}

type preambleMode uint8

const (
	lineStart preambleMode = iota // nothing but white space stands in the line so far
	lineFence                     // a fence's mark
	lineTag                       // a less-than sign and what follows
	lineProse                     // words
	lineOpen                      // a bracket behind prose
	inThought                     // reasoning
)

// preamble reads what stands before the value, from i on.
func (s *Stream) preamble(text string, i int) int {
	h := &s.head
	switch h.mode {
	case lineProse:
		n := strings.IndexAny(text[i:], "\n<{[")
		if n < 0 {
			return len(text)
		}
		i += n
		switch c := text[i]; c {
		case '<':
			h.tag()
		case '\n':
			h.mode = lineStart
		default:
			h.open(c, s.at+i, false)
		}
		return i + 1
	case lineOpen:
		return s.lineOpen(text[i], i)
	case inThought:
		if text[i] == h.closer[h.seen] {
			h.seen++
		} else {
			h.seen = boolInt(text[i] == h.closer[0])
		}
		if h.seen == len(h.closer) {
			*h = preamble{}
		}
		return i + 1
	}
	c := text[i]
	switch h.mode {
	case lineStart:
		s.lineStart(c, s.at+i)
	case lineFence:
		s.lineFence(c, s.at+i)
	case lineTag:
		h.tagByte(c)
	}
	return i + 1
}

func (s *Stream) lineStart(c byte, at int) {
	const mark = "\ufeff"
	h := &s.head
	switch {
	case c == ' ' || c == '\t' || c == '\r' || c == '\n':
	case at < len(mark) && c == mark[at]:
	case c == '{' || c == '[':
		if h.prose && !h.fenced {
			h.open(c, at, true)
		} else {
			s.startValue(c, at)
		}
	case c == '(' && !h.prose:
		s.stop() // A tuple: what stands in it is no whole value.
	case c == '`' || c == '~':
		h.mode, h.mark, h.count, h.gap, h.word = lineFence, c, 1, false, h.word[:0]
	case c == '<':
		h.tag()
	default:
		h.words()
	}
}

// words notes that prose was seen.
func (h *preamble) words() { h.prose, h.mode = true, lineProse }

// tag begins a tag.
func (h *preamble) tag() { h.mode, h.word = lineTag, h.word[:0] }

func (s *Stream) lineFence(c byte, at int) {
	const longest = 16
	h := &s.head
	switch {
	case c == h.mark && len(h.word) == 0 && !h.gap:
		h.count++
	case h.count < 3:
		h.words()
		if c == '\n' {
			h.mode = lineStart
		}
	case c == '\n':
		h.toggle()
		h.mode = lineStart
	case c == '{' || c == '[':
		h.toggle()
		s.startValue(c, at)
	case c == ' ' || c == '\t' || c == '\r':
		h.gap = h.gap || len(h.word) > 0
	case !h.gap && len(h.word) < longest && (letter(c) || digit(c)):
		h.word = append(h.word, c)
	default:
		h.toggle()
		h.words()
	}
}

// toggle opens or closes a fence.
func (h *preamble) toggle() {
	h.fenced = !h.fenced
	word := strings.ToLower(string(h.word))
	h.other = h.fenced && word != "" && !strings.HasPrefix(word, "json")
}

// tagByte reads a byte of a tag. Reasoning hides everything before its end; an end without a beginning does too, because the prompt may have
// held the beginning.
func (h *preamble) tagByte(c byte) {
	const longest = 16
	switch {
	case c == '<':
		h.word = h.word[:0]
	case c == '>':
		word := string(h.word)
		name, isEnd := strings.CutPrefix(word, "/")
		switch {
		case !isReasoning(name):
			h.words()
		case isEnd:
			*h = preamble{}
		default:
			h.mode, h.closer, h.seen = inThought, "</"+name+">", 0
		}
	case len(h.word) < longest && (c == '/' && len(h.word) == 0 || letter(c)):
		h.word = append(h.word, c)
	default:
		h.words()
		if c == '\n' {
			h.mode = lineStart
		}
	}
}

func isReasoning(tag string) bool { return slices.Contains(reasoningTags(), tag) }

// startValue begins the value, unless the schema or the fence speaks against it.
func (s *Stream) startValue(c byte, at int) {
	kind := value.KindObject
	if c == '[' {
		kind = value.KindArray
	}
	switch {
	case s.head.other:
		s.head.words()
	case !accepts(s.schema, kind):
		s.stop()
	default:
		s.open(c, at)
	}
}

// open notes a bracket behind prose.
func (h *preamble) open(c byte, at int, line bool) {
	h.mode, h.bracket, h.from, h.line, h.broken = lineOpen, c, at, line, false
}

// lineOpen decides what a bracket behind prose is by the byte that follows it: the beginning of a value, or of a note such as "[1]" and
// "{placeholder}". In the middle of a line an object is taken only where the schema can tell it from an example.
func (s *Stream) lineOpen(c byte, i int) int {
	h := &s.head
	if c == ' ' || c == '\t' || c == '\r' || c == '\n' {
		h.broken = h.broken || c == '\n'
		return i + 1
	}
	plausible := c == '"' || h.broken && c != ']' && c != '}' || h.bracket == '[' && (c == '{' || c == '[')
	switch {
	case !plausible:
		h.mode = lineProse
	case h.line, h.bracket == '{' && s.schema != nil && len(s.schema.Required()) > 0:
		s.startValue(h.bracket, h.from)
	default:
		s.stop()
	}
	return i
}

// expected reports whether the object that begins with that name may be the answer: behind prose it could be an example.
func (s *Stream) expected(name string) bool {
	if !s.head.prose || s.schema == nil || len(s.schema.Required()) == 0 {
		return true
	}
	_, named := s.schema.Property(name)
	return named
}
