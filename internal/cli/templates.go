package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"github.com/promptd/promptd/client"
	"github.com/promptd/promptd/internal/fault"
)

func templatesCommand(env *Env) *cobra.Command {
	return group(&cobra.Command{
		Use: "templates", Short: "Publish prompt templates, and use them",
		Example: examples("promptd templates publish invoice.yaml", "promptd templates render invoice --param document=@mail.txt", "promptd templates test invoice",
			"promptd analyze --template invoice --param document=@mail.txt"),
	}, templatesPublishCommand(env), templatesListCommand(env), templatesShowCommand(env), templatesVersionsCommand(env), templatesRenderCommand(env),
		templatesTestCommand(env), templatesWithdrawCommand(env), templatesRestoreCommand(env))
}

func templatesPublishCommand(env *Env) *cobra.Command {
	out, server := newPrintout(env), &remote{env: env}
	var mode string
	cmd := &cobra.Command{
		Use: "publish FILE|-", Short: "Publish a template, or its next version", Args: cobra.ExactArgs(1),
		Long: "Publish the template of a YAML or JSON file: name, text with {{ name }} where a parameter belongs, parameters, schema, options, tests.\n" +
			"A version never changes. One with the content of the newest is not published again. One that calls of the newest do not fit is refused, with every parameter;\n" +
			"--compatibility none publishes it all the same. A new name keeps the mode that is given, backward without one; later it holds for that version alone.",
		Example: examples("promptd templates publish invoice.yaml", "promptd templates publish invoice.yaml --compatibility none"),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		publication, err := templateFile(env, args[0])
		if err != nil {
			return err
		}
		if mode != "" {
			if publication["compatibility"], err = json.Marshal(mode); err != nil {
				return fmt.Errorf("write the mode: %w", err)
			}
		}
		c, err := server.client()
		if err != nil {
			return err
		}
		made, err := c.PublishTemplate(cmd.Context(), publication)
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
	cmd.Flags().StringVar(&mode, "compatibility", "", "what its parameters owe to the version before: backward, forward, full or none")
	server.flag(cmd)
	out.flag(cmd)
	return cmd
}

// templateFile reads a template of a YAML or JSON file, or of standard input for -.
func templateFile(env *Env, name string) (map[string]json.RawMessage, error) {
	text, err := env.inputText([]string{name})
	if err != nil {
		return nil, err
	}
	if !json.Valid(text) {
		if text, err = yaml.YAMLToJSON(text); err != nil {
			return nil, fault.New(fault.InvalidRequest, "%s holds neither YAML nor JSON: %s", name, yaml.FormatError(err, false, false))
		}
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil || fields == nil {
		return nil, fault.New(fault.InvalidRequest, "%s holds no template: it must be a map with name, text and parameters", name)
	}
	return fields, nil
}

func templatesListCommand(env *Env) *cobra.Command {
	out, server := newPrintout(env), &remote{env: env}
	var withdrawn bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the team's templates", Args: cobra.NoArgs, Example: examples("promptd templates list", "promptd templates list --withdrawn --output json"),
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := server.client()
		if err != nil {
			return err
		}
		list := []client.Template{}
		for one, err := range c.Templates(cmd.Context(), withdrawn) {
			if err != nil {
				return err
			}
			list = append(list, one)
		}
		if out.json() {
			return out.value(client.List[client.Template]{Data: list})
		}
		if len(list) == 0 {
			return out.line("There is no template yet: promptd templates publish FILE publishes one; --withdrawn shows those that were withdrawn.")
		}
		t := &table{titles: []string{"NAME", ">VERSION", "COMPATIBILITY", "UPDATED", "DESCRIPTION"}}
		for _, one := range list {
			version := "withdrawn"
			if one.Version != nil && one.WithdrawnAt.IsZero() {
				version = count(int64(*one.Version))
			}
			first, _, _ := strings.Cut(one.Description, "\n")
			t.add(one.Name, version, one.Compatibility, when(one.UpdatedAt), first)
		}
		return t.write(env.Stdout, env.ink())
	}
	cmd.Flags().BoolVar(&withdrawn, "withdrawn", false, "show withdrawn ones too")
	server.flag(cmd)
	out.flag(cmd)
	return cmd
}

func templatesShowCommand(env *Env) *cobra.Command {
	out, server := newPrintout(env), &remote{env: env}
	var withdrawn bool
	cmd := &cobra.Command{
		Use: "show NAME[@VERSION]", Short: "Show a template", Args: cobra.ExactArgs(1),
		Long:    "Show what was published, of the newest version or of the one that is named; with --output json everything that is kept of it.",
		Example: examples("promptd templates show invoice", "promptd templates show invoice@2 --output json"),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := server.client()
		if err != nil {
			return err
		}
		var whole any
		var content json.RawMessage
		if strings.Contains(args[0], "@") {
			v, err := c.TemplateVersion(cmd.Context(), args[0], withdrawn)
			if err != nil {
				return err
			}
			whole, content = v, v.Content
		} else {
			t, err := c.Template(cmd.Context(), args[0], withdrawn)
			if err != nil {
				return err
			}
			whole, content = t, t.Content
		}
		if out.json() {
			return out.value(whole)
		}
		var b bytes.Buffer
		if err := json.Indent(&b, content, "", "  "); err != nil {
			return fmt.Errorf("write the template: %w", err)
		}
		return out.line("%s", b.String())
	}
	cmd.Flags().BoolVar(&withdrawn, "withdrawn", false, "show it where it is withdrawn too")
	server.flag(cmd)
	out.flag(cmd)
	return cmd
}

func templatesVersionsCommand(env *Env) *cobra.Command {
	out, server := newPrintout(env), &remote{env: env}
	var withdrawn bool
	cmd := &cobra.Command{
		Use: "versions NAME", Short: "List a template's versions, the newest first", Args: cobra.ExactArgs(1),
		Example: examples("promptd templates versions invoice", "promptd templates versions invoice --withdrawn"),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := server.client()
		if err != nil {
			return err
		}
		list := []client.TemplateVersion{}
		for one, err := range c.TemplateVersions(cmd.Context(), args[0], withdrawn) {
			if err != nil {
				return err
			}
			list = append(list, one)
		}
		if out.json() {
			return out.value(client.List[client.TemplateVersion]{Data: list})
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

func templatesWithdrawCommand(env *Env) *cobra.Command {
	return templatesMarkCommand(env, &cobra.Command{
		Use: "withdraw NAME[@VERSION]", Short: "Withdraw a template or one of its versions", Args: cobra.ExactArgs(1),
		Long:    "Withdraw a template with all of its versions, or one version. Requests that name it are refused from then on. Nothing is lost: promptd templates restore brings it back.",
		Example: examples("promptd templates withdraw invoice@2", "promptd templates withdraw invoice"),
	}, "%[1]s is withdrawn; promptd templates restore %[1]s brings it back.", func(cmd *cobra.Command, c *client.Client, ref string) error {
		return c.WithdrawTemplate(cmd.Context(), ref)
	})
}

func templatesRestoreCommand(env *Env) *cobra.Command {
	return templatesMarkCommand(env, &cobra.Command{
		Use: "restore NAME[@VERSION]", Short: "Restore what was withdrawn", Args: cobra.ExactArgs(1),
		Example: examples("promptd templates restore invoice@2", "promptd templates restore invoice"),
	}, "%[1]s can be used again.", func(cmd *cobra.Command, c *client.Client, ref string) error {
		_, err := c.RestoreTemplate(cmd.Context(), ref)
		return err
	})
}

func templatesMarkCommand(env *Env, cmd *cobra.Command, said string, mark func(*cobra.Command, *client.Client, string) error) *cobra.Command {
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
		return out.line(said, args[0])
	}
	server.flag(cmd)
	out.flag(cmd)
	return cmd
}

// parameters are the flags --param of a command that uses a template.
type parameters struct{ given []string }

func (p *parameters) flag(cmd *cobra.Command) {
	cmd.Flags().StringArrayVarP(&p.given, "param", "p", nil, "a parameter: name=text, name=@FILE for the text of a file, or name:=JSON for numbers, booleans, lists and objects; may be repeated")
}

// values reads what was given.
func (p *parameters) values() (map[string]any, error) {
	values := map[string]any{}
	for _, one := range p.given {
		name, text, ok := strings.Cut(one, "=")
		name, isJSON := strings.CutSuffix(name, ":")
		if !ok || name == "" {
			return nil, usageError{fmt.Errorf("--param: %q is not name=text, name=@FILE or name:=JSON", one)}
		}
		if _, twice := values[name]; twice {
			return nil, usageError{fmt.Errorf("--param: %s is given twice", name)}
		}
		switch {
		case isJSON && !json.Valid([]byte(text)):
			return nil, usageError{errors.New("--param: what follows " + name + ":= is no JSON; write " + name + "= for a text")}
		case isJSON:
			values[name] = json.RawMessage(text)
		case strings.HasPrefix(text, "@"):
			raw, err := os.ReadFile(text[1:])
			if err != nil {
				return nil, fmt.Errorf("read the parameter %s: %w", name, err)
			}
			values[name] = string(raw)
		default:
			values[name] = text
		}
	}
	return values, nil
}
