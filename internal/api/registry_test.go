package api_test

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/promptd/promptd/internal/api"
	"github.com/promptd/promptd/internal/key"
)

const schemasPath = "/v1/schemas"

// countSchema wants one integer under a name; each name is another schema.
func countSchema(name string) string {
	return `{"type": "object", "additionalProperties": false, "required": ["` + name + `"], "properties": {"` + name + `": {"type": "integer"}}}`
}

// publish publishes a schema and gives its version.
func (w *world) publish(name, schema, more string) int {
	w.tb.Helper()
	var got api.PublishedSchema
	a := w.post(schemasPath, `{"name": "`+name+`", "schema": `+schema+more+`}`)
	if a.status == 200 {
		a.into(w.tb, 200, &got)
		return got.Version
	}
	a.into(w.tb, 201, &got)
	if want := fmt.Sprintf("/v1/schemas/%s/versions/%d", name, got.Version); a.header.Get("Location") != want {
		w.tb.Errorf("published at %q, want %q", a.header.Get("Location"), want)
	}
	return got.Version
}

const none = `, "compatibility": "none"`

func TestASchemaIsPublishedReadChangedWithdrawnAndRestored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.post(schemasPath, `{"name": "invoice", "schema": `+countSchema("n")+`, "description": "what we bill"}`)
	var first api.PublishedSchema
	a.into(t, 201, &first)
	if first.Version != 1 || first.Reference != "invoice@1" || len(first.Hash) != 64 || first.Compatibility != "backward" || first.Description != "what we bill" ||
		first.Comparison != nil || first.Lint == nil || len(first.Lint.Dialects) < 5 || first.Owner.Team != "default" || !strings.HasPrefix(string(first.Owner.Key), "key_") {
		t.Errorf("published: got %s", a.body)
	}
	var again api.PublishedSchema
	w.post(schemasPath, `{"name": "invoice", "schema": {"properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": false, "type": "object"}}`).into(t, 200, &again)
	if again.Version != 1 || again.Hash != first.Hash || again.Description != "what we bill" {
		t.Errorf("the same content in another order: got %+v, want version 1", again)
	}
	w.publish("invoice", `{"type": "object", "additionalProperties": false, "required": ["n"], "properties": {"n": {"type": "integer"}, "m": {"type": "string"}}}`, "")

	p := w.post(schemasPath, `{"name": "invoice", "schema": {"type": "object", "additionalProperties": false, "required": ["n"], "properties": {"n": {"type": "string"}, "m": {"type": "string"}}}}`).problem(t, 409, "CONFLICT")
	if !slices.ContainsFunc(p.Errors, func(e struct{ Pointer, Rule, Message, Hint, Keyword string }) bool {
		return e.Pointer == "/schema/properties/n" && e.Rule == "type" && strings.Contains(e.Message, "/n") && strings.Contains(e.Message, "backward")
	}) || !strings.Contains(p.Remediation, "compatibility none") {
		t.Errorf("a breaking version: got %+v with %q, want the pointer /schema/properties/n and a way out", p.Errors, p.Remediation)
	}
	if v := w.publish("invoice", countSchema("other"), none); v != 3 {
		t.Errorf("published all the same: got version %d, want 3", v)
	}

	var one api.SchemaWithText
	got := w.get(schemasPath + "/invoice")
	got.into(t, 200, &one)
	if *one.Version != 3 || one.Compatibility != "backward" || !strings.Contains(string(one.Text), "other") {
		t.Errorf("read: got %s", got.body)
	}
	if same := w.do(ask{method: "GET", path: schemasPath + "/invoice", header: headers("If-None-Match", got.header.Get("ETag"))}); same.status != 304 || same.body != "" {
		t.Errorf("read again with the ETag: got %d %q, want 304", same.status, same.body)
	}
	w.do(ask{method: "PATCH", path: schemasPath + "/invoice", body: `{"description": "", "compatibility": "full"}`}).into(t, 200, &one)
	if one.Description != "" || one.Compatibility != "full" {
		t.Errorf("changed: got %+v", one)
	}

	if a := w.do(ask{method: "DELETE", path: schemasPath + "/invoice/versions/3"}); a.status != 204 {
		t.Fatalf("withdraw: got %d", a.status)
	}
	p = w.get(schemasPath+"/invoice/versions/3").problem(t, 410, "GONE")
	if !strings.Contains(p.Remediation, "invoice@2") || !strings.Contains(p.Remediation, "restore") {
		t.Errorf("a withdrawn version: got the remedy %q, want the newest and how to restore", p.Remediation)
	}
	w.get(schemasPath+"/invoice").into(t, 200, &one)
	if *one.Version != 2 || one.Newest != 3 {
		t.Errorf("behind the withdrawal: got %d of %d, want 2 of 3", *one.Version, one.Newest)
	}
	var whole api.WholeVersion
	w.get(schemasPath+"/invoice/versions/3?withdrawn=true").into(t, 200, &whole)
	if whole.WithdrawnAt.IsZero() || !strings.Contains(string(whole.Text), "other") {
		t.Errorf("a withdrawn version that is asked for: got %+v", whole)
	}
	if a := w.post(schemasPath+"/invoice/versions/3/restore", ""); a.status != 200 {
		t.Errorf("restore: got %d: %s", a.status, a.body)
	}
	w.do(ask{method: "DELETE", path: schemasPath + "/invoice"})
	for _, path := range []string{"/invoice", "/invoice/versions", "/invoice/versions/1", "/invoice/versions/1/fitness"} {
		w.get(schemasPath+path).problem(t, 410, "GONE")
	}
	w.post(schemasPath+"/invoice/compatibility", `{"schema": true}`).problem(t, 410, "GONE")
	w.post(schemasPath, `{"name": "invoice", "schema": true}`).problem(t, 409, "CONFLICT")
	if a := w.get(schemasPath); a.body != `{"data":[]}`+"\n" {
		t.Errorf("list: got %s, want none", a.body)
	}
	if a := w.get(schemasPath + "?withdrawn=true"); !strings.Contains(a.body, `"name":"invoice"`) {
		t.Errorf("list with what is withdrawn: got %s", a.body)
	}
	if a := w.post(schemasPath+"/invoice/restore", "{}"); a.status != 200 || w.get(schemasPath+"/invoice").status != 200 {
		t.Errorf("restore the name: got %d: %s", a.status, a.body)
	}
}

func TestSchemasAndVersionsArePaged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 5 {
		w.publish(fmt.Sprintf("s%d", i), countSchema("n"), "")
		w.publish("many", countSchema(fmt.Sprintf("n%d", i)), none)
	}
	names, cursor := []string{}, ""
	for {
		var page api.Schemas
		w.get(schemasPath+"?limit=4&cursor="+cursor).into(t, 200, &page)
		for _, one := range page.Data {
			names = append(names, one.Name)
		}
		if cursor = page.NextCursor; cursor == "" {
			break
		}
	}
	if want := []string{"many", "s0", "s1", "s2", "s3", "s4"}; !slices.Equal(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}
	numbers, cursor := []int{}, ""
	for {
		var page api.SchemaVersions
		w.get(schemasPath+"/many/versions?limit=2&cursor="+cursor).into(t, 200, &page)
		for _, one := range page.Data {
			numbers = append(numbers, one.Version)
		}
		if cursor = page.NextCursor; cursor == "" {
			break
		}
	}
	if want := []int{5, 4, 3, 2, 1}; !slices.Equal(numbers, want) {
		t.Errorf("got %v, want %v", numbers, want)
	}
}

func TestARequestNamesARegisteredSchema(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish("count", countSchema("n"), "")
	w.publish("count", countSchema("m"), none)
	ask1 := `{"prompt": "How many? Three.", "schema": "count@1"}`
	type answer struct {
		Data       map[string]int
		Cached     bool
		Validation struct{ Schema string }
	}
	var pinned, newest answer
	w.post("/v1/analyze", ask1).into(t, 200, &pinned)
	w.post("/v1/analyze", `{"prompt": "How many? Three.", "schema": "count"}`).into(t, 200, &newest)
	if _, ok := pinned.Data["n"]; !ok || pinned.Validation.Schema != "count@1" {
		t.Errorf("count@1: got %+v", pinned)
	}
	if _, ok := newest.Data["m"]; !ok || newest.Validation.Schema != "count@2" {
		t.Errorf("count: got %+v, want the newest version", newest)
	}
	w.post("/v1/analyze", ask1).into(t, 200, &pinned)
	if !pinned.Cached {
		t.Errorf("asked again: got an answer that is not cached")
	}
	for query, want := range map[string]int{"count": 3, "count@1": 2, "count@2": 1, "coun": 0} {
		var page struct{ Data []struct{ Schema string } }
		w.get("/v1/requests?schema="+query).into(t, 200, &page)
		if len(page.Data) != want || want > 0 && !strings.HasPrefix(page.Data[0].Schema, "count@") {
			t.Errorf("requests with %s: got %d, want %d", query, len(page.Data), want)
		}
	}
	var sums struct {
		Rows []struct {
			Schema   string
			Requests int
		}
	}
	w.get("/v1/usage?group_by=schema").into(t, 200, &sums)
	if len(sums.Rows) != 2 || sums.Rows[0].Schema != "count@1" || sums.Rows[0].Requests != 2 || sums.Rows[1].Requests != 1 {
		t.Errorf("usage by schema: got %+v", sums.Rows)
	}
	var fitness struct {
		Requests int
		Models   []struct {
			Provider, Mode string
			Results        *struct {
				Passed   int
				PassRate float64 `json:"pass_rate"`
				MeanCost float64 `json:"mean_cost_usd"`
				P50MS    float64 `json:"latency_p50_ms"`
			}
		}
	}
	w.get(schemasPath+"/count/versions/1/fitness").into(t, 200, &fitness)
	if m := fitness.Models[0]; fitness.Requests != 1 || m.Provider != "scripted" || m.Mode != "strict" || m.Results == nil || m.Results.Passed != 1 || m.Results.PassRate != 1 ||
		m.Results.MeanCost <= 0 || m.Results.P50MS <= 0 {
		t.Errorf("fitness: got %+v with %+v", fitness, m.Results)
	}
	for _, c := range []struct {
		ref  string
		want int
	}{{"count@3", 0}, {"count@1", 1}, {"count@1", 0}, {"count", 1}} {
		var dropped api.Dropped
		w.do(ask{method: "DELETE", path: "/v1/cache?schema=" + c.ref}).into(t, 200, &dropped)
		if dropped.Dropped != c.want {
			t.Errorf("drop %s: got %d, want %d", c.ref, dropped.Dropped, c.want)
		}
	}
	w.post("/v1/analyze", ask1).into(t, 200, &pinned)
	if pinned.Cached {
		t.Errorf("asked behind dropping: got a cached answer")
	}
	w.do(ask{method: "DELETE", path: schemasPath + "/count/versions/1"})
	p := w.post("/v1/analyze", ask1).problem(t, 410, "GONE")
	if p.Errors[0].Pointer != "/schema" || !strings.Contains(p.Remediation, "count@2") {
		t.Errorf("a withdrawn version: got %+v with %q", p.Errors, p.Remediation)
	}
	w.post(schemasPath+"/count/versions/1/restore", "")
	w.post("/v1/analyze", ask1).into(t, 200, &pinned)
	if pinned.Cached {
		t.Errorf("restored: got an answer from before the withdrawal")
	}
}

func TestAFaultOfAReferenceNamesTheReference(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish("count", countSchema("n"), "")
	for ref, want := range map[string]int{"nothing": 404, "count@2": 404, "count@0": 400, "count@01": 400, "@1": 400, "count@": 400, "count@1@1": 400, "Count": 400, "": 400, "{}": 400, "../x": 400} {
		a := w.post("/v1/analyze", `{"prompt": "x", "schema": "`+ref+`"}`)
		code := map[int]string{400: "INVALID_REQUEST", 404: "NOT_FOUND"}[want]
		if p := a.problem(t, want, code); len(p.Errors) != 1 || p.Errors[0].Pointer != "/schema" {
			t.Errorf("%q: got %+v, want the pointer /schema", ref, p.Errors)
		}
	}
	smaller := *w.settings.Load()
	smaller.SchemaBytes = 10
	w.settings.Store(&smaller)
	// What is wrong inside a registered schema has no place in the body.
	w.post(schemasPath, `{"name": "big", "schema": {"description": "too long for the limit"}}`).problem(t, 400, "INVALID_SCHEMA")
}

func TestTeamsHaveSchemasOfTheirOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish("count", countSchema("n"), "")
	other := w.newKey(key.Key{Name: "other", Team: "other", RateLimitPerHour: new(int)})
	for _, a := range []ask{
		{method: "GET", path: "/v1/schemas/count"},
		{method: "GET", path: "/v1/schemas/count/versions"},
		{method: "GET", path: "/v1/schemas/count/versions/1?withdrawn=true"},
		{method: "GET", path: "/v1/schemas/count/versions/1/fitness"},
		{method: "PATCH", path: "/v1/schemas/count", body: `{"description": "mine"}`},
		{method: "DELETE", path: "/v1/schemas/count"},
		{method: "DELETE", path: "/v1/schemas/count/versions/1"},
		{method: "POST", path: "/v1/schemas/count/restore"},
		{method: "POST", path: "/v1/schemas/count/versions/1/restore"},
		{method: "POST", path: "/v1/schemas/count/compatibility", body: `{"schema": true}`},
		{method: "POST", path: "/v1/analyze", body: `{"prompt": "x", "schema": "count"}`},
	} {
		a.key = other
		w.do(a).problem(t, 404, "NOT_FOUND")
	}
	var got api.PublishedSchema
	w.do(ask{method: "POST", path: schemasPath, key: other, body: `{"name": "count", "schema": true}`}).into(t, 201, &got)
	if got.Version != 1 || got.Owner.Team != "other" {
		t.Errorf("the same name in another team: got %+v, want version 1", got)
	}
	if a := w.do(ask{method: "GET", path: schemasPath, key: other}); strings.Count(a.body, `"name"`) != 1 {
		t.Errorf("list: got %s", a.body)
	}
	lacks := w.newKey(key.Key{Name: "lacks", Scopes: key.AllScopes &^ key.ScopesOf(key.Schemas)})
	w.do(ask{method: "GET", path: schemasPath, key: lacks}).problem(t, 403, "FORBIDDEN")
}

func TestSchemasAreComparedWithoutPublishing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish("count", countSchema("n"), "")
	w.publish("count", countSchema("m"), none)
	var found api.SchemaComparison
	w.post(schemasPath+"/count/compatibility", `{"schema": "count@1", "compatibility": "full"}`).into(t, 200, &found)
	if found.Compatible || found.Against != "count@2" || found.Mode != "full" || len(found.Findings) < 2 {
		t.Errorf("two versions: got %+v", found)
	}
	w.post(schemasPath+"/count/compatibility", `{"schema": `+countSchema("n")+`, "against": 1}`).into(t, 200, &found)
	if !found.Compatible || found.Against != "count@1" || found.Mode != "backward" {
		t.Errorf("the same content: got %+v", found)
	}
	var page api.SchemaVersions
	if w.get(schemasPath+"/count/versions").into(t, 200, &page); len(page.Data) != 2 {
		t.Errorf("got %d versions, want 2: nothing was published", len(page.Data))
	}
	w.post(schemasPath+"/count/compatibility", `{"schema": "count@9"}`).problem(t, 404, "NOT_FOUND")
	w.post(schemasPath+"/count/compatibility", `{"schema": true, "against": 9}`).problem(t, 404, "NOT_FOUND")
}

func TestTheRegistryRefusesByName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	long := strings.Repeat("a", 65)
	for body, pointer := range map[string]string{
		`{"schema": true}`:                                       "/name",
		`{"name": "", "schema": true}`:                           "/name",
		`{"name": "A", "schema": true}`:                          "/name",
		`{"name": "a b", "schema": true}`:                        "/name",
		`{"name": "-a", "schema": true}`:                         "/name",
		`{"name": "ä", "schema": true}`:                          "/name",
		`{"name": "a\u0000", "schema": true}`:                    "/name",
		`{"name": "a@1", "schema": true}`:                        "/name",
		`{"name": "../../etc", "schema": true}`:                  "/name",
		`{"name": "check", "schema": true}`:                      "/name",
		`{"name": "infer", "schema": true}`:                      "/name",
		`{"name": "` + long + `", "schema": true}`:               "/name",
		`{"name": 5, "schema": true}`:                            "/name",
		`{"name": "a"}`:                                          "/schema",
		`{"name": "a", "schema": "b"}`:                           "/schema",
		`{"name": "a", "schema": []}`:                            "/schema",
		`{"name": "a", "schema": null}`:                          "/schema",
		`{"name": "a", "schema": true, "description": 1}`:        "/description",
		`{"name": "a", "schema": true, "description": "\u0007"}`: "/description",
		`{"name": "a", "schema": true, "description": "` + strings.Repeat("ä", 2001) + `"}`: "/description",
		`{"name": "a", "schema": true, "compatibility": "sideways"}`:                        "/compatibility",
		`{"name": "a", "schema": true, "version": 7}`:                                       "/version",
	} {
		p := w.post(schemasPath, body).problem(t, 400, "INVALID_REQUEST")
		if !slices.ContainsFunc(p.Errors, func(e struct{ Pointer, Rule, Message, Hint, Keyword string }) bool { return e.Pointer == pointer }) {
			t.Errorf("%.80s: got %+v, want the pointer %s", body, p.Errors, pointer)
		}
	}
	p := w.post(schemasPath, `{"name": "a", "schema": {"properties": {"b": {"type": "strin"}}}}`).problem(t, 400, "INVALID_SCHEMA")
	if p.Errors[0].Pointer != "/schema/properties/b/type" {
		t.Errorf("a schema that is none: got %+v, want a pointer below /schema", p.Errors)
	}
	huge := `{"name": "a", "schema": {"description": "` + strings.Repeat("x", 300<<10) + `"}}`
	w.post(schemasPath, huge).problem(t, 400, "INVALID_SCHEMA")
	w.post(schemasPath, `{"name": "a", "schema": {"description": "`+strings.Repeat("x", 1<<20)+`"}}`).problem(t, 413, "PAYLOAD_TOO_LARGE")
	w.publish("a", "true", "")
	for _, body := range []string{`{}`, `{"schema": true}`, `{"name": "b"}`, `{"compatibility": "x"}`, `{"description": null}`, `[]`, `x`} {
		w.do(ask{method: "PATCH", path: schemasPath + "/a", body: body}).problem(t, 400, "INVALID_REQUEST")
	}
	for _, path := range []string{"/A", "/%00", "/a%2fb", "/a/versions/0", "/a/versions/01", "/a/versions/-1", "/a/versions/x", "/a/versions/99999999999999999999", "/a/versions/2", "/" + long, "/%ff"} {
		w.get(schemasPath+path).problem(t, 404, "NOT_FOUND")
	}
	for _, query := range []string{"?cursor=A", "?limit=0", "?limit=501", "?withdrawn=yes", "?x=1"} {
		w.get(schemasPath+query).problem(t, 400, "INVALID_REQUEST")
	}
	w.get(schemasPath+"/a/versions?cursor=0").problem(t, 400, "INVALID_REQUEST")
	w.post(schemasPath+"/a/restore", `{"force": true}`).problem(t, 400, "INVALID_REQUEST")
	w.do(ask{method: "PUT", path: schemasPath + "/a", body: `{}`}).problem(t, 405, "METHOD_NOT_ALLOWED")
	w.get(schemasPath+"/check").problem(t, 405, "METHOD_NOT_ALLOWED")
	w.get(schemasPath+"/a/").problem(t, 404, "NOT_FOUND")
}

func TestPublishersAtOnceLoseNoVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const n = 64
	got := make([]int, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { got[i] = w.publish("busy", countSchema(fmt.Sprintf("n%d", i)), none) })
	}
	all.Wait()
	slices.Sort(got)
	for i, v := range got {
		if v != i+1 {
			t.Fatalf("got the versions %v, want 1 to %d once each", got, n)
		}
	}
	var same sync.WaitGroup
	for i := range n {
		same.Go(func() { got[i] = w.publish("alike", countSchema("n"), "") })
	}
	same.Wait()
	if slices.Max(got) != 1 || slices.Min(got) != 1 {
		t.Errorf("the same content at once: got the versions %v, want 1 alone", got)
	}
}

func TestAPublicationUnderAKeyIsAnsweredAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := `{"name": "count", "schema": ` + countSchema("n") + `}`
	first := w.post(schemasPath, body, "Idempotency-Key", "k1")
	again := w.post(schemasPath, body, "Idempotency-Key", "k1")
	if first.status != 201 || again.status != 201 || again.body != first.body || again.header.Get("Location") != "/v1/schemas/count/versions/1" {
		t.Errorf("got %d and %d at %q, want the same answer and place again", first.status, again.status, again.header.Get("Location"))
	}
}

// Whatever bytes come as a body, the answer is a version or a fault of the caller.
func FuzzPublishSchemaBody(f *testing.F) {
	for _, body := range []string{
		`{"name": "a", "schema": {"type": "object", "properties": {"a": {"$ref": "#"}}}}`, `{"name": "a", "schema": {"type": "object"}, "compatibility": "none"}`,
		`{"name": "a", "schema": false, "description": "x"}`, `{"name": "a", "schema": {"oneOf": [{"const": 1}, {"$ref": "#/oneOf/0"}]}, "compatibility": "full"}`,
		`{"name": "a", "schema": {"pattern": "(a*)*$", "if": {"minLength": 3}, "then": {"format": "date"}}}`, `{"name": ["a"], "schema": "b"}`,
	} {
		f.Add([]byte(body))
	}
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		here := *w
		here.tb = t
		a := here.do(ask{method: "POST", path: schemasPath, reader: bytes.NewReader(body), header: http.Header{"Content-Type": {"application/json"}}})
		if a.status >= 500 {
			t.Errorf("%q: got %d: %s", body, a.status, a.body)
		}
	})
}
