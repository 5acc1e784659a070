package value_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/value"
)

// invoice is a text of the size and shape of a common answer: about 2.7 kB, 14 lines, no escapes.
func invoice() string {
	var b strings.Builder
	b.WriteString(`{"number":"R-2025-004711","date":"2025-01-15","due":"2025-02-14","currency":"EUR","seller":{"name":"Müller & Söhne GmbH","street":"Hauptstraße 12",` +
		`"city":"80331 München","country":"DE","vat_id":"DE123456789","iban":"DE89370400440532013000"},"buyer":{"name":"Example Trading Ltd","street":"1 High Street",` +
		`"city":"London EC1A 1BB","country":"GB","vat_id":null},"lines":[`)
	for i := range 14 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"position":%d,"article":"A-%05d","description":"Steel bracket, galvanised, %d mm","quantity":%d,"unit":"pcs","unit_price":%d.50,"vat_rate":0.19,"amount":%d.00}`,
			i+1, 1000+i, 40+i, 10*i+5, 3+i, (10*i+5)*(3+i))
	}
	b.WriteString(`],"net":9120.50,"vat":1732.90,"total":10853.40,"paid":false}`)
	return b.String()
}

// Decoding costs one allocation for each container and the growth of one stack; strings and numbers share the text.
func TestDecodeAllocatesForContainersAlone(t *testing.T) {
	text := invoice()
	if n := len(text); n < 2_500 || n > 2_900 {
		t.Fatalf("the invoice has %d bytes", n)
	}
	const containers, growth = 18, 7
	if n := testing.AllocsPerRun(100, func() {
		if _, err := value.DecodeString(text, value.Limits{}); err != nil {
			t.Fatal(err)
		}
	}); n > containers+growth {
		t.Errorf("decoding takes %.0f allocations; %d are allowed", n, containers+growth)
	}
	v := decoded(t, text)
	buf := make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(100, func() { buf = v.Append(buf[:0]) }); n != 0 {
		t.Errorf("writing takes %.0f allocations", n)
	}
	w := decoded(t, text)
	if n := testing.AllocsPerRun(100, func() {
		if !value.Equal(v, w) {
			t.Fatal("the values differ")
		}
	}); n != 0 {
		t.Errorf("comparing takes %.0f allocations", n)
	}
}

func BenchmarkDecodeInvoice(b *testing.B) {
	text := invoice()
	b.Run("value", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := value.DecodeString(text, value.Limits{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding/json", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		for b.Loop() {
			var v any
			if err := json.Unmarshal([]byte(text), &v); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkAppendInvoice(b *testing.B) {
	v, err := value.DecodeString(invoice(), value.Limits{})
	if err != nil {
		b.Fatal(err)
	}
	for name, write := range map[string]func([]byte) []byte{"own order": v.Append, "canonical": v.AppendCanonical} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var buf []byte
			for b.Loop() {
				buf = write(buf[:0])
			}
		})
	}
}
