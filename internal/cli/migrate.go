package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/promptd/promptd/internal/store/postgres"
	"github.com/promptd/promptd/internal/store/sqlite"
)

func migrateCommand(env *Env) *cobra.Command {
	return group(&cobra.Command{
		Use: "migrate", Short: "Bring the database's tables up to date, or show their versions",
		Long: "Bring the database's tables up to date, or show their versions. serve does it by itself for the embedded store, and for a PostgreSQL database that is empty.\n" +
			"Any other PostgreSQL database is migrated by this command, once, before the processes are renewed one by one: those of the release before go on with the\n" +
			"new tables meanwhile. Of several that migrate at once one works and the others wait.",
		Example: examples("promptd migrate status", "promptd migrate up --config promptd.yaml"),
	}, migrateUpCommand(env), migrateStatusCommand(env))
}

func migrateUpCommand(env *Env) *cobra.Command {
	out, s := newPrintout(env), &settings{env: env}
	cmd := &cobra.Command{
		Use: "up", Short: "Bring the tables up to date", Args: cobra.NoArgs,
		Example: examples("promptd migrate up", "promptd migrate up --data-dir /var/lib/promptd --output json"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := s.storeAt()
			if err != nil {
				return err
			}
			if p.database.IsSet() {
				err = postgres.Migrate(cmd.Context(), p.database.Reveal())
			} else {
				err = withEmbedded(cmd.Context(), p.dir, func(*sqlite.DB) error { return nil }) // To open it is to migrate it.
			}
			if err != nil {
				return err
			}
			return showVersions(cmd, out, p)
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
			p, err := s.storeAt()
			if err != nil {
				return err
			}
			return showVersions(cmd, out, p)
		},
	}
	s.flags(cmd)
	out.flag(cmd)
	return cmd
}

func showVersions(cmd *cobra.Command, out *printout, p storeAt) error {
	if p.database.IsSet() {
		return showDatabase(cmd, out, p)
	}
	list, err := sqlite.Versions(cmd.Context(), p.dir)
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
		current = current && v.Have == v.Newest
		t.add(v.File, fmt.Sprint(v.Have), fmt.Sprint(v.Newest), tablesState(v.Have, v.Newest))
	}
	if out.json() {
		return out.value(map[string]any{"data_dir": p.dir, "up_to_date": current, "files": rows})
	}
	return t.write(out.env.Stdout, out.env.ink())
}

// tablesState says in words how tables stand.
func tablesState(have, newest int64) string {
	switch {
	case have == 0:
		return "not made yet"
	case have < newest:
		return "to be migrated"
	case have > newest:
		return "newer than this promptd"
	}
	return "up to date"
}

// showDatabase shows the version of a PostgreSQL database. Its URL is shown without its password.
func showDatabase(cmd *cobra.Command, out *printout, p storeAt) error {
	v, server, err := postgres.Status(cmd.Context(), p.database.Reveal())
	if err != nil {
		return err
	}
	if out.json() {
		return out.value(map[string]any{
			"database": p.database.String(), "server": server.Release(), "version": v.Have, "newest": v.Newest, "needs": v.Needs, "up_to_date": !v.Behind(),
		})
	}
	t := table{titles: []string{"DATABASE", "SERVER", ">VERSION", ">NEWEST", "STATE"}}
	t.add(p.database.String(), "PostgreSQL "+server.Release(), fmt.Sprint(v.Have), fmt.Sprint(v.Newest), tablesState(v.Have, v.Newest))
	return t.write(out.env.Stdout, out.env.ink())
}
