package delivery

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"github.com/promptd/promptd/internal/fault"
)

// The bounds of a URL and, after RFC 1035, of a name and of its labels; in bytes.
const (
	mostURL   = 2048
	mostName  = 253
	mostLabel = 63
)

// HostOf is the host and port that a URL leads to, as lanes and breakers name it; empty where it is none. It is for URLs that were checked.
func HostOf(target string) string {
	u, err := url.Parse(target)
	if err != nil {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	return strings.ToLower(u.Hostname()) + ":" + port
}

// Check reads a URL that a caller gives and brings it into one form: the host in lower case and ASCII. The fault names what is wrong, at the pointer. What a name
// leads to is not looked up here, since it can change; [HTTP] looks at every address that it dials.
func (p Policy) Check(text, pointer string) (string, error) {
	bad := func(rule, message, hint string) (string, error) {
		return "", fault.Invalid(pointer, rule, message, hint)
	}
	if text == "" {
		return bad("required", "the webhook's url is empty", "Give the https URL that messages are sent to.")
	}
	if len(text) > mostURL {
		return bad("maxLength", "the webhook's url is longer than 2,048 bytes", "Use a shorter one.")
	}
	if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' || r == utf8.RuneError }) {
		return bad("format", "the webhook's url holds a space, a control character, a backslash or what is not UTF-8", "Percent-encode what has no place in a URL.")
	}
	u, err := url.Parse(text)
	if err != nil {
		return bad("format", "the webhook's url is not well-formed", "Give an absolute URL such as https://example.com/hooks.")
	}
	switch {
	case u.Scheme == "http" && !p.AllowPrivate:
		return bad("scheme", "the webhook's url must be https", "Use https: what is sent holds your data. http is for intranets, with webhooks.allow_private_networks.")
	case u.Scheme != "https" && u.Scheme != "http":
		return bad("scheme", "the webhook's url must be https", "Give an absolute URL such as https://example.com/hooks.")
	case u.User != nil:
		return bad("userinfo", "the webhook's url holds a user or password", "Leave it out: messages are signed, and that is how your server knows them.")
	case u.Fragment != "" || strings.Contains(text, "#"):
		return bad("fragment", "the webhook's url has a fragment, which is never sent", "Leave out what follows the #.")
	case u.Opaque != "" || u.Hostname() == "":
		return bad("host", "the webhook's url has no host", "Give an absolute URL such as https://example.com/hooks.")
	case !goodPort(u):
		return bad("port", "the webhook's url has a port that there is not", "Use a port from 1 to 65535, or none.")
	}
	host, message := p.host(u.Hostname())
	if message != "" {
		return bad("host", message, "Give a name or address that can be reached from the internet; webhooks.allow_private_networks allows those of an intranet.")
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port := u.Port(); port != "" {
		host += ":" + port
	}
	u.Host = host
	return u.String(), nil
}

func goodPort(u *url.URL) bool {
	port := u.Port()
	if port == "" {
		return !strings.HasSuffix(u.Host, ":")
	}
	n := 0
	for _, c := range []byte(port) {
		if n = n*10 + int(c-'0'); n > 65535 {
			return false
		}
	}
	return n > 0
}

// host brings a host into its one form, or says what is wrong with it.
func (p Policy) host(text string) (host, message string) {
	if addr, err := netip.ParseAddr(text); err == nil {
		return p.literal(addr)
	}
	if strings.Contains(text, ":") {
		return "", "the webhook's url has an IPv6 address that is not well-formed"
	}
	// Lookup maps as browsers do: full-width digits and dots become the plain ones, which then are an address.
	name, err := idna.Lookup.ToASCII(strings.TrimSuffix(text, "."))
	if err != nil {
		return "", "the webhook's url has a host that is no valid name"
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if again, err := idna.Lookup.ToASCII(name); err != nil || again != name {
		return "", "the webhook's url has a host that is no valid name" // A form that another reader could take for another name.
	}
	if addr, err := netip.ParseAddr(name); err == nil {
		return p.literal(addr)
	}
	last := name[strings.LastIndex(name, ".")+1:]
	switch {
	case len(name) > mostName || slices.ContainsFunc(strings.Split(name, "."), func(label string) bool { return label == "" || len(label) > mostLabel }):
		return "", "the webhook's url has a host that is no valid name"
	case numeric(last):
		// C libraries and browsers read 2130706433, 0x7f.1 and 0177.0.0.1 as addresses; a name never ends in a number.
		return "", "the webhook's url has an address in an unusual spelling"
	case !p.AllowPrivate && (last == "localhost" || name == "localhost"):
		return "", "the webhook's url leads to this machine"
	}
	return name, ""
}

func (p Policy) literal(addr netip.Addr) (host, message string) {
	if addr.Zone() != "" {
		return "", "the webhook's url has an address with a zone"
	}
	if why := p.Blocks(addr); why != "" {
		return "", "the webhook's url leads to " + why
	}
	return addr.String(), ""
}

// numeric says that a label is a number in decimal, octal or hexadecimal.
func numeric(label string) bool {
	hexadecimal := strings.HasPrefix(label, "0x")
	rest := strings.TrimPrefix(label, "0x")
	for _, c := range []byte(rest) {
		if !('0' <= c && c <= '9' || hexadecimal && 'a' <= c && c <= 'f') {
			return false
		}
	}
	return rest != "" || hexadecimal
}
