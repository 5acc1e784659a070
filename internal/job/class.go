package job

import "github.com/promptd/promptd/internal/broker"

// String is the class as callers write it; empty for none.
func (p Priority) String() string {
	switch p {
	case High:
		return "high"
	case Normal:
		return "normal"
	case Low:
		return "low"
	default:
		return ""
	}
}

// Queue is the class of the broker's messages.
func (p Priority) Queue() broker.Queue {
	switch p {
	case High:
		return broker.High
	case Low:
		return broker.Low
	default:
		return broker.Normal
	}
}

// priority reads a class; normal where it is not known.
func priority(name string) Priority {
	switch name {
	case "high":
		return High
	case "low":
		return Low
	default:
		return Normal
	}
}

// String is the urgency as callers write it.
func (u Urgency) String() string {
	if u == Whenever {
		return "low"
	}
	return "normal"
}
