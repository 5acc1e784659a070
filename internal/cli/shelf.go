package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/promptd/promptd/client"
)

// shelf makes the commands that schemas and templates have in common: both are names with immutable versions, which a server keeps.
type shelf[Name, Version any] struct {
	env *Env
	// one is what is kept, such as schema; publish is how one is published.
	one, publish string

	names    func(c *client.Client, ctx context.Context, withdrawn bool) iter.Seq2[Name, error]
	name     func(c *client.Client, ctx context.Context, name string, withdrawn bool) (*Name, error)
	versions func(c *client.Client, ctx context.Context, name string, withdrawn bool) iter.Seq2[Version, error]
	version  func(c *client.Client, ctx context.Context, ref string, withdrawn bool) (*Version, error)
	withdraw func(c *client.Client, ctx context.Context, ref string) error
	restore  func(c *client.Client, ctx context.Context, ref string) (*Name, error)

	viewName    func(*Name) nameView
	viewVersion func(*Version) versionView
}

// nameView is what people are shown of a name.
type nameView struct {
	name        string
	version     *int
	mode        string
	updatedAt   time.Time
	withdrawnAt time.Time
	description string
	content     json.RawMessage
}

// versionView is what people are shown of a version.
type versionView struct {
	reference   string
	createdAt   time.Time
	mode        string
	hash        string
	withdrawnAt time.Time
	content     json.RawMessage
}

// named is the argument of a command on one schema or template.
func named(use string) string { return use + " NAME[@VERSION]" }

// command is the command that holds those of the shelf.
func (s *shelf[Name, Version]) command() string { return "promptd " + s.one + "s" }

// example joins the lines of an example, which begin behind that command.
func (s *shelf[Name, Version]) example(lines ...string) string {
	before := s.command() + " "
	return examples(before + strings.Join(lines, "\n  "+before))
}

// calling lets a command call a server and print what came of it.
func (s *shelf[Name, Version]) calling(cmd *cobra.Command, run func(ctx context.Context, c *client.Client, out *printout, args []string) error) *cobra.Command {
	out, server := newPrintout(s.env), &remote{env: s.env}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := server.client()
		if err != nil {
			return err
		}
		return run(cmd.Context(), c, out, args)
	}
	server.flag(cmd)
	out.flag(cmd)
	return cmd
}

// published says what became of a publication.
func published(out *printout, whole any, reference string, isNew bool) error {
	switch {
	case out.json():
		return out.value(whole)
	case !isNew:
		return out.line("%s has this content already; nothing was published.", reference)
	}
	return out.line("%s published.", reference)
}

func (s *shelf[Name, Version]) listCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List the team's " + s.one + "s", Args: cobra.NoArgs, Example: s.example("list", "list --withdrawn --output json")}
	withdrawn := cmd.Flags().Bool("withdrawn", false, "show withdrawn ones too")
	return s.calling(cmd, func(ctx context.Context, c *client.Client, out *printout, _ []string) error {
		list, err := collected(s.names(c, ctx, *withdrawn))
		switch {
		case err != nil:
			return err
		case out.json():
			return out.value(client.List[Name]{Data: list})
		case len(list) == 0:
			return out.line("There is no %s yet: %s %s publishes one; --withdrawn shows those that were withdrawn.", s.one, s.command(), s.publish)
		}
		t := &table{titles: []string{"NAME", ">VERSION", "COMPATIBILITY", "UPDATED", "DESCRIPTION"}}
		for i := range list {
			n := s.viewName(&list[i])
			version := "withdrawn"
			if n.version != nil && n.withdrawnAt.IsZero() {
				version = count(int64(*n.version))
			}
			first, _, _ := strings.Cut(n.description, "\n")
			t.add(n.name, version, n.mode, when(n.updatedAt), first)
		}
		return t.write(s.env.Stdout, s.env.ink())
	})
}

// collected reads a list to its end; an empty one is [] and not null.
func collected[T any](each iter.Seq2[T, error]) ([]T, error) {
	list := []T{}
	for one, err := range each {
		if err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	return list, nil
}

// showCommand shows what was published; itself says what that is.
func (s *shelf[Name, Version]) showCommand(itself string, lines ...string) *cobra.Command {
	cmd := &cobra.Command{
		Use: named("show"), Short: "Show a " + s.one, Args: cobra.ExactArgs(1),
		Long:    "Show " + itself + ", of the newest version or of the one that is named; with --output json everything that is kept of it.",
		Example: s.example(lines...),
	}
	withdrawn := cmd.Flags().Bool("withdrawn", false, "show it where it is withdrawn too")
	return s.calling(cmd, func(ctx context.Context, c *client.Client, out *printout, args []string) error {
		whole, content, err := s.find(ctx, c, args[0], *withdrawn)
		switch {
		case err != nil:
			return err
		case out.json():
			return out.value(whole)
		}
		var b bytes.Buffer
		if err := json.Indent(&b, content, "", "  "); err != nil {
			return fmt.Errorf("write the %s: %w", s.one, err)
		}
		return out.line("%s", b.String())
	})
}

// find reads the version that a reference names, or the name with its newest version.
func (s *shelf[Name, Version]) find(ctx context.Context, c *client.Client, ref string, withdrawn bool) (whole any, content json.RawMessage, err error) {
	if strings.Contains(ref, "@") {
		v, err := s.version(c, ctx, ref, withdrawn)
		if err != nil {
			return nil, nil, err
		}
		return v, s.viewVersion(v).content, nil
	}
	n, err := s.name(c, ctx, ref, withdrawn)
	if err != nil {
		return nil, nil, err
	}
	return n, s.viewName(n).content, nil
}

func (s *shelf[Name, Version]) versionsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "versions NAME", Short: "List a " + s.one + "'s versions, the newest first", Args: cobra.ExactArgs(1),
		Example: s.example("versions invoice", "versions invoice --withdrawn"),
	}
	withdrawn := cmd.Flags().Bool("withdrawn", false, "show withdrawn ones too")
	return s.calling(cmd, func(ctx context.Context, c *client.Client, out *printout, args []string) error {
		list, err := collected(s.versions(c, ctx, args[0], *withdrawn))
		switch {
		case err != nil:
			return err
		case out.json():
			return out.value(client.List[Version]{Data: list})
		}
		t := &table{titles: []string{"VERSION", "PUBLISHED", "HELD TO", "HASH", "WITHDRAWN"}}
		for i := range list {
			const short = 12
			v := s.viewVersion(&list[i])
			t.add(v.reference, when(v.createdAt), v.mode, v.hash[:min(len(v.hash), short)], when(v.withdrawnAt))
		}
		return t.write(s.env.Stdout, s.env.ink())
	})
}

func (s *shelf[Name, Version]) withdrawCommand() *cobra.Command {
	return s.calling(&cobra.Command{
		Use: named("withdraw"), Short: "Withdraw a " + s.one + " or one of its versions", Args: cobra.ExactArgs(1),
		Long: "Withdraw a " + s.one + " with all of its versions, or one version. Requests that name it are refused from then on. Nothing is lost: " + s.command() +
			" restore brings it back.",
		Example: s.example("withdraw invoice@2", "withdraw invoice"),
	}, func(ctx context.Context, c *client.Client, out *printout, args []string) error {
		ref := args[0]
		if err := s.withdraw(c, ctx, ref); err != nil {
			return err
		}
		return marked(out, ref, ref+" is withdrawn; "+s.command()+" restore "+ref+" brings it back.")
	})
}

func (s *shelf[Name, Version]) restoreCommand() *cobra.Command {
	return s.calling(&cobra.Command{
		Use: named("restore"), Short: "Restore what was withdrawn", Args: cobra.ExactArgs(1),
		Example: s.example("restore invoice@2", "restore invoice"),
	}, func(ctx context.Context, c *client.Client, out *printout, args []string) error {
		ref := args[0]
		if _, err := s.restore(c, ctx, ref); err != nil {
			return err
		}
		return marked(out, ref, ref+" can be used again.")
	})
}

// marked says what a reference can be used for now.
func marked(out *printout, ref, text string) error {
	if out.json() {
		return out.value(map[string]string{"reference": ref})
	}
	return out.line("%s", text)
}
