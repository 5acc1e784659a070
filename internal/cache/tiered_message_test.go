package cache

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/promptd/promptd/internal/broadcast"
)

func TestMessagesOfDropsReadBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		k := Key{team: "a"}
		k.sum[0] = 7
		text := rapid.StringOfN(rapid.SampledFrom([]rune("a@=\x00\n1ü")), 0, 6, -1)
		tag := rapid.OneOf(
			rapid.Just(KeyTag(k)),
			rapid.Custom(func(t *rapid.T) Tag { return AllTag(text.Draw(t, "team")) }),
			rapid.Custom(func(t *rapid.T) Tag { return SchemaTag(text.Draw(t, "team"), text.Draw(t, "ref")) }),
			rapid.Custom(func(t *rapid.T) Tag { return TemplateTag(text.Draw(t, "team"), text.Draw(t, "ref")) }),
		)
		tags := rapid.SliceOfN(tag, 0, 20).Draw(t, "tags")
		var got []Tag
		for _, p := range payloads("origin", tags) {
			origin, some, err := parsePayload(p)
			if err != nil || origin != "origin" {
				t.Fatalf("parsePayload(%q) = %q, %v", p, origin, err)
			}
			got = append(got, some...)
		}
		if !slices.Equal(got, tags) {
			t.Fatalf("got %v, want %v", got, tags)
		}
	})
}

func TestMessagesOfDropsFit(t *testing.T) {
	t.Parallel()
	var tags []Tag
	for range 40 {
		tags = append(tags, SchemaTag("a", strings.Repeat("x", 10_000)))
	}
	tags = append(tags, SchemaTag("a", strings.Repeat("x", 100_000)), TemplateTag("b", "t"), Tag{})
	n := 0
	for _, p := range payloads(newOrigin(), tags) {
		if err := broadcast.Check(broadcast.Cache, p); err != nil {
			t.Error(err)
		}
		_, some, err := parsePayload(p)
		if err != nil {
			t.Error(err)
		}
		n += len(some)
	}
	if n != 42 {
		t.Errorf("%d tags are told, want 42; the zero tag is none", n)
	}
}

func FuzzParsePayload(f *testing.F) {
	f.Add(payloads("o", []Tag{AllTag("a"), SchemaTag("a", "s@1")})[0])
	f.Add("")
	f.Add("\x01o\x01a")
	f.Add("\x01o\x01a\x05key=0")
	f.Add("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")
	f.Fuzz(func(t *testing.T, payload string) {
		origin, tags, err := parsePayload(payload)
		if err != nil {
			return
		}
		again := payloads(origin, tags)
		if len(tags) == 0 || len(origin)+len(payload) < broadcast.MaxPayload/2 && len(again) != 1 {
			t.Errorf("%q is read as %v, which is written as %d messages", payload, tags, len(again))
		}
	})
}
