package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/promptd/promptd/client"
)

func diffCommand(env *Env) *cobra.Command {
	out, server := newPrintout(env), &remote{env: env}
	var mode string
	cmd := &cobra.Command{
		Use: "diff NAME[@VERSION] FILE|-|NAME@VERSION", Short: "Compare a schema with a published version", Args: cobra.ExactArgs(2),
		Long: "Say whether a schema may follow a published version, and name every place at which it may not. The second argument is a file where there is one, else another\n" +
			"published version. The exit code is 0 where it may follow, and 3 where it may not.",
		Example: examples("promptd schemas diff invoice invoice.json", "promptd schemas diff invoice@2 invoice@3 --compatibility full"),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		name, version, versioned := strings.Cut(args[0], "@")
		q := client.SchemaQuestion{Schema: args[1], Compatibility: mode}
		if versioned {
			n, err := strconv.Atoi(version)
			if err != nil || n < 1 {
				return notBoth()
			}
			q.Against = n
		}
		if isFile(args[1]) {
			schema, err := schemaFile(env, args[1])
			if err != nil {
				return err
			}
			q.Schema = schema
		}
		c, err := server.client()
		if err != nil {
			return err
		}
		found, err := c.CompareSchema(cmd.Context(), name, q)
		if err != nil {
			return err
		}
		return showComparison(out, found)
	}
	cmd.Flags().StringVar(&mode, "compatibility", "", "what is asked for: backward, forward, full or none (default: what the name keeps)")
	server.flag(cmd)
	out.flag(cmd)
	return cmd
}

// showComparison writes what was found; what breaks is exit code 3.
func showComparison(out *printout, found *client.SchemaComparison) error {
	if out.json() {
		return errors.Join(out.value(found), breaks(found))
	}
	i := out.env.ink()
	if found.Compatible {
		return out.line("%s with %s (%s).", i.good("compatible"), found.Against, found.Mode)
	}
	if err := out.line("%s with %s (%s):", i.bad("not compatible"), found.Against, found.Mode); err != nil {
		return err
	}
	for _, f := range found.Findings {
		at := f.Instance
		if at == "" {
			at = "the whole value"
		}
		text := fmt.Sprintf("  %s  %s\n    %s, %s: %s", i.bold(at), f.Keyword, f.Direction, f.Verdict, f.Message)
		if f.Hint != "" {
			text += "\n    " + f.Hint
		}
		if len(f.Witness) > 0 {
			const most = 200
			text += "\n    " + i.quiet("for example "+cut(string(f.Witness), most))
		}
		if err := out.line("%s", text); err != nil {
			return err
		}
	}
	if found.More > 0 {
		if err := out.line("  and %d more", found.More); err != nil {
			return err
		}
	}
	return breaks(found)
}

func fitnessCommand(env *Env) *cobra.Command {
	out, server := newPrintout(env), &remote{env: env}
	cmd := &cobra.Command{
		Use: named("fitness"), Short: "Show how a schema suits each model", Args: cobra.ExactArgs(1),
		Long: "Show for each model how its provider holds it to the schema, how many of the schema's constraints it enforces (promptd judges all of them), and what came of the\n" +
			"newest requests: how many passed, re-asks, mean cost and latency. A dash is what is not known.",
		Example: examples("promptd schemas fitness invoice", "promptd schemas fitness invoice@2 --output json"),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := server.client()
		if err != nil {
			return err
		}
		ref := args[0]
		if !strings.Contains(ref, "@") {
			s, err := c.Schema(cmd.Context(), ref, false)
			if err != nil {
				return err
			}
			ref += "@" + strconv.Itoa(*s.Version)
		}
		f, err := c.SchemaFitness(cmd.Context(), ref)
		if err != nil {
			return err
		}
		if out.json() {
			return out.value(f)
		}
		return showFitness(out, f)
	}
	server.flag(cmd)
	out.flag(cmd)
	return cmd
}

func showFitness(out *printout, f *client.SchemaFitness) error {
	if len(f.Models) == 0 {
		return out.line("There is no model that the key may use, and no request was made with %s.", f.Reference)
	}
	t := &table{titles: []string{"MODEL", "MODE", ">ENFORCED", ">REQUESTS", ">PASSED", ">RE-ASKS", ">MEAN COST USD", ">P50", ">P95"}}
	for i := range f.Models {
		m := &f.Models[i]
		mode, enforced := "-", "-"
		if m.Mode != nil {
			mode, enforced = *m.Mode, fmt.Sprintf("%d/%d", *m.Enforced, *m.Constraints)
		}
		cells := []string{m.Provider + "/" + m.Model, mode, enforced, "-", "-", "-", "-", "-", "-"}
		if r := m.Results; r != nil {
			cells = append(cells[:3], count(int64(r.Requests)), percent(r.PassRate), count(int64(r.Reasks)), costText(r.MeanCostUSD), took(r.P50MS), took(r.P95MS))
		}
		t.add(cells...)
	}
	return t.write(out.env.Stdout, out.env.ink())
}

func took(ms *float64) string {
	if ms == nil {
		return "-"
	}
	return milliseconds(*ms)
}
