package gemini

import (
	"slices"
	"strconv"
	"strings"

	"github.com/promptd/promptd/internal/dialect/scan"
	"github.com/promptd/promptd/internal/value"
)

// call follows the first function call of an answer: only its arguments are an answer, and calls behind it are dropped. Arguments come whole, or, where a
// gateway asks for that, as single values with their places; these are given away together at the call's end.
type call struct {
	ended   bool
	whole   bool // the arguments came whole
	partial *node
	nodes   int
	lost    bool // a piece has no place: what there is of the arguments is not all
}

// read reads one functionCall and gives what it adds to the arguments' text.
func (f *call) read(s *scan.Scanner) []byte {
	if !s.Object() {
		return nil
	}
	var args []byte
	goesOn := false
	for {
		name, more := s.Member()
		if !more {
			break
		}
		switch string(name) {
		case "args":
			if s.Kind() == '{' {
				args = s.Raw()
			}
		case "partialArgs":
			f.readPartial(s)
		case "willContinue":
			goesOn = s.True()
		}
	}
	if f.ended {
		return nil
	}
	f.whole = f.whole || len(args) > 0
	if f.ended = !goesOn; f.ended && !f.whole && !f.lost {
		return f.partial.append(nil)
	}
	return args
}

// Bounds of arguments that come in pieces.
const (
	maxNodes = 100_000
	maxDepth = 100
)

// node is a value of arguments that come in pieces: a container, or a text that grows, or any other value as it stands in JSON.
type node struct {
	kind    byte // '{', '[', '"' or '0'
	text    []byte
	names   []string
	index   map[string]int // of the names
	members []*node
}

func (f *call) readPartial(s *scan.Scanner) {
	if !s.Array() {
		return
	}
	for s.Item() {
		if !s.Object() {
			continue
		}
		place, piece := "", node{}
		for {
			name, more := s.Member()
			if !more {
				break
			}
			switch string(name) {
			case "jsonPath":
				place = s.Text()
			case "stringValue":
				piece = node{kind: '"', text: []byte(s.Text())}
			case "numberValue":
				if s.Kind() == '0' {
					piece = node{kind: '0', text: slices.Clone(s.Raw())}
				}
			case "boolValue":
				piece = node{kind: '0', text: strconv.AppendBool(nil, s.True())}
			case "nullValue":
				piece = node{kind: '0', text: []byte("null")}
			}
		}
		if f.ended {
			continue
		}
		if at := f.place(place); at != nil && piece.kind != 0 {
			at.put(piece)
		} else {
			f.lost = true
		}
	}
}

// put sets a value; a text is put behind the text that is there.
func (n *node) put(piece node) {
	if n.kind == '"' && piece.kind == '"' {
		n.text = append(n.text, piece.text...)
		return
	}
	*n = piece
}

// place finds the node of a JSONPath such as $.items[0].name, and makes it where it is not there; nil for what is no such path or leads too far.
func (f *call) place(jsonPath string) *node {
	path, ok := strings.CutPrefix(jsonPath, "$")
	depth := 0
	for rest := path; rest != ""; depth++ { // All of it is a path, or nothing is made.
		_, _, behind := step(rest)
		if behind < 0 {
			return nil
		}
		rest = rest[behind:]
	}
	if !ok || depth == 0 || depth > maxDepth {
		return nil
	}
	if f.partial == nil {
		f.partial = &node{kind: '{'}
	}
	at := f.partial
	for rest := path; rest != "" && at != nil; {
		name, index, behind := step(rest)
		at, rest = f.child(at, name, index), rest[behind:]
	}
	return at
}

// step reads the first step of a path: a member's name, or an item's index; behind is -1 for neither.
func step(path string) (name string, index, behind int) {
	if path[0] == '.' {
		end := strings.IndexAny(path[1:], ".[")
		if end < 0 {
			end = len(path) - 1
		}
		return path[1 : end+1], -1, end + 1
	}
	end := strings.IndexByte(path, ']')
	if path[0] != '[' || end < 2 {
		return "", -1, -1
	}
	if quote := path[1]; quote == '\'' || quote == '"' {
		if end = strings.Index(path[2:], string(quote)+"]"); end < 0 {
			return "", -1, -1
		}
		return path[2 : end+2], -1, end + 4
	}
	index, err := strconv.Atoi(path[1:end])
	if err != nil || index < 0 {
		return "", -1, -1
	}
	return "", index, end + 1
}

// child gives a member or an item of a container. Items come in order: one far behind the last has no place.
func (f *call) child(n *node, name string, index int) *node {
	kind := byte('{')
	if index >= 0 {
		kind = '['
	}
	if n.kind == 0 {
		n.kind = kind
	}
	if n.kind != kind || index > len(n.members) {
		return nil
	}
	if kind == '{' {
		at, ok := n.index[name]
		if index = at; !ok {
			index = len(n.names)
		}
	}
	if index < len(n.members) {
		return n.members[index]
	}
	if f.nodes++; f.nodes > maxNodes {
		return nil
	}
	n.names, n.members = append(n.names, name), append(n.members, &node{})
	if kind == '{' {
		if n.index == nil {
			n.index = map[string]int{}
		}
		n.index[name] = index
	}
	return n.members[index]
}

// append writes the value as JSON; no value at all is an object without members.
func (n *node) append(dst []byte) []byte {
	switch {
	case n == nil:
		return append(dst, `{}`...)
	case n.kind == '"':
		return value.AppendQuoted(dst, string(n.text))
	case n.kind == '0':
		return append(dst, n.text...)
	case n.kind == '[':
		dst = append(dst, '[')
		for i, m := range n.members {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = m.append(dst)
		}
		return append(dst, ']')
	case n.kind == '{':
		dst = append(dst, '{')
		for i, m := range n.members {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(value.AppendQuoted(dst, n.names[i]), ':')
			dst = m.append(dst)
		}
		return append(dst, '}')
	default:
		return append(dst, `null`...)
	}
}
