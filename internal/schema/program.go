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
	x, y int32
	// join numbers the instructions that several ways lead to, from 1 on; 0 is none. Only there can a state come up a second time, for every loop has one.
	join  int32
	look  int32 // number of the look-around
	ascii asciiSet
	set   charset
}

// asciiSet is a set's characters below 128.
type asciiSet [2]uint64

func (a *asciiSet) has(c byte) bool { return a[c>>6&1]&(1<<(c&63)) != 0 }

func newASCIISet(set charset) (a asciiSet) {
	for i := 0; i < len(set) && set[i] < utf8.RuneSelf; i += 2 {
		for c := set[i]; c <= min(set[i+1], utf8.RuneSelf-1); c++ {
			a[c>>6] |= 1 << (c & 63)
		}
	}
	return a
}

// program is a pattern as instructions. RE2 would run most patterns as fast, but does not say what its work is: a pattern of some kilobytes keeps it
// busy for seconds, on a text that a caller sends.
type program struct {
	code      []instruction
	registers int
	looks     int
	joins     int
	exact     bool // has back-references, so that a state is more than place and instruction
	anchored  bool // begins with ^
	// first holds what a match begins with; it is no help where a match may be empty.
	first      charset
	firstASCII asciiSet
	empty      bool
}

type assembler struct{ program }

func assemble(e *rx, captures int) (*program, error) {
	a := &assembler{}
	a.registers = 2 * (captures + 1)
	a.exact = e.has(rxBackref)
	if !a.emit(e, false) {
		return nil, errProgramSize
	}
	a.add(instruction{op: opMatch})
	a.number()
	a.anchored = a.code[0].op == opBegin
	a.first, a.empty = e.first()
	a.first = a.first.normal()
	a.firstASCII = newASCIISet(a.first)
	return &a.program, nil
}

// has reports whether some part is of the kind.
func (e *rx) has(kind rxKind) bool {
	return e.kind == kind || slices.ContainsFunc(e.subs, func(sub *rx) bool { return sub.has(kind) })
}

// first gives the characters that a match may begin with, and whether it may be empty.
func (e *rx) first() (set charset, empty bool) {
	switch e.kind {
	case rxSet:
		return e.set, false
	case rxSequence:
		for _, sub := range e.subs {
			next, may := sub.first()
			if set = append(set[:len(set):len(set)], next...); !may {
				return set, false
			}
		}
		return set, true
	case rxEither:
		for _, sub := range e.subs {
			next, may := sub.first()
			set, empty = append(set[:len(set):len(set)], next...), empty || may
		}
		return set, empty
	case rxRepeat, rxCapture:
		set, empty = e.subs[0].first()
		return set, empty || e.kind == rxRepeat && e.min == 0
	case rxBackref:
		return charset{0, utf8.MaxRune}, true
	default:
		return nil, true // It takes no character.
	}
}

// number finds the instructions that several ways lead to.
func (a *assembler) number() {
	ways := make([]uint8, len(a.code)+1)
	lead := func(to int32) { ways[to] = min(ways[to]+1, 2) }
	lead(0)
	for i := range a.code {
		switch in := &a.code[i]; in.op {
		case opSplit:
			lead(in.x)
			lead(in.y)
		case opJump:
			lead(in.x)
		case opLook, opLookNot:
			lead(in.x)
			lead(in.y)
		case opMatch:
		default:
			lead(int32(i + 1))
		}
	}
	for i := range a.code {
		if ways[i] > 1 {
			a.joins++
			a.code[i].join = int32(a.joins)
		}
	}
}

func (a *assembler) add(i instruction) int {
	if i.op == opSet || i.op == opSetBack {
		i.ascii = newASCIISet(i.set)
	}
	a.code = append(a.code, i)
	return len(a.code) - 1
}

func (a *assembler) here() int32 { return int32(len(a.code)) } //nolint:gosec // maxProgram bounds it.

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
		if !a.exact {
			return a.emit(e.subs[0], back)
		}
		open, closing := int32(2*e.index), int32(2*e.index+1) //nolint:gosec // A pattern's length bounds it.
		if back {
			open, closing = closing, open
		}
		a.add(instruction{op: opSave, x: open})
		if !a.emit(e.subs[0], back) {
			return false
		}
		a.add(instruction{op: opSave, x: closing})
	case rxBackref:
		a.add(instruction{op: pick(back, opBackrefBack, opBackref), x: int32(2 * e.index)}) //nolint:gosec // A pattern's length bounds it.
	case rxBegin:
		a.add(instruction{op: pick(e.lines, opLineBegin, opBegin)})
	case rxEnd:
		a.add(instruction{op: pick(e.lines, opLineEnd, opEnd)})
	case rxWordEdge:
		a.add(instruction{op: opWordEdge})
	case rxNoWordEdge:
		a.add(instruction{op: opNoWordEdge})
	case rxLook:
		at := a.add(instruction{op: pick(e.negative, opLookNot, opLook), look: int32(a.looks)}) //nolint:gosec // A pattern's length bounds it.
		a.looks++
		a.code[at].x = a.here()
		if !a.emit(e.subs[0], e.behind) {
			return false
		}
		a.add(instruction{op: opMatch})
		a.code[at].y = a.here()
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
			split = a.add(instruction{op: opSplit, x: a.here() + 1})
		}
		if !a.emit(sub, back) {
			return false
		}
		if split >= 0 {
			ends = append(ends, a.add(instruction{op: opJump}))
			a.code[split].y = a.here()
		}
	}
	for _, end := range ends {
		a.code[end].x = a.here()
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
		mark := int32(a.registers) //nolint:gosec // maxProgram bounds it.
		split := a.add(instruction{op: opSplit})
		if a.exact {
			a.registers++
			a.add(instruction{op: opSave, x: mark})
		}
		if !a.emit(sub, back) {
			return false
		}
		if a.exact {
			a.add(instruction{op: opProgress, x: mark})
		}
		a.add(instruction{op: opJump, x: int32(split)}) //nolint:gosec // maxProgram bounds it.
		a.branch(split, e.lazy)
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
		a.branch(split, e.lazy)
	}
	return true
}

// branch lets a split go on behind itself, or else here.
func (a *assembler) branch(split int, lazy bool) {
	into, past := int32(split)+1, a.here() //nolint:gosec // maxProgram bounds it.
	if lazy {
		into, past = past, into
	}
	a.code[split].x, a.code[split].y = into, past
}
