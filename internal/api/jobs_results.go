package api

import (
	"cmp"
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
)

// mediaLines is JSON in lines.
const mediaLines = "application/x-ndjson"

// mostAfter bounds a place among the ends of a job's prompts: each run counts on.
const mostAfter = 1<<31 - 1

// wantedResults is what GET /v1/jobs/{id}/results is asked for.
type wantedResults struct {
	byEnd, follow bool
	after         int
}

// jobResults is GET /v1/jobs/{id}/results: what has ended so far, a line each; with follow all of it, as it ends.
func (s *Server) jobResults(c *call) error {
	q := c.query()
	w := wantedResults{byEnd: q.enum("order", "number", "completed") == "completed", follow: q.flag("follow"), after: q.number("after", 0, 0, mostAfter)}
	if _, given := c.r.URL.Query()["order"]; given && w.follow && !w.byEnd {
		q.fault("order", "exclusive", "what is followed comes in the order of its end", "Send order=completed, or leave it out.")
	}
	if err := q.done(); err != nil {
		return err
	}
	w.byEnd = w.byEnd || w.follow
	reach := key.OfTeam(c.caller.Team)
	j, _, err := s.deps.Jobs.Job(c.r.Context(), reach, c.jobID())
	if err == nil {
		err = stillKept(&j)
	}
	if err != nil {
		return err
	}
	leave, err := c.lasts(s.streams)
	if err != nil {
		return err
	}
	defer leave()
	out := c.openLines()
	defer out.close()
	if !w.follow {
		_, err = s.writeResults(c.r.Context(), out, reach, &j, w)
	} else {
		err = s.followResults(c.r.Context(), out, reach, &j, w)
	}
	if err != nil && c.r.Context().Err() == nil {
		_ = out.line(c.lineOf(err)) //nolint:errcheck // It goes out with the rest, to whoever is there.
	}
	return nil
}

// writeResults writes what has ended behind w.after, and gives the next place.
func (s *Server) writeResults(ctx context.Context, out *lineWriter, reach key.Reach, j *job.Job, w wantedResults) (int, error) {
	var line []byte
	for item, err := range s.deps.Jobs.Results(ctx, reach, j.ID, w.byEnd, w.after) {
		if err != nil {
			return w.after, err
		}
		if w.after = item.N + 1; w.byEnd {
			w.after = item.Seq
		}
		line = item.AppendLine(line[:0])
		line = strconv.AppendInt(append(line[:len(line)-1], `,"after":`...), int64(w.after), 10)
		if err := out.line(append(line, '}', '\n')); err != nil {
			return w.after, err
		}
	}
	return w.after, out.flush()
}

// followResults writes what ends until the job is over.
func (s *Server) followResults(ctx context.Context, out *lineWriter, reach key.Reach, j *job.Job, w wantedResults) error {
	ctx, end := s.ending.waiting(ctx)
	defer end()
	for now, err := range s.deps.Jobs.Watch(ctx, reach, j.ID) {
		if err == nil {
			w.after, err = s.writeResults(ctx, out, reach, &now, w)
		}
		if err != nil {
			return cmp.Or(cut(ctx), err)
		}
	}
	return cut(ctx)
}

// lineOf is the last line of results that could not be read to their end: a problem document under error, and no id.
func (c *call) lineOf(err error) []byte {
	_, problem := c.errorBody(fault.Of(err), nil)
	line := append([]byte(`{"error":`), trimmed(problem)...)
	return append(line, '}', '\n')
}

// lineWriter writes lines of JSON. Whoever does not read holds no place for ever.
type lineWriter struct {
	w   http.ResponseWriter
	out *http.ResponseController
	buf []byte
}

// linesAtOnce is how much is gathered before it is sent, in bytes.
const linesAtOnce = 32 << 10

func (c *call) openLines() *lineWriter {
	h := c.w.Header()
	h.Set("Content-Type", mediaLines)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would hold the lines back.
	c.answersRequestID()
	c.w.WriteHeader(http.StatusOK)
	return &lineWriter{w: c.w, out: http.NewResponseController(c.w)}
}

func (l *lineWriter) line(b []byte) error {
	if l.buf = append(l.buf, b...); len(l.buf) < linesAtOnce {
		return nil
	}
	return l.flush()
}

// flush sends what was gathered.
func (l *lineWriter) flush() error {
	_ = l.out.SetWriteDeadline(time.Now().Add(patience)) //nolint:errcheck // Writers without deadlines are those of tests.
	_, err := l.w.Write(l.buf)
	l.buf = l.buf[:0]
	if err == nil {
		err = l.out.Flush()
	}
	return err
}

func (l *lineWriter) close() {
	_ = l.flush()                           //nolint:errcheck // A caller that has gone gets nothing.
	_ = l.out.SetWriteDeadline(time.Time{}) //nolint:errcheck // The connection's next request begins without one.
}

// jobEvents is GET /v1/jobs/{id}/events: progress events with the job as it is, then result with the job as GET /v1/jobs/{id} shows it. A stream begins with the
// job as it is, so that whoever comes back after a break, with a Last-Event-ID or without, has missed nothing that still holds.
func (s *Server) jobEvents(c *call) error {
	reach := key.OfTeam(c.caller.Team)
	leave, err := c.lasts(s.streams)
	if err != nil {
		return err
	}
	defer leave()
	ctx, end := s.ending.waiting(c.r.Context())
	defer end()
	for j, err := range s.deps.Jobs.Watch(ctx, reach, c.jobID()) {
		if err == nil {
			err = stillKept(&j)
		}
		if err != nil {
			return cmp.Or(cut(ctx), err) // Before the first event it is an answer with its status; behind it the last event.
		}
		if c.stream == nil {
			c.openStream()
		}
		if !j.State.Final() {
			if err := c.stream.send("progress", j.Append(nil, nil)); err != nil {
				return nil
			}
			continue
		}
		whole, only, err := s.deps.Jobs.Job(c.r.Context(), reach, j.ID)
		if err != nil {
			return err
		}
		return c.stream.send("result", whole.Append(nil, only))
	}
	return cut(ctx)
}
