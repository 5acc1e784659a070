package template

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// node is a piece of a template's text.
type node struct {
	kind nodeKind
	// text is literal text, or the name of a parameter.
	text   string
	offset int
	inner  []node
}

type nodeKind uint8

const (
	literal nodeKind = iota
	placeholder
	section  // {{#name}} … {{/name}}: where the parameter is there, or true.
	inverted // {{^name}} … {{/name}}: where it is not.
)

// The bounds of a text.
const (
	mostDepth = 8
	mostTags  = 1000
)

// problem is a fault at an offset of a text.
type problem struct {
	offset              int
	rule, message, hint string
}

// place gives line and column, both from 1; columns count characters.
func place(text string, offset int) string {
	before := text[:offset]
	line := 1 + strings.Count(before, "\n")
	return fmt.Sprintf("line %d, column %d", line, 1+utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]))
}

// parser reads one text: {{ name }}, {{#name}}…{{/name}}, {{^name}}…{{/name}}; \{{ is a literal {{.
type parser struct {
	text     string
	open     []*node // Sections that are open, below them the root.
	problems []problem
	tags     int
}

// parse reads a text. With problems the nodes are not to be used.
func parse(text string) ([]node, []problem) {
	root := &node{}
	p := &parser{text: text, open: []*node{root}}
	for i := 0; i < len(text); {
		start := strings.Index(text[i:], "{{")
		if start < 0 {
			p.literal(text[i:], i)
			break
		}
		start += i
		if start > i && text[start-1] == '\\' {
			p.literal(text[i:start-1]+"{{", i)
			i = start + 2
			continue
		}
		length := strings.Index(text[start:], "}}")
		if length < 0 {
			p.fail(start, "unclosed", "{{ is never closed", `Close it with }}, or write \{{ for the two characters themselves.`)
			break
		}
		end := start + length + 2
		if p.tags++; p.tags > mostTags {
			p.fail(start, "max_tags", fmt.Sprintf("a text has at most %d placeholders", mostTags), "Split the template.")
			break
		}
		before, after := i, end
		if isBlock(text[start+2 : end-2]) {
			before, after = alone(text, i, start, end)
			p.literal(text[i:max(i, min(start, before))], i)
		} else {
			p.literal(text[i:start], i)
		}
		p.tag(start, text[start+2:end-2])
		i = after
	}
	for _, n := range p.open[1:] {
		p.fail(n.offset, "unclosed", "the section "+n.text+" is never closed", "Close it with {{/"+n.text+"}}.")
	}
	return root.inner, p.problems
}

// alone widens the tag of a section that stands on a line of its own to the whole line, so that it leaves no empty one behind.
func alone(text string, from, start, end int) (before, after int) {
	line := start
	for line > from && (text[line-1] == ' ' || text[line-1] == '\t') {
		line--
	}
	if line > 0 && text[line-1] != '\n' {
		return start, end
	}
	rest := strings.TrimLeft(text[end:], " \t")
	switch {
	case strings.HasPrefix(rest, "\r\n"):
		return line, len(text) - len(rest) + 2
	case strings.HasPrefix(rest, "\n"):
		return line, len(text) - len(rest) + 1
	case rest == "":
		return line, len(text)
	}
	return start, end
}

func isBlock(inside string) bool {
	return inside != "" && (inside[0] == '#' || inside[0] == '^' || inside[0] == '/')
}

func (p *parser) fail(offset int, rule, message, hint string) {
	p.problems = append(p.problems, problem{offset, rule, message, hint})
}

func (p *parser) add(n node) {
	top := p.open[len(p.open)-1]
	top.inner = append(top.inner, n)
}

func (p *parser) literal(text string, offset int) {
	if text != "" {
		p.add(node{kind: literal, text: text, offset: offset})
	}
}

// tag takes what stands between {{ and }}.
func (p *parser) tag(offset int, inside string) {
	kind, closes := placeholder, false
	name := inside
	if isBlock(inside) {
		kind, closes, name = section, inside[0] == '/', inside[1:]
		if inside[0] == '^' {
			kind = inverted
		}
	}
	name = strings.Trim(name, " \t")
	if !isParameter(name) {
		p.fail(offset, "pattern", "this is not the name of a parameter", `A name has 1 to 64 letters a-z, digits and underscores and begins with a letter. Write \{{ for two literal braces.`)
		return
	}
	n := node{kind: kind, text: name, offset: offset}
	switch {
	case kind == placeholder:
		p.add(n)
	case closes:
		p.close(n)
	case len(p.open) > mostDepth:
		p.fail(offset, "max_depth", fmt.Sprintf("sections nest at most %d deep", mostDepth), "Flatten the template.")
	default:
		p.open = append(p.open, &n)
	}
}

func (p *parser) close(n node) {
	top := len(p.open) - 1
	if top == 0 || p.open[top].text != n.text {
		hint := "Leave it out."
		if top > 0 {
			hint = "Close {{#" + p.open[top].text + "}} first."
		}
		p.fail(n.offset, "unopened", "{{/"+n.text+"}} closes a section that is not open here", hint)
		return
	}
	done := *p.open[top]
	p.open = p.open[:top]
	p.add(done)
}

// maxParameterName is the longest name of a parameter.
const maxParameterName = 64

// isParameter says whether a text can be the name of a parameter.
func isParameter(name string) bool {
	if name == "" || len(name) > maxParameterName || name[0] < 'a' || name[0] > 'z' {
		return false
	}
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return true
}
