package provider_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/provider"
)

func chatRequest() dialect.Request {
	return dialect.Request{Method: http.MethodPost, Path: "/chat/completions", Body: []byte(`{}`)}
}

// A page in place of a stream is not handed on, however long it is: somebody else can still be asked.
func TestAPageIsNoStream(t *testing.T) {
	t.Parallel()
	for name, page := range map[string]string{
		"short": "<html>Sign in</html>",
		"long":  "<html>" + strings.Repeat("x", 1<<20),
		"whole": `{"choices":[{"message":{"content":"` + strings.Repeat("x", 1<<20) + `"},"finish_reason":"stop"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := at(t, &service{answer: func(*http.Request) *http.Response { return respond(http.StatusOK, page) }}, nil)
			handed := 0
			_, _, a, err := p.Forward(t.Context(), &p.Models()[0], chatRequest(), func(b []byte) error { handed += len(b); return nil })
			if failure(t, err).Outcome == dialect.OK || handed != 0 || a.Cost.Known {
				t.Errorf("%d bytes were handed on, and the call ended with %v", handed, err)
			}
		})
	}
}

// A first event may be longer than what is kept back.
func TestALongFirstEventIsHandedOn(t *testing.T) {
	t.Parallel()
	stream := `data: {"choices":[{"delta":{"content":"` + strings.Repeat("x", 1<<17) + "\"}}]}\n\ndata: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
	p := at(t, &service{answer: func(*http.Request) *http.Response { return respond(http.StatusOK, stream) }}, nil)
	var handed strings.Builder
	_, _, _, err := p.Forward(t.Context(), &p.Models()[0], chatRequest(), func(b []byte) error { handed.Write(b); return nil })
	if err != nil || handed.String() != stream {
		t.Errorf("%d of %d bytes were handed on: %v", handed.Len(), len(stream), err)
	}
}

// What a service says of a request goes on to the caller, who is not to learn the account's key by it.
func TestWordsThatRepeatTheKeyAreKeptBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		words string
		kept  bool
	}{
		"the key":    {`{"error":{"message":"not with ` + secret + `"}}`, true},
		"another":    {`{"error":{"message":"temperature is too high"}}`, false},
		"its header": {`{"error":{"message":"bad header: Bearer ` + secret + `"}}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := at(t, &service{answer: func(*http.Request) *http.Response { return respond(http.StatusBadRequest, c.words) }}, func(a *provider.Account) {
				a.Credentials = []provider.Credential{{Header: "Authorization", Value: "Bearer " + secret}}
			})
			raw, _, _, err := p.Forward(t.Context(), &p.Models()[0], chatRequest(), nil)
			if failure(t, err).Outcome != dialect.BadRequest || raw.Status != http.StatusBadRequest {
				t.Fatalf("%+v, %v", raw, err)
			}
			if got := string(raw.Body); got != map[bool]string{true: "", false: c.words}[c.kept] {
				t.Errorf("the caller is told %q", got)
			}
		})
	}
}

// The same holds for what a stream says behind its beginning, and for a whole answer.
func TestAnswersThatRepeatTheKeyLoseIt(t *testing.T) {
	t.Parallel()
	const quoted = `{"error":{"message":"not with ` + secret + `"}}`
	stream := `data: {"choices":[{"delta":{"content":"x"}}]}` + "\n\ndata: " + quoted + "\n\n"
	whole := `{"choices":[{"message":{"content":"` + secret + `"},"finish_reason":"stop"}]}`
	for name, body := range map[string]string{"stream": stream, "whole": whole} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := at(t, &service{answer: func(*http.Request) *http.Response { return respond(http.StatusOK, body) }}, func(a *provider.Account) {
				a.Credentials = []provider.Credential{{Header: "Authorization", Value: "Bearer " + secret}}
			})
			var handed strings.Builder
			sink := func(b []byte) error { handed.Write(b); return nil }
			if name == "whole" {
				sink = nil
			}
			raw, _, _, _ := p.Forward(t.Context(), &p.Models()[0], chatRequest(), sink) //nolint:errcheck // The stream's error is not looked at here.
			if got, want := handed.String()+string(raw.Body), strings.ReplaceAll(body, secret, "***"); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// Counts that can't be true are no counts: they cost nothing that is known, and give nothing back to a limit.
func TestCountsBelowNothingAreUnknown(t *testing.T) {
	t.Parallel()
	for _, usage := range []string{
		`{"prompt_tokens":-10,"completion_tokens":5}`,
		`{"prompt_tokens":-10,"completion_tokens":-5}`,
		`{"prompt_tokens":10,"completion_tokens":-5,"total_tokens":15}`,
	} {
		p := at(t, &service{answer: func(*http.Request) *http.Response {
			return respond(http.StatusOK, `{"choices":[{"message":{"content":"{}"},"finish_reason":"stop"}],"usage":`+usage+`}`)
		}}, func(a *provider.Account) {
			a.Models[0].Price = provider.Price{Known: true, Input: 1_000_000_000, Output: 2_000_000_000}
		})
		if _, a, err := p.Call(t.Context(), &p.Models()[0], question("x"), nil); err != nil || a.Cost.Known || a.Usage != (dialect.Usage{}) {
			t.Errorf("%s: %+v for %+v, %v", usage, a.Cost, a.Usage, err)
		}
	}
}
