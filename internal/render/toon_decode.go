package render

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/promptd/promptd/internal/value"
)

// TOONError says why a text is not strict TOON. It holds no part of the text.
type TOONError struct {
	// Line is the number of the line, from 1; 0 where the text as a whole is at fault.
	Line int
	// Message says it in plain words.
	Message string
}

// Error says the place and the message.
func (e *TOONError) Error() string {
	if e.Line == 0 {
		return "toon: " + e.Message
	}
	return fmt.Sprintf("toon: line %d: %s", e.Line, e.Message)
}

// The bounds of a text: those of value.Decode.
const (
	toonMaxDepth = 512
	toonMaxNodes = 1_000_000
)

// DecodeTOON reads one TOON document in strict mode, with two spaces a level (toon-spec: 4.4). Numbers keep their digits; one
// beyond value's bounds is an error, and so is nesting deeper than 512 or a text of more than a million values. A declared length
// reserves nothing. The error is a *TOONError.
func DecodeTOON(src []byte) (v value.Value, err error) {
	if !utf8.Valid(src) {
		return value.Null(), &TOONError{Message: "the text is not valid UTF-8"}
	}
	lines, err := toonLines(string(src))
	if err != nil {
		return value.Null(), err
	}
	r := toonReader{lines: lines}
	return r.document()
}

// toonLine is a line that is neither blank nor a comment.
type toonLine struct {
	number int
	depth  int
	text   string
	// gap says that blank lines stand before it.
	gap bool
}

// toonLines prepares the lines: byte-order mark, line ends, trailing spaces, comments, blank lines, indentation.
func toonLines(src string) ([]toonLine, error) {
	var lines []toonLine
	number, gap := 0, false
	for text := range strings.SplitSeq(strings.TrimPrefix(src, "\uFEFF"), "\n") {
		number++
		text = strings.TrimRight(strings.TrimSuffix(text, "\r"), " ")
		content := strings.TrimLeft(text, " ")
		switch spaces := len(text) - len(content); {
		case content == "":
			gap = true
		case content[0] == '#':
		case content[0] == '\t':
			return nil, &TOONError{number, "a tab in the indentation"}
		case spaces%2 != 0:
			return nil, &TOONError{number, "the indentation is not a multiple of two spaces"}
		default:
			lines = append(lines, toonLine{number: number, depth: spaces / 2, text: content, gap: gap})
			gap = false
		}
	}
	return lines, nil
}

// toonReader reads prepared lines from top to bottom.
type toonReader struct {
	lines []toonLine
	next  int
	// span counts the header spans around the next line, in which no blank line may stand.
	span  int
	nodes int
	depth int
}

func (r *toonReader) document() (value.Value, error) {
	if len(r.lines) == 0 {
		return value.Object(), nil
	}
	first := r.lines[0]
	if first.depth != 0 {
		return value.Null(), &TOONError{first.number, "the first line is indented"}
	}
	v, err := r.root(first)
	if err != nil {
		return value.Null(), err
	}
	if r.next < len(r.lines) {
		return value.Null(), r.stray()
	}
	return v, nil
}

func (r *toonReader) root(first toonLine) (value.Value, error) {
	marks := scanTOON(first.text, 0)
	switch {
	case marks.isHeader() && first.text[0] == '[':
		r.next++
		h, err := parseTOONHeader(first)
		if err != nil {
			return value.Null(), err
		}
		return r.body(h, first, 0)
	case first.text == "[]":
		r.next++
		return value.Array(), r.count(first)
	case marks.colon < 0 && len(r.lines) == 1:
		r.next++
		return r.primitive(first, first.text)
	}
	return r.object(0, toonMembers{})
}

// stray says why the next line belongs to nothing.
func (r *toonReader) stray() error {
	return &TOONError{r.lines[r.next].number, "the line belongs to nothing above it: wrong indentation, or more content than the lines above announce"}
}

// peek gives the next line if it stands at the depth or deeper.
func (r *toonReader) peek(depth int) (toonLine, bool) {
	if r.next >= len(r.lines) || r.lines[r.next].depth < depth {
		return toonLine{}, false
	}
	return r.lines[r.next], true
}

// take goes on to the next line.
func (r *toonReader) take(l toonLine) error {
	r.next++
	if l.gap && r.span > 0 {
		return &TOONError{l.number, "a blank line inside an array or table"}
	}
	return nil
}

// count counts a value against the bound.
func (r *toonReader) count(l toonLine) error {
	r.nodes++
	if r.nodes > toonMaxNodes {
		return &TOONError{l.number, "more than a million values"}
	}
	return nil
}

// enter counts a level of nesting against the bound; the caller leaves with r.depth--.
func (r *toonReader) enter(l toonLine) error {
	r.depth++
	if r.depth > toonMaxDepth {
		return &TOONError{l.number, "nested deeper than 512"}
	}
	return r.count(l)
}

// object reads the fields at a depth behind those already read, and counts as one value.
func (r *toonReader) object(depth int, members toonMembers) (value.Value, error) {
	for {
		l, ok := r.peek(depth)
		if !ok {
			return members.object(), nil
		}
		if l.depth > depth {
			return value.Null(), r.stray()
		}
		if err := r.take(l); err != nil {
			return value.Null(), err
		}
		name, v, err := r.field(l, l.text, depth)
		if err != nil {
			return value.Null(), err
		}
		if !members.add(name, v) {
			return value.Null(), &TOONError{l.number, "a key stands twice"}
		}
	}
}

// field reads a field whose line stands at a depth; text is the line, or what stands behind a hyphen.
func (r *toonReader) field(l toonLine, text string, depth int) (name string, v value.Value, err error) {
	marks := scanTOON(text, 0)
	if marks.colon < 0 {
		return "", value.Null(), &TOONError{l.number, "a key without a colon"}
	}
	if marks.isHeader() {
		h, err := parseTOONHeader(toonLine{number: l.number, text: text})
		if err != nil {
			return "", value.Null(), err
		}
		if !h.named {
			return "", value.Null(), &TOONError{l.number, "a header without a key stands where a field is due"}
		}
		v, err := r.body(h, l, depth)
		return h.name, v, err
	}
	name, err = toonKey(l, text[:marks.colon])
	if err != nil {
		return "", value.Null(), err
	}
	v, err = r.fieldValue(l, strings.Trim(text[marks.colon+1:], " "), depth)
	return name, v, err
}

func (r *toonReader) fieldValue(l toonLine, rest string, depth int) (value.Value, error) {
	switch rest {
	case "[]":
		return value.Array(), r.count(l)
	case "":
		if err := r.enter(l); err != nil {
			return value.Null(), err
		}
		defer func() { r.depth-- }()
		return r.object(depth+1, toonMembers{})
	}
	return r.primitive(l, rest)
}

// body reads what a header at a depth announces.
func (r *toonReader) body(h toonHeader, l toonLine, depth int) (value.Value, error) {
	if err := r.enter(l); err != nil {
		return value.Null(), err
	}
	defer func() { r.depth-- }()
	switch {
	case h.fields != nil && h.rest != "":
		return value.Null(), &TOONError{l.number, "content behind the colon of a table's header"}
	case h.keyed:
		return r.entries(h, l, depth+1)
	case h.fields != nil:
		return r.rows(h, l, depth+1)
	case h.rest != "":
		return r.inline(h, l)
	}
	return r.list(h, l, depth+1)
}

func (r *toonReader) inline(h toonHeader, l toonLine) (value.Value, error) {
	cells := splitTOON(h.rest, h.delimiter)
	if uint64(len(cells)) != h.length {
		return value.Null(), miscount(l, h, len(cells))
	}
	items := make([]value.Value, len(cells))
	for i, cell := range cells {
		v, err := r.primitive(l, cell)
		if err != nil {
			return value.Null(), err
		}
		items[i] = v
	}
	return value.Array(items...), nil
}

func miscount(l toonLine, h toonHeader, got int) error {
	if h.length == math.MaxUint64 {
		return &TOONError{l.number, fmt.Sprintf("%d items where the header announces more than can be counted", got)}
	}
	return &TOONError{l.number, fmt.Sprintf("%d items where the header announces %d", got, h.length)}
}

// rows reads the rows of a table.
func (r *toonReader) rows(h toonHeader, head toonLine, depth int) (value.Value, error) {
	var items []value.Value
	outside := r.span
	defer func() { r.span = outside }()
	for {
		l, ok := r.peek(depth)
		if !ok || l.depth > depth || !isTOONRow(l.text, h.delimiter) {
			break
		}
		if err := r.take(l); err != nil {
			return value.Null(), err
		}
		r.span = outside + 1
		v, err := r.row(h, l, l.text)
		if err != nil {
			return value.Null(), err
		}
		items = append(items, v)
	}
	if uint64(len(items)) != h.length {
		return value.Null(), miscount(head, h, len(items))
	}
	return value.Array(items...), nil
}

// isTOONRow says that a line at a table's row depth is a row and not a field.
func isTOONRow(text string, delimiter byte) bool {
	marks := scanTOON(text, delimiter)
	return marks.colon < 0 || marks.delimiter >= 0 && marks.delimiter < marks.colon
}

// entries reads the rows of a keyed table.
func (r *toonReader) entries(h toonHeader, head toonLine, depth int) (value.Value, error) {
	var members toonMembers
	outside := r.span
	defer func() { r.span = outside }()
	for {
		l, ok := r.peek(depth)
		if !ok || l.depth > depth {
			break
		}
		if err := r.take(l); err != nil {
			return value.Null(), err
		}
		r.span = outside + 1
		colon := scanTOON(l.text, 0).colon
		if colon < 0 {
			return value.Null(), &TOONError{l.number, "a row of a keyed table without a key"}
		}
		name, err := toonKey(l, l.text[:colon])
		if err != nil {
			return value.Null(), err
		}
		v, err := r.row(h, l, strings.Trim(l.text[colon+1:], " "))
		if err != nil {
			return value.Null(), err
		}
		if !members.add(name, v) {
			return value.Null(), &TOONError{l.number, "a key stands twice"}
		}
	}
	if uint64(len(members.list)) != h.length {
		return value.Null(), miscount(head, h, len(members.list))
	}
	return members.object(), nil
}

// row makes an object of the cells of a row.
func (r *toonReader) row(h toonHeader, l toonLine, text string) (value.Value, error) {
	var cells []string
	if text != "" {
		cells = splitTOON(text, h.delimiter)
	}
	if len(cells) != h.leaves {
		return value.Null(), &TOONError{l.number, fmt.Sprintf("%d cells in a row of %d fields", len(cells), h.leaves)}
	}
	v, _, err := r.group(h.fields, l, cells)
	return v, err
}

// group makes an object of the fields and gives the cells that are left.
func (r *toonReader) group(fields []toonField, l toonLine, cells []string) (value.Value, []string, error) {
	if err := r.enter(l); err != nil {
		return value.Null(), nil, err
	}
	defer func() { r.depth-- }()
	members := make([]value.Member, len(fields))
	for i, f := range fields {
		var err error
		members[i].Name = f.name
		if f.group != nil {
			members[i].Value, cells, err = r.group(f.group, l, cells)
		} else {
			members[i].Value, err = r.primitive(l, cells[0])
			cells = cells[1:]
		}
		if err != nil {
			return value.Null(), nil, err
		}
	}
	return value.Object(members...), cells, nil
}

// list reads the items of a list.
func (r *toonReader) list(h toonHeader, head toonLine, depth int) (value.Value, error) {
	var items []value.Value
	outside := r.span
	defer func() { r.span = outside }()
	for {
		l, ok := r.peek(depth)
		if !ok || l.depth > depth || l.text != "-" && !strings.HasPrefix(l.text, "- ") {
			break
		}
		if err := r.take(l); err != nil {
			return value.Null(), err
		}
		r.span = outside + 1
		v, err := r.item(l, strings.TrimLeft(l.text[1:], " "), depth)
		if err != nil {
			return value.Null(), err
		}
		items = append(items, v)
	}
	if uint64(len(items)) != h.length {
		return value.Null(), miscount(head, h, len(items))
	}
	return value.Array(items...), nil
}

// item reads a list item whose hyphen stands at a depth; text is what stands behind it.
func (r *toonReader) item(l toonLine, text string, depth int) (value.Value, error) {
	switch text {
	case "":
		return value.Object(), r.count(l)
	case "[]":
		return value.Array(), r.count(l)
	}
	marks := scanTOON(text, 0)
	if marks.colon < 0 {
		return r.primitive(l, text)
	}
	if marks.isHeader() && text[0] == '[' {
		h, err := parseTOONHeader(toonLine{number: l.number, text: text})
		if err != nil {
			return value.Null(), err
		}
		if h.fields != nil {
			return value.Null(), &TOONError{l.number, "a table without a key stands in a list"}
		}
		return r.body(h, l, depth)
	}
	// The first field stands behind the hyphen and counts as one deeper.
	if err := r.enter(l); err != nil {
		return value.Null(), err
	}
	defer func() { r.depth-- }()
	name, v, err := r.field(l, text, depth+1)
	if err != nil {
		return value.Null(), err
	}
	var members toonMembers
	members.add(name, v)
	return r.object(depth+1, members)
}

// toonMembers are the members of an object that is being read.
type toonMembers struct {
	list []value.Member
	// seen has every name once there are enough of them that a look through the list costs more.
	seen map[string]struct{}
}

// fewMembers is the number of members up to which names are compared one by one.
const fewMembers = 16

// add appends a member, unless its name is there.
func (m *toonMembers) add(name string, v value.Value) bool {
	if m.seen == nil && len(m.list) >= fewMembers {
		m.seen = make(map[string]struct{}, 2*fewMembers)
		for i := range m.list {
			m.seen[m.list[i].Name] = struct{}{}
		}
	}
	if m.has(name) {
		return false
	}
	if m.seen != nil {
		m.seen[name] = struct{}{}
	}
	m.list = append(m.list, value.Member{Name: name, Value: v})
	return true
}

func (m *toonMembers) has(name string) bool {
	if m.seen != nil {
		_, ok := m.seen[name]
		return ok
	}
	for i := range m.list {
		if m.list[i].Name == name {
			return true
		}
	}
	return false
}

func (m *toonMembers) object() value.Value { return value.Object(m.list...) }
