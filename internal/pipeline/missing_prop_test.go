package pipeline

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/provider/providertest"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// A drawn form: its schema as text, a value that satisfies it, and the places that can be missing, found by the way in which it was drawn.
type drawnForm struct {
	schema, value string
	places        []string
	inside        bool // they lie inside of it, so that they can be missing where it is optional as well
}

// drawForm draws an object schema of a depth, below a pointer.
func drawForm(t *rapid.T, at string, depth int) drawnForm {
	var properties, values, required []string
	f := drawnForm{inside: true}
	for i := range rapid.IntRange(1, 4).Draw(t, "members") {
		name := "m" + strconv.Itoa(i)
		own := drawMember(t, at+"/"+name, depth)
		must := rapid.Bool().Draw(t, "required")
		if must {
			required = append(required, strconv.Quote(name))
		}
		if must || own.inside {
			f.places = append(f.places, own.places...)
		}
		properties = append(properties, strconv.Quote(name)+":"+own.schema)
		values = append(values, strconv.Quote(name)+":"+own.value)
	}
	f.schema = `{"type":"object","properties":{` + strings.Join(properties, ",") + `},"required":[` + strings.Join(required, ",") + `],"additionalProperties":false}`
	f.value = `{` + strings.Join(values, ",") + `}`
	return f
}

func drawMember(t *rapid.T, at string, depth int) drawnForm {
	leaf := func(schema, value string) drawnForm { return drawnForm{schema, value, []string{at}, false} }
	free := func(schema, value string) drawnForm { return drawnForm{schema: schema, value: value} }
	kinds := []func() drawnForm{
		func() drawnForm { return leaf(`{"type":"string"}`, `"x"`) },
		func() drawnForm { return leaf(`{"type":"integer","minimum":3}`, `7`) },
		func() drawnForm { return leaf(`{"type":"boolean"}`, `true`) },
		func() drawnForm { return leaf(`{"enum":["red","blue"]}`, `"blue"`) },
		func() drawnForm { return leaf(`{"allOf":[{"type":"string"},{"minLength":1}]}`, `"x"`) },
		func() drawnForm { return free(`{"type":["string","null"]}`, `null`) },
		func() drawnForm { return free(`{"enum":["red","unknown"]}`, `"unknown"`) },
		func() drawnForm { return free(`{"type":"string","default":"x"}`, `"y"`) },
		func() drawnForm { return free(`{"const":"order"}`, `"order"`) },
		func() drawnForm { return free(`{"type":"array","items":{"type":["integer","null"]}}`, `[1,null]`) },
	}
	if depth > 0 {
		kinds = append(kinds, func() drawnForm { return drawForm(t, at, depth-1) })
	}
	return kinds[rapid.IntRange(0, len(kinds)-1).Draw(t, "kind")]()
}

// drawReply draws what a model says: right, wrong, plain, a report of something, or nothing of use. sure says what has to come of the first answer.
func drawReply(t *rapid.T, f drawnForm) (text, sure string) {
	report := func(pointer string) string {
		return `{"pointer":` + value.String(pointer).String() + `,"question":"Which?"}`
	}
	wrong := rapid.SampledFrom([]string{`{}`, `[]`, `null`, `7`, `{"m0":[[]]}`, `{"m9":1}`, `{"missing":[]}`, `"x"`}).Draw(t, "wrong")
	switch rapid.IntRange(0, 6).Draw(t, "reply") {
	case 0:
		return `{"missing":[],"answer":` + f.value + `}`, Passed
	case 1:
		return `{"missing":[],"answer":` + wrong + `}`, ""
	case 2:
		return f.value, Passed
	case 3:
		if len(f.places) > 0 {
			place := rapid.SampledFrom(f.places).Draw(t, "place")
			return `{"missing":[` + report("/nowhere") + `,` + report(place) + `],"answer":` + rapid.SampledFrom([]string{`null`, f.value, wrong}).Draw(t, "beside") + `}`, NeedsInput
		}
		fallthrough
	case 4:
		return `{"missing":[` + report("/m0/x/y") + `],"answer":` + f.value + `}`, Passed
	case 5:
		return `{"missing":` + wrong + `,"answer":` + rapid.SampledFrom([]string{f.value, wrong}).Draw(t, "beside") + `}`, ""
	default:
		return wrong, ""
	}
}

// said is what the model says, one reply after the other.
type said struct {
	mu sync.Mutex

	replies []string
}

func (s *said) are(replies ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replies = replies
}

func (s *said) next(providertest.Request) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.replies) == 0 {
		return "", false
	}
	text := s.replies[0]
	s.replies = s.replies[1:]
	return text, true
}

// TestUnderAskOnlyWhatTheSchemaAcceptsPasses is the law of asking back: whatever a model writes, an answer is passed exactly where the caller's schema, alone,
// accepts its data; and questions are about places that can be missing.
func TestUnderAskOnlyWhatTheSchemaAcceptsPasses(t *testing.T) {
	t.Parallel()
	var script said
	seen := map[string]int{}
	h := setup(t, rig{service: providertest.Settings{Answer: script.next}})
	rapid.Check(t, func(r *rapid.T) {
		f := drawForm(r, "", 2)
		raw, err := value.DecodeString(f.schema, value.Limits{})
		if err != nil {
			r.Fatal(err)
		}
		s, err := schema.Compile(raw, schema.Options{})
		if err != nil {
			r.Fatal(err)
		}
		text, sure := drawReply(r, f)
		again, _ := drawReply(r, f)
		script.are(text, again)
		if len(f.places) == 0 && sure == Passed && text != f.value {
			sure = "" // Without anything to ask for there is no form, and this is an answer of another shape.
		}
		a, err := h.askAs(t.Context(), t, h.who, `{"prompt":"x","schema":`+f.schema+`,"options":{"missing":"ask","max_attempts":2,"bypass_cache":true}}`)
		var failure *Failure
		seen[statusOf(a)]++
		switch {
		case err != nil:
			if !errors.As(err, &failure) || failure.Fault.Code != fault.ValidationFailed || sure != "" {
				r.Fatalf("%s\nsays %s: %v, want %q", f.schema, text, err, sure)
			}
		case sure != "" && a.Status() != sure:
			r.Fatalf("%s\nsays %s: %s, want %s", f.schema, text, a.Append(nil), sure)
		case a.Status() == Passed:
			data, err := value.DecodeString(string(a.Data), value.Limits{})
			if err != nil {
				r.Fatal(err)
			}
			if valid, report := s.Accept(t.Context(), data); !valid.OK() {
				r.Fatalf("%s\npassed %s: %v", f.schema, a.Data, report.Errors)
			}
		default:
			if string(a.Data) != "null" || len(a.Questions) == 0 || a.State == "" {
				r.Fatalf("%s: %s", f.schema, a.Append(nil))
			}
			for _, q := range a.Questions {
				if !slices.Contains(f.places, q.Pointer) {
					r.Fatalf("%s\nasks for %s; what can be missing is %v", f.schema, q.Pointer, f.places)
				}
			}
		}
	})
	for _, status := range []string{Passed, NeedsInput, "failed"} {
		if seen[status] == 0 {
			t.Errorf("no answer was %s: %v", status, seen)
		}
	}
	t.Logf("%v", seen)
}

func statusOf(a *Answer) string {
	if a == nil {
		return "failed"
	}
	return a.Status()
}
