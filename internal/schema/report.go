package schema

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/promptd/promptd/internal/value"
)

// Entry is one violation: where, which keyword, what was wanted, what was there.
type Entry struct {
	// Keyword is the violated keyword; LIMIT where judging was given up, TRUNCATED is left to the pipeline.
	Keyword string `json:"keyword"`
	// Pointer is the place in the value.
	Pointer string `json:"pointer"`
	// SchemaPointer is the place of the keyword in the schema; a URL stands before it where that is another document.
	SchemaPointer string `json:"schema_pointer"`
	// Expected is what the keyword wants, as JSON or in words.
	Expected string `json:"expected"`
	// Actual is the value found as JSON, cut short.
	Actual string `json:"actual"`
	// Message says it in plain words, without the value.
	Message string `json:"message"`
	// Hint says what to do.
	Hint string `json:"hint"`
}

// Report tells what a value violates. The same schema and value always give the same report.
type Report struct {
	// Errors are sorted by pointer, then by schema pointer.
	Errors []Entry `json:"errors"`
	// More counts the entries that were left out.
	More int `json:"more,omitempty"`
}

// KeywordLimit is the keyword of an entry that says that judging was given up.
const KeywordLimit = "LIMIT"

// Bounds of a report. An entry costs about as much time as that many steps.
const (
	maxEntries   = 100
	maxCollected = 2000
	entrySteps   = 150
	maxExpected  = 400
	maxActual    = 160
)

// collector gathers entries.
type collector struct {
	entries []Entry
	more    int
	depth   int // of choices within choices
}

// failure is what a keyword says about a violation.
type failure struct{ expected, actual, message, hint string }

// wants reports whether one more entry is collected, and takes its steps. It is asked before an entry is put together: doing that for each of
// 100,000 faulty items took minutes.
func (t *trial) wants() bool {
	if t.report == nil {
		return false
	}
	if len(t.report.entries) >= maxCollected {
		t.report.more++
		return false
	}
	return t.spend(entrySteps + len(t.path))
}

// fail adds an entry for a keyword of a node at the place at hand. Callers ask wants first.
func (t *trial) fail(n *node, keyword string, v value.Value, f failure) {
	if t.report == nil {
		return
	}
	if f.actual == "" {
		f.actual = actual(v)
	}
	t.report.entries = append(t.report.entries, Entry{
		Keyword: keyword, Pointer: t.pointer(), SchemaPointer: n.place(keyword),
		Expected: cut(f.expected, maxExpected), Actual: cut(f.actual, maxActual), Message: f.message, Hint: f.hint,
	})
}

func (t *trial) pointer() string {
	var b []byte
	for _, token := range t.path {
		if token.index >= 0 {
			b = strconv.AppendInt(append(b, '/'), int64(token.index), 10)
		} else {
			b = append(b, value.AppendPointer("", token.name)...)
		}
	}
	return string(b)
}

// place gives the schema pointer of a node's keyword.
func (n *node) place(keyword string) string {
	pointer := n.pointer
	if keyword != "" {
		pointer = value.AppendPointer(pointer, keyword)
	}
	if !n.resource.doc.main {
		return n.resource.doc.url + "#" + pointer
	}
	return pointer
}

// actual writes a value for a report without writing more of it than is shown.
func actual(v value.Value) string {
	const fewMembers = 50
	if v.Len() > fewMembers {
		return fmt.Sprintf("%s with %d members", article(v.Kind()), v.Len())
	}
	return brief(v, maxActual)
}

func (t *trial) failType(n *node, v value.Value) bool {
	if t.wants() {
		names := n.typeNames()
		t.fail(n, "type", v, failure{expected: names, message: fmt.Sprintf("the value must be %s, not %s", names, v.Kind()), hint: typeHint(n, v)})
	}
	return false
}

func typeHint(n *node, v value.Value) string {
	switch {
	case v.Kind() == value.KindNull:
		return "Give a value of that type, not null."
	case v.Kind() == value.KindNumber && n.kinds&anyInteger != 0:
		return "Give a whole number."
	case v.Kind() == value.KindString && n.kinds&(anyNumber|anyInteger|anyBool) != 0:
		return "Write it without quotes."
	case n.kinds&everyKind == anyString && v.Kind() <= value.KindNumber:
		return "Write it in quotes."
	default:
		return "Give a value of that type."
	}
}

func (t *trial) failNever(n *node, v value.Value) bool {
	if t.wants() {
		t.report.entries = append(t.report.entries, Entry{
			Keyword: "false", Pointer: t.pointer(), SchemaPointer: n.place(""), Expected: "nothing", Actual: actual(v),
			Message: "no value is allowed here", Hint: "Leave it out.",
		})
	}
	return false
}

// failUnexpected says that a member or item must not be there.
func (t *trial) failUnexpected(n *node, keyword, name string, v value.Value) bool {
	if !t.wants() {
		return false
	}
	f := failure{expected: "no more items", message: "the array has more items than are allowed", hint: "Leave the item out."}
	if name != "" || !strings.HasSuffix(strings.ToLower(keyword), "items") {
		f = failure{expected: "no such member", message: fmt.Sprintf("the member %s is not allowed", quote(name)), hint: "Leave it out."}
		if n.object != nil {
			if near := t.nearestName(n.object, name); near != "" {
				f.hint = fmt.Sprintf("Leave it out, or is %s meant?", quote(near))
			}
		}
	}
	t.fail(n, keyword, v, f)
	return false
}

func (t *trial) failCount(n *node, keyword string, v value.Value, bound int, what string) bool {
	if !t.wants() {
		return false
	}
	count := v.Len()
	if v.Kind() == value.KindString {
		count = utf8.RuneCountInString(v.Text())
	}
	few := strings.HasPrefix(keyword, "min")
	words, hint := "at most", "Shorten it."
	switch {
	case few && v.Kind() == value.KindString:
		words, hint = "at least", "Write more."
	case few:
		words, hint = "at least", "Add "+what+"."
	case v.Kind() != value.KindString:
		hint = "Remove " + what + "."
	}
	t.fail(n, keyword, v, failure{
		expected: fmt.Sprintf("%s %d %s", words, bound, what), message: fmt.Sprintf("there are %d %s; %s %d are allowed", count, what, words, bound), hint: hint,
	})
	return false
}

// failChoice says that no branch fits: one entry for the choice, and those of the branch that comes nearest.
func (t *trial) failChoice(n *node, keyword string, branches []*node, v value.Value) {
	outer := t.report
	var best *collector
	const maxChoices = 4 // Deeper choices say only that nothing fits: their number would grow exponentially.
	if outer.depth < maxChoices {
		for _, b := range branches {
			t.report = &collector{depth: outer.depth + 1}
			t.run(b, v, nil)
			if len(t.report.entries) > 0 && (best == nil || t.report.score(t.path) < best.score(t.path)) {
				best = t.report
			}
		}
	}
	t.report = outer
	if !t.wants() {
		return
	}
	var expected []string
	for i, size := 0, 0; i < len(branches) && size < maxExpected; i++ {
		expected = append(expected, branches[i].summary())
		size += len(expected[i])
	}
	t.fail(n, keyword, v, failure{
		expected: strings.Join(slices.Compact(expected), " | "), message: fmt.Sprintf("the value fits none of the %d alternatives", len(branches)),
		hint: "Give a value that fits one of them; the entries below it name what the nearest one lacks.",
	})
	if best != nil && len(best.entries)+len(outer.entries) < maxCollected {
		outer.entries = append(outer.entries, best.entries...)
	}
}

// score tells how far a branch is from fitting: a wrong type or constant at the value itself or just below it is farthest.
func (c *collector) score(path []token) int {
	score := 0
	for _, e := range c.entries {
		depth := strings.Count(e.Pointer, "/") - len(path)
		switch {
		case depth <= 0 && (e.Keyword == "type" || e.Keyword == "const" || e.Keyword == "enum" || e.Keyword == "false"):
			score += 1000
		case depth <= 1 && (e.Keyword == "const" || e.Keyword == "enum"):
			score += 100
		case depth <= 0:
			score += 10
		default:
			score += 3
		}
	}
	return score
}

// report sorts and cuts what was collected.
func (c *collector) finish() Report {
	slices.SortStableFunc(c.entries, func(a, b Entry) int {
		return cmp.Or(comparePointers(a.Pointer, b.Pointer), comparePointers(a.SchemaPointer, b.SchemaPointer), strings.Compare(a.Message, b.Message))
	})
	c.entries = slices.Compact(c.entries)
	r := Report{Errors: c.entries, More: c.more}
	if n := len(r.Errors); n > maxEntries {
		r.Errors, r.More = r.Errors[:maxEntries], r.More+n-maxEntries
	}
	return r
}

// comparePointers orders pointers token by token, numbers by their value and before names.
func comparePointers(a, b string) int {
	same := 0 // Behind the last slash of what both begin with: deep pointers mostly begin alike.
	for i := 0; i < len(a) && i < len(b) && a[i] == b[i]; i++ {
		if a[i] == '/' {
			same = i
		}
	}
	a, b = a[same:], b[same:]
	for a != "" || b != "" {
		var x, y string
		x, a = nextToken(a)
		y, b = nextToken(b)
		if x == y {
			continue
		}
		i, isX := indexToken(x)
		j, isY := indexToken(y)
		switch {
		case isX && isY && i != j:
			return cmp.Compare(i, j)
		case isX && !isY:
			return -1
		case !isX && isY:
			return 1
		}
		return strings.Compare(x, y)
	}
	return 0
}

// indexToken reads "/12".
func indexToken(token string) (int, bool) {
	if len(token) < 2 || !isDigit(token[1]) {
		return 0, false
	}
	i, err := strconv.Atoi(token[1:])
	return i, err == nil
}

func nextToken(pointer string) (token, rest string) {
	if pointer == "" {
		return "", ""
	}
	if i := strings.IndexByte(pointer[1:], '/'); i >= 0 {
		return pointer[:i+1], pointer[i+1:]
	}
	return pointer, ""
}

func article(k value.Kind) string {
	switch k {
	case value.KindNull:
		return "null"
	case value.KindArray, value.KindObject:
		return "an " + k.String()
	default:
		return "a " + k.String()
	}
}

// Comparing a text with another one, letter by letter, costs about as much time as that many steps.
const distanceSteps = 250

// nearest names the allowed value that is meant where one differs only in case, space or a few letters.
func (t *trial) nearest(allowed []value.Value, v value.Value) string {
	best, distance := "", 4
	const many, long = 200, 80
	if v.Kind() == value.KindString && len(v.Text()) < long {
		text := strings.ToLower(strings.TrimSpace(v.Text()))
		for _, a := range allowed[:min(len(allowed), many)] {
			if a.Kind() != value.KindString || len(a.Text()) > long || !t.spend(distanceSteps) {
				continue
			}
			if d := editDistance(text, strings.ToLower(a.Text())); d < distance && d <= len(a.Text())/2 {
				best, distance = a.Text(), d
			}
		}
	}
	if best != "" {
		return fmt.Sprintf("Give one of the allowed values; is %s meant?", quote(best))
	}
	return "Give one of the allowed values."
}

// nearestName names the property that is meant where one differs only in case or a few letters.
func (t *trial) nearestName(k *objectKeyword, name string) string {
	best, distance := "", 3
	const many, long = 200, 80
	if len(name) > long {
		return ""
	}
	text := strings.ToLower(name)
	for i := range k.properties[:min(k.named, many)] {
		p := &k.properties[i]
		if len(p.name) > long || !t.spend(distanceSteps) {
			continue
		}
		if d := editDistance(text, strings.ToLower(p.name)); d < distance && d <= len(p.name)/2 {
			best, distance = p.name, d
		}
	}
	return best
}

// editDistance counts insertions, deletions and exchanges; texts that are long or differ much in length count as far.
func editDistance(a, b string) int {
	const long, far = 40, 100
	if len(a) > long || len(b) > long || len(a)-len(b) > 3 || len(b)-len(a) > 3 {
		return far
	}
	var row [long + 1]int
	for j := range len(b) + 1 {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
