package cli

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets the test binary stand in for promptd: a script's "exec promptd" starts it again under that name, and it runs the real Main.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"promptd": func() { os.Exit(Main(os.Args[1:], OSEnv())) },
	})
}

// TestScripts runs every command as users do: each file of testdata/script is commands, files, and what is expected on stdout and stderr.
// "exec" wants exit code 0, "! exec" any other one, and "exits 3 promptd …" that very code. UPDATE_SCRIPTS=1 rewrites the files that cmp compares with.
func TestScripts(t *testing.T) {
	t.Parallel()
	commands := serverCommands()
	commands["exits"] = exits
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds:                commands,
	})
}

// exits runs a program and compares its exit code: exits CODE PROGRAM [ARGUMENT …].
func exits(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) < 2 {
		ts.Fatalf("usage: exits code program [argument …]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var ended *exec.ExitError
		if !errors.As(err, &ended) {
			ts.Fatalf("run %s: %v", args[1], err)
		}
		got = ended.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}
