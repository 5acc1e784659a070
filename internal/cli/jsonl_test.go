package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
)

// echo answers a line with itself.
func echo() answer {
	return func(dst, line []byte) []byte { return append(dst, bytes.TrimSpace(line)...) }
}

func TestAnswersComeInTheOrderOfTheLines(t *testing.T) {
	t.Parallel()
	var in, want strings.Builder
	for i := range 8_000 {
		fmt.Fprintf(&in, "{\"id\":%d,\"pad\":%q}\n", i, strings.Repeat("x", i%700))
		if i%100 == 0 {
			in.WriteString(" \r\n\n") // Empty lines are passed over.
		}
		fmt.Fprintf(&want, "{\"id\":%d,\"pad\":%q}\n", i, strings.Repeat("x", i%700))
	}
	var out bytes.Buffer
	if err := answerLines(t.Context(), strings.NewReader(strings.TrimSuffix(in.String(), "\n")), &out, echo); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != want.String() {
		t.Fatalf("%d bytes of answers, want %d in order", len(got), want.Len())
	}
}

// A program at the other end of a pipe may wait for each answer before it asks again.
func TestAnAnswerDoesNotWaitForTheNextLine(t *testing.T) {
	t.Parallel()
	in, ask := io.Pipe()
	answers, out := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- answerLines(context.WithoutCancel(t.Context()), in, out, echo)
		out.Close()
	}()
	lines := bufio.NewReader(answers)
	for i := range 100 {
		want := fmt.Sprintf("line %d\n", i)
		if _, err := io.WriteString(ask, want); err != nil {
			t.Fatal(err)
		}
		if got, err := lines.ReadString('\n'); got != want {
			t.Fatalf("got %q (%v), want %q", got, err, want)
		}
	}
	ask.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// lead measures how far reading runs ahead of writing.
type lead struct{ read, written, most atomic.Int64 }

type counted struct {
	io.Reader
	l *lead
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	ahead := c.l.read.Add(int64(n)) - c.l.written.Load()
	for most := c.l.most.Load(); ahead > most && !c.l.most.CompareAndSwap(most, ahead); most = c.l.most.Load() {
	}
	return n, err
}

type drain struct{ l *lead }

func (d drain) Write(p []byte) (int, error) {
	d.l.written.Add(int64(len(p)))
	return len(p), nil
}

func TestMemoryDoesNotGrowWithTheFile(t *testing.T) {
	t.Parallel()
	const size = 64 << 20
	line := `{"id":"` + strings.Repeat("x", 500) + "\"}\n"
	endless := &repeated{text: line}
	var l lead
	if err := answerLines(t.Context(), counted{io.LimitReader(endless, size/int64(len(line))*int64(len(line))), &l}, drain{&l}, echo); err != nil {
		t.Fatal(err)
	}
	if l.read.Load() != l.written.Load() {
		t.Errorf("%d bytes read, %d written", l.read.Load(), l.written.Load())
	}
	if most := l.most.Load(); most > 16<<20 {
		t.Errorf("reading ran %d MiB ahead of writing", most>>20)
	}
}

// repeated is a text without an end.
type repeated struct {
	text string
	at   int
}

func (r *repeated) Read(p []byte) (n int, err error) {
	for n < len(p) {
		k := copy(p[n:], r.text[r.at:])
		n += k
		r.at = (r.at + k) % len(r.text)
	}
	return n, nil
}

func TestALineThatIsTooLongIsAnsweredAndTheRunGoesOn(t *testing.T) {
	t.Parallel()
	in := io.MultiReader(strings.NewReader("a\n"), io.LimitReader(&repeated{text: strings.Repeat("x", 8192)}, maxLine+10), strings.NewReader("\nb\n"))
	var out bytes.Buffer
	if err := answerLines(t.Context(), in, &out, echo); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	if len(lines) != 4 || lines[0] != "a" || !strings.Contains(lines[1], `"id":null,"error":{"code":"INVALID_REQUEST"`) || lines[2] != "b" {
		t.Errorf("got %.400q, want a, an error, b", lines)
	}
}

func TestAPanicIsTheAnswerToItsLineAlone(t *testing.T) {
	t.Parallel()
	worker := func() answer {
		return func(dst, line []byte) []byte {
			if bytes.HasPrefix(line, []byte("bad")) {
				panic("broken")
			}
			return append(dst, bytes.TrimSpace(line)...)
		}
	}
	var out bytes.Buffer
	if err := answerLines(t.Context(), strings.NewReader("a\nbad\nb\n"), &out, worker); err != nil {
		t.Fatal(err)
	}
	want := "a\n" + `{"id":null,"error":{"code":"INTERNAL_ERROR","detail":"answering this line failed inside promptd","pointer":""}}` + "\nb\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

type full struct{}

var errFull = errors.New("no space left")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestTheRunEndsWhereNothingCanBeWrittenOrRead(t *testing.T) {
	t.Parallel()
	if err := answerLines(t.Context(), &repeated{text: "line\n"}, full{}, echo); !errors.Is(err, errFull) {
		t.Errorf("got %v, want %v", err, errFull)
	}
	broken := io.MultiReader(strings.NewReader("a\n"), io.LimitReader(failing{}, 1))
	var out bytes.Buffer
	if err := answerLines(t.Context(), broken, &out, echo); !errors.Is(err, errFull) || out.String() != "a\n" {
		t.Errorf("got %v and %q, want %v behind the answers so far", err, out.String(), errFull)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := answerLines(ctx, &repeated{text: "line\n"}, io.Discard, echo); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errFull }
