package missing_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/schema/missing"
	"github.com/promptd/promptd/internal/value"
)

func decoded(t testing.TB, text string) value.Value {
	t.Helper()
	v, err := value.DecodeString(text, value.Limits{})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// schemas are callers' schemas that a form has to leave as they are: each with a value that it accepts and one that it refuses.
func schemas() map[string][3]string {
	return map[string][3]string{
		"plain":          {`{"type":"object","properties":{"date":{"type":"string","format":"date"}},"required":["date"],"additionalProperties":false}`, `{"date":"2026-11-26"}`, `{"date":"soon"}`},
		"root reference": {`{"$schema":"http://json-schema.org/draft-07/schema#","$ref":"#/definitions/T","definitions":{"T":{"type":"object","properties":{"n":{"$ref":"#/definitions/N"}},"required":["n"]},"N":{"type":"integer"}}}`, `{"n":7}`, `{"n":"x"}`},
		"own identifier": {`{"$id":"https://example.com/order","type":"object","properties":{"n":{"$ref":"https://example.com/order#/$defs/N"},"m":{"$ref":"item"}},"required":["n","m"],"$defs":{"N":{"type":"integer"},"I":{"$id":"item","type":"string"}}}`, `{"n":7,"m":"x"}`, `{"n":7,"m":1}`},
		"draft 4":        {`{"$schema":"http://json-schema.org/draft-04/schema#","type":"object","properties":{"n":{"type":"number","minimum":3,"exclusiveMinimum":true}},"required":["n"]}`, `{"n":4}`, `{"n":3}`},
		"anchors":        {`{"type":"object","properties":{"n":{"$ref":"#num"}},"required":["n"],"$defs":{"N":{"$anchor":"num","type":"integer"}}}`, `{"n":4}`, `{"n":""}`},
		"recursion":      {`{"type":"object","properties":{"v":{"type":"string"},"next":{"$ref":"#"}},"required":["v"],"additionalProperties":false}`, `{"v":"a","next":{"v":"b"}}`, `{"v":"a","next":{}}`},
		"rules":          {`{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"}},"required":["a","b"],"x-rules":[{"rule":"self.a < self.b","message":"a is less than b"}]}`, `{"a":1,"b":2}`, `{"a":2,"b":1}`},
		"no object":      {`{"type":"array","items":{"type":"string"},"minItems":1}`, `["a"]`, `[]`},
		"same names":     {`{"type":"object","properties":{"answer":{"type":"string"},"missing":{"type":"boolean"}},"required":["answer","missing"]}`, `{"answer":"x","missing":false}`, `{"answer":"x"}`},
	}
}

// TestTheFormKeepsTheSchemasMeaning: the form accepts an answer exactly where the schema accepts the value, whatever draft, identifiers and keywords it has.
func TestTheFormKeepsTheSchemasMeaning(t *testing.T) {
	t.Parallel()
	for name, c := range schemas() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := compiled(t, c[0])
			f, err := missing.New(s)
			if err != nil || f == nil {
				t.Fatalf("%v, %v", f, err)
			}
			for i, text := range c[1:] {
				v := decoded(t, text)
				own, _ := s.Accept(t.Context(), v)
				formed, report := f.Schema().Accept(t.Context(), decoded(t, `{"missing":[],"answer":`+text+`}`))
				if own.OK() != (i == 0) || formed.OK() != own.OK() {
					t.Errorf("%s: the schema says %t, the form %t: %v", text, own.OK(), formed.OK(), report.Errors)
				}
			}
		})
	}
}

// TestTheFormFitsEveryProfile: what a model answers comes back as it was, and who reads a schema's text reads the caller's.
func TestTheFormFitsEveryProfile(t *testing.T) {
	t.Parallel()
	for name, c := range schemas() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, err := missing.New(compiled(t, c[0]))
			if err != nil {
				t.Fatal(err)
			}
			ask := decoded(t, `{"missing":[{"pointer":`+value.String(f.Places[0].Pointer()).String()+`,"question":"Which?"}]}`)
			for _, profile := range lowering.Names() {
				p, _ := lowering.Named(profile)
				for _, mode := range append(p.Modes(), lowering.Prompt) {
					l := f.Lower(p.Only(mode))
					for _, v := range []value.Value{ask, decoded(t, `{"missing":[],"answer":`+c[1]+`}`)} {
						lowered, err := l.Lower(v)
						if err != nil {
							t.Errorf("%s %s: lower %s: %v", profile, mode, v, err)
							continue
						}
						if raised, err := l.Raise(lowered); err != nil || !value.Equal(raised, v) {
							t.Errorf("%s %s: %s came back as %s, %v", profile, mode, v, raised, err)
						}
					}
					for _, text := range []string{l.Schema.String(), l.Capped().String(), l.Shown.String()} {
						if strings.Contains(text, "schema:///") {
							t.Errorf("%s %s: the reference is left in %s", profile, mode, text)
						}
					}
				}
			}
		})
	}
}

func TestAnAnswerIsTakenApart(t *testing.T) {
	t.Parallel()
	f, err := missing.New(compiled(t, `{"type":"object","properties":{"date":{"type":"string"},"first_name":{"type":"string"},"nick":{"type":"string"}},"required":["date","first_name"]}`))
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("ä", 600)
	for text, want := range map[string]missing.Said{
		`{"missing":[],"answer":{"date":"x"}}`:                                 {Answer: decoded(t, `{"date":"x"}`), Answered: true},
		`{"answer":{"date":"x"}}`:                                              {Answer: decoded(t, `{"date":"x"}`), Answered: true},
		`{"missing":[{"pointer":"/date","question":" When\n is it? "}]}`:       {Questions: []missing.Question{{Pointer: "/date", Text: "When is it?"}}},
		`{"missing":[{"pointer":"/first_name","question":""}],"answer":null}`:  {Questions: []missing.Question{{Pointer: "/first_name", Text: "Please give first name."}}, Answered: true},
		`{"missing":[{"pointer":"/nick","question":"?"}],"answer":{}}`:         {Unknown: []string{"/nick"}, Answer: decoded(t, `{}`), Answered: true},
		`{"missing":[{"pointer":"/date","question":"a"},{"pointer":"/date"}]}`: {Questions: []missing.Question{{Pointer: "/date", Text: "a"}}},
		`{"missing":["/date",7,null]}`:                                         {Unknown: []string{"", "", ""}},
		`{"missing":[{"pointer":"/date","question":"` + long + `"}]}`:          {Questions: []missing.Question{{Pointer: "/date", Text: strings.Repeat("ä", 499) + "…"}}},
		`{"date":"x","first_name":"y"}`:                                        {Answer: decoded(t, `{"date":"x","first_name":"y"}`), Answered: true},
		`{"missing":true}`:                                                     {Answer: decoded(t, `{"missing":true}`), Answered: true},
		`{"missing":[],"answer":1,"more":2}`:                                   {Answer: decoded(t, `{"missing":[],"answer":1,"more":2}`), Answered: true},
		`[]`:                                                                   {Answer: decoded(t, `[]`), Answered: true},
		`{}`:                                                                   {Answer: decoded(t, `{}`), Answered: true},
		`{"missing":[]}`:                                                       {},
	} {
		got := f.Open(decoded(t, text))
		if diff := cmp.Diff(want, got, cmp.Comparer(value.Equal)); diff != "" {
			t.Errorf("%.200s: (-want +got)\n%s", text, diff)
		}
	}
}

func TestNothingToAskForNeedsNoForm(t *testing.T) {
	t.Parallel()
	f, err := missing.New(compiled(t, `{"type":"object","properties":{"a":{"type":["string","null"]}},"required":["a"]}`))
	if f != nil || err != nil {
		t.Errorf("got %v, %v", f, err)
	}
}
