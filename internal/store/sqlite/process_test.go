package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/store/sqlite"
	"github.com/promptd/promptd/internal/usage"
)

// The test binary starts itself as another process that works on the directory.
const (
	childDir  = "PROMPTD_TEST_CHILD_DIR"
	childTask = "PROMPTD_TEST_CHILD_TASK"
)

// child is what the other process does.
func child(dir, task string) int {
	ctx := context.Background()
	db, err := sqlite.Open(ctx, sqlite.Options{Dir: dir, Exclusive: task == "serve"})
	if err != nil {
		fmt.Println("error", err)
		return 1
	}
	issuer := &key.Issuer{Store: db.Keys()}
	word, rest, _ := strings.Cut(task, " ")
	switch word {
	case "serve":
		fmt.Println("ready")
		select {}
	case "create":
		k, secret, err := issuer.Create(ctx, key.Key{Name: "made by another process"})
		fmt.Println(k.ID, secret.Reveal(), err)
	case "revoke":
		_, err := issuer.Revoke(ctx, key.AllTeams(), key.ID(rest))
		fmt.Println("revoked", err)
	case "publish":
		if err := publishMany(ctx, db, rest, 20); err != nil {
			fmt.Println("error", err)
		}
	case "work":
		fmt.Println("error", workForEver(ctx, db))
	case "write":
		err = writeForEver(ctx, db, issuer)
		fmt.Println("error", err)
	}
	if err := db.Close(); err != nil {
		return 1
	}
	return 0
}

// writeForEver prints each key after it was acknowledged, and fills the history meanwhile.
func writeForEver(ctx context.Context, db *sqlite.DB, issuer *key.Issuer) error {
	for n := 0; ; n++ {
		k, _, err := issuer.Create(ctx, key.Key{Name: fmt.Sprintf("key %d", n)})
		if err != nil {
			return err
		}
		batch := make([]usage.Record, 40)
		for i := range batch {
			batch[i] = usage.Record{RequestID: fmt.Sprintf("%s-%d", k.ID, i), Team: "acme", Time: time.Now(), Prompt: strings.Repeat("text ", 100)}
		}
		if err := db.History().Append(ctx, batch); err != nil {
			return err
		}
		fmt.Println(k.ID)
	}
}

// start starts the other process.
func start(t *testing.T, dir, task string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatalf("find the test binary: %v", err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childDir+"="+dir, childTask+"="+task)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatalf("read the other process: %v", err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start the other process: %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd, bufio.NewScanner(out)
}

// line reads one line of the other process.
func line(t *testing.T, out *bufio.Scanner) string {
	t.Helper()
	if !out.Scan() {
		t.Fatalf("the other process ended without a line: %v", out.Err())
	}
	return out.Text()
}

func TestSecondServeIsRefusedAndNamesTheFirst(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd, out := start(t, dir, "serve")
	if got := line(t, out); got != "ready" {
		t.Fatalf("the first serve said %q, want ready", got)
	}
	_, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir, Exclusive: true})
	want := fmt.Sprintf("another promptd (process %d) serves from %s", cmd.Process.Pid, dir)
	if !errors.Is(err, sqlite.ErrInUse) || !strings.Contains(err.Error(), want) {
		t.Errorf("the second serve: got %v, want ErrInUse with %q", err, want)
	}
	beside := open(t, sqlite.Options{Dir: dir})
	if _, _, err := beside.Keys().List(t.Context(), key.AllTeams(), 10, ""); err != nil {
		t.Errorf("a command beside serve: got the error %v, want none", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatalf("kill the first: %v", err)
	}
	_ = cmd.Wait()
	open(t, sqlite.Options{Dir: dir, Exclusive: true})
}

func TestKeysOfAnotherProcessAreSeenWithinASecond(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := open(t, sqlite.Options{Dir: dir, Exclusive: true})
	verifier, err := key.NewVerifier(t.Context(), db.Keys(), key.VerifierConfig{OnError: func(err error) { t.Errorf("verifier: %v", err) }})
	if err != nil {
		t.Fatalf("make a verifier: %v", err)
	}
	if verifier.Any() {
		t.Errorf("an empty store: Any is true, want false")
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- verifier.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	}()

	_, out := start(t, dir, "create")
	made := strings.Fields(line(t, out))
	began := time.Now()
	caller, err := verifier.Verify(t.Context(), made[1])
	if err != nil || caller.Key != key.ID(made[0]) {
		t.Fatalf("a key just made elsewhere: got %v, %v, want %s at once", caller, err, made[0])
	}
	t.Logf("made elsewhere, accepted after %s", time.Since(began))

	_, out = start(t, dir, "revoke "+made[0])
	if got := line(t, out); got != "revoked <nil>" {
		t.Fatalf("revoke elsewhere: %s", got)
	}
	began = time.Now()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for err == nil {
		if time.Since(began) > time.Second {
			t.Fatalf("a key revoked elsewhere is still accepted after a second")
		}
		<-tick.C
		_, err = verifier.Verify(t.Context(), made[1])
	}
	t.Logf("revoked elsewhere, refused after %s: %v", time.Since(began), err)
}

func TestAcknowledgedKeysSurviveAKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	acknowledged := map[key.ID]bool{}
	for round := range 4 {
		cmd, out := start(t, dir, "write")
		for range 5 + 7*round {
			acknowledged[key.ID(line(t, out))] = true
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatalf("kill: %v", err)
		}
		for out.Scan() { // What was printed before the kill was acknowledged too.
			acknowledged[key.ID(out.Text())] = true
		}
		_ = cmd.Wait()

		db, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir, Exclusive: true})
		if err != nil {
			t.Fatalf("open after a kill: %v", err)
		}
		checkSurvivors(t, db, acknowledged)
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
}

// checkSurvivors checks that every key is there, and that requests and sums tell the same.
func checkSurvivors(t *testing.T, db *sqlite.DB, acknowledged map[key.ID]bool) {
	t.Helper()
	changed, _, err := db.Keys().Changes(t.Context(), -1)
	if err != nil {
		t.Fatalf("read keys: %v", err)
	}
	found := map[key.ID]bool{}
	for _, k := range changed {
		found[k.ID] = true
	}
	for id := range acknowledged {
		if !found[id] {
			t.Errorf("key %s was acknowledged and is lost", id)
		}
	}
	report, err := db.History().Usage(t.Context(), key.OfTeam("acme"), usage.Query{})
	if err != nil {
		t.Fatalf("read sums: %v", err)
	}
	requests := int64(0)
	for cursor := usage.Cursor(""); ; {
		list, next, err := db.History().Requests(t.Context(), key.OfTeam("acme"), usage.Filter{Limit: 500, After: cursor})
		if err != nil {
			t.Fatalf("read requests: %v", err)
		}
		requests += int64(len(list))
		if cursor = next; next == "" {
			break
		}
	}
	if want := int64(40 * len(acknowledged)); report.Total.Requests != requests || requests < want {
		t.Errorf("after a kill: %d requests, sums of %d, want both alike and at least %d", requests, report.Total.Requests, want)
	}
}
