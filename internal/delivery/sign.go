package delivery

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"
)

// The form of secrets and signatures (Standard Webhooks 1.0.0, "Signature scheme").
const (
	secretMark    = "whsec_"
	leastSecret   = 24
	mostSecret    = 64
	newSecretSize = 32
	signatureMark = "v1,"
)

// Secret is what a target's messages are signed with. It does not print: String, Go syntax and slog show that there is one and no more.
type Secret struct{ raw string }

// ParseSecret reads whsec_ and 24 to 64 bytes in base64. The error says what is wrong and never repeats the secret.
func ParseSecret(text string) (Secret, error) {
	body, marked := strings.CutPrefix(text, secretMark)
	if !marked {
		return Secret{}, fmt.Errorf("a secret begins with %s", secretMark)
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(body)
	if err != nil || strings.ContainsAny(body, "\r\n") {
		return Secret{}, fmt.Errorf("behind %s a secret is base64 with padding", secretMark)
	}
	if len(raw) < leastSecret || len(raw) > mostSecret {
		return Secret{}, fmt.Errorf("a secret holds %d to %d bytes; this one has %d", leastSecret, mostSecret, len(raw))
	}
	return Secret{string(raw)}, nil
}

// NewSecret makes a secret of 32 bytes of the source.
func NewSecret(random io.Reader) (Secret, error) {
	var raw [newSecretSize]byte
	if _, err := io.ReadFull(random, raw[:]); err != nil {
		return Secret{}, fmt.Errorf("read random bytes: %w", err)
	}
	return Secret{string(raw[:])}, nil
}

// IsZero says that there is none.
func (s Secret) IsZero() bool { return s.raw == "" }

// Reveal gives the whole secret, for the store and for the one time that it is shown; empty where there is none.
func (s Secret) Reveal() string {
	if s.IsZero() {
		return ""
	}
	return secretMark + base64.StdEncoding.EncodeToString([]byte(s.raw))
}

// String shows nothing of it.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return secretMark + "…"
}

// GoString shows nothing of it.
func (s Secret) GoString() string { return s.String() }

// LogValue shows nothing of it.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Sign gives the value of webhook-signature: one signature for each secret, of id, time in whole seconds and body, separated by full stops.
func Sign(id MessageID, at time.Time, body []byte, secrets ...Secret) string {
	var all strings.Builder
	head := string(id) + "." + strconv.FormatInt(at.Unix(), 10) + "."
	for i, s := range secrets {
		if i > 0 {
			all.WriteByte(' ')
		}
		sum := hmac.New(sha256.New, []byte(s.raw))
		sum.Write([]byte(head))
		sum.Write(body)
		all.WriteString(signatureMark + base64.StdEncoding.EncodeToString(sum.Sum(nil)))
	}
	return all.String()
}
