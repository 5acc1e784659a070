package repair

import "strings"

// spaceAt gives the size of the white space character at i, 0 where there is none, and whether JSON has it.
func spaceAt(s string, i int) (size int, plain bool) {
	switch s[i] {
	case ' ', '\t', '\n', '\r':
		return 1, true
	case '\v', '\f', 0:
		return 1, false
	case 0xC2:
		if i+1 < len(s) && (s[i+1] == 0xA0 || s[i+1] == 0x85) {
			return 2, false
		}
	case 0xE1, 0xE2, 0xE3, 0xEF:
		if i+2 < len(s) && wideSpace(s[i:i+3]) {
			return 3, false
		}
	}
	return 0, false
}

// wideSpace knows the white space and the invisible characters that take three bytes.
func wideSpace(s string) bool {
	switch {
	case s == "\u1680", s == "\u180e", s == "\u202f", s == "\u205f", s == "\u2060", s == "\u3000", s == "\ufeff":
		return true
	case s >= "\u2000" && s <= "\u200f", s == "\u2028", s == "\u2029":
		return true
	}
	return false
}

// skip moves over white space and comments and notes what JSON does not have.
func (p *parser) skip() {
	for !p.end() {
		if size, plain := spaceAt(p.text, p.at); size > 0 {
			if !plain {
				p.note(KindWhiteSpace, p.at)
			}
			p.at += size
			p.steps++
			continue
		}
		end := p.comment(p.at)
		if end == p.at {
			return
		}
		p.note(KindComment, p.at)
		p.steps += end - p.at
		p.at = end
	}
}

// gap gives the place behind the white space and comments at k, without moving.
func (p *parser) gap(k int) int {
	if k == p.gapFrom {
		return p.gapTo
	}
	from := k
	for k < len(p.text) && p.budget > 0 {
		size, _ := spaceAt(p.text, k)
		if size == 0 {
			size = p.comment(k) - k
		}
		if size == 0 {
			break
		}
		p.spend(size)
		k += size
	}
	p.gapFrom, p.gapTo = from, k
	return k
}

// spend counts look-ahead. It reports false when the budget is used up: the parser then takes the plain reading everywhere.
func (p *parser) spend(n int) bool {
	p.budget -= n
	p.steps += n
	return p.budget > 0
}

// comment gives the end of the comment at k; k itself where there is none.
func (p *parser) comment(k int) int {
	switch p.text[k] {
	case '/':
		switch p.peek(k + 1) {
		case '/':
			return p.lineEnd(k)
		case '*':
			return p.behind(k+2, "*/")
		}
	case '<':
		if p.has(k, "<!--") {
			return p.behind(k+4, "-->")
		}
	case '#':
		if len(p.frames) > 0 && p.hashComment(k) {
			return p.lineEnd(k)
		}
	}
	return k
}

// hashComment tells a comment from a colour or a tag: white space follows the sign, or it opens its line.
func (p *parser) hashComment(k int) bool {
	switch p.peek(k + 1) {
	case ' ', '\t', '#', '!', '\n', '\r':
		return true
	}
	for k > 0 && (p.text[k-1] == ' ' || p.text[k-1] == '\t') {
		k--
		if !p.spend(1) {
			return false
		}
	}
	return k == 0 || p.text[k-1] == '\n'
}

func (p *parser) lineEnd(k int) int {
	if i := strings.IndexByte(p.text[k:], '\n'); i >= 0 {
		return k + i
	}
	return len(p.text)
}

// behind gives the place behind the next occurrence of the mark, or the end of the text.
func (p *parser) behind(k int, mark string) int {
	if k <= len(p.text) {
		if i := strings.Index(p.text[k:], mark); i >= 0 {
			return k + i + len(mark)
		}
	}
	return len(p.text)
}
