package rabbitmq

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

// target is what a URL says: where the server is and who asks.
type target struct {
	address string
	vhost   string
	auth    amqp.Authentication
	tls     *tls.Config // nil for amqp
	// shown names the server in messages, without the password.
	shown string
}

// parseURL reads amqp://user:password@host:port/vhost, or amqps with these parameters: ca_file (or cacertfile), certfile with keyfile, and
// server_name_indication, which are RabbitMQ's own names, and auth_mechanism=external for a user by certificate. No error holds the password.
func parseURL(raw string) (*target, error) {
	u, err := url.Parse(raw)
	if err != nil {
		var of *url.Error
		if errors.As(err, &of) {
			err = of.Err // The text of the whole error repeats the URL.
		}
		if strings.Contains(err.Error(), "port") {
			return nil, errors.New("the port of the broker's URL is no number; a password with one of : / ? # [ ] @ % must be percent-encoded")
		}
		return nil, errors.New("the broker's URL can't be read: a password with one of : / ? # [ ] @ % must be percent-encoded")
	}
	if u.Scheme != "amqp" && u.Scheme != "amqps" {
		return nil, fmt.Errorf("the broker's URL begins with %q, want amqp:// or amqps://", u.Scheme+":")
	}
	if u.Hostname() == "" {
		return nil, errors.New("the broker's URL names no host: amqp://user:password@host:5672/vhost")
	}
	if u.Fragment != "" {
		return nil, errors.New("the broker's URL has a part behind #; a password with # must have it as %23")
	}
	vhost, err := vhostOf(u)
	if err != nil {
		return nil, err
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"amqp": "5672", "amqps": "5671"}[u.Scheme]
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return nil, fmt.Errorf("the port %s of the broker's URL is not between 1 and 65535", port)
	}
	t := &target{address: net.JoinHostPort(u.Hostname(), port), vhost: vhost}
	t.shown = u.Scheme + "://" + t.address + "/" + url.PathEscape(vhost)
	return t, t.secure(u)
}

// vhostOf gives the virtual host: "/" where the URL has no path, and otherwise the one part of the path, with %2F for a slash in it.
func vhostOf(u *url.URL) (string, error) {
	path := strings.TrimPrefix(u.EscapedPath(), "/")
	if path == "" {
		return "/", nil
	}
	if strings.Contains(path, "/") {
		return "", fmt.Errorf("the path of the broker's URL is one virtual host; a slash in its name is written %%2F: /%s", strings.ReplaceAll(path, "/", "%2F"))
	}
	return url.PathUnescape(path)
}

// secure reads user and parameters.
func (t *target) secure(u *url.URL) error {
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return errors.New("the parameters of the broker's URL can't be read; they are name=value, with & between them")
	}
	known := []string{"ca_file", "cacertfile", "certfile", "keyfile", "server_name_indication", "auth_mechanism"}
	for name := range q {
		if !slices.Contains(known, name) {
			return fmt.Errorf("the broker's URL has the parameter %q; there are %s", name, strings.Join(known, ", "))
		}
	}
	if u.Scheme == "amqp" && len(q) > 0 {
		return errors.New("the parameters of the broker's URL are for amqps://, and it begins with amqp://")
	}
	switch m := q.Get("auth_mechanism"); m {
	case "", "plain":
		t.auth = plain(u.User)
	case "external":
		t.auth = &amqp.ExternalAuth{}
	default:
		return fmt.Errorf("auth_mechanism=%s in the broker's URL: there are plain and external", m)
	}
	if u.Scheme == "amqps" {
		t.tls, err = tlsOf(u.Hostname(), q)
	}
	return err
}

// plain gives user and password; RabbitMQ's own default user is for servers on the same machine, which is how RabbitMQ restricts it too.
func plain(user *url.Userinfo) amqp.Authentication {
	if user == nil {
		return &amqp.PlainAuth{Username: "guest", Password: "guest"}
	}
	password, _ := user.Password()
	return &amqp.PlainAuth{Username: user.Username(), Password: password}
}

func tlsOf(host string, q url.Values) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if name := q.Get("server_name_indication"); name != "" {
		c.ServerName = name
	}
	file := q.Get("ca_file")
	if file == "" {
		file = q.Get("cacertfile")
	}
	if file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read the certificate authority of the broker: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("the certificate authority of the broker: there is no certificate in PEM form in %s", file)
		}
	}
	cert, key := q.Get("certfile"), q.Get("keyfile")
	if (cert == "") != (key == "") {
		return nil, errors.New("certfile and keyfile of the broker's URL belong together")
	}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("read the certificate for the broker: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
