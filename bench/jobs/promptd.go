package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// setup is promptd in one arrangement of processes and servers.
type setup struct {
	name     string
	postgres bool
	rabbitmq bool
	redis    bool
	// apart gives the API and each of the workers a process of its own; 0 is one process for everything.
	apart int
	// slots is jobs.concurrency; 0 is its default.
	slots int
	// pinned holds every process on the first core.
	pinned bool
	env    []string
}

// installation is a promptd that runs.
type installation struct {
	setup
	url, key  string
	admin     string // of the first process, where profiles are wanted
	processes []*process
	counted   counted
	drop      func()
}

// install writes a configuration, makes a key, and starts the processes.
func (b *bench) install(ctx context.Context, s setup) (_ *installation, err error) {
	in := &installation{setup: s, drop: func() {}}
	defer func() {
		if err != nil {
			in.end()
		}
	}()
	dir, err := os.MkdirTemp(b.dir, "promptd-")
	if err != nil {
		return nil, err
	}
	text, err := b.configuration(ctx, in)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "promptd.yaml"), []byte(text), 0o600); err != nil {
		return nil, err
	}
	if in.key, err = makeKey(ctx, dir, b.promptd); err != nil {
		return nil, err
	}
	first := "api,worker"
	if s.apart > 0 {
		first = "api"
	}
	for i := range 1 + s.apart {
		roles := first
		if i > 0 {
			roles = "worker"
		}
		args := []string{b.promptd, "serve", "--config", "promptd.yaml", "--listen", "127.0.0.1:0"}
		env := append([]string{"PROMPTD_ROLES=" + roles}, s.env...)
		if taskset, err := exec.LookPath("taskset"); s.pinned && err == nil {
			args = append([]string{taskset, "-c", "0"}, args...)
		}
		if b.profiles != "" && i == 0 {
			if in.admin, err = freeAddress(ctx); err != nil {
				return nil, err
			}
			env = append(env, "PROMPTD_ADMIN_LISTEN="+in.admin)
		}
		p, err := start(dir, fmt.Sprint("process", i), env, args...)
		if err != nil {
			return nil, err
		}
		in.processes = append(in.processes, p)
		in.counted = append(in.counted, root{"promptd", p.cmd.Process.Pid})
		if i == 0 {
			if err := p.listens(); err != nil {
				return nil, err
			}
			in.url = p.url
		}
	}
	return in, nil
}

// configuration is the file of an installation; it makes the database, and finds the servers that are counted.
func (b *bench) configuration(ctx context.Context, in *installation) (string, error) {
	text := "data_dir: data\ntelemetry: {log_level: warn}\nproviders:\n  - {name: scripted, dialect: openai, base_url: \"" + b.provider.url + "/v1\", max_concurrency: 4096, models: [{name: m}]}\n"
	uses := []struct {
		wanted bool
		name   string
		url    string
		line   func() (string, error)
	}{
		{in.postgres, "PostgreSQL", b.urls.postgres, func() (string, error) {
			made, err := b.database(ctx, in)
			return "database: {url: \"" + made + "\"}\n", err
		}},
		{in.rabbitmq, "RabbitMQ", b.urls.rabbitmq, func() (string, error) { return "broker: {url: \"" + b.urls.rabbitmq + "\"}\n", nil }},
		{in.redis, "Redis", b.urls.redis, func() (string, error) { return "cache: {url: \"" + b.urls.redis + "\"}\n", nil }},
	}
	for _, u := range uses {
		if !u.wanted {
			continue
		}
		pid, err := server(u.url)
		if err != nil {
			return "", err
		}
		line, err := u.line()
		if err != nil {
			return "", err
		}
		in.counted = append(in.counted, root{u.name, pid})
		text += line
	}
	if in.slots > 0 {
		text += fmt.Sprintf("jobs: {concurrency: %d}\n", in.slots)
	}
	return text, nil
}

// database makes an empty database for an installation, which drops it at its end.
func (b *bench) database(ctx context.Context, in *installation) (string, error) {
	name := "bench_" + strings.ToLower(rand.Text()[:10])
	if out, err := exec.CommandContext(ctx, "psql", b.urls.postgres, "-qc", "CREATE DATABASE "+name).CombinedOutput(); err != nil {
		return "", fmt.Errorf("make a database: %w: %s", err, out)
	}
	in.drop = func() {
		_ = exec.Command("psql", b.urls.postgres, "-qc", "DROP DATABASE "+name+" WITH (FORCE)").Run() //nolint:errcheck // It is the bench's own server.
	}
	u, err := url.Parse(b.urls.postgres)
	if err != nil {
		return "", err
	}
	u.Path = "/" + name
	return u.String(), nil
}

func makeKey(ctx context.Context, dir, promptd string) (string, error) {
	cmd := exec.CommandContext(ctx, promptd, "keys", "create", "--name", "bench", "--rate-limit", "0", "--output", "json")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("make a key: %w: %s", err, out)
	}
	var made struct{ Key string }
	err = json.Unmarshal(out, &made)
	return made.Key, err
}

// end ends what was started, and drops the database.
func (in *installation) end() {
	for _, p := range in.processes {
		p.end()
	}
	in.drop()
}

func freeAddress(ctx context.Context) (string, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
