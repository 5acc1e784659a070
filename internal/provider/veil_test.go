package provider

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// However a stream is cut into reads, the key is nowhere in what is handed on, and all the rest is.
func TestAKeyIsNeverHandedOn(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.StringMatching(`[abs]{1,3}k-[ab]{1,8}`).Draw(t, "key")
		text := strings.Join(rapid.SliceOf(rapid.OneOf(rapid.Just(key), rapid.StringMatching(`[abk\-s]{0,6}`), rapid.Just(key[:len(key)/2]))).Draw(t, "text"), "")
		var out bytes.Buffer
		v := &veil{key: []byte(key), next: func(b []byte) error { out.Write(b); return nil }}
		for rest := text; rest != ""; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "read")
			if err := v.write([]byte(rest[:n])); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := v.end(); err != nil {
			t.Fatal(err)
		}
		if got, want := out.String(), strings.ReplaceAll(text, key, hidden); got != want {
			t.Fatalf("%q with the key %q: got %q, want %q", text, key, got, want)
		}
	})
}
