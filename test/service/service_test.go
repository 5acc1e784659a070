package service

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/provider/providertest"
)

const schema = `{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"],"additionalProperties":false}`

func body(prompt string) string { return `{"prompt":"` + prompt + `","schema":` + schema + `}` }

// configured is a configuration with a scripted provider.
func configured(s *providertest.Server, more string) string {
	return more + "\nproviders:\n  - {name: scripted, dialect: openai, base_url: \"" + s.URL() + "/v1\", models: [{name: m}]}\n"
}

// TestTheProgramStartsSmallAndSoon gives the figures; bounds are generous because machines are.
func TestTheProgramStartsSmallAndSoon(t *testing.T) {
	s := providertest.New(t, providertest.Settings{Text: `{"n":7}`})
	p := start(t, t.TempDir(), configured(s, ""))
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Skipf("SKIPPED: no /proc here: %v", err)
	}
	var kb int
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			if _, err := fmt.Sscan(rest, &kb); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("ready after %d ms, %d MB resident", p.startup.Milliseconds(), kb>>10)
	if kb == 0 || kb>>10 >= 60 {
		t.Errorf("%d kB resident, want less than 60 MB", kb)
	}
}

func TestASecondProgramOnTheSameDataIsRefused(t *testing.T) {
	s := providertest.New(t, providertest.Settings{Text: `{"n":7}`})
	p := start(t, t.TempDir(), configured(s, ""))
	out, err := p.run("serve", "--config", "promptd.yaml", "--listen", "127.0.0.1:0")
	if err == nil || !strings.Contains(err.Error(), "another promptd works in") || !strings.Contains(err.Error(), "--data-dir") {
		t.Errorf("a second serve gave %v\n%s", err, out)
	}
	if _, err := p.run("usage", "--help"); err != nil {
		t.Error(err)
	}
}

func TestATakenPortIsSaid(t *testing.T) {
	s := providertest.New(t, providertest.Settings{Text: `{"n":7}`})
	p := start(t, t.TempDir(), configured(s, ""))
	_, err := command(t, t.TempDir(), "serve", "--listen", strings.TrimPrefix(p.url, "http://"))
	if err == nil || !strings.Contains(err.Error(), "can't listen on") {
		t.Errorf("got %v", err)
	}
}

// TestATermUnderLoadFailsNoAcceptedRequest ends the program while clients send as fast as they can, over kept and over new connections.
func TestATermUnderLoadFailsNoAcceptedRequest(t *testing.T) {
	s := providertest.New(t, providertest.Settings{Text: `{"n":7}`, Latency: 20 * time.Millisecond, Keep: -1})
	for round := range 3 {
		p := start(t, t.TempDir(), configured(s, ""))
		_, secret := p.key()
		var sent, failed, refused atomic.Int64
		var group sync.WaitGroup
		stop := make(chan struct{})
		for i := range 16 {
			group.Go(func() {
				transport := &http.Transport{DisableKeepAlives: i%4 == 0}
				defer transport.CloseIdleConnections()
				client := &http.Client{Transport: transport}
				for n := 0; ; n++ {
					select {
					case <-stop:
						return
					default:
					}
					status, raw, err := p.analyze(client, secret, body(fmt.Sprintf("prompt %d %d %d", round, i, n)))
					switch {
					case err != nil && (strings.Contains(err.Error(), "connection refused") || strings.Contains(err.Error(), "reset by peer") && transport.DisableKeepAlives): // It waited to be accepted.
						refused.Add(1) // It was not accepted: nobody listens any more.
						return
					case err != nil || status != http.StatusOK:
						failed.Add(1)
						t.Errorf("request %d of client %d: %d %s %v", n, i, status, raw, err)
						return
					default:
						sent.Add(1)
					}
				}
			})
		}
		time.Sleep(400 * time.Millisecond) //nolint:forbidigo // Load for a while.
		p.signal(syscall.SIGTERM)
		if err := p.wait(); err != nil {
			t.Errorf("the program ended with %v\n%s", err, p.stderr)
		}
		close(stop)
		group.Wait()
		t.Logf("round %d: %d requests answered, %d failed, %d clients found nobody listening afterwards", round+1, sent.Load(), failed.Load(), refused.Load())
		if sent.Load() == 0 {
			t.Error("nothing was sent")
		}
	}
}

// TestARevocationByAnotherProcessIsSeenWithinASecond revokes by the command line.
func TestARevocationByAnotherProcessIsSeenWithinASecond(t *testing.T) {
	s := providertest.New(t, providertest.Settings{Text: `{"n":7}`})
	p := start(t, t.TempDir(), configured(s, ""))
	id, secret := p.key()
	if status, raw, err := p.analyze(http.DefaultClient, secret, body("a")); err != nil || status != http.StatusOK { //nolint:forbidigo // A test's client.
		t.Fatalf("%d %s %v", status, raw, err)
	}
	if _, err := p.run("keys", "revoke", id); err != nil {
		t.Fatal(err)
	}
	revoked := time.Now()
	for {
		status, raw, err := p.analyze(http.DefaultClient, secret, body("a")) //nolint:forbidigo // As above.
		if err != nil {
			t.Fatal(err)
		}
		if status == http.StatusUnauthorized {
			break
		}
		if time.Since(revoked) > 5*time.Second {
			t.Fatalf("still %d %s", status, raw)
		}
		time.Sleep(5 * time.Millisecond) //nolint:forbidigo // Another process has its own clock.
	}
	took := time.Since(revoked)
	t.Logf("seen after %d ms", took.Milliseconds())
	if took > time.Second {
		t.Errorf("it took %s, want at most a second", took)
	}
}

// TestSecretsAndTextsStayInside looks for them in everything that the program writes.
func TestSecretsAndTextsStayInside(t *testing.T) {
	const prompt, answer, credential = "Umbrella-3141-prompt", "Umbrella-2718-answer", "sk-Umbrella-1618-credential"
	s := providertest.New(t, providertest.Settings{Text: `{"n":"` + answer + `"}`})
	dir := t.TempDir()
	p := start(t, dir, "privacy: {store_prompts: false}\ntelemetry: {log_level: debug}\nproviders:\n  - {name: scripted, dialect: openai, base_url: \""+
		s.URL()+"/v1\", api_key: env:SCRIPTED_KEY, models: [{name: m}]}\n", "SCRIPTED_KEY="+credential)
	_, secret := p.key()
	ask := func(text string, want int) {
		t.Helper()
		status, raw, err := p.analyze(http.DefaultClient, secret, text) //nolint:forbidigo // A test's client.
		if err != nil || status != want {
			t.Errorf("%s: %d %s %v, want %d", text, status, raw, err, want)
		}
		if want >= 400 && bytes.Contains(raw, []byte(prompt)) {
			t.Errorf("an error repeats the prompt: %s", raw)
		}
	}
	open := `{"type":"object","properties":{"n":{"type":"string"}},"required":["n"]}`
	ask(`{"prompt":"`+prompt+`","schema":`+open+`}`, http.StatusOK)
	ask(`{"prompt":"`+prompt+`","schema":`+schema+`,"options":{"max_attempts":1}}`, http.StatusUnprocessableEntity)
	ask(`{"prompt":"`+prompt+`","schema":{"type":"strange"}}`, http.StatusBadRequest)
	ask(`{"prompt":"`+prompt+`","nonsense":1}`, http.StatusBadRequest)
	ask(`{"prompt":"`+prompt+`",`, http.StatusBadRequest)
	s.Queue(providertest.Reply{Status: 401, Body: `{"error":{"message":"no such key ` + credential + ` for ` + prompt + `"}}`})
	ask(`{"prompt":"`+prompt+` again","schema":`+open+`}`, http.StatusBadGateway)
	if err := p.end(); err != nil {
		t.Error(err)
	}
	written := map[string][]byte{"standard output": []byte(p.stdout.String()), "standard error": []byte(p.stderr.String())}
	err := filepath.WalkDir(filepath.Join(dir, "promptd-data"), func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			written[path], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(written) < 4 || p.stdout.String() == "" {
		t.Fatalf("only %d files were looked at", len(written))
	}
	found := 0
	for where, raw := range written {
		for name, text := range map[string]string{"prompt": prompt, "answer": answer, "credential": credential, "API key": secret} {
			if n := bytes.Count(raw, []byte(text)); n > 0 {
				found += n
				t.Errorf("%s: the %s stands there %d times", where, name, n)
			}
		}
	}
	t.Logf("%d files looked at, %d texts or secrets found", len(written), found)
}

// TestAHangUpTakesOverProvidersAndLimits reloads.
func TestAHangUpTakesOverProvidersAndLimits(t *testing.T) {
	first := providertest.New(t, providertest.Settings{Text: `{"n":1}`})
	second := providertest.New(t, providertest.Settings{Text: `{"n":2}`})
	p := start(t, t.TempDir(), configured(first, ""))
	_, secret := p.key()
	ask := func(text string) (int, string) {
		status, raw, err := p.analyze(http.DefaultClient, secret, text) //nolint:forbidigo // A test's client.
		if err != nil {
			t.Fatal(err)
		}
		return status, string(raw)
	}
	if _, raw := ask(body("one")); !strings.Contains(raw, `{"n":1}`) {
		t.Fatal(raw)
	}
	p.configure("limits: {prompt_chars: nonsense}\n")
	p.signal(syscall.SIGHUP)
	p.until("the configuration was not reloaded")
	if _, raw := ask(body("two")); !strings.Contains(raw, `{"n":1}`) {
		t.Errorf("a faulty configuration changed something: %s", raw)
	}
	p.configure(configured(second, "limits: {prompt_chars: 20}"))
	p.signal(syscall.SIGHUP)
	p.until("providers was taken over")
	if _, raw := ask(body("three")); !strings.Contains(raw, `{"n":2}`) {
		t.Errorf("the new provider was not asked: %s", raw)
	}
	if status, raw := ask(body(strings.Repeat("x", 21))); status != http.StatusBadRequest {
		t.Errorf("the new limit does not hold: %d %s", status, raw)
	}
}

// until waits for a log line.
func (p *program) until(text string) {
	p.t.Helper()
	for end := time.Now().Add(10 * time.Second); !strings.Contains(p.stdout.String(), text); {
		if time.Now().After(end) {
			p.t.Fatalf("no log line says %q:\n%s", text, p.stdout)
		}
		time.Sleep(5 * time.Millisecond) //nolint:forbidigo // Another process has its own clock.
	}
}

// TestWhatWasAcknowledgedSurvivesAKill kills the program and looks again.
func TestWhatWasAcknowledgedSurvivesAKill(t *testing.T) {
	s := providertest.New(t, providertest.Settings{Text: `{"n":7}`})
	dir := t.TempDir()
	p := start(t, dir, configured(s, ""))
	_, secret := p.key()
	if status, raw, err := p.analyze(http.DefaultClient, secret, body("kept")); err != nil || status != http.StatusOK { //nolint:forbidigo // A test's client.
		t.Fatalf("%d %s %v", status, raw, err)
	}
	p.signal(syscall.SIGKILL)
	_ = p.wait() //nolint:errcheck // It was killed.
	again := start(t, dir, configured(s, ""))
	if status, raw, err := again.analyze(http.DefaultClient, secret, body("kept")); err != nil || status != http.StatusOK { //nolint:forbidigo // As above.
		t.Errorf("the key is gone: %d %s %v", status, raw, err)
	}
}
