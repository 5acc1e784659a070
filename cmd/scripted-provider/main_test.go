package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCommandAnswersUntilItIsStopped(t *testing.T) {
	t.Parallel()
	answer := filepath.Join(t.TempDir(), "answer.json")
	if err := os.WriteFile(answer, []byte("{\"fixed\": true}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out, in := io.Pipe()
	var log bytes.Buffer
	done := make(chan int, 1) // run returns once
	go func() { done <- run(ctx, []string{"--answer", answer, "--key", "k"}, in, &log) }()
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"k": `{\"fixed\": true}`, "other": "invalid_api_key"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, strings.TrimSpace(url)+"/v1/chat/completions", strings.NewReader(`{"messages":[]}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+key)
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !strings.Contains(string(body), want) {
			t.Errorf("with key %s: %s (%v), want %s", key, body, err, want)
		}
	}
	stop()
	if code := <-done; code != 0 || !strings.Contains(log.String(), "1 requests") {
		t.Errorf("exit code %d, %q; want 0 and one request counted", code, &log)
	}
}

func TestWrongUseIsToldWithItsReason(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--help"}, 0, "scripted-provider --listen 127.0.0.1:9000"},
		{[]string{"--none"}, 2, "none"},
		{[]string{"serve"}, 2, `"serve"`},
		{[]string{"--answer", "no-such-file"}, 2, "no-such-file"},
		{[]string{"--invalid", "2"}, 1, "between 0 and 1"},
		{[]string{"--faults", "wrong"}, 1, `"wrong"`},
		{[]string{"--help"}, 0, "converse-stream"},
		{[]string{"--wire", "cohere"}, 1, `"cohere"`},
		{[]string{"--listen", "256.0.0.1:1"}, 1, "256.0.0.1"},
	} {
		var out, log bytes.Buffer
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // What does start by mistake ends at once.
		if code := run(ctx, c.args, &out, &log); code != c.code || !strings.Contains(out.String()+log.String(), c.want) {
			t.Errorf("%v: exit code %d, %s%s; want %d with %q", c.args, code, &out, &log, c.code, c.want)
		}
	}
}
