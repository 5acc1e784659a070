package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

func TestSecretsNeverPrint(t *testing.T) {
	t.Parallel()
	const value = "sk-very-secret"
	type holder struct {
		Key  Secret
		Keys []Secret
		Map  map[string]Secret
		URL  Locator
		Ptr  *Secret
	}
	s := NewSecret(value)
	h := holder{Key: s, Keys: []Secret{s}, Map: map[string]Secret{"a": s}, URL: NewLocator("redis://u:" + value + "@h/0?password=" + value), Ptr: &s}
	var prints []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T %v"} {
		if strings.HasPrefix(verb, "%T") {
			prints = append(prints, fmt.Sprintf(verb, h, h))
			continue
		}
		prints = append(prints, fmt.Sprintf(verb, h), fmt.Sprintf(verb, s), fmt.Sprintf(verb, &s), fmt.Sprintf(verb, h.URL))
	}
	prints = append(prints, fmt.Sprint(s), s.String(), h.URL.String(), fmt.Errorf("with %w and %v", fmt.Errorf("inner %v", s), s).Error())
	asJSON, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := yaml.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	var logs bytes.Buffer
	slog.New(slog.NewJSONHandler(&logs, nil)).Info("m", "key", s, "url", h.URL, "all", h)
	slog.New(slog.NewTextHandler(&logs, nil)).Info("m", "key", s, "url", h.URL, "all", h)
	prints = append(prints, string(asJSON), string(asYAML), logs.String())
	for _, p := range prints {
		if strings.Contains(p, value) || strings.Contains(p, fmt.Sprintf("%x", value)) || strings.Contains(p, fmt.Sprintf("%X", value)) {
			t.Errorf("a secret was printed: %s", p)
		}
	}
	if s.Reveal() != value {
		t.Errorf("Reveal() = %q, want %q", s.Reveal(), value)
	}
}

func TestLocatorsPrintWithoutWhatIsSecret(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                            "",
		"sqlite:promptd.db":           "sqlite:promptd.db",
		"memory:":                     "memory:",
		"postgres://u:p@h:5432/d":     "postgres://" + masked + "@h:5432/d",
		"redis://:p@h/0":              "redis://" + masked + "@h/0",
		"postgres://h/d?password=p":   "postgres://h/d",
		"postgres://u:p%zz@h/d":       masked,
		"amqps://h/vhost":             "amqps://h/vhost",
		"sqlite:a?_pragma=key('abc')": masked,
	} {
		if got := NewLocator(in).String(); got != want {
			t.Errorf("NewLocator(%q).String() = %q, want %q", in, got, want)
		}
	}
}

func TestReferencesAreFollowed(t *testing.T) {
	t.Parallel()
	l := &loader{
		vars:    map[string]string{"KEY": "from-env", "EMPTY": ""},
		options: Options{ReadFile: files(map[string]string{"/k": "from-file\r\n", "/empty": "\n", "/large": strings.Repeat("x", maxSecretFile+1)})},
	}
	for _, tc := range []struct{ in, want, fault string }{
		{"literal", "literal", ""},
		{"", "", ""},
		{"sk-with:colon", "sk-with:colon", ""},
		{"env:KEY", "from-env", ""},
		{"file:/k", "from-file", ""},
		{"env:GONE", "", "GONE is not set"},
		{"env:EMPTY", "", "EMPTY is empty"},
		{"env:", "", "name of a variable"},
		{"env:A B", "", "name of a variable"},
		{"file:", "", "a path"},
		{"file:/gone", "", "/gone: file does not exist"},
		{"file:/empty", "", "empty"},
		{"file:/large", "", "larger than"},
		{"vault:secret/data/x#key", "", "not part of this version"},
	} {
		got, err := l.resolve(tc.in)
		switch {
		case tc.fault == "" && (err != nil || got.Reveal() != tc.want):
			t.Errorf("resolve(%q) = %q, %v; want %q", tc.in, got.Reveal(), err, tc.want)
		case tc.fault != "" && (err == nil || !strings.Contains(err.Error(), tc.fault)):
			t.Errorf("resolve(%q) = %v, want an error with %q", tc.in, err, tc.fault)
		}
	}
	if s, _ := l.resolve("env:KEY"); s.Reference() != "env:KEY" {
		t.Errorf("Reference() = %q, want env:KEY", s.Reference())
	}
}

func TestErrorsNeverShowSecrets(t *testing.T) {
	t.Parallel()
	const secret = "hunter2hunter2"
	for _, yaml := range []string{
		"providers: [{name: openai, api_key: [" + secret + "]}]",
		"providers: [{name: openai, api_key: {a: " + secret + "}}]",
		"providers: [{name: openai, api_key: !tag " + secret + "}]",
		"providers: [{name: openai, api_key: '" + secret + "', api_key: '" + secret + "'}]",
		"providers:\n  - name: openai\n    api_key: \"" + secret + "\n",
		"providers:\n  - name: openai\n   api_key: '" + secret + "'\n",
		"providers:\n  - name: openai\n    api_key: '" + secret + "' x\n",
		"database: {url: '" + secret + "'}",
		"database: {url: 'postgres://u:" + secret + "@h/d'}",
		"cache: {url: 'redis://:" + secret + "@h'}",
		"providers: [{name: x, dialect: openai, base_url: 'https://u:" + secret + "@h'}]",
		"providers: [{name: x, dialect: openai, base_url: 'https://u:" + secret + "%zz@h'}]",
		"providers: [{name: x, headers: {'a b': " + secret + "}}]",
		"\t" + secret,
		"listen: ${MINE}",
		"cache: {memory_mb: '${MINE}'}",
		"roles: ['${MINE}']",
		"providers: [{name: '${MINE}', dialect: openai}]",
	} {
		_, err := load(t, yaml, "MINE="+secret)
		if err == nil {
			t.Errorf("Load(%q) found nothing wrong", yaml)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("the error for %q shows the secret: %v", yaml, err)
		}
	}
}
