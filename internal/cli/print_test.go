package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/client"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/local"
)

func TestTableIsAligned(t *testing.T) {
	t.Parallel()
	tab := table{titles: []string{"NAME", ">COUNT", "STATE"}}
	tab.add("ä", "1", "ok")
	tab.add("longer name", "12,000", "")
	var b bytes.Buffer
	if err := tab.write(&b, false); err != nil {
		t.Fatal(err)
	}
	want := "NAME          COUNT  STATE\nä                 1  ok\nlonger name  12,000\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

func TestNumbersForPeople(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ got, want string }{
		{count(0), "0"},
		{count(999), "999"},
		{count(1000), "1,000"},
		{count(-1234567), "-1,234,567"},
		{count(-123), "-123"},
		{bytesText(0), "0 B"},
		{bytesText(999), "999 B"},
		{bytesText(1000), "1.0 kB"},
		{bytesText(98_362_432), "98.4 MB"},
		{bytesText(3_000_000_000_000_000), "3000.0 TB"},
		{milliseconds(0.4), "0.4 ms"},
		{milliseconds(12.6), "13 ms"},
		{milliseconds(1243), "1.24s"},
		{milliseconds(61_234), "1m1.2s"},
		{share(1, 0), "1"},
		{share(1, 3), "1 (33%)"},
		{when(time.Time{}), "-"},
	} {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
}

func TestColourIsForTerminalsWithoutNoColor(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		env  Env
		want bool
	}{
		{Env{Terminal: true, ErrTerminal: true}, true},
		{Env{}, false},
		{Env{Terminal: true, ErrTerminal: true, Environ: []string{"NO_COLOR=1"}}, false},
		{Env{Terminal: true, ErrTerminal: true, Environ: []string{"TERM=dumb"}}, false},
	} {
		if got := bool(test.env.ink()); got != test.want || bool(test.env.errInk()) != test.want {
			t.Errorf("%+v: colour %v, want %v", test.env, got, test.want)
		}
	}
}

func TestJSONIsOneLineForScriptsAndKeepsTexts(t *testing.T) {
	t.Parallel()
	for terminal, want := range map[bool]string{false: `{"a":"<b> & c","n":1.10}` + "\n", true: "{\n  \"a\": \"<b> & c\",\n  \"n\": 1.10\n}\n"} {
		var b bytes.Buffer
		out := newPrintout(&Env{Stdout: &b, Terminal: terminal})
		if err := out.value(json.RawMessage(`{"a": "<b> & c", "n": 1.10}`)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, b.String()); diff != "" {
			t.Errorf("terminal %v (-want +got):\n%s", terminal, diff)
		}
	}
}

func TestSpansAndExpiries(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{"90d": 90 * day, "2w": 14 * day, "12h": 12 * time.Hour, "30m": 30 * time.Minute, "0s": 0, "0d": 0} {
		if got, err := span(text); err != nil || got != want {
			t.Errorf("span(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "90", "-1d", "1.5d", "d", "99999999999d", "40000d", "-3h", "soon"} {
		if got, err := span(text); err == nil {
			t.Errorf("span(%q) = %v, want an error", text, got)
		}
	}
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"": {}, "1d": now.Add(day), "2027-01-31": time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC), "2027-01-31T12:00:00+01:00": time.Date(2027, 1, 31, 11, 0, 0, 0, time.UTC),
	} {
		if got, err := expiry(text, now); err != nil || !got.Equal(want) {
			t.Errorf("expiry(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"0d", "2026-11-25", "tomorrow", "2026-11-25T12:00:00Z"} {
		if got, err := expiry(text, now); err == nil {
			t.Errorf("expiry(%q) = %v, want an error", text, got)
		}
	}
}

func TestLiveViewDrawsOverWhatItDrew(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	v := newLiveView(&Env{Stdout: &b, Size: func() (int, int) { return 12, 4 }})
	for _, partial := range []string{`{}`, `{"name":"a very long value"}`, `{"a":1,"b":2,"c":3,"d":4}`} {
		if err := v.show(json.RawMessage(partial)); err != nil {
			t.Fatal(err)
		}
	}
	v.clear()
	v.clear()
	want := "{}\n" +
		"\x1b[1A\x1b[J{\n  \"name\": \"\n}\n" +
		"\x1b[3A\x1b[J  \"c\": 3,\n  \"d\": 4\n}\n" + // The end of it: the screen has four rows.
		"\x1b[3A\x1b[J"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("drawn (-want +got):\n%s", diff)
	}
}

func TestCutCountsWideCharacters(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		line    string
		columns int
		want    string
	}{
		{"abc", 3, "abc"},
		{"abcd", 3, "abc"},
		{"日本語", 4, "日本"},
		{"日本語", 5, "日本"},
		{"ééé", 2, "éé"},
		{"a", 0, ""},
	} {
		if got := cut(test.line, test.columns); got != test.want {
			t.Errorf("cut(%q, %d) = %q, want %q", test.line, test.columns, got, test.want)
		}
	}
}

func TestProgressIsABarOrALineAStage(t *testing.T) {
	t.Parallel()
	events := []local.Event{
		{Stage: local.Downloading, Part: "engine", Done: 0, Total: 200},
		{Stage: local.Downloading, Part: "engine", Done: 100, Total: 200},
		{Stage: local.Downloading, Part: "model", Done: 150, Total: 200},
		{Stage: local.Unpacking},
		{Stage: local.Done, Done: 300},
	}
	shown := func(terminal, quiet bool) string {
		var b bytes.Buffer
		p := newProgress(&Env{Stderr: &b, ErrTerminal: terminal, Size: func() (int, int) { return 71, 20 }}, quiet)
		for _, e := range events {
			p.tell(e)
		}
		p.end()
		return b.String()
	}
	if diff := cmp.Diff("downloading the engine (0 B of 200 B)\ndownloading the model (150 B of 200 B)\nunpacking\n", shown(false, false)); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	if got := shown(true, true); got != "" {
		t.Errorf("beside --output json: %q", got)
	}
	bar := shown(true, false)
	for _, want := range []string{"\rdownloading the engine [---", "[###############---------------]  50% 100 B of ", "unpacking …"} {
		if !strings.Contains(bar, want) {
			t.Errorf("%q is missing in %q", want, bar)
		}
	}
	if strings.Contains(bar, "\n") || !strings.HasSuffix(bar, "\r\x1b[K") {
		t.Errorf("the bar does not stay on its line and go away: %q", bar)
	}
}

func TestEveryErrorHasItsExitCode(t *testing.T) {
	t.Parallel()
	remote := func(status int, code string) error {
		return fmt.Errorf("wrapped: %w", &client.Error{Status: status, Code: code, Detail: "detail"})
	}
	for _, test := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("some"), 1},
		{exit(3), 3},
		{usageError{errors.New("wrong")}, 2},
		{remote(400, client.CodeInvalidRequest), 1},
		{remote(401, client.CodeUnauthorized), 4},
		{remote(403, client.CodeForbidden), 4},
		{remote(404, client.CodeNotFound), 1},
		{remote(422, client.CodeValidationFailed), 3},
		{remote(422, client.CodeContentRefused), 3},
		{remote(429, client.CodeRateLimitExceeded), 5},
		{remote(500, client.CodeInternalError), 1},
		{remote(502, client.CodeProviderError), 5},
		{remote(503, client.CodeOverloaded), 5},
		{remote(504, client.CodeTimeout), 5},
		{remote(502, ""), 5},
		{remote(401, ""), 4},
		{remote(404, ""), 1},
		{&client.UnreachableError{Server: "http://x", Err: errors.New("refused")}, 5},
		{fault.New(fault.ValidationFailed, "x"), 3},
		{fault.New(fault.Overloaded, "x"), 5},
	} {
		var b bytes.Buffer
		if got := report(test.err, &b); got != test.want {
			t.Errorf("%v: exit code %d, want %d", test.err, got, test.want)
		}
		var code exit
		if test.err != nil && !errors.As(test.err, &code) && b.Len() == 0 {
			t.Errorf("%v: nothing was said", test.err)
		}
	}
}
