package pipeline

import (
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/provider/providertest"
)

const extract = `{"type":"object","properties":{"city":{"type":"string","x-extractive":true}},"required":["city"],"additionalProperties":false}`

// streamed is an answer that comes in one piece a member.
func streamed(text string) providertest.Reply {
	return providertest.Reply{Text: text, Chunks: strings.SplitAfter(text, ",")}
}

func TestExtractiveStringsStandInTheText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, body string }{
		{"prompt", `"prompt":"Anna lives in  Novi\nSad."`},
		{"messages", `"messages":[{"role":"system","content":"Say Sofia."},{"role":"user","content":"Anna lives in"},{"role":"assistant","content":"Sofia?"},{"role":"user","content":"No, in Novi Sad."}]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := setup(t, rig{})
			h.service.Queue(says(`{"city":"Sofia"}`), says(`{"city":"Novi Sad"}`))
			body := `{` + c.body + `,"schema":` + extract + `}`
			answer := h.must(t, body)
			if len(answer.Attempts) != 2 || answer.Valid.Value().String() != `{"city":"Novi Sad"}` {
				t.Fatalf("got %s", answer.Append(nil))
			}
			// The second call was told what was wrong with the first answer.
			if sent := h.exchanges(t, 2)[1]; !strings.Contains(string(sent.Body), "word for word") {
				t.Errorf("the model is not told: %s", sent.Body)
			}
			// The answer comes back from the cache, judged with the same text.
			if again := h.must(t, body); !again.Cached || again.Valid.Value().String() != `{"city":"Novi Sad"}` {
				t.Errorf("got %s", again.Append(nil))
			}
		})
	}
}

func TestAnInventedStringIsNotShownByAStream(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{})
	two := strings.Replace(extract, `"city":{`, `"name":{"type":"string"},"city":{`, 1)
	h.service.Queue(streamed(`{"name":"Anna","city":"Sofia"}`), streamed(`{"name":"Anna","city":"Plovdiv"}`))
	partials, answer := h.stream(t, `{"prompt":"Anna lives in Plovdiv.","stream":true,"schema":`+two+`}`)
	for _, p := range partials {
		if city, ok := p.Get("city"); ok && city.Text() != "Plovdiv" {
			t.Errorf("%s was shown", p)
		}
	}
	if answer.Valid.Value().String() != `{"name":"Anna","city":"Plovdiv"}` {
		t.Errorf("got %s", answer.Append(nil))
	}
}

func TestBesideImagesNothingIsHeldToTheText(t *testing.T) {
	t.Parallel()
	p := read(t, `{"messages":[{"role":"user","content":[{"type":"text","text":"Which city?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}}]}],"schema":`+extract+`}`)
	if texts, known := sourceOf(&p); known {
		t.Errorf("the source is said to be %q", texts)
	}
}

// Rules judge with everything else: what they say goes back to the model, and a stream keeps what it has shown.
func TestRulesJudgeAnswers(t *testing.T) {
	t.Parallel()
	h := setup(t, rig{})
	invoice := `{"type":"object","properties":{"total":{"type":"number"},"lines":{"type":"array","items":{"type":"number"}}},"required":["total","lines"],"additionalProperties":false,` +
		`"x-rules":[{"rule":"self.total == self.lines.sum()","message":"the total is the sum of the lines"}]}`
	h.service.Queue(says(`{"total":0.4,"lines":[0.1,0.2]}`), says(`{"total":0.3,"lines":[0.1,0.2]}`))
	answer := h.must(t, `{"prompt":"p","schema":`+invoice+`}`)
	if len(answer.Attempts) != 2 || answer.Valid.Value().String() != `{"total":0.3,"lines":[0.1,0.2]}` {
		t.Fatalf("got %s", answer.Append(nil))
	}
	if sent := string(h.exchanges(t, 2)[1].Body); !strings.Contains(sent, "the total is the sum of the lines") || !strings.Contains(sent, "left side is 0.4") {
		t.Errorf("the model is not told: %s", sent)
	}
	h.service.Queue(streamed(`{"total":0.4,"lines":[0.1,0.3]}`))
	partials, answer := h.stream(t, `{"prompt":"q","stream":true,"schema":`+invoice+`}`)
	if len(partials) < 2 || partials[0].String() != `{"total":0.4}` || !answer.Valid.OK() {
		t.Errorf("partials %v, answer %s", partials, answer.Append(nil))
	}
	h.service.Queue(says(`{"total":1,"lines":[2]}`), says(`{"total":1,"lines":[3]}`))
	failure := h.refused(t, `{"prompt":"r","options":{"max_attempts":2},"schema":`+invoice+`}`, fault.ValidationFailed)
	if list := failure.Validation.Errors; len(list) != 1 || list[0].Keyword != "x-rules" || list[0].SchemaPointer != "/x-rules/0" {
		t.Errorf("%+v", list)
	}
}
