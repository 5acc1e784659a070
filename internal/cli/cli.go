// Package cli is promptd's command line: one file a command, each of them a translation of flags and files into calls of the packages that do the work.
//
// It decides nothing that another front door decides too. The main function is [Main]; everything that a command touches of the process comes in an [Env],
// so that tests run the real program in their own process (testdata/script). Exit codes and output rules are those of the configuration reference:
// human output for people, --output json for scripts, and 0 done, 1 failed, 2 usage, 3 validation failed, 4 unauthorised, 5 unavailable.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/promptd/promptd/internal/fault"
)

// Env is what a command sees of the process around it.
type Env struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Environ are the variables as NAME=value.
	Environ []string
	// Signals gives a context that ends with the first interrupt or SIGTERM; a second one ends the process at once.
	Signals func(context.Context) (context.Context, context.CancelFunc)
	// Terminal says whether Stdout is a terminal, and ErrTerminal whether Stderr is: colour and progress bars are for people.
	Terminal, ErrTerminal bool
	// Size gives the terminal's columns and rows; nil or zeros mean that they are not known.
	Size func() (columns, rows int)
}

// Getenv gives a variable, or nothing.
func (e Env) Getenv(name string) string {
	for i := len(e.Environ) - 1; i >= 0; i-- {
		if v, ok := strings.CutPrefix(e.Environ[i], name+"="); ok {
			return v
		}
	}
	return ""
}

// exit is an error that only sets the exit code: what there was to say has been said.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// usageError is a wrong use of the command line.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// Main runs one command line and gives the exit code.
func Main(args []string, env Env) int {
	ctx, cancel := env.Signals(context.Background())
	defer cancel()
	root := rootCommand(&env)
	root.SetArgs(args)
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	// What fails before a command begins is its use: an unknown command, a wrong count of arguments.
	begun := false
	root.PersistentPreRun = func(*cobra.Command, []string) { begun = true }
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && !begun {
		err = usageError{err}
	}
	code := report(err, env.Stderr)
	if errors.As(err, new(usageError)) {
		fmt.Fprintf(env.Stderr, "Run %s --help for its use.\n", cmd.CommandPath())
	}
	return code
}

// report says what went wrong and gives the exit code.
func report(err error, stderr io.Writer) int {
	var code exit
	var usage usageError
	var f *fault.Fault
	if code, is := reportRemote(err, stderr); is {
		return code
	}
	switch {
	case err == nil:
		return fault.ExitDone
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "promptd: %v\n", err)
		return fault.ExitUsage
	case errors.As(err, &f):
		fmt.Fprintf(stderr, "promptd: %s\n", f.Detail)
		for _, e := range f.Entries {
			fmt.Fprintf(stderr, "  %s: %s\n", e.Pointer, e.Message)
			if e.Hint != "" {
				fmt.Fprintf(stderr, "    %s\n", e.Hint)
			}
		}
		if f.Remediation != "" {
			fmt.Fprintf(stderr, "%s\n", f.Remediation)
		}
		return f.Code.Row().Exit
	default:
		fmt.Fprintf(stderr, "promptd: %v\n", err)
		return fault.ExitFailed
	}
}

// rootCommand lists every command.
func rootCommand(env *Env) *cobra.Command {
	root := &cobra.Command{
		Use: "promptd", Short: "Validated structured data out of natural language, through any large language model",
		SilenceUsage: true, SilenceErrors: true,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(
		serveCommand(env),
		workerCommand(env),
		keysCommand(env),
		analyzeCommand(env),
		jobsCommand(env),
		usageCommand(env),
		cacheCommand(env),
		requestsCommand(env),
		webhooksCommand(env),
		deliveriesCommand(env),
		localCommand(env),
		checkCommand(env),
		doctorCommand(env),
		backupCommand(env),
		restoreCommand(env),
		migrateCommand(env),
		versionCommand(env),
		validateCommand(env),
		repairCommand(env),
		schemasCommand(env),
		templatesCommand(env),
	)
	return root
}

// OSEnv is the real process.
func OSEnv() Env {
	return Env{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ(), Signals: signals,
		Terminal: isTerminal(os.Stdout), ErrTerminal: isTerminal(os.Stderr), Size: terminalSize,
	}
}
