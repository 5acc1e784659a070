package schema

import (
	"hash/maphash"
	"strconv"

	"github.com/promptd/promptd/internal/value"
)

// equal is value.Equal within the trial's budget: enums and uniqueItems may compare long values that differ only at their end.
func (t *trial) equal(a, b value.Value) bool {
	if a.Kind() != b.Kind() || a.Len() != b.Len() || !t.spend(1) {
		return false
	}
	switch a.Kind() {
	case value.KindString:
		return len(a.Text()) == len(b.Text()) && t.spend(len(a.Text())>>7) && a.Text() == b.Text()
	case value.KindNumber:
		return a.Text() == b.Text() || t.spend(9) && a.Decimal().Compare(b.Decimal()) == 0
	case value.KindArray:
		for i := range a.Len() {
			if !t.equal(a.At(i), b.At(i)) {
				return false
			}
		}
		return true
	case value.KindObject:
		return t.equalMembers(a, b)
	default:
		return a.Truth() == b.Truth()
	}
}

func (t *trial) equalMembers(a, b value.Value) bool {
	const wide, entry = 16, 10
	var index map[string]int
	for i := range a.Len() {
		name, j, ok := a.NameAt(i), i, true
		switch {
		case b.NameAt(i) == name:
		case b.Len() <= wide:
			for j = 0; j < b.Len() && b.NameAt(j) != name; j++ {
			}
			ok = j < b.Len() && t.spend(wide>>2)
		default:
			if index == nil {
				if !t.spend(entry * b.Len()) {
					return false
				}
				index = make(map[string]int, b.Len())
				for j := range b.Len() {
					index[b.NameAt(j)] = j
				}
			}
			j, ok = index[name]
		}
		if !ok || !t.equal(a.At(i), b.At(j)) {
			return false
		}
	}
	return true
}

// hash gives equal values the same number, whatever their spelling and order.
func (t *trial) hash(v value.Value) uint64 {
	text := v.Text()
	t.spend(2 + len(text)>>4)
	sum := uint64(v.Kind())
	switch v.Kind() {
	case value.KindString:
		return maphash.String(t.seed, text)
	case value.KindNumber:
		t.spend(len(text) >> 2)
		return mix(sum, hashNumber(text))
	case value.KindArray:
		for i := range v.Len() {
			sum = mix(sum, t.hash(v.At(i)))
		}
	case value.KindObject:
		for i := range v.Len() {
			sum += mix(maphash.String(t.seed, v.NameAt(i)), t.hash(v.At(i)))
		}
	case value.KindBool:
		if v.Truth() {
			sum += 1 << 32
		}
	default:
	}
	return mix(sum, uint64(v.Len())) //nolint:gosec // A length is not negative.
}

// hashNumber gives the spellings of one number the same hash: it takes the sign, the digits without outer zeros and the place of the point.
func hashNumber(text string) (sum uint64) {
	point, zeros, digits, fraction := 0, 0, 0, false
	for i := range len(text) {
		switch c := text[i]; {
		case c == '-':
			sum = 1
		case c == '.':
			fraction = true
		case c == 'e' || c == 'E':
			exponent, _ := strconv.Atoi(text[i+1:])
			return finish(sum, digits, point+exponent)
		case c == '0' && digits == 0:
			if fraction {
				point--
			}
		default:
			if !fraction {
				point++
			}
			if digits++; c == '0' {
				zeros++
				continue
			}
			for ; zeros > 0; zeros-- {
				sum = mix(sum, '0')
			}
			sum = mix(sum, uint64(c))
		}
	}
	return finish(sum, digits, point)
}

func finish(sum uint64, digits, point int) uint64 {
	if digits == 0 {
		return 0
	}
	return mix(sum, uint64(point)) //nolint:gosec // Any number serves.
}

func mix(a, b uint64) uint64 {
	a = (a ^ b) * 0x9e3779b97f4a7c15
	return a ^ a>>29 ^ b<<7
}

// duplicate finds two equal items by a table of their hashes.
func (t *trial) duplicate(v value.Value) (first, second int) {
	size := 1
	for size < 2*v.Len() {
		size <<= 1
	}
	if !t.spend(size >> 3) {
		return -1, -1
	}
	if cap(t.sums) < size {
		t.sums = make([]slot, size)
	}
	table := t.sums[:size]
	clear(table)
	for i := range v.Len() {
		sum := t.hash(v.At(i))
		for at := int(sum) & (size - 1); ; at = (at + 1) & (size - 1) { //nolint:gosec // Cut to the table's size.
			if !t.spend(1) {
				return -1, -1
			}
			if s := &table[at]; s.item == 0 {
				*s = slot{sum, i + 1}
				break
			} else if s.sum == sum && t.equal(v.At(s.item-1), v.At(i)) {
				return s.item - 1, i
			}
		}
	}
	return -1, -1
}

// slot is one place of the table of hashes; item 0 means that it is free.
type slot struct {
	sum  uint64
	item int
}
