package relay

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const (
	piece   = `data: {"id":"x","choices":[{"index":0,"delta":{"content":"a \"usage\" b"}}],"usage":null}`
	tally   = `data: {"id":"x","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}`
	tallied = `data: {"id":"x","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2}}`
	filters = `data: {"choices":[],"prompt_filter_results":[{}],"usage":null}`
	failed  = `data: {"choices":[],"usage":{"prompt_tokens":3},"error":{"message":"no"}}`
	odd     = `data: {"choices":[],"usage":{"prompt_tokens":3}`
	done    = `data: [DONE]`
	comment = `: keep-alive`
)

// However a stream is cut into pieces, what goes on is the stream without the events that only count.
func TestCountsAloneAreLeftOut(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		end := rapid.SampledFrom([]string{"\n", "\r\n", "\r"}).Draw(t, "line end")
		var whole, want strings.Builder
		for _, event := range rapid.SliceOf(rapid.SampledFrom([]string{piece, tally, tallied, filters, failed, odd, done, comment})).Draw(t, "events") {
			whole.WriteString(event + end + end)
			if event != tally {
				want.WriteString(event + end + end)
			}
		}
		rest := rapid.SampledFrom([]string{"", "data: {", "data: x" + end}).Draw(t, "rest")
		whole.WriteString(rest)
		want.WriteString(rest)
		var got strings.Builder
		u := uncounted{sink: func(b []byte) error {
			got.Write(b)
			return nil
		}}
		for left := whole.String(); left != ""; {
			n := rapid.IntRange(1, len(left)).Draw(t, "read")
			if err := u.write([]byte(left[:n])); err != nil {
				t.Fatal(err)
			}
			left = left[n:]
		}
		if err := u.end(); err != nil {
			t.Fatal(err)
		}
		// A line end of two characters that was cut in the middle may leave its second half behind: to readers that is one more empty line.
		if plain := strings.NewReplacer("\r\n", "", "\n", "", "\r", ""); plain.Replace(got.String()) != plain.Replace(want.String()) || end != "\r\n" && got.String() != want.String() {
			t.Fatalf("got %q, want %q", got.String(), want.String())
		}
	})
}

func TestLongEventsAreNotHeld(t *testing.T) {
	t.Parallel()
	var sent, calls int
	u := uncounted{sink: func(b []byte) error {
		sent += len(b)
		calls++
		return nil
	}}
	long := []byte("data: " + strings.Repeat("x", mostEvent))
	for range 2 {
		if err := u.write(long); err != nil {
			t.Fatal(err)
		}
	}
	if sent != 2*len(long) || calls != 2 || len(u.held) != 0 {
		t.Errorf("got %d bytes in %d pieces with %d held, want all of %d", sent, calls, len(u.held), 2*len(long))
	}
}

// FuzzUncounted: no bytes make it panic, and nothing is lost of a stream in which nothing counts.
func FuzzUncounted(f *testing.F) {
	for _, seed := range []string{piece + "\n\n" + tally + "\r\n\r\n" + done + "\r\r", tallied + "\n\n", odd + "\n\n", "\n\n\r\n\r", "data:{\"choices\":[],\"usage\":{\n\n", ""} {
		f.Add([]byte(seed), uint8(3))
	}
	f.Fuzz(func(t *testing.T, raw []byte, size uint8) {
		var got []byte
		u := uncounted{sink: func(b []byte) error {
			got = append(got, b...)
			return nil
		}}
		for piece := range slices.Chunk(raw, int(size)+1) {
			if err := u.write(piece); err != nil {
				t.Fatal(err)
			}
		}
		if err := u.end(); err != nil {
			t.Fatal(err)
		}
		if len(got) > len(raw) || !bytes.Contains(raw, []byte(`"usage"`)) && !bytes.Equal(got, raw) {
			t.Fatalf("got %q of %q", got, raw)
		}
	})
}
