package cli

import (
	"fmt"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/promptd/promptd/internal/store/postgres/postgrestest"
)

// TestPostgresScripts runs the commands on a PostgreSQL database that is empty at the beginning of each script, in DATABASE; POOLER leads to the same through
// PgBouncer, and REPLICA to the server's replica, where there are such.
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
			database := postgrestest.Empty(t)
			env.Setenv("DATABASE", database)
			for name, variable := range map[string]string{"POOLER": "TEST_PGBOUNCER_URL", "REPLICA": "TEST_POSTGRES_REPLICA_URL"} {
				if server := os.Getenv(variable); server != "" {
					env.Setenv(name, postgrestest.On(server, postgrestest.Name(database)))
				}
			}
			return nil
		},
		Condition: func(name string) (bool, error) {
			switch name {
			case "pooler":
				return os.Getenv("TEST_PGBOUNCER_URL") != "", nil
			case "replica":
				return os.Getenv("TEST_POSTGRES_REPLICA_URL") != "", nil
			}
			return false, fmt.Errorf("unknown condition %s", name)
		},
	})
}
