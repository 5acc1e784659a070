package provider

import "time"

// windowSlots is how finely a window slides: it covers between 9 and 10 tenths of its length.
const windowSlots = 10

// tally counts calls by what they say of health; limited ones are those that Neither is said of because a limit was hit.
type tally struct{ good, bad, limited int }

func (t *tally) add(o tally) {
	t.good, t.bad, t.limited = t.good+o.good, t.bad+o.bad, t.limited+o.limited
}

func (t *tally) sub(o tally) {
	t.good, t.bad, t.limited = t.good-o.good, t.bad-o.bad, t.limited-o.limited
}

// judged counts those that count for the breaker.
func (t tally) judged() int { return t.good + t.bad }

// window counts what happened of late, in slots of equal length, so that its size does not depend on the number of calls. It has no lock of its own. Times
// are nanoseconds that never go back.
type window struct {
	width int64 // of a slot
	at    int64 // the number of the newest slot
	slots [windowSlots]tally
	sum   tally
}

func newWindow(length time.Duration) window {
	return window{width: max(1, int64(length)/windowSlots)}
}

// slide forgets what is older than the window.
func (w *window) slide(now int64) {
	newest := now / w.width
	if newest-w.at >= windowSlots {
		*w = window{width: w.width, at: newest}
		return
	}
	for w.at < newest {
		w.at++
		slot := &w.slots[w.at%windowSlots]
		w.sum.sub(*slot)
		*slot = tally{}
	}
}

// count adds to the newest slot.
func (w *window) count(now int64, t tally) {
	w.slide(now)
	w.slots[w.at%windowSlots].add(t)
	w.sum.add(t)
}

// total gives what the window holds now.
func (w *window) total(now int64) tally {
	w.slide(now)
	return w.sum
}
