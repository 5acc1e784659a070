package sdk_test

import (
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/anthropic"
	"github.com/promptd/promptd/internal/dialect/bedrock"
	"github.com/promptd/promptd/internal/dialect/dialecttest"
	"github.com/promptd/promptd/internal/dialect/gemini"
	"github.com/promptd/promptd/internal/dialect/openai"
	"github.com/promptd/promptd/internal/dialect/responses"
	"github.com/promptd/promptd/internal/sharedtest"
)

// vendor is a dialect beside the client of those who made its format.
type vendor struct {
	name    string
	dialect dialect.Dialect
	// read asks the client for the answer at a base URL.
	read func(t *testing.T, base string, streamed bool) *reading
	// frame makes a stream of recorded payloads, streamType is its content type.
	frame      func([][]byte) []byte
	streamType string
	// has reports whether a fixture is of this format.
	has func(f *dialecttest.Fixture) bool
}

const events = "text/event-stream"

func vendors() []vendor {
	folder := func(names ...string) func(*dialecttest.Fixture) bool {
		return func(f *dialecttest.Fixture) bool {
			for _, name := range names {
				if path.Dir(f.File) == name {
					return true
				}
			}
			return false
		}
	}
	chats := folder(
		"openai", "avian", "azure-openai", "bedrock-mantle", "cerebras", "crusoe", "deepseek", "gemini-openai-compat", "groq", "heroku", "huggingface", "llamacpp", "mistral",
		"ollama", "openai-compatible", "openrouter", "perplexity", "vercel-gateway", "xai", "zai",
	)
	answers := folder(
		"openai-responses", "azure-openai-responses", "bedrock-mantle-responses", "deepseek-responses", "open-responses-lmstudio", "openrouter",
	)
	return []vendor{
		{"openai-go, chat completions", openai.New(), chat, dialecttest.EventStream, events, func(f *dialecttest.Fixture) bool {
			return chats(f) && f.API != "responses" && (f.URL == "" || strings.Contains(f.URL, "/chat/completions"))
		}},
		{"openai-go, responses", responses.New(), respond, dialecttest.ResponsesStream, events, func(f *dialecttest.Fixture) bool {
			return answers(f) && (strings.HasSuffix(f.URL, "/responses") || f.URL == "" && path.Dir(f.File) != "openrouter")
		}},
		{"anthropic-sdk-go", anthropic.New(), message, dialecttest.MessageStream, events, folder("anthropic", "vertex-anthropic", "bedrock-invoke-anthropic")},
		{"genai", gemini.New(), generate, generateFrame, events, folder("gemini", "vertex")},
		{"aws-sdk-go-v2", bedrock.New(), converse, dialecttest.ConverseStream, "application/vnd.amazon.eventstream", folder("bedrock")},
	}
}

// index lists the fixtures that there are.
func index(t *testing.T) []string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(sharedtest.Dir(t, "fixtures"), "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	var entries []struct{ File string }
	if err := json.Unmarshal(raw, &entries); err != nil {
		t.Fatal(err)
	}
	files := make([]string, len(entries))
	for i := range entries {
		files[i] = entries[i].File
	}
	return files
}

// TestVendorsReadTheSame serves every recorded exchange to the vendor's client and to the dialect.
func TestVendorsReadTheSame(t *testing.T) {
	t.Parallel()
	s, seen := newStage(t), map[string]bool{}
	folders := map[string]bool{}
	files := index(t)
	for _, file := range files {
		folders[path.Dir(file)] = true
	}
	totals := map[string]int{}
	excused := 0
	for folder := range folders {
		list := dialecttest.Fixtures(t, folder)
		for i := range list {
			f := &list[i]
			seen[f.File] = true
			v := vendorOf(f)
			reason := leftOut(f.File)
			switch {
			case v == nil && reason == "":
				t.Errorf("%s is neither compared nor excused", f.File)
			case reason != "":
				excused++
			default:
				totals[v.name]++
				t.Run(f.File, func(t *testing.T) {
					t.Parallel()
					exchange(t, s, v, f)
				})
			}
		}
	}
	for _, file := range files {
		if !seen[file] {
			t.Errorf("%s is in the index and was not read", file)
		}
	}
	for _, l := range leaveOuts() {
		if !seen[l.file] {
			t.Errorf("%s is excused and is no fixture", l.file)
		}
	}
	for _, d := range allDifferences() {
		if !seen[d.file] || leftOut(d.file) != "" {
			t.Errorf("%s is said to differ and is not compared", d.file)
		}
	}
	names, sum := make([]string, 0, len(totals)), 0
	for name, n := range totals {
		names, sum = append(names, name), sum+n
	}
	sort.Strings(names)
	for _, name := range names {
		t.Logf("%4d exchanges: %s", totals[name], name)
	}
	t.Logf("%4d compared, %d excused, %d in the index", sum, excused, len(files))
}

func vendorOf(f *dialecttest.Fixture) *vendor {
	for _, v := range vendors() {
		if v.has(f) {
			return &v
		}
	}
	return nil
}

func exchange(t *testing.T, s *stage, v *vendor, f *dialecttest.Fixture) {
	t.Helper()
	base := s.put(recorded(f, v.frame, v.streamType))
	streamed := f.Streamed()
	theirs := v.read(t, base, streamed)
	reply, failed := ours(t, v.dialect, base, streamed)
	expected := differences(f.File)
	for member, values := range compare(theirs, reply, failed, streamed) {
		if _, ok := expected[member]; ok {
			delete(expected, member)
			continue
		}
		t.Errorf("%s: the client reads %#v, the dialect %#v", member, values[0], values[1])
	}
	for member, reason := range expected {
		t.Errorf("%s is said to differ (%s), and does not", member, reason)
	}
}
