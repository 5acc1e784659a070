package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/promptd/promptd/internal/body"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/value"
)

// call is one request being answered.
type call struct {
	server *Server
	w      *writer
	r      *http.Request
	// id is ours; pipeline requests have their own, which replaces it.
	id     string
	caller *key.Caller
	// clientID is the caller's own id of the request, empty without a usable one.
	clientID string
	// stream is the answer where it is one of events.
	stream *stream
	// leave gives back the caller's place among those at the same time; nil where none was taken.
	leave func()
	// atDoor says that the call has a place at the door, which it gives back.
	atDoor bool
	// words is set on routes whose errors are worded as OpenAI's.
	words *wording
}

// writer remembers what was written.
type writer struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// answerLimit is how long an answer may take to get out, from its first byte to its last; events of a stream have a limit each (patience). A caller that
// asks and does not read would hold its place for ever.
const answerLimit = 2 * time.Minute

// WriteHeader notes the status.
func (w *writer) WriteHeader(status int) {
	w.begin(status)
	w.ResponseWriter.WriteHeader(status)
}

// begin notes the first status; from then on the answer has to get out.
func (w *writer) begin(status int) {
	if w.status != 0 {
		return
	}
	w.status = status
	// The connection's next answer sets its own limit. Writers without deadlines are those of tests.
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(answerLimit)) //nolint:errcheck // As said.
}

// Write counts the bytes.
func (w *writer) Write(b []byte) (int, error) {
	w.begin(http.StatusOK)
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// raw reads the body as bytes: the media type first, then at most limits.body_bytes.
func (c *call) raw() ([]byte, error) {
	if encoding := c.r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return nil, fault.New(fault.UnsupportedMediaType, "a body with a content encoding is not taken")
	}
	if kind := c.r.Header.Get("Content-Type"); kind != "application/json" && !isJSON(kind) {
		return nil, fault.New(fault.UnsupportedMediaType, "the body must be application/json in UTF-8")
	}
	most := c.server.deps.Settings().BodyBytes
	if c.r.ContentLength > most {
		return nil, tooLarge(most)
	}
	var buf bytes.Buffer
	if n := c.r.ContentLength; n > 0 {
		const trusted = 64 << 10 // A length is a claim until the bytes are here.
		buf.Grow(int(min(n, trusted)) + bytes.MinRead)
	}
	_, err := buf.ReadFrom(http.MaxBytesReader(c.w.ResponseWriter, c.r.Body, most))
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return nil, tooLarge(most)
	case err != nil:
		return nil, fault.New(fault.InvalidRequest, "the body could not be read to its end").Because(err)
	}
	// The server's limit of time is for reading. Left in force it would end the request's context under a slow model.
	_ = http.NewResponseController(c.w).SetReadDeadline(time.Time{}) //nolint:errcheck // Tests have no connection to set it on.
	return buf.Bytes(), nil
}

func tooLarge(most int64) error {
	return fault.New(fault.PayloadTooLarge, "the body is larger than %d bytes (limits.body_bytes)", most)
}

func isJSON(contentType string) bool {
	kind, parameters, err := mime.ParseMediaType(contentType)
	if err != nil || kind != "application/json" {
		return false
	}
	charset, ok := parameters["charset"]
	return !ok || strings.EqualFold(charset, "utf-8")
}

// object reads a body that must be an object; an absent body is an empty one where optional is set.
func (c *call) object(optional bool) (*body.Reader, []byte, error) {
	if optional && c.r.ContentLength == 0 {
		return body.Open(value.Object()), nil, nil
	}
	raw, err := c.raw()
	if err != nil {
		return nil, nil, err
	}
	if optional && len(raw) == 0 {
		return body.Open(value.Object()), nil, nil
	}
	v, err := body.Decode(raw)
	if err != nil {
		return nil, nil, err
	}
	return body.Open(v), raw, nil
}

// json answers with a value as JSON.
func (c *call) json(status int, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode an answer: %w", err)
	}
	return c.bytes(status, append(raw, '\n'))
}

// bytes answers with JSON that is ready.
func (c *call) bytes(status int, raw []byte) error {
	c.w.Header()["Content-Type"] = []string{mediaJSON}
	return c.send(status, raw)
}

// empty answers 204.
func (c *call) empty() error {
	c.answersRequestID()
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}
