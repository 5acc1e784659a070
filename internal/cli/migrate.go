package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/promptd/promptd/internal/store/sqlite"
)

func migrateCommand(env *Env) *cobra.Command {
	return group(&cobra.Command{
		Use: "migrate", Short: "Bring the database's tables up to date, or show their versions",
		Long:    "Bring the database's tables up to date, or show their versions. serve does it by itself for the embedded store.",
		Example: examples("promptd migrate status", "promptd migrate up --config promptd.yaml"),
	}, migrateUpCommand(env), migrateStatusCommand(env))
}

func migrateUpCommand(env *Env) *cobra.Command {
	out, s := newPrintout(env), &settings{env: env}
	cmd := &cobra.Command{
		Use: "up", Short: "Bring the tables up to date", Args: cobra.NoArgs,
		Example: examples("promptd migrate up", "promptd migrate up --data-dir /var/lib/promptd --output json"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := s.dataDir()
			if err != nil {
				return err
			}
			s.dir = dir
			if err := s.withStore(cmd.Context(), func(*sqlite.DB) error { return nil }); err != nil {
				return err
			}
			return showVersions(cmd, out, dir)
		},
	}
	s.flags(cmd)
	out.flag(cmd)
	return cmd
}

func migrateStatusCommand(env *Env) *cobra.Command {
	out, s := newPrintout(env), &settings{env: env}
	cmd := &cobra.Command{
		Use: "status", Short: "Show the versions of the tables; nothing is changed", Args: cobra.NoArgs,
		Example: examples("promptd migrate status", "promptd migrate status --data-dir /var/lib/promptd --output json"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := s.dataDir()
			if err != nil {
				return err
			}
			return showVersions(cmd, out, dir)
		},
	}
	s.flags(cmd)
	out.flag(cmd)
	return cmd
}

func showVersions(cmd *cobra.Command, out *printout, dir string) error {
	list, err := sqlite.Versions(cmd.Context(), dir)
	if err != nil {
		return err
	}
	type row struct {
		File    string `json:"file"`
		Version int64  `json:"version"`
		Newest  int64  `json:"newest"`
	}
	rows := make([]row, 0, len(list))
	current := true
	t := table{titles: []string{"FILE", ">VERSION", ">NEWEST", "STATE"}}
	for _, v := range list {
		rows = append(rows, row{v.File, v.Have, v.Newest})
		state := "up to date"
		switch {
		case v.Have == 0:
			state = "not made yet"
		case v.Have < v.Newest:
			state = "to be migrated"
		}
		current = current && v.Have == v.Newest
		t.add(v.File, fmt.Sprint(v.Have), fmt.Sprint(v.Newest), state)
	}
	if out.json() {
		return out.value(map[string]any{"data_dir": dir, "up_to_date": current, "files": rows})
	}
	return t.write(out.env.Stdout, out.env.ink())
}
