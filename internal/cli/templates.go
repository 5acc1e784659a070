package cli

import (
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
	s := shelf[client.Template, client.TemplateVersion]{
		env: env, one: "template", publish: "publish FILE",
		names: (*client.Client).Templates, name: (*client.Client).Template, versions: (*client.Client).TemplateVersions, version: (*client.Client).TemplateVersion,
		withdraw: (*client.Client).WithdrawTemplate, restore: (*client.Client).RestoreTemplate,
		viewName: func(n *client.Template) nameView {
			return nameView{
				name: n.Name, version: n.Version, mode: n.Compatibility, updatedAt: n.UpdatedAt, withdrawnAt: n.WithdrawnAt, description: n.Description, content: n.Content,
			}
		},
		viewVersion: func(v *client.TemplateVersion) versionView {
			return versionView{reference: v.Reference, createdAt: v.CreatedAt, mode: v.Compatibility, hash: v.Hash, withdrawnAt: v.WithdrawnAt, content: v.Content}
		},
	}
	return group(&cobra.Command{
		Use: "templates", Short: "Publish prompt templates, and use them",
		Example: examples("promptd templates publish invoice.yaml", "promptd templates render invoice --param document=@mail.txt", "promptd templates test invoice",
			"promptd analyze --template invoice --param document=@mail.txt"),
	}, templatesPublishCommand(env), s.listCommand(), s.showCommand("what was published", "show invoice", "show invoice@2 --output json"), s.versionsCommand(),
		templatesRenderCommand(env), templatesTestCommand(env), s.withdrawCommand(), s.restoreCommand())
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
		if err != nil {
			return err
		}
		return published(out, made, made.Reference, made.New)
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
