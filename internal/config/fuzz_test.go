package config

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

// FuzzLoad holds that no file makes Load panic, that a fault is always an *Error with a place, and that what loads once loads the same again.
func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		"", "listen: 127.0.0.1:1\n", "a: [", "cache: {ttl: 1h}\n", "providers:\n  - name: openai\n    api_key: env:K\n    models: [{name: a}]\n",
		"x: &a [*a]", "a: *b", "<<: {a: 1}", "listen: ${K}:1", "--- {}\n--- {}\n", "? a\n: b\n", "roles: !!seq [api]", "data_dir: |\n  a\n", "limits: {body_bytes: 1MiB}",
		"cors: {origins: [\"*\"]}", "\ufefflisten: :1", "listen: \"\\ud800\"", "%YAML 1.2\n---\nlisten: :1", "tls: {cert: a, key: b}", "- a", "null",
	} {
		f.Add(seed, "K=v\nPROMPTD_PROVIDERS="+seed)
		f.Add(seed, "K=secretsecret")
	}
	f.Fuzz(func(t *testing.T, yaml, env string) {
		o := Options{File: "f.yaml", Environ: strings.Split(env, "\n"), Adapters: adapters(), Catalogue: known(), ReadFile: files(map[string]string{"f.yaml": yaml})}
		one, err := Load(o)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || len(e.Problems) == 0 {
				t.Fatalf("Load(%q) = %v, want an *Error with problems", yaml, err)
			}
			for _, p := range e.Problems {
				if p.Message == "" {
					t.Errorf("Load(%q): a problem without a message: %+v", yaml, p)
				}
			}
			return
		}
		two, err := Load(o)
		if err != nil {
			t.Fatalf("Load(%q) worked once and then not: %v", yaml, err)
		}
		if !reflect.DeepEqual(one.Config, two.Config) {
			t.Errorf("Load(%q) gave two configurations", yaml)
		}
	})
}
