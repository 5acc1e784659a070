package api_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/api"
	"github.com/promptd/promptd/internal/key"
)

const inferPath = "/v1/schemas/infer"

func TestTheDocumentedExampleOfADraftIsWhatIsAnswered(t *testing.T) {
	t.Parallel()
	raw, err := api.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	type content map[string]struct {
		Examples map[string]struct{ Value json.RawMessage }
	}
	var doc struct {
		Paths map[string]map[string]struct {
			RequestBody struct{ Content content }
			Responses   map[string]struct{ Content content }
		}
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	o := doc.Paths[inferPath]["post"]
	var want []any
	for _, e := range o.Responses["200"].Content["application/json"].Examples {
		var one any
		if err := json.Unmarshal(e.Value, &one); err != nil {
			t.Fatal(err)
		}
		want = append(want, one)
	}
	met := 0
	for name, e := range o.RequestBody.Content["application/json"].Examples {
		var got any
		newWorld(t).post(inferPath, string(e.Value)).into(t, 200, &got)
		for _, one := range want {
			if cmp.Equal(one, got) {
				met++
			}
		}
		if strings.Contains(name, "pairs") && !strings.Contains(string(e.Value), "Ada") {
			t.Errorf("%s: got %s", name, e.Value)
		}
	}
	if met != len(want) || met == 0 {
		t.Errorf("%d of %d documented answers are given", met, len(want))
	}
}

func TestPairsOfTextAndValueGiveExtractiveStrings(t *testing.T) {
	t.Parallel()
	var got struct {
		Schema struct {
			Title      string
			Properties map[string]map[string]any
		}
		Notes []any
	}
	newWorld(t).post(inferPath, `{"name": "letters", "examples": [{"text": "From Ada Lovelace.", "value": {"from": "Ada Lovelace"}}, {"text": "By Grace Hopper", "value": {"from": "Grace Hopper"}}]}`).into(t, 200, &got)
	if got.Schema.Title != "letters" || got.Schema.Properties["from"]["x-extractive"] != true || len(got.Notes) == 0 {
		t.Errorf("got %+v", got)
	}
}

func TestExamplesThatNoSchemaIsDraftedFrom(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct{ body, pointer, rule string }{
		{`{}`, "/examples", "required"},
		{`{"examples": {}}`, "/examples", "type"},
		{`{"examples": []}`, "/examples", "minItems"},
		{`{"examples": [` + strings.Repeat("1,", 10_000) + `1]}`, "/examples", "maxItems"},
		{`{"examples": [1], "name": 1}`, "/name", "type"},
		{`{"examples": [1], "name": "` + strings.Repeat("x", 201) + `"}`, "/name", "maxLength"},
		{`{"examples": [1], "example": 1}`, "/example", "unknown_field"},
	} {
		p := w.post(inferPath, c.body).problem(t, 400, "INVALID_REQUEST")
		if len(p.Errors) == 0 || p.Errors[0].Pointer != c.pointer || p.Errors[0].Rule != c.rule {
			t.Errorf("%.80s: got %.300v, want the rule %s at %s", c.body, p.Errors, c.rule, c.pointer)
		}
	}
	w.post(inferPath, `{"examples": [1, 01]}`).problem(t, 400, "INVALID_REQUEST")
	w.post(inferPath, `{"examples": ["`+strings.Repeat("x", 2<<20)+`"]}`).problem(t, 413, "PAYLOAD_TOO_LARGE")
}

func TestDraftingASchemaNeedsItsScopeAndCounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one := 1
	if got := w.do(ask{method: "POST", path: inferPath, key: "-", body: `{"examples": [1]}`}); got.status != 401 {
		t.Errorf("without a key: got %d, want 401", got.status)
	}
	other := w.newKey(key.Key{Name: "other", Scopes: key.Scopes(key.Analyze)})
	if got := w.do(ask{method: "POST", path: inferPath, key: other, body: `{"examples": [1]}`}); got.status != 403 {
		t.Errorf("without the scope: got %d, want 403", got.status)
	}
	few := w.newKey(key.Key{Name: "few", Scopes: key.Scopes(key.Schemas), RateLimitPerHour: &one})
	var status []int
	for range 2 {
		status = append(status, w.do(ask{method: "POST", path: inferPath, key: few, body: `{"examples": [1]}`}).status)
	}
	if want := []int{200, 429}; !cmp.Equal(want, status) {
		t.Errorf("with a limit of one: got %v, want %v", status, want)
	}
}
