package schema

import "unicode/utf8"

// runs is a pattern of the form ^A{a,b}B{c,d}…$ whose neighbours are disjoint: it is matched greedily, without any search. Most patterns of
// real schemas are of this form (codes, dates, identifiers).
type runs struct {
	list  []run
	ended bool // by $
}

type run struct {
	ascii    [2]uint64 // the set's characters below 128
	set      charset
	min, max int
}

func newRuns(e *rx) *runs {
	list := []*rx{e}
	if e.kind == rxSequence {
		list = e.subs
	}
	if len(list) < 2 || list[0].kind != rxBegin || list[0].lines {
		return nil
	}
	r := &runs{}
	list = list[1:]
	if last := list[len(list)-1]; last.kind == rxEnd && !last.lines {
		r.ended, list = true, list[:len(list)-1]
	}
	for _, sub := range list {
		next := run{min: 1, max: 1}
		if sub.kind == rxRepeat {
			next.min, next.max, sub = sub.min, sub.max, sub.subs[0]
		}
		for sub.kind == rxCapture {
			sub = sub.subs[0]
		}
		if sub.kind != rxSet {
			return nil
		}
		next.set = sub.set
		for c := range rune(utf8.RuneSelf) {
			if next.set.has(c) {
				next.ascii[c>>6] |= 1 << (c & 63)
			}
		}
		r.list = append(r.list, next)
	}
	if !r.exact() {
		return nil
	}
	return r
}

// exact reports whether greedy matching is right: what a run of variable length takes is never wanted by the runs that may follow it.
func (r *runs) exact() bool {
	for i := range r.list {
		if r.list[i].min == r.list[i].max {
			continue
		}
		for j := i + 1; j < len(r.list); j++ {
			if overlap(r.list[i].set, r.list[j].set) {
				return false
			}
			if r.list[j].min > 0 {
				break
			}
		}
	}
	return true
}

func overlap(a, b charset) bool {
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i+1] < b[j]:
			i += 2
		case b[j+1] < a[i]:
			j += 2
		default:
			return true
		}
	}
	return false
}

func (r *runs) match(s string) bool {
	at := 0
	for i := range r.list {
		n := &r.list[i]
		count := 0
		for at < len(s) && (n.max < 0 || count < n.max) {
			c := s[at]
			if c < utf8.RuneSelf {
				if n.ascii[c>>6]&(1<<(c&63)) == 0 {
					break
				}
				at++
				count++
				continue
			}
			wide, size := utf8.DecodeRuneInString(s[at:])
			if !n.set.has(wide) {
				break
			}
			at += size
			count++
		}
		if count < n.min {
			return false
		}
	}
	return !r.ended || at == len(s)
}
