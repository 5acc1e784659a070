package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/promptd/promptd/client"
	"github.com/promptd/promptd/internal/fault"
)

// registryCommands are the commands on the schemas that a server keeps.
func registryCommands(env *Env) []*cobra.Command {
	return []*cobra.Command{
		publishSchemaCommand(env), schemasListCommand(env), schemasShowCommand(env), versionsCommand(env), diffCommand(env), fitnessCommand(env),
		withdrawSchemaCommand(env), restoreSchemaCommand(env),
	}
}

// named is the argument of a command on one schema.
func named(use string) string { return use + " NAME[@VERSION]" }

func publishSchemaCommand(env *Env) *cobra.Command {
	out, server := newPrintout(env), &remote{env: env}
	var description, mode string
	var dry bool
	cmd := &cobra.Command{
		Use: "publish NAME FILE|-", Short: "Publish a schema, or its next version", Args: cobra.ExactArgs(2),
		Long: "Publish a schema under a name, or the name's next version. Requests name it as NAME, which means the newest version, or NAME@VERSION.\n" +
			"A version never changes. One with the content of the newest is not published again. One that is not compatible with the newest is refused, with every place;\n" +
			"--compatibility none publishes it all the same. A new name keeps the mode that is given, backward without one; later it holds for that version alone.",
		Example: examples("promptd schemas publish invoice invoice.json", `promptd schemas publish invoice invoice.json --dry-run`,
			`promptd schemas publish invoice invoice.json --description "What a supplier bills us." --compatibility full`),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		schema, err := schemaFile(env, args[1])
		if err != nil {
			return err
		}
		c, err := server.client()
		if err != nil {
			return err
		}
		if dry {
			found, err := c.CompareSchema(cmd.Context(), args[0], client.SchemaQuestion{Schema: schema, Compatibility: mode})
			if client.IsCode(err, fault.NotFound.String()) {
				return out.line("%s would be published as its first version.", args[0])
			}
			if err != nil {
				return err
			}
			return showComparison(out, found)
		}
		p := client.PublishSchema{Name: args[0], Schema: schema, Compatibility: mode}
		if cmd.Flags().Changed("description") {
			p.Description = &description
		}
		made, err := c.PublishSchema(cmd.Context(), p)
		switch {
		case err != nil:
			return err
		case out.json():
			return out.value(made)
		case !made.New:
			return out.line("%s has this content already; nothing was published.", made.Reference)
		}
		return out.line("%s published.", made.Reference)
	}
	cmd.Flags().StringVar(&description, "description", "", "what the schema is for")
	cmd.Flags().StringVar(&mode, "compatibility", "", "what it owes to the version before: backward, forward, full or none")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "compare only, and publish nothing")
	server.flag(cmd)
	out.flag(cmd)
	return cmd
}

// schemaFile reads a schema of a file, or of standard input for -.
func schemaFile(env *Env, name string) (json.RawMessage, error) {
	text, err := env.inputText([]string{name})
	if err != nil {
		return nil, err
	}
	if !json.Valid(text) {
		return nil, fault.New(fault.InvalidSchema, "%s holds no JSON", name)
	}
	return text, nil
}

func schemasListCommand(env *Env) *cobra.Command {
	out, server := newPrintout(env), &remote{env: env}
	var withdrawn bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the team's schemas", Args: cobra.NoArgs, Example: examples("promptd schemas list", "promptd schemas list --withdrawn --output json"),
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := server.client()
		if err != nil {
			return err
		}
		list := []client.Schema{}
		for one, err := range c.Schemas(cmd.Context(), withdrawn) {
			if err != nil {
				return err
			}
			list = append(list, one)
		}
		if out.json() {
			return out.value(client.List[client.Schema]{Data: list})
		}
		if len(list) == 0 {
			return out.line("There is no schema yet: promptd schemas publish NAME FILE publishes one; --withdrawn shows those that were withdrawn.")
		}
		t := &table{titles: []string{"NAME", ">VERSION", "COMPATIBILITY", "UPDATED", "DESCRIPTION"}}
		for _, s := range list {
			version := "withdrawn"
			if s.Version != nil && s.WithdrawnAt.IsZero() {
				version = count(int64(*s.Version))
			}
			first, _, _ := strings.Cut(s.Description, "\n")
			t.add(s.Name, version, s.Compatibility, when(s.UpdatedAt), first)
		}
		return t.write(env.Stdout, env.ink())
	}
	cmd.Flags().BoolVar(&withdrawn, "withdrawn", false, "show withdrawn ones too")
	server.flag(cmd)
	out.flag(cmd)
	return cmd
}

func schemasShowCommand(env *Env) *cobra.Command {
	out, server := newPrintout(env), &remote{env: env}
	var withdrawn bool
	cmd := &cobra.Command{
		Use: named("show"), Short: "Show a schema", Args: cobra.ExactArgs(1),
		Long:    "Show the schema itself, of the newest version or of the one that is named; with --output json everything that is kept of it.",
		Example: examples("promptd schemas show invoice", "promptd schemas show invoice@2 > invoice-2.json", "promptd schemas show invoice@2 --output json"),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := server.client()
		if err != nil {
			return err
		}
		var whole any
		var text json.RawMessage
		if strings.Contains(args[0], "@") {
			v, err := c.SchemaVersion(cmd.Context(), args[0], withdrawn)
			if err != nil {
				return err
			}
			whole, text = v, v.Schema
		} else {
			s, err := c.Schema(cmd.Context(), args[0], withdrawn)
			if err != nil {
				return err
			}
			whole, text = s, s.Schema
		}
		if out.json() {
			return out.value(whole)
		}
		return printIndented(env, text)
	}
	cmd.Flags().BoolVar(&withdrawn, "withdrawn", false, "show it where it is withdrawn too")
	server.flag(cmd)
	out.flag(cmd)
	return cmd
}

func versionsCommand(env *Env) *cobra.Command {
	out, server := newPrintout(env), &remote{env: env}
	var withdrawn bool
	cmd := &cobra.Command{
		Use: "versions NAME", Short: "List a schema's versions, the newest first", Args: cobra.ExactArgs(1),
		Example: examples("promptd schemas versions invoice", "promptd schemas versions invoice --withdrawn"),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := server.client()
		if err != nil {
			return err
		}
		list := []client.SchemaVersion{}
		for one, err := range c.SchemaVersions(cmd.Context(), args[0], withdrawn) {
			if err != nil {
				return err
			}
			list = append(list, one)
		}
		if out.json() {
			return out.value(client.List[client.SchemaVersion]{Data: list})
		}
		t := &table{titles: []string{"VERSION", "PUBLISHED", "HELD TO", "HASH", "WITHDRAWN"}}
		for _, v := range list {
			const short = 12
			t.add(v.Reference, when(v.CreatedAt), v.Compatibility, v.Hash[:min(len(v.Hash), short)], when(v.WithdrawnAt))
		}
		return t.write(env.Stdout, env.ink())
	}
	cmd.Flags().BoolVar(&withdrawn, "withdrawn", false, "show withdrawn ones too")
	server.flag(cmd)
	out.flag(cmd)
	return cmd
}

func withdrawSchemaCommand(env *Env) *cobra.Command {
	return markCommand(env, &cobra.Command{
		Use: named("withdraw"), Short: "Withdraw a schema or one of its versions", Args: cobra.ExactArgs(1),
		Long:    "Withdraw a schema with all of its versions, or one version. Requests that name it are refused from then on. Nothing is lost: promptd schemas restore brings it back.",
		Example: examples("promptd schemas withdraw invoice@2", "promptd schemas withdraw invoice"),
	}, "%s is withdrawn; promptd schemas restore %s brings it back.", func(cmd *cobra.Command, c *client.Client, ref string) error {
		return c.WithdrawSchema(cmd.Context(), ref)
	})
}

func restoreSchemaCommand(env *Env) *cobra.Command {
	return markCommand(env, &cobra.Command{
		Use: named("restore"), Short: "Restore what was withdrawn", Args: cobra.ExactArgs(1),
		Example: examples("promptd schemas restore invoice@2", "promptd schemas restore invoice"),
	}, "%s can be used again.", func(cmd *cobra.Command, c *client.Client, ref string) error {
		_, err := c.RestoreSchema(cmd.Context(), ref)
		return err
	})
}

func markCommand(env *Env, cmd *cobra.Command, said string, mark func(*cobra.Command, *client.Client, string) error) *cobra.Command {
	out, server := newPrintout(env), &remote{env: env}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := server.client()
		if err != nil {
			return err
		}
		if err := mark(cmd, c, args[0]); err != nil {
			return err
		}
		if out.json() {
			return out.value(map[string]string{"reference": args[0]})
		}
		return out.line("%s", strings.ReplaceAll(said, "%s", args[0]))
	}
	server.flag(cmd)
	out.flag(cmd)
	return cmd
}

// isFile tells a file from a reference.
func isFile(name string) bool {
	info, err := os.Stat(name)
	return name == "-" || err == nil && !info.IsDir()
}

// breaks is the exit code of a comparison that found something.
func breaks(found *client.SchemaComparison) error {
	if found.Compatible {
		return nil
	}
	return exit(fault.ExitInvalid)
}

// notBoth is the refusal of a diff of two files: one side is what is published.
func notBoth() error {
	return usageError{errors.New("name a published schema first, as NAME or NAME@VERSION, and then a file or another version")}
}

// percent writes a share, or a dash where it is not known.
func percent(rate *float64) string {
	if rate == nil {
		return "-"
	}
	const hundred = 100
	return fmt.Sprintf("%.1f%%", hundred**rate)
}
