package history

import (
	"fmt"
	"strings"
)

// String writes a history down, an event a line.
func (h *History) String() string {
	var b strings.Builder
	for n, o := range h.Orders {
		fmt.Fprintf(&b, "order %d: %+v\n", n, o)
	}
	for i := range h.Events {
		b.WriteString(h.Events[i].String())
		b.WriteByte('\n')
	}
	return b.String()
}

// String is an event in a line.
func (e *Event) String() string {
	line := fmt.Sprintf("%12s %-10s", e.At, e.Kind)
	switch e.Kind {
	case Submitted, Accepted:
		line += fmt.Sprintf(" order %d %s", e.Order, e.Job)
	case CancelSent, Cancelled, RetrySent, Retried:
		line += fmt.Sprintf(" %s run %d", e.Job, e.Run)
	case JobRead:
		line += fmt.Sprintf(" %s run %d %s %+v since %s", e.Job, e.Run, e.State, e.Progress, e.Since)
	case ItemRead:
		line += fmt.Sprintf(" %s/%d %s %q since %s", e.Job, e.Item, e.State, e.Answer, e.Since)
	case CallBegun:
		line += fmt.Sprintf(" %d of %s/%d by %s, at most %d", e.Call, e.Job, e.Item, e.Process, e.Most)
	case CallEnded:
		line += fmt.Sprintf(" %d %q, cost %d, cut %t", e.Call, e.Answer, e.Cost, e.Cut)
	case Received:
		line += fmt.Sprintf(" %s %s of %s, signed %t, taken %t", e.Message, e.Event, e.Job, e.Signed, e.Taken)
	case Killed, Drained, Balance:
		line += fmt.Sprintf(" %s cost %d, held %d", e.Process, e.Cost, e.Most)
	case Frozen, Thawed, Away, Back:
		line += " " + e.Process
	}
	if e.Last {
		line += " (last)"
	}
	return line
}

// String is the kind in a word.
func (k Kind) String() string {
	names := [...]string{
		"", "submitted", "accepted", "cancel", "cancelled", "retry", "retried", "job", "item", "call", "answer", "received", "killed", "drained", "frozen", "thawed", "away", "back", "balance",
	}
	return names[min(int(k), len(names)-1)]
}
