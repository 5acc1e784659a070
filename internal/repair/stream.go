package repair

import (
	"slices"
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// Stream reads a model's text while it is written and gives what is already complete in it.
//
// It reads far more strictly than [Read], because what was shown is never taken back: a value counts as complete when it is closed and what
// follows it is what JSON allows there, so that no later text can make it part of something else. Prose, code fences and reasoning may stand
// before the value. Where the text leaves strict JSON (a trailing comma is allowed) the stream stops: what is complete stays, nothing is added,
// and Read judges the whole text at the end. A value at the root that is neither an object nor an array is never shown.
//
// Each byte is visited once, and the snapshots together cost time linear in the text. A Stream is for one goroutine.
type Stream struct {
	schema Shape
	head   preamble
	state  streamState
	at     int // bytes written before the piece being read
	start  int // where the token being read began
	token  []byte
	escape bool // the byte before was a backslash that escapes this one
	frames []frame
	root   value.Value // once it is closed

	held  int // bytes of names and scalars kept
	nodes int // scalars and empty containers that are complete
	shown int // of which the last snapshot told
}

const (
	// maxHeld bounds what a stream keeps of the text.
	maxHeld = 64 << 20
	// growth is the part of what was shown that must be new before a wide value is shown again: copying an open container takes time in its
	// width, and steps that grow with it keep the sum linear.
	growth = 64
)

type streamState uint8

const (
	streamHead     streamState = iota // before the value
	streamFirstKey                    // behind an opening brace
	streamKey                         // behind a comma in an object
	streamColon                       // behind a name
	streamFirst                       // behind an opening bracket
	streamItem                        // behind a comma in an array
	streamMember                      // behind a colon
	streamName                        // inside a name
	streamString                      // inside a string
	streamWord                        // inside a number or a literal
	streamAfter                       // behind a value
	streamDone                        // behind the whole value
	streamStopped                     // the text is not strict enough
)

// frame is an open container.
type frame struct {
	bracket byte
	start   int
	shape   Shape
	members []value.Member      // complete and confirmed; an array's have no names
	names   map[string]struct{} // the names, once there are many
	name    string              // of the member whose value is read or waits
	next    string              // the name behind it, until its colon

	// The last value waits until what follows it shows that it ended there. Of a container the part before is shown meanwhile.
	waiting bool
	last    value.Value
	before  value.Value
	partial bool // before holds something
	more    bool // last holds something that before does not
}

// NewStream gives a reader for one text.
func NewStream(h Hints) *Stream { return &Stream{schema: h.Schema} }

// Write reads the next piece of the text, which may end anywhere, inside a character too.
func (s *Stream) Write(text string) {
	for i := 0; i < len(text); {
		switch s.state {
		case streamDone, streamStopped:
			s.at += len(text)
			return
		case streamHead:
			i = s.preamble(text, i)
		case streamName, streamString:
			i = s.readString(text, i)
		case streamWord:
			i = s.readWord(text, i)
		default:
			if c := text[i]; c != ' ' && c != '\n' && c != '\t' && c != '\r' {
				s.structure(c, s.at+i)
			}
			i++
		}
	}
	s.at += len(text)
}

// Snapshot gives all that is complete so far; ok is false where that is nothing, or too little more than at the last call that gave something.
// Every snapshot holds the earlier ones unchanged.
func (s *Stream) Snapshot() (v value.Value, ok bool) {
	fresh := s.nodes - s.shown
	if fresh <= 0 || fresh < s.shown/growth && s.state != streamDone && s.state != streamStopped {
		return value.Value{}, false
	}
	s.shown = s.nodes
	if s.state == streamDone {
		return s.root, true
	}
	for i := len(s.frames) - 1; i >= 0; i-- {
		v, ok = s.frames[i].soFar(v, ok)
	}
	return v, ok
}

// soFar gives what is complete of an open container; child is the same of the container open in it.
func (f *frame) soFar(child value.Value, ok bool) (value.Value, bool) {
	if f.waiting {
		child, ok = f.before, f.partial
	}
	if !ok && len(f.members) == 0 {
		return value.Value{}, false
	}
	members := slices.Clip(f.members)
	if ok {
		members = append(members, value.Member{Name: f.name, Value: child})
	}
	return container(f.bracket, members).Located(f.start), true
}

func container(bracket byte, members []value.Member) value.Value {
	if bracket == '{' {
		return value.Object(members...)
	}
	items := make([]value.Value, len(members))
	for i := range members {
		items[i] = members[i].Value
	}
	return value.Array(items...)
}

// stop ends the reading. What is complete stays.
func (s *Stream) stop() {
	s.state = streamStopped
	s.token = nil
}

// structure reads a byte between two tokens.
func (s *Stream) structure(c byte, at int) {
	switch s.state {
	case streamFirstKey, streamKey:
		switch {
		case c == '"':
			s.begin(streamName, c, at)
		case c == '}':
			s.close(c)
		default:
			s.stop()
		}
	case streamColon:
		if c != ':' {
			s.stop()
			return
		}
		s.confirm()
		f := &s.frames[len(s.frames)-1]
		f.name, f.next = f.next, ""
		s.state = streamMember
	case streamFirst, streamItem:
		if c == ']' {
			s.close(c)
			return
		}
		s.value(c, at)
	case streamMember:
		s.value(c, at)
	case streamAfter:
		s.after(c)
	}
}

// value reads the first byte of a value.
func (s *Stream) value(c byte, at int) {
	switch {
	case c == '"':
		s.confirm()
		s.begin(streamString, c, at)
	case c == '{' || c == '[':
		s.confirm()
		s.open(c, at)
	case c == '-' || digit(c) || c == 't' || c == 'f' || c == 'n':
		s.confirm()
		s.begin(streamWord, c, at)
	default:
		s.stop()
	}
}

// begin begins a token.
func (s *Stream) begin(state streamState, c byte, at int) {
	s.state, s.start = state, at
	s.token = append(s.token[:0], c)
}

// open begins a container.
func (s *Stream) open(c byte, at int) {
	shape := s.shape()
	if len(s.frames) >= maxDepth {
		s.stop()
		return
	}
	s.frames = append(s.frames, frame{bracket: c, start: at, shape: shape})
	if s.state = streamFirst; c == '{' {
		s.state = streamFirstKey
	}
}

// shape gives what the schema knows of the value that begins now.
func (s *Stream) shape() Shape {
	if len(s.frames) == 0 {
		return s.schema
	}
	f := &s.frames[len(s.frames)-1]
	if f.bracket == '{' {
		return property(f.shape, f.name)
	}
	return item(f.shape, len(f.members))
}

// after reads the byte behind a value.
func (s *Stream) after(c byte) {
	f := &s.frames[len(s.frames)-1]
	switch {
	case c == closing(f.bracket):
		s.close(c)
	case c == ',':
		if f.waiting && isContainer(f.last) {
			s.confirm()
		}
		if s.state = streamItem; f.bracket == '{' {
			s.state = streamKey
		}
	default:
		s.stop()
	}
}

func isContainer(v value.Value) bool {
	return v.Kind() == value.KindObject || v.Kind() == value.KindArray
}

// close ends the innermost container. A scalar directly before the bracket waits on in the container, until something follows that too.
func (s *Stream) close(c byte) {
	n := len(s.frames) - 1
	f := &s.frames[n]
	if c != closing(f.bracket) {
		s.stop()
		return
	}
	if f.waiting && isContainer(f.last) {
		s.confirm()
	}
	v := container(f.bracket, f.members).Located(f.start)
	before, partial, more := v, len(f.members) > 0, f.waiting || len(f.members) == 0
	if f.waiting {
		v = container(f.bracket, append(slices.Clip(f.members), value.Member{Name: f.name, Value: f.last})).Located(f.start)
	}
	s.frames = s.frames[:n]
	if n == 0 {
		s.root, s.state = v, streamDone
		s.count(more)
		return
	}
	parent := &s.frames[n-1]
	parent.last, parent.before, parent.partial, parent.more, parent.waiting = v, before, partial, more, true
	s.state = streamAfter
}

// confirm takes the value that waits in the innermost container as complete.
func (s *Stream) confirm() {
	if len(s.frames) == 0 {
		return
	}
	f := &s.frames[len(s.frames)-1]
	if !f.waiting {
		return
	}
	f.members = append(f.members, value.Member{Name: f.name, Value: f.last})
	s.count(f.more)
	f.waiting, f.last, f.before = false, value.Value{}, value.Value{}
}

func (s *Stream) count(more bool) {
	if !more {
		return
	}
	if s.nodes++; s.nodes > maxNodes {
		s.stop()
	}
}

// scalar takes a scalar that was read. It waits until something follows it.
func (s *Stream) scalar(text string) {
	v, err := value.DecodeString(text, value.Limits{})
	shape := s.shape()
	if err != nil || shape != nil && readsOtherwise(v, shape) {
		s.stop()
		return
	}
	f := &s.frames[len(s.frames)-1]
	f.last, f.before, f.partial, f.more, f.waiting = v.Located(s.start), value.Value{}, false, true, true
	s.state = streamAfter
}

// readsOtherwise reports whether Read may take the scalar for something else: JSON inside a string, or a number for a text.
func readsOtherwise(v value.Value, shape Shape) bool {
	return unwanted(v, shape) || v.Kind() == value.KindNumber && !shape.Accepts(value.KindNumber) && shape.Accepts(value.KindString)
}

// readWord reads a number or a literal up to the byte that ends it.
func (s *Stream) readWord(text string, i int) int {
	from := i
	for i < len(text) && (digit(text[i]) || letter(text[i]) || text[i] == '-' || text[i] == '+' || text[i] == '.') {
		i++
	}
	if s.token = append(s.token, text[from:i]...); len(s.token) > value.MaxNumberLength {
		s.stop()
		return i
	}
	if i < len(text) && s.hold(len(s.token)) {
		s.scalar(string(s.token))
	}
	return i
}

// readString reads a name or a string up to its closing mark.
func (s *Stream) readString(text string, i int) int {
	from := i
	for i < len(text) {
		c := text[i]
		i++
		switch {
		case s.escape:
			s.escape = false
		case c == '\\':
			s.escape = true
		case c == '"':
			s.token = append(s.token, text[from:i]...)
			if s.hold(len(s.token)) {
				s.endString()
			}
			return i
		case c < 0x20:
			s.stop()
			return i
		}
	}
	if s.token = append(s.token, text[from:i]...); s.held+len(s.token) > maxHeld {
		s.stop()
	}
	return i
}

func (s *Stream) hold(n int) bool {
	if s.held += n; s.held > maxHeld {
		s.stop()
	}
	return s.state != streamStopped
}

func (s *Stream) endString() {
	if s.state == streamString {
		s.scalar(string(s.token))
		return
	}
	name, err := value.DecodeString(string(s.token), value.Limits{})
	if err != nil || ranOn(string(s.token)) || !s.named(name.Text()) {
		s.stop()
		return
	}
	s.state = streamColon
}

// ranOn reports whether Read may see several names in that one, which lost marks.
func ranOn(quoted string) bool {
	colon := strings.IndexByte(quoted, ':')
	if colon < 0 || !strings.ContainsAny(quoted[colon:], ",{") {
		return false
	}
	p := newParser(quoted+":", Hints{})
	return p.runsOn(&scan{where: atKey, start: 1, colon: colon}, len(quoted)-1)
}

// named takes the name of the next member. Of two members with one name Read takes the later one, so nothing can be shown of either.
func (s *Stream) named(name string) bool {
	const few = 16
	f := &s.frames[len(s.frames)-1]
	f.next = name
	if f.waiting && f.name == name {
		return false
	}
	if f.names == nil {
		for i := range f.members {
			if f.members[i].Name == name {
				return false
			}
		}
		if len(f.members) < few {
			return len(s.frames) > 1 || len(f.members) > 0 || f.waiting || s.expected(name)
		}
		f.names = make(map[string]struct{}, 4*few)
		for i := range f.members {
			f.names[f.members[i].Name] = struct{}{}
		}
		if f.waiting {
			f.names[f.name] = struct{}{}
		}
	}
	before := len(f.names)
	f.names[name] = struct{}{}
	return len(f.names) > before
}
