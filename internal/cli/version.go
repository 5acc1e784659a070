package cli

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// linkedVersion is set when promptd is linked (see the Makefile); without it the version is that of the module or of the checkout.
var linkedVersion string //nolint:gochecknoglobals // The linker sets variables and nothing else.

const develVersion = "devel"

// buildVersion gives the version and the revision of this binary.
func buildVersion() (version, revision string) {
	version = cmp.Or(linkedVersion, develVersion)
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return version, ""
	}
	if v := info.Main.Version; linkedVersion == "" && v != "" && v != "(devel)" {
		version = v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			revision = s.Value
		}
	}
	return version, revision
}

func versionCommand(env *Env) *cobra.Command {
	out := newPrintout(env)
	cmd := &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		Example: examples("promptd version", "promptd version --output json"),
		RunE: func(*cobra.Command, []string) error {
			version, revision := buildVersion()
			if out.json() {
				return out.value(struct {
					Version  string `json:"version"`
					Revision string `json:"revision,omitempty"`
					Go       string `json:"go"`
					Platform string `json:"platform"`
				}{version, revision, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH})
			}
			_, err := fmt.Fprintln(env.Stdout, "promptd", version, revision)
			return err
		},
	}
	out.flag(cmd)
	return cmd
}
