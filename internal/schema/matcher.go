package schema

import (
	"slices"
	"unicode/utf8"
)

type opcode uint8

const (
	opSet opcode = iota
	opSetBack
	opSplit // first x, then y
	opJump
	opBegin
	opEnd
	opLineBegin
	opLineEnd
	opWordEdge
	opNoWordEdge
	opSave // register x takes the place
	opBackref
	opBackrefBack
	opLook     // the code at x up to its opMatch, then go on at y
	opLookNot  // the same, refused
	opProgress // fails where register x already is the place: a loop went round for nothing
	opMatch
)

type instruction struct {
	op   opcode
	x, y int
	set  charset
	look int // number of the look-around
}

// program is a pattern that RE2 can't run: one with look-around, back-references or very long repeats.
type program struct {
	code      []instruction
	registers int
	looks     int
	exact     bool // has back-references, so that a state is more than place and instruction
}

type assembler struct {
	program
	captures int
}

func assemble(e *rx, captures int) (*program, error) {
	a := &assembler{captures: captures}
	a.registers = 2 * (captures + 1)
	if !a.emit(e, false) {
		return nil, errProgramSize
	}
	a.add(instruction{op: opMatch})
	return &a.program, nil
}

func (a *assembler) add(i instruction) int {
	a.code = append(a.code, i)
	return len(a.code) - 1
}

// emit writes the code of an expression; back says that it is matched from its end, as look-behind demands.
func (a *assembler) emit(e *rx, back bool) bool {
	if len(a.code) > maxProgram {
		return false
	}
	switch e.kind {
	case rxEmpty:
	case rxSet:
		a.add(instruction{op: pick(back, opSetBack, opSet), set: e.set})
	case rxSequence:
		for i := range e.subs {
			if back {
				i = len(e.subs) - 1 - i
			}
			if !a.emit(e.subs[i], back) {
				return false
			}
		}
	case rxEither:
		return a.emitEither(e, back)
	case rxRepeat:
		return a.emitRepeat(e, back)
	case rxCapture:
		open, closing := 2*e.index, 2*e.index+1
		if back {
			open, closing = closing, open
		}
		a.add(instruction{op: opSave, x: open})
		if !a.emit(e.subs[0], back) {
			return false
		}
		a.add(instruction{op: opSave, x: closing})
	case rxBackref:
		a.exact = true
		a.add(instruction{op: pick(back, opBackrefBack, opBackref), x: 2 * e.index})
	case rxBegin:
		a.add(instruction{op: pick(e.lines, opLineBegin, opBegin)})
	case rxEnd:
		a.add(instruction{op: pick(e.lines, opLineEnd, opEnd)})
	case rxWordEdge:
		a.add(instruction{op: opWordEdge})
	case rxNoWordEdge:
		a.add(instruction{op: opNoWordEdge})
	case rxLook:
		at := a.add(instruction{op: pick(e.negative, opLookNot, opLook), look: a.looks})
		a.looks++
		a.code[at].x = len(a.code)
		if !a.emit(e.subs[0], e.behind) {
			return false
		}
		a.add(instruction{op: opMatch})
		a.code[at].y = len(a.code)
	}
	return len(a.code) <= maxProgram
}

func pick(first bool, a, b opcode) opcode {
	if first {
		return a
	}
	return b
}

func (a *assembler) emitEither(e *rx, back bool) bool {
	var ends []int
	for i, sub := range e.subs {
		split := -1
		if i < len(e.subs)-1 {
			split = a.add(instruction{op: opSplit, x: len(a.code) + 1})
		}
		if !a.emit(sub, back) {
			return false
		}
		if split >= 0 {
			ends = append(ends, a.add(instruction{op: opJump}))
			a.code[split].y = len(a.code)
		}
	}
	for _, end := range ends {
		a.code[end].x = len(a.code)
	}
	return true
}

func (a *assembler) emitRepeat(e *rx, back bool) bool {
	sub := e.subs[0]
	for range e.min {
		if !a.emit(sub, back) {
			return false
		}
	}
	if e.max < 0 {
		mark := a.registers
		a.registers++
		split := a.add(instruction{op: opSplit})
		a.add(instruction{op: opSave, x: mark})
		if !a.emit(sub, back) {
			return false
		}
		a.add(instruction{op: opProgress, x: mark})
		a.add(instruction{op: opJump, x: split})
		a.branch(split, split+1, len(a.code), e.lazy)
		return true
	}
	var splits []int
	for range e.max - e.min {
		splits = append(splits, a.add(instruction{op: opSplit}))
		if !a.emit(sub, back) {
			return false
		}
	}
	for _, split := range splits {
		a.branch(split, split+1, len(a.code), e.lazy)
	}
	return true
}

func (a *assembler) branch(split, into, past int, lazy bool) {
	if lazy {
		into, past = past, into
	}
	a.code[split].x, a.code[split].y = into, past
}

// matcher runs programs. It never visits the same place with the same instruction twice, so that its time is at most the product of text and
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
	if len(p.code)*places > maxStates {
		return false, false
	}
	m.registers = refill(m.registers, p.registers, -1)
	if !p.exact {
		m.visited = refill(m.visited, (len(p.code)*places+63)>>6, 0)
		m.known = refill(m.known, p.looks*places, 0)
		*steps -= len(m.visited)>>4 + len(m.known)>>4
	}
	for at := 0; at <= len(s); at++ {
		if at < len(s) && !utf8.RuneStart(s[at]) {
			continue
		}
		if m.run(0, at) {
			return true, *steps >= 0
		}
		if *steps < 0 {
			return false, false
		}
		if p.code[0].op == opBegin {
			break
		}
	}
	return false, true
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
	for {
		if *m.steps--; *m.steps < 0 {
			return false
		}
		if !m.p.exact {
			bit := pc*(len(m.s)+1) + at
			if m.visited[bit>>6]&(1<<(bit&63)) != 0 {
				return false
			}
			m.visited[bit>>6] |= 1 << (bit & 63)
		}
		i := &m.p.code[pc]
		ok := true
		switch i.op {
		case opMatch:
			return true
		case opSplit:
			m.stack = append(m.stack, job{pc: i.y, at: at, register: -1})
			pc = i.x
			continue
		case opJump:
			pc = i.x
			continue
		case opLook, opLookNot:
			ok = m.look(i, at)
			pc = i.y
			if ok {
				continue
			}
		case opSave:
			if m.p.exact {
				m.stack = append(m.stack, job{register: i.x, old: m.registers[i.x]})
				m.registers[i.x] = at
			}
		case opProgress:
			ok = !m.p.exact || m.registers[i.x] != at
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
	case opSet:
		if at >= len(m.s) {
			return at, false
		}
		r, n := utf8.DecodeRuneInString(m.s[at:])
		return at + n, i.set.has(r)
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
		ok := m.run(i.x, at)
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
	known := &m.known[i.look*(len(m.s)+1)+at]
	if *known == 0 {
		*known = 1
		if m.run(i.x, at) {
			*known = 2
			m.forget(i.x, i.y)
		}
	}
	return (*known == 2) == wanted
}

// forget clears the visits of a look-around's code: those on the way to its success are no failures.
func (m *matcher) forget(from, to int) {
	places := len(m.s) + 1
	low, high := from*places, to*places
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
