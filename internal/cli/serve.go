package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/promptd/promptd/internal/app"
	"github.com/promptd/promptd/internal/config"
)

// service is the commands serve and worker: the program itself.
type service struct {
	env      *Env
	settings settings
	local    bool
}

func serveCommand(env *Env) *cobra.Command {
	s := &service{env: env, settings: settings{env: env}}
	cmd := &cobra.Command{
		Use: "serve", Short: "Run the server", Args: cobra.NoArgs,
		Long: "Run every role in one process. Logs go to standard output, a line each. SIGTERM or Ctrl-C lets requests in flight finish and ends;\n" +
			"a second one ends at once. SIGHUP reads the configuration again and takes over providers, secrets and limits.",
		Example: strings.Join([]string{
			"  promptd serve --local",
			"  OPENAI_API_KEY=… promptd serve",
			"  promptd serve --config promptd.yaml --listen 127.0.0.1:9000",
		}, "\n"),
		RunE: func(cmd *cobra.Command, _ []string) error { return s.run(cmd.Context()) },
	}
	s.settings.flags(cmd)
	cmd.Flags().StringVar(&s.settings.listen, "listen", "", "address of the API (listen)")
	cmd.Flags().BoolVar(&s.local, "local", false, "with the local model: what listens already, llama-server, or the installed parts (promptd local install)")
	return cmd
}

func workerCommand(env *Env) *cobra.Command {
	s := &service{env: env, settings: settings{env: env, roles: "worker"}}
	cmd := &cobra.Command{
		Use: "worker", Short: "Run a worker alone", Args: cobra.NoArgs,
		Long: "Work on jobs and send webhooks, and serve no API: the same as serve with roles: [worker]. Several workers share a PostgreSQL database; start as many as\n" +
			"the work needs, and end them as you like: what one leaves, another takes. Health and metrics are on admin_listen, and on listen with a key of scope metrics.\n" +
			"SIGTERM takes no more work, lets what is under way finish, gives the rest back and ends.",
		Example: strings.Join([]string{
			"  promptd worker --config promptd.yaml",
			"  promptd worker --config promptd.yaml --listen 127.0.0.1:8421",
		}, "\n"),
		RunE: func(cmd *cobra.Command, _ []string) error { return s.run(cmd.Context()) },
	}
	s.settings.flags(cmd)
	cmd.Flags().StringVar(&s.settings.listen, "listen", "", "address of health and metrics (listen)")
	return cmd
}

func (s *service) run(ctx context.Context) error {
	loaded, err := s.settings.load()
	if err != nil {
		return err
	}
	version, revision := buildVersion()
	program, err := app.New(ctx, loaded, app.Env{
		Out: s.env.Stdout, Version: version, Revision: revision, Local: s.local,
		Load: func() (*config.Loaded, error) { return s.settings.load() },
	})
	if err != nil {
		return err
	}
	s.greet(program, loaded)
	defer collectLess()()
	ctx, end := context.WithCancel(ctx)
	var reloading sync.WaitGroup
	reloading.Go(func() { reloadOnSignal(ctx, program) })
	err = program.Run(ctx)
	end()
	reloading.Wait()
	return err
}

// greet tells people what to do next; scripts read the log.
func (s *service) greet(program *app.App, loaded *config.Loaded) {
	w := s.env.Stderr
	if s.settings.roles != "" {
		fmt.Fprintf(w, "promptd works on jobs; health is at %s/v1/health\n", program.URL())
		return
	}
	fmt.Fprintf(w, "promptd serves %s, docs at %s/docs\n", program.URL(), program.URL())
	if loaded.Config.Auth.Mode == "none" {
		fmt.Fprintln(w, "WARNING: auth.mode is none: everybody who reaches this address may call, without a key")
	}
	if d := program.LocalModel(); d != "" {
		fmt.Fprintf(w, "local model: %s\n", d)
	}
	if len(loaded.Config.Providers) == 0 && program.LocalModel() == "" {
		fmt.Fprintln(w, "No provider is configured: set a provider's variable such as OPENAI_API_KEY, or run promptd local install and start again with --local.")
	}
	if !program.HasKey() {
		fmt.Fprintf(w, "There is no API key yet. Make one:\n  promptd keys create --name first --data-dir %s\n", loaded.Config.DataDir)
	}
}

// reloadOnSignal reads the configuration again with each SIGHUP. What is wrong with it is logged there.
func reloadOnSignal(ctx context.Context, program *app.App) {
	seen := make(chan os.Signal, 1) // One that waits is enough: it reads what is there then.
	signal.Notify(seen, syscall.SIGHUP)
	defer signal.Stop(seen)
	for {
		select {
		case <-seen:
			_ = program.Reload(ctx) //nolint:errcheck // Reload logs it and counts it.
		case <-ctx.Done():
			return
		}
	}
}
