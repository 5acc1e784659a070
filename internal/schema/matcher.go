package schema

import (
	"slices"
	"unicode/utf8"
)

// matcher runs programs. It never goes on twice from the same place with the same instruction, so that its time is at most the product of text and
// program; only with back-references the budget of steps alone bounds it.
type matcher struct {
	p         *program
	s         string
	visited   []uint64
	known     []uint8 // for each look-around and place: 0 unknown, 1 no, 2 yes
	registers []int
	stack     []job
	steps     *int
}

// job is a state to go on from, or a register to restore.
type job struct {
	pc, at   int
	register int // -1: a state
	old      int
}

// maxStates bounds the memory of one match: 8 MiB of bits.
const maxStates = 64 << 20

// match reports whether the program matches somewhere in the text; ended is false where the steps did not suffice.
func (m *matcher) match(p *program, s string, steps *int) (ok, ended bool) {
	m.p, m.s, m.steps = p, s, steps
	places := len(s) + 1
	if (p.joins+p.looks)*places > maxStates {
		return false, false
	}
	if p.exact {
		m.registers = refill(m.registers, p.registers, -1)
	} else {
		m.visited = refill(m.visited, (p.joins*places+63)>>6, 0)
		m.known = refill(m.known, p.looks*places, 0)
		*steps -= len(m.visited)>>4 + len(m.known)>>6
	}
	for at := 0; at <= len(s); at++ {
		if !p.empty && !p.anchored {
			if at = m.next(at); at == len(s) {
				break
			}
		}
		if at < len(s) && !utf8.RuneStart(s[at]) {
			continue
		}
		if m.run(0, at) {
			return true, *steps >= 0
		}
		if *steps < 0 {
			return false, false
		}
		if p.anchored {
			break
		}
	}
	return false, true
}

// next gives the next place that a match may begin at.
func (m *matcher) next(at int) int {
	from := at
	for ; at < len(m.s); at++ {
		c := m.s[at]
		if c < utf8.RuneSelf {
			if m.p.firstASCII.has(c) {
				break
			}
			continue
		}
		if r, n := utf8.DecodeRuneInString(m.s[at:]); n > 1 && m.p.first.has(r) {
			break
		}
	}
	*m.steps -= (at - from) >> 3
	return at
}

func refill[T any](list []T, n int, with T) []T {
	if cap(list) < n {
		list = make([]T, n)
	}
	list = list[:n]
	for i := range list {
		list[i] = with
	}
	return list
}

// run explores from a state until some path matches.
func (m *matcher) run(pc, at int) bool {
	base := len(m.stack)
	m.stack = append(m.stack, job{pc: pc, at: at, register: -1})
	for len(m.stack) > base {
		j := m.stack[len(m.stack)-1]
		m.stack = m.stack[:len(m.stack)-1]
		if j.register >= 0 {
			m.registers[j.register] = j.old
			continue
		}
		if m.follow(j.pc, j.at) {
			m.stack = m.stack[:base]
			return true
		}
		if *m.steps < 0 {
			m.stack = m.stack[:base]
			return false
		}
	}
	return false
}

// follow goes along one path; what else could be tried is put on the stack.
func (m *matcher) follow(pc, at int) bool {
	code, s, exact := m.p.code, m.s, m.p.exact
	for {
		if *m.steps--; *m.steps < 0 {
			return false
		}
		i := &code[pc]
		if i.join > 0 && !exact {
			bit := (int(i.join)-1)*(len(s)+1) + at
			if m.visited[bit>>6]&(1<<(bit&63)) != 0 {
				return false
			}
			m.visited[bit>>6] |= 1 << (bit & 63)
		}
		ok := true
		switch i.op {
		case opSet:
			switch {
			case at >= len(s):
				return false
			case s[at] < utf8.RuneSelf:
				if !i.ascii.has(s[at]) {
					return false
				}
				at++
			default:
				r, n := utf8.DecodeRuneInString(s[at:])
				if !i.set.has(r) {
					return false
				}
				at += n
			}
			pc++
			continue
		case opMatch:
			return true
		case opSplit:
			m.stack = append(m.stack, job{pc: int(i.y), at: at, register: -1})
			pc = int(i.x)
			continue
		case opJump:
			pc = int(i.x)
			continue
		case opLook, opLookNot:
			if !m.look(i, at) {
				return false
			}
			pc = int(i.y)
			continue
		case opSave:
			m.stack = append(m.stack, job{register: int(i.x), old: m.registers[i.x]})
			m.registers[i.x] = at
		case opProgress:
			ok = m.registers[i.x] != at
		default:
			at, ok = m.step(i, at)
		}
		if !ok {
			return false
		}
		pc++
	}
}

// step runs an instruction that looks at the text.
func (m *matcher) step(i *instruction, at int) (int, bool) {
	switch i.op {
	case opSetBack:
		if at == 0 {
			return at, false
		}
		r, n := utf8.DecodeLastRuneInString(m.s[:at])
		return at - n, i.set.has(r)
	case opBegin:
		return at, at == 0
	case opEnd:
		return at, at == len(m.s)
	case opLineBegin:
		return at, at == 0 || m.s[at-1] == '\n' || m.s[at-1] == '\r'
	case opLineEnd:
		return at, at == len(m.s) || m.s[at] == '\n' || m.s[at] == '\r'
	case opWordEdge:
		return at, m.wordAt(at-1) != m.wordAt(at)
	case opNoWordEdge:
		return at, m.wordAt(at-1) == m.wordAt(at)
	case opBackref, opBackrefBack:
		return m.backref(i, at)
	default:
		return at, false
	}
}

func (m *matcher) wordAt(i int) bool {
	if i < 0 || i >= len(m.s) {
		return false
	}
	c := m.s[i]
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func (m *matcher) backref(i *instruction, at int) (int, bool) {
	low, high := m.registers[i.x], m.registers[i.x+1]
	if low < 0 || high < low {
		return at, true // A group that took no part matches the empty text.
	}
	text := m.s[low:high]
	*m.steps -= len(text) >> 3
	if i.op == opBackref {
		return at + len(text), len(m.s)-at >= len(text) && m.s[at:at+len(text)] == text
	}
	return at - len(text), at >= len(text) && m.s[at-len(text):at] == text
}

// look judges a look-around at a place.
func (m *matcher) look(i *instruction, at int) bool {
	wanted := i.op == opLook
	if m.p.exact {
		kept := slices.Clone(m.registers)
		ok := m.run(int(i.x), at)
		*m.steps -= len(kept) >> 3
		for r, old := range kept {
			switch {
			case m.registers[r] == old:
			case wanted: // The captures of a look-ahead stay, until the path that led here is given up.
				m.stack = append(m.stack, job{register: r, old: old})
			default:
				m.registers[r] = old
			}
		}
		return ok == wanted
	}
	known := &m.known[int(i.look)*(len(m.s)+1)+at]
	if *known == 0 {
		*known = 1
		if m.run(int(i.x), at) {
			*known = 2
			m.forget(i.x, i.y)
		}
	}
	return (*known == 2) == wanted
}

// forget clears the visits of a look-around's code: those on the way to its success are no failures.
func (m *matcher) forget(from, to int32) {
	places := len(m.s) + 1
	low, high := 0, 0
	for _, i := range m.p.code[from:to] {
		if i.join > 0 {
			if high == 0 {
				low = (int(i.join) - 1) * places
			}
			high = int(i.join) * places
		}
	}
	*m.steps -= int(to-from) >> 3
	*m.steps -= (high - low) >> 8
	for bit := low; bit < high; {
		if bit&63 == 0 && high-bit >= 64 {
			m.visited[bit>>6] = 0
			bit += 64
			continue
		}
		m.visited[bit>>6] &^= 1 << (bit & 63)
		bit++
	}
}
