package delivery_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/delivery"
	"github.com/promptd/promptd/internal/sharedtest"
)

// Signing each published vector that is valid gives the published signature.
func TestSignaturesAreThoseOfThePublishedVectors(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(sharedtest.Dir(t, "data", "standard-webhooks", "vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Name, Secret, Body string
		Headers            map[string]string
		Valid              bool
	}
	if err := json.Unmarshal(raw, &vectors); err != nil {
		t.Fatal(err)
	}
	held := 0
	for _, v := range vectors {
		if !v.Valid {
			continue
		}
		secret, err := delivery.ParseSecret("whsec_" + strings.TrimPrefix(v.Secret, "whsec_"))
		if err != nil {
			t.Fatalf("%s: %v", v.Name, err)
		}
		var at int64
		if _, err := fmt.Sscan(v.Headers["webhook-timestamp"], &at); err != nil {
			t.Fatal(err)
		}
		got := delivery.Sign(delivery.MessageID(v.Headers["webhook-id"]), time.Unix(at, 999), []byte(v.Body), secret)
		if !strings.Contains(" "+v.Headers["webhook-signature"]+" ", " "+got+" ") {
			t.Errorf("%s: got %s, want %s", v.Name, got, v.Headers["webhook-signature"])
		}
		held++
	}
	if held < 3 {
		t.Errorf("only %d vectors are valid ones", held)
	}
}

func secretOf(n int) string {
	return "whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, n))
}

func TestASecretHasItsFormAndKeepsIt(t *testing.T) {
	t.Parallel()
	for _, n := range []int{24, 25, 26, 32, 64} {
		s, err := delivery.ParseSecret(secretOf(n))
		if err != nil || s.Reveal() != secretOf(n) {
			t.Errorf("%d bytes: got %q, %v", n, s.Reveal(), err)
		}
	}
	for _, text := range []string{
		"", "whsec_", secretOf(23), secretOf(65), strings.TrimPrefix(secretOf(32), "whsec_"), "WHSEC_" + secretOf(32), secretOf(32) + "\n", secretOf(32)[:20] + "\r\n" + secretOf(32)[20:],
		strings.TrimRight(secretOf(32), "="), secretOf(32) + "=", "whsec_" + strings.Repeat("_", 44), secretOf(25)[:len(secretOf(25))-3] + "x==",
	} {
		_, err := delivery.ParseSecret(text)
		if err == nil {
			t.Errorf("%q was taken", text)
		} else if len(text) > 20 && strings.Contains(err.Error(), text[6:]) {
			t.Errorf("the error repeats the secret: %v", err)
		}
	}
}

func TestASecretDoesNotPrint(t *testing.T) {
	t.Parallel()
	s, err := delivery.ParseSecret(secretOf(32))
	if err != nil {
		t.Fatal(err)
	}
	var logged bytes.Buffer
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "secret", s)
	for _, text := range []string{fmt.Sprint(s), fmt.Sprintf("%v %s %q %#v %+v", s, s, s, s, s), logged.String(), fmt.Sprintf("%v", struct{ S delivery.Secret }{s})} {
		if strings.Contains(text, "Bwc") || strings.Contains(text, "\a\a") {
			t.Errorf("it prints: %q", text)
		}
	}
	made, err := delivery.NewSecret(bytes.NewReader(bytes.Repeat([]byte{7}, 32)))
	if err != nil || made.Reveal() != secretOf(32) {
		t.Errorf("a secret made of 32 bytes is %q, %v", made.Reveal(), err)
	}
	if _, err := delivery.NewSecret(bytes.NewReader(nil)); err == nil {
		t.Error("a secret was made of nothing")
	}
}

func FuzzParseSecret(f *testing.F) {
	f.Add(secretOf(24))
	f.Add("whsec_====")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := delivery.ParseSecret(text)
		if err == nil && s.Reveal() != text {
			t.Errorf("%q became %q", text, s.Reveal())
		}
	})
}

func TestAJobsMessageHasOneIDARun(t *testing.T) {
	t.Parallel()
	id := func(event delivery.Event, run int) delivery.MessageID {
		return delivery.JobMessage("acme", "0199f3c2-a4b1-7c5e-9d3e-6f708192a3b4", event, run, time.Unix(1, 0)).ID
	}
	if got := id(delivery.JobCompletedWithErrors, 2); got != "msg_0199f3c2a4b17c5e9d3e6f708192a3b4_completed_with_errors_2" {
		t.Errorf("the id is %s", got)
	}
	seen := map[delivery.MessageID]bool{}
	for _, e := range delivery.Events()[:5] { // Those of jobs.
		for run := range 12 {
			one := id(e, run)
			if seen[one] || strings.ContainsAny(string(one), ". ") {
				t.Errorf("%s is there already, or holds what separates", one)
			}
			seen[one] = true
		}
	}
}
