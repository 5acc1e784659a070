package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/promptd/promptd/client"
	"github.com/promptd/promptd/internal/fault"
)

// registryCommands are the commands on the schemas that a server keeps.
func registryCommands(env *Env) []*cobra.Command {
	s := shelf[client.Schema, client.SchemaVersion]{
		env: env, one: "schema", publish: "publish NAME FILE",
		names: (*client.Client).Schemas, name: (*client.Client).Schema, versions: (*client.Client).SchemaVersions, version: (*client.Client).SchemaVersion,
		withdraw: (*client.Client).WithdrawSchema, restore: (*client.Client).RestoreSchema,
		viewName: func(n *client.Schema) nameView {
			return nameView{
				name: n.Name, version: n.Version, mode: n.Compatibility, updatedAt: n.UpdatedAt, withdrawnAt: n.WithdrawnAt, description: n.Description, content: n.Schema,
			}
		},
		viewVersion: func(v *client.SchemaVersion) versionView {
			return versionView{reference: v.Reference, createdAt: v.CreatedAt, mode: v.Compatibility, hash: v.Hash, withdrawnAt: v.WithdrawnAt, content: v.Schema}
		},
	}
	return []*cobra.Command{
		publishSchemaCommand(env), s.listCommand(), s.showCommand("the schema itself", "show invoice", "show invoice@2 > invoice-2.json", "show invoice@2 --output json"),
		s.versionsCommand(), diffCommand(env), fitnessCommand(env), s.withdrawCommand(), s.restoreCommand(),
	}
}

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
		if err != nil {
			return err
		}
		return published(out, made, made.Reference, made.New)
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
