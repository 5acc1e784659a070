package repair

// verdict says what a quotation mark inside a string is.
type verdict uint8

const (
	inside     verdict = iota // part of the string
	ends                      // its end
	endsBefore                // the beginning of the next string: this one ended at the given place
)

// judge decides whether the mark of n bytes at i ends the string. In strict JSON a string's end is followed by a colon, a comma, a
// closing bracket or the end of the text, and the comma by what may stand there: such a mark always ends the string, so that text that
// needs no repair is never read otherwise.
func (p *parser) judge(s *scan, i, n int) (verdict, int) {
	after := i + n
	if p.budget <= 0 {
		return ends, 0
	}
	k := p.gap(after)
	if k >= len(p.text) {
		return ends, 0
	}
	switch c := p.text[k]; c {
	case ':':
		if s.where == atKey && s.colon >= 0 && p.runsOn(s, i) {
			return endsBefore, s.colon
		}
		if s.where != atMember && s.inner == 0 || s.where == atKey {
			return ends, 0
		}
		return p.insideIfMore(s, after)
	case ',':
		if p.commaEnds(s, k) {
			return ends, 0
		}
		return p.insideIfMore(s, after)
	case '}':
		if s.where == atRoot && k == after {
			return p.insideIfMore(s, after)
		}
		if p.braceEnds(s, k) {
			return ends, 0
		}
		return p.insideIfMore(s, after)
	case ']':
		if s.where == atRoot && k == after {
			return p.insideIfMore(s, after)
		}
		if p.bracketEnds(s, k) {
			return ends, 0
		}
		return p.insideIfMore(s, after)
	case ')':
		if len(p.frames) > 0 && p.frames[len(p.frames)-1] == '(' {
			return ends, 0
		}
		if s.where == atRoot && k == after {
			return p.insideIfMore(s, after)
		}
	case '+':
		if class, _ := p.quoteAt(p.gap(k + 1)); class != noQuote {
			return ends, 0
		}
	case '`':
		if p.has(k, "```") && k > after {
			return ends, 0
		}
	}
	return p.judgeText(s, i, after, k)
}

// runsOn reports whether the name that the mark at i would end lost its own closing mark, so that it ran on through a value up to the end
// of a later name, which lost its opening mark: "paging: {limit": 10.
func (p *parser) runsOn(s *scan, i int) bool {
	if !p.openKeyAt(s.start) {
		return false
	}
	k := i
	for k > s.colon+1 && i-k < lookLimit && nameByte(p.text[k-1]) {
		k--
	}
	if k == i || !p.spend(i-k) {
		return false
	}
	prev, _ := p.before(k, s.colon+1)
	return prev > s.colon && (p.text[prev] == ',' || p.text[prev] == '{')
}

// insideIfMore takes the mark as part of the string where another one follows that can end it.
func (p *parser) insideIfMore(s *scan, after int) (verdict, int) {
	if p.nextQuote(after, s.class) < 0 {
		return ends, 0
	}
	return inside, 0
}

// commaEnds reports whether what follows the comma at k may follow a whole member or item.
func (p *parser) commaEnds(s *scan, k int) bool {
	m := p.gap(k + 1)
	for p.peek(m) == ',' {
		m = p.gap(m + 1)
		if !p.spend(1) {
			return true
		}
	}
	if m >= len(p.text) {
		return true
	}
	c := p.text[m]
	switch s.where {
	case atMember:
		switch c {
		case '}', ']':
			return true
		case '{':
			return p.within('[') && p.keyAt(p.gap(m+1))
		case '.':
			return p.has(m, "...")
		}
		return p.keyAt(m) || p.wordsBeforeKey(m)
	case atItem:
		if class, _ := p.quoteAt(m); class != noQuote {
			return true
		}
		switch c {
		case ']', '}', '{', '[', '(', ')':
			return true
		case '.':
			return p.has(m, "...") || p.scalarAt(m)
		}
		return p.scalarAt(m) || p.bareItemAt(m) || p.callAt(m)
	default:
		return true
	}
}

// braceEnds reports whether the brace at k closes an object around the string, and not something that opened inside it.
func (p *parser) braceEnds(s *scan, k int) bool {
	if s.inner > 0 && s.braces > 0 {
		return false
	}
	m := p.gap(k + 1)
	if m >= len(p.text) {
		return true
	}
	switch s.where {
	case atMember:
		switch p.parent() {
		case '[', '{':
			return p.mayFollow(m) || p.keyAt(m)
		}
		return true
	case atItem:
		return p.mayFollow(m)
	default:
		return true
	}
}

// bracketEnds reports whether the bracket at k closes an array around the string.
func (p *parser) bracketEnds(s *scan, k int) bool {
	if s.inner > 0 && s.squares > 0 {
		return false
	}
	m := p.gap(k + 1)
	if m >= len(p.text) {
		return true
	}
	switch s.where {
	case atMember:
		return p.mayFollow(m)
	case atItem:
		return p.parent() == 0 || p.mayFollow(m) || p.keyAt(m)
	default:
		return true
	}
}

// mayFollow reports whether what stands at m may follow a whole container: a comma, a bracket, a quotation mark or a fence.
func (p *parser) mayFollow(m int) bool {
	switch p.text[m] {
	case ',', '}', ']', ')', '{', '[', ';':
		return true
	}
	class, _ := p.quoteAt(m)
	return class == doubleQuote || class == singleQuote || p.has(m, "```")
}

// judgeText decides where text follows the mark, which no strict string's end has.
func (p *parser) judgeText(s *scan, i, after, k int) (verdict, int) {
	if s.where == atKey {
		return p.judgeKey(s, after, k)
	}
	if s.where == atRoot {
		if k == after && (letter(p.text[k]) || digit(p.text[k])) {
			return p.insideIfMore(s, after)
		}
		return ends, 0
	}
	if to, ok := p.opensNext(s, i, after); ok {
		return endsBefore, to
	}
	if s.where == atMember {
		return p.judgeMember(s, after, k)
	}
	return p.judgeItem(s, after, k)
}

func (p *parser) judgeKey(s *scan, after, k int) (verdict, int) {
	if s.colon >= 0 {
		return endsBefore, s.colon
	}
	if k == after && letter(p.text[k]) {
		if next := p.nextQuote(after, s.class); next >= 0 && p.peek(p.gap(next+1)) == ':' {
			return inside, 0
		}
	}
	return ends, 0
}

// opensNext reports whether the mark at i opens the next string, so that this one lost its end: a comma or a line break stands before
// it, and what it opens is a whole name or item.
func (p *parser) opensNext(s *scan, i, after int) (to int, ok bool) {
	if s.braces > 0 || s.width > 1 {
		return 0, false
	}
	prev, line := p.before(i, s.start)
	if prev < s.start {
		return 0, false
	}
	comma := p.text[prev] == ','
	switch {
	case s.where == atMember && (comma || line) && p.keyAt(i):
		next := p.nextQuote(after, s.class)
		if next < 0 || !p.wordy(after, next) {
			return 0, false
		}
	case s.where == atItem && comma && (line || prev == i-1):
		next := p.nextQuote(after, s.class)
		if next < 0 || !p.wordy(after, next) {
			return 0, false
		}
		if c := p.peek(p.gap(next + 1)); c != ',' && c != ']' {
			return 0, false
		}
	default:
		return 0, false
	}
	if comma {
		return prev, true
	}
	return prev + 1, true
}

func (p *parser) judgeMember(s *scan, after, k int) (verdict, int) {
	if class, n := p.quoteAt(k); class != noQuote {
		next := p.nextQuote(k+n, class)
		if k > after && s.inner%2 == 0 && next >= 0 && p.wordy(k, next) && p.keyAt(k) {
			return ends, 0
		}
		return p.insideIfMore(s, after)
	}
	if s.inner%2 == 0 && k > after && p.bareKeyAt(k) {
		return ends, 0
	}
	next := p.nextQuote(after, s.class)
	if next < 0 {
		return ends, 0
	}
	if s.inner%2 == 0 && p.keyAt(next) {
		switch prev, line := p.before(next, after); {
		case line, p.text[prev] == ',', p.text[prev] == '{':
			return ends, 0
		}
	}
	return inside, 0
}

func (p *parser) judgeItem(s *scan, after, k int) (verdict, int) {
	if class, n := p.quoteAt(k); class != noQuote {
		next := p.nextQuote(k+n, class)
		if next >= 0 && p.wordy(k+n, next) && s.inner%2 == 0 && (k > after || s.inner == 0) {
			if c := p.peek(p.gap(next + 1)); c == ',' || c == ']' || c == ':' || c == '"' {
				return ends, 0
			}
		}
		return p.insideIfMore(s, after)
	}
	switch c := p.text[k]; {
	case k > after && s.inner%2 == 0 && digit(c) && p.scalarAt(k):
		return ends, 0
	case (c == '{' || c == '[') && s.inner%2 == 0 && k >= after:
		if m := p.gap(k + 1); p.keyAt(m) || digit(p.peek(m)) || p.peek(m) == closing(c) {
			return ends, 0
		}
	}
	next := p.nextQuote(after, s.class)
	if next < 0 {
		return ends, 0
	}
	if s.inner%2 == 0 && p.bracketBetween(after, next) && p.keyAt(next) {
		return ends, 0
	}
	return inside, 0
}

// bracketBetween reports whether a closing bracket stands between the two places.
func (p *parser) bracketBetween(from, to int) bool {
	for i := from; i < min(to, from+lookLimit); i++ {
		if p.text[i] == ']' || p.text[i] == '}' {
			return true
		}
	}
	p.spend(min(to, from+lookLimit) - from)
	return false
}
