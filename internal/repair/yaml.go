package repair

import (
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// maxImplicitKey is how long a name and what may be one is looked at, as in YAML's own rule for names on one line.
const maxImplicitKey = 1024

// yaml reads block YAML: mappings, sequences, plain, quoted and block scalars; what stands in brackets is read as JSON is. Anchors, aliases and
// tags are not read: a text with them is taken for no YAML. The reader shares the parser's text, bounds and repairs.
type yaml struct {
	p     *parser
	depth int
	wrong bool // the text is no YAML that is read here
}

// blockYAML reads an answer in block YAML. ok is false where the text is none; the parser is then as it was.
func (p *parser) blockYAML() (result Result, ok bool) {
	if !p.hints.YAML || p.nested > 0 {
		return Result{}, false
	}
	body, to, fenced, open := p.body("yaml", "yml", "")
	whole, repairs, at := p.text, len(p.repairs), p.at
	defer func() { // JSON reading goes on as if nothing had been tried.
		p.text = whole
		if !ok {
			p.at, p.repairs, p.stack, p.unfinished, p.err = at, p.repairs[:repairs], p.stack[:0], false, nil
		}
	}()
	p.text = p.text[:to]
	if fenced {
		p.note(KindFence, body)
	}
	for try := 0; try < 3 && body < to; try++ {
		p.at, p.stack, p.err = body, p.stack[:0], nil
		before := len(p.repairs)
		p.note(KindYAML, body)
		y := yaml{p: p}
		if v, good := y.document(); good {
			p.unfinished = p.unfinished || open
			p.repairs = sortRepairs(p.repairs)
			return Result{Value: v, Repairs: p.repairs, Unfinished: p.unfinished}, true
		}
		p.repairs, p.unfinished = p.repairs[:before], false
		next := strings.Index(p.text[body:], "\n\n") // Prose before the value ends with an empty line.
		if next < 0 {
			break
		}
		p.note(KindProse, body)
		body += next + 2
	}
	return Result{}, false
}

// body finds the part of the text in which a value in another notation stands: behind reasoning and inside a code fence of one of those
// languages. open says that the fence has no end.
func (p *parser) body(languages ...string) (from, to int, fenced, open bool) {
	from, to = p.at, len(p.text)
	for _, name := range reasoningTags() {
		closer := "</" + name + ">"
		if i := strings.LastIndex(p.text, closer); i >= from {
			p.note(KindReasoning, from)
			from = i + len(closer)
		}
	}
	for at := from; ; {
		i := strings.Index(p.text[at:], "```")
		if i < 0 {
			return from, to, false, false
		}
		mark := at + i
		line := p.lineEnd(mark)
		language := strings.ToLower(strings.TrimSpace(p.text[mark+3 : line]))
		end := strings.Index(p.text[line:], "\n```")
		for _, want := range languages {
			if language != want {
				continue
			}
			if end < 0 {
				return min(line+1, len(p.text)), to, true, true
			}
			return min(line+1, len(p.text)), line + end + 1, true, false
		}
		if end < 0 {
			return from, to, false, false
		}
		at = line + end + len("\n```")
	}
}

// document reads the whole text.
func (y *yaml) document() (value.Value, bool) {
	p := y.p
	column, ok := y.line()
	if ok && p.has(p.at, "---") && (p.peek(p.at+3) == '\n' || p.peek(p.at+3) == '\r') {
		p.at = p.lineEnd(p.at)
		column, ok = y.line()
	}
	shape := p.hints.Schema
	if !ok || !y.dash(p.at) && (y.keyEnd(p.at) < 0 || y.announces(shape)) {
		return value.Value{}, false
	}
	v := y.block(column, shape)
	if y.wrong || p.err != nil || !accepts(shape, v.Kind()) || !resembles(v, shape) {
		return value.Value{}, false
	}
	if _, more := y.line(); more && !p.has(p.at, "...") && !p.has(p.at, "---") {
		if before := p.text[:p.at]; !strings.HasSuffix(before, "\n\n") && !strings.HasSuffix(before, "\n\r\n") {
			return value.Value{}, false
		}
		p.note(KindProse, p.at)
	}
	return v, true
}

// announces reports whether the line is the sentence that announces the answer: words with a colon, and an empty line behind them.
func (y *yaml) announces(shape Shape) bool {
	p := y.p
	colon := y.keyEnd(p.at)
	name := p.text[p.at:colon]
	return strings.Contains(name, " ") && !named(shape, name) && (p.has(colon+1, "\n\n") || p.has(colon+1, "\r\n\r\n"))
}

// resembles reports whether an object has a name that the schema has, where the schema demands any.
func resembles(v value.Value, shape Shape) bool {
	if shape == nil || v.Kind() != value.KindObject || len(shape.Required()) == 0 {
		return true
	}
	for name := range v.Members() {
		if _, named := shape.Property(name); named {
			return true
		}
	}
	return false
}

// line moves to the first character of the next line that holds something, where the cursor is not on one already, and gives its column.
func (y *yaml) line() (column int, ok bool) {
	p := y.p
	for !p.end() {
		start := p.at
		for start > 0 && p.text[start-1] != '\n' && p.at-start < maxImplicitKey {
			start--
		}
		for p.peek(p.at) == ' ' {
			p.at++
		}
		switch p.peek(p.at) {
		case '\r', '\n':
			p.at++
		case '#':
			p.note(KindComment, p.at)
			p.at = p.lineEnd(p.at)
		case '\t':
			rest := p.lineEnd(p.at)
			if strings.TrimSpace(p.text[p.at:rest]) != "" {
				y.wrong = true
				return 0, false
			}
			p.at = rest
		case 0:
			if !p.end() {
				y.wrong = true
			}
			return 0, false
		default:
			return p.at - start, true
		}
		p.steps++
	}
	return 0, false
}

// dash reports whether a sequence's item begins at k.
func (y *yaml) dash(k int) bool {
	return y.p.peek(k) == '-' && lineBreakOrSpace(y.p.peek(k+1))
}

func lineBreakOrSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == 0 }

// keyEnd gives the place of the colon behind a name that begins at k; -1 where none does.
func (y *yaml) keyEnd(k int) int {
	p := y.p
	limit := min(len(p.text), k+maxImplicitKey)
	i := k
	switch c := p.peek(k); c {
	case '"', '\'':
		for i++; i < limit && p.text[i] != c && p.text[i] != '\n'; i++ {
			if p.text[i] == '\\' && c == '"' {
				i++
			}
		}
		i++
		for p.peek(i) == ' ' {
			i++
		}
		if i < limit && p.text[i] == ':' && lineBreakOrSpace(p.peek(i+1)) {
			return i
		}
		return -1
	case '[', ']', '{', '}', '#', '&', '*', '!', '|', '>', '<', '%', '@', '`', ',', 0:
		return -1
	}
	for ; i < limit; i++ {
		switch p.text[i] {
		case '\n':
			return -1
		case '#':
			if p.text[i-1] == ' ' {
				return -1
			}
		case ':':
			if lineBreakOrSpace(p.peek(i + 1)) {
				return i
			}
		}
	}
	return -1
}

// block reads the mapping, sequence or scalar that begins at the cursor in that column.
func (y *yaml) block(column int, shape Shape) value.Value {
	p := y.p
	if y.depth++; y.depth > maxDepth {
		p.fail(value.RuleDepth, "the text nests deeper than 512 levels")
	}
	defer func() { y.depth-- }()
	start := p.at
	if y.wrong || !p.take() {
		return value.Value{}
	}
	switch {
	case y.dash(p.at):
		return y.sequence(column, shape).Located(start)
	case y.keyEnd(p.at) >= 0:
		return y.mapping(column, shape).Located(start)
	default:
		return y.scalar(column-1, shape).Located(start)
	}
}

func (y *yaml) sequence(column int, shape Shape) value.Value {
	p := y.p
	base := len(p.stack)
	for {
		p.at++
		v := y.behind(column, false, item(shape, len(p.stack)-base))
		if y.wrong || p.err != nil {
			return value.Value{}
		}
		p.stack = append(p.stack, value.Member{Value: v})
		at, ok := y.line()
		if !ok || at != column || !y.dash(p.at) {
			y.wrong = y.wrong || ok && at > column
			return p.arrayOf(base)
		}
	}
}

func (y *yaml) mapping(column int, shape Shape) value.Value {
	p := y.p
	o := object{p: p, shape: shape, base: len(p.stack), comma: -1}
	for {
		start, colon := p.at, y.keyEnd(p.at)
		name := y.text(start, colon)
		p.at = colon + 1
		v := y.behind(column, true, property(shape, name))
		if y.wrong || p.err != nil {
			return value.Value{}
		}
		o.put(name, v, start)
		at, ok := y.line()
		if !ok || at != column || y.keyEnd(p.at) < 0 {
			y.wrong = y.wrong || ok && at > column
			return value.Object(p.members(o.base)...)
		}
	}
}

// text gives a name or a scalar on one line, without its quotation marks.
func (y *yaml) text(from, to int) string {
	p := y.p
	raw := strings.TrimRight(p.text[from:to], " \t\r\n")
	n := len(raw)
	switch {
	case n > 1 && raw[0] == '"' && raw[n-1] == '"':
		return p.content(from+1, from+n-1)
	case n > 1 && raw[0] == '\'' && raw[n-1] == '\'':
		return strings.ReplaceAll(p.valid(raw[1:n-1], from+1), "''", "'")
	default:
		return p.valid(raw, from)
	}
}

// valid gives the text with U+FFFD for what is not UTF-8.
func (p *parser) valid(raw string, from int) string {
	if fixed := strings.ToValidUTF8(raw, "\uFFFD"); p.dirty && fixed != raw {
		p.note(KindBadUTF8, from)
		return fixed
	}
	return raw
}

// behind reads the value behind a name's colon or an item's dash: on the same line or below it, deeper than the column.
func (y *yaml) behind(column int, named bool, shape Shape) value.Value {
	p := y.p
	for p.peek(p.at) == ' ' {
		p.at++
	}
	c := p.peek(p.at)
	if c != '\n' && c != '\r' && c != 0 && c != '#' {
		if named {
			if !p.take() {
				return value.Value{}
			}
			start := p.at
			return y.scalar(column, shape).Located(start)
		}
		at, ok := y.line()
		if !ok {
			return value.Value{}
		}
		if y.dash(p.at) || y.keyEnd(p.at) >= 0 {
			return y.block(at, shape)
		}
		return y.scalar(column, shape)
	}
	at, ok := y.line()
	switch {
	case ok && (at > column || named && at == column && y.dash(p.at)):
		return y.block(at, shape)
	case !ok && !y.wrong:
		p.closed() // The name is the last thing in the text: its value may have been cut off.
	}
	p.take()
	return value.Null()
}

// scalar reads what is neither mapping nor sequence; its further lines stand deeper than the column.
func (y *yaml) scalar(column int, shape Shape) value.Value {
	p := y.p
	start := p.at
	switch c := p.text[start]; c {
	case '{', '[':
		v, ok := p.value(atRoot, shape)
		y.wrong = y.wrong || !ok || !y.lineIsOver()
		return v
	case '"', '\'':
		end := y.quotedEnd(start, c)
		if end < 0 {
			p.at = len(p.text)
			p.closed()
			return value.String(p.content(start+1, len(p.text)))
		}
		text := ""
		if strings.Contains(p.text[start:end], "\n") {
			text = y.foldedText(p.text[start+1:end-1], c, start)
		} else {
			text = y.text(start, end)
		}
		p.at = end
		y.wrong = y.wrong || !y.lineIsOver()
		return value.String(text)
	case '|', '>':
		return y.blockScalar(column, c)
	case '&', '*', '!', '%', '@', '`', '#':
		y.wrong = true
		return value.Value{}
	}
	return y.plain(column, shape)
}

// quotedEnd gives the place behind the mark that ends a quoted scalar; -1 where none does.
func (y *yaml) quotedEnd(k int, mark byte) int {
	p := y.p
	for i := k + 1; i < len(p.text); i++ {
		switch c := p.text[i]; {
		case c == '\\' && mark == '"':
			i++
		case c == mark && mark == '\'' && p.peek(i+1) == mark:
			i++
		case c == mark:
			p.steps += i - k
			return i + 1
		}
	}
	return -1
}

// foldedText gives the contents of a quoted scalar over several lines.
func (y *yaml) foldedText(raw string, mark byte, start int) string {
	raw = y.p.valid(folded(raw), start)
	if mark == '\'' {
		return strings.ReplaceAll(raw, "''", "'")
	}
	var buf []byte
	for i := 0; i < len(raw); {
		if raw[i] != '\\' {
			buf = append(buf, raw[i])
			i++
			continue
		}
		out, n, kind := unescape(buf, raw[i:])
		if kind != "" {
			y.p.note(KindBadEscape, start)
		}
		buf = out
		i += n
	}
	return string(buf)
}

// folded joins the lines of a quoted scalar: a line break is a space, an empty line is a line break.
func folded(text string) string {
	lines := strings.Split(text, "\n")
	var out strings.Builder
	empty := 0
	for i, line := range lines {
		if i > 0 {
			line = strings.TrimLeft(line, " \t")
		}
		if i+1 < len(lines) {
			line = strings.TrimRight(line, " \t\r")
		}
		switch {
		case i > 0 && line == "" && i+1 < len(lines):
			empty++
			continue
		case empty > 0:
			out.WriteString(strings.Repeat("\n", empty))
		case i > 0:
			out.WriteByte(' ')
		}
		empty = 0
		out.WriteString(line)
	}
	return out.String()
}

// lineIsOver reports whether nothing but white space and a comment stands in the rest of the line, and moves behind it.
func (y *yaml) lineIsOver() bool {
	p := y.p
	end := p.lineEnd(p.at)
	rest := strings.TrimSpace(p.text[p.at:end])
	if rest != "" && rest[0] != '#' {
		return false
	}
	p.at = end
	return true
}

// blockScalar reads the text below a bar or a greater-than sign.
func (y *yaml) blockScalar(column int, style byte) value.Value {
	p := y.p
	end := p.lineEnd(p.at)
	header := strings.TrimSpace(p.text[p.at+1 : end])
	if header, _, _ = strings.Cut(header, " #"); len(header) > 2 {
		y.wrong = true
		return value.Value{}
	}
	var lines []string
	indent := -1
	for p.at = end; p.at < len(p.text); p.at = end {
		from := p.at + 1
		if from >= len(p.text) {
			p.at = len(p.text)
			break
		}
		end = p.lineEnd(from)
		line := strings.TrimRight(p.text[from:end], "\r")
		body := strings.TrimLeft(line, " ")
		if body == "" {
			lines = append(lines, "")
			continue
		}
		if indent < 0 {
			indent = len(line) - len(body)
		}
		if deep := len(line) - len(body); deep <= column || deep < indent {
			break
		}
		lines = append(lines, line[indent:])
		p.steps += len(line)
	}
	tail := 0
	for tail < len(lines) && lines[len(lines)-1-tail] == "" {
		tail++
	}
	text := strings.Join(lines[:len(lines)-tail], "\n")
	if style == '>' {
		text = folded(text)
	}
	switch {
	case strings.Contains(header, "-") || text == "":
	case strings.Contains(header, "+"):
		text += strings.Repeat("\n", 1+tail)
	default:
		text += "\n"
	}
	return value.String(p.valid(text, p.at))
}

// plain reads a scalar without quotation marks.
func (y *yaml) plain(column int, shape Shape) value.Value {
	p := y.p
	start := p.at
	text := y.plainLine()
	mark := p.at
	blank := strings.Count(p.text[mark:min(len(p.text), mark+2)], "\n") > 1
	at, ok := y.line()
	if !ok || at <= column || blank {
		p.at = mark
		if v, ok := y.typed(text, start, shape); ok {
			return v
		}
		return value.String(p.valid(text, start))
	}
	var lines strings.Builder
	lines.WriteString(text)
	for ok && at > column && y.keyEnd(p.at) < 0 {
		lines.WriteByte(' ')
		lines.WriteString(y.plainLine())
		mark = p.at
		at, ok = y.line()
	}
	y.wrong = y.wrong || ok && at > column // A name stands where the text goes on.
	p.at, text = mark, lines.String()
	return value.String(p.valid(text, start))
}

// plainLine reads the rest of the line without its comment.
func (y *yaml) plainLine() string {
	p := y.p
	end := p.lineEnd(p.at)
	line := p.text[p.at:end]
	p.steps += len(line)
	if i := strings.Index(line, " #"); i >= 0 {
		p.note(KindComment, p.at+i+1)
		line = line[:i]
	}
	p.at = end
	return strings.TrimSpace(line)
}

// typed gives a plain scalar that is a literal or a number, where the schema does not want a text.
func (y *yaml) typed(text string, start int, shape Shape) (value.Value, bool) {
	if text == "~" {
		return value.Null(), true
	}
	v, kind, ok := y.p.classify(text, shape, false)
	if !ok || text == "undefined" || text == "nil" || text == "None" || strings.EqualFold(text, "nan") {
		return value.Value{}, false
	}
	if shape != nil && !shape.Accepts(v.Kind()) && shape.Accepts(value.KindString) {
		return value.Value{}, false
	}
	if kind == KindNumber {
		y.p.note(kind, start)
	}
	return v, true
}
