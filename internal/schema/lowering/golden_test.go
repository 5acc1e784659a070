package lowering_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/value"
)

// TestGolden compares what a profile makes of a schema with the files of testdata: a folder a profile. An archive's comment says the rule it shows;
// schema.json is the input, and instances.jsonl are values of the caller's shape, if any. Everything else is expected; -update rewrites it.
func TestGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*/*.txtar")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d golden files: %v", len(files), err)
	}
	for _, file := range files {
		folder := filepath.Base(filepath.Dir(file))
		t.Run(folder+"/"+filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			name := strings.ReplaceAll(folder, "_", ":")
			p, ok := lowering.Named(name)
			if !ok {
				t.Fatalf("there is no profile for the folder %s", folder)
			}
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := golden(t, name, p, archive)
			if *update {
				if err := os.WriteFile(file, txtar.Format(got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(txtar.Format(archive)), string(txtar.Format(got))); diff != "" {
				t.Errorf("%s (-want +got; -update rewrites it):\n%s", file, diff)
			}
		})
	}
}

var update = flag.Bool("update", false, "rewrite the golden files") //nolint:gochecknoglobals // A test's flag.

// golden makes the archive as it should be.
func golden(t *testing.T, name string, p lowering.Profile, in *txtar.Archive) *txtar.Archive {
	t.Helper()
	out := &txtar.Archive{Comment: in.Comment}
	var raw value.Value
	var instances []value.Value
	for _, f := range in.Files {
		switch f.Name {
		case "schema.json":
			raw = read(t, string(f.Data))
		case "instances.jsonl":
			for line := range strings.Lines(string(f.Data)) {
				instances = append(instances, read(t, line))
			}
		default:
			continue
		}
		out.Files = append(out.Files, f)
	}
	var failures []string
	checkLaws(t, name, p, raw, instances, func(format string, args ...any) { failures = append(failures, format) })
	if len(failures) > 0 {
		t.Fatalf("a law does not hold: %q", failures)
	}
	l := lowering.Lower(compiled(t, raw), p)
	add := func(name string, lines ...string) {
		if len(lines) > 0 {
			out.Files = append(out.Files, txtar.File{Name: name, Data: []byte(strings.Join(lines, "\n") + "\n")})
		}
	}
	add("mode", string(l.Mode))
	add("lowered.json", l.Schema.String())
	if !value.Identical(l.Capped(), l.Schema) {
		add("capped.json", l.Capped().String())
	}
	var residue []string
	for _, r := range l.Residue {
		residue = append(residue, r.Pointer+"#"+r.Keyword+" "+r.Value.String())
	}
	add("residue", residue...)
	var narrowed []string
	for _, n := range l.Narrowed {
		narrowed = append(narrowed, strings.TrimSpace(n.Pointer+"#"+n.Keyword+" "+strings.Join(n.Kinds, " ")))
	}
	add("narrowed", narrowed...)
	if !l.Shown.IsNull() && !value.Identical(l.Shown, raw) {
		add("shown.json", l.Shown.String())
	}
	var lowered []string
	for _, x := range instances {
		v, err := l.Lower(x)
		if err != nil {
			t.Fatalf("lower %s: %v", x, err)
		}
		back, err := l.Raise(v)
		if err != nil || !value.Equal(back, x) {
			t.Fatalf("raise %s: %s %v, want %s", v, back, err, x)
		}
		lowered = append(lowered, v.String())
	}
	add("lowered.jsonl", lowered...)
	return out
}

func compiled(tb testing.TB, raw value.Value) *schema.Schema {
	tb.Helper()
	s, err := schema.Compile(raw, schema.Options{})
	if err != nil {
		tb.Fatalf("compile %s: %v", raw, err)
	}
	return s
}

func read(tb interface {
	Helper()
	Fatalf(string, ...any)
}, text string,
) value.Value {
	tb.Helper()
	v, err := value.DecodeString(text, value.Limits{})
	if err != nil {
		tb.Fatalf("decode %s: %v", text, err)
	}
	return v
}
