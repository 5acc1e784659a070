package eventstream_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/dialect/dialecttest"
	"github.com/promptd/promptd/internal/dialect/eventstream"
)

// all reads a stream to its end.
func all(src io.Reader) (list []eventstream.Message, err error) {
	r := eventstream.NewReader(src)
	for {
		m, err := r.Next()
		if err != nil {
			if _, again := r.Next(); !errors.Is(again, err) {
				return nil, errors.New("after an error the next one is another")
			}
			return list, err
		}
		m.Payload = bytes.Clone(m.Payload)
		list = append(list, m)
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	stream := bytes.Join([][]byte{
		dialecttest.Message([]byte(`{"a":1}`), ":message-type", "event", ":event-type", "messageStart", ":content-type", "application/json"),
		dialecttest.Message(nil, ":exception-type", "throttlingException", ":message-type", "exception"),
		dialecttest.Message(nil, ":error-code", "Internal", ":error-message", "text", ":message-type", "error"),
		dialecttest.Message([]byte("x")),
	}, nil)
	want := []eventstream.Message{
		{Type: "event", Name: "messageStart", Payload: []byte(`{"a":1}`)},
		{Type: "exception", Name: "throttlingException"},
		{Type: "error", Name: "Internal", Text: "text"},
		{Payload: []byte("x")},
	}
	for name, src := range map[string]io.Reader{
		"whole": bytes.NewReader(stream), "one byte at a time": iotest.OneByteReader(bytes.NewReader(stream)),
		"data with the end": iotest.DataErrReader(bytes.NewReader(stream)),
	} {
		got, err := all(src)
		if !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: ends in %v", name, err)
		}
		for i := range got {
			if len(got[i].Payload) == 0 {
				got[i].Payload = nil
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// The bytes are those that the service sent, from a recorded exchange: framing of our own making would show no misreading.
func TestARecordedMessage(t *testing.T) {
	t.Parallel()
	const recorded = "AAAAsgAAAFKKQLTFCzpldmVudC10eXBlBwAMbWVzc2FnZVN0YXJ0DTpjb250ZW50LXR5cGUHABBhcHBsaWNhdGlvbi9qc29uDTptZXNzYWdlLXR5cGUHAAVldmVudHsicCI6ImFi" +
		"Y2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowIiwicm9sZSI6ImFzc2lzdGFudCJ9QP+CaA=="
	raw, err := base64.StdEncoding.DecodeString(recorded)
	if err != nil {
		t.Fatal(err)
	}
	got, err := all(bytes.NewReader(raw))
	if !errors.Is(err, io.EOF) || len(got) != 1 || got[0].Type != "event" || got[0].Name != "messageStart" ||
		string(got[0].Payload) != `{"p":"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0","role":"assistant"}` {
		t.Errorf("got %q, %v", got, err)
	}
	// No bit of it may change unseen.
	for i := range raw {
		for bit := range 8 {
			changed := bytes.Clone(raw)
			changed[i] ^= 1 << bit
			if got, err := all(bytes.NewReader(changed)); len(got) > 0 || errors.Is(err, io.EOF) {
				t.Fatalf("bit %d of byte %d changed: got %q, %v", bit, i, got, err)
			}
		}
	}
	// And no byte be lost.
	for n := range raw {
		want := io.ErrUnexpectedEOF
		if n == 0 {
			want = io.EOF
		}
		if got, err := all(bytes.NewReader(raw[:n])); len(got) > 0 || !errors.Is(err, want) {
			t.Fatalf("cut after %d bytes: got %q, %v", n, got, err)
		}
	}
}

// frame makes a message of any headers and any lengths, with right checksums.
func frame(total, length uint32, headers, payload []byte) []byte {
	b := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, total), length)
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	b = append(append(b, headers...), payload...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

func TestHeadersOfAllKinds(t *testing.T) {
	t.Parallel()
	one := func(kind byte, v string) []byte { return append([]byte{1, 'k', kind}, v...) }
	text := append([]byte{13}, ":message-type\x07\x00\x05event"...)
	for _, h := range [][]byte{
		one(0, ""), one(1, ""), one(2, "1"), one(3, "12"), one(4, "1234"), one(5, "12345678"), one(6, "\x00\x03abc"), one(7, "\x00\x00"), one(8, "12345678"),
		one(9, strings.Repeat("u", 16)),
	} {
		h = append(h, text...)
		n := uint32(len(h)) //nolint:gosec // Short.
		got, err := all(bytes.NewReader(frame(16+n, n, h, nil)))
		if !errors.Is(err, io.EOF) || len(got) != 1 || got[0].Type != "event" {
			t.Errorf("%q: got %q, %v", h, got, err)
		}
	}
	for _, h := range [][]byte{
		one(10, ""), one(255, "x"), one(2, ""), one(5, "1234567"), one(6, "\x00"), one(7, "\x00\x05abc"), one(9, "u"), {3, 'a'}, {1, 'a'}, {0},
	} {
		n := uint32(len(h)) //nolint:gosec // Short.
		if got, err := all(bytes.NewReader(frame(16+n, n, h, nil))); !errors.Is(err, eventstream.ErrMalformed) || len(got) > 0 {
			t.Errorf("%q: got %q, %v", h, got, err)
		}
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stream []byte
		want   error
	}{
		"too long":                 {frame(eventstream.MaxMessage+1, 0, nil, nil), eventstream.ErrTooLarge},
		"longest, not all there":   {frame(eventstream.MaxMessage, 0, nil, nil), io.ErrUnexpectedEOF},
		"too short":                {frame(15, 0, nil, nil), eventstream.ErrMalformed},
		"headers beyond the end":   {frame(16, 1, []byte{0}, nil), eventstream.ErrMalformed},
		"headers that wrap around": {frame(16, 1<<32-1, nil, nil), eventstream.ErrMalformed},
		"text":                     {[]byte(`{"message":"Internal failure"}`), eventstream.ErrMalformed},
	} {
		if got, err := all(bytes.NewReader(c.stream)); !errors.Is(err, c.want) || len(got) > 0 {
			t.Errorf("%s: got %q, %v, want %v", name, got, err, c.want)
		}
	}
	if _, err := all(idle{}); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("a source that gives nothing ends in %v", err)
	}
	if got, err := all(iotest.ErrReader(io.ErrClosedPipe)); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a source that fails: %q, %v", got, err)
	}
	if got, err := all(miscounts{}); err == nil || len(got) > 0 {
		t.Errorf("a source that counts wrongly: %q, %v", got, err)
	}
}

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

type miscounts struct{}

func (miscounts) Read(p []byte) (int, error) { return len(p) + 1, nil }

func FuzzReader(f *testing.F) {
	f.Add(dialecttest.Message([]byte(`{}`), ":message-type", "event", ":event-type", "x"))
	for _, recorded := range dialecttest.Recorded(f, "bedrock") {
		if recorded.Form == "eventstream" {
			f.Add(recorded.Body)
		}
	}
	f.Add(frame(20, 4, []byte{1, 'a', 2, 3}, nil))
	f.Fuzz(func(t *testing.T, stream []byte) {
		whole, err := all(bytes.NewReader(stream))
		pieces, again := all(iotest.OneByteReader(bytes.NewReader(stream)))
		if err.Error() != again.Error() || !cmp.Equal(whole, pieces) {
			t.Errorf("whole: %q, %v; byte by byte: %q, %v", whole, err, pieces, again)
		}
	})
}
