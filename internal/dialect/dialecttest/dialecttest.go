// Package dialecttest holds every dialect to one suite: it is the definition of what a dialect has to do. It is for tests alone.
//
// A dialect's own test calls [Run] with a [Suite]. The suite encodes the calls of [Calls], compares with golden files in testdata/requests and with the
// provider's own [Document], reads the answers in testdata/answers, classifies the failures of [failures], decodes recorded exchanges of the shared
// fixtures and compares with the dialect's reference reading of them, and abuses streams: cut at their bytes, read in pieces of any size, left in the
// middle, without end. Golden files are rewritten by the flag -update, and what their names promise (a "truncated" answer is truncated) holds even
// then. [FuzzDecode], [FuzzStream] and [FuzzFail] are the bodies of a dialect's fuzz targets.
package dialecttest

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/dialect"
)

var update = flag.Bool("update", false, "rewrite golden files") //nolint:gochecknoglobals // A flag of the test binary.

// Suite says what is particular to a dialect.
type Suite struct {
	Dialect dialect.Dialect
	// Fixtures are folders of the shared fixtures with recorded exchanges.
	Fixtures []string
	// Reference reads a fixture in the plainest way, without the dialect's code, and says what the dialect must make of it. ok is false for exchanges
	// of another interface of the same service.
	Reference func(f *Fixture) (want Want, ok bool)
	// Frame makes the bytes of a stream of which a fixture has only the payloads.
	Frame func(payloads [][]byte) []byte
	// Wire makes the bytes of a stream from the text in which golden files have it, for framings that people can't read. nil is for streams that stand
	// there as they come.
	Wire func(text []byte) []byte
	// Spare reports whether a line that is lost at a stream's end takes nothing from the answer, besides comments: an end mark behind the true end. nil
	// is for streams without such lines.
	Spare func(line []byte) bool
	// Document is what the provider says of requests, where there is such a document.
	Document Document

	counts *counts // of the streams under abuse
}

// counts says how much was done.
type counts struct{ streams, bytes, cuts, splits atomic.Int64 }

// Want is what must come of a recorded exchange.
type Want struct {
	Text, Refusal, NativeStop string
	Stop                      dialect.Stop
	Usage                     dialect.Usage
	Logprobs                  int
	Model                     string
	// Outcome is set where there is no answer but an error.
	Outcome dialect.Outcome
	// Wait is checked where it is not 0.
	Wait time.Duration
}

// Run runs the suite.
func Run(t *testing.T, s Suite) {
	t.Helper()
	s.counts = &counts{}
	t.Cleanup(func() {
		c := s.counts
		t.Logf("%d streams of %d bytes: cut at %d places, read in two pieces at %d", c.streams.Load(), c.bytes.Load(), c.cuts.Load(), c.splits.Load())
	})
	t.Run("Requests", s.requests)
	t.Run("Documented", s.documented)
	t.Run("Answers", s.answers)
	t.Run("Failures", s.failures)
	t.Run("Oversize", s.oversize)
	t.Run("Fixtures", s.fixtures)
}

// result is what a dialect made of some bytes.
type result struct {
	reply  dialect.Reply
	err    *dialect.Error
	pieces string // the text of all deltas of a stream
	deltas []int  // where in that text each delta ends
}

// decode reads a whole answer, or a failure, by its status.
func decode(d dialect.Dialect, r dialect.Response) (res result, err error) {
	const ok = 200
	if r.Status != ok {
		if res.err = d.Fail(r); res.err == nil {
			return res, errors.New("method Fail gives no error")
		}
		return res, nil
	}
	var failed error
	if res.reply, failed = d.Decode(r); failed != nil && !errors.As(failed, &res.err) {
		return res, fmt.Errorf("method Decode gives %T, want a *dialect.Error", failed)
	}
	return res, nil
}

// stream reads a streamed answer to its end and checks the order in which it comes: texts, then a reply or an error, then nothing.
func stream(d dialect.Dialect, src io.Reader) (res result, err error) {
	var pieces strings.Builder
	ended := false
	for delta, failed := range d.Stream(src) {
		switch {
		case ended:
			return res, errors.New("the stream goes on behind its end")
		case failed != nil:
			ended = true
			if !errors.As(failed, &res.err) {
				return res, fmt.Errorf("method Stream gives %T, want a *dialect.Error", failed)
			}
		case delta.Reply != nil:
			ended = true
			res.reply = *delta.Reply
			pieces.WriteString(delta.Text)
			res.deltas = append(res.deltas, pieces.Len())
		case delta.Text == "":
			return res, errors.New("the stream gives an empty delta")
		default:
			pieces.WriteString(delta.Text)
			res.deltas = append(res.deltas, pieces.Len())
		}
	}
	res.pieces = pieces.String()
	if !ended {
		return res, errors.New("the stream ends with neither reply nor error")
	}
	if res.err == nil && res.pieces != res.reply.Text {
		return res, fmt.Errorf("the stream's pieces make %q, its reply has %q", res.pieces, res.reply.Text)
	}
	return res, nil
}

// equal compares all but the sizes of the deltas, and errors without their causes.
func (r result) equal(o result) bool {
	if (r.err == nil) != (o.err == nil) || r.pieces != o.pieces {
		return false
	}
	if r.err != nil {
		a, b := *r.err, *o.err
		a.Cause, b.Cause = nil, nil
		return a == b
	}
	a, b := r.reply, o.reply
	return a.Text == b.Text && a.Refusal == b.Refusal && a.Stop == b.Stop && a.NativeStop == b.NativeStop && a.Usage == b.Usage && slices.Equal(a.Logprobs, b.Logprobs) &&
		a.Model == b.Model && a.RequestID == b.RequestID
}

// String writes a result for golden files and for messages of tests.
func (r result) String() string {
	var b strings.Builder
	if r.err != nil {
		fmt.Fprintf(&b, "outcome: %s\nstatus: %d\n", r.err.Outcome, r.err.Status)
		if r.err.Code != "" {
			fmt.Fprintf(&b, "code: %s\n", r.err.Code)
		}
		if r.err.Wait != 0 {
			fmt.Fprintf(&b, "wait: %s\n", r.err.Wait)
		}
		if r.pieces != "" {
			fmt.Fprintf(&b, "text so far: %q\n", r.pieces)
		}
		writeUsage(&b, r.err.Usage)
		return b.String()
	}
	fmt.Fprintf(&b, "stop: %s (%s)\ntext: %q\n", stopName(r.reply.Stop), r.reply.NativeStop, r.reply.Text)
	if r.reply.Refusal != "" {
		fmt.Fprintf(&b, "refusal: %q\n", r.reply.Refusal)
	}
	if r.reply.Model != "" || r.reply.RequestID != "" {
		fmt.Fprintf(&b, "from: model %q, request %q\n", r.reply.Model, r.reply.RequestID)
	}
	writeUsage(&b, r.reply.Usage)
	for _, l := range r.reply.Logprobs {
		fmt.Fprintf(&b, "token: %q %g\n", l.Text, l.Logprob)
	}
	return b.String()
}

func writeUsage(b *strings.Builder, u dialect.Usage) {
	if !u.Known {
		return
	}
	fmt.Fprintf(b, "usage: input %d, of it cached %d and written %d", u.Input, u.CachedInput, u.CacheWrite)
	if u.LongCacheWrite > 0 {
		fmt.Fprintf(b, " (%d for an hour)", u.LongCacheWrite)
	}
	fmt.Fprintf(b, "; output %d, of it reasoning %d\n", u.Output, u.Reasoning)
}

func stopName(s dialect.Stop) string {
	switch s {
	case dialect.StopComplete:
		return "complete"
	case dialect.StopTool:
		return "tool"
	case dialect.StopTruncated:
		return "truncated"
	case dialect.StopRefused:
		return "refused"
	case dialect.StopFiltered:
		return "filtered"
	case dialect.StopPaused:
		return "paused"
	default:
		return "error"
	}
}
