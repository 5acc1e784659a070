// Package clients runs the real clients of OpenAI's API, unmodified and out of their own packages, against the built program: the official ones of Python and
// Node, Instructor, LangChain, pydantic-ai, and Vercel's AI SDK. Each script is told a base URL and a key and nothing else. Behind promptd is the scripted
// provider, which answers truthfully, faultily, or wrongly, by the name of the provider that a script pins.
package clients

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/provider/providertest"
)

// Fetched for the first time, all of the clients take minutes; every run has the official ones and Vercel's, PROMPTD_FULL=1 (make clients) the others too.
func full() bool { return os.Getenv("PROMPTD_FULL") != "" }

// order is the answer of the provider that always gives the same one.
const order = `{"tasks":[{"name":"coffee","count":2},{"name":"croissant","count":1}]}`

// script is a client's script with what runs it.
type script struct {
	name        string
	interpreter func(*testing.T) (program string, dir string)
	file        string
}

func scripts() []script {
	python := func(requirements, imports string) func(*testing.T) (string, string) {
		return func(t *testing.T) (string, string) {
			return pythonWith(t, requirements, imports), "python"
		}
	}
	list := []script{
		{"openai for Python", python("requirements-openai.txt", "openai"), "openai_client.py"},
		{"openai for Node", nodeWith, "openai_client.mjs"},
		{"Vercel AI SDK", nodeWith, "ai_sdk.mjs"},
	}
	if !full() {
		return list
	}
	most := python("requirements.txt", "openai, langchain_openai, pydantic_ai")
	return append(list,
		script{"LangChain", most, "langchain_client.py"},
		script{"pydantic-ai", most, "pydantic_ai_client.py"},
		script{"Instructor", python("requirements-instructor.txt", "instructor"), "instructor_client.py"},
	)
}

func TestClientsOfOpenAIWorkUnmodified(t *testing.T) {
	t.Parallel()
	p := start(t)
	if !full() {
		t.Log("LangChain, pydantic-ai and Instructor are left out: make clients runs them too")
	}
	for _, s := range scripts() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			program, dir := s.interpreter(t)
			p.check(t, program, filepath.Join(dir, s.file))
		})
	}
}

// check runs a script and makes a subtest of each line that it prints.
func (p *promptd) check(t *testing.T, program, file string) {
	t.Helper()
	const patience = 3 * time.Minute
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, file)
	cmd.Env = append(os.Environ(), "OPENAI_BASE_URL="+p.url+"/v1", "OPENAI_API_KEY="+p.key, "LIMITED_API_KEY="+p.limited, "PYTHONDONTWRITEBYTECODE=1",
		"OPENAI_ORG_ID=", "HTTP_PROXY=", "HTTPS_PROXY=", "http_proxy=", "https_proxy=", "LANGSMITH_TRACING=false")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	checks := 0
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		var line struct{ Check, Error string }
		if json.Unmarshal(lines.Bytes(), &line) != nil || line.Check == "" {
			continue // A client may print what it likes.
		}
		checks++
		t.Run(line.Check, func(t *testing.T) {
			if line.Error != "" {
				t.Errorf("%s\npromptd's log ends with:\n%s", line.Error, p.tail())
			}
		})
	}
	const fewest = 5
	if checks < fewest {
		t.Errorf("%s made %d checks, want at least %d (%v): %s", file, checks, fewest, err, stderr.String())
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Errorf("%s: %v", file, err)
	}
}

// services are the scripted providers by name.
func services() map[string]providertest.Settings {
	const keep = -1
	return map[string]providertest.Settings{
		"scripted": {Seed: 7, Keep: keep},
		"order":    {Seed: 7, Keep: keep, Text: order},
		"wrong":    {Seed: 7, Keep: keep, Shares: providertest.Shares{Invalid: 1}},
		"flaky": {
			Seed: 7, Keep: keep, Shares: providertest.Shares{Transport: 0.1, Invalid: 0.2, Malformed: 0.35}, RetryAfter: 5 * time.Millisecond,
			Slow: 20 * time.Millisecond, Stall: 300 * time.Millisecond,
		},
	}
}

func configuration(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("routing: {retries: {base: 5ms, cap: 50ms}}\nproviders:\n")
	for _, name := range []string{"scripted", "order", "wrong", "flaky"} {
		service := providertest.New(t, services()[name])
		b.WriteString(`  - {name: ` + name + `, dialect: openai, base_url: "` + service.URL() + `/v1", timeout: 10s, models: [{name: scripted}]}` + "\n")
	}
	return b.String()
}
