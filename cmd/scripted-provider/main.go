// Command scripted-provider is a model service without a model: it speaks the wire form of every dialect, answers every schema with a made-up valid instance,
// and fails as services do, in the shares that its flags say. It is for benchmarks and for trying out how software bears a bad provider.
//
// All that it does lies in package providertest; here are the flags.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/promptd/promptd/internal/provider/providertest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

const help = `scripted-provider is a model service without a model, for tests and benchmarks.

It speaks, whole and streamed, and tells them apart by the address:
  POST …/chat/completions                                 OpenAI, llama.cpp, vLLM
  POST …/responses                                        OpenAI's newer form
  POST …/v1/messages                                      Anthropic
  POST …/models/{model}:generateContent                   Gemini (and :streamGenerateContent?alt=sse)
  POST …/model/{model}/converse                           Amazon Bedrock (and /converse-stream; signed, or with a bearer key)
  POST …/api/chat                                         Ollama
besides GET …/models and GET /health. Requests are held to what the service takes: an unknown member, a missing header or a schema in the wrong place is
refused in the service's own words. A request with a schema gets a valid instance of it; the shares below go wrong. The same seed and the same requests
give the same answers.

Usage: scripted-provider [flags]

Examples:
  # A well-behaved service at a fixed address, as fast as it can be
  scripted-provider --listen 127.0.0.1:9000

  # What promptd must bear: 15 % transport faults, 15 % invalid and 25 % malformed answers, 30 ms before each answer
  scripted-provider --seed 7 --latency 30ms --transport-faults 0.15 --invalid 0.15 --malformed 0.25

  # The same answer to everything, but cut short or refused now and then
  scripted-provider --answer answer.json --truncated 0.05 --refused 0.01

  # Be Anthropic and nothing else, and be overloaded half of the time
  scripted-provider --wire anthropic --key secret --transport-faults 0.5 --faults overloaded

  # Ask promptd to use it, in its configuration
  providers:
    - {name: scripted, dialect: openai, base_url: "http://127.0.0.1:9000/v1", models: [{name: scripted}]}
    - {name: claude, dialect: anthropic, base_url: "http://127.0.0.1:9000", models: [{name: scripted}]}

Flags:
`

// run is the command without its process.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	const wrongUse = 2
	settings, listen, err := parse(args, stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "scripted-provider: %v\nRun scripted-provider --help for the flags.\n", err) //nolint:errcheck // Nobody is left to tell.
		return wrongUse
	}
	server, err := providertest.Listen(listen, settings)
	if err != nil {
		fmt.Fprintln(stderr, err) //nolint:errcheck // Likewise.
		return 1
	}
	fmt.Fprintln(stdout, server.URL()) //nolint:errcheck // Likewise.
	<-ctx.Done()
	server.Close()
	fmt.Fprintf(stderr, "scripted-provider: %d requests\n", server.Requests()) //nolint:errcheck // Likewise.
	return 0
}

// parse reads the flags. It prints the help to stdout where that is asked for.
func parse(args []string, stdout io.Writer) (s providertest.Settings, listen string, err error) {
	flags := flag.NewFlagSet("scripted-provider", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&listen, "listen", "127.0.0.1:0", "`address` to listen on; port 0 takes a free one; the URL is printed on standard output")
	flags.Uint64Var(&s.Seed, "seed", 1, "where all chance begins")
	flags.DurationVar(&s.Latency, "latency", 0, "wait before the first byte of each answer")
	flags.DurationVar(&s.TokenLatency, "token-latency", 0, "wait between two tokens of a stream")
	flags.Float64Var(&s.Shares.Transport, "transport-faults", 0, "`share` of requests that fail at or below HTTP")
	flags.Float64Var(&s.Shares.Invalid, "invalid", 0, "`share` of answers that break the schema")
	flags.Float64Var(&s.Shares.Malformed, "malformed", 0, "`share` of answers in damaged JSON")
	flags.Float64Var(&s.Shares.Truncated, "truncated", 0, "`share` of answers that end early for length")
	flags.Float64Var(&s.Shares.Refused, "refused", 0, "`share` of answers that refuse")
	flags.Float64Var(&s.Shares.Filtered, "filtered", 0, "`share` of answers stopped by a content filter")
	flags.DurationVar(&s.Slow, "slow", 300*time.Millisecond, "wait of the fault slow_first_byte")
	flags.DurationVar(&s.Stall, "stall", 2*time.Second, "how long a stalled answer is kept open before it is cut")
	flags.DurationVar(&s.RetryAfter, "retry-after", 20*time.Millisecond, "wait that 429 and 503 ask for")
	flags.BoolVar(&s.NoLogprobs, "no-logprobs", false, "give no log-probabilities, whatever is asked")
	flags.BoolVar(&s.NoUsage, "no-usage", false, "do not count tokens")
	flags.DurationVar(&s.Drip, "drip", time.Millisecond, "wait between two bytes of the fault drip")
	flags.BoolVar(&s.NoVision, "no-vision", false, "refuse requests with images")
	flags.StringVar(&s.Key, "key", "", "`key` that requests must bring, in the wire form's own header; none by default")
	wire := flags.String("wire", "", "the one wire `form` to speak, as its service does and strictly; by default all of\n"+names(providertest.Wires()))
	faults := flags.String("faults", "", "comma-separated `names` of the faults that --transport-faults draws from; by default all that pass:\n"+names(providertest.Transient())+
		"\nand on demand\n"+names(providertest.Faults()[len(providertest.Transient()):]))
	answer := flags.String("answer", "", "`file` with the text of every answer")
	models := flags.String("models", "scripted", "comma-separated `names` for GET …/models; requests may name any")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(stdout, help) //nolint:errcheck // Nobody is left to tell.
			flags.SetOutput(stdout)
			flags.PrintDefaults()
		}
		return s, "", err
	}
	if flags.NArg() > 0 {
		return s, "", fmt.Errorf("there are no arguments beside flags, and %q is none", flags.Arg(0))
	}
	if *answer != "" {
		text, err := os.ReadFile(*answer)
		if err != nil {
			return s, "", fmt.Errorf("read the answer: %w", err)
		}
		if s.Text = strings.TrimRight(string(text), "\n"); s.Text == "" {
			return s, "", fmt.Errorf("the answer in %s is empty", *answer)
		}
	}
	for name := range strings.SplitSeq(*faults, ",") {
		if name = strings.TrimSpace(name); name != "" {
			s.Faults = append(s.Faults, providertest.Fault(name))
		}
	}
	s.Models, s.Wire = strings.Split(*models, ","), providertest.Wire(*wire)
	return s, listen, nil
}

func names[T ~string](all []T) string {
	list := make([]string, len(all))
	for i, name := range all {
		list[i] = string(name)
	}
	return strings.Join(list, ", ")
}
