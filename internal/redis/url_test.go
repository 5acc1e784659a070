package redis

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestParseURL(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Target{
		"redis://h":                     {Addresses: []string{"h:6379"}},
		"redis://h:1/2":                 {Addresses: []string{"h:1"}, Database: 2},
		"redis://:p@h":                  {Addresses: []string{"h:6379"}, Password: "p"},
		"redis://u:p%2F%40@h:1/":        {Addresses: []string{"h:1"}, Username: "u", Password: "p/@"},
		"redis://u:a@b@h":               {Addresses: []string{"h:6379"}, Username: "u", Password: "a@b"},
		"redis://[::1]:7":               {Addresses: []string{"[::1]:7"}},
		"redis://[::1]":                 {Addresses: []string{"[::1]:6379"}},
		"redis+cluster://a,b:1,[::2]:3": {Addresses: []string{"a:6379", "b:1", "[::2]:3"}, Cluster: true},
		"redis+cluster://:p@127.0.0.1:1,127.0.0.1:2": {Addresses: []string{"127.0.0.1:1", "127.0.0.1:2"}, Password: "p", Cluster: true},
	} {
		got, err := ParseURL(text)
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("ParseURL(%s) = %v (-want +got):\n%s", text, err, diff)
		}
	}
}

func TestURLWithTLSVerifies(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"rediss://h:1", "rediss+cluster://h:1,i:2"} {
		got, err := ParseURL(text)
		if err != nil || got.TLS == nil || got.TLS.InsecureSkipVerify {
			t.Errorf("ParseURL(%s) = %+v, %v, want TLS that verifies", text, got.TLS, err)
		}
		if got.String() != text {
			t.Errorf("%s says %s", text, got)
		}
	}
	empty := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(empty, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"rediss://h?ca_file=" + empty, "rediss://h?ca_file=/no/such/file", "redis://h?ca_file=" + empty, "rediss://h?insecure=true"} {
		if _, err := ParseURL(text); err == nil {
			t.Errorf("ParseURL(%s) = nil, want an error", text)
		}
	}
}

func TestMalformedURLIsRefusedWithoutItsSecret(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "h:6379", "http://:secret@h", "redis://", "redis://:secret@", "redis://:secret@h:x", "redis://:secret@h:0", "redis://:secret@h:70000",
		"redis://:secret@h/x", "redis://:secret@h/-1", "redis://:secret@a,b", "redis+cluster://:secret@a,", "redis+cluster://:secret@a/1", "redis://:sec/ret@h",
		"redis://:secret%zz@h", "redis://:secret@h?db=1", "redis://:secret@h#f", "redis://:secret@h h", "redis+cluster://:secret@" + strings.Repeat("h,", 100) + "h",
	} {
		if got, err := ParseURL(text); err == nil {
			t.Errorf("ParseURL(%s) = %+v, want an error", text, got)
		} else if strings.Contains(err.Error(), "sec") && strings.Contains(err.Error(), "ret@") || strings.Contains(err.Error(), "secret") {
			t.Errorf("ParseURL(%s) repeats the password: %v", text, err)
		}
	}
}

func TestTargetNamesNoSecret(t *testing.T) {
	t.Parallel()
	got, err := ParseURL("redis+cluster://user:secret@a,b")
	if err != nil || got.String() != "redis+cluster://a:6379,b:6379" {
		t.Errorf("String = %s, %v", got, err)
	}
}

func FuzzParseURL(f *testing.F) {
	for _, text := range []string{"redis://u:p@h:1/2", "rediss://h?ca_file=x", "redis+cluster://a,b", "redis://[::1]:7", "redis://%", "redis://a@b@c"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "ca_file") {
			return // It reads files.
		}
		got, err := ParseURL(text)
		if err != nil {
			return
		}
		again, err := ParseURL(got.String())
		if err != nil || again.String() != got.String() || len(got.Addresses) == 0 {
			t.Errorf("ParseURL(%q) = %s, which reads as %s, %v", text, got, again, err)
		}
	})
}
