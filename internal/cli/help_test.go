package cli

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// commandsOf lists a command and all below it, without what cobra itself brings.
func commandsOf(cmd *cobra.Command) []*cobra.Command {
	list := []*cobra.Command{cmd}
	for _, c := range cmd.Commands() {
		list = append(list, commandsOf(c)...)
	}
	return list
}

func TestEveryCommandHasExamplesAndChecksItsArguments(t *testing.T) {
	t.Parallel()
	root := rootCommand(&Env{})
	for _, c := range commandsOf(root) {
		if c == root {
			continue
		}
		path := c.CommandPath()
		if n := len(strings.Split(strings.TrimSpace(c.Example), "\n")); c.Example == "" || n < 2 {
			t.Errorf("%s: %d examples, want two or three", path, n)
		}
		if c.Args == nil {
			t.Errorf("%s takes any arguments", path)
		}
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: its short text is %q", path, c.Short)
		}
	}
}

func TestExamplesUseFlagsThatExist(t *testing.T) {
	t.Parallel()
	for _, c := range commandsOf(rootCommand(&Env{})) {
		for line := range strings.SplitSeq(c.Example, "\n") {
			_, rest, ok := strings.Cut(line, c.CommandPath()+" ")
			if !ok || len(c.Commands()) > 0 {
				continue
			}
			rest, _, _ = strings.Cut(rest, "|")
			for word := range strings.FieldsSeq(rest) {
				name, isFlag := strings.CutPrefix(word, "--")
				name, _, _ = strings.Cut(strings.TrimRight(name, ")"), "=")
				if isFlag && c.Flags().Lookup(name) == nil {
					t.Errorf("%s: the example %q uses --%s, which does not exist", c.CommandPath(), line, name)
				}
			}
		}
	}
}
