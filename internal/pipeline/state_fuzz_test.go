package pipeline

import (
	"encoding/base64"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/schema/missing"
	"github.com/promptd/promptd/internal/value"
)

// FuzzState reads states that nobody gave out: by the text alone, and as what would stand inside of the box if somebody had the key. The first never opens; the
// second opens or is refused as a fault of the request.
func FuzzState(f *testing.F) {
	box, err := newStates(make([]byte, StateKeyBytes))
	if err != nil {
		f.Fatal(err)
	}
	now := time.Unix(1_800_000_000, 0)
	own, err := box.seal("team", &dialogue{
		Asked: now.Unix(), Request: value.Object(value.Member{Name: "prompt", Value: value.String("x")}), Rounds: []round{{Questions: []missing.Question{{Pointer: "/a", Text: "?"}}}},
	})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"", "pd1.", "pd1.AAAA", "pd2.AAAA", own[:len(own)-2], own + "A", "{}", `{"asked":1}`, "\x00\xff", "\x4b\x04\x00", "\x01\x05\x00\xfa\xff{\"x\"}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := box.open("team", text, now); err == nil && text != own {
			t.Errorf("%q opens", text)
		} else if err != nil && !fault.Is(err, fault.InvalidRequest) {
			t.Errorf("%q: %v", text, err)
		}
		packed := statePrefix + base64.RawURLEncoding.EncodeToString(box.box.Seal(nil, nil, []byte(text), []byte("team")))
		if _, err := box.open("team", packed, now); err != nil && !fault.Is(err, fault.InvalidRequest) {
			t.Errorf("%q inside of the box: %v", text, err)
		}
	})
}
