package app

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/provider/calltest"
	"github.com/promptd/promptd/internal/provider/providertest"
)

// A dialect that nobody holds to the suite over HTTP is not in the list.
func TestEveryDialectIsHeldToTheSuite(t *testing.T) {
	t.Parallel()
	forms := calltest.Forms()
	for _, d := range dialects() {
		if !slices.ContainsFunc(forms, func(f calltest.Form) bool { return f.Dialect.Name() == d.Name() }) {
			t.Errorf("dialect %s has no row in calltest.Forms", d.Name())
		}
	}
	for _, f := range forms {
		if _, ok := dialectNamed(f.Dialect.Name()); !ok {
			t.Errorf("wire form %s is of dialect %s, which is not in the list", f.Wire, f.Dialect.Name())
		}
	}
}

// pinned is a request that is pinned to a provider; the schema has forms that one service or another doesn't take, and no bounds, which
// not every service keeps to and chance would break.
const pinned = `{"prompt":"Anna Petrova, 34, came at nine.","stream":%v,"schema":{"type":"object","properties":{` +
	`"name":{"type":"string"},"age":{"type":"integer"},"tags":{"type":"array","items":{"type":"string"}},` +
	`"note":{"oneOf":[{"type":"string"},{"type":"null"}]},"more":{"type":"object","additionalProperties":{"type":"integer"}}},` +
	`"required":["name","age","tags"],"additionalProperties":false},"options":{"provider":%q,"bypass_cache":true}}`

// TestOneProgramSpeaksEveryForm has one program with a provider of each form, each a service that takes its own form alone and strictly. The same request, pinned
// to each, passes; streamed, it passes after partial values.
func TestOneProgramSpeaksEveryForm(t *testing.T) {
	t.Parallel()
	yaml := "providers:"
	services := map[providertest.Wire]*providertest.Server{}
	for _, f := range calltest.Forms() {
		service := providertest.New(t, providertest.Settings{Wire: f.Wire, Key: calltest.Key, Seed: 11, TokenLatency: time.Millisecond})
		services[f.Wire] = service
		yaml += fmt.Sprintf("\n  - name: %s\n    dialect: %s\n    base_url: %q\n    models: [{name: %q}]", f.Wire, f.Dialect.Name(), service.URL()+f.Base, f.Model)
		if !f.Signed {
			yaml += "\n    api_key: env:SERVICE_KEY"
		}
		if f.YAML != "" {
			yaml += "\n    " + f.YAML
		}
	}
	s := newSetting(t, yaml+"\n")
	s.environ = []string{"SERVICE_KEY=" + calltest.Key}
	r := s.start(t)
	for _, f := range calltest.Forms() {
		name := string(f.Wire)
		whole := r.must(t, 200, "POST", r.URL()+"/v1/analyze", r.secret, fmt.Sprintf(pinned, false, name))
		passed(t, name, []byte(whole.body))
		streamed := r.must(t, 200, "POST", r.URL()+"/v1/analyze", r.secret, fmt.Sprintf(pinned, true, name))
		partials, last := events(streamed.body)
		if partials < 2 {
			t.Errorf("%s: %d partial values came: %s", name, partials, streamed.body)
		}
		passed(t, name+", streamed", []byte(last))
		for _, e := range services[f.Wire].Exchanges() {
			if e.Bad != "" || e.Form == "" || e.Model != f.Model {
				t.Errorf("%s: the service read model %q and a schema in %q, and says %q", name, e.Model, e.Form, e.Bad)
			}
		}
		if n := services[f.Wire].Requests(); n != 2 {
			t.Errorf("%s: %d calls for two requests", name, n)
		}
	}
}

// passed checks an answer: valid, by the provider that was asked for, and explained by one attempt.
func passed(t *testing.T, name string, body []byte) {
	t.Helper()
	var got struct {
		Status   string `json:"validation_status"`
		Provider string `json:"provider_used"`
		Attempts []struct {
			Outcome string `json:"outcome"`
			Input   int    `json:"input_tokens"`
		} `json:"attempts"`
	}
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatalf("%s: %v: %s", name, err, body)
	}
	asked, _, _ := strings.Cut(name, ",")
	if got.Status != "passed" || got.Provider != asked || len(got.Attempts) != 1 || got.Attempts[0].Outcome != "ok" || got.Attempts[0].Input == 0 {
		t.Errorf("%s: %s", name, body)
	}
}

// events counts the partial values of a stream and gives the result.
func events(body string) (partials int, result string) {
	for event := range strings.SplitSeq(body, "\n\n") {
		_, data, _ := strings.Cut(event, "data: ")
		switch {
		case strings.Contains(event, "event: partial\n"):
			partials++
		case strings.Contains(event, "event: result\n"):
			result = data
		}
	}
	return partials, result
}
