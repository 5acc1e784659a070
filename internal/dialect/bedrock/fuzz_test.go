package bedrock_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/bedrock"
	"github.com/promptd/promptd/internal/dialect/dialecttest"
)

// FuzzEvents frames any lines as messages with right checksums, which FuzzStream's changed bytes nearly never have: what is behind the framing is reached.
func FuzzEvents(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "answers", "*stream*.txtar"))
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range files {
		raw, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		_, body, _ := bytes.Cut(txtar.Parse(raw).Files[0].Data, []byte("\n\n"))
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, lines []byte) {
		pieces, ended := 0, false
		for delta, err := range bedrock.New().Stream(bytes.NewReader(dialecttest.ConverseText(lines))) {
			var failed *dialect.Error
			switch {
			case ended:
				t.Fatal("the stream goes on behind its end")
			case err != nil:
				if ended = true; !errors.As(err, &failed) || failed.Outcome == dialect.OK {
					t.Fatalf("got %#v", err)
				}
			case delta.Reply != nil:
				if ended = true; len(delta.Reply.Text) != pieces {
					t.Fatalf("the pieces have %d bytes, the reply %d", pieces, len(delta.Reply.Text))
				}
			}
			pieces += len(delta.Text)
		}
		if !ended {
			t.Fatal("the stream ends with neither reply nor error")
		}
	})
}
