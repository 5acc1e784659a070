package api_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/key"
)

// endless gives a text over and over, up to a size, and counts what was taken of it.
type endless struct {
	text  string
	size  int64
	taken atomic.Int64
}

// Read fills b.
func (e *endless) Read(b []byte) (int, error) {
	at := e.taken.Load()
	if at >= e.size {
		return 0, io.EOF
	}
	n := 0
	for n < len(b) {
		n += copy(b[n:], e.text[(at+int64(n))%int64(len(e.text)):])
	}
	e.taken.Add(int64(n))
	return n, nil
}

func TestUploadsThatAreHostileAreRefusedAndKeepNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	unlimited := w.newKey(key.Key{Name: "unlimited", Scopes: key.AllScopes, RateLimitPerHour: new(1_000_000)})
	many := func(n int) string {
		var b strings.Builder
		b.WriteString("{}\n")
		for range n {
			b.WriteString("{\"prompt\":\"A\"}\n")
		}
		return b.String()
	}
	for _, c := range []struct {
		what, body, contentType, encoding string
		status                            int
		says                              string
	}{
		{what: "50,001 prompts", body: many(50_001), status: 400, says: "there are more than 50000 items"},
		{what: "bytes that are no UTF-8", body: "{}\n{\"prompt\": \"\xff\xfe\"}\n", status: 400, says: "line 2"},
		{what: "no UTF-8 in the first line", body: "{\"metadata\": {\"\xff\": 1}}\n{\"prompt\": \"A\"}\n", status: 400, says: "line 1"},
		{what: "a byte order mark alone", body: "\xef\xbb\xbf", status: 400, says: "line 1"},
		{what: "the same id twice", body: "{}\n{\"id\": \"a\", \"prompt\": \"A\"}\n{\"id\": \"b\", \"prompt\": \"A\"}\n{\"id\": \"a\", \"prompt\": \"A\"}\n", status: 400, says: "/items/2/id"},
		{what: "an id that another one is counted as", body: "{}\n{\"prompt\": \"A\"}\n{\"id\": \"0\", \"prompt\": \"A\"}\n", status: 400, says: "/items/1/id"},
		{what: "empty lines alone", body: "\n\n  \n\r\n", status: 400, says: "empty"},
		{what: "garbage behind the last line", body: "{}\n{\"prompt\": \"A\"}\n}}}", status: 400, says: "line 3"},
		{what: "two values in a line", body: "{}\n{\"prompt\": \"A\"} {\"prompt\": \"B\"}\n", status: 400, says: "line 2"},
		{what: "an array", body: "[{\"prompt\": \"A\"}]\n", status: 400, says: "line 1"},
		{what: "a prompt in the first line", body: "{\"prompt\": \"A\"}\n{\"prompt\": \"A\"}\n", status: 400, says: "/prompt"},
		{what: "the same name twice", body: "{}\n{\"prompt\": \"A\", \"prompt\": \"B\"}\n", status: 400, says: "line 2"},
		{what: "deep nesting", body: "{\"metadata\": " + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + "}\n", status: 400, says: "line 1"},
		{what: "NUL bytes", body: strings.Repeat("\x00", 1000), status: 400, says: "line 1"},
		{what: "compressed lines", body: "\x1f\x8b\x08\x00", encoding: "gzip", status: 415, says: "content encoding"},
		{what: "another type", body: "{}\n{}\n", contentType: "text/csv", status: 415, says: "application/json"},
	} {
		h := http.Header{"Content-Type": {"application/x-ndjson"}}
		if c.contentType != "" {
			h.Set("Content-Type", c.contentType)
		}
		if c.encoding != "" {
			h.Set("Content-Encoding", c.encoding)
		}
		a := w.do(ask{method: "POST", path: "/v1/jobs", key: unlimited, reader: strings.NewReader(c.body), header: h})
		if a.status != c.status || !strings.Contains(a.body, c.says) {
			t.Errorf("%s: got %d %.400s, want %d that says %q", c.what, a.status, a.body, c.status, c.says)
		}
	}
	w.wantNoJobs(t)
}

// wantNoJobs says that nothing was accepted.
func (w *world) wantNoJobs(t *testing.T) {
	t.Helper()
	var page struct{ Data []jobView }
	w.get("/v1/jobs").into(t, 200, &page)
	if len(page.Data) != 0 || w.service.Requests() != 0 {
		t.Errorf("got %d jobs and %d calls, want nothing kept", len(page.Data), w.service.Requests())
	}
}

// TestALineWithoutEndIsReadNoFurtherThanItMay: of a gigabyte in one line, and of one in short lines, little more is read than the limits allow.
func TestALineWithoutEndIsReadNoFurtherThanItMay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const size, slack = 1 << 30, 16 << 20 // What is on the way when the answer comes is in buffers of the system.
	for _, c := range []struct {
		what, text string
		// most is the limit that holds, in bytes.
		most int64
	}{
		{"one line", "x", 1 << 20},
		{"short lines", "{}\n", 4 << 20},
	} {
		in := &endless{text: c.text, size: size}
		response, err := w.send(ask{method: "POST", path: "/v1/jobs", reader: in, header: http.Header{"Content-Type": {"application/x-ndjson"}}})
		if err != nil { // The connection may break while the client still sends: then nothing was accepted either.
			t.Logf("%s: %v", c.what, err)
		} else {
			raw, _ := io.ReadAll(response.Body)
			_ = response.Body.Close()
			if response.StatusCode != 413 && response.StatusCode != 400 {
				t.Errorf("%s: got %d %.300s, want it refused", c.what, response.StatusCode, raw)
			}
		}
		if taken := in.taken.Load(); taken > c.most+slack {
			t.Errorf("%s: %d bytes were taken, want at most little more than %d", c.what, taken, c.most)
		}
	}
	w.wantNoJobs(t)
}

// leaving is a caller that goes away in mid-upload.
type leaving struct {
	text   io.Reader
	cancel context.CancelFunc
}

// Read gives the text, and goes away at its end.
func (l *leaving) Read(b []byte) (int, error) {
	n, err := l.text.Read(b)
	if err == io.EOF { //nolint:errorlint // It is what the reader gives.
		l.cancel()
		return n, io.ErrUnexpectedEOF
	}
	return n, err
}

func TestACallerThatLeavesInMidUploadLeavesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var text bytes.Buffer
	text.WriteString("{}\n")
	for i := range 900 { // Portions of it are kept when the caller goes.
		fmt.Fprintf(&text, "{\"id\": \"row-%d\", \"prompt\": \"How many? %d.\"}\n", i, i)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if response, err := w.send(ask{method: "POST", path: "/v1/jobs", reader: &leaving{&text, cancel}, ctx: ctx, header: http.Header{"Content-Type": {"application/x-ndjson"}}}); err == nil {
		_ = response.Body.Close()
		t.Fatalf("got %d, want no answer", response.StatusCode)
	}
	w.wantNoJobs(t)
}

// Whatever bytes come as an upload, the answer is a job or a fault of the caller, never one of the service, and a job that was accepted has the prompts that were
// sent.
func FuzzJobLines(f *testing.F) {
	for _, body := range []string{
		"", "\n", "{}\n", "{}\n{\"prompt\": \"A\"}", "{}\r\n{\"prompt\": \"A\"}\r\n\r\n", "{}\n\n\n{\"id\": \"x\", \"prompt\": \"A\"}\n{\"prompt\": \"B\"}\n",
		"{\"schema\": {\"type\": \"array\"}, \"priority\": \"low\", \"urgency\": \"low\", \"metadata\": {\"a\": 1}}\n{\"prompt\": \"A\", \"options\": {\"temperature\": 0}}\n",
		"{\"schema\": {\"type\": \"strin\"}}\n{\"prompt\": \"A\"}\n", "{\"run_at\": \"2026-13-01T00:00:00Z\"}\n{\"prompt\": \"A\"}\n", "{\"webhook\": {\"url\": \"http://[::1]/\"}}\n{\"prompt\": \"A\"}\n",
		"{}\n{\"id\": \"0\", \"prompt\": \"A\"}\n{\"id\": \"0\", \"prompt\": \"A\"}\n", "{}\n{\"messages\": [{\"role\": \"user\", \"content\": \"A\"}]}\n", "{}\n{\"prompt\": \"\xff\"}\n", "\xef\xbb\xbf{}\n{\"prompt\": \"A\"}\n",
		"{}\n{\"prompt\": \"A\"}\n}", "[]\n", "null\nnull\n", "{}\n{\"prompt\": \"A\", \"state\": \"pd1.x\"}\n", "{\"template\": \"none\"}\n{\"parameters\": {}}\n", "{}\n{\"prompt\": \"A\"}\x00\n",
	} {
		f.Add([]byte(body))
	}
	w := newWorld(f)
	secret := w.newKey(key.Key{Name: "fuzz", Scopes: key.AllScopes, RateLimitPerHour: new(1_000_000_000)})
	f.Fuzz(func(t *testing.T, body []byte) {
		here := *w
		here.tb = t
		a := here.do(ask{method: "POST", path: "/v1/jobs", key: secret, reader: bytes.NewReader(body), header: http.Header{"Content-Type": {"application/x-ndjson"}}})
		if a.status >= 500 {
			t.Errorf("%q: got %d: %s", body, a.status, a.body)
		}
		if a.status != http.StatusAccepted {
			return
		}
		made := accepted(t, a)
		var read jobView
		here.do(ask{method: "GET", path: "/v1/jobs/" + made.JobID, key: secret}).into(t, 200, &read)
		sent := -1 // The first line is the job.
		for line := range bytes.SplitSeq(body, []byte("\n")) {
			if len(bytes.TrimSpace(line)) > 0 {
				sent++
			}
		}
		if read.Progress.Total != sent {
			t.Errorf("%q: got a job of %d prompts, want %d", body, read.Progress.Total, sent)
		}
	})
}
