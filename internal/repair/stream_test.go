package repair_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/promptd/promptd/internal/repair"
	"github.com/promptd/promptd/internal/repair/damage"
	"github.com/promptd/promptd/internal/value"
)

// holds reports whether a value has every part of an earlier snapshot, unchanged and in the same order.
func holds(v, earlier value.Value) bool {
	if v.Kind() != earlier.Kind() {
		return false
	}
	if v.Kind() != value.KindObject && v.Kind() != value.KindArray {
		return value.Identical(v, earlier)
	}
	if v.Len() < earlier.Len() {
		return false
	}
	for i := range earlier.Len() {
		if v.NameAt(i) != earlier.NameAt(i) || !holds(v.At(i), earlier.At(i)) {
			return false
		}
	}
	return true
}

func scalars(v value.Value) int {
	if v.Kind() != value.KindObject && v.Kind() != value.KindArray || v.Len() == 0 {
		return 1
	}
	n := 0
	for i := range v.Len() {
		n += scalars(v.At(i))
	}
	return n
}

// streamed writes the text in the pieces that next gives the sizes of, and checks that no snapshot takes anything back.
func streamed(text string, h repair.Hints, next func() int) (last value.Value, any bool, fault string) {
	s := repair.NewStream(h)
	for at := 0; at < len(text); {
		n := min(max(next(), 1), len(text)-at)
		s.Write(text[at : at+n])
		at += n
		v, ok := s.Snapshot()
		if !ok {
			continue
		}
		if any && !holds(v, last) {
			return last, any, fmt.Sprintf("at byte %d the snapshot %s does not hold the earlier %s", at, v, last)
		}
		if any && scalars(v) <= scalars(last) {
			return last, any, fmt.Sprintf("at byte %d the snapshot %s holds no more than the earlier %s", at, v, last)
		}
		last, any = v, true
	}
	return last, any, ""
}

// anyValue generates values of all kinds with texts that have quotes, brackets and escapes in them.
func anyValue(depth int) *rapid.Generator[value.Value] {
	texts := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z{}\[\]",: \\]{0,12}`), rapid.StringMatching("[a-z\n\té€]{0,6}"))
	return rapid.Custom(func(t *rapid.T) value.Value {
		kind := rapid.IntRange(0, 5).Draw(t, "kind")
		if depth <= 0 {
			kind %= 4
		}
		switch kind {
		case 0:
			return value.Null()
		case 1:
			return value.Bool(rapid.Bool().Draw(t, "truth"))
		case 2:
			n, err := value.Number(rapid.StringMatching(`-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,6})?([eE][+-]?[0-9]{1,2})?`).Draw(t, "number"))
			if err != nil {
				t.Fatal(err)
			}
			return n
		case 3:
			return value.String(strings.ToValidUTF8(texts.Draw(t, "text"), "?"))
		case 4:
			return value.Array(rapid.SliceOfN(anyValue(depth-1), 0, 5).Draw(t, "items")...)
		default:
			names := rapid.SliceOfNDistinct(texts, 0, 5, rapid.ID).Draw(t, "names")
			members := make([]value.Member, len(names))
			for i, name := range names {
				members[i] = value.Member{Name: name, Value: anyValue(depth-1).Draw(t, "member")}
			}
			return value.Object(members...)
		}
	})
}

// front is what stands before the value in a text.
type front struct {
	text  string
	prose bool // behind prose an empty container or a list of scalars is not told from a note
}

func fronts() *rapid.Generator[front] {
	return rapid.SampledFrom([]front{
		{text: ""},
		{text: "\ufeff"},
		{text: " \n"},
		{text: "```json\n"},
		{text: "``` json\n"},
		{text: "~~~\n"},
		{text: "```json "},
		{text: "Here it is:\n\n", prose: true},
		{text: "Sure, see [1] and {this}:\n```json\n"},
		{text: "Sure! ", prose: true},
		{text: "<think>\nI say\n{\"a\": 1}\n</think>\n"},
		{text: "or not {a} but [b]\n</thinking>\n\n"},
		{text: "Note\n{placeholders} stay:\n", prose: true},
	})
}

func TestStreamNeverTakesBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v := anyValue(4).Draw(t, "value")
		if rapid.IntRange(0, 3).Draw(t, "root") > 0 { // Most roots are containers.
			v = value.Object(value.Member{Name: "a", Value: v}, value.Member{Name: "b", Value: value.Array(anyValue(4).Draw(t, "other"), value.Int(7))})
		}
		front := fronts().Draw(t, "front")
		text := front.text + v.String()
		last, any, fault := streamed(text, repair.Hints{}, func() int { return rapid.IntRange(1, 9).Draw(t, "size") })
		if fault != "" {
			t.Fatalf("%q: %s", text, fault)
		}
		if container := v.Kind() == value.KindObject || v.Kind() == value.KindArray; container && !any && !front.prose || any && !container {
			t.Fatalf("%q: a snapshot was given: %v", text, any)
		} else if any && !value.Identical(v, last) {
			t.Fatalf("%q: the last snapshot %s is not the value", text, last)
		}
		final, err := repair.Read(text, repair.Hints{})
		if any && (err != nil || !holds(final.Value, last)) {
			t.Fatalf("%q: the final value %s (%v) does not hold the snapshot %s", text, final.Value, err, last)
		}
	})
}

func TestStreamOfRealInstancesNeverTakesBack(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 1))
	snapshots := 0
	for i, in := range realInstances(t) {
		if i%3 != 0 {
			continue
		}
		text := in.String()
		last, any, fault := streamed(text, repair.Hints{}, func() int { return 1 + rng.IntN(12) })
		if fault != "" || !any || !value.Identical(last, in) {
			t.Errorf("%s: %s, last snapshot %s", text, fault, last)
		}
		snapshots++
	}
	t.Logf("%d instances", snapshots)
}

func TestStreamOfDamagedTextIsHeldByTheFinalValue(t *testing.T) {
	t.Parallel()
	instances := realPairs(t)
	shapes := make([]repair.Shape, len(instances)) // Without a schema, objects one behind the other are an array.
	for i := range instances {
		shapes[i] = repair.ShapeOf(instances[i].schema)
	}
	for _, kind := range damage.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(5, uint64(len(kind))))
			var held share
			for i, in := range instances {
				if i%4 != 0 {
					continue
				}
				text, _ := damage.Apply(kind, in.data, rng)
				h := repair.Hints{Schema: shapes[i]}
				last, any, fault := streamed(text, h, func() int { return 1 + rng.IntN(12) })
				if fault != "" {
					t.Errorf("%q: %s", text, fault)
				}
				if !any {
					continue
				}
				final, err := repair.Read(text, h)
				good := err == nil && holds(final.Value, last)
				held.count(good)
				if !good && held.all-held.good <= 2 {
					t.Logf("%.700s\n  shown %.500s\n  final %.500s %v", text, last, final.Value, err)
				}
			}
			if held.all == 0 {
				return // No text of that kind is strict enough for a snapshot.
			}
			held.atLeast(t, "snapshots of texts damaged by "+string(kind), 1)
		})
	}
}
