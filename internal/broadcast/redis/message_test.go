package redis

import (
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/broadcast"
)

func FuzzParse(f *testing.F) {
	origin := strings.Repeat("A", originSize)
	f.Add(message{origin: origin, kind: told, topic: broadcast.Keys, payload: "a:b\x00"}.text())
	f.Add(message{origin: origin, kind: missed, topic: broadcast.Cache}.text())
	f.Add("")
	f.Add("1m")
	f.Add("1m" + origin + ":keys")
	f.Add("2m" + origin + ":keys:x")
	f.Add("1z" + origin + ":keys:x")
	f.Add("1m" + origin + ":nosuch:x")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := parse(text)
		if err != nil {
			return
		}
		if m.text() != text {
			t.Errorf("%q is read as %+v, which is written %q", text, m, m.text())
		}
	})
}
