package key_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
)

// newSecret makes a key in a store of its own and gives the secret's text.
func newSecret(t testing.TB) key.Secret {
	t.Helper()
	_, secret, err := (&key.Issuer{Store: openKeys(t)}).Create(t.Context(), key.Key{Name: "test"})
	if err != nil {
		t.Fatalf("create a key: %v", err)
	}
	return secret
}

func TestASecretIsReadAsItWasMade(t *testing.T) {
	t.Parallel()
	issuer := &key.Issuer{Store: openKeys(t)}
	seen := map[string]bool{}
	for range 50 {
		k, secret, err := issuer.Create(t.Context(), key.Key{Name: "test"})
		if err != nil {
			t.Fatalf("create a key: %v", err)
		}
		text := secret.Reveal()
		if len(text) != 57 || !strings.HasPrefix(text, "pd_live_") || seen[text] {
			t.Errorf("secret %q: want 57 characters, pd_live_ first, each once", text)
		}
		seen[text] = true
		read, err := key.ParseSecret(text)
		if err != nil || read.Hash() != secret.Hash() || k.Prefix != text[:14] {
			t.Errorf("secret %q: read with %v, prefix %q", text, err, k.Prefix)
		}
	}
}

func TestASecretWithFewRandomBitsKeepsItsLength(t *testing.T) {
	t.Parallel()
	issuer := &key.Issuer{Store: openKeys(t), Random: bytes.NewReader(make([]byte, 48))}
	_, secret, err := issuer.Create(t.Context(), key.Key{Name: "zeros"})
	if err != nil {
		t.Fatalf("create a key: %v", err)
	}
	if _, err := key.ParseSecret(secret.Reveal()); err != nil {
		t.Errorf("secret %q: got the error %v, want none", secret.Reveal(), err)
	}
}

func TestTyposAreRefusedWithoutALookUp(t *testing.T) {
	t.Parallel()
	text := newSecret(t).Reveal()
	wrong := []string{"", "pd_live_", text[1:], text[:56], text + "0", " " + text, text + " ", strings.ToUpper(text), "sk-" + text, "pd_test_" + text[8:], text[:20] + "é" + text[22:]}
	for i := range text {
		for _, c := range []byte("0aZ_") {
			if text[i] != c {
				wrong = append(wrong, text[:i]+string(c)+text[i+1:])
			}
		}
		if i > 0 && text[i] != text[i-1] {
			wrong = append(wrong, text[:i-1]+text[i:i+1]+text[i-1:i]+text[i+1:])
		}
	}
	for _, token := range wrong {
		if _, err := key.ParseSecret(token); !fault.Is(err, fault.Unauthorized) || strings.Contains(err.Error(), text[8:20]) {
			t.Errorf("token %q: got %v, want UNAUTHORIZED that does not repeat it", token, err)
		}
	}
}

func TestASecretDoesNotPrint(t *testing.T) {
	t.Parallel()
	secret := newSecret(t)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("made", "secret", secret, "group", struct{ S key.Secret }{secret})
	slog.New(slog.NewTextHandler(&log, nil)).Info("made", "secret", secret)
	asJSON, err := json.Marshal(struct{ S key.Secret }{secret})
	if err != nil {
		t.Fatalf("marshal: %v", err)
	}
	all := fmt.Sprint(secret, &secret) + fmt.Sprintf("%v %+v %#v %s %q %x", secret, secret, secret, secret, secret, secret) +
		fmt.Sprintf("%v %+v", struct{ S key.Secret }{secret}, []key.Secret{secret}) + log.String() + string(asJSON)
	if body := secret.Reveal()[14:]; strings.Contains(all, body) || strings.Contains(all, fmt.Sprintf("%x", body)) {
		t.Errorf("the secret %q shows in:\n%s", secret.Reveal(), all)
	}
}

func FuzzParseSecret(f *testing.F) {
	f.Add(newSecret(f).Reveal())
	f.Add("pd_live_")
	f.Add("pd_live_" + strings.Repeat("0", 49))
	f.Add("Bearer x")
	f.Fuzz(func(t *testing.T, token string) {
		secret, err := key.ParseSecret(token)
		if err != nil {
			if !fault.Is(err, fault.Unauthorized) || len(token) > 12 && strings.Contains(err.Error(), token) {
				t.Errorf("token %q: got %v, want UNAUTHORIZED that does not repeat it", token, err)
			}
			return
		}
		if len(token) != 57 || secret.Reveal() != token || !strings.HasPrefix(token, secret.Prefix()) {
			t.Errorf("token %q was read as %q", token, secret.Reveal())
		}
	})
}
