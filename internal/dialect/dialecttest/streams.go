package dialecttest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/sharedtest"
)

// abuse reads a stream in all the ways in which it must come out the same, and cut in all the ways in which it must not pass for whole.
func (s Suite) abuse(t *testing.T, body []byte) {
	t.Helper()
	want, err := stream(s.Dialect, bytes.NewReader(body))
	if err != nil {
		t.Error(err)
		return
	}
	s.counts.streams.Add(1)
	s.counts.bytes.Add(int64(len(body)))
	s.pieces(t, body, want)
	s.splits(t, body, want)
	s.cuts(t, body, want)
	s.leaves(t, body)
	s.broken(t, body)
}

// places are the places of a stream at which something is done. Each costs the reading of the stream, so that all places of all recorded streams, 1.6 MB, are the
// reading of 27 GB: that is for runs with the variable PROMPTD_FULL. Else a stream of up to 3,000 bytes has all of its places. A longer one has those of its last
// 200 bytes, where the marks are, and before that every n-th, where n is the stream's length by 60, made odd, so that the places fall into events differently.
func places(body []byte) iter.Seq[int] {
	const short, behind, samples = 3000, 200, 60
	stride := 1
	if len(body) > short && !sharedtest.Full() {
		stride = len(body)/samples | 1
	}
	return func(yield func(int) bool) {
		for n := range len(body) {
			if (n%stride == 0 || n >= len(body)-behind) && !yield(n) {
				return
			}
		}
	}
}

// pieces reads the stream in pieces of other sizes: where the network cuts must not matter, to one delta.
func (s Suite) pieces(t *testing.T, body []byte, want result) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, uint64(len(body)))) //nolint:gosec // Chance that repeats is the point.
	readers := map[string]io.Reader{
		"one byte at a time": iotest.OneByteReader(bytes.NewReader(body)),
		"halves":             iotest.HalfReader(bytes.NewReader(body)),
		"data with the end":  iotest.DataErrReader(bytes.NewReader(body)),
		"random pieces":      &shortReader{src: bytes.NewReader(body), rng: rng},
	}
	for name, r := range readers {
		s.same(t, name, r, want)
	}
}

// splits reads the stream in two pieces, cut at each place.
func (s Suite) splits(t *testing.T, body []byte, want result) {
	t.Helper()
	for n := range places(body) {
		s.counts.splits.Add(1)
		if !s.same(t, "two pieces", io.MultiReader(bytes.NewReader(body[:n]), bytes.NewReader(body[n:])), want) {
			t.Errorf("the first of them has %d of %d bytes", n, len(body))
			return
		}
	}
}

// same reads the stream and compares.
func (s Suite) same(t *testing.T, how string, r io.Reader, want result) bool {
	t.Helper()
	got, err := stream(s.Dialect, r)
	if err != nil {
		t.Errorf("read in %s: %v", how, err)
		return false
	}
	if got.equal(want) && slices.Equal(got.deltas, want.deltas) {
		return true
	}
	t.Errorf("read in %s the stream is another (-want +got):\n%s\ndeltas end at %v, want %v", how, cmp.Diff(want.String(), got.String()), got.deltas, want.deltas)
	return false
}

type shortReader struct {
	src io.Reader
	rng *rand.Rand
}

func (r *shortReader) Read(p []byte) (int, error) {
	const most = 50
	if len(p) == 0 {
		return 0, nil
	}
	return r.src.Read(p[:1+r.rng.IntN(min(len(p), most))])
}

// cuts ends the stream after each of its bytes. Where more than comments and white space was lost, the answer must not pass for whole, and in any case what came
// before is how the answer begins.
func (s Suite) cuts(t *testing.T, body []byte, want result) {
	t.Helper()
	for n := range places(body) {
		s.counts.cuts.Add(1)
		got, err := stream(s.Dialect, bytes.NewReader(body[:n]))
		switch {
		case err != nil:
			t.Errorf("cut after %d of %d bytes: %v", n, len(body), err)
			return
		case got.err == nil && !s.idle(body, n):
			t.Errorf("cut after %d of %d bytes, without %q, the stream passes for whole:\n%s", n, len(body), body[n:min(n+200, len(body))], got)
			return
		case got.err == nil && !got.equal(want):
			t.Errorf("cut after %d of %d bytes the stream is another:\n%swhole it is\n%s", n, len(body), got, want)
			return
		case !strings.HasPrefix(want.pieces, got.pieces):
			t.Errorf("cut after %d of %d bytes the text is %q, which is not how %q begins", n, len(body), got.pieces, want.pieces)
			return
		}
	}
}

// idle reports whether a cut at n loses nothing but white space, comments and what the dialect can spare.
func (s Suite) idle(body []byte, n int) bool {
	spare := func(line []byte) bool { return line[0] == ':' || s.Spare != nil && s.Spare(line) }
	lost := body[n:]
	// Where the cut is within a line, the whole line says whether it can be spared.
	start := bytes.LastIndexByte(body[:n], '\n') + 1
	whole, _, _ := bytes.Cut(body[start:], []byte{'\n'})
	if whole = bytes.TrimSpace(whole); start < n && len(whole) > 0 && spare(whole) {
		lost = body[start:]
	}
	for line := range bytes.Lines(lost) {
		if line = bytes.TrimSpace(line); len(line) > 0 && !spare(line) {
			return false
		}
	}
	return true
}

// leaves stops reading after each delta: nothing may be read or yielded then.
func (s Suite) leaves(t *testing.T, body []byte) {
	t.Helper()
	const most = 8
	for after := range most {
		n := 0
		for range s.Dialect.Stream(bytes.NewReader(body)) {
			if n++; n > after {
				break // The iterator panics where it goes on.
			}
		}
	}
}

// broken ends the stream in the source's own error, which must be there in what comes out, as the outcome that it means.
func (s Suite) broken(t *testing.T, body []byte) {
	t.Helper()
	for _, b := range [...]struct {
		cause   error
		outcome dialect.Outcome
	}{
		{errors.New("connection reset by peer"), dialect.Connection},
		{context.DeadlineExceeded, dialect.Timeout},
		{context.Canceled, dialect.Cancelled},
	} {
		got, err := stream(s.Dialect, io.MultiReader(bytes.NewReader(body[:len(body)/2]), iotest.ErrReader(b.cause)))
		switch {
		case err != nil:
			t.Error(err)
		case got.err == nil:
			t.Errorf("a stream that broke off passes for whole:\n%s", got)
		case got.err.Outcome == dialect.Connection && !errors.Is(got.err, b.cause):
			t.Errorf("the error %v does not have its cause", got.err)
		case errors.Is(got.err, b.cause) && got.err.Outcome != b.outcome:
			t.Errorf("a stream that ends in %v is %s, want %s", b.cause, got.err.Outcome, b.outcome)
		}
	}
}

// oversize reads what never ends: it must come to an error before it fills the memory.
func (s Suite) oversize(t *testing.T) {
	t.Parallel()
	const most, offered = 40 << 20, 128 << 20
	for _, head := range [...]string{"", "a", "\"", "data: ", "data: {\"a\":\"", "{\"a\":\"", ":", "event: "} {
		src := &endless{head: []byte(head), left: offered}
		got, err := stream(s.Dialect, src)
		switch {
		case err != nil:
			t.Errorf("%q without end: %v", head, err)
		case got.err == nil:
			t.Errorf("%q without end passes for whole:\n%s", head, got)
		case offered-src.left > most:
			t.Errorf("%q without end: %d MiB were read", head, (offered-src.left)>>20)
		}
	}
}

// endless gives its head and then the same letter over and over.
type endless struct {
	head []byte
	left int
}

func (r *endless) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, io.EOF
	}
	n := copy(p, r.head)
	r.head = r.head[n:]
	for ; n < len(p); n++ {
		p[n] = 'a'
	}
	r.left -= n
	return n, nil
}
