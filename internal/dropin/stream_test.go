package dropin_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/sse"
	"github.com/promptd/promptd/internal/dropin"
	"github.com/promptd/promptd/internal/value"
)

// eventsOf reads the data of a stream's events; done is left out.
func eventsOf(t *testing.T, b []byte) (list []value.Value) {
	t.Helper()
	r := sse.NewReader(bytes.NewReader(b))
	for {
		event, err := r.Next()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		if string(event.Data) == "[DONE]" {
			continue
		}
		v, err := value.Decode(event.Data, value.Limits{})
		if err != nil {
			t.Fatalf("%v in %s", err, event.Data)
		}
		list = append(list, v)
	}
}

// at gives the text at a pointer, or the JSON of what is no text.
func at(v value.Value, pointer string) string {
	item, ok := v.Lookup(pointer)
	if !ok {
		return "-"
	}
	if item.Kind() == value.KindString {
		return item.Text()
	}
	return item.String()
}

func TestARefusalIsAPartOfItsOwn(t *testing.T) {
	t.Parallel()
	const (
		text    = `{"type":"output_text","text":"Well","annotations":[],"logprobs":[]}`
		noText  = `{"type":"output_text","text":"","annotations":[],"logprobs":[]}`
		refusal = `{"type":"refusal","refusal":"No."}`
		empty   = `{"type":"refusal","refusal":""}`
	)
	for name, c := range map[string]struct {
		text, refusal string
		want          []string // the kind, the part's place, and what is said
		content       string
	}{
		"text": {"Well", "", []string{
			"content_part.added 0 " + noText, "output_text.delta 0 Well", "output_text.done 0 Well", "content_part.done 0 " + text,
		}, "[" + text + "]"},
		"nothing": {"", "", []string{"content_part.added 0 " + noText, "output_text.done 0 ", "content_part.done 0 " + noText}, "[" + noText + "]"},
		"a refusal": {"", "No.", []string{
			"content_part.added 0 " + empty, "refusal.delta 0 No.", "refusal.done 0 No.", "content_part.done 0 " + refusal,
		}, "[" + refusal + "]"},
		"a refusal behind text": {"Well", "No.", []string{
			"content_part.added 0 " + noText, "output_text.delta 0 Well", "output_text.done 0 Well", "content_part.done 0 " + text,
			"content_part.added 1 " + empty, "refusal.delta 1 No.", "refusal.done 1 No.", "content_part.done 1 " + refusal,
		}, "[" + text + "," + refusal + "]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q, err := dropin.Read(dialect.Responses, []byte(`{"model":"m","input":"Hi"}`), defaults())
			if err != nil {
				t.Fatal(err)
			}
			s := q.NewStream(dropin.Reply{ID: "a", Model: "auto", Created: time.Unix(0, 0)})
			b := s.Begin()
			if c.text != "" {
				b = append(b, s.Text(c.text)...)
			}
			b = append(b, s.End(&dropin.Reply{Model: "real", Stop: dialect.StopRefused, Refusal: c.refusal})...)
			var got []string
			var last value.Value
			for i, v := range eventsOf(t, b) {
				if at(v, "/sequence_number") != value.Int(int64(i)).Text() {
					t.Errorf("the event %d has the number %s", i, at(v, "/sequence_number"))
				}
				last = v
				if place := at(v, "/content_index"); place != "-" {
					said := at(v, "/part")
					for _, member := range []string{"/delta", "/text", "/refusal"} {
						if at(v, member) != "-" {
							said = at(v, member)
						}
					}
					got = append(got, strings.TrimPrefix(at(v, "/type"), "response.")+" "+place+" "+said)
				}
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if at(last, "/type") != "response.completed" || at(last, "/response/output/0/content") != c.content || at(last, "/response/model") != "real" {
				t.Errorf("got the end %s, want the content %s of the real model", last, c.content)
			}
		})
	}
}

func TestTheLastChunksNameTheModelThatAnswered(t *testing.T) {
	t.Parallel()
	q, err := dropin.Read(dialect.Chat, []byte(`{"stream":true,"stream_options":{"include_usage":true},"model":"auto","messages":[]}`), defaults())
	if err != nil {
		t.Fatal(err)
	}
	s := q.NewStream(dropin.Reply{ID: "a", Model: "auto"})
	s.Begin()
	for _, v := range eventsOf(t, s.End(&dropin.Reply{Model: "real", Stop: dialect.StopComplete})) {
		if at(v, "/model") != "real" {
			t.Errorf("got %s, want the real model", v)
		}
	}
	s = q.NewStream(dropin.Reply{ID: "a", Model: "named"})
	for _, v := range eventsOf(t, s.End(&dropin.Reply{Stop: dialect.StopComplete})) {
		if at(v, "/model") != "named" {
			t.Errorf("got %s, want the model of the beginning", v)
		}
	}
}
