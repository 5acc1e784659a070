package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/promptd/promptd/client"
	"github.com/promptd/promptd/internal/fault"
)

func templatesRenderCommand(env *Env) *cobra.Command {
	out, server := newPrintout(env), &remote{env: env}
	p := &parameters{}
	cmd := &cobra.Command{
		Use: "render NAME[@VERSION]", Short: "Show what a model would be told", Args: cobra.ExactArgs(1),
		Long: "Show what a model would be told for these parameters, beside promptd's own instruction. It asks no model. Each parameter that can hold free text stands between two\n" +
			"marker lines, so that nothing in it can pose as an instruction.",
		Example: examples("promptd templates render invoice --param document=@mail.txt", `promptd templates render order@2 --param customer=Ann --param most:=3`),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		values, err := p.values()
		if err != nil {
			return err
		}
		c, err := server.client()
		if err != nil {
			return err
		}
		r, err := c.RenderTemplate(cmd.Context(), args[0], values)
		if err != nil {
			return err
		}
		if out.json() {
			return out.value(r)
		}
		i := env.ink()
		for _, m := range r.Messages {
			if err := out.line("%s\n%s", i.quiet(m.Role), m.Content); err != nil {
				return err
			}
		}
		fmt.Fprintln(env.Stderr, env.errInk().quiet(fmt.Sprintf("%s · %s characters", r.Template, count(int64(r.Characters)))))
		return nil
	}
	p.flag(cmd)
	server.flag(cmd)
	out.flag(cmd)
	return cmd
}

func templatesTestCommand(env *Env) *cobra.Command {
	out, server := newPrintout(env), &remote{env: env}
	var wanted client.TemplateTests
	var provider, model string
	cmd := &cobra.Command{
		Use: "test NAME[@VERSION]", Short: "Run a template's stored tests", Args: cobra.ExactArgs(1),
		Long: "Run a template's stored tests. Each asks a model, as a request does, and costs what that costs. A test passes where its answer is valid and is what it expects.\n" +
			"The exit code is 3 where a test failed.",
		Example: examples("promptd templates test invoice", `promptd templates test invoice@2 --test "a plain one" --model gpt-4.1-mini`, "promptd templates test invoice --output json"),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if provider != "" || model != "" {
			wanted.Options = &client.Options{Provider: provider, Model: model, BypassCache: true}
		}
		c, err := server.client()
		if err != nil {
			return err
		}
		done, err := c.TestTemplate(cmd.Context(), args[0], wanted)
		if err != nil {
			return err
		}
		if out.json() {
			err = out.value(done)
		} else {
			err = showTests(env, out, done)
		}
		if err == nil && done.Failed > 0 {
			return exit(fault.ExitInvalid)
		}
		return err
	}
	cmd.Flags().StringArrayVar(&wanted.Tests, "test", nil, "run this test alone; may be repeated")
	cmd.Flags().StringVar(&provider, "provider", "", "use this provider alone")
	cmd.Flags().StringVarP(&model, "model", "m", "", "use this model alone, as name or provider/name")
	server.flag(cmd)
	out.flag(cmd)
	return cmd
}

// showTests writes a line for each test, and below it what was wrong.
func showTests(env *Env, out *printout, done *client.TestedTemplate) error {
	i := env.ink()
	var b strings.Builder
	for _, t := range done.Tests {
		mark := i.good("passed")
		if t.Status != "passed" {
			mark = i.bad("failed")
		}
		fmt.Fprintf(&b, "%s  %s\n", mark, t.Name)
		for _, d := range t.Differences {
			at := d.Pointer
			if at == "" {
				at = "the whole answer"
			}
			fmt.Fprintf(&b, "        %s %s: expected %s, got %s\n", at, d.Message, d.Expected, d.Actual)
		}
		if t.Error != nil {
			fmt.Fprintf(&b, "        %s: %s\n        %s\n", t.Error.Code, t.Error.Detail, t.Error.Remediation)
		}
	}
	cost := costText(done.CostUSD)
	if done.CostUSD != nil {
		cost = "$" + cost
	}
	fmt.Fprintf(&b, "%s: %d of %d passed, cost %s", done.Template, done.Passed, done.Total, cost)
	return out.line("%s", b.String())
}
