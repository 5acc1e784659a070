package gemini_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/dialecttest"
	"github.com/promptd/promptd/internal/dialect/gemini"
)

// Left out are the fixtures of gemini-interactions, which is another API with requests and answers of its own, and of gemini-openai-compat, which is chat
// completions and read by package openai.
func TestDialect(t *testing.T) {
	t.Parallel()
	dialecttest.Run(t, dialecttest.Suite{
		Dialect:   gemini.New(),
		Fixtures:  []string{"gemini", "vertex"},
		Reference: reference,
		Frame:     frame,
	})
}

func FuzzDecode(f *testing.F) { dialecttest.FuzzDecode(f, gemini.New(), "gemini", "vertex") }
func FuzzStream(f *testing.F) { dialecttest.FuzzStream(f, gemini.New(), "gemini", "vertex") }
func FuzzFail(f *testing.F)   { dialecttest.FuzzFail(f, gemini.New(), "gemini", "vertex") }

// frame makes events as the service sends them: CRLF, and no end mark.
func frame(payloads [][]byte) []byte {
	var b bytes.Buffer
	for _, p := range payloads {
		b.WriteString("data: ")
		if err := json.Compact(&b, p); err != nil {
			b.Write(p)
		}
		b.WriteString("\r\n\r\n")
	}
	return b.Bytes()
}

// failures says what the recorded failures are, read by a person.
func failures(file string) (dialect.Outcome, time.Duration) {
	switch file {
	case "gemini/error_400-bare_invalid_argument.json", "gemini/error_400-responseSchema_unknown_field.json", "gemini/error_400-schema_too_many_states.json":
		return dialect.SchemaRejected, 0
	case "gemini/error_404-sync.json":
		return dialect.BadRequest, 0
	case "gemini/error_429-retry_info.json":
		return dialect.RateLimited, 34*time.Second + 400*time.Millisecond
	case "gemini/error_503-high_demand.json", "gemini/error_503-in_array.json", "gemini/error_503-overloaded.json":
		return dialect.OverloadedProvider, 0
	default:
		return dialect.Unknown, 0
	}
}

// reference reads a recorded exchange in the plainest way: encoding/json, one payload after the other.
func reference(f *dialecttest.Fixture) (dialecttest.Want, bool) {
	if outcome, wait := failures(f.File); outcome != dialect.Unknown {
		return dialecttest.Want{Outcome: outcome, Wait: wait}, true
	}
	payloads := f.Payloads
	switch f.Form {
	case "sse":
		for line := range bytes.Lines(f.Body) {
			if data, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte("data:")); ok {
				payloads = append(payloads, data)
			}
		}
	case "json":
		var list []json.RawMessage // A stream that was asked for without alt=sse.
		if json.Unmarshal(f.Body, &list) != nil {
			list = []json.RawMessage{f.Body}
		}
		for _, p := range list {
			payloads = append(payloads, p)
		}
	}
	var r reading
	for _, p := range payloads {
		r.add(p)
	}
	if f.File == "gemini/stream-tool-partial_arguments.json" {
		r.want.Text = `{"location":"Boston"}` // Read by a person. The second call, for San Francisco, is not the answer.
	}
	return r.end(), true
}

type reading struct {
	want    dialecttest.Want
	blocked string
	calls   int
}

type part struct {
	Text    string `json:"text"`
	Thought bool   `json:"thought"`
	Call    *struct {
		Args json.RawMessage `json:"args"`
	} `json:"functionCall"`
}

type counts struct {
	Prompt, Cached, Candidates, Thoughts, Tools *int
}

func (c *counts) UnmarshalJSON(text []byte) error {
	var m struct {
		Prompt     *int `json:"promptTokenCount"`
		Cached     *int `json:"cachedContentTokenCount"`
		Candidates *int `json:"candidatesTokenCount"`
		Thoughts   *int `json:"thoughtsTokenCount"`
		Tools      *int `json:"toolUsePromptTokenCount"`
	}
	err := json.Unmarshal(text, &m)
	*c = counts{m.Prompt, m.Cached, m.Candidates, m.Thoughts, m.Tools}
	return err
}

func (r *reading) add(payload []byte) {
	var p struct {
		Candidates []struct {
			Content struct {
				Parts []part `json:"parts"`
			} `json:"content"`
			Finish   string `json:"finishReason"`
			Logprobs struct {
				Chosen []json.RawMessage `json:"chosenCandidates"`
			} `json:"logprobsResult"`
		} `json:"candidates"`
		Feedback struct {
			Reason string `json:"blockReason"`
		} `json:"promptFeedback"`
		Usage counts `json:"usageMetadata"`
		Model string `json:"modelVersion"`
	}
	if err := json.Unmarshal(payload, &p); err != nil {
		panic(err) // The recorded answers are JSON.
	}
	if p.Model != "" {
		r.want.Model = p.Model
	}
	r.blocked += p.Feedback.Reason
	if u := p.Usage; u.Prompt != nil {
		sum := func(list ...*int) (n int) {
			for _, c := range list {
				if c != nil {
					n += *c
				}
			}
			return n
		}
		r.want.Usage = dialect.Usage{
			Input: sum(u.Prompt, u.Tools), CachedInput: sum(u.Cached), Output: sum(u.Candidates, u.Thoughts), Reasoning: sum(u.Thoughts), Known: true,
		}
	}
	for _, c := range p.Candidates {
		if c.Finish != "" {
			r.want.NativeStop = c.Finish
		}
		r.want.Logprobs += len(c.Logprobs.Chosen)
		for _, part := range c.Content.Parts {
			if !part.Thought {
				r.want.Text += part.Text
			}
			if part.Call == nil {
				continue
			}
			if r.calls++; r.calls == 1 {
				r.want.Text += string(part.Call.Args)
			}
		}
	}
}

func (r *reading) end() dialecttest.Want {
	switch r.want.NativeStop {
	case "":
		r.want.NativeStop, r.want.Stop = r.blocked, dialect.StopFiltered
	case "STOP":
		r.want.Stop = dialect.StopComplete
		if r.calls > 0 {
			r.want.Stop = dialect.StopTool
		}
	case "MAX_TOKENS":
		r.want.Stop = dialect.StopTruncated
	case "SAFETY", "MODEL_ARMOR":
		r.want.Stop = dialect.StopFiltered
	}
	return r.want
}
