package dropin

import (
	"testing"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/value"
)

func TestSizeCountsWhatAServiceReadsAndWrites(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		format dialect.Format
		body   string
		want   Size
	}{
		{"a text", dialect.Chat, `{"model":"m","messages":[{"role":"user","content":"12345"}]}`, Size{Bytes: len("model" + "m" + "messages" + "role" + "user" + "content" + "12345"), Answers: 1}},
		{"a bound", dialect.Chat, `{"max_tokens":7}`, Size{Bytes: len("max_tokens7"), Output: 7, Answers: 1}},
		{"the larger of two bounds", dialect.Chat, `{"max_tokens":9,"max_completion_tokens":7}`, Size{Bytes: len("max_tokens7max_completion_tokens9"), Output: 9, Answers: 1}},
		{"several answers", dialect.Chat, `{"max_tokens":7,"n":3}`, Size{Bytes: len("max_tokens7n3"), Output: 7, Answers: 3}},
		{"several answers without a bound", dialect.Chat, `{"n":128}`, Size{Bytes: len("n128"), Answers: 128}},
		{"other spellings of whole numbers", dialect.Chat, `{"max_tokens":7e1,"n":5.0}`, Size{Bytes: len("max_tokens7e1n5.0"), Output: 70, Answers: 5}},
		{"responses", dialect.Responses, `{"max_output_tokens":5,"max_tokens":9}`, Size{Bytes: len("max_output_tokens5max_tokens9"), Output: 5, Answers: 1}},
		{"no numbers", dialect.Chat, `{"max_tokens":"7","n":1.5}`, Size{Bytes: len("max_tokens7n1.5"), Answers: 1}},
		{"out of bounds", dialect.Chat, `{"max_tokens":-1,"n":99999999999999999999}`, Size{Bytes: len("max_tokens-1n99999999999999999999"), Answers: mostOutput}},
		{"an image", dialect.Chat, `{"messages":[{"content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAAAAAAAAAA"}},{"type":"text","text":"x"}]}]}`, Size{Bytes: len("messagescontenttypeimage_urlimage_urlurltypetexttextx"), Files: 1, Answers: 1}},
		{"an image elsewhere", dialect.Chat, `{"messages":[{"content":[{"type":"image_url","image_url":{"url":"https://x"}}]}]}`, Size{Bytes: len("messagescontenttypeimage_urlimage_urlurlhttps://x"), Files: 1, Answers: 1}},
		{"a text that looks like data", dialect.Chat, `{"messages":[{"content":"data: 12345"},{"content":"data:image/png;base64,AAAA"}]}`, Size{Bytes: len("messagescontentdata: 12345contentdata:image/png;base64,AAAA"), Answers: 1}},
		{"a file", dialect.Chat, `{"messages":[{"content":[{"type":"file","file":{"file_data":"data:application/pdf;base64,AAAA"}}]}]}`, Size{Bytes: len("messagescontenttypefilefilefile_datadata:application/pdf;base64,AAAA"), Files: 1, Answers: 1}},
		{"files by id", dialect.Responses, `{"input":[{"content":[{"type":"input_file","file_id":"f"},{"type":"input_image","file_id":"g"}]},{"output":[{"type":"input_image","image_url":"data:image/png;base64,AAAA"}]}]}`, Size{Bytes: len("inputcontenttypeinput_filefile_idftypeinput_imagefile_idgoutputtypeinput_imageimage_url"), Files: 3, Answers: 1}},
	} {
		q := &Request{Format: c.format, body: decoded(t, c.body)}
		if got := q.Size(); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestAllAnswersTogetherAreBounded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		size            Size
		otherwise, want int
	}{
		{Size{Answers: 1}, 4096, 4096},
		{Size{Answers: 128}, 4096, 128 * 4096},
		{Size{Output: 7, Answers: 3}, 4096, 21},
		{Size{Output: 1_000_000_000_000, Answers: 1_000_000}, 4096, mostOutput},
		{Size{Answers: mostOutput}, 4096, mostOutput},
	} {
		if got := c.size.Written(c.otherwise); got != c.want {
			t.Errorf("%+v: got %d, want %d", c.size, got, c.want)
		}
	}
}

func TestImagesOfARelayedRequestAreCounted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		format dialect.Format
		body   string
		want   int
	}{
		{dialect.Chat, `{"messages":[{"content":"image_url"}]}`, 0},
		{dialect.Chat, `{"messages":[{"content":[{"type":"image_url","image_url":{"url":"https://x"}},{"type":"image_url"},{"type":"text","text":"x"},{"type":"file"},7]}]}`, 2},
		{dialect.Responses, `{"input":[{"content":[{"type":"input_image","file_id":"f"}]},{"type":"computer_call_output","output":{"type":"computer_screenshot","image_url":"https://x"}}]}`, 2},
		{dialect.Responses, `{"input":"image_url"}`, 0},
		{dialect.Chat, `{"messages":{"content":[]},"tools":[{"type":"image_url"}]}`, 0},
	} {
		q := &Request{Format: c.format, body: decoded(t, c.body)}
		if got := q.Images(); got != c.want {
			t.Errorf("%s: got %d images, want %d", c.body, got, c.want)
		}
	}
}

func FuzzSizeIsBounded(f *testing.F) {
	f.Add([]byte(`{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":5,"n":2}`))
	f.Add([]byte(`{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}]}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		q, err := Read(dialect.Chat, raw, prompt.Defaults{CacheTTL: time.Hour, MaxAttempts: 4})
		if err != nil {
			return
		}
		if s := q.Size(); s.Bytes < 0 || s.Files < 0 || s.Output < 0 || s.Answers < 1 || s.Written(1) < 1 || s.Bytes > 8*len(raw) {
			t.Errorf("%q: got %+v, want counts within the body's size", raw, s)
		}
	})
}

func decoded(t *testing.T, text string) value.Value {
	t.Helper()
	v, err := value.DecodeString(text, value.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return v
}
