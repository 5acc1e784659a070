package sdk_test

import (
	"bytes"
	"errors"
	"net/http"
	"net/textproto"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/ollama/ollama/api"
	"golang.org/x/tools/txtar"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/ollama"
)

// ollamaChat reads Ollama's own chat with the server's own client.
func ollamaChat(t *testing.T, base string, streamed bool) *reading {
	t.Helper()
	address, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	r := &reading{}
	err = api.NewClient(address, http.DefaultClient).Chat(t.Context(), &api.ChatRequest{Model: "m", Stream: &streamed}, func(c api.ChatResponse) error {
		r.prose += c.Message.Content
		r.logprobs += len(c.Logprobs)
		if c.Model != "" {
			r.model = c.Model
		}
		if c.Done {
			r.stop = c.DoneReason
			// The client has no word for a count that is missing; an answer without any token is none.
			r.usage = dialect.Usage{Input: c.PromptEvalCount, Output: c.EvalCount, Known: c.PromptEvalCount+c.EvalCount > 0}
		}
		return nil
	})
	if err != nil {
		r.failed, r.status = true, http.StatusOK
		var answered api.StatusError
		var unknown api.AuthorizationError
		switch {
		case errors.As(err, &answered):
			r.status = answered.StatusCode
		case errors.As(err, &unknown):
			r.status = unknown.StatusCode
		}
	}
	return r
}

// TestOllama reads the documented answers of the dialect's own tests: nothing was recorded of this interface.
func TestOllama(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	files, err := filepath.Glob(filepath.Join("..", "..", "internal", "dialect", "ollama", "testdata", "answers", "*.txtar"))
	if err != nil || len(files) < 30 {
		t.Fatalf("%d answers, %v", len(files), err)
	}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".txtar")
		if reason := ollamaLeftOut(name); reason != "" {
			t.Logf("left out: %s: %s", name, reason)
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := documented(t, path)
			base, streamed := s.put(a), strings.HasPrefix(a.header.Get("Content-Type"), "application/x-ndjson")
			theirs := ollamaChat(t, base, streamed)
			reply, failed := ours(t, ollama.New(), base, streamed)
			for member, values := range compare(theirs, reply, failed, streamed) {
				if member == "code" {
					continue // The service has no codes; the dialect makes its own.
				}
				t.Errorf("%s: the client reads %#v, the dialect %#v", member, values[0], values[1])
			}
		})
	}
}

// ollamaLeftOut says why an answer can't be compared.
func ollamaLeftOut(name string) string {
	switch {
	case strings.HasPrefix(name, "cut"):
		return "the client takes the end of the connection for the end of the answer"
	case strings.HasPrefix(name, "malformed"):
		return "the client fails with errors of its JSON decoder, or reads on"
	case strings.HasPrefix(name, "no-answer"), strings.HasPrefix(name, "unknown-stop"):
		return "the client judges no answer by its form: it reads an empty one"
	}
	return map[string]string{
		"complete-stream-lines": "the client takes an empty line for an error",
		"complete-odd-members":  "the client fails with members of an unexpected kind",
	}[name]
}

// documented reads the answer of a golden file: its status, headers, an empty line and the body.
func documented(t *testing.T, path string) answer {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range archive.Files {
		if f.Name != "response" {
			continue
		}
		head, body, _ := bytes.Cut(f.Data, []byte("\n\n"))
		lines := strings.Split(strings.TrimSuffix(string(head), "\n"), "\n")
		status, err := strconv.Atoi(lines[0])
		if err != nil {
			t.Fatal(err)
		}
		a := answer{status: status, header: http.Header{}, body: bytes.TrimSuffix(body, []byte("\n"))}
		for _, line := range lines[1:] {
			name, v, _ := strings.Cut(line, ": ")
			a.header.Add(textproto.CanonicalMIMEHeaderKey(name), v)
		}
		return a
	}
	t.Fatalf("%s has no response", path)
	return answer{}
}
