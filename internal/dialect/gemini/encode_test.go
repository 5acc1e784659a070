package gemini_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/dialecttest"
	"github.com/promptd/promptd/internal/dialect/gemini"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/value"
)

func say(role dialect.Role, parts ...dialect.Part) dialect.Message {
	return dialect.Message{Role: role, Parts: parts}
}

func words(s string) dialect.Part { return dialect.Part{Text: s} }

func ask(messages ...dialect.Message) dialect.Call {
	return dialect.Call{Model: "m", Messages: messages}
}

func decode(t *testing.T, text string) value.Value {
	t.Helper()
	v, err := value.DecodeString(text, value.Limits{})
	if err != nil {
		t.Fatalf("decode %q: %v", text, err)
	}
	return v
}

func TestEncodeWritesWhatTheServiceTakes(t *testing.T) {
	t.Parallel()
	hi := say(dialect.User, words("hi"))
	picture := func(image, detail string) dialect.Part { return dialect.Part{Image: image, Detail: detail} }
	form := func(mode lowering.Mode, name, profile string) dialect.Call {
		c := ask(hi)
		c.Output = dialect.Output{Mode: mode, Name: name, Schema: decode(t, `{"type":"object"}`)}
		c.Capability.Profile = profile
		return c
	}
	offered := ask(hi)
	offered.Capability.Logprobs = true
	const contents = `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]`
	forced := func(name string) string {
		return contents + `,"tools":[{"functionDeclarations":[{"name":"` + name + `","description":"Gives the answer.",` +
			`"parametersJsonSchema":{"type":"object"}}]}],"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["` + name + `"]}}}`
	}
	const png, other = "data:image/png;base64,AAAA", "data:image/png;base64,BBBB"
	for name, c := range map[string]struct {
		call dialect.Call
		want string
	}{
		"nothing to configure": {ask(hi), contents + `}`},
		"blank messages":       {ask(say(dialect.System, words("")), say(dialect.User), say(dialect.Assistant, words("")), hi), contents + `}`},
		"several system messages": {
			ask(say(dialect.System, words("a"), words("b")), hi, say(dialect.System), say(dialect.System, words("c"))),
			contents + `,"systemInstruction":{"parts":[{"text":"ab"},{"text":"c"}]}}`,
		},
		"texts around images": {
			ask(say(dialect.User, words("a"), words("b"), picture("data:image/webp;charset=x;base64,AAAA", ""),
				picture("https://example.org/A.JPG#x", ""), words(""), picture("https://example.org/a", ""), words("c"), words(""), words("\"d\""))),
			`{"contents":[{"role":"user","parts":[{"text":"ab"},{"inlineData":{"mimeType":"image/webp","data":"AAAA"}},` +
				`{"fileData":{"mimeType":"image/jpeg","fileUri":"https://example.org/A.JPG#x"}},` +
				`{"fileData":{"fileUri":"https://example.org/a"}},{"text":"c\"d\""}]}]}`,
		},
		"a low look": {
			ask(say(dialect.User, picture(png, "low"), words("a"))),
			`{"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}},{"text":"a"}]}],` +
				`"generationConfig":{"mediaResolution":"MEDIA_RESOLUTION_LOW"}}`,
		},
		"the closest look counts": {
			ask(say(dialect.User, picture(png, "high")), say(dialect.User, picture(other, "low"))),
			`{"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]},` +
				`{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"BBBB"}}]}],` +
				`"generationConfig":{"mediaResolution":"MEDIA_RESOLUTION_HIGH"}}`,
		},
		"an older model": {
			form(lowering.Strict, "", "gemini:openapi"),
			contents + `,"generationConfig":{"responseMimeType":"application/json","responseSchema":{"type":"object"}}}`,
		},
		"an older model's function":               {form(lowering.Tool, "", "gemini:openapi"), forced("result")},
		"a function's name begins with a letter":  {form(lowering.Tool, "2026-orders", ""), forced("_2026-orders")},
		"a function's name has a bound":           {form(lowering.Tool, strings.Repeat("7", 64), ""), forced("_" + strings.Repeat("7", 63))},
		"log-probabilities that nobody asked for": {offered, contents + `}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := gemini.New().Encode(c.call)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, string(r.Body)); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEncodeRefusesWhatItCannotSay(t *testing.T) {
	t.Parallel()
	image := func(s string) dialect.Call {
		return dialect.Call{Model: "m", Messages: []dialect.Message{say(dialect.User, dialect.Part{Image: s})}}
	}
	for name, c := range map[string]dialect.Call{
		"no model":                  {},
		"a model that leads up":     {Model: "../secrets"},
		"an empty part":             {Model: "tunedModels//x"},
		"an image not in base64":    image("data:image/png,SECRET"),
		"an image of no media type": image("data:;base64,SECRET"),
		"a name that is too long":   {Model: "m", Output: dialect.Output{Name: strings.Repeat("n", 65)}},
	} {
		if r, err := gemini.New().Encode(c); err == nil || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v, encoded to %s", name, err, r.Path)
		}
	}
}

func TestAProfileOfTheDialectIsNamedByTheCapability(t *testing.T) {
	t.Parallel()
	const text = `{"type":"object","properties":{"a":{"type":["string","null"]}},"required":["a"],"additionalProperties":false}`
	compiled, err := schema.Compile(decode(t, text), schema.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for profile, nullable := range map[string]bool{"": false, "gemini": false, "openai:groq": false, "gemini:none": false, "gemini:openapi": true} {
		l := lowering.Lower(compiled, gemini.New().Profile(dialect.Capability{Profile: profile}))
		if got := strings.Contains(l.Schema.String(), `"nullable":true`); l.Mode != lowering.Strict || got != nullable {
			t.Errorf("profile %q: mode %s, %s; want nullable: %v", profile, l.Mode, l.Schema, nullable)
		}
	}
	alone := []lowering.Mode{lowering.JSON}
	if modes := gemini.New().Profile(dialect.Capability{Profile: "gemini:openapi", Modes: alone}).Modes(); !cmp.Equal(modes, alone) {
		t.Errorf("of JSON mode alone come %v", modes)
	}
}

// The two services differ in address and credential alone.
func TestBothServicesAreReachedByConfiguration(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		base, model, header, credential string
		stream                          bool
		want                            string
	}{
		"Gemini API": {"/v1beta", "gemini-9", "X-Goog-Api-Key", "k", false, "/v1beta/models/gemini-9:generateContent"},
		"streamed":   {"/v1beta/", "gemini-9", "X-Goog-Api-Key", "k", true, "/v1beta/models/gemini-9:streamGenerateContent?alt=sse"},
		"tuned":      {"/v1beta", "tunedModels/orders-7", "X-Goog-Api-Key", "k", false, "/v1beta/tunedModels/orders-7:generateContent"},
		"Vertex": {
			"/v1/projects/p/locations/global/publishers/google", "gemini-9", "Authorization", "Bearer t", true,
			"/v1/projects/p/locations/global/publishers/google/models/gemini-9:streamGenerateContent?alt=sse",
		},
		"Vertex, an endpoint": {
			"/v1/projects/p/locations/l", "endpoints/12", "Authorization", "Bearer t", false, "/v1/projects/p/locations/l/endpoints/12:generateContent",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const answer = `{"candidates":[{"content":{"parts":[{"text":"yes"}]},"finishReason":"STOP"}]}`
			var got string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got = r.Method + " " + r.RequestURI + " " + r.Header.Get(c.header)
				text := answer
				if c.stream {
					text = "data: " + answer + "\r\n\r\n"
				}
				_, _ = io.WriteString(w, text)
			}))
			defer server.Close()
			p, err := provider.New(provider.Account{
				Name: "p", Dialect: gemini.New(), BaseURL: server.URL + c.base, Header: http.Header{c.header: {c.credential}},
				Models: []provider.Model{{Name: c.model}},
			}, provider.Transport())
			if err != nil {
				t.Fatal(err)
			}
			var sink func(string) error
			streamed := ""
			if c.stream {
				sink = func(text string) error { streamed += text; return nil }
			}
			reply, _, err := p.Call(t.Context(), &p.Models()[0], dialect.Call{Messages: []dialect.Message{say(dialect.User, words("hi"))}}, sink)
			if err != nil || reply.Text != "yes" || c.stream && streamed != "yes" {
				t.Errorf("%v: %+v, streamed %q", err, reply, streamed)
			}
			if want := "POST " + c.want + " " + c.credential; got != want {
				t.Errorf("the service got %q, want %q", got, want)
			}
		})
	}
}

// recorded is a request as it was recorded, as far as a call can say it.
type recorded struct {
	Contents []struct {
		Role  string `json:"role"`
		Parts []struct {
			Text string `json:"text"`
		} `json:"parts"`
	} `json:"contents"`
	System struct {
		Parts []struct {
			Text string `json:"text"`
		} `json:"parts"`
	} `json:"systemInstruction"`
	Config struct {
		Type        string          `json:"responseMimeType"`
		Schema      json.RawMessage `json:"responseJsonSchema"`
		MaxTokens   int             `json:"maxOutputTokens"`
		Temperature *float64        `json:"temperature"`
		Logprobs    bool            `json:"responseLogprobs"`
	} `json:"generationConfig"`
}

// TestEncodeEqualsRecordedRequests makes the call that a recorded request stands for and compares what is sent with what was: field by field, and the address.
// Left out are requests with what no call can say: functions that need not be called and their results, caches, safety settings, Model Armor.
func TestEncodeEqualsRecordedRequests(t *testing.T) {
	t.Parallel()
	compared, other := 0, 0
	for _, f := range append(dialecttest.Fixtures(t, "gemini"), dialecttest.Fixtures(t, "vertex")...) {
		var want map[string]any
		if len(f.Request) == 0 || json.Unmarshal(f.Request, &want) != nil || want == nil {
			continue
		}
		if want["tools"] != nil || want["cachedContent"] != nil || want["safetySettings"] != nil || want["modelArmorConfig"] != nil {
			other++
			continue
		}
		compared++
		normalize(want)
		c, sent := callOf(t, f.Request), map[string]any{}
		c.Model, c.Stream = modelOf(t, f.URL), f.Streamed()
		r, err := gemini.New().Encode(c)
		if err != nil {
			t.Errorf("%s: %v", f.File, err)
			continue
		}
		if err := json.Unmarshal(r.Body, &sent); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, sent); diff != "" {
			t.Errorf("%s (-recorded +sent):\n%s", f.File, diff)
		}
		if !strings.HasSuffix(f.URL, r.Path) {
			t.Errorf("%s: was sent to %s, we send to %s", f.File, f.URL, r.Path)
		}
	}
	t.Logf("%d requests compared, %d say what no call can", compared, other)
	if compared < 20 {
		t.Errorf("%d requests were compared, want 20 or more", compared)
	}
}

// normalize takes off what says the same as nothing: the role of what the system says, text as the form of the answer, how much to think, and the number of
// further tokens beside each.
func normalize(body map[string]any) {
	if s, ok := body["systemInstruction"].(map[string]any); ok {
		delete(s, "role")
	}
	if c, ok := body["generationConfig"].(map[string]any); ok {
		delete(c, "responseModalities")
		delete(c, "thinkingConfig")
		delete(c, "logprobs")
		if len(c) == 0 {
			delete(body, "generationConfig")
		}
	}
}

func callOf(t *testing.T, body []byte) dialect.Call {
	t.Helper()
	var r recorded
	if err := json.Unmarshal(body, &r); err != nil {
		t.Fatal(err)
	}
	c := dialect.Call{MaxTokens: r.Config.MaxTokens, Temperature: r.Config.Temperature, Logprobs: r.Config.Logprobs}
	c.Capability.Logprobs = true
	for _, p := range r.System.Parts {
		c.Messages = append(c.Messages, say(dialect.System, words(p.Text)))
	}
	for _, turn := range r.Contents {
		role := dialect.User
		if turn.Role == "model" {
			role = dialect.Assistant
		}
		m := say(role)
		for _, p := range turn.Parts {
			m.Parts = append(m.Parts, words(p.Text))
		}
		c.Messages = append(c.Messages, m)
	}
	switch {
	case len(r.Config.Schema) > 0:
		c.Output = dialect.Output{Mode: lowering.Strict, Schema: decode(t, string(r.Config.Schema))}
	case r.Config.Type != "":
		c.Output.Mode = lowering.JSON
	}
	return c
}

// modelOf is the last part of a path, up to the verb.
func modelOf(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	model, _, _ := strings.Cut(u.Path[strings.LastIndexByte(u.Path, '/')+1:], ":")
	return model
}
