package sdk_test

// excuse is a recorded exchange that is not compared, and why.
type excuse struct{ file, reason string }

// leaveOuts are the exchanges that no vendor's client is asked to read.
func leaveOuts() []excuse {
	const (
		cohere       = "Cohere's own format; promptd speaks its OpenAI-compatible one"
		interactions = "Gemini's Interactions, another API than generateContent; promptd does not speak it"
		list         = "a list of models, no answer of one"
	)
	return []excuse{
		{"bedrock-invoke-anthropic/sync.json", "an embedding, in the format of Amazon's own models"},
		{"cerebras/sync.json", list},
		{"cohere/error_404-sync.json", "an embedding's failure, in " + cohere},
		{"cohere/stream-empty_tool_call.json", cohere},
		{"cohere/stream-sdk-reasoning.json", cohere},
		{"cohere/stream-sdk-text.json", cohere},
		{"cohere/stream-sdk-tool-call.json", cohere},
		{"cohere/sync-cached-complete.json", cohere},
		{"cohere/sync-complete.json", cohere},
		{"cohere/sync-max_tokens.json", cohere},
		{"cohere/sync-null_args.json", cohere},
		{"cohere/sync-sdk-reasoning.json", cohere},
		{"cohere/sync-sdk-text.json", cohere},
		{"cohere/sync-sdk-tool-call.json", cohere},
		{"cohere/sync-stop_sequence.json", cohere},
		{"cohere/sync-tools-cached-complete.json", cohere},
		{"cohere/sync-tools-toolcall-cached-tool_call.json", cohere},
		{"cohere/sync.json", "the count of a text's tokens, in " + cohere},
		{"gemini-interactions/stream-basic.json", interactions},
		{"gemini-interactions/sync-basic.json", interactions},
		{"gemini-interactions/sync-structured-output.json", interactions},
		{"gemini/stream-tools-toolcall-stop-2.json", "a stream asked for without alt=sse comes as one array, which genai never asks for and does not read"},
		{"heroku/sync.json", list},
		{"openrouter/sync-error_inside_200.json", "openai-go does not look for an error in an answer with status 200: it reads one without choices"},
	}
}

func leftOut(file string) string {
	for _, l := range leaveOuts() {
		if l.file == file {
			return l.reason
		}
	}
	return ""
}

// difference is a member that client and dialect read differently on purpose.
type difference struct{ file, member, reason string }

func allDifferences() []difference {
	const (
		mistralCodes = "Mistral's errors lie at the top of the body, where openai-go does not look"
		mistralText  = "Mistral gives content as a list of parts, thoughts among them; openai-go takes its JSON for the text"
	)
	return []difference{
		{"anthropic/stream-refusal-fallback_model.json", "model", "a fallback block says that another model went on; the client keeps the model of the stream's start"},
		{"bedrock/stream-sdk-tool-no-args.json", "text", "a call without arguments is the empty object; the client reads no deltas"},
		{"bedrock/sync-guardrail_intervened.json", "refusal", "the guardrail's message is not the model's answer; the client tells them apart by the stop reason alone"},
		{"gemini/error_503-in_array.json", "code", "genai does not read an error in an array and makes its code of the status line"},
		{"gemini/stream-tool-partial_arguments.json", "text", "genai hands out partialArgs as they come and puts nothing together"},
		{"mistral/error_422-extra_forbidden.json", "code", mistralCodes},
		{"mistral/error_429-rate_limited.json", "code", mistralCodes},
		{"mistral/error_503-service_tier_capacity.json", "code", mistralCodes},
		{"mistral/stream-sdk-reasoning.json", "text", mistralText},
		{"mistral/stream-stop.json", "text", mistralText},
		{"mistral/sync-sdk-reasoning.json", "text", mistralText},
		{"openrouter/sync-tools-toolcall-tool_calls.json", "text", "the call has no arguments at all, so the dialect keeps the prose beside it"},
		{"vertex/sync-model_armor.json", "usage", "usageMetadata has no counts: the dialect does not know the usage, the client reads 0"},
	}
}

// differences gives the reasons by member.
func differences(file string) map[string]string {
	of := map[string]string{}
	for _, d := range allDifferences() {
		if d.file == file {
			of[d.member] = d.reason
		}
	}
	return of
}
