package bedrock

import "github.com/promptd/promptd/internal/dialect/scan"

// event is one event of a stream, whatever its kind; the kind stands in the framing.
type event struct {
	index   int
	block   block  // of contentBlockStart and contentBlockDelta
	stop    string // of messageStop
	model   string // of metadata
	failure failure
	fault   scan.Fault
}

// read takes an event's payload; counts go to usage. Member p is padding.
func (e *event) read(payload []byte, u *usage) {
	s := scan.New(payload)
	e.index = -1
	if s.Object() {
		e.members(&s, u)
	} else {
		s.Skip()
	}
	s.End()
	e.fault = s.Fault()
}

func (e *event) members(s *scan.Scanner, u *usage) {
	for {
		name, more := s.Member()
		if !more {
			return
		}
		switch string(name) {
		case "contentBlockIndex":
			if s.Kind() == '0' {
				e.index = s.Int()
			}
		case "start", "delta":
			e.block = readBlock(s)
		case "stopReason":
			if s.Kind() == '"' {
				e.stop = s.Text()
			}
		case "usage":
			u.read(s)
		case "trace":
			e.model = routed(s)
		default:
			e.failure.read(s, string(name))
		}
	}
}
