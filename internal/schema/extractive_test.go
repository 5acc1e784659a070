package schema_test

import (
	"context"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

func TestExtractiveStrings(t *testing.T) {
	t.Parallel()
	const text = "Dear Sirs,\n\n  please send  20 boxes\tof “Café” to Anna\u00a0Petrova.\r\nRegards"
	for _, c := range []struct {
		name, value string
		want        bool
	}{
		{"a word", "boxes", true},
		{"runs of white space are alike", "send 20 boxes of “Café”", true},
		{"in both directions", "please  \n send", true},
		{"a no-break space is white space", "Anna Petrova", true},
		{"over lines", "Petrova. Regards", true},
		{"the whole", text, true},
		{"nothing", "", true},
		{"case", "Boxes", false},
		{"accents", "Cafe", false},
		{"quotes", `"Café"`, false},
		{"no white space where there is some", "20boxes", false},
		{"white space where there is none", "box es", false},
		{"two parts with something left out", "send boxes", false},
		{"invented", "thirty", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := mustCompile(t, `{"properties":{"a":{"type":"string","x-extractive":true}}}`)
			v := value.Object(value.Member{Name: "a", Value: value.String(c.value)})
			valid, report := s.WithSource("another text", text).Accept(context.Background(), v)
			if valid.OK() != c.want {
				t.Errorf("%q: %t %+v", c.value, valid.OK(), report.Errors)
			}
			if !c.want && (len(report.Errors) != 1 || report.Errors[0].Keyword != "x-extractive" || report.Errors[0].Pointer != "/a" ||
				report.Errors[0].SchemaPointer != "/properties/a/x-extractive" || report.Errors[0].Hint == "") {
				t.Errorf("%+v", report.Errors)
			}
			if valid, _ := s.Accept(context.Background(), v); !valid.OK() {
				t.Error("it is judged without a source")
			}
		})
	}
}

func TestExtractiveIsAboutStringsAlone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		schema, instance string
		want             bool
	}{
		{`{"x-extractive":true}`, `7`, true},
		{`{"x-extractive":true}`, `{"a":"invented"}`, true},
		{`{"x-extractive":false}`, `"invented"`, true},
		{`{"type":["string","null"],"x-extractive":true}`, `null`, true},
		{`{"items":{"x-extractive":true}}`, `["given","invented"]`, false},
		{`{"anyOf":[{"x-extractive":true},{"const":"invented"}]}`, `"invented"`, true},
		{`{"$schema":"http://json-schema.org/draft-07/schema#","$ref":"#/definitions/a","definitions":{"a":{}},"x-extractive":true}`, `"invented"`, false},
	} {
		s := mustCompile(t, c.schema).WithSource("what is given")
		v := mustDecode(t, c.instance)
		if valid, report := s.Accept(context.Background(), v); valid.OK() != c.want {
			t.Errorf("%s on %s: %t %+v", c.schema, c.instance, valid.OK(), report.Errors)
		}
		// What comes back from the cache is judged with the same source.
		if _, err := schema.Restore(s, v); (err == nil) != c.want {
			t.Errorf("%s on %s is restored: %v", c.schema, c.instance, err)
		}
		if c.instance == `"invented"` && s.AcceptPart(context.Background(), "", v) != c.want {
			t.Errorf("%s on %s as a part of a stream", c.schema, c.instance)
		}
	}
}

func TestASourceChangesNothingElse(t *testing.T) {
	t.Parallel()
	plain := mustCompile(t, `{"type":"string"}`)
	if plain.WithSource("text") != plain {
		t.Error("a schema without x-extractive is copied")
	}
	s := mustCompile(t, `{"type":"string","x-extractive":true}`)
	sourced := s.WithSource("text")
	if sourced.Hash() != s.Hash() || sourced.Draft() != s.Draft() || sourced.Value().String() != s.Value().String() || len(sourced.Advice()) != len(s.Advice()) {
		t.Error("a schema with a source is another schema")
	}
	if advice := s.Advice(); len(advice) != 1 || advice[0].Rule != "needs_source" || advice[0].Pointer != "/x-extractive" {
		t.Errorf("%+v", advice)
	}
	if advice := mustCompile(t, `{"type":"integer","x-extractive":true}`).Advice(); len(advice) != 1 || advice[0].Rule != "extractive_type" {
		t.Errorf("%+v", advice)
	}
	_, err := schema.Compile(mustDecode(t, `{"properties":{"a":{"x-extractive":"yes"}}}`), schema.Options{})
	if e := fault.Of(err).Entries; len(e) != 1 || e[0].Pointer != "/properties/a/x-extractive" {
		t.Errorf("%+v", e)
	}
}

func TestSearchingALongSourceIsBounded(t *testing.T) {
	t.Parallel()
	s := mustCompile(t, `{"items":{"x-extractive":true}}`).WithSource(strings.Repeat("a", 1<<20))
	items := make([]value.Value, 2000)
	for i := range items {
		items[i] = value.String(strings.Repeat("a", 100) + "b")
	}
	valid, report := s.Accept(context.Background(), value.Array(items...))
	if valid.OK() || len(report.Errors) == 0 {
		t.Fatal("an invented string passes")
	}
	items = items[:0]
	for range 2000 {
		items = append(items, value.String("aaa"))
	}
	if valid, report := s.Accept(context.Background(), value.Array(items...)); valid.OK() || report.Errors[0].Keyword != schema.KeywordLimit {
		t.Errorf("searching 2 GB is not given up: %+v", report.Errors)
	}
}
