package value

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits bound what a decoder takes. A zero field means the default.
type Limits struct {
	// Depth is the deepest nesting of arrays and objects; 512 by default.
	Depth int
	// Nodes is the largest count of values in one text; 1,000,000 by default. A text of "[0,0,0…" costs 24 times its size in memory.
	Nodes int
}

const (
	defaultDepth = 512
	defaultNodes = 1_000_000
)

// Rule names what a text violates.
type Rule string

// The rules of strict reading.
const (
	RuleSyntax    Rule = "json_syntax"
	RuleUTF8      Rule = "json_utf8"
	RuleSurrogate Rule = "json_surrogate"
	RuleDuplicate Rule = "json_duplicate_name"
	RuleTrailing  Rule = "json_trailing_data"
	RuleNumber    Rule = "json_number"
	RuleDepth     Rule = "json_depth"
	RuleNodes     Rule = "json_nodes"
)

// SyntaxError says why a text is not strict JSON. It holds no part of the text but member names in the pointer.
type SyntaxError struct {
	// Offset is the byte offset of the fault.
	Offset int
	// Pointer is the JSON pointer of the innermost value that was being read.
	Pointer string
	// Rule is the violated rule.
	Rule Rule
	// Message says it in plain words.
	Message string
	// Unfinished is set where the text ended before the value did.
	Unfinished bool
}

// Error says the place and the message.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s at byte %d", e.Message, e.Offset)
}

// Decode reads one strict JSON value. The bytes may be reused afterwards. The error is a *SyntaxError.
func Decode(src []byte, limits Limits) (Value, error) { return DecodeString(string(src), limits) }

// DecodeString is Decode without a copy: the value shares the text's memory.
func DecodeString(src string, limits Limits) (Value, error) {
	d := decoder{src: src, nodes: limits.Nodes, depth: limits.Depth}
	d.stack = d.room[:0]
	if d.nodes == 0 {
		d.nodes = defaultNodes
	}
	if d.depth == 0 {
		d.depth = defaultDepth
	}
	if !utf8.ValidString(src) {
		return Value{}, d.badUTF8()
	}
	d.space()
	v, ok := d.value(0)
	if ok {
		d.space()
		if d.at == len(src) {
			return v, nil
		}
		d.fail(d.at, RuleTrailing, "something follows the JSON value")
	}
	return Value{}, d.error()
}

type decoder struct {
	src   string
	at    int
	depth int
	nodes int
	stack []Member   // members of the containers being read; copied out when one ends
	room  [12]Member // that the stack begins in: it lies on the goroutine's
	lists [][]Member // room for the slices of containers: one allocation serves many
	path  []string   // filled while an error unwinds, innermost first
	err   *SyntaxError
}

func (d *decoder) fail(at int, rule Rule, message string) {
	if d.err == nil {
		d.err = &SyntaxError{Offset: at, Rule: rule, Message: message, Unfinished: rule == RuleSyntax && at >= len(d.src)}
	}
}

func (d *decoder) error() error {
	for _, token := range slices.Backward(d.path) {
		d.err.Pointer = AppendPointer(d.err.Pointer, token)
	}
	return d.err
}

func (d *decoder) badUTF8() error {
	for i := 0; i < len(d.src); {
		r, n := utf8.DecodeRuneInString(d.src[i:])
		if r == utf8.RuneError && n == 1 {
			d.fail(i, RuleUTF8, "the text is not valid UTF-8")
			break
		}
		i += n
	}
	return d.error()
}

func (d *decoder) space() {
	for d.at < len(d.src) {
		switch d.src[d.at] {
		case ' ', '\t', '\n', '\r':
			d.at++
		default:
			return
		}
	}
}

func (d *decoder) value(depth int) (Value, bool) {
	if d.nodes--; d.nodes < 0 {
		d.fail(d.at, RuleNodes, "the JSON text holds too many values")
		return Value{}, false
	}
	if d.at >= len(d.src) {
		d.fail(d.at, RuleSyntax, "the JSON text ends where a value should begin")
		return Value{}, false
	}
	start := d.at
	v, ok := d.kind(depth)
	if ok {
		v.offset = int32(start) + 1 //nolint:gosec // Texts are bounded far below 2 GiB by their readers.
	}
	return v, ok
}

func (d *decoder) kind(depth int) (Value, bool) {
	switch c := d.src[d.at]; c {
	case '{':
		return d.object(depth + 1)
	case '[':
		return d.array(depth + 1)
	case '"':
		s, ok := d.string()
		return Value{meta: meta{kind: KindString}, text: s}, ok
	case 't':
		return Value{meta: meta{kind: KindBool, truth: true}}, d.word("true")
	case 'f':
		return Value{meta: meta{kind: KindBool}}, d.word("false")
	case 'n':
		return Value{}, d.word("null")
	default:
		if c != '-' && !isDigit(c) {
			d.fail(d.at, RuleSyntax, "a character that begins no JSON value")
			return Value{}, false
		}
		end, fault := scanNumber(d.src, d.at)
		if fault != "" {
			rule := RuleSyntax
			if end == d.at {
				rule = RuleNumber
			}
			d.fail(end, rule, fault)
			return Value{}, false
		}
		v := Value{meta: meta{kind: KindNumber}, text: d.src[d.at:end]}
		d.at = end
		return v, true
	}
}

func (d *decoder) word(word string) bool {
	rest := d.src[d.at:]
	if strings.HasPrefix(rest, word) {
		d.at += len(word)
		return true
	}
	n := 0
	for n < len(rest) && n < len(word) && rest[n] == word[n] {
		n++
	}
	d.fail(d.at+n, RuleSyntax, "a character that begins no JSON value")
	return false
}

func (d *decoder) array(depth int) (Value, bool) {
	if !d.enter(depth) {
		return Value{}, false
	}
	base := len(d.stack)
	if d.next() == ']' {
		d.at++
		return Value{meta: meta{kind: KindArray}}, true
	}
	for {
		place := len(d.stack) - base // A value with a fault leaves its members on the stack.
		v, ok := d.value(depth)
		if !ok {
			d.path = append(d.path, strconv.Itoa(place))
			return Value{}, false
		}
		d.stack = append(d.stack, Member{Value: v})
		switch d.next() {
		case ',':
			d.at++
			d.space()
		case ']':
			d.at++
			return Value{members: d.leave(base), meta: meta{kind: KindArray}}, true
		default:
			d.fail(d.at, RuleSyntax, "a comma or the end of the array is missing")
			return Value{}, false
		}
	}
}

func (d *decoder) object(depth int) (Value, bool) {
	if !d.enter(depth) {
		return Value{}, false
	}
	base := len(d.stack)
	if d.next() == '}' {
		d.at++
		return Value{meta: meta{kind: KindObject}}, true
	}
	var names nameSet
	for {
		if d.at >= len(d.src) || d.src[d.at] != '"' {
			d.fail(d.at, RuleSyntax, "a member name in double quotes is missing")
			return Value{}, false
		}
		start := d.at
		name, ok := d.string()
		if !ok {
			return Value{}, false
		}
		if names.has(d.stack[base:], name) {
			d.path = append(d.path, name)
			d.fail(start, RuleDuplicate, "a member name stands twice in one object")
			return Value{}, false
		}
		if d.next() != ':' {
			d.fail(d.at, RuleSyntax, "a colon is missing behind a member name")
			return Value{}, false
		}
		d.at++
		d.space()
		v, ok := d.value(depth)
		if !ok {
			d.path = append(d.path, name)
			return Value{}, false
		}
		d.stack = append(d.stack, Member{Name: name, Value: v})
		switch d.next() {
		case ',':
			d.at++
			d.space()
		case '}':
			d.at++
			return Value{members: d.leave(base), meta: meta{kind: KindObject}}, true
		default:
			d.fail(d.at, RuleSyntax, "a comma or the end of the object is missing")
			return Value{}, false
		}
	}
}

// enter steps over the opening bracket.
func (d *decoder) enter(depth int) bool {
	if depth > d.depth {
		d.fail(d.at, RuleDepth, fmt.Sprintf("the JSON text nests deeper than %d levels", d.depth))
		return false
	}
	d.at++
	return true
}

// next skips white space and gives the next byte, 0 at the end.
func (d *decoder) next() byte {
	d.space()
	if d.at >= len(d.src) {
		return 0
	}
	return d.src[d.at]
}

// leave takes a container's members off the stack in a slice of their own.
func (d *decoder) leave(base int) *[]Member {
	members := make([]Member, len(d.stack)-base)
	copy(members, d.stack[base:])
	clear(d.stack[base:])
	d.stack = d.stack[:base]
	if len(d.lists) == cap(d.lists) {
		const most = 64
		size := most
		if d.lists == nil {
			size = min(1+strings.Count(d.src[d.at:], "]")+strings.Count(d.src[d.at:], "}"), most)
		}
		d.lists = make([][]Member, 0, size) // The full one stays where it is: values point into it.
	}
	d.lists = append(d.lists, members)
	return &d.lists[len(d.lists)-1]
}

// nameSet finds names that stand twice: by comparing in small objects, by a map in wide ones.
type nameSet struct{ seen map[string]struct{} }

func (s *nameSet) has(members []Member, name string) bool {
	const few = 16
	if len(members) < few {
		for i := range members {
			if members[i].Name == name {
				return true
			}
		}
		return false
	}
	if s.seen == nil {
		s.seen = make(map[string]struct{}, 4*few)
		for i := range members {
			s.seen[members[i].Name] = struct{}{}
		}
	}
	before := len(s.seen)
	s.seen[name] = struct{}{}
	return len(s.seen) == before
}

// string reads the string that begins at the quote; without escapes it shares the text's memory.
func (d *decoder) string() (string, bool) {
	start := d.at + 1
	for i := start; i < len(d.src); i++ {
		switch c := d.src[i]; {
		case c == '"':
			d.at = i + 1
			return d.src[start:i], true
		case c == '\\':
			return d.escaped(start, i)
		case c < 0x20:
			d.fail(i, RuleSyntax, "a control character stands unescaped in a string")
			return "", false
		}
	}
	d.fail(len(d.src), RuleSyntax, "a string has no end")
	return "", false
}

func (d *decoder) escaped(start, i int) (string, bool) {
	buf := make([]byte, 0, i-start+32)
	buf = append(buf, d.src[start:i]...)
	for i < len(d.src) {
		switch c := d.src[i]; {
		case c == '"':
			d.at = i + 1
			return string(buf), true
		case c < 0x20:
			d.fail(i, RuleSyntax, "a control character stands unescaped in a string")
			return "", false
		case c == '\\':
			var ok bool
			if buf, i, ok = d.escape(buf, i); !ok {
				return "", false
			}
		default:
			buf = append(buf, c)
			i++
		}
	}
	d.fail(len(d.src), RuleSyntax, "a string has no end")
	return "", false
}

// escape reads the escape that begins at i and gives the place behind it.
func (d *decoder) escape(buf []byte, i int) ([]byte, int, bool) {
	if i+1 >= len(d.src) {
		d.fail(len(d.src), RuleSyntax, "a string has no end")
		return nil, 0, false
	}
	switch c := d.src[i+1]; c {
	case '"', '\\', '/':
		return append(buf, c), i + 2, true
	case 'b':
		return append(buf, '\b'), i + 2, true
	case 'f':
		return append(buf, '\f'), i + 2, true
	case 'n':
		return append(buf, '\n'), i + 2, true
	case 'r':
		return append(buf, '\r'), i + 2, true
	case 't':
		return append(buf, '\t'), i + 2, true
	case 'u':
		return d.unicode(buf, i)
	default:
		d.fail(i+1, RuleSyntax, "an escape that JSON does not have")
		return nil, 0, false
	}
}

func (d *decoder) unicode(buf []byte, i int) ([]byte, int, bool) {
	r, ok := d.hex4(i + 2)
	if !ok {
		return nil, 0, false
	}
	if r < 0xD800 || r > 0xDFFF {
		return utf8.AppendRune(buf, r), i + 6, true
	}
	if r <= 0xDBFF && strings.HasPrefix(d.src[min(i+6, len(d.src)):], `\u`) {
		low, ok := d.hex4(i + 8)
		if !ok {
			return nil, 0, false
		}
		if low >= 0xDC00 && low <= 0xDFFF {
			return utf8.AppendRune(buf, 0x10000+(r-0xD800)<<10+(low-0xDC00)), i + 12, true
		}
	}
	d.fail(i, RuleSurrogate, "half of a surrogate pair stands alone")
	return nil, 0, false
}

func (d *decoder) hex4(i int) (rune, bool) {
	var r rune
	for j := i; j < i+4; j++ {
		if j >= len(d.src) {
			d.fail(len(d.src), RuleSyntax, "a string has no end")
			return 0, false
		}
		c := d.src[j]
		switch {
		case isDigit(c):
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			d.fail(j, RuleSyntax, "a hexadecimal digit is missing in an escape")
			return 0, false
		}
	}
	return r, true
}
