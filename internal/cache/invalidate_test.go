package cache_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/cache"
	"github.com/promptd/promptd/internal/fault"
)

func TestTagsReadBack(t *testing.T) {
	t.Parallel()
	k := build("a", field{"x", "1"})
	for _, c := range []struct {
		name, value string
		want        cache.Tag
	}{
		{"all", "true", cache.AllTag("a")},
		{"key", k.String(), cache.KeyTag(k)},
		{"schema", "invoice", cache.SchemaTag("a", "invoice")},
		{"schema", "invoice@3", cache.SchemaTag("a", "invoice@3")},
		{"template", "mail", cache.TemplateTag("a", "mail")},
		{"template", "mail@1", cache.TemplateTag("a", "mail@1")},
	} {
		got, err := cache.ParseTag("a", c.name, c.value)
		if err != nil || got != c.want {
			t.Errorf("ParseTag(%s=%s) = %v, %v, want %v", c.name, c.value, got, err, c.want)
		}
		if text := c.name + "=" + c.value; got.String() != text {
			t.Errorf("tag %s says %s", text, got)
		}
		if other, _ := cache.ParseTag("b", c.name, c.value); other == got || other.Team() != "b" {
			t.Errorf("ParseTag(%s=%s) for team b = %v of team %q, want another tag, of team b", c.name, c.value, other, other.Team())
		}
	}
}

func TestMalformedSelectionIsAnInvalidRequest(t *testing.T) {
	t.Parallel()
	for _, c := range [][2]string{
		{"all", "false"},
		{"all", ""},
		{"key", "12"},
		{"key", "zz"},
		{"schema", ""},
		{"schema", "@1"},
		{"schema", "a@"},
		{"schema", "a@1@2"},
		{"template", ""},
		{"team", "b"},
		{"", ""},
	} {
		if tag, err := cache.ParseTag("a", c[0], c[1]); !fault.Is(err, fault.InvalidRequest) {
			t.Errorf("ParseTag(%s=%s) = %v, %v, want an INVALID_REQUEST fault", c[0], c[1], tag, err)
		}
	}
}

func TestEntryOfAVersionCarriesTheNameToo(t *testing.T) {
	t.Parallel()
	same := cmp.Comparer(func(a, b cache.Tag) bool { return a == b })
	if diff := cmp.Diff([]cache.Tag{cache.SchemaTag("a", "s@1"), cache.SchemaTag("a", "s")}, cache.SchemaTags("a", "s@1"), same); diff != "" {
		t.Errorf("SchemaTags(s@1) (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]cache.Tag{cache.TemplateTag("a", "t")}, cache.TemplateTags("a", "t"), same); diff != "" {
		t.Errorf("TemplateTags(t) (-want +got):\n%s", diff)
	}
	if cache.SchemaTag("a", "x") == cache.TemplateTag("a", "x") {
		t.Error("the tags of a schema and a template of one name are equal")
	}
}

func TestCheckPutRefusesWhatNoTierMayStore(t *testing.T) {
	t.Parallel()
	k := build("a", field{"x", "1"})
	for what, err := range map[string]error{
		"zero key":    cache.CheckPut(cache.Key{}, time.Hour, nil),
		"short ttl":   cache.CheckPut(k, cache.MinTTL-1, nil),
		"long ttl":    cache.CheckPut(k, cache.MaxTTL+1, nil),
		"foreign tag": cache.CheckPut(k, time.Hour, []cache.Tag{cache.SchemaTag("b", "s")}),
	} {
		if err == nil {
			t.Errorf("%s: nil error, want an error", what)
		}
	}
	if err := cache.CheckPut(k, time.Hour, cache.SchemaTags("a", "s@1")); err != nil {
		t.Errorf("CheckPut of a good entry = %v", err)
	}
}

func TestHitRatioIsUnknownBeforeTheFirstLookup(t *testing.T) {
	t.Parallel()
	if r, known := (cache.Stats{}).HitRatio(); known {
		t.Errorf("HitRatio of nothing = %v, want unknown", r)
	}
	if r, known := (cache.Stats{Hits: 3, Misses: 1}).HitRatio(); !known || r != 0.75 {
		t.Errorf("HitRatio of 3 hits and a miss = %v, %t, want 0.75", r, known)
	}
}
