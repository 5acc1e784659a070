package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/schema/infer"
	"github.com/promptd/promptd/internal/value"
)

// inferFlags are the flags of schemas infer, as given.
type inferFlags struct {
	name   string
	output output
}

func schemasInferCommand(env *Env) *cobra.Command {
	f := inferFlags{}
	c := &cobra.Command{
		Use:   "infer [--name NAME] [FILE|-]",
		Short: "Draft a schema from examples",
		Long: `Draft a schema from examples of the values that it is to describe: a beginning to edit. The input is a JSON array of examples, or JSON Lines with
an example on each. Where every example is an object {"text": …, "value": …}, the text is what the value was taken from, and strings that always
stand in it get x-extractive.

The schema goes to the standard output; what each decision rests on, n of m values, to the standard error. With --output json both are one object.
It needs no server and no configuration. The exit code is 0, or 3 when no schema can be drafted.`,
		Example: `  promptd schemas infer orders.jsonl > order.schema.json
  promptd schemas infer --name order --output json orders.json
  jq -c '.[].payload' export.json | promptd schemas infer -`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return env.inferSchema(cmd.Context(), f, args) },
	}
	c.Flags().StringVar(&f.name, "name", "", "the draft's title")
	outputFlag(c, &f.output)
	return c
}

func (e *Env) inferSchema(ctx context.Context, f inferFlags, args []string) error {
	text, err := e.inputText(args)
	if err != nil {
		return err
	}
	list, err := readExamples(text)
	if err != nil {
		return e.refuseExamples(err, f.output)
	}
	r, err := infer.Draft(ctx, f.name, infer.Examples(list))
	if err != nil {
		return e.refuseExamples(err, f.output)
	}
	if f.output == asJSON {
		_, err := e.Stdout.Write(append(r.Value().Append(nil), '\n'))
		return err
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, r.Schema.Append(nil), "", "  "); err != nil {
		return fmt.Errorf("indent the schema: %w", err)
	}
	if _, err := e.Stdout.Write(append(indented.Bytes(), '\n')); err != nil {
		return err
	}
	return e.printNotes(r)
}

// refuseExamples says why there is no draft; an error of another kind, such as an interrupt, goes on.
func (e *Env) refuseExamples(err error, o output) error {
	var f *fault.Fault
	if !errors.As(err, &f) || f.Code == fault.Internal {
		return err
	}
	if err := e.printRefusal(err, o); err != nil {
		return err
	}
	return exit(fault.ExitInvalid)
}

// readExamples reads a JSON array, or one example a line.
func readExamples(text []byte) ([]value.Value, error) {
	var list []value.Value
	whole, err := value.Decode(text, value.Limits{})
	if err == nil && whole.Kind() == value.KindArray {
		for _, v := range whole.Items() {
			list = append(list, v)
		}
		return list, nil
	}
	if err == nil {
		return []value.Value{whole}, nil
	}
	number := 0
	for line := range bytes.Lines(text) {
		number++
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if len(list) == infer.MaxExamples {
			return nil, fault.Invalid("", "maxItems", fmt.Sprintf("there are more than %d examples", infer.MaxExamples), "Leave some out: a few hundred say as much.")
		}
		v, bad := value.Decode(line, value.Limits{})
		if bad != nil {
			return nil, fault.Invalid("", "json_syntax", fmt.Sprintf("line %d is not strict JSON: %v", number, bad), "Give a JSON array of examples, or JSON Lines with an example on each.")
		}
		list = append(list, v)
	}
	return list, nil
}

// printNotes writes what the decisions rest on to the standard error, so that the schema can be piped.
func (e *Env) printNotes(r infer.Result) error {
	p := printer{w: e.Stderr}
	for _, n := range r.Notes {
		p.line("%s  %s, %d of %d: %s", place(n.Pointer), n.Decision, n.Have, n.Of, n.Message)
	}
	if r.More > 0 {
		p.line("and %d more", r.More)
	}
	return p.err
}
