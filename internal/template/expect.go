package template

import (
	"fmt"

	"github.com/promptd/promptd/internal/value"
)

// Difference is a place at which an answer is not what a test expects.
type Difference struct {
	Pointer  string      `json:"pointer"`
	Expected value.Value `json:"expected"`
	// Actual is null where the answer has nothing there.
	Actual  value.Value `json:"actual"`
	Message string      `json:"message"`
}

// The bounds of a comparison: what is told of one answer, and how many values are compared. Items in any order can take as many as their product.
const (
	mostDifferences = 20
	mostComparisons = 1_000_000
)

const tooLarge = "was not compared: the answer and what is expected are too large"

// Differences says where an answer is not what the test expects; empty is a test that passed.
func (t *Test) Differences(answer value.Value) []Difference {
	d := &differences{whole: t.HasEquals, left: new(int)}
	*d.left = mostComparisons
	switch {
	case t.HasEquals:
		d.compare("", t.Equals, answer)
	case t.HasContains:
		d.compare("", t.Contains, answer)
	}
	return d.list
}

// differences compares two values: all of them, or the expected one as a part of the other.
type differences struct {
	whole bool
	list  []Difference
	left  *int // Comparisons; shared by those within.
}

func (d *differences) add(pointer string, expected, actual value.Value, format string, args ...any) {
	if len(d.list) < mostDifferences {
		d.list = append(d.list, Difference{pointer, expected, actual, fmt.Sprintf(format, args...)})
	}
}

func (d *differences) compare(pointer string, expected, actual value.Value) {
	*d.left--
	switch {
	case *d.left < 0:
		if len(d.list) == 0 || d.list[len(d.list)-1].Message != tooLarge {
			d.add(pointer, expected, actual, tooLarge)
		}
	case expected.Kind() != actual.Kind():
		d.add(pointer, expected, actual, "is of the kind %s, expected %s", actual.Kind(), expected.Kind())
	case expected.Kind() == value.KindObject:
		d.objects(pointer, expected, actual)
	case expected.Kind() == value.KindArray && d.whole:
		d.arrays(pointer, expected, actual)
	case expected.Kind() == value.KindArray:
		d.holds(pointer, expected, actual)
	case !value.Equal(expected, actual):
		d.add(pointer, expected, actual, "is another %s", expected.Kind())
	}
}

func (d *differences) objects(pointer string, expected, actual value.Value) {
	for name, want := range expected.Members() {
		at := value.AppendPointer(pointer, name)
		got, ok := actual.Get(name)
		if !ok {
			d.add(at, want, value.Null(), "is missing")
			continue
		}
		d.compare(at, want, got)
	}
	if !d.whole {
		return
	}
	for name, got := range actual.Members() {
		if _, ok := expected.Get(name); !ok {
			d.add(value.AppendPointer(pointer, name), value.Null(), got, "is not expected")
		}
	}
}

func (d *differences) arrays(pointer string, expected, actual value.Value) {
	if expected.Len() != actual.Len() {
		d.add(pointer, expected, actual, "has %d items, expected %d", actual.Len(), expected.Len())
	}
	for i := range min(expected.Len(), actual.Len()) {
		d.compare(value.AppendIndex(pointer, i), expected.At(i), actual.At(i))
	}
}

// holds wants each expected item among the others, in any order and each for itself: it takes the first that is left and holds it.
func (d *differences) holds(pointer string, expected, actual value.Value) {
	taken := make([]bool, actual.Len())
	for i, want := range expected.Items() {
		if *d.left < 0 {
			d.add(pointer, expected, actual, tooLarge)
			return
		}
		found := false
		for j, got := range actual.Items() {
			if inside := (&differences{left: d.left}); *d.left >= 0 && !taken[j] && inside.fits(want, got) {
				taken[j], found = true, true
				break
			}
		}
		if !found {
			d.add(value.AppendIndex(pointer, i), want, value.Null(), "no item of the answer holds this")
		}
	}
}

// fits says whether a value holds the expected one.
func (d *differences) fits(expected, actual value.Value) bool {
	d.compare("", expected, actual)
	return len(d.list) == 0
}
