package providertest_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/provider/providertest"
	"github.com/promptd/promptd/internal/value"
)

const (
	signedWith = "AWS4-HMAC-SHA256 Credential=k/20261126/eu-central-1/bedrock/aws4_request, SignedHeaders=host;x-amz-date, Signature="
	signature  = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
)

// way is how a wire form is asked rightly: its address, its headers and a small body.
type way struct {
	path, stream string
	header       map[string]string
	body         string
	schema       string // a body with a schema in its right place
}

func ways() map[providertest.Wire]way {
	bearer := map[string]string{"Authorization": "Bearer k"}
	const s = `{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"],"additionalProperties":false}`
	const chatBody, chatPath = `{"model":"m","messages":[{"role":"user","content":"x"}]}`, "/v1/chat/completions"
	chat := way{chatPath, "", bearer, chatBody, strings.Replace(chatBody, `}]}`, `}],"response_format":{"type":"json_schema","json_schema":{"name":"r","strict":true,"schema":`+s+`}}}`, 1)}
	llama := chat
	llama.schema = strings.Replace(chatBody, `}]}`, `}],"response_format":{"type":"json_schema","json_schema":{"schema":`+s+`}}}`, 1)
	return map[providertest.Wire]way{
		providertest.OpenAI: chat, providertest.VLLM: chat, providertest.LlamaCpp: llama,
		providertest.Responses: {
			"/v1/responses", "", bearer, `{"model":"m","input":"x"}`, `{"model":"m","input":"x","text":{"format":{"type":"json_schema","name":"r","strict":true,"schema":` + s + `}}}`,
		},
		providertest.Anthropic: {
			"/v1/messages", "",
			map[string]string{"X-Api-Key": "k", "Anthropic-Version": "2023-06-01"},
			`{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}]}`,
			`{"model":"m","max_tokens":9000,"messages":[{"role":"user","content":"x"}],"output_config":{"format":{"type":"json_schema","schema":` + s + `}}}`,
		},
		providertest.Gemini: {
			"/v1beta/models/m:generateContent", "/v1beta/models/m:streamGenerateContent?alt=sse",
			map[string]string{"X-Goog-Api-Key": "k"},
			`{"contents":[{"parts":[{"text":"x"}]}]}`, `{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"responseMimeType":"application/json","responseJsonSchema":` + s + `}}`,
		},
		providertest.Bedrock: {
			"/model/m/converse", "/model/m/converse-stream",
			map[string]string{"Authorization": signedWith + signature, "X-Amz-Date": "20261126T150000Z"},
			`{"messages":[{"role":"user","content":[{"text":"x"}]}]}`,
			`{"messages":[{"role":"user","content":[{"text":"x"}]}],"outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"schema":` +
				value.String(s).String() + `}}}}}`,
		},
		providertest.Ollama: {
			"/api/chat", "", bearer, `{"model":"m","messages":[{"role":"user","content":"x"}],"stream":false}`,
			`{"model":"m","messages":[{"role":"user","content":"x"}],"stream":false,"format":` + s + `}`,
		},
	}
}

// post sends a body and gives the answer's status and text.
func post(tb testing.TB, c *http.Client, url string, header map[string]string, body string) (status int, text string) {
	tb.Helper()
	r, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for name, v := range header {
		r.Header.Set(name, v)
	}
	resp, err := c.Do(r)
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return resp.StatusCode, string(raw)
}

func TestEachWireFormIsSpokenStrictly(t *testing.T) {
	t.Parallel()
	// changes make a right body wrong, by replacing a text in it; want is in what the service says of it.
	type change struct{ old, new, want string }
	member := change{"{", `{"surprise":1,`, "surprise"}
	for wire, changes := range map[providertest.Wire][]change{
		providertest.OpenAI: {
			member,
			{`"name":"r",`, "", "name"},
			{`"strict":true`, `"strict":"yes"`, "strict"},
			{`,"additionalProperties":false`, "", "additionalProperties"},
			{`"required":["a"]`, `"required":[]`, "required"},
			{`"type":"integer"`, `"allOf":[{"type":"integer"}]`, "allOf"},
			{`"role":"user"`, `"role":"owner"`, "role"},
			{`"content":"x"`, `"content":[{"type":"image","url":"x"}]`, "content"},
			{`"response_format"`, `"format"`, "format"},
			{`"response_format"`, `"grammar":"x","response_format"`, "grammar"},
			{`"messages"`, `"temperature":3,"messages"`, "temperature"},
			{`{"type":"json_schema"`, `{"type":"json_object"`, "response_format"},
		},
		providertest.Responses: {
			member,
			{`"name":"r",`, "", "name"},
			{`"text":{"format"`, `"text":{"json_schema"`, "json_schema"},
			{`"text":{"format":{`, `"response_format":{"x":{`, "response_format"},
			{`"input":"x"`, `"messages":[]`, "messages"},
			{`,"additionalProperties":false`, "", "additionalProperties"},
			{`"input":"x"`, `"input":"x","max_output_tokens":15`, "max_output_tokens"},
			{`"input":"x"`, `"input":[{"role":"user","content":[{"type":"input_image","image_url":"data:image/png;base64,AA=="}]}]`, "detail"},
		},
		providertest.Anthropic: {
			member,
			{`"max_tokens":9000,`, "", "max_tokens"},
			{`"role":"user"`, `"role":"system"`, "role"},
			{`"output_config"`, `"response_format"`, "response_format"},
			{`"type":"integer"`, `"type":"integer","minimum":1`, "minimum"},
			{`,"additionalProperties":false`, "", "additionalProperties"},
			{`"content":"x"`, `"content":" "`, "content"},
			{`"messages"`, `"temperature":1.5,"messages"`, "temperature"},
		},
		providertest.Gemini: {
			member,
			{`"responseMimeType":"application/json",`, "", "responseMimeType"},
			{`"responseJsonSchema"`, `"responseJSONSchema"`, "responseJSONSchema"},
			{`[{"parts"`, `[{"role":"assistant","parts"`, "role"},
			{`{"text":"x"}`, `{"text":""}`, "text"},
			{`"contents"`, `"systemInstruction":"x","contents"`, "systemInstruction"},
		},
		providertest.Bedrock: {
			member,
			{`"schema":"`, `"schema":{},"name":"`, "schema"},
			{`{\"type`, `{type`, "schema"},
			{`,\"additionalProperties\":false`, "", "additionalProperties"},
			{`{"text":"x"}`, `"x"`, "content"},
			{`"messages"`, `"inferenceConfig":{"max_tokens":1},"messages"`, "max_tokens"},
		},
		providertest.LlamaCpp: {
			member, {`"schema":{`, `"strict":true,"schema":{`, "strict"}, {`"response_format"`, `"tool_config":1,"response_format"`, "tool_config"},
		},
		providertest.VLLM:   {member, {`"name":"r",`, "", "name"}, {`"response_format"`, `"guided_json":{},"response_format"`, "guided_json"}},
		providertest.Ollama: {member, {`"format":{`, `"response_format":{`, "response_format"}, {`"content":"x"`, `"content":[{"type":"text","text":"x"}]`, "content"}},
	} {
		t.Run(string(wire), func(t *testing.T) {
			t.Parallel()
			way := ways()[wire]
			service := providertest.New(t, providertest.Settings{Wire: wire, Key: "k"})
			c := client(t)
			for _, body := range []string{way.body, way.schema} {
				if status, text := post(t, c, service.URL()+way.path, way.header, body); status != http.StatusOK {
					t.Fatalf("%s is refused: %d %s", body, status, text)
				}
			}
			for _, change := range changes {
				body := strings.Replace(way.schema, change.old, change.new, 1)
				if body == way.schema {
					t.Fatalf("there is no %s in %s", change.old, body)
				}
				if status, text := post(t, c, service.URL()+way.path, way.header, body); status != http.StatusBadRequest || !strings.Contains(text, change.want) {
					t.Errorf("%s instead of %s: %d %s, want 400 with %q", change.new, change.old, status, text, change.want)
				}
			}
			if status, _ := post(t, c, service.URL()+way.path, map[string]string{"Content-Type": "text/plain"}, way.body); status == http.StatusOK {
				t.Error("a request without credentials is let in")
			}
			header := map[string]string{"Content-Type": "text/plain"}
			for name, v := range way.header {
				header[name] = v
			}
			if status, text := post(t, c, service.URL()+way.path, header, way.body); status != http.StatusBadRequest || !strings.Contains(text, "Content-Type") {
				t.Errorf("of text/plain: %d %s", status, text)
			}
			for other, w := range ways() {
				if w.path != way.path {
					if status, _ := post(t, c, service.URL()+w.path, w.header, w.body); status == http.StatusOK {
						t.Errorf("%s speaks %s as well", wire, other)
					}
				}
			}
		})
	}
}

func TestHeadersAreDemanded(t *testing.T) {
	t.Parallel()
	c := client(t)
	messages, converse := ways()[providertest.Anthropic], ways()[providertest.Bedrock]
	service := providertest.New(t, providertest.Settings{})
	if status, text := post(t, c, service.URL()+messages.path, map[string]string{"X-Api-Key": "k"}, messages.body); status != http.StatusBadRequest || !strings.Contains(text, "anthropic-version") {
		t.Errorf("without a version: %d %s", status, text)
	}
	const date = "20261126T150000Z"
	for name, h := range map[string]map[string]string{
		"nothing":             {},
		"no date":             {"Authorization": signedWith + signature},
		"another day":         {"Authorization": signedWith + signature, "X-Amz-Date": "20261125T150000Z"},
		"a short signature":   {"Authorization": signedWith + signature[1:], "X-Amz-Date": date},
		"no signature":        {"Authorization": "AWS4-HMAC-SHA256 Credential=k", "X-Amz-Date": date},
		"another service":     {"Authorization": strings.Replace(signedWith, "/bedrock/", "/s3/", 1) + signature, "X-Amz-Date": date},
		"the host not signed": {"Authorization": strings.Replace(signedWith, "host;", "", 1) + signature, "X-Amz-Date": date},
	} {
		if status, text := post(t, c, service.URL()+converse.path, h, converse.body); status != http.StatusForbidden {
			t.Errorf("signed with %s: %d %s", name, status, text)
		}
	}
	for name, h := range map[string]map[string]string{"signed": converse.header, "a bearer key": {"Authorization": "Bearer any"}} {
		if status, text := post(t, c, service.URL()+converse.path, h, converse.body); status != http.StatusOK {
			t.Errorf("with %s: %d %s", name, status, text)
		}
	}
	const stream = "/v1beta/models/m:streamGenerateContent"
	if status, text := post(t, c, service.URL()+stream, nil, ways()[providertest.Gemini].body); status != http.StatusBadRequest || !strings.Contains(text, "alt") {
		t.Errorf("a stream of Google's without alt=sse: %d %s", status, text)
	}
}

// One server speaks all forms by their addresses.
func TestWireFormsGoByTheAddress(t *testing.T) {
	t.Parallel()
	service := providertest.New(t, providertest.Settings{Text: "said", Keep: -1})
	c := client(t)
	for wire, way := range ways() {
		for range 3 { // The third comes from memory.
			if status, text := post(t, c, service.URL()+way.path, way.header, way.body); status != http.StatusOK || !strings.Contains(text, "said") {
				t.Errorf("%s: %d %s", wire, status, text)
			}
			if way.stream == "" {
				continue
			}
			// The same body at the address of streams is another request.
			if status, text := post(t, c, service.URL()+way.stream, way.header, way.body); status != http.StatusOK || !strings.Contains(text, "said") ||
				strings.HasPrefix(text, "{") {
				t.Errorf("%s, streamed: %d %s", wire, status, text)
			}
		}
	}
}
