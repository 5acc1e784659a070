package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// validateFlags are the flags of validate, as given.
type validateFlags struct {
	schema, schemas string
	draft, format   choice
	jsonl           bool
	output          output
}

func validateCommand(env *Env) *cobra.Command {
	f := validateFlags{draft: drafts(), format: choice{value: formatAssert, allowed: []string{formatAssert, formatAnnotate}}}
	c := &cobra.Command{
		Use:   "validate --schema FILE [FILE|-]",
		Short: "Judge JSON against a schema",
		Long: `Judge JSON against a JSON Schema of draft 2020-12, 2019-09, 7, 6 or 4, and say what is wrong, where, and what to do about it.

The exit code is 0 when the value is valid, 3 when it is not, and 1 when the schema is refused.

With --jsonl each line of the input is {"id", "schema", "instance", "draft"?, "format"?} and is answered by one line, in the same order:
{"id", "valid", "errors"}, or {"id", "error"} where the schema is refused. The exit code is then 0 when every line was answered.
It needs no server and no configuration.`,
		Example: `  promptd validate --schema order.schema.json order.json
  curl -s https://example.org/order | promptd validate --schema order.schema.json --output json -
  promptd validate --jsonl cases.jsonl > verdicts.jsonl
  promptd validate --jsonl --schemas remotes.jsonl --draft 7 --format annotate < cases.jsonl`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return env.validate(cmd.Context(), f, args) },
	}
	c.Flags().StringVar(&f.schema, "schema", "", "the schema's `file`; with --jsonl, that of lines without one")
	c.Flags().StringVar(&f.schemas, "schemas", "", `a `+"`file`"+` of lines {"url", "schema"}: the only schemas outside that references may lead to`)
	c.Flags().Var(&f.draft, "draft", "the draft of a schema that has no $schema")
	c.Flags().Var(&f.format, "format", "whether format judges, or only annotates")
	c.Flags().BoolVar(&f.jsonl, "jsonl", false, "judge every line of the input")
	outputFlag(c, &f.output)
	return c
}

const (
	formatAssert   = "assert"
	formatAnnotate = "annotate"
)

func drafts() choice {
	return choice{value: schema.Draft202012.String(), allowed: []string{"2020-12", "2019-09", "7", "6", "4"}}
}

// options turns the flags into how schemas are compiled.
func (f *validateFlags) options() (schema.Options, error) {
	o := schema.Options{AnnotateFormat: f.format.value == formatAnnotate}
	var err error
	if o.Draft, err = schema.ParseDraft(f.draft.value); err != nil {
		return o, usageError{err}
	}
	o.Remotes, err = readRemotes(f.schemas)
	return o, err
}

func (e *Env) validate(ctx context.Context, f validateFlags, args []string) error {
	if f.schema == "" && !f.jsonl {
		return usageError{errors.New("validate needs --schema FILE, or --jsonl")}
	}
	o, err := f.options()
	if err != nil {
		return err
	}
	var given value.Value
	if f.schema != "" {
		if given, err = readJSON(f.schema, "the schema"); err != nil {
			return e.refuse(err, f.output)
		}
	}
	if f.jsonl {
		in, done, err := e.input(args)
		if err != nil {
			return err
		}
		defer done()
		cache := schema.NewCache(0)
		return answerLines(ctx, in, e.Stdout, func() answer {
			j := &judge{ctx: ctx, options: o, cache: cache, given: given, hasGiven: f.schema != ""}
			return j.answer
		})
	}
	s, err := schema.Compile(given, o)
	if err != nil {
		return e.refuse(err, f.output)
	}
	text, err := e.inputText(args)
	if err != nil {
		return err
	}
	report := judgeText(ctx, s, text)
	if err := e.printVerdict(report, f.output); err != nil {
		return err
	}
	if len(report.Errors) > 0 {
		return exit(fault.ExitInvalid)
	}
	return nil
}

// judgeText judges a text by a schema; what is no JSON is not valid.
func judgeText(ctx context.Context, s *schema.Schema, text []byte) schema.Report {
	v, err := value.Decode(text, value.Limits{})
	var bad *value.SyntaxError
	if errors.As(err, &bad) {
		return schema.Report{Errors: []schema.Entry{{
			Keyword: string(bad.Rule), Pointer: bad.Pointer, Expected: "strict JSON", Message: bad.Error(),
			Hint: "Correct the text; promptd repair reads what models write.",
		}}}
	}
	_, report := s.Accept(ctx, v)
	return report
}

// refuse says that a schema is refused: with --output json on standard output, else as every error.
func (e *Env) refuse(err error, o output) error {
	var f *fault.Fault
	if o != asJSON || !errors.As(err, &f) {
		return err
	}
	line := append(appendError([]byte(`{"error":`), err), "}\n"...)
	if _, err := e.Stdout.Write(line); err != nil {
		return err
	}
	return exit(f.Code.Row().Exit)
}

func (e *Env) printVerdict(r schema.Report, o output) error {
	if o == asJSON {
		_, err := e.Stdout.Write(append(appendVerdict([]byte("{"), r), "}\n"...))
		return err
	}
	p := printer{w: e.Stdout}
	e.printReport(&p, r)
	return p.err
}

// printReport writes a report for people.
func (e *Env) printReport(p *printer, r schema.Report) {
	ink := e.ink()
	if len(r.Errors) == 0 {
		p.line("%s", ink.good("valid"))
		return
	}
	count := len(r.Errors) + r.More
	p.line("%s: %s", ink.bad("not valid"), plural(count, "error"))
	for _, entry := range r.Errors {
		p.line("")
		p.line("  %s  %s", ink.bold(place(entry.Pointer)), ink.quiet(entry.Keyword))
		p.line("    %s", entry.Message)
		if entry.Expected != "" {
			p.line("    expected: %s", entry.Expected)
		}
		if entry.Actual != "" {
			p.line("    found:    %s", entry.Actual)
		}
		if entry.Hint != "" {
			p.line("    %s", entry.Hint)
		}
	}
	if r.More > 0 {
		p.line("")
		p.line("  and %d more", r.More)
	}
}

// place names a JSON pointer for people.
func place(pointer string) string {
	if pointer == "" {
		return "(the whole value)"
	}
	return pointer
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// appendVerdict writes "valid" and "errors".
func appendVerdict(dst []byte, r schema.Report) []byte {
	if len(r.Errors) == 0 {
		return append(dst, `"valid":true,"errors":[]`...)
	}
	dst = appendList(append(dst, `"valid":false,"errors":`...), r.Errors)
	if r.More > 0 {
		dst = fmt.Appendf(dst, `,"more":%d`, r.More)
	}
	return dst
}

// judge answers lines of validate.
type judge struct {
	ctx      context.Context //nolint:containedctx // A judge lives as long as the command.
	options  schema.Options
	cache    *schema.Cache
	given    value.Value
	hasGiven bool

	// The schema of the line before: files of cases name one schema many times over.
	last       *schema.Schema
	lastValue  value.Value
	lastOption [2]string
}

func (j *judge) answer(dst, line []byte) []byte {
	object, id, err := readLine(line, "id", "schema", "instance", "draft", "format")
	if err != nil {
		return appendFailure(dst, id, err)
	}
	s, instance, err := j.read(object)
	if err != nil {
		return appendFailure(dst, id, err)
	}
	_, report := s.Accept(j.ctx, instance)
	dst = append(id.Append(append(dst, `{"id":`...)), ',')
	return append(appendVerdict(dst, report), '}')
}

// read gives the line's compiled schema and its instance.
func (j *judge) read(line value.Value) (*schema.Schema, value.Value, error) {
	instance, ok := line.Get("instance")
	if !ok {
		return nil, instance, refusedLine("", "the line has no instance")
	}
	raw, ok := line.Get("schema")
	if !ok {
		if raw = j.given; !j.hasGiven {
			return nil, instance, refusedLine("", "the line has no schema, and --schema gives none")
		}
	}
	draft, err := textOf(line, "draft", j.options.Draft.String())
	if err != nil {
		return nil, instance, err
	}
	format := formatAssert
	if j.options.AnnotateFormat {
		format = formatAnnotate
	}
	if format, err = textOf(line, "format", format); err != nil {
		return nil, instance, err
	}
	s, err := j.compile(raw, draft, format)
	return s, instance, err
}

func (j *judge) compile(raw value.Value, draft, format string) (*schema.Schema, error) {
	option := [2]string{draft, format}
	if j.last != nil && option == j.lastOption && value.Identical(raw, j.lastValue) {
		return j.last, nil
	}
	o := j.options
	var err error
	if o.Draft, err = schema.ParseDraft(draft); err != nil {
		return nil, refusedLine("/draft", "%s", err.Error())
	}
	if format != formatAssert && format != formatAnnotate {
		return nil, refusedLine("/format", "unknown format %.60q: it is one of %s, %s", format, formatAssert, formatAnnotate)
	}
	o.AnnotateFormat = format == formatAnnotate
	s, err := j.cache.Compile(j.ctx, raw, o)
	if err != nil {
		return nil, err
	}
	j.last, j.lastValue, j.lastOption = s, raw, option
	return s, nil
}

// readJSON reads a file as one JSON value; what names the file's role.
func readJSON(path, what string) (value.Value, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return value.Value{}, fmt.Errorf("read %s: %w", what, err)
	}
	v, err := value.Decode(text, value.Limits{})
	if err == nil {
		return v, nil
	}
	f := fault.New(fault.InvalidSchema, "%s in %s is not strict JSON: %s", what, path, err.Error())
	var bad *value.SyntaxError
	if errors.As(err, &bad) {
		f.Entries = []fault.Entry{{Pointer: bad.Pointer, Rule: string(bad.Rule), Message: bad.Error()}}
	}
	return value.Value{}, f
}

// readRemotes reads the schemas that references may lead to: lines of {"url", "schema"}. No file is no schemas.
func readRemotes(path string) (schema.Remotes, error) {
	if path == "" {
		return nil, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, usageError{fmt.Errorf("read --schemas: %w", err)}
	}
	defer file.Close()
	text, err := io.ReadAll(file)
	if err != nil {
		return nil, usageError{fmt.Errorf("read --schemas %s: %w", path, err)}
	}
	remotes := schema.Remotes{}
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		if strings.TrimSpace(line) == "" {
			continue
		}
		if err := addRemote(remotes, line); err != nil {
			return nil, usageError{fmt.Errorf("read --schemas %s: line %d: %w", path, n, err)}
		}
	}
	return remotes, nil
}

func addRemote(remotes schema.Remotes, line string) error {
	object, _, err := readLine([]byte(line), "url", "schema")
	if err != nil {
		return errors.New(fault.Of(err).Detail)
	}
	url, err := textOf(object, "url", "")
	if err != nil {
		return errors.New(fault.Of(err).Detail)
	}
	s, ok := object.Get("schema")
	if url = strings.TrimSuffix(url, "#"); url == "" || !ok {
		return errors.New("the line needs a url and a schema")
	}
	if other, twice := remotes[url]; twice && !value.Identical(other, s) {
		return fmt.Errorf("the url %s stands twice", url)
	}
	remotes[url] = s
	return nil
}
