package damage

import (
	"math/rand/v2"

	"github.com/promptd/promptd/internal/repair"
	"github.com/promptd/promptd/internal/value"
)

// writer writes a value and does its damage at some of the places that offer one.
type writer struct {
	kind   repair.Kind
	rng    *rand.Rand
	buf    []byte
	chance float64 // of damage at one place
	hits   int
	lines  bool // one member a line
	keeps  bool
	depth  int
}

// hit decides whether this place, which offers the kind, is damaged.
func (w *writer) hit(kind repair.Kind) bool {
	if w.kind != kind || w.chance < 1 && w.rng.Float64() >= w.chance {
		return false
	}
	w.hits++
	return true
}

func (w *writer) add(s ...string) {
	for _, part := range s {
		w.buf = append(w.buf, part...)
	}
}

func (w *writer) value(v value.Value, indent string) {
	w.depth++
	defer func() { w.depth-- }()
	switch v.Kind() {
	case value.KindObject:
		w.object(v, indent)
	case value.KindArray:
		w.array(v, indent)
	case value.KindString:
		w.str(v.Text())
	case value.KindNumber:
		w.number(v)
	default:
		w.literal(v)
	}
}

// gap writes the white space between two tokens.
func (w *writer) gap(s string) {
	w.add(s)
	switch {
	case w.hit(repair.KindWhiteSpace):
		w.add(pick(w.rng, "\u00a0", "\u3000", "\u200b", "\u2003"))
	case w.hit(repair.KindComment):
		w.add(pick(w.rng, " /* why, {not}: \"this\" */ ", " // a comment, with: a \"quote\n", " # and: this {one}\n"))
	}
}

func (w *writer) line(indent string) string {
	if w.lines {
		return "\n" + indent
	}
	return ""
}

func (w *writer) object(v value.Value, indent string) {
	deeper := indent + "  "
	w.add("{")
	if v.Len() > 0 && w.hit(repair.KindExtraComma) {
		w.add(",")
	}
	for i := range v.Len() {
		name, member := v.NameAt(i), v.At(i)
		w.gap(w.line(deeper))
		if w.hit(repair.KindDuplicateKey) {
			w.add(string(value.AppendQuoted(nil, name)), ": \"an earlier thought\", ")
		}
		if i > 0 && i+1 < v.Len() && w.hit(repair.KindGarbage) {
			w.add(pick(w.rng, "and ", "NEXT ", "then comes "))
		}
		w.name(name)
		w.colon(member)
		switch {
		case w.hit(repair.KindMissingValue):
			w.keeps = false
		case i+1 < v.Len() && member.Kind() == value.KindString && w.endlessString(member.Text(), v.NameAt(i+1)):
		default:
			w.value(member, deeper)
		}
		w.separator(i, v.Len(), isScalar(member))
	}
	if v.Len() > 0 {
		w.ending(indent)
		if w.hit(repair.KindEllipsis) {
			w.add(", ... ")
		}
	}
	w.close("}", "]")
}

// separator writes the comma between two members or items, which may be forgotten where the next one is told apart.
func (w *writer) separator(i, n int, _ bool) {
	if i+1 == n {
		return
	}
	if w.hit(repair.KindMissingComma) {
		w.add(pick(w.rng, " ", "\n"))
		return
	}
	w.add(",")
	if !w.lines && w.rng.IntN(2) == 0 {
		w.add(" ")
	}
}

func (w *writer) ending(indent string) {
	if w.hit(repair.KindTrailingComma) {
		w.add(",")
	}
	w.gap(w.line(indent))
}

// close writes a closing bracket, at the root now and then one too many or of the wrong kind.
func (w *writer) close(right, wrong string) {
	if w.depth == 1 && w.hit(repair.KindUnbalanced) {
		right = pick(w.rng, right+right, right+"]", right+" }", wrong)
	}
	w.add(right)
}

func (w *writer) colon(member value.Value) {
	if member.Kind() != value.KindNull && member.Kind() != value.KindBool && w.hit(repair.KindMissingColon) {
		w.add(" ")
		return
	}
	w.add(":")
	if w.lines {
		w.add(" ")
	}
}

func (w *writer) array(v value.Value, indent string) {
	deeper := indent + "  "
	left, right := "[", "]"
	if v.Len() > 1 && w.hit(repair.KindTuple) {
		left, right = "(", ")"
	}
	w.add(left)
	if v.Len() > 0 && w.hit(repair.KindExtraComma) {
		w.add(",")
	}
	for i, item := range v.Items() {
		w.gap(w.line(deeper))
		if brace := item.Kind() == value.KindObject && item.Len() > 0 && i+1 == v.Len() && w.depth > 0; brace && w.hit(repair.KindUnbalanced) {
			w.unclosed(item, deeper)
		} else {
			w.value(item, deeper)
		}
		w.separator(i, v.Len(), isScalar(item))
	}
	if v.Len() > 0 {
		w.ending(indent)
		if w.hit(repair.KindEllipsis) {
			w.add(", ...")
		}
	}
	w.close(right, map[string]string{"]": "}", ")": "]"}[right])
}

// unclosed writes an object without its closing brace; the bracket of the array behind it shows where it ends.
func (w *writer) unclosed(v value.Value, indent string) {
	kind := w.kind
	w.kind = ""
	from := len(w.buf)
	w.value(v, indent)
	w.kind = kind
	for len(w.buf) > from && w.buf[len(w.buf)-1] != '}' {
		w.buf = w.buf[:len(w.buf)-1]
	}
	w.buf = w.buf[:len(w.buf)-1]
}

func isScalar(v value.Value) bool { return v.Kind() != value.KindArray && v.Kind() != value.KindObject }
