package cli

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/sharedtest"
	"github.com/promptd/promptd/internal/value"
)

// Acceptance of the judge, through the command as users run it: promptd validate --jsonl in a process of its own. PROMPTD_BINARY names another
// binary than the test's own to be measured.

// verdict is what a label says of one line.
type verdict struct {
	name   string
	schema value.Value
	data   value.Value
	draft  string
	format string
	valid  bool
}

// line is the verdict's question.
func (v *verdict) line(dst []byte, id int) []byte {
	dst = fmt.Appendf(dst, `{"id":%d,"schema":`, id)
	dst = v.schema.Append(dst)
	dst = v.data.Append(append(dst, `,"instance":`...))
	if v.draft != "" {
		dst = fmt.Appendf(dst, `,"draft":%q`, v.draft)
	}
	if v.format != "" {
		dst = fmt.Appendf(dst, `,"format":%q`, v.format)
	}
	return append(dst, "}\n"...)
}

// tally counts the command's answers.
type tally struct{ right, accepted, refused, unanswered int }

func (c tally) wrong() int { return c.accepted + c.refused + c.unanswered }

// runLines streams lines through a command and gives each answer, in order, to take.
func runLines(tb testing.TB, args []string, lines func(io.Writer) error, take func(line []byte)) {
	tb.Helper()
	binary := os.Getenv("PROMPTD_BINARY")
	if binary == "" {
		binary = "promptd" // TestMain has put it on the path.
	}
	cmd := exec.CommandContext(tb.Context(), binary, args...)
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		tb.Fatalf("start %s: %v", binary, err)
	}
	written := make(chan error, 1)
	go func() {
		w := bufio.NewWriterSize(in, 1<<20)
		err := lines(w)
		if err == nil {
			err = w.Flush()
		}
		if closeErr := in.Close(); err == nil {
			err = closeErr
		}
		written <- err
	}()
	answers := bufio.NewReaderSize(out, 1<<20)
	for {
		line, err := answers.ReadBytes('\n')
		if len(line) > 0 {
			take(line)
		}
		if err != nil {
			break
		}
	}
	if err := <-written; err != nil {
		tb.Errorf("write the lines: %v", err)
	}
	if err := cmd.Wait(); err != nil || stderr.Len() > 0 {
		tb.Errorf("promptd %s: %v; it says %q, want exit code 0 and silence", strings.Join(args, " "), err, stderr.String())
	}
}

// judgeAll puts every verdict to the command and compares.
func judgeAll(t *testing.T, cases []verdict, remotes string) tally {
	t.Helper()
	var count tally
	next := 0
	runLines(t, []string{"validate", "--jsonl", "--schemas", remotes}, func(w io.Writer) error {
		var buf []byte
		for i := range cases {
			buf = cases[i].line(buf[:0], i)
			if _, err := w.Write(buf); err != nil {
				return err
			}
		}
		return nil
	}, func(line []byte) {
		answer, err := value.Decode(line, value.Limits{})
		if err != nil || next == len(cases) {
			t.Fatalf("answer %d is %.200q (%v); %d lines were asked", next, line, err, len(cases))
		}
		c := cases[next]
		if id, _ := answer.Get("id"); id.Text() != fmt.Sprint(next) {
			t.Fatalf("answer %d has the id %s: answers must come in the order of the lines", next, id)
		}
		next++
		got, answered := answer.Get("valid")
		errors, _ := answer.Get("errors")
		switch {
		case !answered:
			count.unanswered++
			t.Errorf("%s: %.300s", c.name, line)
		case got.Truth() != (errors.Len() == 0):
			t.Errorf("%s: verdict and errors disagree: %.300s", c.name, line)
		case got.Truth() == c.valid:
			count.right++
		case c.valid:
			count.refused++
			t.Errorf("%s: a valid instance is refused: %.300s", c.name, line)
		default:
			count.accepted++
			t.Errorf("%s: an invalid instance is accepted", c.name)
		}
	})
	if next != len(cases) {
		t.Errorf("%d answers to %d lines", next, len(cases))
	}
	return count
}

func TestSuiteThroughTheCommandIsAllRight(t *testing.T) {
	t.Parallel()
	root := sharedtest.Dir(t, "data", "json-schema-test-suite")
	var cases []verdict
	for _, d := range []struct{ folder, draft string }{
		{"draft2020-12", "2020-12"}, {"draft2019-09", "2019-09"}, {"draft7", "7"}, {"draft6", "6"}, {"draft4", "4"},
	} {
		files, err := filepath.Glob(filepath.Join(root, "tests", d.folder, "*.json"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no tests of draft %s: %v", d.draft, err)
		}
		for _, file := range files {
			cases = append(cases, suiteVerdicts(t, file, d.draft)...)
		}
	}
	start := time.Now()
	count := judgeAll(t, cases, suiteRemotes(t, filepath.Join(root, "remotes")))
	t.Logf("JSON-Schema-Test-Suite, required, five drafts: %d of %d right in %v", count.right, len(cases), time.Since(start).Round(time.Millisecond))
	if len(cases) < 4900 {
		t.Errorf("only %d tests were found", len(cases))
	}
	if count.wrong() > 0 {
		t.Errorf("%+v; want all right", count)
	}
}

func suiteVerdicts(tb testing.TB, file, draft string) (cases []verdict) {
	tb.Helper()
	for _, group := range fileValue(tb, file).Items() {
		schema, _ := group.Get("schema")
		description, _ := group.Get("description")
		tests, _ := group.Get("tests")
		for _, test := range tests.Items() {
			name, _ := test.Get("description")
			data, _ := test.Get("data")
			valid, _ := test.Get("valid")
			cases = append(cases, verdict{
				name:   fmt.Sprintf("%s %s: %s: %s", draft, filepath.Base(file), description.Text(), name.Text()),
				schema: schema, data: data, draft: draft, format: formatAnnotate, valid: valid.Truth(),
			})
		}
	}
	return cases
}

// suiteRemotes writes the suite's remote schemas as a file for --schemas.
func suiteRemotes(tb testing.TB, root string) string {
	tb.Helper()
	var text []byte
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err == nil {
			text = fmt.Appendf(text, `{"url":%q,"schema":`, "http://localhost:1234/"+filepath.ToSlash(rel))
			text = append(fileValue(tb, path).Append(text), "}\n"...)
		}
		return err
	})
	if err != nil {
		tb.Fatalf("read the remotes: %v", err)
	}
	path := filepath.Join(tb.TempDir(), "remotes.jsonl")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

func fileValue(tb testing.TB, path string) value.Value {
	tb.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	v, err := value.Decode(text, value.Limits{})
	if err != nil {
		tb.Fatalf("decode %s: %v", path, err)
	}
	return v
}

func TestLabelledInstancesThroughTheCommandAreJudgedRight(t *testing.T) {
	t.Parallel()
	bench, store := sharedtest.Dir(t, "data", "jsonschemabench"), sharedtest.Dir(t, "data", "schemastore")
	disputes := fileValue(t, filepath.Join(bench, "annotations.json"))
	files, err := filepath.Glob(filepath.Join(bench, "*.jsonl"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no schemas in %s: %v", bench, err)
	}
	var cases []verdict
	schemas, valid, disputed := 0, 0, 0
	for _, file := range append(files, filepath.Join(store, "cases.jsonl")) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			v, err := value.DecodeString(line, value.Limits{})
			if err != nil {
				t.Fatalf("decode a line of %s: %v", file, err)
			}
			schemas++
			id, _ := v.Get("id")
			schema, _ := v.Get("schema")
			tests, _ := v.Get("tests")
			notes, _ := disputes.Get(id.Text())
			for i, test := range tests.Items() {
				if note, _ := notes.Get(fmt.Sprint(i)); strings.HasPrefix(note.Text(), "oracle_disagrees") {
					disputed++
					continue
				}
				data, _ := test.Get("data")
				label, _ := test.Get("valid")
				if label.Truth() {
					valid++
				}
				cases = append(cases, verdict{name: fmt.Sprintf("%s/%d", id.Text(), i), schema: schema, data: data, valid: label.Truth()})
			}
		}
	}
	start := time.Now()
	count := judgeAll(t, cases, filepath.Join(store, "refs.jsonl"))
	t.Logf("labelled instances of %d real schemas: %d valid, %d invalid (%d disputed apart): %d false accepts, %d false rejects, %d unanswered, in %v",
		schemas, valid, len(cases)-valid, disputed, count.accepted, count.refused, count.unanswered, time.Since(start).Round(time.Millisecond))
	if len(cases) < 15_000 {
		t.Errorf("only %d labelled instances were found", len(cases))
	}
	if count.wrong() > 0 {
		t.Errorf("%+v; want all right", count)
	}
}
