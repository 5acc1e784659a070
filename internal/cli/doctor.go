package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/promptd/promptd/internal/config"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/usage"
)

func doctorCommand(env *Env) *cobra.Command {
	out, s := newPrintout(env), &settings{env: env}
	var offline bool
	cmd := &cobra.Command{
		Use: "doctor", Short: "Say what is configured, reachable, slow or risky here, and what to do about it", Args: cobra.NoArgs,
		Long: "Look at the configuration, this machine, the store, the keys, the providers, the local model and a server that runs, and say what is wrong or risky\n" +
			"and what to do about it. It works beside a running server, and with a key in PROMPTD_API_KEY says how the providers do there. Exit code 1 means that there is a problem.",
		Example: examples("promptd doctor", "promptd doctor --config promptd.yaml", "promptd doctor --offline --output json"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var f findings
			if loaded := f.configuration(s); loaded != nil {
				c := &loaded.Config
				f.exposure(c)
				f.secrets(loaded)
				f.machine(c)
				f.surroundings(cmd.Context(), loaded, offline)
				f.standing(cmd.Context(), env, c)
				f.offers(c)
				f.store(cmd.Context(), c)
			}
			return f.report(out, "promptd is well here.", "promptd is not well here:")
		},
	}
	cmd.Flags().BoolVar(&offline, "offline", false, "call no provider")
	s.flags(cmd)
	out.flag(cmd)
	return cmd
}

// exposure says who may reach the API, and how.
func (f *findings) exposure(c *config.Config) {
	private := config.Loopback(c.Listen)
	if c.Auth.Mode == "none" {
		f.add("auth", risky, "Set auth.mode: keys and make a key for each program.", "auth.mode is none: everybody on this machine may call and spend")
	}
	switch {
	case !private && c.TLS.Cert == "":
		f.add("listen", risky, "Set tls.cert and tls.key, or let a proxy with TLS on this machine stand in front and listen on 127.0.0.1.",
			"%s can be reached from other machines without TLS: keys and texts cross the network in the clear", c.Listen)
	case !private && c.TLS.MinVersion == "1.2":
		f.add("tls", note, "", "tls.min_version is 1.2; 1.3 is the default")
	}
	if slices.Contains(c.CORS.Origins, "*") {
		f.add("cors", risky, "Name the origins of your own pages.", "every web page may call the API from its visitors' browsers")
	}
	if c.AdminListen != "" && !config.Loopback(c.AdminListen) {
		f.add("admin_listen", risky, "Listen on 127.0.0.1, or keep the port behind a firewall.", "%s gives metrics and profiles to everybody who reaches it", c.AdminListen)
	}
	if c.Privacy.StorePrompts {
		f.add("privacy", note, "", "texts of prompts and answers are kept for %s (privacy.store_prompts, privacy.retention_days)", plural(c.Privacy.RetentionDays, "day"))
	}
}

// secrets says where credentials stand in the configuration file itself.
func (f *findings) secrets(loaded *config.Loaded) {
	if loaded.File == "" {
		return
	}
	var literal []string
	for n, p := range loaded.Config.Providers {
		for _, k := range p.Credentials() {
			place, given := loaded.Origin(fmt.Sprintf("providers[%d].api_key", n))
			if k.IsSet() && k.Reference() == "" && given && place.Line > 0 {
				literal = append(literal, place.String())
			}
		}
	}
	if len(literal) == 0 {
		return
	}
	f.add("secrets", risky, "Write a reference instead: env:NAME or file:/run/secrets/name.", "a credential stands in the file itself: %s", strings.Join(literal, ", "))
	if info, err := os.Stat(loaded.File); err == nil && readableByOthers(info) {
		f.add("secrets", risky, "chmod 600 "+loaded.File, "%s holds a credential and others may read it", loaded.File)
	}
}

// machine looks at cores, open files and the disk.
func (f *findings) machine(c *config.Config) {
	cores := runtime.GOMAXPROCS(0)
	if cores <= 2 {
		f.add("cores", note, "", "%s: the local model would use all but one and slow everything else down meanwhile", plural(cores, "core"))
	} else {
		f.add("cores", fine, "", "%d", cores)
	}
	// Each request in work has a connection on each side.
	wanted := uint64(2*c.Limits.MaxConcurrency + 100) //nolint:gosec // It is positive.
	if have, err := openFiles(); err == nil {
		if have < wanted {
			f.add("open files", risky, fmt.Sprintf("Raise the limit (ulimit -n, LimitNOFILE=) to %d, or lower limits.max_concurrency.", wanted),
				"the limit is %d; limits.max_concurrency %d wants %d", have, c.Limits.MaxConcurrency, wanted)
		} else {
			f.add("open files", fine, "", "%d allowed", have)
		}
	}
	const tight, little = 100 << 20, 1 << 30
	dir, err := nearestFolder(c.DataDir)
	if err != nil {
		return
	}
	free, err := freeBytes(dir)
	switch {
	case err != nil:
	case free < tight:
		f.add("disk", bad, "Make room: writes fail when the disk is full.", "%s free for %s", bytesText(free), c.DataDir)
	case free < little:
		f.add("disk", risky, "Make room, or lower privacy.retention_days.", "%s free for %s", bytesText(free), c.DataDir)
	default:
		f.add("disk", fine, "", "%s free", bytesText(free))
	}
}

// store looks at the store: who may read it, its size, the keys and how the last day went. A database that can't be used is told by database, and not again.
func (f *findings) store(ctx context.Context, c *config.Config) {
	p := storeOf(c)
	if p.database.IsSet() && !f.says("tables", fine) || !p.database.IsSet() && !f.embedded(c) {
		return // To open an empty database would make its tables.
	}
	const patience = 5 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := p.open(ctx, func(k kept) error {
		if !p.database.IsSet() {
			f.add("store", fine, "", "%s in %s", bytesText(folderSize(p.dir)), p.dir)
		}
		if c.Auth.Mode == "keys" {
			if err := f.keys(ctx, k.keys); err != nil {
				return err
			}
		}
		return f.lastDay(ctx, k.history)
	})
	if err != nil {
		f.add("store", bad, "", "%v", err)
	}
}

// embedded looks at the folder of the embedded store, and says whether there is one.
func (f *findings) embedded(c *config.Config) bool {
	dir := c.DataDir
	info, err := os.Stat(dir)
	if err != nil {
		if c.Auth.Mode == "keys" {
			f.add("keys", note, "promptd keys create --name NAME", "there is no key yet")
		}
		return false
	}
	if readableByOthers(info) {
		f.add("data_dir", risky, "chmod 700 "+dir, "others on this machine may look into %s", dir)
	}
	if _, err := os.Stat(filepath.Join(dir, storeFile)); err != nil {
		f.add("store", note, "", "not made yet; the first start makes it")
		return false
	}
	return true
}

func (f *findings) keys(ctx context.Context, keys key.Store) error {
	now := time.Now()
	usable := 0
	for one, err := range (storeKeys{&key.Issuer{Store: keys}}).Keys(ctx) {
		if err != nil {
			return err
		}
		if state(one, now) != "active" {
			continue
		}
		usable++
		if !one.ExpiresAt.IsZero() && one.ExpiresAt.Sub(now) < soon {
			f.add("keys", risky, "Make another key in time.", "key %q (%s) ends on %s", one.Name, one.ID, when(one.ExpiresAt))
		}
	}
	if usable == 0 {
		f.add("keys", risky, "promptd keys create --name NAME", "there is no key that can be used: every call is refused")
	} else {
		f.add("keys", fine, "", "%s can be used", plural(usable, "key"))
	}
	return nil
}

// lastDay says how the requests of the last day went.
func (f *findings) lastDay(ctx context.Context, history usage.Store) error {
	r, err := history.Usage(ctx, key.AllTeams(), usage.Query{From: time.Now().Add(-24 * time.Hour)})
	if err != nil {
		return err
	}
	t := r.Total
	if t.Requests == 0 {
		return nil
	}
	const least, percent = 0.95, 100
	rate := float64(t.Passed) / float64(t.Requests)
	text := fmt.Sprintf("%s in 24 hours, %.1f%% passed, $%s", plural(int(t.Requests), "request"), percent*rate, t.Cost)
	if rate < least && t.Requests >= 20 {
		f.add("requests", risky, "promptd requests list --validation failed shows them: see the reports, allow more attempts, or use a stronger model.", "%s", text)
	} else {
		f.add("requests", fine, "", "%s", text)
	}
	if t.UnpricedRequests > 0 {
		f.add("cost", note, "Set models[].price of the provider.", "of %s the cost is not known", plural(int(t.UnpricedRequests), "request"))
	}
	return nil
}
