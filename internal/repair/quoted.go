package repair

import "strings"

// place is where a string stands; it decides what may follow its end.
type place uint8

const (
	atKey place = iota
	atMember
	atItem
	atRoot
)

// scan is what is known of the string being read.
type scan struct {
	where   place
	class   quoteClass
	width   int // how many marks stand on each side
	start   int
	inner   int // quotes that were taken as part of the string
	braces  int // braces and brackets that opened inside it
	squares int
	colon   int // the first colon inside it; -1 where there is none
}

// quoted reads the string that begins at the quotation mark. It reads to the mark that ends it by what follows; where no mark does, the
// string ends where the text does or where the brackets that close the text begin.
func (p *parser) quoted(where place) string {
	class, size := p.quoteAt(p.at)
	p.noteClass(class)
	s := scan{where: where, class: class, width: 1, start: p.at + size, colon: -1}
	if class == doubleQuote || class == singleQuote {
		if p.doubled(&s) {
			p.at += 2
			return ""
		}
	}
	for i := s.start; i < len(p.text); {
		c := p.text[i]
		switch {
		case c == '\\':
			i += 2
			continue
		case maybeQuote(c):
			if other, n := p.quoteAt(i); s.class.closes(other) && p.run(i, n, s.width) {
				n *= s.width
				switch verdict, to := p.judge(&s, i, n); verdict {
				case ends:
					p.steps += i - s.start
					p.at = i + n
					return p.content(s.start, p.beforeLayout(s.start, i))
				case endsBefore:
					p.note(KindMissingQuote, to)
					p.at = to
					return strings.TrimRight(p.content(s.start, to), " \t\r\n")
				default:
					p.note(KindUnescapedQuote, i)
					s.inner++
					i += n
					continue
				}
			}
		default:
			s.bracket(c, i)
		}
		i++
	}
	return p.endless(&s)
}

// beforeLayout leaves out a raw line break that stands directly before the closing mark: the mark was put on a line of its own.
func (p *parser) beforeLayout(from, to int) int {
	if to > from && p.text[to-1] == '\n' {
		p.note(KindControlCharacter, to-1)
		to--
		if to > from && p.text[to-1] == '\r' {
			to--
		}
	}
	return to
}

// bracket counts the brackets inside the string and finds its first colon.
func (s *scan) bracket(c byte, i int) {
	switch c {
	case '{':
		s.braces++
	case '}':
		s.braces = max(s.braces-1, 0)
	case '[':
		s.squares++
	case ']':
		s.squares = max(s.squares-1, 0)
	case ':':
		if s.colon < 0 {
			s.colon = i
		}
	}
}

func (p *parser) noteClass(class quoteClass) {
	switch class {
	case singleQuote, backtick:
		p.note(KindSingleQuotes, p.at)
	case smartDouble, smartSingle:
		p.note(KindSmartQuotes, p.at)
	}
}

// doubled looks for marks that stand two or three times on each side; it reports true for an empty string.
func (p *parser) doubled(s *scan) bool {
	mark := p.text[p.at]
	if p.peek(p.at+1) != mark {
		return false
	}
	next := p.peek(p.at + 2)
	switch {
	case next == mark && p.has(p.at+3, strings.Repeat(string(mark), 3)):
		return true // six marks: an empty string in triple quotes; the rest is left over
	case next == mark:
		s.width = 3
	case p.widthAt(p.at) == 2:
		s.width = 2
	default:
		return true
	}
	p.note(KindDoubledQuotes, p.at)
	s.start = p.at + s.width
	return false
}

// run reports whether the mark at i stands as often as it must.
func (p *parser) run(i, size, width int) bool {
	for n := 1; n < width; n++ {
		if p.peek(i+n*size) != p.text[i] {
			return false
		}
	}
	return true
}

// endless ends a string whose closing mark is missing to the end of the text.
func (p *parser) endless(s *scan) string {
	p.steps += len(p.text) - s.start
	if s.where == atKey && s.colon >= 0 {
		p.unfinished = true
		p.note(KindMissingQuote, s.colon)
		p.at = s.colon
		return strings.TrimRight(p.content(s.start, s.colon), " \t\r\n")
	}
	to := p.closers(s.start)
	if s.where == atMember && to < len(p.text) {
		to = p.splitMember(s.start, to)
	}
	p.at = to
	if to == len(p.text) {
		p.closed()
		return p.content(s.start, to)
	}
	p.unfinished = true // The mark may have been cut off with more behind it.
	p.note(KindMissingQuote, to)
	return strings.TrimRight(p.content(s.start, to), " \t\r\n")
}

// closers gives the place where the brackets begin that close the open containers at the end of the text; the end of the text
// where there are none.
func (p *parser) closers(from int) int {
	end := len(strings.TrimRight(p.text, " \t\r\n"))
	if p.fenced {
		end = len(strings.TrimRight(strings.TrimSuffix(p.text[:end], "```"), " \t\r\n"))
	}
	at := end
	depth := 0
	for at > from && depth < len(p.frames) {
		c := p.text[at-1]
		if c == closing(p.frames[depth]) {
			depth++
		} else if c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			break
		}
		at--
	}
	if depth == 0 {
		return len(p.text)
	}
	return at
}

func closing(bracket byte) byte {
	switch bracket {
	case '{':
		return '}'
	case '[':
		return ']'
	default:
		return ')'
	}
}

// splitMember finds the comma and the bare name of a next member inside a string that lost its closing mark.
func (p *parser) splitMember(from, to int) int {
	for i := from; i < to && p.spend(1); i++ {
		if p.text[i] == ',' && p.bareKeyAt(p.gap(i+1)) {
			return i
		}
	}
	return to
}
