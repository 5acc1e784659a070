package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/promptd/promptd/client"
	"github.com/promptd/promptd/internal/app"
	"github.com/promptd/promptd/internal/config"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/store/sqlite"
)

// inProcess runs promptd itself for as long as one command: the real program on a free loopback port, with a store of its own that is thrown away and a
// key that only this command knows. So --local goes the very way of a server's request, beside whatever server uses the data directory. The local model is
// looked for where it is pinned or nothing else is configured.
func inProcess(ctx context.Context, env *Env, s *settings, pinned bool) (_ *client.Client, _ func() error, err error) {
	loaded, err := s.load()
	if err != nil {
		return nil, nil, err
	}
	dir, err := os.MkdirTemp("", "promptd-")
	if err != nil {
		return nil, nil, fmt.Errorf("make a folder for the time being: %w", err)
	}
	remove := func() error { return os.RemoveAll(dir) }
	defer func() {
		if err != nil {
			err = errors.Join(err, remove())
		}
	}()
	c := &loaded.Config
	c.Listen, c.AdminListen, c.DataDir, c.Auth.Mode, c.TLS, c.Telemetry.LogLevel = "127.0.0.1:0", "", dir, "keys", config.TLS{}, "error"
	secret, err := onlyKey(ctx, dir)
	if err != nil {
		return nil, nil, err
	}
	version, revision := buildVersion()
	program, err := app.New(ctx, loaded, app.Env{Out: io.Discard, Version: version, Revision: revision, Local: pinned || len(c.Providers) == 0})
	if err != nil {
		return nil, nil, err
	}
	running, stop := context.WithCancel(ctx)
	var ended sync.WaitGroup
	var failed error
	ended.Go(func() { failed = program.Run(running) })
	end := func() error {
		stop()
		ended.Wait()
		return errors.Join(failed, remove())
	}
	if err := program.LocalReady(ctx); err != nil {
		return nil, nil, errors.Join(err, end())
	}
	cl, err := client.New(program.URL(), secret)
	if err != nil {
		return nil, nil, errors.Join(err, end())
	}
	return cl, end, nil
}

// onlyKey makes the one key of a store that is thrown away.
func onlyKey(ctx context.Context, dir string) (_ string, err error) {
	db, err := sqlite.Open(ctx, sqlite.Options{Dir: dir})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	none := 0
	_, secret, err := (&key.Issuer{Store: db.Keys()}).Create(ctx, key.Key{Name: "command line", Scopes: key.ScopesOf(key.Analyze), RateLimitPerHour: &none})
	return secret.Reveal(), err
}
