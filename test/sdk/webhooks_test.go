package sdk

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	reference "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/promptd/promptd/client"
	"github.com/promptd/promptd/internal/delivery"
)

// signedMessage is a message as it goes over the wire.
type signedMessage struct {
	Name    string            `json:"name"`
	Secret  string            `json:"secret"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
	Valid   bool              `json:"valid"`
}

func (m *signedMessage) header() http.Header {
	h := http.Header{}
	for name, value := range m.Headers {
		h.Set(name, value)
	}
	return h
}

// messages are signed by promptd, and each is there once more with something wrong.
func messages(t *testing.T) []signedMessage {
	t.Helper()
	secret := func() delivery.Secret {
		s, err := delivery.NewSecret(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	now, before := time.Now(), secret()
	var list []signedMessage
	for name, data := range map[string]string{"plain": `{"job_id": "x"}`, "texts": `{"html": "<&>", "emoji": "🙂", "line": "a\nb", "quote": "\""}`, "long": `"` + strings.Repeat("x", 200_000) + `"`} {
		now := now
		one := secret()
		m := delivery.JobMessage("acme", "0199f3c2-a4b1-7c5e-9d3e-6f708192a3b4", delivery.JobCompleted, 1, now)
		body := string(delivery.Envelope(m.Event, m.At, json.RawMessage(data)))
		add := func(what, secret, body string, at time.Time, valid bool, signers ...delivery.Secret) {
			list = append(list, signedMessage{name + ", " + what, secret, map[string]string{
				"webhook-id": string(m.ID), "webhook-timestamp": strconv.FormatInt(at.Unix(), 10), "webhook-signature": delivery.Sign(m.ID, at, []byte(body), signers...),
			}, body, valid})
		}
		add("as it is", one.Reveal(), body, now, true, one)
		add("after a rotation, by the new secret", one.Reveal(), body, now, true, one, before)
		add("after a rotation, by the one before", before.Reveal(), body, now, true, one, before)
		add("by another secret", secret().Reveal(), body, now, false, one)
		add("old", one.Reveal(), body, now.Add(-time.Hour), false, one)
		add("from the future", one.Reveal(), body, now.Add(time.Hour), false, one)
		changed := list[len(list)-6]
		changed.Name, changed.Body, changed.Valid = name+", changed on its way", strings.Replace(body, "job.completed", "job.failed", 1), false
		list = append(list, changed)
	}
	return list
}

func TestTheGoLibraryAndOursVerifyAlike(t *testing.T) {
	t.Parallel()
	for _, m := range messages(t) {
		hook, err := reference.NewWebhook(m.Secret)
		if err != nil {
			t.Fatalf("%s: %v", m.Name, err)
		}
		if err := hook.Verify([]byte(m.Body), m.header()); (err == nil) != m.Valid {
			t.Errorf("%s: the reference says %v, want valid %v", m.Name, err, m.Valid)
		}
		if _, err := client.VerifyWebhook(m.Secret, m.header(), []byte(m.Body)); (err == nil) != m.Valid {
			t.Errorf("%s: the client says %v, want valid %v", m.Name, err, m.Valid)
		}
	}
	// And what the reference signs is what promptd signs.
	secret, err := delivery.NewSecret(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	hook, err := reference.NewWebhook(secret.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now()
	want, err := hook.Sign("msg_1", at, []byte(`{"a":1}`))
	if got := delivery.Sign("msg_1", at, []byte(`{"a":1}`), secret); err != nil || got != want {
		t.Errorf("promptd signs %s, the reference %s, %v", got, want, err)
	}
}

// What is installed from the registries of the languages, pinned.
const (
	pythonLibrary = "standardwebhooks==1.1.0"
	nodeLibrary   = "standardwebhooks@1.1.1"
)

const pythonProgram = `
import json, sys
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
for m in json.load(open(sys.argv[1])):
    try:
        event = Webhook(m["secret"]).verify(m["body"].encode(), m["headers"])
        valid = event["type"] == "job.completed"
    except WebhookVerificationError:
        valid = False
    print(json.dumps(valid))
`

const nodeProgram = `
import { readFileSync } from "node:fs";
import { Webhook, WebhookVerificationError } from "standardwebhooks";
for (const m of JSON.parse(readFileSync(process.argv[2], "utf8"))) {
  try {
    const event = new Webhook(m.secret).verify(Buffer.from(m.body), m.headers);
    console.log(event.type === "job.completed");
  } catch (error) {
    if (!(error instanceof WebhookVerificationError)) throw error;
    console.log(false);
  }
}
`

func TestThePythonLibraryVerifies(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	run(t, dir, "python3", "-m", "venv", "v")
	run(t, dir, filepath.Join(dir, "v", "bin", "pip"), "install", "--quiet", "--disable-pip-version-check", pythonLibrary)
	verifyBy(t, dir, "verify.py", pythonProgram, filepath.Join(dir, "v", "bin", "python"))
}

func TestTheJavaScriptLibraryVerifies(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	run(t, dir, "npm", "install", "--no-audit", "--no-fund", "--silent", nodeLibrary)
	verifyBy(t, dir, "verify.mjs", nodeProgram, "node")
}

// run runs a step of the installation. Where the program or its registry is not there, the test is skipped and says so.
func run(t *testing.T, dir, program string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: %s %s: %v\n%s", program, strings.Join(args, " "), err, out)
	}
}

// verifyBy lets a program judge every message.
func verifyBy(t *testing.T, dir, name, text, program string) {
	t.Helper()
	list := messages(t)
	raw, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	for file, content := range map[string][]byte{name: []byte(text), "messages.json": raw} {
		if err := os.WriteFile(filepath.Join(dir, file), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), program, name, "messages.json")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", program, err, out)
	}
	said := strings.Fields(string(out))
	if len(said) != len(list) {
		t.Fatalf("%d judgements of %d messages:\n%s", len(said), len(list), out)
	}
	for i, m := range list {
		if said[i] != strconv.FormatBool(m.Valid) {
			t.Errorf("%s: the library says %s, want %v", m.Name, said[i], m.Valid)
		}
	}
}
