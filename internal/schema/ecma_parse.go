package schema

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// rxKind tells the parts of a regular expression apart.
type rxKind uint8

const (
	rxEmpty rxKind = iota
	rxSet
	rxSequence
	rxEither
	rxRepeat
	rxCapture
	rxBackref
	rxBegin
	rxEnd
	rxWordEdge
	rxNoWordEdge
	rxLook
)

// rx is a parsed regular expression of ECMA-262.
type rx struct {
	kind     rxKind
	subs     []*rx
	set      charset
	min, max int // of a repeat; max -1 is no bound
	lazy     bool
	index    int // of a capture or back-reference
	name     string
	behind   bool
	negative bool
	lines    bool // ^ and $ at lines
}

// maxRepeat bounds a repeat's counts, maxParseWork the work of a pattern's sets.
const (
	maxRepeat    = 100_000
	maxParseWork = 1 << 20
)

// rxParser reads the syntax with the u flag's meaning (code points), and tolerates what only the old syntax allows where it has one reading.
type rxParser struct {
	src      string
	at       int
	depth    int
	captures int
	names    map[string]int
	fancy    bool // has look-around or back-references
	fold     bool
	dotAll   bool
	lines    bool
	// strict refuses what other languages have and ECMA-262 has not, though it has one reading.
	strict bool
	// work counts the ranges of characters that were put together, and sets keeps those of \p{…}: a pattern may name the largest ones at every place.
	work int
	sets map[string]charset
	// total counts the groups of the whole pattern: \2 may stand before group 2.
	total int
}

func parseECMA(src string, strict bool) (*rx, *rxParser, error) {
	p := &rxParser{src: src, strict: strict, names: map[string]int{}, total: countGroups(src)}
	e, err := p.either()
	if err != nil {
		return nil, nil, err
	}
	if p.at < len(src) {
		return nil, nil, errors.New("a closing parenthesis has no opening one")
	}
	if err := p.resolve(e); err != nil {
		return nil, nil, err
	}
	return e, p, nil
}

func countGroups(src string) int {
	n, class := 0, false
	for i := 0; i < len(src); i++ {
		switch src[i] {
		case '\\':
			i++
		case '[':
			class = true
		case ']':
			class = false
		case '(':
			rest := src[i+1:]
			named := strings.HasPrefix(rest, "?<") && !strings.HasPrefix(rest, "?<=") && !strings.HasPrefix(rest, "?<!") || strings.HasPrefix(rest, "?P<")
			if !class && (!strings.HasPrefix(rest, "?") || named) {
				n++
			}
		}
	}
	return n
}

// resolve gives named back-references their numbers.
func (p *rxParser) resolve(e *rx) error {
	if e.kind == rxBackref && e.name != "" {
		index, ok := p.names[e.name]
		if !ok {
			return fmt.Errorf("there is no group named %q", cut(e.name, 40))
		}
		e.index = index
	}
	for _, sub := range e.subs {
		if err := p.resolve(sub); err != nil {
			return err
		}
	}
	return nil
}

func (p *rxParser) more() bool { return p.at < len(p.src) }

func (p *rxParser) peek() byte {
	if p.at < len(p.src) {
		return p.src[p.at]
	}
	return 0
}

func (p *rxParser) take(prefix string) bool {
	if strings.HasPrefix(p.src[p.at:], prefix) {
		p.at += len(prefix)
		return true
	}
	return false
}

func (p *rxParser) rune() rune {
	r, n := utf8.DecodeRuneInString(p.src[p.at:])
	p.at += n
	return r
}

func (p *rxParser) either() (*rx, error) {
	const deep = 200
	if p.depth++; p.depth > deep {
		return nil, errors.New("groups nest too deeply")
	}
	defer func() { p.depth-- }()
	var list []*rx
	for {
		s, err := p.sequence()
		if err != nil {
			return nil, err
		}
		list = append(list, s)
		if !p.take("|") {
			break
		}
	}
	if len(list) == 1 {
		return list[0], nil
	}
	return &rx{kind: rxEither, subs: list}, nil
}

func (p *rxParser) sequence() (*rx, error) {
	var list []*rx
	for p.more() && p.peek() != '|' && p.peek() != ')' {
		term, err := p.term()
		if err != nil {
			return nil, err
		}
		if term != nil {
			list = append(list, term)
		}
	}
	if len(list) == 1 {
		return list[0], nil
	}
	return &rx{kind: rxSequence, subs: list}, nil
}

func (p *rxParser) term() (*rx, error) {
	e, repeatable, err := p.atom()
	if p.work > maxParseWork {
		return nil, errProgramSize
	}
	if err != nil || e == nil {
		return e, err
	}
	low, high, ok, err := p.quantifier()
	if err != nil || !ok {
		return e, err
	}
	if !repeatable {
		return nil, errors.New("a quantifier stands where nothing can be repeated")
	}
	lazy := p.take("?")
	if c := p.peek(); c == '*' || c == '+' || c == '?' {
		return nil, errors.New("a quantifier follows another one")
	}
	return &rx{kind: rxRepeat, subs: []*rx{e}, min: low, max: high, lazy: lazy}, nil
}

// quantifier reads *, +, ?, {n}, {n,} or {n,m}; a brace that begins none of them is a plain character.
func (p *rxParser) quantifier() (low, high int, ok bool, err error) {
	switch p.peek() {
	case '*':
		p.at++
		return 0, -1, true, nil
	case '+':
		p.at++
		return 1, -1, true, nil
	case '?':
		p.at++
		return 0, 1, true, nil
	case '{':
		start := p.at
		p.at++
		low, ok = p.number()
		high = low
		if ok && p.take(",") {
			if high, ok = p.number(); !ok {
				high, ok = -1, true
			}
		}
		if !ok || !p.take("}") {
			p.at = start
			return 0, 0, false, nil
		}
		if high >= 0 && high < low {
			return 0, 0, false, errors.New("the bounds of a repeat are out of order")
		}
		if low > maxRepeat {
			return 0, 0, false, fmt.Errorf("a repeat of more than %d times", maxRepeat)
		}
		if high > maxRepeat {
			high = -1 // No text that is judged is as long.
		}
		return low, high, true, nil
	default:
		return 0, 0, false, nil
	}
}

func (p *rxParser) number() (int, bool) {
	start, n := p.at, 0
	for p.more() && p.peek() >= '0' && p.peek() <= '9' {
		n = min(n*10+int(p.peek()-'0'), 10*maxRepeat)
		p.at++
	}
	return n, p.at > start
}

func (p *rxParser) atom() (e *rx, repeatable bool, err error) {
	switch p.peek() {
	case '^':
		p.at++
		return &rx{kind: rxBegin, lines: p.lines}, false, nil
	case '$':
		p.at++
		return &rx{kind: rxEnd, lines: p.lines}, false, nil
	case '(':
		return p.group()
	case '.':
		p.at++
		if p.dotAll {
			return p.set(charset{0, utf8.MaxRune}), true, nil
		}
		return p.set(lineEnds().negated()), true, nil
	case '[':
		set, err := p.class()
		return p.set(set), true, err
	case '\\':
		return p.escape()
	case '*', '+', '?':
		return nil, false, errors.New("a quantifier stands where nothing can be repeated")
	default:
		r := p.rune()
		return p.set(charset{r, r}), true, nil
	}
}

func (p *rxParser) set(c charset) *rx {
	return &rx{kind: rxSet, set: p.folded(c)}
}

// folded adds what differs only in case where that is wanted.
func (p *rxParser) folded(c charset) charset {
	if !p.fold {
		return c
	}
	for i := 0; i < len(c); i += 2 {
		p.work += 4 + 4*int(min(c[i+1]-c[i], maxFolded))
	}
	if p.work > maxParseWork {
		return c // The pattern is refused.
	}
	return c.folded()
}

func (p *rxParser) group() (*rx, bool, error) {
	p.at++
	switch {
	case p.take("?:"):
		e, err := p.closed()
		return e, true, err
	case p.take("?="), p.take("?!"), p.take("?<="), p.take("?<!"):
		op := p.src[p.at-2 : p.at]
		p.fancy = true
		e, err := p.closed()
		return &rx{kind: rxLook, subs: []*rx{e}, behind: op[0] == '<', negative: op[1] == '!'}, op[0] == '?', err
	case p.take("?<"), !p.strict && p.take("?P<"):
		end := strings.IndexByte(p.src[p.at:], '>')
		if end <= 0 || !isGroupName(p.src[p.at:p.at+end]) {
			return nil, false, errors.New("a group's name is not valid")
		}
		name := p.src[p.at : p.at+end]
		p.at += end + 1
		if _, twice := p.names[name]; twice {
			return nil, false, errors.New("two groups have the same name")
		}
		p.names[name] = p.captures + 1
		return p.capture()
	case p.take("?"):
		return p.modifiers()
	default:
		return p.capture()
	}
}

func isGroupName(s string) bool {
	for i, r := range s {
		letter := r == '_' || r == '$' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r > 0x7f
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return true
}

func (p *rxParser) capture() (*rx, bool, error) {
	p.captures++
	index := p.captures
	e, err := p.closed()
	return &rx{kind: rxCapture, subs: []*rx{e}, index: index}, true, err
}

func (p *rxParser) closed() (*rx, error) {
	fold, dotAll, lines := p.fold, p.dotAll, p.lines
	e, err := p.either()
	if err != nil {
		return e, err
	}
	p.fold, p.dotAll, p.lines = fold, dotAll, lines
	if !p.take(")") {
		return nil, errors.New("a closing parenthesis is missing")
	}
	return e, nil
}

// modifiers reads (?ims-ims:…) and, which other languages have, (?ims) to the end of the group.
func (p *rxParser) modifiers() (*rx, bool, error) {
	fold, dotAll, lines := p.fold, p.dotAll, p.lines
	on := true
	for p.more() {
		c := p.peek()
		p.at++
		switch c {
		case 'i':
			p.fold = on
		case 's':
			p.dotAll = on
		case 'm':
			p.lines = on
		case '-':
			on = false
		case ')':
			if p.strict {
				return nil, false, errors.New("flags without a colon")
			}
			return nil, false, nil
		case ':':
			e, err := p.either()
			if err == nil && !p.take(")") {
				err = errors.New("a closing parenthesis is missing")
			}
			p.fold, p.dotAll, p.lines = fold, dotAll, lines
			return e, true, err
		default:
			return nil, false, errors.New("a kind of group that ECMA-262 does not have")
		}
	}
	return nil, false, errors.New("a closing parenthesis is missing")
}

// escape reads an escape outside a class.
func (p *rxParser) escape() (*rx, bool, error) {
	if p.at+1 >= len(p.src) {
		return nil, false, errors.New("a backslash ends the pattern")
	}
	switch c := p.src[p.at+1]; {
	case c == 'b':
		p.at += 2
		return &rx{kind: rxWordEdge}, false, nil
	case c == 'B':
		p.at += 2
		return &rx{kind: rxNoWordEdge}, false, nil
	case c == 'k':
		p.at += 2
		if !p.take("<") {
			return nil, false, errors.New("\\k names no group")
		}
		end := strings.IndexByte(p.src[p.at:], '>')
		if end < 0 {
			return nil, false, errors.New("\\k names no group")
		}
		name := p.src[p.at : p.at+end]
		p.at += end + 1
		p.fancy = true
		return &rx{kind: rxBackref, name: name}, true, nil
	case c >= '1' && c <= '9':
		p.at++
		n, _ := p.number()
		if n > p.total {
			return nil, false, fmt.Errorf("\\%d names no group", n)
		}
		p.fancy = true
		return &rx{kind: rxBackref, index: n}, true, nil
	default:
		set, _, err := p.classEscape(false)
		return p.set(set), true, err
	}
}

// class reads [ … ].
func (p *rxParser) class() (charset, error) {
	p.at++
	negative := p.take("^")
	var set charset
	for {
		if !p.more() {
			return nil, errors.New("a closing square bracket is missing")
		}
		if p.take("]") {
			break
		}
		low, single, err := p.classAtom()
		if err != nil {
			return nil, err
		}
		if p.peek() == '-' && p.at+1 < len(p.src) && p.src[p.at+1] != ']' {
			p.at++
			high, ended, err := p.classAtom()
			if err != nil {
				return nil, err
			}
			if !single || !ended { // [\w-.]: the hyphen stands for itself.
				set = append(append(append(set, low...), '-', '-'), high...)
				continue
			}
			if high[0] < low[0] {
				return nil, errors.New("a range of characters is out of order")
			}
			set = append(set, low[0], high[0])
			continue
		}
		set = append(set, low...)
	}
	p.work += len(set)
	set = p.folded(set.normal())
	if negative {
		set = set.negated()
	}
	return set, nil
}

func (p *rxParser) classAtom() (set charset, single bool, err error) {
	if p.peek() == '\\' {
		return p.classEscape(true)
	}
	r := p.rune()
	return charset{r, r}, true, nil
}

// classEscape reads an escape that stands for a set of characters, or a single one.
func (p *rxParser) classEscape(inClass bool) (set charset, single bool, err error) {
	p.at++
	if !p.more() {
		return nil, false, errors.New("a backslash ends the pattern")
	}
	one := func(r rune) (charset, bool, error) { return charset{r, r}, true, nil }
	r := p.rune()
	switch r {
	case 'd':
		return digits(), false, nil
	case 'D':
		return digits().negated(), false, nil
	case 'w':
		return wordChars(), false, nil
	case 'W':
		return wordChars().negated(), false, nil
	case 's':
		return spaces(), false, nil
	case 'S':
		return spaces().negated(), false, nil
	case 'p', 'P':
		return p.property(r == 'P')
	case 't':
		return one('\t')
	case 'n':
		return one('\n')
	case 'r':
		return one('\r')
	case 'v':
		return one('\v')
	case 'f':
		return one('\f')
	case '0':
		if c := p.peek(); c >= '0' && c <= '9' {
			return nil, false, errors.New("an octal escape, which ECMA-262 does not have")
		}
		return one(0)
	case 'c':
		if c := p.peek(); c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			p.at++
			return one(rune(c & 31))
		}
		return nil, false, errors.New("\\c wants a letter")
	case 'x':
		n, ok := p.hex(2)
		if !ok {
			return nil, false, errors.New("\\x wants two hexadecimal digits")
		}
		return one(n)
	case 'u':
		n, ok := p.unicode()
		if !ok {
			return nil, false, errors.New("\\u wants four hexadecimal digits, or braces")
		}
		return one(n)
	case 'b':
		if inClass {
			return one('\b')
		}
	}
	if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
		return nil, false, fmt.Errorf("\\%c is no escape of ECMA-262", r)
	}
	return one(r)
}

func (p *rxParser) property(negative bool) (charset, bool, error) {
	name := ""
	if p.take("{") {
		end := strings.IndexByte(p.src[p.at:], '}')
		if end < 0 {
			return nil, false, errors.New("\\p{ has no end")
		}
		name = p.src[p.at : p.at+end]
		p.at += end + 1
	} else if p.more() {
		name = string(p.rune()) // \pL, as RE2 and Java have it.
	}
	set, ok := p.sets[name]
	if !ok {
		p.work += 2000
		if set, ok = propertySet(name); ok {
			if p.sets == nil {
				p.sets = map[string]charset{}
			}
			p.sets[name] = slices.Clip(set)
		}
	}
	if !ok {
		return nil, false, fmt.Errorf("there is no character property %q", cut(name, 40))
	}
	p.work += 8
	if negative {
		p.work += len(set)
		set = set.negated()
	}
	return slices.Clip(set), false, nil
}

func (p *rxParser) hex(digits int) (rune, bool) {
	if p.at+digits > len(p.src) {
		return 0, false
	}
	var n rune
	for _, c := range []byte(p.src[p.at : p.at+digits]) {
		d := hexDigit(c)
		if d < 0 {
			return 0, false
		}
		n = n<<4 | rune(d)
	}
	p.at += digits
	return n, true
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	default:
		return -1
	}
}

// unicode reads what follows \u: four digits, a pair of surrogates, or {digits}.
func (p *rxParser) unicode() (rune, bool) {
	if p.take("{") {
		var n rune
		start := p.at
		for p.more() && hexDigit(p.peek()) >= 0 && n <= utf8.MaxRune {
			n = n<<4 | rune(hexDigit(p.peek()))
			p.at++
		}
		return n, p.at > start && n <= utf8.MaxRune && p.take("}")
	}
	n, ok := p.hex(4)
	if ok && n >= 0xd800 && n < 0xdc00 && p.take(`\u`) {
		low, ok := p.hex(4)
		if !ok || low < 0xdc00 || low > 0xdfff {
			return 0, false
		}
		return 0x10000 + (n-0xd800)<<10 + (low - 0xdc00), true
	}
	return n, ok
}
