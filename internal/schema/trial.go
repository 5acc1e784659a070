package schema

import (
	"context"
	"hash/maphash"
	"math"
	"slices"

	"github.com/promptd/promptd/internal/value"
)

// Bounds of one judgement. A step is about 10 ns of work, so that the worst schema on the worst value ends within 50 ms, the report included. Values
// of the real world take 24 steps in the median; the largest of some 20,000 takes less than a hundredth of the budget.
const (
	judgeSteps   = 2_000_000
	explainSteps = 500_000
	// nodeSteps is what judging a value by a subschema costs beside its keywords.
	nodeSteps = 3
	// maxNesting bounds the recursion of keywords; only schemas made for it come near.
	maxNesting = 20_000
	// contextSteps is how often the context is asked.
	contextSteps = 4096
)

// marks tells which members of the value at hand were judged by some keyword: one bit each. Nil where nobody wants to know.
type marks []uint64

func (m marks) set(i int) {
	if m != nil {
		m[i>>6] |= 1 << (i & 63)
	}
}

func (m marks) has(i int) bool { return m[i>>6]&(1<<(i&63)) != 0 }

func (m marks) merge(o marks) {
	for i := range o {
		m[i] |= o[i]
	}
}

// keyword is one compiled keyword of a node. It reports whether it allows the value; where the trial has a collector it says why not, and
// goes on after the first fault.
type keyword interface {
	judge(t *trial, v value.Value, m marks) bool
}

// trial is one judgement's state. Trials are pooled by their schema, so that a valid value costs no allocation.
type trial struct {
	ctx   context.Context //nolint:containedctx // A trial lives within one call; the context is cleared behind it.
	steps int
	// wake is the count of steps below which something is to be done: the context is asked, or the trial ends.
	wake  int
	depth int
	// stopped is set when the budget or the context ended: the verdict is then "not valid", whatever keywords said.
	stopped bool
	scoped  bool
	source  *source // what extractive strings are looked for in; nil where it is not known
	scope   []*resource
	bits    []uint64
	report  *collector
	seed    maphash.Seed
	sums    []slot
	path    []token
	matcher matcher
}

// token is one step of the path from the root to the value at hand; a negative index means the name.
type token struct {
	name  string
	index int
}

func (s *Schema) trial(ctx context.Context, steps int) *trial {
	t := s.trials.Get().(*trial) //nolint:forcetypeassert // The pool holds nothing else.
	t.ctx, t.steps, t.wake, t.depth, t.stopped = ctx, steps, max(steps-contextSteps, 0), 0, false
	t.scope, t.bits, t.path = t.scope[:0], t.bits[:0], t.path[:0]
	return t
}

func (s *Schema) release(t *trial) {
	t.ctx, t.report = nil, nil
	const much = 1 << 16 // What one large value needed is not kept.
	if cap(t.sums) > much {
		t.sums = nil
	}
	if cap(t.matcher.visited) > much {
		t.matcher.visited = nil
	}
	s.trials.Put(t)
}

// spend takes steps from the budget and reports whether the trial goes on.
func (t *trial) spend(n int) bool {
	t.steps -= n
	return t.steps >= t.wake || t.goesOn()
}

// goesOn reports whether budget and context last, and says when to ask again.
func (t *trial) goesOn() bool {
	if t.stopped || t.steps < 0 || t.ctx.Err() != nil {
		t.stop()
		return false
	}
	t.wake = max(t.steps-contextSteps, 0)
	return true
}

// stop ends the trial without a verdict.
func (t *trial) stop() {
	t.stopped = true
	t.wake = math.MaxInt
}

// run judges a value by a node.
func (t *trial) run(n *node, v value.Value, m marks) bool {
	if !t.spend(nodeSteps) {
		return false
	}
	if n.quiet&kindOf(v.Kind()) != 0 {
		return true
	}
	if n.never {
		return t.failNever(n, v)
	}
	if !n.allows(v) {
		return t.failType(n, v)
	}
	if t.depth++; t.depth > maxNesting {
		t.stop()
		t.depth--
		return false
	}
	entered := false
	if t.scoped && (len(t.scope) == 0 || t.scope[len(t.scope)-1] != n.resource) {
		t.scope, entered = append(t.scope, n.resource), true
	}
	ok := false
	if n.tracks {
		ok = t.tracked(n, v, m)
	} else {
		ok = t.all(n.judges[v.Kind()], v, m)
	}
	if entered {
		t.scope = t.scope[:len(t.scope)-1]
	}
	t.depth--
	return ok
}

func (t *trial) all(list []keyword, v value.Value, m marks) bool {
	ok := true
	for _, k := range list {
		if !k.judge(t, v, m) {
			if t.report == nil {
				return false
			}
			ok = false
		}
	}
	return ok
}

// settle prepares what run looks at, once the node has all its keywords.
func (n *node) settle() {
	for k := value.KindNull; k <= value.KindObject; k++ {
		switch {
		case len(n.every) == 0:
			n.judges[k] = n.of[k]
		case len(n.of[k]) == 0:
			n.judges[k] = n.every
		default:
			n.judges[k] = slices.Concat(n.every, n.of[k])
		}
		tracked := k == value.KindArray && n.last[0] != nil || k == value.KindObject && n.last[1] != nil
		if !n.never && !tracked && len(n.judges[k]) == 0 {
			n.quiet |= n.kinds & kindOf(k)
		}
	}
}

// tracked judges by a node with unevaluated keywords: they see what the other keywords of the same node judged, and nothing else.
func (t *trial) tracked(n *node, v value.Value, m marks) bool {
	base := len(t.bits)
	own := t.fresh(v)
	ok := t.all(n.judges[v.Kind()], v, own)
	for _, k := range n.last {
		if k != nil && (ok || t.report != nil) {
			ok = k.judge(t, v, own) && ok
		}
	}
	if m != nil && ok {
		m.merge(own)
	}
	t.bits = t.bits[:base]
	return ok
}

// fresh gives empty marks for a value. They are taken back by cutting t.bits to its earlier length.
func (t *trial) fresh(v value.Value) marks {
	words := (v.Len() + 63) >> 6
	if words == 0 {
		return nil
	}
	t.spend(words >> 3)
	base := len(t.bits)
	if cap(t.bits)-base < words {
		// Older marks keep their array: nobody reads them through t.bits.
		grown := make([]uint64, base, 2*(base+words)+16)
		copy(grown, t.bits)
		t.bits = grown
	}
	t.bits = t.bits[:base+words]
	m := t.bits[base : base+words : base+words]
	clear(m)
	return m
}

// branch judges by a node whose marks count only where it allows the value.
func (t *trial) branch(n *node, v value.Value, m marks) bool {
	if m == nil {
		return t.run(n, v, nil)
	}
	base := len(t.bits)
	own := t.fresh(v)
	ok := t.run(n, v, own)
	if ok {
		m.merge(own)
	}
	t.bits = t.bits[:base]
	return ok
}

// holds judges without collecting entries.
func (t *trial) holds(n *node, v value.Value, m marks) bool {
	report := t.report
	t.report = nil
	ok := t.branch(n, v, m)
	t.report = report
	return ok
}

func (t *trial) push(name string, index int) {
	if t.report != nil {
		t.path = append(t.path, token{name, index})
	}
}

func (t *trial) pop() {
	if t.report != nil {
		t.path = t.path[:len(t.path)-1]
	}
}

// member judges an object's member by a node.
func (t *trial) member(n *node, name string, v value.Value) bool {
	t.push(name, -1)
	ok := t.run(n, v, nil)
	t.pop()
	return ok
}

// item judges an array's item by a node.
func (t *trial) item(n *node, i int, v value.Value) bool {
	t.push("", i)
	ok := t.run(n, v, nil)
	t.pop()
	return ok
}

// allows judges the type alone.
func (n *node) allows(v value.Value) bool {
	if n.kinds&kindOf(v.Kind()) != 0 {
		return true
	}
	return v.Kind() == value.KindNumber && n.kinds&anyInteger != 0 && isInteger(v, n.strict)
}

// isInteger reports whether a number is an integer; strictly it must also be written like one.
func isInteger(v value.Value, strict bool) bool {
	text := v.Text()
	for i := range len(text) {
		if c := text[i]; c == '.' || c == 'e' || c == 'E' {
			return !strict && v.Decimal().IsInteger()
		}
	}
	return true
}
