package repair_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/repair"
	"github.com/promptd/promptd/internal/value"
)

// invoice gives an invoice of about 2.7 kB, as a model answers with.
func invoice() string {
	var lines []string
	for i := range 18 {
		lines = append(lines, fmt.Sprintf(`{"position": %d, "sku": "A-%04d", "description": "Ersatzteil Nr. %d, geprüft", "quantity": %d, "unit_price": %d.50, "vat": 19}`, i+1, 17*i, i, i%4+1, 12+i))
	}
	return `{"number": "R-2026-0815", "date": "2026-11-25", "seller": {"name": "Müller & Söhne GmbH", "iban": "DE89370400440532013000", "city": "Köln"},
  "buyer": {"name": "Example AG", "city": "Bonn", "contact": null}, "currency": "EUR", "paid": false, "lines": [
    ` + strings.Join(lines, ",\n    ") + `
  ], "total": 1234.56, "notes": "Zahlbar innerhalb von 14 Tagen.\nVielen Dank!"}`
}

// damagedInvoice gives the same in a fence, with a trailing comma, single quotes, a comment, a literal of Python and an unescaped quote.
func damagedInvoice() string {
	text := invoice()
	for _, change := range [][2]string{
		{`"paid": false, "lines"`, "\"paid\": False, // open\n  \"lines\""},
		{`"city": "Bonn"`, `'city': 'Bonn'`},
		{`"date":`, `date:`},
		{`Müller & Söhne GmbH`, `Müller "Rohr" & Söhne GmbH`},
		{"\n  ], \"total\"", ",\n  ], \"total\""},
	} {
		text = strings.Replace(text, change[0], change[1], 1)
	}
	return "Here is the invoice:\n\n```json\n" + text + "\n```\n"
}

func TestBenchmarkTextsAreWhatTheySay(t *testing.T) {
	t.Parallel()
	want := mustDecode(t, invoice())
	got, err := repair.Read(damagedInvoice(), repair.Hints{})
	if err != nil || got.Unfinished || got.Value.Len() != want.Len() {
		t.Fatalf("got %s, %v, %v", got.Value, got.Repairs, err)
	}
	kinds := map[repair.Kind]bool{}
	for _, r := range got.Repairs {
		kinds[r.Kind] = true
	}
	for _, kind := range []repair.Kind{repair.KindProse, repair.KindFence, repair.KindComment, repair.KindSingleQuotes, repair.KindUnquoted, repair.KindUnescapedQuote, repair.KindTrailingComma, repair.KindLiteral} {
		if !kinds[kind] {
			t.Errorf("the repairs %v lack %s", got.Repairs, kind)
		}
	}
}

// Strict reading shares the text's memory: an answer that needs no repair may cost no more than its containers.
func TestValidTextCostsFewAllocations(t *testing.T) {
	text := invoice()
	if got := testing.AllocsPerRun(100, func() { _, _ = repair.Read(text, repair.Hints{}) }); got > 60 {
		t.Errorf("%.0f allocations for %d bytes", got, len(text))
	}
}

func benchmarkRead(b *testing.B, text string) {
	b.Helper()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := repair.Read(text, repair.Hints{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadValid(b *testing.B)   { benchmarkRead(b, invoice()) }
func BenchmarkReadDamaged(b *testing.B) { benchmarkRead(b, damagedInvoice()) }

// BenchmarkStream writes the invoice in pieces of a token's size and takes a snapshot behind each.
func BenchmarkStream(b *testing.B) {
	text := invoice()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		s := repair.NewStream(repair.Hints{})
		var last value.Value
		for i := 0; i < len(text); i += 4 {
			s.Write(text[i:min(i+4, len(text))])
			if v, ok := s.Snapshot(); ok {
				last = v
			}
		}
		if last.Len() == 0 {
			b.Fatal("no snapshot")
		}
	}
}
