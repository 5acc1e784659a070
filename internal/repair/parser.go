package repair

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/promptd/promptd/internal/value"
)

const (
	maxDepth   = 512
	maxNodes   = 1_000_000
	maxRepairs = 1_000
	// lookLimit is how far one look-ahead goes; lookFactor times the length is how far all of them may go together.
	lookLimit  = 192
	lookFactor = 24
)

// parser reads one text. Its methods move at forward and never back by more than one string that has no end.
type parser struct {
	text  string
	at    int
	hints Hints

	frames []byte         // the open brackets: { [ (
	open   [3]int         // how many of each are open, by frameIndex
	stack  []value.Member // members of the containers being read; copied out when one ends
	nodes  int
	nested int // how many strings deep this text stands in another one

	repairs    []Repair
	unfinished bool
	err        error

	fenced  bool // a code fence is open around the value
	dirty   bool // the text is not valid UTF-8
	budget  int  // bytes of look-ahead left
	steps   int  // bytes visited, for the tests of linearity
	gapFrom int  // the last gap that was looked over
	gapTo   int
	last    [quoteClasses]int // no closing quote of that class stands at or behind this place
}

func newParser(text string, h Hints) *parser {
	p := &parser{text: text, hints: h, budget: lookFactor*len(text) + 8*lookLimit, gapFrom: -1, dirty: !utf8.ValidString(text)}
	for i := range p.last {
		p.last[i] = len(text) + 1
	}
	return p
}

func frameIndex(bracket byte) int {
	switch bracket {
	case '{':
		return 0
	case '[':
		return 1
	default:
		return 2
	}
}

// push notes an open bracket and steps over it.
func (p *parser) push(bracket byte) bool {
	if len(p.frames) >= maxDepth {
		p.fail(value.RuleDepth, "the JSON text nests deeper than 512 levels")
		return false
	}
	p.frames = append(p.frames, bracket)
	p.open[frameIndex(bracket)]++
	p.at++
	return true
}

func (p *parser) pop() {
	last := len(p.frames) - 1
	p.open[frameIndex(p.frames[last])]--
	p.frames = p.frames[:last]
}

// within reports whether a bracket of that kind is open.
func (p *parser) within(bracket byte) bool { return p.open[frameIndex(bracket)] > 0 }

// parent gives the bracket around the innermost open one; 0 where there is none.
func (p *parser) parent() byte {
	if len(p.frames) < 2 {
		return 0
	}
	return p.frames[len(p.frames)-2]
}

// take counts a value.
func (p *parser) take() bool {
	if p.nodes++; p.nodes > maxNodes {
		p.fail(value.RuleNodes, "the JSON text holds too many values")
	}
	return p.err == nil
}

func (p *parser) fail(rule value.Rule, message string) {
	if p.err == nil {
		p.err = &value.SyntaxError{Offset: p.at, Rule: rule, Message: message}
	}
}

// note adds a repair; the same kind twice in a row at one place counts once.
func (p *parser) note(kind Kind, offset int) {
	if n := len(p.repairs); n >= maxRepairs || n > 0 && p.repairs[n-1] == (Repair{kind, offset}) {
		return
	}
	p.repairs = append(p.repairs, Repair{Kind: kind, Offset: offset})
}

// closed notes that the text ended inside the value.
func (p *parser) closed() {
	if !p.unfinished {
		p.note(KindClosed, len(p.text))
	}
	p.unfinished = true
}

func (p *parser) end() bool { return p.at >= len(p.text) }

// peek gives the byte at i; 0 at the end.
func (p *parser) peek(i int) byte {
	if i < 0 || i >= len(p.text) {
		return 0
	}
	return p.text[i]
}

func (p *parser) has(i int, prefix string) bool {
	return i <= len(p.text) && strings.HasPrefix(p.text[i:], prefix)
}

// members takes what was read since base off the stack in a slice of its own.
func (p *parser) members(base int) []value.Member {
	out := make([]value.Member, len(p.stack)-base)
	copy(out, p.stack[base:])
	clear(p.stack[base:])
	p.stack = p.stack[:base]
	return out
}

// arrayOf takes the items since base off the stack as an array.
func (p *parser) arrayOf(base int) value.Value {
	items := make([]value.Value, 0, len(p.stack)-base)
	for i := range p.stack[base:] {
		items = append(items, p.stack[base+i].Value)
	}
	clear(p.stack[base:])
	p.stack = p.stack[:base]
	return value.Array(items...)
}

func sortRepairs(repairs []Repair) []Repair {
	slices.SortStableFunc(repairs, func(a, b Repair) int { return cmp.Compare(a.Offset, b.Offset) })
	return slices.Compact(repairs)
}
