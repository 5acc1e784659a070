package dialecttest

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/value"
)

// RunBatches holds a dialect that has batches to what a Batcher promises. Golden files lie in testdata/batches: requests.txtar has what each step asks, and the
// others have an answer each, whose name says what it answers: upload, create, look-STATE, list or results, or failed-… for one of these that is an error.
func RunBatches(t *testing.T, d dialect.Batcher) {
	t.Helper()
	t.Run("Requests", func(t *testing.T) { t.Parallel(); batchRequests(t, d) })
	t.Run("Refusals", func(t *testing.T) { t.Parallel(); batchRefusals(t, d) })
	t.Run("Answers", func(t *testing.T) { t.Parallel(); batchAnswers(t, d) })
}

// batchCalls are the calls of the batch in the golden file; one of their prompts holds what would be a boundary.
func batchCalls(t *testing.T) []dialect.Call {
	t.Helper()
	schema, err := value.DecodeString(`{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"],"additionalProperties":false}`, value.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	say := func(text string) []dialect.Message {
		return []dialect.Message{{Role: dialect.User, Parts: []dialect.Part{{Text: text}}}}
	}
	output := dialect.Output{Mode: lowering.Strict, Name: "result", Schema: schema}
	return []dialect.Call{
		{Model: "m-1", Messages: say("Order 7,\nplease."), MaxTokens: 64, Output: output},
		{Model: "m-1", Messages: say("--batch-b-0123-0\r\nOrder 8."), MaxTokens: 64, Output: output, Stream: true},
	}
}

// allSteps lists the steps with their names.
func allSteps() []string {
	return []string{"upload", "create", "look", "list", "fetch", "cancel", "forget"}
}

func batchRequests(t *testing.T, d dialect.Batcher) {
	var entries [][]byte
	for i, c := range batchCalls(t) {
		e, err := d.BatchEntry(fmt.Sprintf("id-%d", i), c)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.ContainsAny(e, "\r\n") {
			t.Errorf("an entry has more than one line: %q", e)
		}
		if _, err := value.Decode(e, value.Limits{}); err != nil {
			t.Errorf("an entry is no strict JSON: %v", err)
		}
		entries = append(entries, e)
	}
	b := dialect.Batch{Label: "b-0123", ID: "batches/b/7", Model: "m-1", InputFile: "file-in", OutputFile: "file/out", ErrorFile: "file-err"}
	var text strings.Builder
	for step, name := range allSteps() {
		list, err := d.BatchRequests(dialect.BatchStep(step), &b, entries) //nolint:gosec // A handful.
		if err != nil {
			t.Fatalf("step %s: %v", name, err)
		}
		for _, r := range list {
			fmt.Fprintf(&text, "# %s\n", name)
			writeBatchRequest(t, &text, r)
		}
	}
	first := b
	first.ID = ""
	list, err := d.BatchRequests(dialect.BatchList, &first, nil)
	if err != nil || len(list) != 1 {
		t.Fatalf("the first page: %d requests, %v", len(list), err)
	}
	text.WriteString("# list, first page\n")
	writeBatchRequest(t, &text, list[0])
	golden(t, filepath.Join("testdata", "batches", "requests.txtar"), "requests", text.String())
}

// writeBatchRequest writes a request with its body as it goes over the wire; carriage returns are shown.
func writeBatchRequest(t *testing.T, b *strings.Builder, r dialect.Request) {
	t.Helper()
	fmt.Fprintf(b, "%s %s\n", r.Method, r.Path)
	names := make([]string, 0, len(r.Header))
	for name := range r.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(b, "%s: %s\n", name, strings.Join(r.Header[name], ", "))
	}
	if len(r.Body) > 0 {
		fmt.Fprintf(b, "\n%s\n", strings.TrimSuffix(strings.ReplaceAll(string(r.Body), "\r", "\\r"), "\n"))
	}
	b.WriteString("\n")
}

func batchRefusals(t *testing.T, d dialect.Batcher) {
	call := batchCalls(t)[0]
	for _, id := range []string{"", "a b", `a"`, "ä", strings.Repeat("x", 65)} {
		if _, err := d.BatchEntry(id, call); err == nil {
			t.Errorf("BatchEntry takes the id %q", id)
		}
	}
	call.Output.Mode = "dictation"
	if _, err := d.BatchEntry("a", call); err == nil {
		t.Error("BatchEntry takes a call that Encode refuses")
	}
	for _, step := range []dialect.BatchStep{dialect.BatchLook, dialect.BatchCancel} {
		if _, err := d.BatchRequests(step, &dialect.Batch{Label: "b"}, nil); err == nil {
			t.Errorf("step %s is made without a batch's id", allSteps()[step])
		}
	}
	if b := d.BatchBounds(); b.Entries <= 0 || b.Bytes <= 0 {
		t.Errorf("the bounds are %+v", b)
	}
}

// batchAnswers reads the golden answers.
func batchAnswers(t *testing.T, d dialect.Batcher) {
	files, err := filepath.Glob(filepath.Join("testdata", "batches", "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".txtar")
		if name == "requests" {
			continue
		}
		have[name] = true
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := batchAnswer(t, path)
			got, failed := batchText(d, name, body)
			if failed != strings.HasPrefix(name, "failed-") {
				t.Errorf("it should be an error: %t; it is\n%s", !failed, got)
			}
			if state, ok := strings.CutPrefix(name, "look-"); ok && !strings.Contains(got, "state: "+strings.SplitN(state, "-", 2)[0]+"\n") {
				t.Errorf("it should be %s; it is\n%s", state, got)
			}
			golden(t, path, "want", got)
			if strings.HasPrefix(name, "results") {
				abuseResults(t, d, body)
			} else {
				abuseLook(t, d, name, body)
			}
		})
	}
	for _, name := range []string{"look-running", "look-done", "look-unknown", "list", "results", "failed-look"} {
		if !have[name] {
			t.Errorf("there is no answer %s", name)
		}
	}
}

func batchAnswer(t *testing.T, path string) []byte {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range archive.Files {
		if f.Name == "answer" {
			return f.Data
		}
	}
	t.Fatalf("%s has no file named answer", path)
	return nil
}

// batchText reads an answer by what its name says and writes down what it is.
func batchText(d dialect.Batcher, name string, body []byte) (text string, failed bool) {
	var b strings.Builder
	var err error
	switch kind := strings.SplitN(strings.TrimPrefix(name, "failed-"), "-", 2)[0]; kind {
	case "results":
		err = writeResults(&b, d, body)
	case "list":
		var page []dialect.Batch
		var next string
		page, next, err = d.DecodeBatches(bytes.NewReader(body))
		for i := range page {
			writeBatch(&b, &page[i])
		}
		fmt.Fprintf(&b, "next: %s\n", next)
	default:
		var got dialect.Batch
		got, err = d.DecodeBatch(dialect.BatchStep(slices.Index(allSteps(), kind)), bytes.NewReader(body)) //nolint:gosec // A handful.
		writeBatch(&b, &got)
	}
	if err == nil {
		return b.String(), false
	}
	var e *dialect.Error
	if !errors.As(err, &e) {
		return fmt.Sprintf("the error %v is no *dialect.Error", err), false
	}
	if strings.HasPrefix(name, "results") {
		return b.String() + "error: " + e.Error() + "\n", true
	}
	return "error: " + e.Error() + "\n", true
}

func writeBatch(b *strings.Builder, x *dialect.Batch) {
	fmt.Fprintf(b, "batch: %s\nstate: %s\n", x.ID, x.State)
	for _, line := range [...][2]string{
		{"label", x.Label},
		{"model", x.Model},
		{"input", x.InputFile},
		{"output", x.OutputFile},
		{"errors", x.ErrorFile},
		{"code", x.Code},
		{"created", instant(x.CreatedAt)},
		{"expires", instant(x.ExpiresAt)},
	} {
		if line[1] != "" {
			fmt.Fprintf(b, "%s: %s\n", line[0], line[1])
		}
	}
}

func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339)
}

func writeResults(b *strings.Builder, d dialect.Batcher, body []byte) error {
	for r, err := range d.BatchResults(bytes.NewReader(body)) {
		if err != nil {
			return err
		}
		fmt.Fprintf(b, "id: %s\n%s", r.ID, result{reply: r.Reply, err: r.Err})
	}
	return nil
}

// collect reads results to their end and checks what all of them promise.
func collect(d dialect.Batcher, body []byte, oneByOne bool) (list []dialect.BatchResult, err error) {
	src := bytes.NewReader(body)
	each := d.BatchResults(src)
	if oneByOne {
		each = d.BatchResults(iotest.OneByteReader(src))
	}
	ended := false
	for r, failed := range each {
		if ended {
			return list, errors.New("results go on behind their end")
		}
		if failed != nil {
			var e *dialect.Error
			if !errors.As(failed, &e) {
				return list, fmt.Errorf("the error %w is no *dialect.Error", failed)
			}
			ended, err = true, failed
			continue
		}
		if r.Err != nil && r.Err.Outcome == dialect.OK {
			return list, fmt.Errorf("result %q has an error that is none", r.ID)
		}
		list = append(list, r)
	}
	return list, err
}

// abuseResults cuts the results at every byte. What is read of them was there, and where less is read an error says so: else a call would be taken for one that
// has no result. Between two lines a cut is not to be seen here; it is seen by whoever carries the bytes.
func abuseResults(t *testing.T, d dialect.Batcher, body []byte) {
	t.Helper()
	whole, _ := collect(d, body, false)
	slow, _ := collect(d, body, true)
	if len(whole) != len(slow) {
		t.Errorf("in one piece there are %d results, byte by byte %d", len(whole), len(slow))
	}
	known := map[string]string{}
	for _, r := range whole {
		known[r.ID] += result{reply: r.Reply, err: r.Err}.String()
	}
	for n := range body {
		got, err := collect(d, body[:n], false)
		if at := body[:n]; err == nil && len(got) < len(whole) && n > 0 && !bytes.HasSuffix(at, []byte("}")) && !bytes.HasSuffix(at, []byte("\n")) {
			t.Fatalf("cut at byte %d there are %d of %d results and no error", n, len(got), len(whole))
		}
		for _, r := range got {
			if text := (result{reply: r.Reply, err: r.Err}).String(); !strings.Contains(known[r.ID], text) {
				t.Fatalf("cut at byte %d there is a result that was none: id %q\n%s", n, r.ID, text)
			}
		}
	}
}

// abuseLook cuts an answer about a batch at every byte: it is an error then, or says the same.
func abuseLook(t *testing.T, d dialect.Batcher, name string, body []byte) {
	t.Helper()
	want, _ := batchText(d, name, body)
	body = bytes.TrimSpace(body)
	for n := range body {
		if got, failed := batchText(d, name, body[:n]); !failed && got != want {
			t.Fatalf("cut at byte %d it says\n%s", n, got)
		}
	}
}

// FuzzBatch reads any bytes as each of a batch's answers, beginning with the golden ones: they end, and no error is of another type.
func FuzzBatch(f *testing.F, d dialect.Batcher) {
	f.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "batches", "*.txtar"))
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range files {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			if file.Name == "answer" {
				f.Add(file.Data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, name := range []string{"upload", "look", "list"} {
			first, failed := batchText(d, name, body)
			if again, _ := batchText(d, name, body); again != first {
				t.Errorf("read twice, %s is\n%s and\n%s", name, first, again)
			}
			if strings.Contains(first, "is no *dialect.Error") {
				t.Errorf("%s: %s (%t)", name, first, failed)
			}
		}
		whole, err := collect(d, body, false)
		var e *dialect.Error
		if err != nil && !errors.As(err, &e) {
			t.Fatal(err)
		}
		if slow, _ := collect(d, body, true); len(slow) != len(whole) {
			t.Errorf("in one piece there are %d results, byte by byte %d", len(whole), len(slow))
		}
	})
}
