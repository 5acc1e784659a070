package dialecttest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/value"
)

// NamedCall is a call with the name of its golden file.
type NamedCall struct {
	Name string
	Call dialect.Call
}

// Calls are the calls that every dialect encodes, in every mode, or refuses.
func Calls() []NamedCall {
	message := func(role dialect.Role, texts ...string) dialect.Message {
		m := dialect.Message{Role: role}
		for _, t := range texts {
			m.Parts = append(m.Parts, dialect.Part{Text: t})
		}
		return m
	}
	schema, err := value.DecodeString(`{"type":"object","properties":{"order":{"type":["integer","null"]},"größe \"x\"":{"enum":["a",1.50,null]}},`+
		`"required":["order","größe \"x\""],"additionalProperties":false}`, value.Limits{})
	if err != nil {
		panic(err) // The text above is a constant.
	}
	temperature, hot := 0.0, 1.25
	plain := []dialect.Message{message(dialect.System, "Answer with JSON."), message(dialect.User, "Order 7, please.")}
	calls := []NamedCall{
		{"plain", dialect.Call{Model: "m-1", Messages: plain}},
		{"everything", dialect.Call{
			Model: "m-1", Messages: plain, Temperature: &hot, MaxTokens: 1024, Logprobs: true, Stream: true,
			Output:     dialect.Output{Mode: lowering.Prompt},
			Capability: dialect.Capability{Logprobs: true, MaxOutput: 4096, Context: 8192},
		}},
		{"reasoning", dialect.Call{
			Model: "m-1", Messages: plain, Temperature: &temperature, MaxTokens: 1024, Logprobs: true, Capability: dialect.Capability{Reasoning: true, Logprobs: true},
		}},
		{"logprobs-not-offered", dialect.Call{Model: "m-1", Messages: plain, Temperature: &temperature, Logprobs: true}},
		{"stream-without-options", dialect.Call{Model: "m-1", Messages: plain, Stream: true, Capability: dialect.Capability{Deviations: dialect.Deviations{NoStreamOptions: true}}}},
		{"conversation", dialect.Call{Model: "org/m:1\"x", Messages: []dialect.Message{
			message(dialect.System, "One.", " Two."), message(dialect.User, "\"quoted\" \\ back\nline\ttab \u2028 €", ""),
			message(dialect.Assistant, `{"a":1}`), message(dialect.User, "Again: \x00\x1f\x7f"),
		}}},
		{"image", dialect.Call{Model: "m-1", Capability: dialect.Capability{Vision: true}, Messages: []dialect.Message{
			{Role: dialect.User, Parts: []dialect.Part{{Text: "What is it?"}, {Image: "data:image/png;base64,iVBORw0KGgo="}, {Image: "https://example.org/a.png?b=\"c\""}}},
		}}},
		{"schema-without-name", dialect.Call{Model: "m-1", Messages: plain, Output: dialect.Output{Mode: lowering.Strict, Schema: schema}}},
		{"schema-missing", dialect.Call{Model: "m-1", Messages: plain, Output: dialect.Output{Mode: lowering.Strict, Name: "result"}}},
		{"bad-name", dialect.Call{Model: "m-1", Messages: plain, Output: dialect.Output{Mode: lowering.Strict, Name: "a name", Schema: schema}}},
		{"bad-mode", dialect.Call{Model: "m-1", Messages: plain, Output: dialect.Output{Mode: "dictation", Schema: schema}}},
		{"bad-role", dialect.Call{Model: "m-1", Messages: []dialect.Message{message(200, "x")}}},
	}
	for _, mode := range [...]lowering.Mode{lowering.Strict, lowering.Tool, lowering.Grammar, lowering.JSON, lowering.Prompt} {
		c := dialect.Call{Model: "m-1", Messages: plain, Temperature: &temperature, MaxTokens: 256, Output: dialect.Output{Mode: mode, Name: "result", Schema: schema}}
		if mode == lowering.JSON || mode == lowering.Prompt {
			c.Output.Schema = value.Null()
		}
		calls = append(calls, NamedCall{"mode-" + string(mode), c})
		if mode == lowering.Grammar {
			c.Capability.LLGuidance = true
			calls = append(calls, NamedCall{"mode-grammar-llguidance", c})
		}
	}
	return calls
}

// requests compares what is encoded with the golden files, one a call, and holds every request to what all have in common.
func (s Suite) requests(t *testing.T) {
	t.Parallel()
	var known []string
	for _, c := range Calls() {
		known = append(known, c.Name+".txtar")
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			before := fmt.Sprint(c.Call)
			got, err := s.Dialect.Encode(c.Call)
			if fmt.Sprint(c.Call) != before {
				t.Error("Encode changed the call")
			}
			var text string
			switch {
			case err != nil:
				text = "refused: " + err.Error() + "\n"
				if strings.Contains(err.Error(), "Order 7") {
					t.Errorf("the error %q repeats the prompt", err)
				}
			default:
				checkRequest(t, got)
				text = requestText(t, got)
			}
			if strings.HasPrefix(c.Name, "bad-") && err == nil {
				t.Errorf("Encode accepts it: %s", text)
			}
			golden(t, filepath.Join("testdata", "requests", c.Name+".txtar"), "request", text)
		})
	}
	t.Run("modes", func(t *testing.T) { t.Parallel(); s.modes(t) })
	files, err := filepath.Glob(filepath.Join("testdata", "requests", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !slices.Contains(known, filepath.Base(f)) {
			t.Errorf("%s belongs to no call", f)
		}
	}
}

func checkRequest(t *testing.T, r dialect.Request) {
	t.Helper()
	if r.Method == "" || !strings.HasPrefix(r.Path, "/") {
		t.Errorf("method %q and path %q", r.Method, r.Path)
	}
	for _, name := range [...]string{"Authorization", "X-Api-Key", "Api-Key", "Cookie"} {
		if r.Header.Get(name) != "" {
			t.Errorf("a dialect knows no credentials, and sets %s", name)
		}
	}
	if r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("Content-Type is %q", r.Header.Get("Content-Type"))
	}
	if _, err := value.Decode(r.Body, value.Limits{}); err != nil {
		t.Errorf("the body is not strict JSON: %v\n%s", err, r.Body)
	}
}

// modes encodes a call in every mode that the profile offers, for whatever capability: lowering must never choose what the dialect cannot express.
func (s Suite) modes(t *testing.T) {
	raw, err := value.DecodeString(`{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"],"additionalProperties":false}`, value.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := schema.Compile(raw, schema.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range [...]dialect.Capability{
		{},
		{LLGuidance: true},
		{Reasoning: true},
		{Modes: []lowering.Mode{lowering.JSON}},
		{Modes: []lowering.Mode{lowering.Tool, lowering.Prompt}},
		{Modes: []lowering.Mode{"no such mode"}},
	} {
		for _, mode := range s.Dialect.Profile(c).Modes() {
			l := lowering.Lower(compiled, s.Dialect.Profile(c).Only(mode))
			call := dialect.Call{
				Model: "m", Messages: []dialect.Message{{Role: dialect.User, Parts: []dialect.Part{{Text: "x"}}}}, Capability: c,
				Output: dialect.Output{Mode: l.Mode, Name: "result", Schema: l.Capped()},
			}
			if _, err := s.Dialect.Encode(call); err != nil {
				t.Errorf("capability %+v offers mode %s, which Encode refuses: %v", c, mode, err)
			}
		}
	}
}

// requestText writes a request so that people can read it.
func requestText(t *testing.T, r dialect.Request) string {
	t.Helper()
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s\n", r.Method, r.Path)
	names := make([]string, 0, len(r.Header))
	for name := range r.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&b, "%s: %s\n", name, strings.Join(r.Header[name], ", "))
	}
	b.WriteString("\n")
	if err := json.Indent(&b, r.Body, "", "  "); err != nil {
		t.Fatalf("the body is not JSON: %v\n%s", err, r.Body)
	}
	b.WriteString("\n")
	return b.String()
}

// golden compares a text with a file of an archive, or rewrites it.
func golden(t *testing.T, path, name, got string) {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		if !*update {
			t.Fatalf("%v; -update writes it", err)
		}
		archive = &txtar.Archive{}
	}
	i := slices.IndexFunc(archive.Files, func(f txtar.File) bool { return f.Name == name })
	if i >= 0 && string(archive.Files[i].Data) == got {
		return
	}
	if !*update {
		want := ""
		if i >= 0 {
			want = string(archive.Files[i].Data)
		}
		t.Errorf("%s is not as its golden file says\ngot:\n%s\nwant:\n%s", path, got, want)
		return
	}
	if i < 0 {
		archive.Files = append(archive.Files, txtar.File{Name: name})
		i = len(archive.Files) - 1
	}
	archive.Files[i].Data = []byte(got)
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, txtar.Format(archive), 0o600); err != nil {
		t.Fatal(err)
	}
}
