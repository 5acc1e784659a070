package config

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"strings"
)

// masked is what every printed secret looks like.
const masked = "••••••"

// Secret is a credential. It never prints: not by fmt with any verb, not as JSON or YAML, not in a log record.
// Only [Secret.Reveal] gives its value.
type Secret struct {
	value string
	ref   string
}

// NewSecret makes a secret of a literal value, for what is generated or typed in.
func NewSecret(value string) Secret { return Secret{value: value} }

// Reveal gives the value; the caller sends it where it belongs and nowhere else.
func (s Secret) Reveal() string { return s.value }

// IsSet reports whether there is a value.
func (s Secret) IsSet() bool { return s.value != "" }

// Reference gives where the value came from, such as env:OPENAI_API_KEY; empty for a literal.
func (s Secret) Reference() string { return s.ref }

// Equal reports whether two secrets have the same value, so that a reload can tell what changed.
func (s Secret) Equal(o Secret) bool { return s.value == o.value }

// String masks the value.
func (s Secret) String() string {
	if s.value == "" {
		return ""
	}
	return masked
}

// Format masks the value for every verb, %#v and %x included.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// GoString masks the value.
func (s Secret) GoString() string { return s.String() }

// MarshalText masks the value in JSON, YAML and wherever else text is asked for.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue masks the value in log records.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Locator is a URL of a store, which may hold a password and so prints without it.
type Locator struct{ secret Secret }

// NewLocator makes a locator of a URL.
func NewLocator(raw string) Locator { return Locator{secret: NewSecret(raw)} }

// Reveal gives the whole URL, a password included.
func (l Locator) Reveal() string { return l.secret.value }

// IsSet reports whether there is a URL.
func (l Locator) IsSet() bool { return l.secret.IsSet() }

// Scheme gives the part before the colon.
func (l Locator) Scheme() string {
	scheme, _, found := strings.Cut(l.secret.value, ":")
	if !found {
		return ""
	}
	return strings.ToLower(scheme)
}

// Opaque gives what follows the scheme and its colon: the file of sqlite:promptd.db.
func (l Locator) Opaque() string {
	_, rest, _ := strings.Cut(l.secret.value, ":")
	return rest
}

// Equal reports whether two locators are the same.
func (l Locator) Equal(o Locator) bool { return l.secret.Equal(o.secret) }

// String gives the URL with user, password and query masked; a URL that can't be read is masked whole.
func (l Locator) String() string {
	raw := l.secret.value
	if !strings.ContainsAny(raw, "@?") {
		return raw
	}
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" {
		return masked
	}
	u.RawQuery, u.Fragment = "", ""
	if u.User == nil {
		return u.String()
	}
	u.User = nil
	return strings.Replace(u.String(), "://", "://"+masked+"@", 1)
}

// Format masks for every verb.
func (l Locator) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, l.String()) }

// MarshalText masks in JSON and YAML.
func (l Locator) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// LogValue masks in log records.
func (l Locator) LogValue() slog.Value { return slog.StringValue(l.String()) }

// maxSecretFile bounds what is read of a secret's file; keys and tokens are far smaller.
const maxSecretFile = 64 << 10

// resolve turns the text of a secret into a Secret: a reference is followed, anything else is the value itself.
// Its errors name the reference and never a value.
func (l *loader) resolve(text string) (Secret, error) {
	kind, rest, found := strings.Cut(text, ":")
	if !found {
		return Secret{value: text}, nil
	}
	switch kind {
	case "env":
		value, ok := l.env(rest)
		switch {
		case !validName(rest):
			return Secret{}, errors.New("env: must be followed by the name of a variable, such as env:OPENAI_API_KEY")
		case !ok:
			return Secret{}, fmt.Errorf("the variable %s is not set", rest)
		case value == "":
			return Secret{}, fmt.Errorf("the variable %s is empty", rest)
		}
		return Secret{value: value, ref: text}, nil
	case "file":
		value, err := l.secretFile(rest)
		if err != nil {
			return Secret{}, err
		}
		return Secret{value: value, ref: text}, nil
	case "vault":
		return Secret{}, errors.New("vault: references are not part of this version; use env:NAME or file:PATH")
	}
	return Secret{value: text}, nil
}

func (l *loader) secretFile(path string) (string, error) {
	if path == "" {
		return "", errors.New("file: must be followed by a path, such as file:/run/secrets/openai")
	}
	raw, err := l.read(path)
	if err != nil {
		var pe *os.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return "", fmt.Errorf("read the secret in %s: %w", path, err)
	}
	if len(raw) > maxSecretFile {
		return "", fmt.Errorf("the secret in %s is larger than %d bytes", path, maxSecretFile)
	}
	// Files are written with a newline at the end by every editor; it is never part of a key.
	value := strings.TrimRight(string(raw), "\r\n")
	if value == "" {
		return "", fmt.Errorf("the secret in %s is empty", path)
	}
	return value, nil
}
