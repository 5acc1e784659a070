package infer_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/promptd/promptd/internal/schema/infer"
	"github.com/promptd/promptd/internal/value"
)

var update = flag.Bool("update", false, "rewrite the golden files") //nolint:gochecknoglobals // A test's flag.

func read(t testing.TB, text string) value.Value {
	t.Helper()
	v, err := value.DecodeString(text, value.Limits{})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// TestGolden compares drafts with the files of testdata: examples.jsonl is the input, the rest is expected; -update rewrites it.
func TestGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) < 8 {
		t.Fatalf("%d golden files: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := golden(t, archive)
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

func golden(t *testing.T, in *txtar.Archive) *txtar.Archive {
	t.Helper()
	out := &txtar.Archive{Comment: in.Comment, Files: in.Files[:1]}
	var list []value.Value
	for line := range strings.Lines(string(in.Files[0].Data)) {
		list = append(list, read(t, line))
	}
	r, err := infer.Draft(context.Background(), "", infer.Examples(list))
	if err != nil {
		t.Fatal(err)
	}
	indented, err := json.MarshalIndent(r.Schema, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	var notes strings.Builder
	for _, n := range r.Notes {
		fmt.Fprintf(&notes, "%s %s %d of %d: %s\n", n.Pointer, n.Decision, n.Have, n.Of, n.Message)
	}
	out.Files = append(out.Files, txtar.File{Name: "schema.json", Data: append(indented, '\n')}, txtar.File{Name: "notes.txt", Data: []byte(notes.String())})
	return out
}
