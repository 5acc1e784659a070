package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
)

// Event is one event of a streamed analysis; exactly one of its fields but ID is set.
type Event struct {
	// ID is the event's place in the stream.
	ID string
	// Attempt is a finished call to a provider.
	Attempt *Attempt
	// Partial holds the fields that are complete and valid by now; each later one holds every earlier value unchanged.
	Partial json.RawMessage
	// Answer is the result, which ends the stream.
	Answer *Answer
}

// AnalyzeStream is Analyze with what is known on the way. The stream ends with an Event that has the Answer, or with an error: what the server
// says as its last word is an [Error]. Ending the loop early ends the request. Streams can't be replayed: an IdempotencyKey is refused by the server.
func (c *Client) AnalyzeStream(ctx context.Context, r Request) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		k, err := analyzeCall(r, true)
		if err != nil {
			yield(Event{}, err)
			return
		}
		if r.IdempotencyKey != "" {
			k.header.Set("Idempotency-Key", r.IdempotencyKey)
		}
		response, err := c.send(ctx, k)
		if err != nil {
			yield(Event{}, err)
			return
		}
		defer response.Body.Close() //nolint:errcheck // Nothing can be done about it.
		events := newEventReader(response.Body)
		for {
			event, err := nextEvent(events)
			if ctx.Err() != nil && err != nil {
				err = fmt.Errorf("read the stream: %w", ctx.Err())
			}
			if !yield(event, err) || err != nil || event.Answer != nil {
				return
			}
		}
	}
}

// nextEvent reads up to the next event that this client knows: a later server may send others.
func nextEvent(events *eventReader) (Event, error) {
	for {
		frame, err := events.next()
		if errors.Is(err, io.EOF) {
			return Event{}, fmt.Errorf("the stream ended without a result: %w", io.ErrUnexpectedEOF)
		}
		if err != nil {
			return Event{}, fmt.Errorf("read the stream: %w", err)
		}
		event := Event{ID: frame.id}
		switch frame.name {
		case "attempt":
			err = json.Unmarshal(frame.data, &event.Attempt)
		case "partial":
			var partial struct {
				Data json.RawMessage `json:"data"`
			}
			err = json.Unmarshal(frame.data, &partial)
			event.Partial = partial.Data
		case "result":
			event.Answer, err = readAnswer(frame.data)
		case "error":
			fault := &Error{Raw: frame.data}
			if err = json.Unmarshal(frame.data, fault); err == nil {
				return Event{}, fault
			}
		default:
			continue
		}
		if err != nil {
			return Event{}, fmt.Errorf("read the stream: event %q: %w", frame.name, err)
		}
		return event, nil
	}
}

// frame is one server-sent event.
type frame struct {
	id, name string
	data     []byte
}

// eventReader takes server-sent events out of a body.
type eventReader struct {
	in *bufio.Reader
}

func newEventReader(r io.Reader) *eventReader { return &eventReader{in: bufio.NewReader(r)} }

// next gives the next event that has data. Comments, which keep silent connections open, are passed over.
func (r *eventReader) next() (frame, error) {
	var f frame
	seen := false
	for {
		line, err := r.line()
		if err != nil {
			return frame{}, err // An event that was cut is none.
		}
		if len(line) == 0 {
			if seen {
				return f, nil
			}
			f = frame{}
			continue
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(name) {
		case "id":
			f.id = string(value)
		case "event":
			f.name = string(value)
		case "data":
			if seen {
				f.data = append(f.data, '\n')
			}
			f.data = append(f.data, value...)
			seen = true
		}
		if len(f.data) > mostAnswer {
			return frame{}, errors.New("an event is too large")
		}
	}
}

// line reads one line of any length without its end; beside an error stands what of the line had come.
func (r *eventReader) line() ([]byte, error) {
	var line []byte
	for {
		part, err := r.in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return bytes.TrimRight(line, "\r\n"), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return line, err
		case len(line) > mostAnswer:
			return nil, errors.New("a line is too large")
		}
	}
}
