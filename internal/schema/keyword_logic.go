package schema

import (
	"fmt"

	"github.com/promptd/promptd/internal/value"
)

type refKeyword struct{ target *node }

func (k *refKeyword) judge(t *trial, v value.Value, m marks) bool { return t.run(k.target, v, m) }

// dynamicRefKeyword is $dynamicRef with an anchor, or $recursiveRef: the outermost resource on the way here that has the anchor decides.
type dynamicRefKeyword struct {
	target    *node
	anchor    string
	recursive bool
}

func (k *dynamicRefKeyword) judge(t *trial, v value.Value, m marks) bool {
	target := k.target
	if !t.spend(len(t.scope)) {
		return false
	}
	switch {
	case k.anchor != "":
		for _, r := range t.scope {
			if n, ok := r.dynamic[k.anchor]; ok {
				target = n
				break
			}
		}
	case k.recursive:
		for _, r := range t.scope {
			if r.recursive != nil {
				target = r.recursive
				break
			}
		}
	}
	return t.run(target, v, m)
}

type allOfKeyword struct{ list []*node }

func (k *allOfKeyword) judge(t *trial, v value.Value, m marks) bool {
	ok := true
	for _, n := range k.list {
		if !t.run(n, v, m) {
			if t.report == nil {
				return false
			}
			ok = false
		}
	}
	return ok
}

type anyOfKeyword struct {
	n        *node
	branches []*node
}

func (k *anyOfKeyword) judge(t *trial, v value.Value, m marks) bool {
	ok := false
	for _, n := range k.branches {
		if t.holds(n, v, m) {
			ok = true
			if m == nil {
				return true
			}
		}
	}
	if !ok && t.report != nil && !t.stopped {
		t.failChoice(k.n, "anyOf", k.branches, v)
	}
	return ok
}

type oneOfKeyword struct {
	n        *node
	branches []*node
}

func (k *oneOfKeyword) judge(t *trial, v value.Value, m marks) bool {
	first, second := -1, -1
	for i, n := range k.branches {
		if !t.holds(n, v, m) {
			continue
		}
		if first >= 0 {
			second = i
			break
		}
		first = i
	}
	switch {
	case first >= 0 && second < 0:
		return true
	case t.report == nil || t.stopped:
	case first < 0:
		t.failChoice(k.n, "oneOf", k.branches, v)
	case t.wants():
		t.fail(k.n, "oneOf", v, failure{
			expected: fmt.Sprintf("exactly one of %d schemas", len(k.branches)), actual: fmt.Sprintf("schemas %d and %d both fit", first, second),
			message: fmt.Sprintf("the value fits more than one of the %d alternatives (at least number %d and number %d)", len(k.branches), first+1, second+1),
			hint:    "Give the value that only one alternative allows.",
		})
	}
	return false
}

type notKeyword struct {
	n   *node
	sub *node
}

func (k *notKeyword) judge(t *trial, v value.Value, _ marks) bool {
	if !t.holds(k.sub, v, nil) {
		return true
	}
	if t.wants() {
		t.fail(k.n, "not", v, failure{
			expected: "not " + brief(k.sub.raw, maxExpected), message: "the value is one that the schema excludes", hint: "Give another value.",
		})
	}
	return false
}

type ifKeyword struct{ cond, then, otherwise *node }

func (k *ifKeyword) judge(t *trial, v value.Value, m marks) bool {
	next := k.otherwise
	if t.holds(k.cond, v, m) {
		next = k.then
	}
	return next == nil || t.run(next, v, m)
}

// dependentKeyword is dependentRequired, dependentSchemas and dependencies.
type dependentKeyword struct {
	n    *node
	list []dependent
}

type dependent struct {
	keyword, name string
	required      []string
	sub           *node
}

func (k *dependentKeyword) judge(t *trial, v value.Value, m marks) bool {
	ok := true
	for i := range k.list {
		d := &k.list[i]
		if !t.spend(1 + v.Len()>>1) {
			return false
		}
		if _, there := v.Get(d.name); !there {
			continue
		}
		if d.sub != nil && !t.run(d.sub, v, m) {
			ok = false
		}
		var missing []string
		for _, name := range d.required {
			if !t.spend(1 + v.Len()>>1) {
				return false
			}
			if _, there := v.Get(name); !there {
				missing = append(missing, name)
				break
			}
		}
		if len(missing) > 0 {
			ok = false
			if t.wants() {
				t.fail(k.n, d.keyword, v, failure{
					expected: quoteAll(d.required), message: fmt.Sprintf("the member %s demands %s, which is missing", quote(d.name), quote(missing[0])),
					hint: fmt.Sprintf("Add %s, or leave out %s.", quote(missing[0]), quote(d.name)), actual: memberNames(v),
				})
			}
		}
		if !ok && t.report == nil {
			return false
		}
	}
	return ok
}

// unevaluatedKeyword judges the members or items that no other keyword of the node judged.
type unevaluatedKeyword struct {
	n       *node
	keyword string
	kind    value.Kind
	sub     *node
}

func (k *unevaluatedKeyword) judge(t *trial, v value.Value, m marks) bool {
	if v.Kind() != k.kind {
		return true
	}
	ok := true
	for i := range v.Len() {
		if m.has(i) {
			continue
		}
		m.set(i)
		index, name := i, ""
		if k.kind == value.KindObject {
			index, name = -1, v.NameAt(i)
		}
		t.push(name, index)
		if k.sub.never {
			ok = t.failUnexpected(k.n, k.keyword, name, v.At(i))
		} else {
			ok = t.run(k.sub, v.At(i), nil) && ok
		}
		t.pop()
		if !ok && t.report == nil {
			return false
		}
	}
	return ok
}
