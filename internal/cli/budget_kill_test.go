package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/limit"
	"github.com/promptd/promptd/internal/provider/providertest"
	"github.com/promptd/promptd/internal/store/sqlite"
)

// killable is a promptd serve on a directory.
type killable struct {
	cmd     *exec.Cmd
	address string
}

func serveIn(t *testing.T, dir, provider string) *killable {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "promptd", "serve", "--listen", "127.0.0.1:0", "--data-dir", dir)
	cmd.Env = append(os.Environ(), `PROMPTD_PROVIDERS=[{name: scripted, dialect: openai, base_url: "`+provider+`/v1", models: [{name: m, price: {input: 1, output: 2}}]}]`)
	cmd.Stdout = io.Discard
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	k := &killable{cmd: cmd}
	lines := bufio.NewScanner(said)
	for k.address == "" && lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), "promptd serves "); ok {
			k.address, _, _ = strings.Cut(text, ",")
		}
	}
	if k.address == "" {
		t.Fatal("promptd serve did not start")
	}
	go func() { _, _ = io.Copy(io.Discard, said) }() // It ends with the process.
	return k
}

// kill ends the process as kill -9 does.
func (k *killable) kill(t *testing.T) {
	t.Helper()
	if err := k.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = k.cmd.Wait() // It says that the process was killed.
}

func (k *killable) ask(method, path, secret, body string) (int, []byte, error) {
	r, err := http.NewRequest(method, k.address+path, strings.NewReader(body)) //nolint:noctx // The process that answers is killed.
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r) //nolint:forbidigo // A test's own.
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	return res.StatusCode, raw, err
}

// spend asks and gives what the answer cost.
func (k *killable) spend(t *testing.T, secret string, n int) key.Nanos {
	t.Helper()
	status, raw, err := k.ask("POST", "/v1/analyze", secret, spending(n))
	var got struct {
		Cost json.Number `json:"cost_usd"`
	}
	if err != nil || status != 200 || json.Unmarshal(raw, &got) != nil {
		t.Fatalf("got %d %s, %v, want an answer", status, raw, err)
	}
	cost, err := key.ParseDollars(got.Cost.String())
	if err != nil {
		t.Fatal(err)
	}
	return cost
}

func spending(n int) string {
	return `{"prompt": "How many? ` + strconv.Itoa(n) + `", "schema": {"type": "object", "properties": {"n": {"type": "integer"}}}, "options": {"max_tokens": 100}}`
}

// A process that is killed in the middle of a call leaves what it had spent, to the nano-dollar. What it had reserved counts as spent when its lease has ended: the call
// may have been made, and nobody else knows what it cost.
func TestBudgetsSurviveAKill(t *testing.T) {
	t.Parallel()
	service := providertest.New(t, providertest.Settings{Text: `{"n": 1}`})
	dir := t.TempDir()
	made, err := exec.CommandContext(t.Context(), "promptd", "keys", "create", "--name", "spender", "--budget", "1/month", "--output", "json", "--data-dir", dir).Output()
	var issued struct{ ID, Key string }
	if err != nil || json.NewDecoder(bytes.NewReader(made)).Decode(&issued) != nil {
		t.Fatalf("keys create: %s, %v", made, err)
	}
	payer, period := limit.KeyPayer(key.ID(issued.ID), key.DefaultTeam), limit.SpanOf(key.Monthly, time.Now()).Label
	balance := func(later time.Duration) limit.Balance {
		t.Helper()
		db, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir, Now: func() time.Time { return time.Now().Add(later) }})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		b, err := db.Budgets().Balance(t.Context(), payer, period)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}

	first := serveIn(t, dir, service.URL())
	spent := first.spend(t, issued.Key, 1) + first.spend(t, issued.Key, 2) + first.spend(t, issued.Key, 3)
	service.Queue(providertest.Reply{Text: `{"n": 1}`, Hold: make(chan struct{})})
	gone := make(chan error, 1)
	go func() {
		_, _, err := first.ask("POST", "/v1/analyze", issued.Key, spending(4))
		gone <- err
	}()
	for service.InFlight() == 0 || balance(0).Spent != spent {
		time.Sleep(5 * time.Millisecond) //nolint:forbidigo // A poll of another process, which books within 50 ms.
	}
	first.kill(t)
	if err := <-gone; err == nil {
		t.Error("a request to a killed process got an answer")
	}

	held := balance(0)
	if held.Spent != spent || held.Reserved == 0 {
		t.Errorf("after the kill: %+v, want %d spent and the dead process's reservation", held, spent)
	}
	if b := balance(limit.DefaultLease); b.Spent != spent+held.Reserved || b.Reserved != 0 {
		t.Errorf("after the lease: %+v, want %d spent and nothing reserved", b, spent+held.Reserved)
	}
	second := serveIn(t, dir, service.URL())
	spent += second.spend(t, issued.Key, 5)
	status, raw, err := second.ask("GET", "/v1/me", issued.Key, "")
	var me struct {
		Budget struct {
			Spent json.Number `json:"spent_usd"`
		}
	}
	if err != nil || status != 200 || json.Unmarshal(raw, &me) != nil || me.Budget.Spent.String() != spent.String() {
		t.Errorf("after the restart: got %d %s, %v, want $%s spent", status, raw, err, spent)
	}
	second.kill(t)
}
