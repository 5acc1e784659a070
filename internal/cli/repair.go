package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/repair"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// repairFlags are the flags of repair, as given.
type repairFlags struct {
	schema   string
	coercion choice
	jsonl    bool
	output   output
}

func repairCommand(env *Env) *cobra.Command {
	f := repairFlags{coercion: choice{value: schema.Lenient.String(), allowed: []string{schema.Safe.String(), schema.Off.String(), schema.Lenient.String()}}}
	c := &cobra.Command{
		Use:   "repair [--schema FILE] [FILE|-]",
		Short: "Read malformed model output: the value, and what was repaired and coerced",
		Long: `Read the one JSON value that a model's text means, however it is wrapped or damaged: fences and prose around it, missing or wrong quotes, commas
and brackets, comments, literals of other languages. The value goes to standard output, what was done to standard error.

A schema helps to choose between readings of the text, and the value is then aligned to it (--coercion) and judged by it. Valid JSON keeps its
values, their order and the digits of numbers. Nothing is made up: what is missing stays missing. A text that had to be closed to be read is said
to be unfinished, and never meets a schema, whatever its beginning looks like.

The exit code is 0 when there is a value, 1 when there is none or the schema is refused, and 3 when --schema is not met.

With --jsonl each line of the input is {"id", "text", "schema"?} and is answered by one line, in the same order:
{"id", "value", "repairs", "coercions", "unfinished", "valid"?}, or {"id", "error"}. The exit code is then 0 when every line was answered.
It needs no server and no configuration.`,
		Example: `  promptd repair answer.txt
  pbpaste | promptd repair --schema order.schema.json
  promptd repair --schema order.schema.json --coercion safe --output json answer.txt
  promptd repair --jsonl answers.jsonl > values.jsonl`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return env.repair(cmd.Context(), f, args) },
	}
	c.Flags().StringVar(&f.schema, "schema", "", "the `file` of the schema that the value is meant for; with --jsonl, that of lines without one")
	c.Flags().Var(&f.coercion, "coercion", "how far the value may be aligned to the schema: safe takes only what has one reading")
	c.Flags().BoolVar(&f.jsonl, "jsonl", false, "read every line of the input")
	outputFlag(c, &f.output)
	return c
}

func (e *Env) repair(ctx context.Context, f repairFlags, args []string) error {
	mode, err := schema.ParseMode(f.coercion.value)
	if err != nil {
		return usageError{err}
	}
	var given *target
	if f.schema != "" {
		raw, err := readJSON(f.schema, "the schema")
		if err == nil {
			given, err = newTarget(ctx, raw, nil)
		}
		if err != nil {
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
			m := &mender{ctx: ctx, mode: mode, cache: cache, given: given}
			return m.answer
		})
	}
	text, err := e.inputText(args)
	if err != nil {
		return err
	}
	m, err := mend(ctx, string(text), given, mode)
	if err != nil {
		return e.refuse(err, f.output)
	}
	if err := e.printMended(m, f.output); err != nil {
		return err
	}
	if m.judged && len(m.report.Errors) > 0 {
		return exit(fault.ExitInvalid)
	}
	return nil
}

// target is the schema that a text is meant for.
type target struct {
	schema *schema.Schema
	shape  repair.Shape
}

// newTarget compiles a schema; the cache may be nil.
func newTarget(ctx context.Context, raw value.Value, cache *schema.Cache) (*target, error) {
	var s *schema.Schema
	var err error
	if cache != nil {
		s, err = cache.Compile(ctx, raw, schema.Options{})
	} else {
		s, err = schema.Compile(raw, schema.Options{})
	}
	if err != nil {
		return nil, err
	}
	return &target{schema: s, shape: repair.ShapeOf(raw)}, nil
}

// mended is what was read of a text.
type mended struct {
	repair.Result
	coercions []schema.Coercion
	report    schema.Report
	judged    bool
}

// mend reads a text, and aligns and judges the value where there is a schema. Nothing changes the value behind the judgement.
func mend(ctx context.Context, text string, t *target, mode schema.Mode) (mended, error) {
	var hints repair.Hints
	if t != nil {
		hints.Schema = t.shape
	}
	var m mended
	var err error
	if m.Result, err = repair.Read(text, hints); err != nil {
		return m, unreadable(err)
	}
	if t == nil {
		return m, nil
	}
	m.Value, m.coercions = t.schema.Coerce(m.Value, mode)
	m.judged = true
	if _, m.report = t.schema.Accept(ctx, m.Value); m.Unfinished {
		// A closed prefix that happens to be valid is still not the answer.
		m.report.Errors = append([]schema.Entry{{
			Keyword: "TRUNCATED", Expected: "a complete answer", Actual: "an answer that ends early", Message: "the text ends before its value does",
			Hint: "Ask again with more room.",
		}}, m.report.Errors...)
	}
	return m, nil
}

// unreadable says why there is no value.
func unreadable(err error) *fault.Fault {
	f := fault.New(fault.InvalidRequest, "%s", err.Error())
	f.Remediation = "Look at the text: promptd repair reads one JSON value out of it and makes none up."
	var bad *value.SyntaxError
	if errors.As(err, &bad) {
		f.Entries = []fault.Entry{{Pointer: bad.Pointer, Rule: string(bad.Rule), Message: bad.Error()}}
	}
	return f
}

func (e *Env) printMended(m mended, o output) error {
	if o == asJSON {
		_, err := e.Stdout.Write(append(m.append([]byte("{")), "}\n"...))
		return err
	}
	if _, err := e.Stdout.Write(append(m.Value.Append(nil), '\n')); err != nil {
		return err
	}
	// Notes go to standard error, so that the value can be piped on.
	p := printer{w: e.Stderr}
	for _, r := range m.Repairs {
		p.line("repaired: %s at byte %d", r.Kind, r.Offset)
	}
	for _, c := range m.coercions {
		p.line("coerced:  %s at %s: %.80s -> %.80s", c.Kind, place(c.Pointer), c.Before.String(), c.After.String())
	}
	if m.Unfinished {
		p.line("unfinished: the text ends before its value does; the rest is missing")
	}
	if m.judged {
		e.printReport(&p, m.report)
	}
	return p.err
}

// append writes the members of an answer.
func (m *mended) append(dst []byte) []byte {
	dst = m.Value.Append(append(dst, `"value":`...))
	dst = appendList(append(dst, `,"repairs":`...), m.Repairs)
	dst = appendList(append(dst, `,"coercions":`...), m.coercions)
	dst = fmt.Appendf(dst, `,"unfinished":%t`, m.Unfinished)
	if m.judged {
		dst = appendVerdict(append(dst, ','), m.report)
	}
	return dst
}

// mender answers lines of repair.
type mender struct {
	ctx   context.Context //nolint:containedctx // A mender lives as long as the command.
	mode  schema.Mode
	cache *schema.Cache
	given *target

	// The schema of the line before.
	last      *target
	lastValue value.Value
}

func (m *mender) answer(dst, line []byte) []byte {
	object, id, err := readLine(line, "id", "text", "schema")
	if err != nil {
		return appendFailure(dst, id, err)
	}
	out, err := m.read(object)
	if err != nil {
		return appendFailure(dst, id, err)
	}
	dst = append(id.Append(append(dst, `{"id":`...)), ',')
	return append(out.append(dst), '}')
}

func (m *mender) read(line value.Value) (mended, error) {
	if _, ok := line.Get("text"); !ok {
		return mended{}, refusedLine("", "the line has no text")
	}
	text, err := textOf(line, "text", "")
	if err != nil {
		return mended{}, err
	}
	t := m.given
	if raw, ok := line.Get("schema"); ok {
		if m.last == nil || !value.Identical(raw, m.lastValue) {
			if m.last, err = newTarget(m.ctx, raw, m.cache); err != nil {
				return mended{}, err
			}
			m.lastValue = raw
		}
		t = m.last
	}
	return mend(m.ctx, text, t, m.mode)
}
