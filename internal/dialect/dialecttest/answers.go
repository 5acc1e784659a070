package dialecttest

import (
	"bytes"
	"net/http"
	"net/textproto"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/promptd/promptd/internal/dialect"
)

// promises are what an answer's name says of it; a name begins with one of these. Every dialect has an answer of each of the first ones.
func promises() []promise {
	reply := func(s dialect.Stop) func(result) bool {
		return func(r result) bool { return r.err == nil && r.reply.Stop == s }
	}
	failed := func(outcomes ...dialect.Outcome) func(result) bool {
		return func(r result) bool { return r.err != nil && slices.Contains(outcomes, r.err.Outcome) }
	}
	return []promise{
		{"complete", true, reply(dialect.StopComplete)},
		{"truncated", true, reply(dialect.StopTruncated)},
		{"unknown-stop", true, reply(dialect.StopError)},
		{"no-answer", true, failed(dialect.Unknown)},
		{"cut", true, failed(dialect.Connection)},
		{"malformed", true, failed(dialect.Unknown)},
		{"error", false, func(r result) bool { return r.err != nil && r.err.Outcome != dialect.OK }},
		{"tool", false, reply(dialect.StopTool)},
		{"refused", false, reply(dialect.StopRefused)},
		{"filtered", false, func(r result) bool {
			return r.err == nil && r.reply.Stop == dialect.StopFiltered || r.err != nil && r.err.Outcome == dialect.Filtered
		}},
		{"paused", false, reply(dialect.StopPaused)},
	}
}

type promise struct {
	prefix   string
	required bool
	kept     func(result) bool
}

// answers reads the golden answers: response is the answer as it comes, want what becomes of it. A whole answer and a stream are told apart by their
// content type.
func (s Suite) answers(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("testdata", "answers", "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".txtar")
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(archive.Files, func(f txtar.File) bool { return f.Name == "response" })
		if i < 0 {
			t.Fatalf("%s has no file named response", path)
		}
		r := parseResponse(t, archive.Files[i].Data)
		streamed := isStream(r)
		if streamed && s.Wire != nil {
			r.Body = s.Wire(r.Body)
		}
		p := slices.IndexFunc(promises(), func(p promise) bool { return strings.HasPrefix(name, p.prefix) })
		if p < 0 {
			t.Errorf("%s: its name promises nothing", path)
			continue
		}
		promise := promises()[p]
		have[promise.prefix+strconv.FormatBool(streamed)] = true
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := s.read(r)
			if err != nil {
				t.Fatal(err)
			}
			if !promise.kept(got) {
				t.Errorf("what the name promises is not so:\n%s", got)
			}
			if got.err != nil {
				quiet(t, r, got.err)
			}
			golden(t, path, "want", got.String())
			if streamed && r.Status == http.StatusOK {
				s.abuse(t, r.Body)
			}
		})
	}
	for _, p := range promises() {
		for _, streamed := range [...]bool{false, true} {
			if p.required && !have[p.prefix+strconv.FormatBool(streamed)] {
				t.Errorf("there is no answer whose name begins with %s (stream: %v)", p.prefix, streamed)
			}
		}
	}
}

func isStream(r dialect.Response) bool {
	return r.Status == http.StatusOK && !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json")
}

// read reads an answer in the way that its content type asks for.
func (s Suite) read(r dialect.Response) (result, error) {
	if isStream(r) {
		return stream(s.Dialect, bytes.NewReader(r.Body))
	}
	return decode(s.Dialect, r)
}

// parseResponse reads "429", headers, an empty line and a body. The body of a golden file always ends in a line feed, which is cut off again; an answer that
// needs one has two.
func parseResponse(t *testing.T, text []byte) dialect.Response {
	t.Helper()
	head, body, ok := bytes.Cut(text, []byte("\n\n"))
	if !ok {
		head, body = bytes.TrimSuffix(text, []byte("\n")), nil
	}
	lines := strings.Split(string(head), "\n")
	status, err := strconv.Atoi(lines[0])
	if err != nil {
		t.Fatalf("a response begins with its status, not with %q", lines[0])
	}
	r := dialect.Response{Status: status, Header: http.Header{}, Body: bytes.TrimSuffix(body, []byte("\n"))}
	for _, line := range lines[1:] {
		name, v, _ := strings.Cut(line, ": ")
		r.Header.Add(textproto.CanonicalMIMEHeaderKey(name), v)
	}
	return r
}

// quiet checks that an error says nothing of the answer's text: services echo prompts in their messages.
func quiet(t *testing.T, r dialect.Response, e *dialect.Error) {
	t.Helper()
	const most = 300
	if text := e.Error(); len(text) > most || strings.Contains(text, "SECRET") {
		t.Errorf("the error repeats the answer: %q", text)
	}
	if e.Status != r.Status {
		t.Errorf("the error has status %d, the answer %d", e.Status, r.Status)
	}
	if e.Wait < 0 {
		t.Errorf("the error asks to wait %s", e.Wait)
	}
}

// failures classifies statuses as no service can mean otherwise, with bodies as gateways send them.
func (s Suite) failures(t *testing.T) {
	t.Parallel()
	bodies := map[string]string{
		"nothing": "", "HTML": "<html><head><title>502 Bad Gateway</title></head><body>SECRET</body></html>", "text": "upstream connect error SECRET",
		"null": "null", "list": "[]", "number": "7", "broken JSON": `{"error": {"message": "SECRET`, "empty error": `{"error": {}}`, "null error": `{"error": null}`,
		"text error": `{"error": "SECRET"}`, "deep": strings.Repeat("[", 100_000), "binary": "\x00\xff\xfe\x1f\x8b",
	}
	for status, want := range map[int]dialect.Outcome{
		400: dialect.BadRequest, 401: dialect.Auth, 402: dialect.Quota, 403: dialect.Auth, 404: dialect.BadRequest, 405: dialect.BadRequest, 408: dialect.Timeout,
		409: dialect.OverloadedProvider, 413: dialect.TooLarge, 415: dialect.BadRequest, 422: dialect.BadRequest, 424: dialect.OverloadedProvider,
		425: dialect.OverloadedProvider, 429: dialect.RateLimited, 500: dialect.OverloadedProvider, 502: dialect.OverloadedProvider, 503: dialect.OverloadedProvider,
		504: dialect.Timeout, 520: dialect.OverloadedProvider, 524: dialect.Timeout, 529: dialect.OverloadedProvider, 204: dialect.Unknown, 307: dialect.BadRequest,
		999: dialect.Unknown,
	} {
		for name, body := range bodies {
			r := dialect.Response{Status: status, Header: http.Header{"Content-Type": {"text/html"}}, Body: []byte(body)}
			e := s.Dialect.Fail(r)
			if e == nil {
				t.Fatalf("%d with %s: Fail gives nothing", status, name)
			}
			if e.Outcome != want {
				t.Errorf("%d with %s is %s, want %s", status, name, e.Outcome, want)
			}
			quiet(t, r, e)
		}
	}
	if e := s.Dialect.Fail(dialect.Response{Status: 500}); e == nil || e.Outcome != dialect.OverloadedProvider {
		t.Errorf("500 without headers: %v", e)
	}
}
