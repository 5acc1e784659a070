package dialecttest

import (
	"bytes"
	"net/http"
	"path/filepath"
	"testing"
	"testing/iotest"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/sharedtest"
)

// Recorded gives the answers that were recorded, as far as they came as bytes and are of a size that a fuzzer can work with; none where the shared data are not
// there: a target then begins with the golden answers alone.
func Recorded(tb testing.TB, folders ...string) []Fixture {
	tb.Helper()
	const most = 16 << 10
	if !sharedtest.There("fixtures") {
		return nil
	}
	var list []Fixture
	for _, folder := range folders {
		for _, f := range Fixtures(tb, folder) {
			if len(f.Body) > 0 && len(f.Body) <= most {
				list = append(list, f)
			}
		}
	}
	return list
}

// seeds gives the bodies of the golden answers, and of the recorded ones.
func seeds(f *testing.F, folders []string, add func(r dialect.Response)) {
	f.Helper()
	for _, recorded := range Recorded(f, folders...) {
		add(dialect.Response{Status: recorded.Status, Body: recorded.Body})
	}
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

// FuzzDecode begins with the golden answers and those recorded in folders, and reads any bytes as a whole answer: a reply or an error, never a panic.
func FuzzDecode(f *testing.F, d dialect.Dialect, folders ...string) {
	f.Helper()
	seeds(f, folders, func(r dialect.Response) { f.Add(r.Body) })
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

// FuzzStream begins with the same, and reads any bytes as a stream, in pieces of any size: the same comes out, and it ends.
func FuzzStream(f *testing.F, d dialect.Dialect, folders ...string) {
	f.Helper()
	seeds(f, folders, func(r dialect.Response) { f.Add(r.Body) })
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

// FuzzFail begins with the same, and classifies any bytes and headers.
func FuzzFail(f *testing.F, d dialect.Dialect, folders ...string) {
	f.Helper()
	seeds(f, folders, func(r dialect.Response) { f.Add(r.Status, "3", r.Body) })
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
