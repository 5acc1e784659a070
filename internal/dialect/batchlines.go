package dialect

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"iter"
)

// Bounds of what is read of a batch's answers, in bytes.
const (
	// MaxBatchLine is that of one line of results: a direct answer may be as long.
	MaxBatchLine = 16 << 20
	// MaxBatchBody is that of what is said about a batch, or about a page of them.
	MaxBatchBody = 4 << 20
)

// BatchLines reads results that come as a line each; read makes one of a line, and is false where the line is no JSON. The line is valid until read returns.
// Blank lines are left out, and lines beyond MaxBatchLine are lost without being held. A last line without its end that is no JSON was cut.
func BatchLines(src io.Reader, read func(line []byte) (BatchResult, bool)) iter.Seq2[BatchResult, error] {
	return func(yield func(BatchResult, error) bool) {
		lines := lineReader{src: bufio.NewReaderSize(src, 64<<10)}
		for {
			line, err := lines.next()
			if err != nil && !errors.Is(err, io.EOF) {
				yield(BatchResult{}, Lost(err, Usage{}, errTooLong))
				return
			}
			ended := err != nil
			if line = bytes.TrimSpace(line); len(line) > 0 || lines.long {
				var result BatchResult
				ok := false
				if !lines.long {
					result, ok = read(line)
				}
				switch {
				case !ok && ended:
					yield(BatchResult{}, Lost(io.EOF, Usage{}, errTooLong))
					return
				case !ok:
					result = MalformedResult("")
				}
				if !yield(result, nil) {
					return
				}
			}
			if ended {
				return
			}
		}
	}
}

// lineReader reads lines into one buffer.
type lineReader struct {
	src  *bufio.Reader
	line []byte
	long bool // the line was too long
}

// next gives a line with its end; with an error, what came before it.
func (r *lineReader) next() ([]byte, error) {
	r.line, r.long = r.line[:0], false
	for {
		piece, err := r.src.ReadSlice('\n')
		if r.long = r.long || len(r.line)+len(piece) > MaxBatchLine; r.long {
			r.line = r.line[:0]
		} else {
			r.line = append(r.line, piece...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return r.line, err
		}
	}
}

var errTooLong = errors.New("the answer about a batch is too long")

// ReadBatchBody reads the whole of what is said about a batch, up to most bytes. The error is a *Error.
func ReadBatchBody(src io.Reader, most int) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(src, int64(most)+1))
	if err == nil && len(body) > most {
		err = errTooLong
	}
	if err != nil {
		return nil, Lost(err, Usage{}, errTooLong)
	}
	return body, nil
}

// BatchCode cuts a service's reason to what a code may be: letters, digits and a few signs.
func BatchCode(s string) string {
	const most = 100
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.') {
			return ""
		}
	}
	return s[:min(len(s), most)]
}
