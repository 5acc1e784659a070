package calltest

import (
	"slices"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/provider/providertest"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/value"
)

// visit is a schema with much of what has to be lowered for one service or another.
const visit = `{"type":"object","properties":{"name":{"type":"string","minLength":1,"maxLength":60},"age":{"type":"integer","minimum":18,"maximum":99},` +
	`"kind":{"enum":["first","again",null]},"notes":{"type":"array","items":{"type":"string"},"maxItems":4},"at":{"oneOf":[{"type":"string"},{"type":"null"}]},` +
	`"more":{"type":"object","additionalProperties":{"type":"integer"}}},"required":["name","age"],"additionalProperties":false}`

func compiled(tb testing.TB) *schema.Schema {
	tb.Helper()
	v, err := value.DecodeString(visit, value.Limits{})
	if err != nil {
		tb.Fatal(err)
	}
	s, err := schema.Compile(v, schema.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// modes asks in every mode that the form has, as a service takes it that refuses whatever it does not know, for an answer that is valid under the caller's schema.
func modes(t *testing.T, f Form) {
	s := compiled(t)
	service := f.service(t, providertest.Settings{Seed: 7})
	p := f.account(t, service, Key, nil)
	profile := f.Dialect.Profile(f.Capability)
	if len(profile.Modes()) == 0 {
		t.Fatal("the form has no modes")
	}
	for _, mode := range profile.Modes() {
		l := lowering.Lower(s, profile.Only(mode))
		if l.Mode != mode {
			t.Fatalf("lowered for mode %s, got %s", mode, l.Mode)
		}
		c := plain()
		c.Output = dialect.Output{Mode: mode, Name: "result", Schema: l.Capped()}
		if mode == lowering.JSON || mode == lowering.Prompt {
			c.Output.Schema = value.Null()
			c.Messages[0].Parts[0].Text = "Answer with JSON that is valid under this schema:\n" + l.Shown.String()
		}
		for _, streamed := range [...]bool{false, true} {
			r := ask(t, p, c, streamed)
			seen := service.Exchanges()
			e := seen[len(seen)-1]
			if r.err != nil || e.Bad != "" {
				t.Errorf("mode %s, streamed %v: %v; the service says %q of\n%s", mode, streamed, r.err, e.Bad, e.Body)
				continue
			}
			if e.Model != f.Model || e.Stream != streamed || e.User() != question || e.Form == "" || e.MaxTokens != c.MaxTokens || e.Wire != f.Wire {
				t.Errorf("mode %s, streamed %v: the service read model %q, stream %v, user %q, schema in %q, limit %d, form %s", mode, streamed, e.Model, e.Stream, e.User(),
					e.Form, e.MaxTokens, e.Wire)
			}
			f.complete(t, r, mode)
			v, err := value.DecodeString(r.reply.Text, value.Limits{})
			if err != nil {
				t.Errorf("mode %s, streamed %v: %q is no JSON: %v", mode, streamed, r.reply.Text, err)
				continue
			}
			if v, err = l.Raise(v); err != nil {
				t.Errorf("mode %s, streamed %v: %q can't be raised: %v", mode, streamed, r.reply.Text, err)
				continue
			}
			if accepted, report := s.Accept(t.Context(), v); !accepted.OK() && profile.Enforces(mode) && len(l.Residue) == 0 {
				t.Errorf("mode %s, streamed %v: %s is not valid: %+v", mode, streamed, v, report.Errors)
			}
		}
	}
}

// complete checks what every good reply has.
func (f Form) complete(t *testing.T, r result, mode lowering.Mode) {
	t.Helper()
	want := dialect.StopComplete
	if mode == lowering.Tool {
		want = dialect.StopTool
	}
	u := r.reply.Usage
	if r.reply.Stop != want || r.reply.Model != f.Model && f.Wire != providertest.Bedrock || !u.Known || u.Input == 0 || u.Output == 0 || r.attempt.Usage != u {
		t.Errorf("mode %s: %+v", mode, r.reply)
	}
	if (r.reply.RequestID == "") != f.Lacks.RequestID || !strings.HasPrefix(r.reply.RequestID, f.ID) {
		t.Errorf("mode %s, %d pieces: the request's id is %q", mode, len(r.pieces), r.reply.RequestID)
	}
}

// images go as the service takes them, and a model that takes none says so.
func images(t *testing.T, f Form) {
	const pixel = "data:image/png;base64,iVBORw0KGgo="
	for _, blind := range [...]bool{false, true} {
		service := f.service(t, providertest.Settings{NoVision: blind})
		p := f.account(t, service, Key, nil)
		c := plain()
		c.Messages[1].Parts = append(c.Messages[1].Parts, dialect.Part{Image: pixel, Detail: "low"})
		for _, streamed := range [...]bool{false, true} {
			r := ask(t, p, c, streamed)
			switch {
			case !blind && r.err != nil:
				t.Errorf("streamed %v: %v: %s", streamed, r.err, service.Exchanges()[0].Bad)
			case blind && (r.err == nil || r.err.Outcome != dialect.BadRequest):
				t.Errorf("streamed %v, to a model without eyes: %v", streamed, r.err)
			}
		}
		for _, e := range service.Exchanges() {
			if e.Images != 1 {
				t.Errorf("the service saw %d images", e.Images)
			}
		}
	}
}

// answers reads answers of every kind: thoughts are no text, tokens are counted, and an end that nobody knows is no good one.
func answers(t *testing.T, f Form) {
	service := f.service(t, providertest.Settings{})
	p := f.account(t, service, Key, nil)
	usage := &providertest.Usage{PromptTokens: 100, CachedTokens: 40, CompletionTokens: 20, ReasoningTokens: 8}
	counted := dialect.Usage{Input: 100, CachedInput: 40, Output: 20, Reasoning: 8, Known: true}
	if f.Lacks.Caching {
		counted.CachedInput = 0
	}
	if f.Lacks.Reasoning {
		counted.Reasoning = 0
	}
	const said = "an answer, with “quotes” and \U0001F600"
	refused := dialect.Reply{Refusal: "I'm sorry.", Stop: dialect.StopRefused}
	if f.Lacks.Refusals {
		refused = dialect.Reply{Text: "I'm sorry.", Stop: dialect.StopComplete}
	}
	for _, c := range []struct {
		name    string
		reply   providertest.Reply
		want    dialect.Reply
		outcome dialect.Outcome
	}{
		{"complete", providertest.Reply{Text: said, Usage: usage}, dialect.Reply{Text: said, Stop: dialect.StopComplete, Usage: counted}, dialect.OK},
		{"thought", providertest.Reply{Text: said, Thought: "Let me see.", Usage: usage}, dialect.Reply{Text: said, Stop: dialect.StopComplete, Usage: counted}, dialect.OK},
		{"truncated", providertest.Reply{Text: said, Stop: "length", Usage: usage}, dialect.Reply{Text: said, Stop: dialect.StopTruncated, Usage: counted}, dialect.Truncated},
		{
			"limited",
			providertest.Reply{Text: strings.Repeat("word", room+1), Usage: usage},
			dialect.Reply{Text: strings.Repeat("word", room), Stop: dialect.StopTruncated, Usage: counted},
			dialect.Truncated,
		},
		{"refused", providertest.Reply{Refusal: "I'm sorry.", Usage: usage}, with(refused, counted), outcomeOf(refused.Stop)},
		{"unknown end", providertest.Reply{Text: said, Stop: "whimsy", Usage: usage}, dialect.Reply{Text: said, Stop: dialect.StopError, Usage: counted}, dialect.Unknown},
		{"paused", providertest.Reply{Text: said, Stop: f.Paused, Usage: usage}, dialect.Reply{Text: said, Stop: dialect.StopPaused, Usage: counted}, dialect.Paused},
		{"without usage", providertest.Reply{Text: said, NoUsage: true}, dialect.Reply{Text: said, Stop: dialect.StopComplete}, dialect.OK},
	} {
		for _, streamed := range [...]bool{false, true} {
			if f.Wire == providertest.Responses && streamed && (c.name == "unknown end" || c.name == "paused") {
				continue // Only events of some names end a stream: one without them is a cut one.
			}
			if c.name == "paused" && f.Paused == "" {
				continue
			}
			service.Queue(c.reply)
			r := ask(t, p, plain(), streamed)
			if r.err != nil {
				t.Errorf("%s, streamed %v: %v", c.name, streamed, r.err)
				continue
			}
			got := dialect.Reply{Text: r.reply.Text, Refusal: r.reply.Refusal, Stop: r.reply.Stop, Usage: r.reply.Usage}
			if got.Text != c.want.Text || got.Refusal != c.want.Refusal || got.Stop != c.want.Stop || got.Usage != c.want.Usage || r.attempt.Outcome != c.outcome {
				t.Errorf("%s, streamed %v: got %.300v, recorded %s; want %.300v and %s", c.name, streamed, got, r.attempt.Outcome, c.want, c.outcome)
			}
		}
	}
}

func with(r dialect.Reply, u dialect.Usage) dialect.Reply {
	r.Usage = u
	return r
}

func outcomeOf(s dialect.Stop) dialect.Outcome {
	if s == dialect.StopRefused {
		return dialect.Refused
	}
	return dialect.OK
}

// filters are an end of the answer, or an error; either way the outcome says that a filter has spoken, where the service has one.
func filters(t *testing.T, f Form) {
	want := dialect.Filtered
	if o, ok := f.Outcomes[providertest.ContentBlocked]; ok {
		want = o
	}
	service := f.service(t, providertest.Settings{})
	p := f.account(t, service, Key, nil)
	for _, said := range [...]string{"", "half an answ"} {
		for _, streamed := range [...]bool{false, true} {
			service.Queue(providertest.Reply{Text: said, Stop: "content_filter"})
			r := ask(t, p, plain(), streamed)
			if r.attempt.Outcome != want || (r.err != nil) != f.Lacks.Filters {
				t.Errorf("filtered behind %q, streamed %v: %s, %v; want %s", said, streamed, r.attempt.Outcome, r.err, want)
			}
		}
	}
}

// logprobs are given for every token, in order, where the form has them.
func logprobs(t *testing.T, f Form) {
	service := f.service(t, providertest.Settings{Text: "tokens of four bytes each"})
	p := f.account(t, service, Key, nil)
	c := plain()
	c.Logprobs = true
	for _, streamed := range [...]bool{false, true} {
		r := ask(t, p, c, streamed)
		if r.err != nil {
			t.Errorf("streamed %v: %v", streamed, r.err)
			continue
		}
		text := ""
		for _, token := range r.reply.Logprobs {
			text += token.Text
			if token.Logprob > 0 {
				t.Errorf("streamed %v: the log-probability of %q is %g", streamed, token.Text, token.Logprob)
			}
		}
		if want := map[bool]string{false: r.reply.Text, true: ""}[f.Lacks.Logprobs]; text != want {
			t.Errorf("streamed %v: the tokens make %q, want %q", streamed, text, want)
		}
	}
	if e := service.Exchanges(); slices.ContainsFunc(e, func(e providertest.Exchange) bool { return e.Logprobs == f.Lacks.Logprobs }) {
		t.Errorf("asked for log-probabilities: %v", !f.Lacks.Logprobs)
	}
}
