package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/promptd/promptd/client"
	"github.com/promptd/promptd/internal/fault"
)

// analysis is the command analyze with its flags.
type analysis struct {
	env      *Env
	out      *printout
	remote   *remote
	settings *settings
	live     *liveView
	template string
	state    string
	values   parameters

	schema, format, requestID, idempotencyKey             string
	stream, local                                         bool
	provider, model, routing, coercion, missing, pii      string
	temperature                                           float64
	maxTokens, maxAttempts                                int
	timeout, cacheTTL                                     time.Duration
	noCache, noConfidence, noLanguage, provenance, redact bool
}

func analyzeCommand(env *Env) *cobra.Command {
	a := &analysis{env: env, out: newPrintout(env), remote: &remote{env: env}, settings: &settings{env: env}}
	cmd := &cobra.Command{
		Use: "analyze [TEXT|-]", Short: "Turn a text into JSON that satisfies a schema", Args: cobra.MaximumNArgs(1),
		Long: "Turn a text into JSON that satisfies a schema: through a running server, or in this process with --local.\n" +
			"The text is the argument, or standard input where it is - or missing. The data goes to standard output, what there is to say about it to standard error.\n" +
			"With --missing ask the person at the terminal is asked for what the schema requires and the text does not say.\n" +
			"Exit code 3 means that no model gave an answer that satisfies the schema, or that there are questions and nobody to ask.",
		Example: examples(`promptd analyze --schema invoice.json "Invoice 12345, 2025-01-15, 1,250.00 USD"`,
			"promptd analyze --schema order.json --stream - < mail.txt",
			"promptd analyze --schema order.json --local --output json < mail.txt | jq .data",
			"promptd analyze --template order --param customer=Ann --param message=@mail.txt",
			`promptd analyze --schema booking.json --missing ask "A table for two, please."`,
			`promptd analyze --state @asked.json "On the first of December."`),
		RunE: func(cmd *cobra.Command, args []string) error { return a.run(cmd, args) },
	}
	a.flags(cmd)
	return cmd
}

func (a *analysis) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&a.schema, "schema", "s", "", "file with a JSON Schema, or the name of a registered one (default: the default result)")
	f.StringVarP(&a.template, "template", "t", "", "a registered template in place of the text, as name or name@version")
	a.values.flag(cmd)
	f.StringVarP(&a.format, "format", "f", "", "format of the data: json, yaml, xml or toon (default json)")
	f.BoolVar(&a.stream, "stream", false, "show the data while it arrives; with --output json one event a line")
	f.BoolVar(&a.local, "local", false, "work in this process, with the configured providers and the local model; needs no server and keeps nothing")
	f.StringVar(&a.provider, "provider", "", "use this provider alone")
	f.StringVarP(&a.model, "model", "m", "", "use this model alone, as name or provider/name")
	f.StringVar(&a.routing, "routing", "", "whom to ask first: least-busy, cost, latency, quality or weighted (default the server's)")
	f.Float64Var(&a.temperature, "temperature", 0, "0 to 2 (default 0.1)")
	f.IntVar(&a.maxTokens, "max-tokens", 0, "room of the answer (default 2048)")
	f.DurationVar(&a.timeout, "timeout", 0, "bound of the whole request, 100ms to 10m (default 30s)")
	f.IntVar(&a.maxAttempts, "max-attempts", 0, "calls to providers at most, 1 to 10 (default 4)")
	f.StringVar(&a.coercion, "coercion", "", "fit values to the schema's types: safe, off or lenient (default safe)")
	f.StringVar(&a.missing, "missing", "", "what becomes of what the schema requires and the text does not say: null leaves it to the schema, ask asks back, fail refuses (default null)")
	f.StringVar(&a.state, "state", "", "go on with an answer that asked back: its state, or @FILE with the answer or the state; the text is the reply")
	f.StringVar(&a.pii, "pii", "", "what becomes of personal data")
	f.DurationVar(&a.cacheTTL, "cache-ttl", 0, "how long the answer is kept, 1m to 24h (default 1h)")
	f.BoolVar(&a.noCache, "no-cache", false, "ask a model even where the answer is known")
	f.BoolVar(&a.noConfidence, "no-confidence", false, "leave the confidence out")
	f.BoolVar(&a.noLanguage, "no-language", false, "leave the language out")
	f.BoolVar(&a.provenance, "provenance", false, "say where in the text each value comes from")
	f.BoolVar(&a.redact, "redact-logs", false, "keep text and answer out of the history")
	f.StringVar(&a.requestID, "request-id", "", "an id of your own for the request")
	f.StringVar(&a.idempotencyKey, "idempotency-key", "", "the same key and request get the same answer again")
	a.remote.flag(cmd)
	a.settings.flags(cmd)
	a.out.flag(cmd)
}

func (a *analysis) run(cmd *cobra.Command, args []string) (err error) {
	r, err := a.request(cmd, args)
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	c, end, err := a.client(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	answer, err := a.ask(ctx, c, r)
	if err == nil && answer.ValidationStatus == client.NeedsInput && isInteractive(a.env.Stdin) && !a.out.json() {
		answer, err = a.converse(ctx, c, answer, a.env.Stdin)
	}
	switch {
	case err != nil:
		return a.failed(err)
	case answer.ValidationStatus == client.NeedsInput:
		return a.unanswered(answer)
	}
	return a.show(answer)
}

// request makes the request of flags, files and text.
func (a *analysis) request(cmd *cobra.Command, args []string) (client.Request, error) {
	given := cmd.Flags().Changed
	if a.local && given("server") {
		return client.Request{}, usageError{errors.New("--local and --server exclude each other")}
	}
	o := client.Options{
		BypassCache: a.noCache, Provider: a.provider, Model: a.model, Routing: a.routing, MaxTokens: a.maxTokens, Timeout: a.timeout, MaxAttempts: a.maxAttempts,
		Coercion: a.coercion, Missing: a.missing, PII: a.pii, RedactLogs: a.redact,
	}
	// A zero would be left out of the request and the default taken: what is given and makes no sense is refused here.
	for name, wrong := range map[string]bool{
		"max-tokens": a.maxTokens < 1, "max-attempts": a.maxAttempts < 1, "timeout": a.timeout < time.Millisecond, "cache-ttl": a.cacheTTL < time.Second,
	} {
		if given(name) && wrong {
			return client.Request{}, usageError{fmt.Errorf("--%s: it is too small", name)}
		}
	}
	o.CacheTTL = int(a.cacheTTL / time.Second)
	if given("temperature") {
		o.Temperature = &a.temperature
	}
	if a.noConfidence {
		o.IncludeConfidence = new(false)
	}
	if a.noLanguage {
		o.LanguageDetection = new(false)
	}
	if a.provenance {
		o.Provenance = new(true)
	}
	r := client.Request{Format: a.format, Options: &o, ClientRequestID: a.requestID, IdempotencyKey: a.idempotencyKey}
	var err error
	if r.Schema, err = schemaOf(a.schema); err != nil {
		return r, err
	}
	if a.state != "" {
		return r, a.goesOn(&r, args)
	}
	if a.template != "" || len(a.values.given) > 0 {
		return r, a.useTemplate(&r, args)
	}
	r.Prompt, err = a.text(args)
	return r, err
}

// useTemplate puts a template with its parameters in place of the text.
func (a *analysis) useTemplate(r *client.Request, args []string) (err error) {
	switch {
	case a.template == "":
		return usageError{errors.New("--param belongs to a template: name it with --template")}
	case len(args) > 0:
		return usageError{errors.New("--template stands for the text: give the text as one of the template's parameters with --param name=text")}
	case a.local:
		return usageError{errors.New("--template needs a server, which keeps the templates; leave out --local")}
	}
	r.Template = a.template
	r.Parameters, err = a.values.values()
	return err
}

// schemaOf reads --schema: a file where there is one or the text looks like a path, else a name.
func schemaOf(text string) (any, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // No schema is a choice.
	}
	raw, err := os.ReadFile(text)
	switch {
	case err == nil:
		raw = bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
		if !json.Valid(raw) {
			return nil, fault.New(fault.InvalidSchema, "%s holds no JSON", text)
		}
		return json.RawMessage(raw), nil
	case strings.ContainsAny(text, `/\`) || strings.Contains(text, ".json"):
		return nil, fmt.Errorf("read the schema: %w", err)
	}
	return text, nil
}

// text is the argument, or all of standard input.
func (a *analysis) text(args []string) (string, error) {
	if len(args) == 1 && args[0] != "-" {
		return args[0], nil
	}
	if len(args) == 0 && isInteractive(a.env.Stdin) {
		return "", usageError{errors.New("there is no text: give it as the argument, or on standard input")}
	}
	const most = 64 << 20
	raw, err := io.ReadAll(io.LimitReader(a.env.Stdin, most+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("read standard input: %w", err)
	case len(raw) > most:
		return "", fmt.Errorf("standard input holds more than %s", bytesText(most))
	}
	return string(raw), nil
}

func isInteractive(r io.Reader) bool {
	f, ok := r.(*os.File)
	return ok && isTerminal(f)
}

// client gives the client of a server, or of promptd in this process, and what ends it.
func (a *analysis) client(ctx context.Context) (*client.Client, func() error, error) {
	if a.local {
		return inProcess(ctx, a.env, a.settings, a.provider == "local" || strings.HasPrefix(a.model, "local/"))
	}
	c, err := a.remote.client()
	return c, func() error { return nil }, err
}

// ask sends the request, and shows what arrives on the way.
func (a *analysis) ask(ctx context.Context, c *client.Client, r client.Request) (*client.Answer, error) {
	if !a.stream {
		return c.Analyze(ctx, r)
	}
	if a.env.Terminal && !a.out.json() {
		a.live = newLiveView(a.env)
		defer a.live.clear()
	}
	for event, err := range c.AnalyzeStream(ctx, r) {
		switch {
		case err != nil:
			return nil, err
		case event.Answer != nil:
			return event.Answer, nil
		case event.Attempt != nil && a.out.json():
			err = a.event("attempt", event.Attempt)
		case event.Partial != nil && a.out.json():
			err = a.event("partial", event.Partial)
		case event.Partial != nil && a.live != nil:
			err = a.live.show(event.Partial)
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, errors.New("the stream ended without a result")
}

// event writes one event of a stream as a line, whoever looks at it.
func (a *analysis) event(name string, data any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(map[string]any{"event": name, "data": data}); err != nil {
		return fmt.Errorf("write the event: %w", err)
	}
	_, err := a.env.Stdout.Write(b.Bytes())
	return err
}

// failed shows the whole problem document to scripts, and passes the error on.
func (a *analysis) failed(err error) error {
	var e *client.Error
	if !a.out.json() || !errors.As(err, &e) || e.Raw == nil {
		return err
	}
	show := func() error { return a.out.value(e.Raw) }
	if a.stream {
		show = func() error { return a.event("error", e.Raw) }
	}
	return errors.Join(show(), err)
}

// show writes the answer.
func (a *analysis) show(answer *client.Answer) error {
	switch {
	case a.out.json() && a.stream:
		return a.event("result", answer.Raw)
	case a.out.json():
		return a.out.value(answer.Raw)
	}
	text := []byte(answer.Output)
	if answer.OutputFormat == "json" {
		var b bytes.Buffer
		if err := json.Indent(&b, answer.Data, "", "  "); err != nil {
			return fmt.Errorf("write the data: %w", err)
		}
		text = b.Bytes()
	}
	if !bytes.HasSuffix(text, []byte("\n")) {
		text = append(text, '\n')
	}
	if _, err := a.env.Stdout.Write(text); err != nil {
		return err
	}
	a.summary(answer)
	return nil
}

// summary says on standard error how the answer came to be.
func (a *analysis) summary(answer *client.Answer) {
	i := a.env.errInk()
	var parts []string
	switch {
	case answer.Cached:
		parts = append(parts, "cached")
	case answer.Coalesced:
		parts = append(parts, "shared with an identical request")
	}
	parts = append(parts, answer.ProviderUsed+"/"+answer.ModelUsed)
	if ref := answer.Validation.Schema; strings.Contains(ref, "@") { // A registered one: there was no such file.
		parts = append(parts, "schema "+ref)
	}
	if n := len(answer.Attempts); n > 1 {
		parts = append(parts, fmt.Sprintf("%d attempts", n))
	}
	if n := len(answer.Validation.Repairs); n > 0 {
		parts = append(parts, fmt.Sprintf("%d repaired", n))
	}
	if n := len(answer.Validation.Coercions); n > 0 {
		parts = append(parts, fmt.Sprintf("%d coerced", n))
	}
	if answer.Confidence != nil {
		parts = append(parts, fmt.Sprintf("confidence %.2f (%s)", *answer.Confidence, answer.ConfidenceSource))
	}
	if answer.OriginalLanguage != "" {
		parts = append(parts, "language "+answer.OriginalLanguage)
	}
	if answer.CostUSD != nil {
		parts = append(parts, "$"+answer.CostUSD.String())
	}
	parts = append(parts, milliseconds(answer.ProcessingTimeMS), "request "+answer.RequestID)
	fmt.Fprintln(a.env.Stderr, i.good(answer.ValidationStatus)+i.quiet(" · "+strings.Join(parts, " · ")))
}
