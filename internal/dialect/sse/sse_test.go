package sse_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/dialect/dialecttest"
	"github.com/promptd/promptd/internal/dialect/sse"
)

// read gives all events as "name|data", what was pending behind the last, and how the reading ended.
func read(src io.Reader) (events []string, pending string, err error) {
	r := sse.NewReader(src)
	for {
		e, err := r.Next()
		if err != nil {
			return events, string(r.Pending()), err
		}
		events = append(events, e.Name+"|"+string(e.Data))
	}
}

func TestEventsAreReadAsTheStandardSays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		want       []string
		pending    string
		end        error
	}{
		{"nothing", "", nil, "", io.EOF},
		{"one", "data: a\n\n", []string{"|a"}, "", io.EOF},
		{"without the space", "data:a\n\n", []string{"|a"}, "", io.EOF},
		{"one space alone is taken off", "data:  a \n\n", []string{"| a "}, "", io.EOF},
		{"CRLF", "data: a\r\n\r\ndata: b\r\n\r\n", []string{"|a", "|b"}, "", io.EOF},
		{"CR", "data: a\r\rdata: b\r\r", []string{"|a", "|b"}, "", io.EOF},
		{"line ends mixed", "data: a\r\ndata: b\n\r\ndata: c\r\n\n", []string{"|a\nb", "|c"}, "", io.EOF},
		{"data lines are joined", "data: a\ndata:\ndata: c\n\n", []string{"|a\n\nc"}, "", io.EOF},
		{"a field without a colon", "data\n\n", []string{"|"}, "", io.EOF},
		{"an event with a name", "event: error\ndata: a\n\ndata: b\n\n", []string{"error|a", "|b"}, "", io.EOF},
		{"the last name counts", "event: a\nevent: b\ndata: x\n\n", []string{"b|x"}, "", io.EOF},
		{"a name without data is no event", "event: a\n\ndata: x\n\n", []string{"|x"}, "", io.EOF},
		{"comments", ": OPENROUTER PROCESSING\n\n:\n:x\ndata: a\n: between\ndata: b\n\n: end\n\n", []string{"|a\nb"}, "", io.EOF},
		{"other fields", "id: 1\nretry: 5\nfoo: bar\n data: no\ndata : no\ndata: a\n\n", []string{"|a"}, "", io.EOF},
		{"a byte order mark", "\xEF\xBB\xBFdata: a\n\n\xEF\xBB\xBFdata: b\n\n", []string{"|a"}, "", io.EOF},
		{"empty lines", "\n\n\r\n\rdata: a\n\n\n\n", []string{"|a"}, "", io.EOF},
		{"a colon in the data", "data: a: b:c\n\n", []string{"|a: b:c"}, "", io.EOF},
		{"cut in the data", "data: a\n\ndata: b", []string{"|a"}, "b", io.ErrUnexpectedEOF},
		{"cut behind the data line", "data: a\n\ndata: b\n", []string{"|a"}, "b", io.ErrUnexpectedEOF},
		{"cut in a field's name", "data: a\n\nda", []string{"|a"}, "", io.ErrUnexpectedEOF},
		{"cut behind a name", "event: error\n", nil, "", io.ErrUnexpectedEOF},
		{"cut in CRLF", "data: a\r\n\r", []string{"|a"}, "", io.EOF},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for how, src := range map[string]io.Reader{
				"whole": strings.NewReader(c.text), "byte by byte": iotest.OneByteReader(strings.NewReader(c.text)),
				"with the end": iotest.DataErrReader(strings.NewReader(c.text)),
			} {
				got, pending, err := read(src)
				if diff := cmp.Diff(c.want, got); diff != "" || pending != c.pending || !errors.Is(err, c.end) {
					t.Errorf("%s: pending %q and %v, want %q and %v; events (-want +got):\n%s", how, pending, err, c.pending, c.end, diff)
				}
			}
		})
	}
}

func TestLinesThatAreNoFieldAreKeptApart(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"data: a\n\n: comment\nid: 1\nretry: 5\nevent: x\ndata: b\n\n": "",
		"data: a\r\n\r\n{\"error\": {\r\n  \"code\": 503\r\n}}":        "{\"error\": {\n  \"code\": 503\n}}\n",
		"data: a\n\n[oops]\n\ndata: b\n\nagain\n\n":                    "[oops]\nagain\n",
		strings.Repeat("x", 20<<10) + "\nshort\n\n":                    "short\n",
		strings.Repeat(strings.Repeat("y", 1023)+"\n", 20) + "\n\n\n":  strings.Repeat(strings.Repeat("y", 1023)+"\n", 16),
	} {
		r := sse.NewReader(iotest.OneByteReader(strings.NewReader(text)))
		for {
			if _, err := r.Next(); err != nil {
				break
			}
		}
		if got := string(r.Stray()); got != want {
			t.Errorf("%.60q: stray is %.60q (%d bytes), want %.60q (%d bytes)", text, got, len(got), want, len(want))
		}
	}
}

func TestSizeIsBounded(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"a line":             "data: " + strings.Repeat("x", sse.MaxEvent),
		"a line of no field": strings.Repeat("x", sse.MaxEvent+1),
		"many lines":         strings.Repeat("data: "+strings.Repeat("x", 1000)+"\n", sse.MaxEvent/1000+1),
	} {
		if _, _, err := read(strings.NewReader(text)); !errors.Is(err, sse.ErrTooLarge) {
			t.Errorf("%s: %v, want ErrTooLarge", name, err)
		}
	}
	// Many events within the bound are any number.
	big := "data: " + strings.Repeat("x", sse.MaxEvent/2) + "\n\n"
	if got, _, err := read(strings.NewReader(strings.Repeat(big, 5))); len(got) != 5 || !errors.Is(err, io.EOF) {
		t.Errorf("%d events and %v, want 5 and the end", len(got), err)
	}
}

// endless gives comments for ever.
type endless struct {
	text  []byte
	given int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.text)
	e.given += n
	if e.given > 16<<20 {
		return n, io.EOF
	}
	return n, nil
}

func TestMemoryDoesNotGrowWithTheStream(t *testing.T) { // Not parallel: it counts allocations.
	r := sse.NewReader(&endless{text: bytes.Repeat([]byte(": x\n"), 1<<16)})
	allocs := testing.AllocsPerRun(1, func() { _, _ = r.Next() })
	if allocs > 50 {
		t.Errorf("16 MiB of comments cost %v allocations", allocs)
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

type lying struct{ n int }

func (l lying) Read(p []byte) (int, error) { return l.n, nil }

func TestStrangeSourcesEndTheReading(t *testing.T) {
	t.Parallel()
	if _, err := sse.NewReader(stuck{}).Next(); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("a source that gives nothing: %v", err)
	}
	for _, n := range []int{-1, 1 << 30} {
		if _, err := sse.NewReader(lying{n}).Next(); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("a source that counts %d: %v", n, err)
		}
	}
	cause := errors.New("reset")
	got, pending, err := read(io.MultiReader(strings.NewReader("data: a\n\ndata: b"), iotest.ErrReader(cause)))
	if len(got) != 1 || pending != "b" || !errors.Is(err, cause) {
		t.Errorf("%q, pending %q, %v: want the event before the fault, then the fault", got, pending, err)
	}
}

// What a writer of events writes is what the reader reads, in pieces of any size.
func TestWrittenEventsAreReadBack(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var want []string
		var b bytes.Buffer
		end := []string{"\n", "\r\n", "\r"}[rng.IntN(3)]
		for i := range rng.IntN(6) {
			lines := make([]string, 1+rng.IntN(3))
			name := ""
			if rng.IntN(3) == 0 {
				name = fmt.Sprint("kind", i)
				b.WriteString("event: " + name + end)
			}
			for j := range lines {
				lines[j] = strings.Repeat("€: x", rng.IntN(900))
				b.WriteString("data: " + lines[j] + end)
				if rng.IntN(4) == 0 {
					b.WriteString(": comment" + end)
				}
			}
			b.WriteString(end)
			want = append(want, name+"|"+strings.Join(lines, "\n"))
		}
		got, _, err := read(&random{src: &b, rng: rng})
		if diff := cmp.Diff(want, got); diff != "" || !errors.Is(err, io.EOF) {
			t.Fatalf("line end %q, %v (-want +got):\n%s", end, err, diff)
		}
	}
}

type random struct {
	src io.Reader
	rng *rand.Rand
}

func (r *random) Read(p []byte) (int, error) { return r.src.Read(p[:1+r.rng.IntN(min(len(p), 700))]) }

func FuzzReader(f *testing.F) {
	for _, recorded := range dialecttest.Recorded(f, "anthropic", "openai-responses", "openrouter", "groq") {
		if recorded.Form == "sse" {
			f.Add(recorded.Body, uint8(len(recorded.Body)))
		}
	}
	f.Add([]byte("event: a\r\ndata: b\n\n:c\rdata\n\n\xEF\xBB\xBF"), uint8(3))
	f.Add([]byte("data: [DONE]"), uint8(1))
	f.Add([]byte("data: a\r\n\r\ndata: b\r\r\n"), uint8(2))
	f.Fuzz(func(t *testing.T, text []byte, size uint8) {
		whole, pending, err := read(bytes.NewReader(text))
		again, pendingAgain, errAgain := read(&fixed{bytes.NewReader(text), int(size)%16 + 1})
		if diff := cmp.Diff(whole, again); diff != "" || pending != pendingAgain || !errors.Is(errAgain, err) {
			t.Errorf("in pieces: pending %q, %v; whole %q, %v; events (-whole +pieces):\n%s", pendingAgain, errAgain, pending, err, diff)
		}
		for _, e := range whole {
			if len(e) > len(text)+1 {
				t.Errorf("an event of %d bytes out of %d", len(e), len(text))
			}
			// An event's data and name come without line ends, but for the line feeds that join data lines.
			if strings.Contains(e, "\r") {
				t.Errorf("%q holds a line end", e)
			}
		}
	})
}

type fixed struct {
	src  io.Reader
	size int
}

func (r *fixed) Read(p []byte) (int, error) { return r.src.Read(p[:min(len(p), r.size)]) }

func BenchmarkReader(b *testing.B) {
	text := strings.Repeat("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word\"}}]}\n\n", 1000)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if got, _, _ := read(strings.NewReader(text)); len(got) != 1000 {
			b.Fatal(len(got))
		}
	}
}
