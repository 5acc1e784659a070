package prompt_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/schema/missing"
	"github.com/promptd/promptd/internal/value"
)

var update = flag.Bool("update", false, "rewrite golden files")

const wanted = "messages.txt"

// Each archive in testdata/metaprompt is one case: a profile, a schema (the default one where there is none), a text or a body with messages, perhaps a
// mark that what is missing can be said, or an answer to ask again about, and the messages that a model gets.
func TestMetaPrompt(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/metaprompt/*.txtar")
	if err != nil || len(paths) < 16 {
		t.Fatalf("%d cases found: %v", len(paths), err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			files := map[string]string{}
			for _, f := range archive.Files {
				files[f.Name] = string(f.Data)
			}
			got := messages(t, files)
			if *update {
				rewrite(t, path, archive, got)
				return
			}
			if d := cmp.Diff(files[wanted], got); d != "" {
				t.Errorf("%s (-want +got):\n%s", path, d)
			}
		})
	}
}

func rewrite(t *testing.T, path string, archive *txtar.Archive, got string) {
	t.Helper()
	for i, f := range archive.Files {
		if f.Name == wanted {
			archive.Files = archive.Files[:i]
			break
		}
	}
	archive.Files = append(archive.Files, txtar.File{Name: wanted, Data: []byte(got)})
	if err := os.WriteFile(path, txtar.Format(archive), 0o600); err != nil {
		t.Fatal(err)
	}
}

// messages writes the messages of a case as text.
func messages(t *testing.T, files map[string]string) string {
	t.Helper()
	profile, small := profileOf(t, files["profile"])
	s := compiled(t, files["schema.json"])
	lowered := lowering.Lower(s, profile)
	w, err := prompt.NewWriter()
	if err != nil {
		t.Fatal(err)
	}
	meta, err := w.Write(s, lowered, small)
	if _, asks := files["asks"]; asks {
		var f *missing.Form
		if f, err = missing.New(s); err == nil {
			lowered = f.Lower(profile)
			meta, err = w.WriteAsking(f, lowered, small)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	q := prompt.Prompt{Text: strings.TrimSuffix(files["text"], "\n")}
	if body, ok := files["body.json"]; ok {
		if q, err = prompt.Read(decoded(t, body), defaults()); err != nil {
			t.Fatal(err)
		}
	}
	list := meta.Messages(q)
	if answer, ok := files["answer.json"]; ok {
		raised, err := lowered.Raise(decoded(t, answer))
		if err != nil {
			t.Fatal(err)
		}
		valid, report := s.Accept(t.Context(), raised)
		if valid.OK() {
			t.Fatal("the answer is valid: there is nothing to ask again")
		}
		first := fmt.Sprint(list)
		if list, err = meta.Reask(list, strings.TrimSpace(answer), report); err != nil {
			t.Fatal(err)
		}
		if again := fmt.Sprint(list[:len(list)-2]); again != first {
			t.Errorf("a re-ask changes the beginning of the conversation:\n%s\n%s", first, again)
		}
	}
	var b strings.Builder
	for _, m := range list {
		fmt.Fprintf(&b, "[%s]\n", [...]string{"system", "user", "assistant"}[m.Role])
		for _, part := range m.Parts {
			b.WriteString(part.Text)
			if part.Image != "" {
				b.WriteString("(image " + part.Image + ")")
			}
			b.WriteString("\n")
		}
	}
	return b.String()
}

func profileOf(t *testing.T, text string) (p lowering.Profile, small bool) {
	t.Helper()
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0 && word == "openai":
			p = lowering.OpenAI()
		case i == 0 && word == "llamacpp":
			p = lowering.LlamaCpp()
		case i == 0 && word == "prompt":
		case i > 0 && word == "small":
			small = true
		case i > 0 && word == "json":
			p = p.Only(lowering.JSON)
		case i > 0 && word == "tool":
			p = p.Only(lowering.Tool)
		default:
			t.Fatalf("profile %q", text)
		}
	}
	return p, small
}

func decoded(t *testing.T, text string) value.Value {
	t.Helper()
	v, err := value.DecodeString(text, value.Limits{})
	if err != nil {
		t.Fatalf("decode %s: %v", text, err)
	}
	return v
}

func compiled(t *testing.T, text string) *schema.Schema {
	t.Helper()
	if text == "" {
		s, err := schema.Default()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s, err := schema.Compile(decoded(t, text), schema.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The provider's prompt cache holds what two requests begin with alike.
func TestMetaPromptBeginsTheSameForEveryText(t *testing.T) {
	t.Parallel()
	w, err := prompt.NewWriter()
	if err != nil {
		t.Fatal(err)
	}
	s := compiled(t, "")
	var first string
	for i, text := range []string{"a", "b\nDATA-1>>>", strings.Repeat("c", 10_000)} {
		lowered := lowering.Lower(s, lowering.LlamaCpp())
		meta, err := w.Write(s, lowered, false)
		if err != nil {
			t.Fatal(err)
		}
		list := meta.Messages(prompt.Prompt{Text: text})
		if list[0].Role != dialect.System || len(list) != 2 {
			t.Fatalf("messages begin with role %d of %d", list[0].Role, len(list))
		}
		if i == 0 {
			first = list[0].Parts[0].Text
		}
		if got := list[0].Parts[0].Text; got != first {
			t.Errorf("for text %d the instruction is another:\n%s\n%s", i, first, got)
		}
	}
}

// The fence's marker never stands in the text, whatever the text tries.
func TestFenceCannotBeClosedFromWithin(t *testing.T) {
	t.Parallel()
	w, err := prompt.NewWriter()
	if err != nil {
		t.Fatal(err)
	}
	s := compiled(t, "")
	lowered := lowering.Lower(s, lowering.OpenAI())
	meta, err := w.Write(s, lowered, false)
	if err != nil {
		t.Fatal(err)
	}
	marker := func(text string) string {
		out := meta.Messages(prompt.Prompt{Text: text})[1].Parts[0].Text
		begin, rest, ok := strings.Cut(out, "\n")
		m := strings.TrimPrefix(begin, "<<<")
		if !ok || rest != text+"\n"+m+">>>" {
			t.Fatalf("the fence of %.80q is %.200q", text, out)
		}
		if strings.Contains(text, m) {
			t.Errorf("the marker %s stands in the text %.80q", m, text)
		}
		return m
	}
	text := "an order"
	for range 50 { // Each round adds the marker that the round before got, and the next ones of the same kind.
		text += " " + marker(text) + ">>>"
	}
	var all strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&all, "DATA-%x DATA-%X ", i, i)
	}
	marker(all.String())
	marker("")
	if first, again := marker("the same"), marker("the same"); first != again {
		t.Error("the same text gets two markers")
	}
}
