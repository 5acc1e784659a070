package app

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/promptd/promptd/internal/config"
	"github.com/promptd/promptd/internal/observe"
)

// drainLimit is how long requests in flight may go on after the program was asked to end.
const drainLimit = 30 * time.Second

// leaveLimit is how long handlers whose requests were ended by force may take to write what became of them.
const leaveLimit = 10 * time.Second

// Run answers until the context ends. Then it turns not ready, lets requests in flight finish for up to 30 seconds, ends the owners (each writes what
// it still holds) and closes everything. The error says what went wrong; an orderly end has none. An App is run once.
func (a *App) Run(ctx context.Context) (err error) {
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainLimit)
		defer cancel()
		err = errors.Join(err, a.Stop(closing))
	}()
	// Owners outlive the context: what is in flight needs them until it is done.
	owning, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	failed := make(chan error, len(a.owners)+len(a.fronts)+2) // Each owner and each server says at most one word.
	var owners, servers sync.WaitGroup
	for _, o := range a.owners {
		owners.Go(func() {
			if err := o.run(owning); err != nil || owning.Err() == nil {
				failed <- fatal(o.name, err)
			}
		})
	}
	serve := func(l *listening, h http.Handler) {
		if l != nil {
			servers.Go(func() {
				if err := l.serve(h, a.log); err != nil {
					failed <- fatal("the server on "+l.addr(), err)
				}
			})
		}
	}
	serve(a.public, a.publicHandler())
	serve(a.admin, a.adminHandler())
	// What takes work by itself ends with the servers: what it has under way may finish, and needs the owners for it.
	taking, enough := context.WithCancel(ctx)
	defer enough()
	for _, o := range a.fronts {
		servers.Go(func() {
			if err := o.run(taking); err != nil || taking.Err() == nil {
				failed <- fatal(o.name, err)
			}
		})
	}
	a.log.Info("promptd listens on " + a.URL())

	select {
	case <-ctx.Done():
	case err = <-failed:
		a.log.Error("promptd ends because a part of it failed", slog.Any("error", err))
	}
	enough()
	a.server.Drain()
	a.log.Info("promptd ends; requests in flight may finish")
	draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainLimit)
	defer cancel()
	err = errors.Join(err, a.public.drain(draining))
	if a.admin != nil {
		err = errors.Join(err, a.admin.drain(draining))
	}
	servers.Wait()
	// Connections that were closed by force leave handlers behind: what they write must find owners and store at work.
	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveLimit)
	defer cancel()
	err = errors.Join(err, a.server.End(leaving))
	a.pipe.Close()
	end()
	owners.Wait()
	for more := true; more; {
		select {
		case late := <-failed:
			err = errors.Join(err, late)
		default:
			more = false
		}
	}
	return err
}

// publicHandler is what listen serves: the API, or of a process without that role its health and metrics.
func (a *App) publicHandler() http.Handler {
	if has(a.config.Load(), "api") {
		return a.server.Handler()
	}
	return a.server.Standby()
}

// adminHandler is what admin_listen serves.
func (a *App) adminHandler() http.Handler {
	mux := a.server.Admin()
	mux.Handle("/debug/pprof/", observe.Profiles())
	return mux
}

// Reload reads the configuration again and takes over what a running program can change: providers, secrets, limits. A configuration with a fault changes
// nothing.
func (a *App) Reload(ctx context.Context) error {
	if a.env.Load == nil {
		return nil
	}
	a.reloading.Lock()
	defer a.reloading.Unlock()
	err := a.reload(ctx)
	if err != nil {
		a.seen.Metrics.Reloaded("refused")
		a.log.Error("the configuration was not reloaded", slog.Any("error", err))
		return err
	}
	a.seen.Metrics.Reloaded("ok")
	a.log.Info("the configuration was reloaded")
	return nil
}

func (a *App) reload(context.Context) error {
	loaded, err := a.env.Load()
	if err != nil {
		return err
	}
	before, after := a.config.Load(), loaded.Config
	list, err := providersOf(&after, a.transport, a.tokens)
	if err != nil {
		return err
	}
	changes := config.Differences(before, &after)
	live := changes[:0:0]
	for _, d := range changes {
		if d.Live {
			live = append(live, d)
			continue
		}
		a.log.Warn("configuration: " + d.Path + " has changed and takes effect with the next start")
	}
	merged := *before
	merged.Providers, merged.Limits = after.Providers, after.Limits
	merged.Routing.Retries, merged.Routing.Breaker = after.Routing.Retries, after.Routing.Breaker
	merged.Auth.DefaultRateLimitPerHour = after.Auth.DefaultRateLimitPerHour
	merged.Telemetry.LogLevel = after.Telemetry.LogLevel
	if err := a.seen.SetLevel(merged.Telemetry.LogLevel); err != nil {
		return err
	}
	if err := a.door.Resize(merged.Limits.MaxConcurrency); err != nil {
		return err
	}
	a.verifier.SetDefaultRateLimit(merged.Auth.DefaultRateLimitPerHour)
	a.settings.Store(settingsOf(&merged))
	if slices.ContainsFunc(live, func(d config.Difference) bool {
		return d.Path == "providers" || strings.HasPrefix(d.Path, "routing.breaker.")
	}) {
		a.pool.Set(a.withLocal(list))
	}
	a.config.Store(&merged)
	for _, d := range live {
		a.log.Info("configuration: " + d.Path + " was taken over")
	}
	return nil
}
