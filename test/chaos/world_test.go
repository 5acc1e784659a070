package chaos

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// world is one installation: processes of promptd on the servers, with a database and a virtual host of its own, a model and a receiver of webhooks.
type world struct {
	t        *testing.T
	servers  *servers
	dir, run string
	// database is its URL past the fault proxy.
	database string
	provider *account
	receiver *receiver
	key      string
	fleet    []*process
	// begun is when the world's time begins.
	begun time.Time
}

// setting is what differs between worlds.
type setting struct {
	apis, workers int
	// more is added to the configuration, in YAML.
	more string
	// key are further arguments of keys create; nothing said is a budget of $1,000 a month, and no rate limit.
	key []string
}

// lease is jobs.lease of every world.
const lease = 3 * time.Second

// newWorld makes an installation and starts its processes. They end with the test.
func newWorld(t *testing.T, s setting) *world {
	t.Helper()
	w := &world{t: t, begun: time.Now(), servers: rented(t), dir: t.TempDir(), run: random(), provider: newAccount(t), receiver: newReceiver(t)}
	w.makeDatabase()
	w.makeHost()
	w.configure(s.more)
	if s.key == nil {
		s.key = []string{"--rate-limit", "0", "--budget", "1000/month"}
	}
	w.key = w.newKey(s.key...)
	for range s.apis {
		w.add("api")
	}
	for range s.workers {
		w.add("worker")
	}
	for _, p := range w.fleet {
		if err := p.start(); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(w.end)
	return w
}

func random() string {
	b := make([]byte, 4)
	_, _ = rand.Read(b) //nolint:errcheck // It never fails.
	return hex.EncodeToString(b)
}

// makeDatabase makes the world's own database.
func (w *world) makeDatabase() {
	w.t.Helper()
	admin, err := w.servers.url(postgres, "TEST_POSTGRES_URL")
	if err != nil {
		w.t.Fatal(err)
	}
	name := "chaos_" + w.run
	w.database = inDatabase(w.t, admin, name)
	w.sql(admin, "CREATE DATABASE "+name)
	w.t.Cleanup(func() { w.sql(admin, "DROP DATABASE "+name+" WITH (FORCE)") })
}

func inDatabase(t *testing.T, raw, name string) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

// sql runs a statement, and tries again while the server is away.
func (w *world) sql(at, query string) {
	w.t.Helper()
	if err := w.query(at, query, nil); err != nil {
		w.t.Error(err)
	}
}

// query reads one row, for up to a minute while the server is away.
func (w *world) query(at, query string, into []any, args ...any) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		err := queryOnce(ctx, at, query, into, args)
		if err == nil || ctx.Err() != nil {
			return err
		}
		<-time.After(100 * time.Millisecond)
	}
}

func queryOnce(ctx context.Context, at, query string, into, args []any) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, at)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if into == nil {
		_, err = conn.Exec(ctx, query, args...)
		return err
	}
	return conn.QueryRow(ctx, query, args...).Scan(into...)
}

// makeHost makes the world's own virtual host of RabbitMQ.
func (w *world) makeHost() {
	w.t.Helper()
	api, err := w.servers.url(rabbitmq, "TEST_RABBITMQ_API")
	if err == nil {
		_, err = call("PUT", api+"/api/vhosts/chaos_"+w.run, "{}")
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if _, err := call("DELETE", api+"/api/vhosts/chaos_"+w.run, ""); err != nil {
			w.t.Error(err)
		}
	})
}

// configure writes the configuration that all processes share: the servers behind the fault proxy.
func (w *world) configure(more string) {
	w.t.Helper()
	var urls [3]string
	for i, name := range []string{"TEST_TOXI_POSTGRES_URL", "TEST_TOXI_REDIS_URL", "TEST_TOXI_AMQP_URL"} {
		u, err := w.servers.url(toxiproxy, name)
		if err != nil {
			w.t.Fatal(err)
		}
		urls[i] = u
	}
	text := `database: {url: "` + inDatabase(w.t, urls[0], "chaos_"+w.run) + `"}
cache: {url: "` + urls[1] + `"}
broker: {url: "` + urls[2] + "chaos_" + w.run + `"}
jobs: {lease: ` + lease.String() + `, concurrency: 16, max_attempts: 12}
webhooks: {allow_private_networks: true}
telemetry: {log_level: info}
data_dir: ` + w.dir + `
providers:
  - name: scripted
    dialect: openai
    base_url: ` + w.provider.URL + `/v1
    timeout: 20s
    headers: {X-Process: "${CHAOS_PROCESS}"}
    models: [{name: m, price: {input: 1, output: 2}}]
` + more
	if err := os.WriteFile(filepath.Join(w.dir, "promptd.yaml"), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// command runs the program beside the processes, past the fault proxy.
func (w *world) command(args ...string) []byte {
	w.t.Helper()
	path, err := binary()
	if err != nil {
		w.t.Fatal(err)
	}
	cmd := exec.Command(path, append(args, "--config", "promptd.yaml")...)
	cmd.Dir, cmd.Env = w.dir, environment("CHAOS_PROCESS=command")
	if w.database != "" {
		cmd.Env = append(cmd.Env, "PROMPTD_DATABASE_URL="+w.database)
	}
	out, err := cmd.Output()
	if err != nil {
		w.t.Fatalf("promptd %s: %v", strings.Join(args, " "), err)
	}
	return out
}

// newKey makes a key.
func (w *world) newKey(args ...string) string {
	w.t.Helper()
	var made struct{ Key string }
	if err := json.Unmarshal(w.command(append([]string{"keys", "create", "--name", "chaos", "--output", "json"}, args...)...), &made); err != nil {
		w.t.Fatal(err)
	}
	return made.Key
}

// environment is the test's own, without whatever would configure promptd.
func environment(extra ...string) []string {
	var env []string
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); !strings.HasPrefix(name, "PROMPTD_") && !strings.HasSuffix(name, "_API_KEY") {
			env = append(env, kv)
		}
	}
	return append(env, extra...)
}

// of gives the processes with a role.
func (w *world) of(role string) []*process {
	var list []*process
	for _, p := range w.fleet {
		if p.role == role {
			list = append(list, p)
		}
	}
	return list
}

// end ends the processes, and shows what those wrote that ended of themselves.
func (w *world) end() {
	for _, p := range w.fleet {
		if err := p.stop(); err != nil {
			w.t.Error(err)
		}
		if said := p.unasked(); said != "" {
			w.t.Errorf("%s ended of itself:\n%s", p, said)
		}
		if w.t.Failed() {
			_ = os.WriteFile(filepath.Join(os.TempDir(), "chaos-"+w.run+"-"+p.String()+".log"), []byte(p.said.String()), 0o600) //nolint:errcheck // It is for whoever looks.
		}
	}
}

// left is what ended processes have left reserved of the budget, in nano-dollars, and how many of them: what is down for them in the database. A process that ends in
// order leaves nothing.
func (w *world) left() (nanos int64, holders int, err error) {
	err = w.query(w.database, `SELECT coalesce(sum(amount), 0)::bigint, count(*) FROM budget_leases WHERE amount > 0`, []any{&nanos, &holders})
	if err != nil {
		return 0, 0, fmt.Errorf("read what killed processes held: %w", err)
	}
	return nanos, holders, nil
}
