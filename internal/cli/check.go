package cli

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/promptd/promptd/internal/config"
)

func checkCommand(env *Env) *cobra.Command {
	out, s := newPrintout(env), &settings{env: env}
	var schema, offline bool
	cmd := &cobra.Command{
		Use: "check", Short: "Validate the configuration, and say what is reachable", Args: cobra.NoArgs,
		Long: "Validate the configuration, each fault with its line and column, and say what of it is reachable. Exit code 1 means that promptd can't be used so.\n" +
			"Nothing is changed: no store is made or migrated.",
		Example: examples("promptd check --config promptd.yaml", "promptd check --offline --output json", "promptd check --schema > promptd.schema.json"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if schema {
				raw, err := config.JSONSchema()
				if err == nil {
					_, err = env.Stdout.Write(append(raw, '\n'))
				}
				return err
			}
			var f findings
			if loaded := f.configuration(s); loaded != nil {
				f.surroundings(cmd.Context(), loaded, offline)
			}
			return f.report(out, "promptd can be used so.", "promptd can't be used so:")
		},
	}
	cmd.Flags().BoolVar(&schema, "schema", false, "print the JSON Schema of the configuration file instead")
	cmd.Flags().BoolVar(&offline, "offline", false, "call no provider")
	s.flags(cmd)
	cmd.Flags().StringVar(&s.listen, "listen", "", "address of the API (listen)")
	out.flag(cmd)
	return cmd
}

// configuration reads the configuration; nil where it can't be used.
func (f *findings) configuration(s *settings) *config.Loaded {
	loaded, err := config.Load(s.options())
	var faults *config.Error
	switch {
	case errors.As(err, &faults):
		for _, p := range faults.Problems {
			hint := p.Hint
			p.Hint = ""
			f.add("configuration", bad, hint, "%s", p.String())
		}
		return nil
	case err != nil:
		f.add("configuration", bad, "", "%v", err)
		return nil
	}
	from := loaded.File
	if from == "" {
		from = "no file: defaults, environment and flags"
	}
	f.add("configuration", fine, "", "%s", from)
	for _, w := range loaded.Warnings {
		hint := w.Hint
		w.Hint = ""
		f.add("configuration", risky, hint, "%s", w.String())
	}
	return loaded
}

// surroundings looks at what the configuration needs of the world.
func (f *findings) surroundings(ctx context.Context, loaded *config.Loaded, offline bool) {
	c := &loaded.Config
	f.address(ctx, "listen", "--listen", c.Listen, c.TLS.Cert != "")
	if c.AdminListen != "" {
		f.address(ctx, "admin_listen", "admin_listen", c.AdminListen, false)
	}
	f.certificate(c.TLS)
	f.folder(c.DataDir)
	f.database(ctx, c)
	f.redis(ctx, c, offline)
	f.broker(ctx, c, offline)
	f.models(ctx, c, offline)
}

// folder says whether the data directory can be written. It is not made: a check changes nothing.
func (f *findings) folder(dir string) {
	info, err := os.Stat(dir)
	if errors.Is(err, os.ErrNotExist) {
		parent, err := nearestFolder(dir)
		if err == nil {
			err = writable(parent)
		}
		if err != nil {
			f.add("data_dir", bad, "Make it writable, or choose another with --data-dir.", "%s is not there and can't be made: %v", dir, plainPath(err))
			return
		}
		f.add("data_dir", fine, "", "%s is made at the first start", dir)
		return
	}
	if err == nil && !info.IsDir() {
		err = errors.New("it is no folder")
	}
	if err == nil {
		err = writable(dir)
	}
	if err != nil {
		f.add("data_dir", bad, "Make it writable, or choose another with --data-dir.", "%s can't be written: %v", dir, plainPath(err))
		return
	}
	f.add("data_dir", fine, "", "%s can be written", dir)
}
