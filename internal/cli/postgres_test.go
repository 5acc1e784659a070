package cli

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/promptd/promptd/internal/store/postgres/postgrestest"
)

// TestPostgresScripts runs the commands on a PostgreSQL database that is empty at the beginning of each script, in DATABASE.
func TestPostgresScripts(t *testing.T) {
	t.Parallel()
	postgrestest.URL(t)
	commands := serverCommands()
	commands["exits"] = exits
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/postgres",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds:                commands,
		Setup: func(env *testscript.Env) error {
			env.Setenv("DATABASE", postgrestest.Empty(t))
			return nil
		},
	})
}
