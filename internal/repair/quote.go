package repair

// quoteClass tells the families of quotation marks apart.
type quoteClass uint8

const (
	noQuote quoteClass = iota
	doubleQuote
	singleQuote
	smartDouble
	smartSingle
	backtick
	quoteClasses
)

// quoteAt gives the class and the size of the quotation mark at i.
func (p *parser) quoteAt(i int) (quoteClass, int) {
	if i >= len(p.text) {
		return noQuote, 0
	}
	switch p.text[i] {
	case '"':
		return doubleQuote, 1
	case '\'':
		return singleQuote, 1
	case '`':
		if p.has(i, "```") {
			return noQuote, 0
		}
		return backtick, 1
	case 0xC2:
		switch p.peek(i + 1) {
		case 0xAB, 0xBB:
			return smartDouble, 2
		case 0xB4:
			return backtick, 2
		}
	case 0xE2:
		if p.peek(i+1) == 0x80 {
			switch p.peek(i + 2) {
			case 0x98, 0x99, 0x9A, 0x9B:
				return smartSingle, 3
			case 0x9C, 0x9D, 0x9E, 0x9F:
				return smartDouble, 3
			}
		}
	case 0xEF:
		if p.peek(i+1) == 0xBC {
			switch p.peek(i + 2) {
			case 0x82:
				return smartDouble, 3
			case 0x87:
				return smartSingle, 3
			}
		}
	}
	return noQuote, 0
}

// closes reports whether a mark of the class ends a string that the opening class began.
func (opening quoteClass) closes(class quoteClass) bool {
	switch opening {
	case smartDouble:
		return class == smartDouble || class == doubleQuote
	case smartSingle:
		return class == smartSingle || class == singleQuote
	case backtick:
		return class == backtick || class == singleQuote
	default:
		return class == opening
	}
}

// maybeQuote is a cheap test for the first byte of a quotation mark.
func maybeQuote(c byte) bool {
	switch c {
	case '"', '\'', '`', 0xC2, 0xE2, 0xEF:
		return true
	}
	return false
}

// nextQuote gives the place of the next mark at or behind k that could end a string of that class; -1 where there is none.
func (p *parser) nextQuote(k int, opening quoteClass) int {
	if k >= p.last[opening] {
		return -1
	}
	from := k
	for k < len(p.text) {
		switch c := p.text[k]; {
		case c == '\\':
			k++
		case maybeQuote(c):
			if class, _ := p.quoteAt(k); opening.closes(class) {
				p.spend(k - from)
				return k
			}
		}
		k++
	}
	p.spend(len(p.text) - from)
	p.last[opening] = from
	return -1
}
