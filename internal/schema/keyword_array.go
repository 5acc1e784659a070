package schema

import (
	"fmt"

	"github.com/promptd/promptd/internal/value"
)

// arrayKeyword holds every keyword that judges an array by its items.
type arrayKeyword struct {
	n                          *node
	prefix                     []*node
	prefixKeyword, restKeyword string
	rest                       *node
	contains                   *node
	marksContained             bool
	minContains, maxContains   int
	min, max                   int
	unique                     bool
}

func (k *arrayKeyword) judge(t *trial, v value.Value, m marks) bool {
	ok := true
	if v.Len() < k.min {
		ok = t.failCount(k.n, "minItems", v, k.min, "items")
	}
	if k.max >= 0 && v.Len() > k.max {
		ok = t.failCount(k.n, "maxItems", v, k.max, "items") && ok
	}
	if !ok && t.report == nil {
		return false
	}
	if len(k.prefix) > 0 || k.rest != nil {
		ok = k.items(t, v, m) && ok
	}
	if k.unique && (ok || t.report != nil) {
		ok = k.distinct(t, v) && ok
	}
	if k.contains != nil && (ok || t.report != nil) {
		ok = k.contained(t, v, m) && ok
	}
	return ok
}

func (k *arrayKeyword) items(t *trial, v value.Value, m marks) bool {
	ok := true
	for i := range v.Len() {
		switch {
		case i < len(k.prefix):
			ok = t.item(k.prefix[i], i, v.At(i)) && ok
		case k.rest == nil:
			return ok
		case k.rest.never:
			t.push("", i)
			ok = t.failUnexpected(k.n, k.restKeyword, "", v.At(i))
			t.pop()
		case k.rest.quiet&kindOf(v.At(i).Kind()) != 0:
			ok = t.spend(1) && ok
		default:
			ok = t.item(k.rest, i, v.At(i)) && ok
		}
		m.set(i)
		if !ok && t.report == nil {
			return false
		}
	}
	return ok
}

func (k *arrayKeyword) contained(t *trial, v value.Value, m marks) bool {
	count := 0
	for i := range v.Len() {
		if t.holds(k.contains, v.At(i), nil) {
			count++
			if k.marksContained {
				m.set(i)
			}
			if m == nil && k.maxContains < 0 && count >= k.minContains {
				break
			}
		}
	}
	if count >= k.minContains && (k.maxContains < 0 || count <= k.maxContains) {
		return true
	}
	if t.stopped || !t.wants() {
		return false
	}
	switch {
	case count < k.minContains && k.minContains == 1:
		t.fail(k.n, "contains", v, failure{expected: brief(k.contains.raw, maxExpected), message: "no item is of the kind that the array must contain", hint: "Add such an item."})
	case count < k.minContains:
		t.fail(k.n, "minContains", v, failure{
			expected: fmt.Sprint(k.minContains), actual: fmt.Sprint(count),
			message: fmt.Sprintf("%d items are of the kind that the array must contain; at least %d are demanded", count, k.minContains), hint: "Add such items.",
		})
	default:
		t.fail(k.n, "maxContains", v, failure{
			expected: fmt.Sprint(k.maxContains), actual: fmt.Sprint(count),
			message: fmt.Sprintf("%d items are of the kind that contains names; at most %d are allowed", count, k.maxContains), hint: "Remove some of them.",
		})
	}
	return false
}

// distinct judges uniqueItems: by comparing in short arrays of small items, by hashing in others.
func (k *arrayKeyword) distinct(t *trial, v value.Value) bool {
	const short = 12
	first, second := -1, -1
	pairs := v.Len() <= short
	for i := 0; pairs && i < v.Len(); i++ {
		pairs = v.At(i).Len() <= short
	}
	if pairs {
		for i := range v.Len() {
			if !t.spend(i) {
				return false
			}
			for j := range i {
				if sameKindText(v.At(i), v.At(j)) && t.equal(v.At(i), v.At(j)) {
					first, second = j, i
				}
			}
		}
	} else {
		first, second = t.duplicate(v)
	}
	if t.stopped || first < 0 {
		return !t.stopped
	}
	if t.wants() {
		t.push("", second)
		t.fail(k.n, "uniqueItems", v.At(second), failure{
			expected: "items that all differ", message: fmt.Sprintf("the items %d and %d are equal", first, second), hint: "Remove the repeated item.",
		})
		t.pop()
	}
	return false
}

// sameKindText rules out most pairs without reading decimals.
func sameKindText(a, b value.Value) bool {
	return a.Kind() == b.Kind() && (a.Kind() != value.KindString || len(a.Text()) == len(b.Text())) && a.Len() == b.Len()
}
