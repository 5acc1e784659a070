package delivery_test

import (
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/delivery"
	"github.com/promptd/promptd/internal/fault"
)

// Each URL is one that a caller may try to reach something with that is not the public internet's.
func TestHostileURLsAreRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", " ", "x", "/hooks", "//example.com/", "https:", "https://", "https:///x", "https:example.com", "https:/example.com", "javascript:alert(1)", "file:///etc/passwd",
		"gopher://example.com/", "ftp://example.com", "HTTP://example.com/", "http://example.com/", "data:,x", "https://:443/", "https://[::1/", "https://[]/",
		"https://user@example.com/", "https://user:password@example.com/", "https://:@example.com/", "https://example.com@169.254.169.254/",
		"https://example.com/#x", "https://example.com/#", "https://example.com\\@127.0.0.1/", "https://exa mple.com/", "https://example.com/\n", "https://example.com/\x00", "https://example.com/\x7f",
		"https://example.com:0/", "https://example.com:65536/", "https://example.com:/", "https://example.com:99999999999999999999/", "https://example.com:x/", "https://example.com:-1/",
		"https://" + strings.Repeat("a", 2100) + ".com/", "https://" + strings.Repeat("a.", 130) + "com/", "https://a..b/", "https://-a.com/", "https://" + strings.Repeat("a", 64) + ".com/",
		// This machine and private networks, in every spelling.
		"https://localhost/", "https://LOCALHOST/", "https://localhost./", "https://a.localhost/", "https://a.LocalHost.:8443/", "https://127.0.0.1/", "https://127.0.0.1./", "https://127.1.2.3/",
		"https://10.0.0.1/", "https://172.16.0.1/", "https://172.31.255.255/", "https://192.168.1.1/", "https://169.254.169.254/latest/meta-data/", "https://100.64.0.1/", "https://0.0.0.0/", "https://0/",
		"https://2130706433/", "https://017700000001/", "https://0x7f000001/", "https://0x7f.1/", "https://0X7F.0.0.1/", "https://127.1/", "https://127.0.1/", "https://0177.0.0.1/", "https://127.0.0.01/",
		"https://1.2.3.4.5/", "https://256.256.256.256/", "https://example.0x/", "https://example.1/", "https://1.2.3.08/", "https://0x/",
		"https://１２７.０.０.１/", "https://127。0。0。1/", "https://127．0．0．1/", "https://①②⑦.⓪.⓪.①/", "https://ⓛocalhost/", "https://loc\u00adalhost/", "https://169.254.169.254%2e/", "https://%6c%6f%63alhost/",
		"https://[::1]/", "https://[::]/", "https://[0:0:0:0:0:0:0:1]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/", "https://[::127.0.0.1]/", "https://[64:ff9b::7f00:1]/", "https://[64:ff9b::169.254.169.254]/",
		"https://[64:ff9b:1::1]/", "https://[2002:7f00:1::]/", "https://[2001::1]/", "https://[fe80::1]/", "https://[fe80::1%25eth0]/", "https://[::1%25lo]/", "https://[fc00::1]/", "https://[fd00:ec2::254]/", "https://[ff02::1]/",
		"https://[2001:db8::1]/", "https://[2606:4700::1111%25eth0]/", "https://224.0.0.1/", "https://255.255.255.255/", "https://240.0.0.1/", "https://192.0.2.1/", "https://198.51.100.1/", "https://203.0.113.1/", "https://198.18.0.1/",
		"https://168.63.129.16/", "https://100.100.100.200/", "https://192.0.0.192/",
	} {
		got, err := delivery.Policy{}.Check(text, "/url")
		f := fault.Of(err)
		if err == nil || f.Code != fault.InvalidRequest || len(f.Entries) != 1 || f.Entries[0].Pointer != "/url" || f.Entries[0].Message == "" || f.Entries[0].Hint == "" {
			t.Errorf("%q: got %q, %v; want a fault at /url with a hint", text, got, err)
		}
	}
}

func TestGoodURLsAreBroughtIntoOneForm(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"https://example.com":                          "https://example.com",
		"https://Example.COM/Hooks?a=1&b=%20":          "https://example.com/Hooks?a=1&b=%20",
		"https://example.com.:8443/":                   "https://example.com:8443/",
		"https://münchen.example/x":                    "https://xn--mnchen-3ya.example/x",
		"https://ｅｘａｍｐｌｅ.com/":                         "https://example.com/",
		"https://8.8.8.8/":                             "https://8.8.8.8/",
		"https://[2606:4700:0:0:0:0:0:1111]:443/":      "https://[2606:4700::1111]:443/",
		"https://[64:ff9b::8.8.8.8]/":                  "https://[64:ff9b::808:808]/",
		"https://a_b.example.com/":                     "",
		"https://1password.example.com/":               "https://1password.example.com/",
		"https://example.x1/":                          "https://example.x1/",
		"https://example.com/a/../b":                   "https://example.com/a/../b",
		"https://hooks.example.com/services/T0/B0/xyz": "https://hooks.example.com/services/T0/B0/xyz",
	} {
		got, err := delivery.Policy{}.Check(text, "/url")
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s: got %q, %v; want %q", text, got, err, want)
		}
		if want == "" {
			continue
		}
		if again, err := (delivery.Policy{}).Check(got, "/url"); again != got || err != nil {
			t.Errorf("%s: the second time it becomes %q, %v", got, again, err)
		}
	}
}

func TestAnIntranetIsAllowedWhereItIsConfigured(t *testing.T) {
	t.Parallel()
	inside := delivery.Policy{AllowPrivate: true}
	for _, text := range []string{"http://localhost:8080/", "http://127.0.0.1:1/", "https://10.1.2.3/", "http://[::1]:80/", "http://[fd00::1]/", "https://hooks.intranet/", "http://[::ffff:10.0.0.1]/", "http://100.64.1.1/"} {
		if _, err := inside.Check(text, "/url"); err != nil {
			t.Errorf("%s: got the error %v, want none", text, err)
		}
	}
	for _, text := range []string{"http://169.254.169.254/", "http://[fd00:ec2::254]/", "http://0.0.0.0/", "http://[fe80::1]/", "http://224.0.0.1/", "http://2130706433/", "ftp://localhost/", "http://u@localhost/", "http://168.63.129.16/"} {
		if got, err := inside.Check(text, "/url"); err == nil {
			t.Errorf("%s: got %s, want a fault: cloud metadata and what is no host stay blocked", text, got)
		}
	}
}

func TestHostsAreNamedWithTheirPort(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"https://example.com/x": "example.com:443", "http://example.com": "example.com:80", "https://EXAMPLE.com:8443": "example.com:8443", "https://[2606:4700::1]/": "2606:4700::1:443", "": ":",
	} {
		if got := delivery.HostOf(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// FuzzCheck holds what is accepted to its promises: one form, and no literal that is blocked, whatever reads it.
func FuzzCheck(f *testing.F) {
	for _, text := range []string{"https://example.com/", "https://１２７.0.0.1/", "https://[::ffff:1.2.3.4]:1/x?y", "https://0x7f.1", "https://a@b#c", "https://a%2eb/"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := delivery.Policy{}.Check(text, "/url")
		if err != nil {
			return
		}
		u, err := url.Parse(got)
		if err != nil || u.Scheme != "https" || u.User != nil || u.Host == "" {
			t.Fatalf("%q became %q, %v", text, got, err)
		}
		if addr, err := netip.ParseAddr(u.Hostname()); err == nil && (delivery.Policy{}).Blocks(addr) != "" {
			t.Errorf("%q became %q, which is blocked", text, got)
		}
		if again, err := (delivery.Policy{}).Check(got, "/url"); err != nil || again != got {
			t.Errorf("%q became %q and then %q, %v", text, got, again, err)
		}
		if strings.ContainsAny(delivery.HostOf(got), " \x00") {
			t.Errorf("%q has the host %q", got, delivery.HostOf(got))
		}
	})
}
