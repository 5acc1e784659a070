package providertest

import (
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Wire names a wire form: the shape of requests, answers, streams and errors of one kind of service.
type Wire string

// The wire forms. OpenAI, LlamaCpp and VLLM are chat completions at the same address; which of them it is only Settings.Wire can say.
const (
	OpenAI    Wire = "openai"
	Responses Wire = "openai-responses"
	Anthropic Wire = "anthropic"
	Gemini    Wire = "gemini"
	Bedrock   Wire = "bedrock"
	LlamaCpp  Wire = "llamacpp"
	Ollama    Wire = "ollama"
	VLLM      Wire = "vllm"
)

// Wires lists the wire forms.
func Wires() []Wire {
	return []Wire{OpenAI, Responses, Anthropic, Gemini, Bedrock, LlamaCpp, Ollama, VLLM}
}

// wire is one wire form. Implementations keep no state.
type wire interface {
	traits() traits
	// read takes what matters of a request's body and address, and says in p.bad what is wrong with it.
	read(p *parsed, r *http.Request)
	// whole writes an answer in one piece, stream in events, the last of which ends it.
	whole(m *message) []byte
	stream(m *message) [][]byte
	// fail is an error with the status and the words of the service.
	fail(f failure) response
	// inside is an error under status 200: a body, or an event of a stream.
	inside(streamed bool) []byte
}

// traits are what a wire form has besides bodies.
type traits struct {
	name Wire
	// streamType is the content type of streams.
	streamType string
	// keyed reports whether a request brings the key; an empty key lets everyone in who comes in the right form.
	keyed func(r *http.Request, key string) bool
	// header are the headers of every answer to a request with that id: its name, and what is left of the limits.
	header func(id string) http.Header
	// refuses says that refusals have a place of their own; else they are the answer's text.
	refuses bool
	// filters says that an answer can end for a content filter; else that is an error.
	filters bool
}

// failure is what an error says.
type failure struct {
	fault Fault
	// message stands in place of the fault's usual words.
	message string
	// wait is what a limited client is asked to wait, in one of the forms in use, which form draws.
	wait time.Duration
	form int
	id   string
	// streamed says that a stream was asked for.
	streamed bool
}

// said gives the failure's own message, or the usual one.
func (f *failure) said(usual string) string { return or(f.message, usual) }

// wireOf finds the wire form of a path; a server that speaks one alone has no other paths.
func (s *Server) wireOf(r *http.Request) (wire, bool) {
	path := r.URL.Path
	var w wire
	switch {
	case strings.HasSuffix(path, "/chat/completions"):
		w = chat{}
		switch s.settings.Wire {
		case OpenAI:
			w = openAI{}
		case LlamaCpp:
			w = llamaCpp{}
		case VLLM:
			w = vLLM{}
		}
	case strings.HasSuffix(path, "/responses"):
		w = responses{}
	case strings.HasSuffix(path, "/v1/messages"):
		w = anthropic{}
	case strings.HasSuffix(path, ":generateContent"), strings.HasSuffix(path, ":streamGenerateContent"):
		w = gemini{}
	case strings.Contains(path, "/model/") && (strings.HasSuffix(path, "/converse") || strings.HasSuffix(path, "/converse-stream")):
		w = bedrock{}
	case strings.HasSuffix(path, "/api/chat"):
		w = ollama{}
	default:
		return nil, false
	}
	return w, s.settings.Wire == "" || s.settings.Wire == w.traits().name
}

func (w Wire) known() bool { return w == "" || slices.Contains(Wires(), w) }

// bearer reports whether a request brings a key as a bearer token.
func bearer(r *http.Request, key string) bool {
	return key == "" || r.Header.Get("Authorization") == "Bearer "+key
}

// requestID names a request. It comes of the body, so that runs repeat.
func requestID(d *digest) string {
	const size = 12
	return "req_" + hex.EncodeToString(d[:size])
}
