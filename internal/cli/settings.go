package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/promptd/promptd/internal/app"
	"github.com/promptd/promptd/internal/config"
)

// settings are the flags of the commands that read the configuration.
type settings struct {
	env    *Env
	file   string
	listen string
	dir    string
	// roles are those of a command that stands for them.
	roles string
}

// flags adds --config and --data-dir.
func (s *settings) flags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&s.file, "config", "c", "", "configuration file (default "+config.DefaultFile+" where it is there)")
	cmd.Flags().StringVar(&s.dir, "data-dir", "", "data directory (data_dir)")
}

// options are how the configuration is read, now and at a reload.
func (s *settings) options() config.Options {
	o := config.Options{File: s.file, Environ: s.env.Environ, Adapters: app.Adapters()}
	for _, f := range []config.Flag{{Name: "--listen", Path: "listen", Value: s.listen}, {Name: "--data-dir", Path: "data_dir", Value: s.dir}, {Name: "worker", Path: "roles", Value: s.roles}} {
		if f.Value != "" {
			o.Flags = append(o.Flags, f)
		}
	}
	return o
}

// load reads the configuration.
func (s *settings) load() (*config.Loaded, error) {
	loaded, err := config.Load(s.options())
	if err != nil {
		return nil, s.explain(err)
	}
	return loaded, nil
}

// explain makes a list of faults readable: each on its line.
func (s *settings) explain(err error) error {
	var faults *config.Error
	if !errors.As(err, &faults) {
		return err
	}
	lines := make([]string, len(faults.Problems))
	for i, p := range faults.Problems {
		lines[i] = "  " + p.String()
	}
	return fmt.Errorf("the configuration can't be used:\n%s", strings.Join(lines, "\n"))
}
