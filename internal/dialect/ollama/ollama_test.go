package ollama_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/dialecttest"
	"github.com/promptd/promptd/internal/dialect/ollama"
)

func TestDialect(t *testing.T) {
	t.Parallel()
	dialecttest.Run(t, dialecttest.Suite{
		Dialect:  ollama.New(),
		Fixtures: []string{"ollama"},
		// All that was recorded is of the server's other face, which package openai reads. A recording of this one needs a reference reading here.
		Reference: func(f *dialecttest.Fixture) (dialecttest.Want, bool) {
			if !strings.HasSuffix(f.URL, "/v1/chat/completions") {
				t.Errorf("%s is not read: its URL is %q", f.File, f.URL)
			}
			return dialecttest.Want{}, false
		},
	})
}

func FuzzDecode(f *testing.F) { dialecttest.FuzzDecode(f, ollama.New(), "ollama") }
func FuzzStream(f *testing.F) { dialecttest.FuzzStream(f, ollama.New(), "ollama") }
func FuzzFail(f *testing.F)   { dialecttest.FuzzFail(f, ollama.New(), "ollama") }

// An image is sent as its base64 alone, and its text stays beside it. The suite's call has one by address, which this server does not take.
func TestImagesAreBase64Alone(t *testing.T) {
	t.Parallel()
	encode := func(image string) (string, error) {
		r, err := ollama.New().Encode(dialect.Call{Model: "m", Messages: []dialect.Message{{Role: dialect.User, Parts: []dialect.Part{
			{Text: "What "}, {Image: image}, {Text: "is it?"}, {Image: "data:image/jpeg;base64,/9j/"},
		}}}})
		return string(r.Body), err
	}
	body, err := encode("data:image/png;base64,iVBORw0KGgo=")
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"role":"user","content":"What is it?","images":["iVBORw0KGgo=","/9j/"]}`; !strings.Contains(body, want) {
		t.Errorf("got %s, want it to have %s", body, want)
	}
	for _, image := range [...]string{"https://example.org/a.png", "data:image/svg+xml,%3Csvg/%3E", "iVBORw0KGgo="} {
		if body, err := encode(image); err == nil {
			t.Errorf("image %q is sent as %s", image, body)
		}
	}
}

// The context that is asked for holds the prompt and the answer, is of few sizes, and is no larger than the model's.
func TestTheContextHoldsThePrompt(t *testing.T) {
	t.Parallel()
	for _, c := range [...]struct {
		text, output, context int
		want                  string
	}{
		{10, 0, 0, `"num_ctx":4096`},
		{4_000, 2_000, 0, `"num_ctx":4096`},
		{4_200, 2_000, 0, `"num_ctx":8192`},
		{100_000, 8_000, 0, `"num_ctx":65536`},
		{100_000, 8_000, 32_768, `"num_ctx":32768`},
		{10, 0, 2_048, `"num_ctx":2048`},
		{10_000_000, 0, 0, `"num_ctx":1048576`},
	} {
		r, err := ollama.New().Encode(dialect.Call{
			Model: "m", MaxTokens: c.output, Capability: dialect.Capability{Context: c.context},
			Messages: []dialect.Message{{Role: dialect.User, Parts: []dialect.Part{{Text: strings.Repeat("a", c.text)}}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if body := string(r.Body); !strings.Contains(body, c.want+",") && !strings.Contains(body, c.want+"}") {
			t.Errorf("%d bytes, %d tokens out, a window of %d: want %s, got %s", c.text, c.output, c.context, c.want, body[len(body)-150:])
		}
	}
}

// Text without end comes to an error within the bound, whatever each line is worth.
func TestAStreamOfTextIsBounded(t *testing.T) {
	t.Parallel()
	line := `{"message":{"content":"` + strings.Repeat("a", 1<<20) + `"},"done":false}` + "\n"
	text := 0
	for delta, err := range ollama.New().Stream(strings.NewReader(strings.Repeat(line, 40))) {
		text += len(delta.Text)
		var failed *dialect.Error
		if err != nil && (!errors.As(err, &failed) || failed.Code != "answer_too_large") {
			t.Errorf("after %d bytes: %v", text, err)
		}
	}
	if text != 32<<20 {
		t.Errorf("%d bytes of text were given", text)
	}
}
