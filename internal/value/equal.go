package value

// Equal reports whether two values are equal as JSON Schema compares them: numbers by mathematical value, objects without order.
func Equal(a, b Value) bool {
	if a.kind != b.kind {
		return false
	}
	switch a.kind {
	case KindBool:
		return a.truth == b.truth
	case KindNumber:
		return a.text == b.text || a.Decimal().Compare(b.Decimal()) == 0
	case KindString:
		return a.text == b.text
	case KindArray:
		if len(a.list()) != len(b.list()) {
			return false
		}
		for i := range a.list() {
			if !Equal(a.list()[i].Value, b.list()[i].Value) {
				return false
			}
		}
		return true
	case KindObject:
		return equalMembers(a, b)
	default:
		return true
	}
}

func equalMembers(a, b Value) bool {
	if len(a.list()) != len(b.list()) {
		return false
	}
	var index map[string]int // A look-up per member is quadratic in a wide object.
	if len(b.list()) > 16 {
		index = make(map[string]int, len(b.list()))
		for i := range b.list() {
			index[b.list()[i].Name] = i
		}
	}
	for i := range a.list() {
		name := a.list()[i].Name
		switch {
		case b.list()[i].Name == name:
			if !Equal(a.list()[i].Value, b.list()[i].Value) {
				return false
			}
			continue
		case index != nil:
			j, ok := index[name]
			if !ok || !Equal(a.list()[i].Value, b.list()[j].Value) {
				return false
			}
		default:
			other, ok := b.Get(name)
			if !ok || !Equal(a.list()[i].Value, other) {
				return false
			}
		}
	}
	return true
}

// Identical reports whether two values are the same to the letter: order of members and spelling of numbers included. Offsets do not count.
func Identical(a, b Value) bool {
	if a.kind != b.kind || a.truth != b.truth || a.text != b.text || len(a.list()) != len(b.list()) {
		return false
	}
	if a.members == b.members {
		return true // One and the same.
	}
	for i := range a.list() {
		if a.list()[i].Name != b.list()[i].Name || !Identical(a.list()[i].Value, b.list()[i].Value) {
			return false
		}
	}
	return true
}

// Identity is an array's or object's own place in memory. Values with the same identity are identical; copies of a Value share theirs, and values that were
// read or made apart have different ones.
type Identity struct{ members *[]Member }

// Identity gives the value's identity; ok is false where it has none, as scalars and empty arrays and objects do.
func (v Value) Identity() (id Identity, ok bool) { return Identity{v.members}, v.members != nil }
