package schema

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/value"
)

// invoice gives an invoice of 2.7 kB and its schema: nested objects, a list, formats, patterns, bounds, enums, references and alternatives.
func invoice(tb testing.TB) (*Schema, value.Value) {
	tb.Helper()
	s := compile(tb, `{
		"$schema": "https://json-schema.org/draft/2020-12/schema",
		"type": "object",
		"properties": {
			"number": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{6}$"},
			"issued": {"type": "string", "format": "date"},
			"due": {"type": "string", "format": "date"},
			"currency": {"enum": ["EUR", "USD", "CHF"]},
			"seller": {"$ref": "#/$defs/party"},
			"buyer": {"$ref": "#/$defs/party"},
			"lines": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/line"}},
			"payment": {"oneOf": [
				{"type": "object", "properties": {"kind": {"const": "transfer"}, "iban": {"type": "string", "format": "iban"}}, "required": ["kind", "iban"], "additionalProperties": false},
				{"type": "object", "properties": {"kind": {"const": "card"}, "last4": {"type": "string", "pattern": "^[0-9]{4}$"}}, "required": ["kind", "last4"], "additionalProperties": false}
			]},
			"net": {"type": "number", "minimum": 0},
			"tax": {"type": "number", "minimum": 0},
			"total": {"type": "number", "exclusiveMinimum": 0},
			"note": {"type": ["string", "null"], "maxLength": 500}
		},
		"required": ["number", "issued", "currency", "seller", "buyer", "lines", "total"],
		"additionalProperties": false,
		"$defs": {
			"party": {
				"type": "object",
				"properties": {
					"name": {"type": "string", "minLength": 1},
					"email": {"type": "string", "format": "email"},
					"web": {"type": "string", "format": "uri"},
					"address": {
						"type": "object",
						"properties": {"street": {"type": "string"}, "city": {"type": "string"}, "zip": {"type": "string", "pattern": "^\\d{5}$"}, "country": {"type": "string", "minLength": 2, "maxLength": 2}},
						"required": ["street", "city", "country"], "additionalProperties": false
					}
				},
				"required": ["name", "address"], "additionalProperties": false
			},
			"line": {
				"type": "object",
				"properties": {
					"sku": {"type": "string", "pattern": "^[A-Z]+-[0-9]+$"},
					"text": {"type": "string", "maxLength": 200},
					"quantity": {"type": "integer", "minimum": 1},
					"price": {"type": "number", "multipleOf": 0.01},
					"tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": true}
				},
				"required": ["sku", "quantity", "price"], "additionalProperties": false
			}
		}
	}`)
	lines := make([]string, 18)
	for i := range lines {
		lines[i] = fmt.Sprintf(`{"sku":"ART-%d","text":"Kugelschreiber, blau, Packung mit %d Stück","quantity":%d,"price":%d.%02d,"tags":["office","pen"]}`, 1000+i, 10+i, 1+i, 3+i, 5*i)
	}
	v := decode(tb, `{"number":"RE-004711","issued":"2025-01-15","due":"2025-02-14","currency":"EUR",`+
		`"seller":{"name":"Muster GmbH","email":"rechnung@example.org","web":"https://example.org/kontakt?x=1","address":{"street":"Hauptstraße 1","city":"Köln","zip":"50667","country":"DE"}},`+
		`"buyer":{"name":"Beispiel AG","email":"einkauf@example.com","address":{"street":"Lange Gasse 22","city":"Hamburg","zip":"20095","country":"DE"}},`+
		`"lines":[`+strings.Join(lines, ",")+`],"payment":{"kind":"transfer","iban":"DE89370400440532013000"},"net":1234.50,"tax":234.56,"total":1469.06,"note":null}`)
	if size := len(v.Append(nil)); size < 2500 || size > 2900 {
		tb.Fatalf("the invoice has %d bytes, want 2.7 kB", size)
	}
	return s, v
}

func BenchmarkAcceptInvoice(b *testing.B) {
	s, v := invoice(b)
	b.SetBytes(int64(len(v.Append(nil))))
	b.ReportAllocs()
	for b.Loop() {
		if ok, _ := s.Accept(b.Context(), v); !ok.OK() {
			b.Fatal("not valid")
		}
	}
}

func BenchmarkRejectInvoice(b *testing.B) {
	s, v := invoice(b)
	v = v.With("total", value.String("1469.06"))
	b.ReportAllocs()
	for b.Loop() {
		if ok, _ := s.Accept(b.Context(), v); ok.OK() {
			b.Fatal("valid")
		}
	}
}

// A schema that is cached is found by itself where the same value is kept, else by its contents.
func BenchmarkCachedInvoice(b *testing.B) {
	s, _ := invoice(b)
	cache := NewCache(0)
	kept, read := s.Value(), decode(b, s.Value().String())
	for name, raw := range map[string]value.Value{"same": kept, "read": read} {
		b.Run(name, func(b *testing.B) {
			ctx := b.Context()
			if _, err := cache.Compile(ctx, kept, Options{}); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := cache.Compile(ctx, raw, Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCompileInvoice(b *testing.B) {
	s, _ := invoice(b)
	raw := s.Value()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile(raw, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

// A valid value is judged without an allocation: at thousands of requests a second the collector would else work for nothing.
func TestAValidValueIsJudgedWithoutAllocation(t *testing.T) {
	s, v := invoice(t) // Not parallel: allocations are counted over the process.
	ctx := t.Context()
	if ok, report := s.Accept(ctx, v); !ok.OK() {
		t.Fatalf("the invoice is not valid: %+v", report.Errors)
	}
	for name, judge := range map[string]func(){
		"Accept":  func() { s.Accept(ctx, v) },
		"Restore": func() { _, _ = Restore(s, v) },
	} {
		if n := testing.AllocsPerRun(200, judge); n > 0 {
			t.Errorf("%s allocates %v times on a valid value, want none", name, n)
		}
	}
	start := time.Now()
	const rounds = 200
	for range rounds {
		s.Accept(ctx, v)
	}
	t.Logf("Accept takes %v on %d bytes", time.Since(start)/rounds, len(v.Append(nil)))
}
