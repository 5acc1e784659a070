package sdk_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/dialect"
)

// reading is what somebody read of an answer.
type reading struct {
	// prose is the text, arguments what the first tool was called with. A stream's prose ends where a call begins.
	prose, arguments string
	called           bool
	refusal          string
	stop             string // in the service's own word
	model            string
	usage            dialect.Usage
	logprobs         int
	// failed says that there is no answer but an error; status and codes are the service's.
	failed bool
	status int
	codes  []string
}

// text is the answer as promptd puts it together: a whole one is the first call's arguments alone, a stream has given away the prose before it.
func (r *reading) text(streamed bool) string {
	switch {
	case !r.called:
		return r.prose
	case streamed:
		return r.prose + r.arguments
	default:
		return r.arguments
	}
}

// ours is what the dialect makes of the answer at the address.
func ours(t *testing.T, d dialect.Dialect, url string, streamed bool) (dialect.Reply, *dialect.Error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // It was read.
	if streamed && resp.StatusCode == http.StatusOK {
		return drain(t, d, resp.Body)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	r := dialect.Response{Status: resp.StatusCode, Header: resp.Header, Body: body}
	if r.Status != http.StatusOK {
		return dialect.Reply{}, d.Fail(r)
	}
	reply, err := d.Decode(r)
	return reply, failure(t, err)
}

func drain(t *testing.T, d dialect.Dialect, body io.Reader) (dialect.Reply, *dialect.Error) {
	t.Helper()
	for delta, err := range d.Stream(body) {
		if err != nil {
			return dialect.Reply{}, failure(t, err)
		}
		if delta.Reply != nil {
			return *delta.Reply, nil
		}
	}
	t.Fatal("the stream ended with neither reply nor error")
	return dialect.Reply{}, nil
}

func failure(t *testing.T, err error) *dialect.Error {
	t.Helper()
	if err == nil {
		return nil
	}
	var failed *dialect.Error
	if !errors.As(err, &failed) {
		t.Fatalf("%T is no *dialect.Error: %v", err, err)
	}
	return failed
}

// compare says in which members the readings differ, each with both values.
func compare(theirs *reading, reply dialect.Reply, failed *dialect.Error, streamed bool) map[string][2]any {
	found := map[string][2]any{}
	note := func(member string, their, our any) {
		if !reflect.DeepEqual(their, our) {
			found[member] = [2]any{their, our}
		}
	}
	note("failed", theirs.failed, failed != nil)
	if theirs.failed != (failed != nil) {
		return found
	}
	if failed != nil {
		note("status", theirs.status, failed.Status)
		if !contains(theirs.codes, failed.Code) {
			note("code", theirs.codes, failed.Code)
		}
		return found
	}
	if text := theirs.text(streamed); text != reply.Text && !(theirs.called && sameArguments(theirs, reply.Text, streamed)) {
		note("text", text, reply.Text)
	}
	note("refusal", theirs.refusal, reply.Refusal)
	note("stop", theirs.stop, reply.NativeStop)
	note("model", theirs.model, reply.Model)
	note("usage", theirs.usage, reply.Usage)
	note("logprobs", theirs.logprobs, len(reply.Logprobs))
	return found
}

func contains(codes []string, code string) bool {
	for _, c := range codes {
		if c == code {
			return true
		}
	}
	return code == "" && len(codes) == 0
}

// sameArguments compares as JSON values: some clients hand out arguments that they have parsed.
func sameArguments(theirs *reading, text string, streamed bool) bool {
	if streamed {
		rest, ok := strings.CutPrefix(text, theirs.prose)
		if !ok {
			return false
		}
		text = rest
	}
	var a, b any
	return json.Unmarshal([]byte(theirs.arguments), &a) == nil && json.Unmarshal([]byte(text), &b) == nil && reflect.DeepEqual(a, b)
}
