package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/sharedtest"
)

// The real servers, by their names in services.sh.
const (
	postgres  = "postgres"
	redis     = "redis"
	rabbitmq  = "rabbitmq"
	toxiproxy = "toxiproxy"
	nginx     = "nginx"
)

// servers are the real servers of this run. Each has a folder of its own: services.sh lets one command at a time work on a folder, and RabbitMQ takes half a minute
// to start, during which others shall die.
type servers struct {
	script, dir string
	base        int
	keep        bool

	mu sync.Mutex

	env map[string]string
}

// started says that servers were started, so that somebody ends them.
var started bool //nolint:gochecknoglobals // TestMain reads it.

// rent starts the servers once for all tests.
var rent = sync.OnceValues(func() (*servers, error) { //nolint:gochecknoglobals // RabbitMQ takes half a minute.
	base, err := strconv.Atoi(first(os.Getenv("CHAOS_PORT_BASE"), "25000"))
	if err != nil {
		return nil, fmt.Errorf("read CHAOS_PORT_BASE: %w", err)
	}
	s := &servers{base: base, env: map[string]string{}, dir: os.Getenv("CHAOS_SERVICES_DIR"), keep: os.Getenv("CHAOS_SERVICES_DIR") != ""}
	if s.script, err = filepath.Abs(script); err != nil {
		return nil, err
	}
	if !s.keep {
		if s.dir, err = os.MkdirTemp("", "chaos-servers-"); err != nil {
			return nil, err
		}
		if err = os.Chmod(s.dir, 0o755); err != nil { //nolint:gosec // The servers run as users of their own.
			return nil, err
		}
	}
	var group sync.WaitGroup
	names := []string{postgres, redis, rabbitmq, toxiproxy}
	errs := make([]error, len(names))
	for i, name := range names {
		group.Go(func() { errs[i] = s.do("start", name) })
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return s, err
		}
	}
	return s, nil
})

// script is the path of services.sh, set before rent is called.
var script string //nolint:gochecknoglobals // It is found by a test's helper, which skips.

// rented gives the running servers, or skips.
func rented(t *testing.T) *servers {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED: chaos takes minutes")
	}
	script, started = sharedtest.Dir(t, "tools", "services.sh"), true
	s, err := rent()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{postgres, redis, rabbitmq} { // A test before may have left them down.
		if err := s.do("start", name); err != nil {
			t.Fatal(err)
		}
		if err := s.heal(name); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func first(list ...string) string {
	for _, s := range list {
		if s != "" {
			return s
		}
	}
	return ""
}

// do has services.sh do something with a server.
func (s *servers) do(verb, name string, extra ...string) error {
	_, err := s.run(verb, name, extra...)
	return err
}

func (s *servers) run(verb, name string, extra ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.script, verb, name)
	cmd.Env = append(os.Environ(), "SERVICES_DIR="+filepath.Join(s.dir, name), "SERVICES_PORT_BASE="+strconv.Itoa(s.base), "SERVICES_TIMEOUT=180")
	cmd.Env = append(cmd.Env, extra...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("services.sh %s %s: %w\n%s", verb, name, err, errs.String())
	}
	return out.Bytes(), nil
}

func (s *servers) giveBack() {
	if s.keep {
		return
	}
	for _, name := range []string{nginx, toxiproxy, rabbitmq, redis, postgres} {
		if _, err := os.Stat(filepath.Join(s.dir, name)); err == nil {
			_ = s.do("stop", name) //nolint:errcheck // It says so on its own where one does not stop.
		}
	}
	_ = os.RemoveAll(s.dir) //nolint:errcheck // It lies in a temporary folder.
}

// url gives what services.sh exports.
func (s *servers) url(of, name string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.env[name] == "" {
		out, err := s.run("env", of)
		if err != nil {
			return "", err
		}
		for _, m := range regexp.MustCompile(`export (\w+)='([^']*)'`).FindAllStringSubmatch(string(out), -1) {
			s.env[m[1]] = m[2]
		}
	}
	if s.env[name] == "" {
		return "", fmt.Errorf("services.sh exports no %s", name)
	}
	return s.env[name], nil
}

// An ill network between promptd and one server, by toxiproxy.
const (
	cutOff   = "cut"   // Connections break, new ones are refused.
	silent   = "hang"  // Nothing arrives, and nobody is told.
	delayed  = "delay" // Everything arrives 200 to 400 ms late.
	narrowed = "slow"  // 20 kB a second.
)

// afflict makes the network to a server ill.
func (s *servers) afflict(name, how string) error {
	if how == cutOff {
		return s.toxi(http.MethodPost, "/proxies/"+name, `{"enabled":false}`)
	}
	for _, way := range []string{"upstream", "downstream"} {
		body := map[string]string{
			silent:   `"type":"timeout","attributes":{"timeout":0}`,
			delayed:  `"type":"latency","attributes":{"latency":150,"jitter":50}`,
			narrowed: `"type":"bandwidth","attributes":{"rate":20}`,
		}[how]
		if err := s.toxi(http.MethodPost, "/proxies/"+name+"/toxics", `{"name":"`+how+way+`","stream":"`+way+`",`+body+`}`); err != nil {
			return err
		}
	}
	return nil
}

// heal makes the network to a server well.
func (s *servers) heal(name string) error {
	out, err := s.ask(http.MethodGet, "/proxies/"+name, "")
	if err != nil {
		return err
	}
	var now struct {
		Enabled bool
		Toxics  []struct{ Name string }
	}
	if err := json.Unmarshal(out, &now); err != nil {
		return err
	}
	for _, toxic := range now.Toxics {
		if err := s.toxi(http.MethodDelete, "/proxies/"+name+"/toxics/"+toxic.Name, ""); err != nil {
			return err
		}
	}
	if now.Enabled {
		return nil
	}
	return s.toxi(http.MethodPost, "/proxies/"+name, `{"enabled":true}`)
}

func (s *servers) toxi(method, path, body string) error {
	_, err := s.ask(method, path, body)
	return err
}

func (s *servers) ask(method, path, body string) ([]byte, error) {
	base, err := s.url(toxiproxy, "TEST_TOXIPROXY_URL")
	if err != nil {
		return nil, err
	}
	return call(method, base+path, body)
}

// call asks an API of a server.
func call(method, url, body string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode > 299 {
		err = fmt.Errorf("%s %s answered %d %s", method, url, resp.StatusCode, raw)
	}
	return raw, err
}
