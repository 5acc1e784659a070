package lowering_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/value"
)

// TestExtractiveStringsAreSpans has the pattern of a text take its spans, and nothing else.
func TestExtractiveStringsAreSpans(t *testing.T) {
	t.Parallel()
	s := compiled(t, read(t, `{"type":"object","properties":{"name":{"type":"string","x-extractive":true},"free":{"type":"string"}},"required":["name"]}`))
	l := lowering.Lower(s, lowering.LlamaCpp())
	if strings.Contains(l.Schema.String()+l.Capped().String(), "x-extractive") {
		t.Fatalf("a mark is sent: %s", l.Schema)
	}
	got, ok := l.Extracting([]string{"Dear Ms. (Anna) Müller-Lüdenscheidt,  the total", `is $1.50+tax: "net".`})
	if !ok {
		t.Fatal("a short text makes no pattern")
	}
	name, _ := got.Lookup("/properties/name/pattern")
	if free, _ := got.Lookup("/properties/free"); len(free.Text()) > 0 || strings.Contains(free.String(), "pattern") {
		t.Errorf("another string has a pattern: %s", free)
	}
	re, err := regexp.Compile(name.Text())
	if err != nil {
		t.Fatal(err)
	}
	for _, span := range []string{"Dear", "Ms", "Ms.", "Anna", "Anna)", "(Anna) Müller-Lüdenscheidt", "Müller-Lüdenscheidt, the total", "$1.50+tax", `is $1.50+tax: "net`, "net"} {
		if !re.MatchString(span) {
			t.Errorf("%q is a span and is refused by %s", span, name.Text())
		}
	}
	for _, other := range []string{"", "dear", "Dear Anna", "Müller", "total is", "$1x50+tax"} {
		if re.MatchString(other) {
			t.Errorf("%q is no span and is taken", other)
		}
	}
	for _, texts := range [][]string{nil, {""}, {strings.Repeat("word ", 251)}, {strings.Repeat("x", 4001)}} {
		if _, ok := l.Extracting(texts); ok {
			t.Errorf("%d texts make a pattern", len(texts))
		}
	}
	for _, name := range []string{"openai", "anthropic", "llamacpp"} {
		p, _ := lowering.Named(name)
		l := lowering.Lower(s, p)
		if _, ok := l.Extracting([]string{"a text"}); ok || strings.Contains(l.Schema.String(), "x-extractive\"") {
			t.Errorf("%s is told of spans: %s", name, l.Schema)
		}
		if len(l.Residue) != 1 || l.Residue[0].Keyword != "x-extractive" || !value.Equal(l.Residue[0].Value, value.Bool(true)) {
			t.Errorf("%s: the residue is %v", name, l.Residue)
		}
	}
}
