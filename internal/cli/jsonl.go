package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/value"
)

// Bounds of JSON Lines: what is held in memory at a time, whatever the length of the file.
const (
	maxLine    = 64 << 20
	batchBytes = 64 << 10
	batchLines = 256
	lineDepth  = 512 + 1 // What a value may have, within the line's object.
)

// answer appends the answer to one line, without its line break. Each worker has its own.
type answer func(dst, line []byte) []byte

// batch is a run of lines that one worker answers.
type batch struct {
	text []byte // the lines one behind the other
	ends []int
	long []int // places in ends of lines that were too long and left out
	out  []byte
	done chan struct{}
}

// answerLines answers every line of a text with one line in the same order, on all cores and in constant memory. Empty lines are passed over. An
// answer is written as soon as the input makes one wait, so that a program at the other end of a pipe can go question by question.
func answerLines(ctx context.Context, in io.Reader, out io.Writer, worker func() answer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	workers := runtime.GOMAXPROCS(0)
	work := make(chan *batch, workers)      // As many as workers: the reader stays just ahead of them.
	pending := make(chan *batch, 4*workers) // Room for batches that wait for a slow one before them.
	free := make(chan *batch, cap(pending))
	for range workers {
		go func() {
			do := worker()
			for b := range work {
				b.answer(do)
			}
		}()
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := writeBatches(out, pending, free); err != nil {
			cancel(err)
		}
	}()
	read := make(chan error, 1)
	go func() {
		read <- readBatches(ctx, in, work, pending, free)
		close(work)
		close(pending)
	}()
	select {
	case <-ended:
		if err := context.Cause(ctx); err != nil {
			return err
		}
		return <-read
	case <-ctx.Done(): // The reader may be stuck in a read that never ends.
		return context.Cause(ctx)
	}
}

func readBatches(ctx context.Context, in io.Reader, work, pending chan<- *batch, free <-chan *batch) error {
	lines := bufio.NewReaderSize(in, batchBytes)
	b := &batch{done: make(chan struct{}, 1)}
	send := func() bool {
		if len(b.ends) == 0 {
			return true
		}
		for _, to := range [...]chan<- *batch{pending, work} {
			select {
			case to <- b:
			case <-ctx.Done():
				return false
			}
		}
		select {
		case b = <-free:
		default:
			b = &batch{done: make(chan struct{}, 1)}
		}
		return true
	}
	for {
		err := b.read(lines)
		if err != nil || len(b.text) >= batchBytes || len(b.ends) >= batchLines || lines.Buffered() == 0 {
			if !send() {
				return nil
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read the lines: %w", err)
		}
	}
}

// read adds the next line.
func (b *batch) read(lines *bufio.Reader) error {
	start := len(b.text)
	tooLong := false
	for {
		part, err := lines.ReadSlice('\n')
		if tooLong = tooLong || len(b.text)-start+len(part) > maxLine; !tooLong {
			b.text = append(b.text, part...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if tooLong {
			b.text = b.text[:start]
			b.long = append(b.long, len(b.ends))
			b.ends = append(b.ends, start)
		} else if len(bytes.TrimSpace(b.text[start:])) > 0 {
			b.ends = append(b.ends, len(b.text))
		} else {
			b.text = b.text[:start]
		}
		return err
	}
}

func (b *batch) answer(do answer) {
	start := 0
	for i, end := range b.ends {
		if slices.Contains(b.long, i) {
			b.out = appendFailure(b.out, value.Null(), refusedLine("", "the line has more than %d MiB", maxLine>>20))
		} else {
			b.out = do.safely(b.out, b.text[start:end])
		}
		b.out = append(b.out, '\n')
		start = end
	}
	b.done <- struct{}{}
}

// safely answers a line and turns a panic into an answer: the lines behind it are answered too.
func (do answer) safely(dst, line []byte) (out []byte) {
	start := len(dst)
	defer func() {
		if p := recover(); p != nil {
			out = appendFailure(dst[:start], value.Null(), fault.New(fault.Internal, "answering this line failed inside promptd").Because(fmt.Errorf("panic: %v", p)))
		}
	}()
	return do(dst, line)
}

// writeBatches writes the answers in the order of the lines. After a failure it only takes what comes.
func writeBatches(out io.Writer, pending <-chan *batch, free chan<- *batch) error {
	w := bufio.NewWriterSize(out, batchBytes)
	var failed error
	for b := range pending {
		<-b.done
		if failed == nil {
			_, failed = w.Write(b.out)
		}
		if failed == nil && len(pending) == 0 {
			failed = w.Flush()
		}
		const keep = 4 * batchBytes
		if cap(b.text) <= keep && cap(b.out) <= keep {
			b.text, b.ends, b.long, b.out = b.text[:0], b.ends[:0], b.long[:0], b.out[:0]
			select {
			case free <- b:
			default:
			}
		}
		if failed != nil {
			return fmt.Errorf("write the answers: %w", failed)
		}
	}
	return nil
}

// readLine reads one line as an object that has no other members than those named; id is given where there is one, also beside an error.
func readLine(line []byte, names ...string) (object, id value.Value, err error) {
	object, err = value.Decode(line, value.Limits{Depth: lineDepth})
	var bad *value.SyntaxError
	switch {
	case errors.As(err, &bad):
		return object, id, refusedLine(bad.Pointer, "the line is not strict JSON: %s", bad.Error())
	case err != nil:
		return object, id, err
	case object.Kind() != value.KindObject:
		return object, id, refusedLine("", "the line must be a JSON object, not %s", object.Kind())
	}
	id, _ = object.Get("id")
	for name := range object.Members() {
		if !slices.Contains(names, name) {
			return object, id, refusedLine(value.AppendPointer("", name), "the line has the unknown member %.100q; it may have %s", name, strings.Join(names, ", "))
		}
	}
	return object, id, nil
}

// textOf gives a member that must be a string; the default where there is none.
func textOf(object value.Value, name, otherwise string) (string, error) {
	v, ok := object.Get(name)
	if !ok {
		return otherwise, nil
	}
	if v.Kind() != value.KindString {
		return "", refusedLine("/"+name, "%s must be a string, not %s", name, v.Kind())
	}
	return v.Text(), nil
}

func refusedLine(pointer, format string, args ...any) *fault.Fault {
	f := fault.New(fault.InvalidRequest, format, args...)
	f.Entries = []fault.Entry{{Pointer: pointer, Message: f.Detail}}
	return f
}

// appendFailure writes the answer to a line that has none: {"id", "error": {"code", "detail", "pointer"}}.
func appendFailure(dst []byte, id value.Value, err error) []byte {
	dst = append(dst, `{"id":`...)
	dst = append(id.Append(dst), `,"error":`...)
	return append(appendError(dst, err), '}')
}

func appendError(dst []byte, err error) []byte {
	f := fault.Of(err)
	pointer := ""
	if len(f.Entries) > 0 {
		pointer = f.Entries[0].Pointer
	}
	dst = append(dst, `{"code":`...)
	dst = value.AppendQuoted(dst, f.Code.String())
	dst = append(dst, `,"detail":`...)
	dst = value.AppendQuoted(dst, f.Detail)
	dst = append(dst, `,"pointer":`...)
	dst = value.AppendQuoted(dst, pointer)
	return append(dst, '}')
}

// appendList writes a list as JSON, an empty one where there is none.
func appendList[T any](dst []byte, list []T) []byte {
	if len(list) == 0 {
		return append(dst, "[]"...)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(list); err != nil {
		panic(err) // What is written here holds nothing that JSON cannot say; a line's recovery reports it.
	}
	return append(dst, bytes.TrimRight(b.Bytes(), "\n")...)
}

// input opens a command's one argument: a file, or standard input where there is none or it is "-".
func (e *Env) input(args []string) (io.Reader, func(), error) {
	if len(args) == 0 || args[0] == "-" {
		return e.Stdin, func() {}, nil
	}
	f, err := os.Open(args[0])
	if err != nil {
		return nil, nil, err
	}
	return f, func() { f.Close() }, nil
}

// inputText reads a command's one argument to its end.
func (e *Env) inputText(args []string) ([]byte, error) {
	in, done, err := e.input(args)
	if err != nil {
		return nil, err
	}
	defer done()
	text, err := io.ReadAll(in)
	if err != nil {
		return nil, fmt.Errorf("read the input: %w", err)
	}
	return text, nil
}
