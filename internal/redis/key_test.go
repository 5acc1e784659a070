package redis

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestKeyNames(t *testing.T) {
	t.Parallel()
	c := &Client{prefix: "p:"}
	for _, k := range []struct{ want, got string }{
		{"p:{team}:a:b", c.Key("team", "a", "b")},
		{"p:{team}", c.Key("team")},
		{"p:{%}:a", c.Key("", "a")},
		{"p:{%%7Bx%7D%25}", c.Key("{x}%")},
	} {
		if k.got != k.want {
			t.Errorf("key %s, want %s", k.got, k.want)
		}
	}
}

// TestSlotsNeverMeet: what stands in the first braces, which Redis Cluster hashes, is another for every slot, and never empty.
func TestSlotsNeverMeet(t *testing.T) {
	t.Parallel()
	c := &Client{prefix: "p:"}
	tag := func(slot string) string {
		k := c.Key(slot, "a}b{c")
		begin := strings.IndexByte(k, '{') + 1
		return k[begin : begin+strings.IndexByte(k[begin:], '}')]
	}
	rapid.Check(t, func(t *rapid.T) {
		slots := rapid.StringOfN(rapid.SampledFrom([]rune("a{}%25")), 0, 5, -1)
		one, two := slots.Draw(t, "one"), slots.Draw(t, "two")
		if tag(one) == "" || (tag(one) == tag(two)) != (one == two) {
			t.Fatalf("slots %q and %q have the tags %q and %q", one, two, tag(one), tag(two))
		}
	})
}
