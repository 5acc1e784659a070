package cache_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/promptd/promptd/internal/cache"
)

type field struct {
	name  string
	value any
}

func build(team string, fields ...field) cache.Key {
	b := cache.NewBuilder(team, 64)
	for _, f := range fields {
		switch v := f.value.(type) {
		case string:
			b.Text(f.name, v)
		case []byte:
			b.Bytes(f.name, v)
		case bool:
			b.Bool(f.name, v)
		case int64:
			b.Int(f.name, v)
		case nil:
			b.Unset(f.name)
		}
	}
	return b.Key()
}

func TestDifferentRequestsHaveDifferentKeys(t *testing.T) {
	t.Parallel()
	for what, pair := range map[string][2]cache.Key{
		"border between values":    {build("a", field{"x", "ab"}, field{"y", "c"}), build("a", field{"x", "a"}, field{"y", "bc"})},
		"border of name and value": {build("a", field{"xa", "b"}), build("a", field{"x", "ab"})},
		"border of team and name":  {build("ab", field{"c", ""}), build("a", field{"bc", ""})},
		"team":                     {build("a", field{"x", "1"}), build("b", field{"x", "1"})},
		"name":                     {build("a", field{"x", "1"}), build("a", field{"y", "1"})},
		"order":                    {build("a", field{"x", "1"}, field{"y", "2"}), build("a", field{"y", "2"}, field{"x", "1"})},
		"empty and unset":          {build("a", field{"x", ""}), build("a", field{"x", nil})},
		"empty and absent":         {build("a", field{"x", ""}), build("a")},
		"text and number":          {build("a", field{"x", "1"}), build("a", field{"x", int64(1)})},
		"text and boolean":         {build("a", field{"x", "\x01"}), build("a", field{"x", true})},
		"true and false":           {build("a", field{"x", true}), build("a", field{"x", false})},
		"close numbers":            {build("a", field{"x", int64(9007199254740993)}), build("a", field{"x", int64(9007199254740992)})},
		"a field inside a value":   {build("a", field{"x", "\x00\x00\x00\x01yt\x00\x00\x00\x00\x00\x00\x00\x00"}), build("a", field{"x", ""}, field{"y", ""})},
	} {
		if pair[0] == pair[1] || pair[0].String() == pair[1].String() {
			t.Errorf("%s: both requests have the key %s", what, pair[0])
		}
	}
}

func TestSameRequestHasTheSameKey(t *testing.T) {
	t.Parallel()
	one := build("a", field{"prompt", "text"}, field{"bypass", false}, field{"n", int64(-5)})
	b := cache.NewBuilder("a", 0)
	b.Bytes("prompt", []byte("text"))
	b.Bool("bypass", false)
	b.Int("n", -5)
	if two := b.Key(); one != two || b.Key() != two {
		t.Errorf("the same fields give %s and %s, want one key", one, two)
	}
	// Pinned: a change here empties every cache that outlives a process, so it is made on purpose.
	const want = "1df2d4563b3cfa52eda587e9db35abd0f5d62d0074a130a8025b1cd16b00a09b"
	if got := one.String(); got != want {
		t.Errorf("key is %s, want %s", got, want)
	}
}

func TestFieldListsNeverCollide(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOfN(rapid.StringOfN(rapid.SampledFrom([]rune("ab\x00\x01t")), 0, 4, -1), 0, 6)
		one, two := texts.Draw(t, "one"), texts.Draw(t, "two")
		same := len(one) == len(two)
		for i := 0; same && i < len(one); i++ {
			same = one[i] == two[i]
		}
		if got := keyOf(one) == keyOf(two); got != same {
			t.Fatalf("keys of %q and %q equal: %t, want %t", one, two, got, same)
		}
	})
}

// keyOf uses the texts in turn as names and as values.
func keyOf(texts []string) cache.Key {
	b := cache.NewBuilder("a", 0)
	for i := 0; i+1 < len(texts); i += 2 {
		b.Text(texts[i], texts[i+1])
	}
	if len(texts)%2 == 1 {
		b.Unset(texts[len(texts)-1])
	}
	return b.Key()
}

func TestKeyReadsBackForItsTeam(t *testing.T) {
	t.Parallel()
	k := build("a", field{"x", "1"})
	if got, err := cache.ParseKey("a", k.String()); err != nil || got != k {
		t.Errorf("ParseKey(%s) = %v, %v, want the key", k, got, err)
	}
	if got, err := cache.ParseKey("b", k.String()); err != nil || got == k {
		t.Errorf("ParseKey(%s) for another team = %v, %v, want another key", k, got, err)
	}
	for _, text := range []string{"", "00", k.String() + "00", k.String()[1:] + "g"} {
		if _, err := cache.ParseKey("a", text); err == nil {
			t.Errorf("ParseKey(%q) = nil error, want an error", text)
		}
	}
}

func TestCanonicalJSON(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{` {"b": 1, "a" : [ true , null ] }`, `{"a":[true,null],"b":1}`},
		{`{"n":9007199254740993}`, `{"n":9007199254740993}`},
		{`{"n":1.0}`, `{"n":1.0}`},
		{`{"n":1E400}`, `{"n":1E400}`},
		{`{"n":-0}`, `{"n":-0}`},
		{`"\u0041\u00e9\/\n"`, `"Aé/\n"`},
		{`{"a":{"d":1,"c":{"f":1,"e":2}}}`, `{"a":{"c":{"e":2,"f":1},"d":1}}`},
	} {
		got, err := cache.CanonicalJSON([]byte(c.in))
		if err != nil || string(got) != c.want {
			t.Errorf("CanonicalJSON(%s) = %s, %v, want %s", c.in, got, err, c.want)
		}
	}
	for _, in := range []string{``, `{"a":1,"a":2}`, `{"a":1} x`, "\"\xff\"", `"\ud800"`, `[1,]`} {
		if got, err := cache.CanonicalJSON([]byte(in)); err == nil {
			t.Errorf("CanonicalJSON(%q) = %s, want an error", in, got)
		}
	}
}

func TestCanonicalJSONLeavesTheSourceAlone(t *testing.T) {
	t.Parallel()
	src := []byte(`{"b":1,"a":2}`)
	kept := bytes.Clone(src)
	if _, err := cache.CanonicalJSON(src); err != nil || !bytes.Equal(src, kept) {
		t.Errorf("source is %s afterwards, %v, want %s", src, err, kept)
	}
}

func TestKeyCostsOneAllocation(t *testing.T) { //nolint:paralleltest // It counts allocations.
	prompt, hash := string(bytes.Repeat([]byte("p"), 5000)), binary.BigEndian.AppendUint64(nil, 42)
	got := testing.AllocsPerRun(200, func() {
		if k := request(prompt, hash); k.IsZero() {
			t.Fatal("zero key")
		}
	})
	if got > 1 {
		t.Errorf("a key costs %v allocations, want at most 1", got)
	}
}

func request(prompt string, hash []byte) cache.Key {
	b := cache.NewBuilder("team", len(prompt)+len(hash))
	b.Text("prompt", prompt)
	b.Bytes("schema", hash)
	b.Text("template", "mail@3")
	b.Text("model", "openai/gpt")
	b.Bool("include_confidence", true)
	b.Int("max_tokens", 2048)
	b.Unset("provider")
	b.Text("evaluator", "7")
	return b.Key()
}

func BenchmarkKey(b *testing.B) {
	for _, size := range []int{100, 1000, 10000} {
		prompt, hash := string(bytes.Repeat([]byte("p"), size)), make([]byte, 32)
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				request(prompt, hash)
			}
		})
	}
}
