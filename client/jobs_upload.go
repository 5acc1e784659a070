package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
)

// SubmitStream hands in a batch whose prompts are lines of JSON, each a [JobItem]: up to 50,000, and as many bytes as the server's limits.upload_bytes allows. They
// are sent as they are read. The request holds what they share, and what is the job's own.
//
// Where the lines are an [io.Seeker], such as a file, a submission whose answer was lost is sent again, and accepted once; of anything else it is sent once. When
// this returns with an error, a read of the lines may still be under way.
func (c *Client) SubmitStream(ctx context.Context, r JobRequest, lines io.Reader) (*JobReceipt, error) {
	if len(r.Items) > 0 {
		return nil, errors.New("the prompts are in the lines: the request holds none")
	}
	first, err := encode(r)
	if err != nil {
		return nil, err
	}
	k := c.submission(r)
	k.media = "application/x-ndjson"
	u := &upload{first: first, lines: lines}
	if seeker, ok := lines.(io.Seeker); ok {
		// A pipe has the method and can't do it.
		if u.start, err = seeker.Seek(0, io.SeekCurrent); err == nil {
			u.seeker = seeker
		}
	}
	k.single = u.seeker == nil
	k.upload = u.open
	return receipt(fetch[*JobReceipt](ctx, c, k))
}

// upload opens the body of an upload once a try.
type upload struct {
	first  []byte
	lines  io.Reader
	seeker io.Seeker // nil where the lines can be read once
	start  int64
	last   *turn
}

// open begins with the first line. What reads for the try before reads nothing any more.
func (u *upload) open() (io.Reader, error) {
	if u.seeker != nil {
		if u.last != nil {
			u.last.end()
		}
		if _, err := u.seeker.Seek(u.start, io.SeekStart); err != nil {
			return nil, fmt.Errorf("read the lines from their beginning again: %w", err)
		}
	}
	u.last = &turn{from: u.lines}
	return io.MultiReader(bytes.NewReader(u.first), u.last), nil
}

// turn is a reader for as long as a try lasts: a connection that was given up may still want to read.
type turn struct {
	mu   sync.Mutex
	from io.Reader
	over bool
}

// Read reads while it is the try's turn.
func (t *turn) Read(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return 0, errors.New("the request has ended")
	}
	return t.from.Read(b)
}

func (t *turn) end() {
	t.mu.Lock()
	t.over = true
	t.mu.Unlock()
}
