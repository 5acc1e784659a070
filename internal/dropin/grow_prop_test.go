package dropin_test

import (
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/promptd/promptd/internal/dropin"
	"github.com/promptd/promptd/internal/value"
)

// drawn makes a value of some depth.
func drawn(t *rapid.T, depth int) value.Value {
	kind := rapid.IntRange(0, 4).Draw(t, "kind")
	if depth == 0 {
		kind %= 3
	}
	switch kind {
	case 0:
		return value.Int(rapid.Int64().Draw(t, "n"))
	case 1:
		return value.String(rapid.StringN(0, 5, -1).Draw(t, "s"))
	case 2:
		return value.Null()
	case 3:
		var items []value.Value
		for range rapid.IntRange(0, 4).Draw(t, "items") {
			items = append(items, drawn(t, depth-1))
		}
		return value.Array(items...)
	default:
		var members []value.Member
		for i := range rapid.IntRange(0, 5).Draw(t, "members") {
			members = append(members, value.Member{Name: "m" + strconv.Itoa(i), Value: drawn(t, depth-1)})
		}
		return value.Object(members...)
	}
}

// part draws a snapshot of a value that holds every earlier one: of an array the first items, of an object some members in any order.
func part(t *rapid.T, whole value.Value, earlier value.Value, known bool) value.Value {
	switch whole.Kind() {
	case value.KindArray:
		n := rapid.IntRange(earlier.Len(), whole.Len()).Draw(t, "shown")
		items := make([]value.Value, 0, n)
		for i := range n {
			if i < earlier.Len() {
				items = append(items, part(t, whole.At(i), earlier.At(i), true))
			} else {
				items = append(items, part(t, whole.At(i), value.Value{}, false))
			}
		}
		return value.Array(items...)
	case value.KindObject:
		var members []value.Member
		for name, was := range earlier.Members() {
			now, _ := whole.Get(name)
			members = append(members, value.Member{Name: name, Value: part(t, now, was, true)})
		}
		for _, i := range rapid.Permutation(indexes(whole.Len())).Draw(t, "order") {
			name := whole.NameAt(i)
			if _, shown := earlier.Get(name); !shown && rapid.Bool().Draw(t, "shows") {
				members = append(members, value.Member{Name: name, Value: part(t, whole.At(i), value.Value{}, false)})
			}
		}
		return value.Object(members...)
	default:
		return whole
	}
}

func indexes(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

// Whatever snapshots come, all pieces together are the final value's text, and every piece extends the ones before.
func TestPiecesAreTheFinalText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		whole := drawn(t, 4)
		var g dropin.Growing
		var b strings.Builder
		shown := value.Value{}
		if whole.Kind() == value.KindArray || whole.Kind() == value.KindObject {
			for range rapid.IntRange(0, 6).Draw(t, "snapshots") {
				shown = part(t, whole, shown, true)
				b.WriteString(g.Grow(shown))
			}
		}
		b.WriteString(g.End(whole))
		got, err := value.DecodeString(b.String(), value.Limits{})
		if err != nil || !value.Equal(got, whole) {
			t.Fatalf("got %s (%v), want %s", b.String(), err, whole)
		}
	})
}

func TestTextGrowsWithItsSnapshots(t *testing.T) {
	t.Parallel()
	var g dropin.Growing
	for _, step := range []struct{ snapshot, want string }{
		{`{}`, `{`},
		{`{"a":1}`, `"a":1`},
		{`{"a":1,"b":"x","c":[]}`, `,"b":"x","c":[`},
		{`{"a":1,"b":"x","c":[1,2]}`, `1,2`},
		{`{"a":1,"b":"x","c":[1,2],"d":3}`, ``},
	} {
		v, err := value.DecodeString(step.snapshot, value.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if got := g.Grow(v); got != step.want {
			t.Errorf("%s adds %s, want %s", step.snapshot, got, step.want)
		}
	}
	v, err := value.DecodeString(`{"d":3,"a":1,"b":"x","c":[1,2,3]}`, value.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := g.End(v), `,3],"d":3}`; got != want {
		t.Errorf("the end is %s, want %s", got, want)
	}
}
