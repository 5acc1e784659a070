package bedrock_test

import (
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/bedrock"
	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/value"
)

func say(role dialect.Role, parts ...dialect.Part) dialect.Message {
	return dialect.Message{Role: role, Parts: parts}
}

func encode(t *testing.T, c dialect.Call) (path, body string) {
	t.Helper()
	if c.Messages == nil {
		c.Messages = []dialect.Message{say(dialect.User, dialect.Part{Text: "x"})}
	}
	r, err := bedrock.New().Encode(c)
	if err != nil {
		t.Fatal(err)
	}
	return r.Path, string(r.Body)
}

func TestToolsAreForcedAsFarAsTheFamilyLetsItselfBe(t *testing.T) {
	t.Parallel()
	schema, err := value.DecodeString(`{"type":"object"}`, value.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for model, want := range map[string]string{
		"us.anthropic.claude-sonnet-4-5-20250929-v1:0":                                  `{"tool":{"name":"result"}}`,
		"amazon.nova-micro-v1:0":                                                        `{"tool":{"name":"result"}}`,
		"us.mistral.pixtral-large-2502-v1:0":                                            `{"any":{}}`,
		"us.meta.llama4-maverick-17b-instruct-v1:0":                                     `{"auto":{}}`,
		"zai.glm-4.7-flash":                                                             `{"auto":{}}`,
		"arn:aws:bedrock:us-east-1::foundation-model/deepseek.v3-v1:0":                  `{"auto":{}}`,
		"arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-v1:0":     `{"tool":{"name":"result"}}`,
		"arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/x.y":      `{"tool":{"name":"result"}}`,
		"arn:aws:bedrock:us-east-1:123456789012:provisioned-model/a1b2c3d4e5f6":         `{"tool":{"name":"result"}}`,
		"arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-pro-1": `{"tool":{"name":"result"}}`,
	} {
		_, body := encode(t, dialect.Call{Model: model, Output: dialect.Output{Mode: lowering.Tool, Schema: schema}})
		if !strings.HasSuffix(body, `"toolChoice":`+want+`}}`) {
			t.Errorf("%s: %s, want the choice %s", model, body, want)
		}
	}
	_, body := encode(t, dialect.Call{
		Model: "anthropic.claude-x", Output: dialect.Output{Mode: lowering.Tool, Schema: schema}, Capability: dialect.Capability{Reasoning: true},
	})
	if !strings.HasSuffix(body, `"toolChoice":{"auto":{}}}}`) {
		t.Errorf("a model that reasons is forced: %s", body)
	}
}

func TestFamiliesHaveProfiles(t *testing.T) {
	t.Parallel()
	for model, want := range map[string]string{
		"us.anthropic.claude-sonnet-4-5-20250929-v1:0":                                       "bedrock:claude",
		"arn:aws:bedrock:us-east-1:123456789012:inference-profile/global.anthropic.claude-x": "bedrock:claude",
		"qwen.qwen3-32b-v1:0": "",
		"arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/mi1dadi0g15f": "",
	} {
		got := bedrock.New().ProfileOf(model)
		if got != want {
			t.Errorf("the profile of %s is %q, want %q", model, got, want)
		}
		if p, ok := lowering.Named(got); got != "" && (!ok || len(p.Modes()) == 0) {
			t.Errorf("there is no profile %s", got)
		}
	}
}

func TestImages(t *testing.T) {
	t.Parallel()
	image := func(address string) dialect.Call {
		m := say(dialect.User, dialect.Part{Image: address}, dialect.Part{Text: " "}, dialect.Part{Text: "?"})
		return dialect.Call{Model: "m", Messages: []dialect.Message{m}}
	}
	for address, format := range map[string]string{
		"data:image/png;base64,AAAA": "png", "DATA:image/JPEG;base64,AAAA": "jpeg", "data:image/jpg;x=y;Base64,AAAA": "jpeg", "data:image/gif;base64,AAAA": "gif",
		"data:image/webp;base64,AAAA": "webp",
	} {
		_, body := encode(t, image(address))
		want := `{"messages":[{"role":"user","content":[{"image":{"format":"` + format + `","source":{"bytes":"AAAA"}}},{"text":"?"}]}]}`
		if body != want {
			t.Errorf("%s: %s, want %s", address, body, want)
		}
	}
	for _, address := range [...]string{
		"https://example.org/a.png", "data:", "data:image/png;base64,", "data:image/png,AAAA", "data:image/bmp;base64,AAAA", "data:;base64,AAAA", "SECRET",
	} {
		if r, err := bedrock.New().Encode(image(address)); err == nil {
			t.Errorf("%s is sent: %s", address, r.Body)
		} else if strings.Contains(err.Error(), "SECRET") {
			t.Errorf("the error repeats the address: %v", err)
		}
	}
	for _, role := range [...]dialect.Role{dialect.System, dialect.Assistant} {
		c := image("data:image/png;base64,AAAA")
		c.Messages = append(c.Messages, say(role, dialect.Part{Image: "data:image/png;base64,AAAA"}))
		if r, err := bedrock.New().Encode(c); err == nil {
			t.Errorf("an image of role %d is sent: %s", role, r.Body)
		}
	}
}

func TestTurnsFollowEachOther(t *testing.T) {
	t.Parallel()
	text := func(s string) dialect.Part { return dialect.Part{Text: s} }
	_, body := encode(t, dialect.Call{Model: "m", Messages: []dialect.Message{
		say(dialect.User, text("1")), say(dialect.System, text("s")), say(dialect.User, text("2"), text("\n"), text("3")), say(dialect.Assistant, text(" ")),
		say(dialect.User, text("4")), say(dialect.Assistant, text("5")), say(dialect.System, text("\t")),
	}})
	want := `{"messages":[{"role":"user","content":[{"text":"1"},{"text":"2"},{"text":"3"},{"text":"4"}]},{"role":"assistant","content":[{"text":"5"}]}],` +
		`"system":[{"text":"s"}]}`
	if body != want {
		t.Errorf("got  %s\nwant %s", body, want)
	}
	for _, messages := range [][]dialect.Message{{}, {say(dialect.System, text("s"))}, {say(dialect.User, text(" "))}} {
		if r, err := bedrock.New().Encode(dialect.Call{Model: "m", Messages: messages}); err == nil {
			t.Errorf("a call that says nothing is sent: %s", r.Body)
		}
	}
}

func TestModelsAreOneSegmentOfThePath(t *testing.T) {
	t.Parallel()
	for model, want := range map[string]string{
		"a-b_c.d~e": "a-b_c.d~e", "a:0": "a%3A0", "../x": "..%2Fx", "ä b?#%": "%C3%A4%20b%3F%23%25", "a+b": "a%2Bb",
	} {
		if path, _ := encode(t, dialect.Call{Model: model}); path != "/model/"+want+"/converse" {
			t.Errorf("the path of %q is %s", model, path)
		}
	}
	for _, model := range [...]string{"", ".", ".."} {
		if r, err := bedrock.New().Encode(dialect.Call{Model: model, Messages: []dialect.Message{say(dialect.User, dialect.Part{Text: "x"})}}); err == nil {
			t.Errorf("the model %q is sent to %s", model, r.Path)
		}
	}
}
