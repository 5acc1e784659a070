package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/lint"
	"github.com/promptd/promptd/internal/schema/lowering"
)

func schemasCommand(env *Env) *cobra.Command {
	return group(&cobra.Command{
		Use: "schemas", Short: "Publish schemas, and look at them",
		Example: examples("promptd schemas check order.schema.json", "promptd schemas publish order order.schema.json", "promptd analyze --schema order < mail.txt"),
	}, append(registryCommands(env), schemasCheckCommand(env), schemasInferCommand(env))...)
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
		Use:   "check [--dialect D] [FILE|DIR|-]...",
		Short: "Lint a schema, and show what each dialect makes of it",
		Long: `Lint a schema: what stands against it, what is tolerated and worth knowing, and what to do about it. For each dialect: the mode in which it can
answer, how many of the schema's constraints the provider enforces (promptd judges all of them in any case), and what comes near to a limit.
With --dialect also the schema that is sent, what is not enforced, what is read narrowly, and all sizes.

Dialects: ` + strings.Join(lowering.Names(), ", ") + `.

Several files, or a directory (its files *.json, at any depth), give a table with a line for each. The exit code is 0, or 3 when a schema is refused.

With --jsonl each line of the input is {"id", "schema", "dialect", "instance"?} and is answered by one line, in the same order:
{"id", "mode", "lowered", "residue"}, with an instance also "lowered_instance" and "raised_instance"; lowered is null where the mode sends no
schema. The exit code is then 0 when every line was answered. It needs no server and no configuration.`,
		Example: `  promptd schemas check order.schema.json
  promptd schemas check --dialect openai --dialect gemini order.schema.json
  promptd schemas check --output json order.schema.json
  promptd schemas check schemas
  promptd schemas check --jsonl cases.jsonl > lowered.jsonl`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return env.checkSchemas(cmd.Context(), f, args) },
	}
	c.Flags().StringSliceVar(&f.dialects, "dialect", nil, "show what this `dialect` makes of it; with --jsonl, that of lines that name none")
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
	if f.jsonl && (len(f.dialects) > 1 || len(args) > 1) {
		return usageError{errors.New("with --jsonl, --dialect names one dialect, and there is one file")}
	}
	profiles, err := lint.Profiles(f.dialects, "")
	if err != nil {
		return usageError{errors.New(fault.Of(err).Detail)}
	}
	var o schema.Options
	if o.Draft, err = schema.ParseDraft(f.draft.value); err != nil {
		return usageError{err}
	}
	if o.Remotes, err = readRemotes(f.schemas); err != nil {
		return err
	}
	if f.jsonl {
		return e.checkLines(ctx, f, o, args)
	}
	if files, many, err := schemaFiles(args); err != nil || many {
		if err != nil {
			return err
		}
		return e.checkMany(ctx, f.output, o, profiles, files)
	}
	text, err := e.inputText(args)
	if err != nil {
		return err
	}
	report, err := checkSchema(ctx, text, o, profiles)
	if err != nil {
		if err := e.printRefusal(err, f.output); err != nil {
			return err
		}
		return exit(fault.ExitInvalid)
	}
	if f.output == asJSON {
		_, err := e.Stdout.Write(append(report.Value().Append(nil), '\n'))
		return err
	}
	return e.printChecked(report, len(f.dialects) > 0)
}

func checkSchema(ctx context.Context, text []byte, o schema.Options, profiles []lint.Profile) (*lint.Report, error) {
	raw, err := lint.Decode(text)
	if err != nil {
		return nil, err
	}
	return lint.Check(ctx, raw, o, profiles)
}

func unknownDialect(name string) string {
	return fmt.Sprintf("unknown dialect %.60q: it is one of %s", name, strings.Join(lowering.Names(), ", "))
}

// printRefusal says every problem of a schema.
func (e *Env) printRefusal(err error, o output) error {
	var f *fault.Fault
	if !errors.As(err, &f) {
		return err
	}
	if o == asJSON {
		_, err := e.Stdout.Write(append(appendRefusal(nil, f), '\n'))
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

// appendRefusal writes why a schema is refused as a JSON object.
func appendRefusal(dst []byte, f *fault.Fault) []byte {
	dst = appendError(append(dst, `{"valid":false,"error":`...), f)
	return append(appendList(append(dst, `,"errors":`...), f.Entries), '}')
}
