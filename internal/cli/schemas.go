package cli

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/value"
)

func schemasCommand(env *Env) *cobra.Command {
	return group(&cobra.Command{
		Use: "schemas", Short: "Look at schemas",
		Example: examples("promptd schemas check order.schema.json", "promptd schemas check --dialect openai --output json order.schema.json"),
	}, schemasCheckCommand(env))
}

// checkFlags are the flags of schemas check, as given.
type checkFlags struct {
	dialects []string
	schemas  string
	draft    choice
	jsonl    bool
	output   output
}

func schemasCheckCommand(env *Env) *cobra.Command {
	f := checkFlags{draft: drafts()}
	c := &cobra.Command{
		Use:   "check [--dialect D] [FILE|-]",
		Short: "Lint a schema, and show what each dialect makes of it",
		Long: `Lint a schema: what stands against it, what is tolerated and worth knowing. For each dialect: the mode in which it can answer, the schema that it
is sent, and what it will not enforce and promptd judges afterwards.

Dialects: ` + strings.Join(lowering.Names(), ", ") + `.

The exit code is 0, or 3 when the schema is refused.

With --jsonl each line of the input is {"id", "schema", "dialect", "instance"?} and is answered by one line, in the same order:
{"id", "mode", "lowered", "residue"}, with an instance also "lowered_instance" and "raised_instance"; lowered is null where the mode sends no
schema. The exit code is then 0 when every line was answered. It needs no server and no configuration.`,
		Example: `  promptd schemas check order.schema.json
  promptd schemas check --dialect openai --output json order.schema.json
  promptd schemas check --jsonl cases.jsonl > lowered.jsonl`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return env.checkSchemas(cmd.Context(), f, args) },
	}
	c.Flags().StringSliceVar(&f.dialects, "dialect", nil, "only this `dialect`; with --jsonl, that of lines that name none")
	c.Flags().StringVar(&f.schemas, "schemas", "", `a `+"`file`"+` of lines {"url", "schema"}: the only schemas outside that references may lead to`)
	c.Flags().Var(&f.draft, "draft", "the draft of a schema that has no $schema")
	c.Flags().BoolVar(&f.jsonl, "jsonl", false, "check every line of the input")
	outputFlag(c, &f.output)
	return c
}

func (e *Env) checkSchemas(ctx context.Context, f checkFlags, args []string) error {
	for _, d := range f.dialects {
		if _, ok := lowering.Named(d); !ok {
			return usageError{errors.New(unknownDialect(d))}
		}
	}
	if f.jsonl && len(f.dialects) > 1 {
		return usageError{errors.New("with --jsonl, --dialect names one dialect")}
	}
	var o schema.Options
	var err error
	if o.Draft, err = schema.ParseDraft(f.draft.value); err != nil {
		return usageError{err}
	}
	if o.Remotes, err = readRemotes(f.schemas); err != nil {
		return err
	}
	if f.jsonl {
		in, done, err := e.input(args)
		if err != nil {
			return err
		}
		defer done()
		cache := schema.NewCache(0)
		return answerLines(ctx, in, e.Stdout, func() answer {
			c := &checker{ctx: ctx, options: o, cache: cache, dialect: strings.Join(f.dialects, "")}
			return c.answer
		})
	}
	if len(f.dialects) == 0 {
		f.dialects = lowering.Dialects()
	}
	text, err := e.inputText(args)
	if err != nil {
		return err
	}
	checked, err := checkSchema(text, o, f.dialects)
	if err != nil {
		if err := e.printRefusal(err, f.output); err != nil {
			return err
		}
		return exit(fault.ExitInvalid)
	}
	if f.output == asJSON {
		_, err := e.Stdout.Write(append(checked.append(nil), '\n'))
		return err
	}
	return e.printChecked(checked)
}

func unknownDialect(name string) string {
	return fmt.Sprintf("unknown dialect %.60q: it is one of %s", name, strings.Join(lowering.Names(), ", "))
}

// checked is what there is to say of a schema that compiles.
type checked struct {
	schema   *schema.Schema
	dialects []string
	lowered  []lowering.Lowered
}

func checkSchema(text []byte, o schema.Options, dialects []string) (checked, error) {
	raw, err := value.Decode(text, value.Limits{})
	if err != nil {
		f := fault.New(fault.InvalidSchema, "the schema is not strict JSON: %s", err.Error())
		var bad *value.SyntaxError
		if errors.As(err, &bad) {
			f.Entries = []fault.Entry{{Pointer: bad.Pointer, Rule: string(bad.Rule), Message: bad.Error()}}
		}
		return checked{}, f
	}
	c := checked{dialects: dialects}
	if c.schema, err = schema.Compile(raw, o); err != nil {
		return c, err
	}
	for _, d := range dialects {
		profile, _ := lowering.Named(d)
		c.lowered = append(c.lowered, lowering.Lower(c.schema, profile))
	}
	return c, nil
}

// printRefusal says every problem of a schema.
func (e *Env) printRefusal(err error, o output) error {
	var f *fault.Fault
	if !errors.As(err, &f) {
		return err
	}
	if o == asJSON {
		line := appendError([]byte(`{"error":`), f)
		_, err := e.Stdout.Write(append(appendList(append(line, `,"errors":`...), f.Entries), "}\n"...))
		return err
	}
	p, ink := printer{w: e.Stdout}, e.ink()
	p.line("%s: %s", ink.bad("refused"), plural(len(f.Entries), "problem"))
	for _, entry := range f.Entries {
		p.line("")
		p.line("  %s  %s", ink.bold(place(entry.Pointer)), ink.quiet(entry.Rule))
		p.line("    %s", entry.Message)
		if entry.Hint != "" {
			p.line("    %s", entry.Hint)
		}
	}
	return p.err
}

// append writes everything as one JSON object.
func (c *checked) append(dst []byte) []byte {
	hash := c.schema.Hash()
	dst = fmt.Appendf(dst, `{"draft":%q,"hash":%q,"advice":`, c.schema.Draft(), hex.EncodeToString(hash[:]))
	dst = append(appendList(dst, c.schema.Advice()), `,"dialects":[`...)
	for i, l := range c.lowered {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendLowered(fmt.Appendf(dst, `{"dialect":%q,`, c.dialects[i]), l), '}')
	}
	return append(dst, "]}"...)
}

// appendLowered writes "mode", "lowered" and "residue".
func appendLowered(dst []byte, l lowering.Lowered) []byte {
	dst = fmt.Appendf(dst, `"mode":%q,"lowered":`, l.Mode)
	dst = l.Schema.Append(dst)
	return appendList(append(dst, `,"residue":`...), l.Residue)
}

func (e *Env) printChecked(c checked) error {
	p, ink := printer{w: e.Stdout}, e.ink()
	p.line("%s, draft %s", ink.good("accepted"), c.schema.Draft())
	for _, a := range c.schema.Advice() {
		p.line("  %s  %s", ink.bold(place(a.Pointer)), ink.quiet(a.Rule))
		p.line("    %s", a.Message)
	}
	for i, l := range c.lowered {
		p.line("")
		p.line("%s: mode %s", ink.bold(c.dialects[i]), l.Mode)
		if l.Schema.IsNull() {
			p.line("  sends no schema; the prompt shows it, and promptd judges the answer")
			continue
		}
		p.line("  sends %s", l.Schema.String())
		if len(l.Residue) > 0 {
			p.line("  promptd judges what it does not enforce:")
		}
		for _, r := range l.Residue {
			p.line("    %s  %s %.80s", place(r.Pointer), r.Keyword, r.Value.String())
		}
	}
	return p.err
}

// checker answers lines of schemas check.
type checker struct {
	ctx     context.Context //nolint:containedctx // A checker lives as long as the command.
	options schema.Options
	cache   *schema.Cache
	dialect string
}

func (c *checker) answer(dst, line []byte) []byte {
	object, id, err := readLine(line, "id", "schema", "dialect", "instance")
	if err != nil {
		return appendFailure(dst, id, err)
	}
	start := len(dst)
	dst = append(id.Append(append(dst, `{"id":`...)), ',')
	if dst, err = c.read(dst, object); err != nil {
		return appendFailure(dst[:start], id, err)
	}
	return append(dst, '}')
}

func (c *checker) read(dst []byte, line value.Value) ([]byte, error) {
	raw, ok := line.Get("schema")
	if !ok {
		return dst, refusedLine("", "the line has no schema")
	}
	dialect, err := textOf(line, "dialect", c.dialect)
	if err != nil {
		return dst, err
	}
	if dialect == "" {
		return dst, refusedLine("", "the line has no dialect, and --dialect gives none")
	}
	profile, ok := lowering.Named(dialect)
	if !ok {
		return dst, refusedLine("/dialect", "%s", unknownDialect(dialect))
	}
	s, err := c.cache.Compile(c.ctx, raw, c.options)
	if err != nil {
		return dst, err
	}
	l := lowering.Lower(s, profile)
	dst = appendLowered(dst, l)
	instance, ok := line.Get("instance")
	if !ok {
		return dst, nil
	}
	lowered, err := l.Lower(instance)
	if err != nil {
		return dst, untranslated(err, "lowered")
	}
	raised, err := l.Raise(lowered)
	if err != nil {
		return dst, untranslated(err, "raised")
	}
	dst = lowered.Append(append(dst, `,"lowered_instance":`...))
	return raised.Append(append(dst, `,"raised_instance":`...)), nil
}

// untranslated says that an instance cannot be lowered or raised.
func untranslated(err error, how string) error {
	pointer := "/instance"
	var bad *lowering.Error
	if errors.As(err, &bad) {
		pointer += bad.Pointer
	}
	return refusedLine(pointer, "the instance cannot be %s: %s", how, err.Error())
}
