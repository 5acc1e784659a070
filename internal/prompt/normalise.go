package prompt

import (
	"sort"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Normalised is a text in Unicode NFC without characters that can hide text, and the way from its bytes back to the caller's.
type Normalised struct {
	Text string

	// The text was made in two passes, each with its own map: composed leads from Text to the text without invisible characters, taken from there
	// to the caller's. Both are nil where a pass changed nothing, which is nearly always.
	composed, taken shifts
	length          int
}

// Normalise brings a text to NFC and takes out null bytes, bidi controls and the invisible characters that nothing visible needs (see invisible.go).
// It takes linear time; a text that is normal already comes back as it is, without an allocation. Bytes that are no UTF-8 become U+FFFD.
func Normalise(s string) Normalised {
	n := Normalised{Text: s, length: len(s)}
	first := plain(s)
	if first == len(s) {
		return n
	}
	if i := suspicious(s, first); i < len(s) {
		n.Text, n.taken = withoutInvisible(s, i)
	}
	// The order matters: what is taken out may stand between a letter and its accent, which compose afterwards.
	if i := min(first, len(n.Text)); norm.NFC.QuickSpanString(n.Text[i:]) < len(n.Text)-i {
		n.Text, n.composed = compose(n.Text)
	}
	return n
}

// Original is the offset, in the caller's text, of the character that holds the byte at an offset of Text; len(Text) leads to the end.
// Where several characters became one, it is the first of them.
func (n Normalised) Original(offset int) int {
	if offset >= len(n.Text) {
		return n.length
	}
	return n.taken.back(n.composed.back(max(offset, 0)))
}

// Changed tells whether the text is another than the caller's.
func (n Normalised) Changed() bool { return n.taken != nil || n.composed != nil }

// plain is the length of the leading part that can not change: ASCII without null bytes. The last character of it is left out where it could
// compose with what follows.
func plain(s string) int {
	for i := range len(s) {
		if s[i] == 0 || s[i] >= utf8.RuneSelf {
			return max(0, i-1)
		}
	}
	return len(s)
}

// suspicious is where the first character stands that may have to go, that may have such characters behind it, or that is broken.
func suspicious(s string, from int) int {
	for i := from; i < len(s); {
		if s[i] != 0 && s[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if invisible(r) || r == blackFlag || r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return len(s)
}

// withoutInvisible takes out the invisible characters that have no reason where they stand; there is none before from. A text without any comes back
// as it is.
func withoutInvisible(s string, from int) (string, shifts) {
	var out []byte
	var moved shifts
	var seen surroundings
	seen.start(s[:from])
	rest := 0 // Where the part begins that is not copied yet.
	for i := from; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		kept := seen.keep(r, s[i+size:])
		broken := r == utf8.RuneError && size == 1
		if kept >= 0 && !broken {
			i += size + kept
			continue
		}
		if out == nil {
			out = make([]byte, 0, len(s)+utf8.UTFMax)
		}
		out = append(out, s[rest:i]...)
		if broken {
			moved = moved.add(len(out), i, true)
			out = utf8.AppendRune(out, r)
		}
		i += size
		rest = i
		moved = moved.add(len(out), i, false)
	}
	if out == nil {
		return s, nil
	}
	return string(append(out, s[rest:]...)), moved
}

// compose brings s to NFC, one segment after the other, and notes the segments whose bytes change. Without any it gives back s. A segment has at most 30
// marks (the bound of Unicode's stream-safe text, which holds for every language); further marks on the same letter are left out, since they
// could only be put in order at a cost without bound.
func compose(s string) (string, shifts) {
	var out, made []byte
	var moved shifts
	rest := 0 // Where the part begins that is not copied yet.
	for i := 0; i < len(s); {
		if i += norm.NFC.QuickSpanString(s[i:]); i == len(s) {
			break
		}
		segment := s[i : i+norm.NFC.NextBoundaryInString(s[i:], true)]
		if made = norm.NFC.AppendString(made[:0], segment); string(made) != segment {
			if out == nil {
				out = make([]byte, 0, len(s)+len(made))
			}
			out = append(out, s[rest:i]...)
			moved = moved.add(len(out), i, true)
			out = append(out, made...)
			rest = i + len(segment)
			moved = moved.add(len(out), rest, false)
		}
		i += len(segment)
		marks := i
		for i < len(s) {
			p := norm.NFC.PropertiesString(s[i:])
			if p.CCC() == 0 {
				break
			}
			i += p.Size()
		}
		if i > marks {
			if out == nil {
				out = make([]byte, 0, len(s))
			}
			out = append(out, s[rest:marks]...)
			rest = i
			moved = moved.add(len(out), i, false)
		}
	}
	if out == nil {
		return s, nil
	}
	return string(append(out, s[rest:]...)), moved
}

// shift says that the byte at out came from the byte at in, and how the bytes behind it lie.
type shift struct {
	out, in uint32
	// whole marks characters that were made anew: all their bytes lead to in.
	whole bool
}

// shifts are in the order of the text; only changes have an entry.
type shifts []shift

func (m shifts) add(out, in int, whole bool) shifts {
	s := shift{out: uint32(out), in: uint32(in), whole: whole} //nolint:gosec // A body is far smaller than 4 GB.
	if last := len(m) - 1; last >= 0 && m[last].out == s.out {
		m[last] = s // Neighbours that were taken out together need one entry.
		return m
	}
	return append(m, s)
}

func (m shifts) back(offset int) int {
	i := sort.Search(len(m), func(i int) bool { return int(m[i].out) > offset })
	switch {
	case i == 0:
		return offset
	case m[i-1].whole:
		return int(m[i-1].in)
	}
	return int(m[i-1].in) + offset - int(m[i-1].out)
}
