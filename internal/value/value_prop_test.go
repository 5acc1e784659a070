package value_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/promptd/promptd/internal/value"
)

// values draws any value down to a depth.
func values(depth int) *rapid.Generator[value.Value] {
	return rapid.Custom(func(t *rapid.T) value.Value {
		most := 5
		if depth == 0 {
			most = 3
		}
		switch rapid.IntRange(0, most).Draw(t, "kind") {
		case 0:
			return value.Null()
		case 1:
			return value.Bool(rapid.Bool().Draw(t, "truth"))
		case 2:
			v, err := value.Number(texts().Draw(t, "number"))
			if err != nil {
				t.Fatal(err)
			}
			return v
		case 3:
			return value.String(rapid.String().Draw(t, "text"))
		case 4:
			return value.Array(rapid.SliceOfN(values(depth-1), 0, 6).Draw(t, "items")...)
		default:
			names := rapid.SliceOfNDistinct(rapid.StringN(0, 5, -1), 0, 20, rapid.ID[string]).Draw(t, "names")
			members := make([]value.Member, len(names))
			for i, name := range names {
				members[i] = value.Member{Name: name, Value: values(depth-1).Draw(t, "member")}
			}
			return value.Object(members...)
		}
	})
}

// shuffled gives the same value with the members of every object in another order and its numbers spelled in another way.
func shuffled(t *rapid.T, v value.Value) value.Value {
	switch v.Kind() {
	case value.KindNumber:
		w, err := value.Number(respelled(t, v.Text()))
		if err != nil {
			return v // The other spelling is beyond the bounds.
		}
		return w
	case value.KindArray:
		var items []value.Value
		for _, item := range v.Items() {
			items = append(items, shuffled(t, item))
		}
		return value.Array(items...)
	case value.KindObject:
		var members []value.Member
		for name, item := range v.Members() {
			members = append(members, value.Member{Name: name, Value: shuffled(t, item)})
		}
		return value.Object(rapid.Permutation(members).Draw(t, "order")...)
	default:
		return v
	}
}

func TestWrittenValuesReadBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v := values(3).Draw(t, "value")
		for _, text := range []string{v.String(), spaced(v.String())} {
			got, err := value.DecodeString(text, value.Limits{})
			if err != nil || !value.Identical(v, got) {
				t.Fatalf("%s is read %s, %v", text, got, err)
			}
		}
		canonical := string(v.AppendCanonical([]byte("before ")))
		got, err := value.DecodeString(strings.TrimPrefix(canonical, "before "), value.Limits{})
		if err != nil || !value.Equal(v, got) {
			t.Fatalf("%s is read %s, %v", canonical, got, err)
		}
	})
}

// spaced puts white space around what stands outside strings.
func spaced(text string) string {
	var b strings.Builder
	inside, escaped := false, false
	for _, r := range text {
		if !inside && strings.ContainsRune("{}[]:,", r) {
			b.WriteString(" \n" + string(r) + "\t\r")
			continue
		}
		if r == '"' && !escaped {
			inside = !inside
		}
		escaped = inside && r == '\\' && !escaped
		b.WriteRune(r)
	}
	return b.String()
}

func TestEqualIsAnEquivalence(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := values(2).Draw(t, "a"), values(2).Draw(t, "b")
		same := shuffled(t, a)
		twice := shuffled(t, same)
		if !value.Equal(a, a) || !value.Identical(a, a) {
			t.Fatalf("%s is not equal to itself", a)
		}
		if !value.Equal(a, same) || !value.Equal(same, a) || !value.Equal(a, twice) {
			t.Fatalf("%s is not equal to %s and %s", a, same, twice)
		}
		if value.Equal(a, b) != value.Equal(b, a) || value.Equal(a, b) != value.Equal(same, b) {
			t.Fatalf("%s and %s: equality is one-sided", a, b)
		}
		if value.Identical(a, b) && !value.Equal(a, b) {
			t.Fatalf("%s and %s are identical and not equal", a, b)
		}
		if value.Identical(a, b) != (a.String() == b.String()) {
			t.Fatalf("%s and %s: identical %v", a, b, value.Identical(a, b))
		}
	})
}

// One change anywhere makes another value.
func TestEqualSeesEveryChange(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v := values(3).Draw(t, "value")
		changed := change(t, v)
		if value.Equal(v, changed) || value.Identical(v, changed) {
			t.Fatalf("%s is equal to %s", v, changed)
		}
		if string(v.AppendCanonical(nil)) == string(changed.AppendCanonical(nil)) {
			t.Fatalf("%s and %s have one canonical form", v, changed)
		}
	})
}

func change(t *rapid.T, v value.Value) value.Value {
	inner := func(item value.Value, i int) value.Value { return v.WithAt(i, change(t, item)) }
	switch v.Kind() {
	case value.KindBool:
		return value.Bool(!v.Truth())
	case value.KindNumber:
		if v.Decimal().IsZero() {
			return value.Int(1)
		}
		return value.Int(0)
	case value.KindString:
		return value.String(v.Text() + "x")
	case value.KindArray:
		if n := v.Len(); n > 0 && rapid.Bool().Draw(t, "inside") {
			i := rapid.IntRange(0, n-1).Draw(t, "place")
			return inner(v.At(i), i)
		}
		items := []value.Value{value.Null()}
		for _, item := range v.Items() {
			items = append(items, item)
		}
		return value.Array(items...)
	case value.KindObject:
		n := v.Len()
		if n == 0 {
			return value.Object(value.Member{Name: "new"})
		}
		i := rapid.IntRange(0, n-1).Draw(t, "place")
		if rapid.Bool().Draw(t, "inside") {
			return inner(v.At(i), i)
		}
		return v.Without(v.NameAt(i))
	default:
		return value.Bool(false)
	}
}

// The canonical form does not depend on the order of members, and is sorted.
func TestCanonicalFormIsOneForAllOrders(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v := values(3).Draw(t, "value")
		var reorder func(value.Value) value.Value
		reorder = func(v value.Value) value.Value {
			switch v.Kind() {
			case value.KindArray:
				for i := range v.Len() {
					v = v.WithAt(i, reorder(v.At(i)))
				}
				return v
			case value.KindObject:
				var members []value.Member
				for name, item := range v.Members() {
					members = append(members, value.Member{Name: name, Value: reorder(item)})
				}
				return value.Object(rapid.Permutation(members).Draw(t, "order")...)
			default:
				return v
			}
		}
		before := v.String()
		canonical, other := string(v.AppendCanonical(nil)), string(reorder(v).AppendCanonical(nil))
		if canonical != other {
			t.Fatalf("%s has the canonical forms %s and %s", v, canonical, other)
		}
		if v.String() != before {
			t.Fatalf("%s became %s", before, v)
		}
		sorted, err := value.DecodeString(canonical, value.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		inOrder(t, sorted)
	})
}

func inOrder(t *rapid.T, v value.Value) {
	if v.Kind() == value.KindObject {
		var names []string
		for name := range v.Members() {
			names = append(names, name)
		}
		if !slices.IsSorted(names) {
			t.Fatalf("the names %q are not sorted", names)
		}
	}
	for i := range v.Len() {
		inOrder(t, v.At(i))
	}
}

// Every place has a pointer that leads to it, whatever the names are.
func TestPointersLeadToEveryPlace(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		root := values(3).Draw(t, "value")
		var walk func(v value.Value, pointer string)
		walk = func(v value.Value, pointer string) {
			got, ok := root.Lookup(pointer)
			if !ok || !value.Identical(got, v) {
				t.Fatalf("%q leads to %s, %v; want %s", pointer, got, ok, v)
			}
			for i, item := range v.Items() {
				walk(item, value.AppendIndex(pointer, i))
			}
			for name, item := range v.Members() {
				walk(item, value.AppendPointer(pointer, name))
			}
		}
		walk(root, "")
	})
}

func TestPointersThatLeadNowhere(t *testing.T) {
	t.Parallel()
	v := decoded(t, `{"a":[1,{"b":2}],"":3,"~1":4,"m~n":5,"0":6}`)
	for _, pointer := range []string{"a", "/", "/a/2", "/a/-", "/a/-1", "/a/01", "/a/1/c", "/a/+1", "/a/ 1", "/a/1/b/c", "/~", "/~2", "/m~n", "/a/99999999999999999999", "/x", "#/a"} {
		got, ok := v.Lookup(pointer)
		if want := pointer == "/"; ok != want {
			t.Errorf("%q leads to %s, %v", pointer, got, ok)
		}
	}
	for pointer, want := range map[string]string{"/~01": "4", "/m~0n": "5", "/0": "6", "/a/1/b": "2"} {
		if got, ok := v.Lookup(pointer); !ok || got.String() != want {
			t.Errorf("%q leads to %s, %v; want %s", pointer, got, ok, want)
		}
	}
	for _, c := range []struct {
		pointer string
		want    []string
		ok      bool
	}{{"", nil, true}, {"/a~1b/~0", []string{"a/b", "~"}, true}, {"/~01", []string{"~1"}, true}, {"//", []string{"", ""}, true}, {"a", nil, false}, {"/~", nil, false}, {"/~3", nil, false}} {
		if got, ok := value.Tokens(c.pointer); ok != c.ok || ok && !slices.Equal(got, c.want) {
			t.Errorf("Tokens(%q) = %q, %v", c.pointer, got, ok)
		}
	}
}

// A value never changes: what makes another one shares the rest.
func TestValuesAreImmutable(t *testing.T) {
	t.Parallel()
	const text = `{"a":1,"b":[1,2],"c":{"d":null}}`
	v := decoded(t, text)
	for name, got := range map[string]struct {
		v    value.Value
		want string
	}{
		"With, in place":         {v.With("a", value.Int(2)), `{"a":2,"b":[1,2],"c":{"d":null}}`},
		"With, at the end":       {v.With("z", value.Int(2)), `{"a":1,"b":[1,2],"c":{"d":null},"z":2}`},
		"With, once more":        {v.With("z", value.Int(2)).With("y", value.Int(3)), `{"a":1,"b":[1,2],"c":{"d":null},"z":2,"y":3}`},
		"Without":                {v.Without("b"), `{"a":1,"c":{"d":null}}`},
		"Without what is absent": {v.Without("x"), text},
		"WithAt":                 {v.WithAt(1, value.Bool(true)), `{"a":1,"b":true,"c":{"d":null}}`},
		"WithAt of an array":     {v.At(1).WithAt(0, value.String("x")), `["x",2]`},
	} {
		if got.v.String() != got.want {
			t.Errorf("%s gives %s, want %s", name, got.v, got.want)
		}
	}
	one, other := v.With("x", value.Int(1)), v.With("x", value.Int(2))
	if one.String() == other.String() || v.String() != text {
		t.Errorf("the values are %s, %s and %s", v, one, other)
	}
}

// Walking and asking the wrong kind gives nothing, and never panics.
func TestEveryKindAnswersEveryQuestion(t *testing.T) {
	t.Parallel()
	for text, kind := range map[string]string{`null`: "null", `true`: "boolean", `1.5`: "number", `"a"`: "string", `[1,2]`: "array", `{"a":1}`: "object"} {
		v := decoded(t, text)
		if v.Kind().String() != kind || v.IsNull() != (kind == "null") {
			t.Errorf("%s has the kind %s", text, v.Kind())
		}
		items, members := 0, 0
		for range v.Items() {
			items++
			break
		}
		for range v.Members() {
			members++
			break
		}
		if (items == 1) != (kind == "array") || (members == 1) != (kind == "object") {
			t.Errorf("%s yields %d items and %d members", text, items, members)
		}
		if _, ok := v.Get("a"); ok != (kind == "object") {
			t.Errorf("Get of %s: %v", text, ok)
		}
		if v.Truth() != (kind == "boolean") || (v.Text() != "") != (kind == "number" || kind == "string") {
			t.Errorf("%s: truth %v, text %q", text, v.Truth(), v.Text())
		}
	}
	if value.KindObject.String() != "object" || value.Kind(99).String() != "null" {
		t.Error("kinds are named wrongly")
	}
}

// Wide objects compare without a search for each member: linear, and right in any order.
func TestEqualOfWideObjects(t *testing.T) {
	t.Parallel()
	const wide = 50_000
	var a, b []value.Member
	for i := range wide {
		m := value.Member{Name: "n" + strconv.Itoa(i), Value: value.Int(int64(i))}
		a, b = append(a, m), append(b, m)
	}
	slices.Reverse(b)
	if !value.Equal(value.Object(a...), value.Object(b...)) {
		t.Error("the order of members counts")
	}
	b[7].Value = value.Null()
	if value.Equal(value.Object(a...), value.Object(b...)) {
		t.Error("a changed member is not seen")
	}
	b[7] = value.Member{Name: "other"}
	if value.Equal(value.Object(a...), value.Object(b...)) {
		t.Error("another name is not seen")
	}
}
