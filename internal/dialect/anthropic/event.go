package anthropic

import "github.com/promptd/promptd/internal/dialect/scan"

// event is one event of a stream, whatever its kind.
type event struct {
	kind    string
	index   int
	message message // of message_start
	block   block   // of content_block_start
	delta   delta   // of content_block_delta
	stop    stopped // of message_delta
	failure *failure
	fault   scan.Fault
}

// delta is what an event adds to a block.
type delta struct {
	kind, text, args string
}

// read takes an event's data; usage is what was counted before it. The data repeat the event's name, but those of gateways' own errors may not.
func (e *event) read(name string, data []byte, u *usage) {
	s := scan.New(data)
	e.index = -1
	if s.Object() {
		e.members(&s, u)
	} else {
		s.Skip()
	}
	s.End()
	e.fault = s.Fault()
	if e.kind == "" {
		e.kind = name
	}
	if e.kind == "error" && e.failure == nil {
		e.failure = &failure{}
	}
}

func (e *event) members(s *scan.Scanner, u *usage) {
	for {
		name, more := s.Member()
		if !more {
			return
		}
		switch string(name) {
		case "type":
			e.kind = s.Text()
		case "index":
			if s.Kind() == '0' {
				e.index = s.Int()
			}
		case "message":
			e.message.usage = *u
			e.message.object(s)
			*u = e.message.usage
		case "content_block":
			e.block = readBlock(s)
		case "delta":
			e.readDelta(s)
		case "usage":
			u.read(s)
		case "error":
			e.failure = readFailure(s)
		}
	}
}

// readDelta reads what a block or the message gets; members of the other are not there.
func (e *event) readDelta(s *scan.Scanner) {
	if !s.Object() {
		return
	}
	for {
		name, more := s.Member()
		if !more {
			return
		}
		switch string(name) {
		case "type":
			e.delta.kind = s.Text()
		case "text":
			if s.Kind() == '"' {
				e.delta.text = s.Text()
			}
		case "partial_json":
			if s.Kind() == '"' {
				e.delta.args = s.Text()
			}
		default:
			e.stop.read(s, string(name))
		}
	}
}
