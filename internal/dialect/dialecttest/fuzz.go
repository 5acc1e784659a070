package dialecttest

import (
	"bytes"
	"net/http"
	"path/filepath"
	"testing"
	"testing/iotest"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/promptd/promptd/internal/dialect"
)

// seeds gives the bodies of the golden answers.
func seeds(f *testing.F, add func(r dialect.Response)) {
	f.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "answers", "*.txtar"))
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range files {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			if file.Name != "response" {
				continue
			}
			status, rest, ok := bytes.Cut(file.Data, []byte("\n\n"))
			if !ok {
				continue
			}
			r := dialect.Response{Status: http.StatusOK, Body: bytes.TrimSuffix(rest, []byte("\n"))}
			if !bytes.HasPrefix(status, []byte("200")) {
				r.Status = http.StatusTooManyRequests
			}
			add(r)
		}
	}
}

// FuzzDecode reads any bytes as a whole answer: a reply or an error, never a panic.
func FuzzDecode(f *testing.F, d dialect.Dialect) {
	f.Helper()
	seeds(f, func(r dialect.Response) { f.Add(r.Body) })
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := decode(d, dialect.Response{Status: http.StatusOK, Body: body})
		if err != nil {
			t.Fatal(err)
		}
		again, err := decode(d, dialect.Response{Status: http.StatusOK, Body: body})
		if err != nil || got.String() != again.String() {
			t.Errorf("read twice it is\n%s and\n%s (%v)", got, again, err)
		}
	})
}

// FuzzStream reads any bytes as a stream, in pieces of any size: the same comes out, and it ends.
func FuzzStream(f *testing.F, d dialect.Dialect) {
	f.Helper()
	seeds(f, func(r dialect.Response) { f.Add(r.Body) })
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := stream(d, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		again, err := stream(d, iotest.OneByteReader(bytes.NewReader(body)))
		if err != nil || got.String() != again.String() {
			t.Errorf("whole it is\n%s, byte by byte\n%s (%v)", got, again, err)
		}
	})
}

// FuzzFail classifies any bytes and headers.
func FuzzFail(f *testing.F, d dialect.Dialect) {
	f.Helper()
	seeds(f, func(r dialect.Response) { f.Add(r.Status, "3", r.Body) })
	f.Add(http.StatusServiceUnavailable, "Wed, 21 Oct 2026 07:28:00 GMT", []byte(`{"error":{"message":"Please try again in 9m38.016s."}}`))
	f.Fuzz(func(t *testing.T, status int, after string, body []byte) {
		if status == http.StatusOK {
			return
		}
		r := dialect.Response{Status: status, Header: http.Header{"Retry-After": {after}, "Retry-After-Ms": {after}, "Date": {after}}, Body: body}
		e := d.Fail(r)
		if e == nil || e.Outcome == dialect.OK || e.Wait < 0 || e.Status != status {
			t.Fatalf("Fail(%d) = %+v", status, e)
		}
		const most = 300
		if text := e.Error(); len(text) > most {
			t.Errorf("the error repeats the answer: %q", text)
		}
	})
}
