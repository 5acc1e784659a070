package dropin

import (
	"slices"
	"strings"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/value"
)

// Use is what becomes of a parameter.
type Use uint8

// The uses.
const (
	// Refused parameters are a 400 that names them, unless their value says nothing.
	Refused Use = iota
	// Honoured ones do what OpenAI documents.
	Honoured
	// Harmless ones are accepted and have no effect: no answer is wrong without them.
	Harmless
)

// String gives the word of the reference page.
func (u Use) String() string { return [...]string{"refused", "honoured", "no effect"}[u] }

// Parameter is a member of a request's body.
type Parameter struct {
	Name string
	// Schema is what becomes of it where the answer has a schema, Translated where it has none and the service speaks another format. A service that speaks
	// the format gets every parameter as it is.
	Schema, Translated Use
	// Neutral are values, as JSON, that say nothing and are never refused; null is always one.
	Neutral []string
	// Text is for the reference page.
	Text string
}

// Parameters is the table of a format: all that OpenAI documented in November 2026, and promptd's own.
func Parameters(f dialect.Format) []Parameter {
	if f == dialect.Responses {
		return responsesParameters()
	}
	return chatParameters()
}

func chatParameters() []Parameter {
	return []Parameter{
		{"model", Honoured, Honoured, nil, "`auto`, a model's name, or `provider/name`"},
		{"messages", Honoured, Honoured, nil, "system, developer, user, assistant, tool and function turns; text, and images as `data:` URLs"},
		{"promptd", Honoured, Honoured, nil, "promptd's own options"},
		{"response_format", Honoured, Honoured, nil, "`json_schema` takes any JSON Schema, `strict` either way; `json_object` is any JSON object"},
		{"tools", Honoured, Refused, []string{"[]"}, "one function that is forced gives the schema; other tools need a service of this format"},
		{"tool_choice", Honoured, Refused, []string{`"auto"`, `"none"`}, "names the function, or `required` where there is one"},
		{"functions", Honoured, Refused, []string{"[]"}, "the older spelling of tools"},
		{"function_call", Honoured, Refused, []string{`"auto"`, `"none"`}, "the older spelling of tool_choice"},
		{"stream", Honoured, Honoured, nil, "validated text as it becomes certain"},
		{"stream_options", Honoured, Honoured, nil, "`include_usage`; other members have no effect"},
		{"temperature", Honoured, Honoured, nil, "0 to 2; 0.1 with a schema where it is left out"},
		{"max_tokens", Honoured, Honoured, nil, "with a schema an answer that was cut gets more room"},
		{"max_completion_tokens", Honoured, Honoured, nil, "the same as max_tokens, and before it"},
		{"n", Refused, Refused, []string{"1"}, "one answer"},
		{"top_p", Refused, Refused, []string{"1"}, "use temperature"},
		{"stop", Refused, Refused, []string{"[]", `""`}, "an answer that is stopped is not whole"},
		{"frequency_penalty", Refused, Refused, []string{"0"}, ""},
		{"presence_penalty", Refused, Refused, []string{"0"}, ""},
		{"logit_bias", Refused, Refused, []string{"{}"}, ""},
		{"logprobs", Refused, Refused, []string{"false"}, "`promptd.include_confidence` measures what they are wanted for"},
		{"top_logprobs", Refused, Refused, []string{"0"}, ""},
		{"modalities", Refused, Refused, []string{`["text"]`, "[]"}, "text alone"},
		{"audio", Refused, Refused, nil, ""},
		{"web_search_options", Refused, Refused, nil, ""},
		{"moderation", Refused, Refused, nil, ""},
		{"parallel_tool_calls", Harmless, Harmless, nil, "one function is called once"},
		{"seed", Harmless, Harmless, nil, "equal requests give equal answers from the cache"},
		{"reasoning_effort", Harmless, Harmless, nil, "the model's own default holds"},
		{"verbosity", Harmless, Harmless, nil, ""},
		{"prediction", Harmless, Harmless, nil, ""},
		{"user", Harmless, Harmless, nil, ""},
		{"safety_identifier", Harmless, Harmless, nil, ""},
		{"metadata", Harmless, Harmless, nil, ""},
		{"store", Harmless, Harmless, nil, "the history is promptd's own"},
		{"service_tier", Harmless, Harmless, nil, ""},
		{"prompt_cache_key", Harmless, Harmless, nil, ""},
		{"prompt_cache_options", Harmless, Harmless, nil, ""},
		{"prompt_cache_retention", Harmless, Harmless, nil, ""},
	}
}

func responsesParameters() []Parameter {
	return []Parameter{
		{"model", Honoured, Honoured, nil, "`auto`, a model's name, or `provider/name`"},
		{"input", Honoured, Honoured, nil, "a text, or messages, calls and their outputs; text, and images as `data:` URLs"},
		{"instructions", Honoured, Honoured, nil, "stand before the input as system"},
		{"promptd", Honoured, Honoured, nil, "promptd's own options"},
		{"text", Honoured, Honoured, nil, "`format` with `json_schema` takes any JSON Schema, `strict` either way; `json_object` is any JSON object"},
		{"tools", Honoured, Refused, []string{"[]"}, "one function that is forced gives the schema; other tools need a service of this format"},
		{"tool_choice", Honoured, Refused, []string{`"auto"`, `"none"`}, "names the function, or `required` where there is one"},
		{"stream", Honoured, Honoured, nil, "validated text as it becomes certain"},
		{"temperature", Honoured, Honoured, nil, "0 to 2; 0.1 with a schema where it is left out"},
		{"max_output_tokens", Honoured, Honoured, nil, "with a schema an answer that was cut gets more room"},
		{"previous_response_id", Refused, Refused, nil, "nothing is kept between calls: send the whole conversation as input"},
		{"conversation", Refused, Refused, nil, "likewise"},
		{"prompt", Refused, Refused, nil, "a template of OpenAI's own"},
		{"background", Refused, Refused, []string{"false"}, "use POST /v1/jobs"},
		{"top_p", Refused, Refused, []string{"1"}, "use temperature"},
		{"top_logprobs", Refused, Refused, []string{"0"}, ""},
		{"context_management", Refused, Refused, []string{"[]"}, ""},
		{"moderation", Refused, Refused, nil, ""},
		{"stream_options", Harmless, Harmless, nil, ""},
		{"parallel_tool_calls", Harmless, Harmless, nil, "one function is called once"},
		{"max_tool_calls", Harmless, Harmless, nil, ""},
		{"include", Harmless, Harmless, nil, "there is nothing more to include"},
		{"reasoning", Harmless, Harmless, nil, "the model's own default holds"},
		{"truncation", Harmless, Harmless, nil, "nothing is left out of the input"},
		{"store", Harmless, Harmless, nil, "the history is promptd's own"},
		{"metadata", Harmless, Harmless, nil, ""},
		{"user", Harmless, Harmless, nil, ""},
		{"safety_identifier", Harmless, Harmless, nil, ""},
		{"service_tier", Harmless, Harmless, nil, ""},
		{"prompt_cache_key", Harmless, Harmless, nil, ""},
		{"prompt_cache_options", Harmless, Harmless, nil, ""},
		{"prompt_cache_retention", Harmless, Harmless, nil, ""},
	}
}

// check refuses by name what can't be honoured; translated is that of requests without a schema for services of another format.
func check(f dialect.Format, body value.Value, translated bool) (faults []fault.Entry) {
	table := Parameters(f)
	for name, v := range body.Members() {
		i := slices.IndexFunc(table, func(p Parameter) bool { return p.Name == name })
		if v.IsNull() || i >= 0 && len(table[i].Neutral) > 0 && slices.Contains(table[i].Neutral, v.String()) {
			continue
		}
		switch {
		case i < 0:
			faults = append(faults, fault.Entry{
				Pointer: value.AppendPointer("", clip(name)), Rule: "unknown_parameter", Message: "there is no parameter " + clip(name),
				Hint: hintFor(translated),
			})
		case translated && table[i].Translated == Refused, !translated && table[i].Schema == Refused:
			faults = append(faults, fault.Entry{
				Pointer: "/" + name, Rule: "unsupported_parameter", Message: name + " can't be honoured " + why(translated), Hint: hintFor(translated),
			})
		}
	}
	return faults
}

func why(translated bool) string {
	if translated {
		return "by a provider of another dialect"
	}
	return "together with a schema"
}

func hintFor(translated bool) string {
	if translated {
		return "Leave it out, or name a provider that speaks this format as promptd.provider (GET /v1/providers shows the dialects)."
	}
	return "Leave it out."
}

// clip keeps names that a caller invents out of answers at any length.
func clip(name string) string {
	const most = 64
	if len(name) <= most {
		return name
	}
	return strings.ToValidUTF8(name[:most], "") + "…"
}
