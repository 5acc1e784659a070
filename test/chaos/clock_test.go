package chaos

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// shifted builds the program with a clock that is an hour ahead: time.Now of the standard library adds it. Everything is compiled anew for it, which takes minutes.
func shifted(t *testing.T) string {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	source := filepath.Join(strings.TrimSpace(string(root)), "src", "time", "time.go")
	raw, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	const before = "	sec, nsec, mono := runtimeNow()\n	if mono == 0 {"
	text := strings.Replace(string(raw), before, strings.Replace(before, "\n", "\n	sec += 3600\n", 1), 1)
	if text == string(raw) {
		t.Skipf("SKIPPED: time.Now of %s is written otherwise: this test does not know how to shift its clock", runtime.Version())
	}
	dir := t.TempDir()
	ahead, overlay, path := filepath.Join(dir, "time.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "promptd")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {source: ahead}})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{ahead: []byte(text), overlay: replace} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.Command("go", "build", "-trimpath", "-overlay", overlay, "-o", path, "github.com/promptd/promptd/cmd/promptd")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build promptd with another clock: %v\n%s", err, out)
	}
	return path
}

// TestClockAnHourAhead: one worker's clock is an hour ahead of the others'. Leases go by the database's clock, so no worker takes what another one has, however long it
// takes, and what a dead one had is done again as soon as ever.
func TestClockAnHourAhead(t *testing.T) {
	if !long() {
		t.Skip("SKIPPED: the standard library is built anew with another clock, which takes minutes; set PROMPTD_FULL=1")
	}
	w := newWorld(t, setting{apis: 1, workers: 2, key: free()})
	ahead := w.of("worker")[1]
	ahead.program = shifted(t)
	if err := ahead.stop(); err != nil {
		t.Fatal(err)
	}
	if err := ahead.start(); err != nil {
		t.Fatal(err)
	}
	w.receiver.tolerance = 2 * time.Hour
	w.provider.slow.Store(int64(lease + time.Second)) // Up to eight seconds: leases are renewed.
	c := newCaller(w)
	b := newBook(c, 12, 1)
	b.submitAll(0)
	b.drain(t, 2*time.Minute)
	b.judge(t)
	for _, o := range b.orders {
		for _, n := range o.numbers {
			if calls := w.provider.times(w.run + "-" + strconv.Itoa(n)); calls != 1 {
				t.Errorf("prompt %d was asked %d times: a lease did not hold", n, calls)
			}
		}
	}
	for n, p := range w.of("worker") {
		before := w.provider.underWay()
		late := w.newOrder(100+n, rand.New(rand.NewPCG(1, uint64(n)))) //nolint:gosec // It is to be the same each time.
		c.submit(late)
		must(t, "the prompt is with the service", time.Minute, func() bool { return w.provider.underWay() > before })
		p.kill()
		b.orders = append(b.orders, late)
		b.drain(t, 2*time.Minute)
		if err := p.start(); err != nil {
			t.Fatal(err)
		}
	}
	b.judge(t)
	c.right(t)
}
