package repair

// keyAt reports whether a member's name and its colon stand at k. A name that the text's end or the limit cuts off counts as one.
func (p *parser) keyAt(k int) bool {
	class, size := p.quoteAt(k)
	if class == noQuote {
		return p.bareKeyAt(k)
	}
	width := 1
	if class == doubleQuote || class == singleQuote {
		width = p.widthAt(k)
	}
	from := k + width*size
	limit := min(len(p.text), from+lookLimit)
	for i := from; i < limit; i++ {
		c := p.text[i]
		switch {
		case c == '\\':
			i++
			continue
		case c == '\n':
			p.spend(i - k)
			return p.openKeyAt(from)
		case !maybeQuote(c):
			continue
		}
		other, n := p.quoteAt(i)
		if !class.closes(other) || !p.run(i, n, width) {
			continue
		}
		p.spend(i - k)
		return p.colonBehind(i+width*n) || p.openKeyAt(from)
	}
	p.spend(limit - k)
	return true
}

// widthAt says how many marks open the name or string at k: two or three where a letter or a digit follows them, else one.
func (p *parser) widthAt(k int) int {
	mark, n := p.text[k], 1
	for n < 4 && p.peek(k+n) == mark {
		n++
	}
	if n == 2 || n == 3 {
		if c := p.peek(k + n); letter(c) || digit(c) {
			if size, _ := spaceAt(p.text, k+n); size == 0 {
				return n
			}
		}
	}
	return 1
}

// colonBehind reports whether a colon follows a name that ends at k, or what stands where a colon was forgotten.
func (p *parser) colonBehind(k int) bool {
	m := p.gap(k)
	switch c := p.peek(m); {
	case m >= len(p.text), c == ':', c == '=':
		return true
	case m == k:
		return false
	case c == '{' || c == '[':
		return true
	case digit(c) || c == '-':
		return p.scalarAt(m)
	default:
		class, _ := p.quoteAt(m)
		return class != noQuote
	}
}

// openKeyAt reports whether a name stands at k, behind its opening mark, whose closing mark is missing: a colon and a value follow it.
func (p *parser) openKeyAt(k int) bool {
	limit := min(len(p.text), k+lookLimit)
	i := k
	for i < limit && nameByte(p.text[i]) {
		i++
	}
	p.spend(i - k)
	return i > k && p.peek(i) == ':' && p.valueAt(p.gap(i+1))
}

// valueAt reports whether a container, a quotation mark, a number or a literal stands at k.
func (p *parser) valueAt(k int) bool {
	switch c := p.peek(k); {
	case c == '{' || c == '[':
		return true
	case digit(c) || c == '-' || letter(c):
		return p.scalarAt(k) && (!letter(c) || literalAt(p.text[k:]) != "")
	}
	class, _ := p.quoteAt(k)
	return class != noQuote
}

// bareKeyAt reports whether a name without quotes and its colon stand at k.
func (p *parser) bareKeyAt(k int) bool {
	limit := min(len(p.text), k+lookLimit)
	i := k
	for i < limit && nameByte(p.text[i]) {
		i++
	}
	p.spend(i - k)
	if i == k {
		return false
	}
	if class, n := p.quoteAt(i); class != noQuote { // a name whose first quote is missing
		i += n
	}
	m := p.gap(i)
	return p.peek(m) == ':' && !p.has(m, "://")
}

func nameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || digit(c) || c == '_' || c == '$' || c == '-' || c == '.' || c == '@' || c >= 0x80
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80 }

// scalarAt reports whether one word or number stands at k that a comma or a bracket ends.
func (p *parser) scalarAt(k int) bool {
	limit := min(len(p.text), k+lookLimit)
	i := k
	for i < limit && (nameByte(p.text[i]) || p.text[i] == '+') {
		i++
	}
	p.spend(i - k)
	if i == k {
		return false
	}
	m := p.gap(i)
	switch p.peek(m) {
	case ',', ']', '}', ')':
		return true
	}
	return m >= len(p.text)
}

// bareItemAt reports whether an item without quotes stands at k: a comma, a bracket or the line's end comes before any quote.
func (p *parser) bareItemAt(k int) bool {
	limit := min(len(p.text), k+lookLimit)
	for i := k; i < limit; i++ {
		switch c := p.text[i]; c {
		case ',', ']', '\n':
			p.spend(i - k)
			return true
		case '"', '\'', '{', '[', '}':
			p.spend(i - k)
			return false
		}
	}
	p.spend(limit - k)
	return limit == len(p.text)
}

// wordy reports whether a letter or a digit stands between from and to.
func (p *parser) wordy(from, to int) bool {
	for i := from; i < min(to, from+lookLimit); i++ {
		if letter(p.text[i]) || digit(p.text[i]) {
			p.spend(i - from)
			return true
		}
	}
	p.spend(min(to, from+lookLimit) - from)
	return false
}

// before gives the place of the last character before k that is not white space, no further back than from; and whether a line
// break or a comment's end lies between.
func (p *parser) before(k, from int) (at int, line bool) {
	for k--; k >= from; k-- {
		switch p.text[k] {
		case '\n', '\r':
			line = true
		case ' ', '\t':
		default:
			return k, line
		}
		if !p.spend(1) {
			break
		}
	}
	return k, line
}

// callAt reports whether a constructor around a value stands at k: new Date("…").
func (p *parser) callAt(k int) bool {
	if p.has(k, "new ") {
		k = p.gap(k + len("new "))
	}
	i := k
	for i < min(len(p.text), k+lookLimit) && nameByte(p.text[i]) {
		i++
	}
	p.spend(i - k)
	return p.peek(i) == '(' && constructor(p.text[k:i])
}

// wordsBeforeKey reports whether a few words stand at k that a name in double quotes with its colon follows: words that belong nowhere.
func (p *parser) wordsBeforeKey(k int) bool {
	const longest = 32
	i := k
	for i < min(len(p.text), k+longest) && (letter(p.text[i]) || p.text[i] == ' ') {
		i++
	}
	p.spend(i - k)
	if i == k || p.peek(i) != '"' || p.text[i-1] != ' ' {
		return false
	}
	next := p.nextQuote(i+1, doubleQuote)
	return next > i+1 && next-i < lookLimit && p.peek(p.gap(next+1)) == ':'
}
