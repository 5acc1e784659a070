package rabbitmq

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

func TestParseURL(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ url, address, vhost, user, password, server string }{
		{"amqp://host", "host:5672", "/", "guest", "guest", ""},
		{"amqp://host/", "host:5672", "/", "guest", "guest", ""},
		{"amqps://host", "host:5671", "/", "guest", "guest", "host"},
		{"amqp://u:p@host:1234/v", "host:1234", "v", "u", "p", ""},
		{"amqp://u@host", "host:5672", "/", "u", "", ""},
		{"amqp://u%40x:p%2F%23%3A@host/a%2Fb", "host:5672", "a/b", "u@x", "p/#:", ""},
		{"amqp://u:p@[::1]:5672/%2F", "[::1]:5672", "/", "u", "p", ""},
		{"amqps://u:p@10.0.0.1/?server_name_indication=mq.example", "10.0.0.1:5671", "/", "u", "p", "mq.example"},
	} {
		got, err := parseURL(c.url)
		if err != nil {
			t.Errorf("parseURL(%s) = %v", c.url, err)
			continue
		}
		auth, ok := got.auth.(*amqp.PlainAuth)
		if !ok || got.address != c.address || got.vhost != c.vhost || auth.Username != c.user || auth.Password != c.password {
			t.Errorf("parseURL(%s) = %+v, %v, want %+v", c.url, got, got.auth, c)
		}
		if server := got.tls; server == nil && c.server != "" || server != nil && server.ServerName != c.server {
			t.Errorf("parseURL(%s): TLS for %+v, want %q", c.url, server, c.server)
		}
	}
	external, err := parseURL("amqps://host/?auth_mechanism=external")
	if err != nil || external.auth.Mechanism() != "EXTERNAL" {
		t.Errorf("parseURL with auth_mechanism=external = %+v, %v", external, err)
	}
}

func TestURLWithAFaultIsRefused(t *testing.T) {
	t.Parallel()
	noPEM := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(noPEM, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for url, want := range map[string]string{
		"":                                              "want amqp:// or amqps://",
		"host:5672":                                     "want amqp:// or amqps://",
		"http://host":                                   `begins with "http:"`,
		"amqp://":                                       "names no host",
		"amqp:///vhost":                                 "names no host",
		"amqp://u:secret@host:0":                        "port 0",
		"amqp://u:secret@host:99999":                    "port 99999",
		"amqp://u:secret#x@host":                        "percent-encoded",
		"amqp://u:secret@host:port":                     "port of the broker's URL is no number",
		"amqp://u:sec%zzret@host":                       "percent-encoded",
		"amqp://u:secret@host/a/b":                      "written %2F: /a%2Fb",
		"amqp://u:secret@host/?ca_file=x":               "for amqps://",
		"amqps://u:secret@host/?cafile=x":               `the parameter "cafile"; there are ca_file`,
		"amqps://u:secret@host/?ca_file=/no":            "no such file",
		"amqps://u:secret@host/?ca_file=" + noPEM:       "no certificate in PEM form",
		"amqps://u:secret@host/?certfile=x":             "belong together",
		"amqps://u:secret@host/?certfile=x&keyfile=y":   "read the certificate",
		"amqps://u:secret@host/?auth_mechanism=scram":   "plain and external",
		"amqps://u:secret@host/?ca_file=%zz":            "name=value",
		"amqp://u:secret@host/#fragment":                "%23",
		"amqp://u:secret@ho st/":                        "percent-encoded",
		"amqps://u:secret@host/?heartbeat=0":            `the parameter "heartbeat"`,
		"amqp://u:secret@host\x00":                      "can't be read",
		"amqp://u:secret@host/%zz":                      "percent-encoded",
		"AMQP2://u:secret@host":                         "amqp2:",
		"amqps://u:secret@host/?ca_file=" + t.TempDir(): "is a directory",
	} {
		_, err := parseURL(url)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("parseURL(%q) = %v, want %q", url, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "sec") && strings.Contains(err.Error(), "ret") {
			t.Errorf("parseURL(%q) = %v: the password is in it", url, err)
		}
	}
}
