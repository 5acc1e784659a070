package dropin

import "github.com/promptd/promptd/internal/value"

// Growing makes the text of an answer out of its snapshots, piece by piece. The zero Growing has written nothing.
//
// What is written is never taken back, and all pieces together are the JSON text of the final value. A snapshot holds every earlier value unchanged, but
// it may gain members and items anywhere, so an object or array can only be closed when the final value is known. Until then the text grows along one path of open
// containers: scalars are written as they come, and the first container that comes behind them stays open. The final text may therefore have its members in the
// order in which they came, and not in that of the schema: to JSON it is the same value.
type Growing struct {
	// open are the containers that were begun and are not closed, the outermost first.
	open []level
}

// level is an open container.
type level struct {
	array bool
	// names are the members written so far, the last of which may be open; n counts members or items.
	names []string
	n     int
}

// Grow gives the text that a snapshot adds.
func (g *Growing) Grow(v value.Value) string { return string(g.extend(nil, v, 0)) }

// End gives the rest of the text of the final value.
func (g *Growing) End(v value.Value) string {
	if len(g.open) == 0 {
		return v.String()
	}
	return string(g.finish(nil, v, 0))
}

// extend writes what is new of a container at a depth.
func (g *Growing) extend(dst []byte, v value.Value, depth int) []byte {
	if !isContainer(v) {
		return dst // The whole answer is a scalar, or something is wrong; the end will tell.
	}
	if depth == len(g.open) {
		g.open = append(g.open, level{array: v.Kind() == value.KindArray})
		dst = append(dst, opening(v))
	}
	if l := &g.open[depth]; depth+1 < len(g.open) { // A child is open: only it can grow.
		child, ok := l.last(v)
		if !ok {
			return dst
		}
		return g.extend(dst, child, depth+1)
	}
	for i := range v.Len() {
		l := &g.open[depth]
		if l.has(v, i) {
			continue
		}
		dst = l.begin(dst, v, i)
		item := v.At(i)
		if isContainer(item) {
			return g.extend(dst, item, depth+1)
		}
		dst = item.Append(dst)
	}
	return dst
}

// finish writes what is missing of a container at a depth, and closes it.
func (g *Growing) finish(dst []byte, v value.Value, depth int) []byte {
	if depth+1 < len(g.open) {
		if child, ok := g.open[depth].last(v); ok {
			dst = g.finish(dst, child, depth+1)
		}
	}
	l := &g.open[depth]
	for i := range v.Len() {
		if !l.has(v, i) {
			dst = v.At(i).Append(l.begin(dst, v, i))
		}
	}
	if l.array {
		return append(dst, ']')
	}
	return append(dst, '}')
}

func isContainer(v value.Value) bool {
	return v.Kind() == value.KindArray || v.Kind() == value.KindObject
}

func opening(v value.Value) byte {
	if v.Kind() == value.KindArray {
		return '['
	}
	return '{'
}

// last gives the member or item that was written last.
func (l *level) last(v value.Value) (value.Value, bool) {
	if l.array {
		if l.n == 0 || l.n > v.Len() {
			return value.Value{}, false
		}
		return v.At(l.n - 1), true
	}
	if l.n == 0 {
		return value.Value{}, false
	}
	return v.Get(l.names[l.n-1])
}

// has reports whether the i-th member or item is written.
func (l *level) has(v value.Value, i int) bool {
	if l.array {
		return i < l.n
	}
	name := v.NameAt(i)
	if i < l.n && l.names[i] == name {
		return true
	}
	for _, known := range l.names {
		if known == name {
			return true
		}
	}
	return false
}

// begin writes what stands before the i-th member or item.
func (l *level) begin(dst []byte, v value.Value, i int) []byte {
	if l.n > 0 {
		dst = append(dst, ',')
	}
	l.n++
	if l.array {
		return dst
	}
	l.names = append(l.names, v.NameAt(i))
	return append(value.AppendQuoted(dst, v.NameAt(i)), ':')
}
