package chaos

import (
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // The driver of the embedded store, to be in its way.
)

// alone makes a world of one process on its embedded store, in a folder; under are the words that its command line begins with.
func alone(t *testing.T, data string, under ...string) *world {
	t.Helper()
	w := &world{t: t, begun: time.Now(), dir: t.TempDir(), run: random(), provider: newAccount(t), receiver: newReceiver(t)}
	text := "auth: {mode: none, default_rate_limit_per_hour: 0}\njobs: {lease: 3s, concurrency: 4}\nwebhooks: {allow_private_networks: true}\ndata_dir: " + data + `
providers:
  - {name: scripted, dialect: openai, base_url: "` + w.provider.URL + `/v1", models: [{name: m, price: {input: 1, output: 2}}]}
`
	if err := os.WriteFile(filepath.Join(w.dir, "promptd.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	w.add("api").under = under
	w.fleet[0].env = []string{"PROMPTD_ROLES=api,worker"}
	t.Cleanup(w.end)
	if err := w.fleet[0].start(); err != nil {
		t.Fatal(err)
	}
	return w
}

// refused submits until a submission is refused, for up to a minute: clearly, with Retry-After, and never by anything but a 503.
func (w *world) refused(t *testing.T, c *caller, size int) (accepted []*order) {
	t.Helper()
	filler := strings.Repeat("x", size)
	for end, n := time.Now().Add(time.Minute), 0; time.Now().Before(end); n++ {
		o := &order{n: n, numbers: []int{n}}
		got, err := c.ask(http.MethodPost, c.base(), "/v1/jobs", []byte(`{"prompt":`+strconv.Quote(prompt(w.run, n))+`,"schema":`+schemaN+`,"metadata":{"filler":"`+filler+`"}}`), fmt.Sprintf("order-%s-%d", w.run, n))
		switch {
		case err == nil && got.status == http.StatusAccepted:
			_, rest, _ := strings.Cut(string(got.body), `"job_id":"`)
			o.id, _, _ = strings.Cut(rest, `"`)
			accepted = append(accepted, o)
		case err != nil || got.status != http.StatusServiceUnavailable || got.retryAfter == "":
			t.Fatalf("a submission was answered %d (Retry-After %q) %s, %v", got.status, got.retryAfter, got.body, err)
		default:
			t.Logf("behind %d jobs: %d, Retry-After %s, %s", len(accepted), got.status, got.retryAfter, got.body)
			return accepted
		}
	}
	t.Fatal("no submission was refused within a minute")
	return nil
}

// finish wants every accepted job over, and no other one there.
func (w *world) finish(t *testing.T, c *caller, accepted []*order) {
	t.Helper()
	b := &book{c: c, orders: accepted}
	must(t, "every accepted job is over", 2*time.Minute, func() bool {
		for _, o := range accepted {
			f, err := c.read(o)
			if err != nil {
				t.Fatal(err)
			}
			if !f.ended() {
				return false
			}
			b.judgeAnswers(o, f)
		}
		return true
	})
	b.judgeList(t)
	c.right(t)
}

// TestSQLiteLocked: while another program locks the embedded store, submissions are refused clearly and the process is not ready; nothing is written by halves.
func TestSQLiteLocked(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: chaos takes minutes")
	}
	data := t.TempDir()
	w := alone(t, data)
	c := newCaller(w)
	db, err := sql.Open("sqlite", filepath.Join(data, "promptd.db")+"?_txlock=immediate&_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	accepted := w.refused(t, c, 10)
	must(t, "the process says that it is not ready", time.Minute, func() bool { return !w.fleet[0].ready() })
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	must(t, "the process is ready again", time.Minute, w.fleet[0].ready)
	if got, err := c.persist(http.MethodPost, "/v1/jobs", []byte(`{"prompt":`+strconv.Quote(prompt(w.run, 0))+`,"schema":`+schemaN+`,"metadata":{"filler":"xxxxxxxxxx"}}`), "order-"+w.run+"-0"); err != nil || got.status != http.StatusAccepted {
		t.Fatalf("behind the lock: %d %s, %v", got.status, got.body, err)
	} else {
		_, rest, _ := strings.Cut(string(got.body), `"job_id":"`)
		id, _, _ := strings.Cut(rest, `"`)
		accepted = append(accepted, &order{numbers: []int{0}, id: id})
	}
	w.finish(t, c, accepted)
}

// TestDiskFull: when the embedded store's disk is full, submissions are refused clearly and the process is not ready; when there is room again, every job that was accepted
// is done, and none that was refused is there. The disk is a small tmpfs in a mount namespace of the process.
func TestDiskFull(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: chaos takes minutes")
	}
	data := t.TempDir()
	under := []string{"unshare", "--user", "--map-root-user", "--mount", "sh", "-c", `mount -t tmpfs -o size=24m tmpfs "$0" && exec "$@"`, data}
	probe := append(append([]string{}, under[1:]...), "true")
	if out, err := exec.Command(under[0], probe...).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: no small disk is to be had without privileges: %v %s", err, out)
	}
	w := alone(t, data, under...)
	disk := fmt.Sprintf("/proc/%d/root%s", w.fleet[0].pid(), data)
	c := newCaller(w)
	ballast := filepath.Join(disk, "ballast")
	fill(t, ballast)
	accepted := w.refused(t, c, 8000)
	must(t, "the process says that it is not ready", time.Minute, func() bool { return !w.fleet[0].ready() })
	if got, err := c.ask(http.MethodGet, c.base(), "/v1/health/live", nil, ""); err != nil || got.status != http.StatusOK {
		t.Errorf("the process does not live: %d %v", got.status, err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	must(t, "the process is ready again", time.Minute, w.fleet[0].ready)
	w.finish(t, c, accepted)
}

// fill writes a file until the disk is full but for some 300 kB.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 64<<10)
	for err = nil; err == nil; {
		_, err = f.Write(block)
	}
	at, err := f.Seek(0, 1)
	if err == nil {
		err = f.Truncate(max(0, at-300<<10))
	}
	if err != nil {
		t.Fatal(err)
	}
}
