package redis

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

const defaultPort = "6379"

// mostNodes bounds the addresses of a URL: they are where a client begins, the cluster names the others.
const mostNodes = 64

// Target is what a URL says: which server, and how.
type Target struct {
	// Addresses are host:port; more than one only of a cluster.
	Addresses          []string
	Username, Password string
	Database           int
	Cluster            bool
	// TLS is nil for a connection in clear.
	TLS *tls.Config
}

// form is what a wrong URL is answered with. The URL itself never is: a password may be in it, and where it is malformed nobody knows where.
const form = "want redis://[user:password@]host[:port][/database], rediss:// for TLS, redis+cluster:// or rediss+cluster:// with host,host,…; characters of a password such as / # ? @ are written as %2F %23 %3F %40"

// ParseURL reads the URL of a server:
//
//	redis://[user:password@]host[:port][/database]
//	rediss://…                          TLS; the certificate is always verified, ?ca_file=PATH names the authorities where the system's are not meant
//	redis+cluster://host[:port],host…   a cluster, found through any of the hosts; rediss+cluster:// over TLS
//
// A ca_file is read here, so that a missing one is a fault of the configuration and not of the server.
func ParseURL(text string) (Target, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return Target{}, errors.New("redis: this is no URL: " + form)
	}
	t := Target{}
	secure := false
	switch scheme {
	case "redis":
	case "rediss":
		secure = true
	case "redis+cluster":
		t.Cluster = true
	case "rediss+cluster":
		t.Cluster, secure = true, true
	default:
		return Target{}, errors.New("redis: the URL has an unknown scheme: " + form)
	}
	hosts, rest := splitHosts(rest)
	// The hosts are read apart: net/url takes one alone.
	u, err := url.Parse(scheme + "://" + rest)
	if err != nil {
		return Target{}, errors.New("redis: the URL is malformed: " + form)
	}
	if t.Addresses, err = addresses(hosts, t.Cluster); err != nil {
		return Target{}, err
	}
	t.Username = u.User.Username()
	t.Password, _ = u.User.Password()
	if t.Database, err = database(u.Path, t.Cluster); err != nil {
		return Target{}, err
	}
	return t, t.query(u, secure)
}

// splitHosts takes the list of hosts out of what follows the scheme, and gives the rest with a host of its own in their place.
func splitHosts(rest string) (hosts, without string) {
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	begin := strings.LastIndexByte(rest[:end], '@') + 1
	return rest[begin:end], rest[:begin] + "host" + rest[end:]
}

func addresses(hosts string, many bool) ([]string, error) {
	list := strings.Split(hosts, ",")
	if len(list) > 1 && !many {
		return nil, errors.New("redis: the URL names several hosts, which is for redis+cluster:// alone")
	}
	if len(list) > mostNodes {
		return nil, fmt.Errorf("redis: the URL names %d hosts, at most %d are wanted: the cluster names the others", len(list), mostNodes)
	}
	for n, host := range list {
		if _, _, err := net.SplitHostPort(host); err != nil {
			host = net.JoinHostPort(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"), defaultPort)
		}
		name, port, err := net.SplitHostPort(host)
		if err != nil || name == "" || strings.ContainsAny(name, " []%") {
			return nil, fmt.Errorf("redis: host %d of the URL is malformed: %s", n+1, form)
		}
		if p, err := strconv.ParseUint(port, 10, 16); err != nil || p == 0 {
			return nil, fmt.Errorf("redis: host %d of the URL has no port from 1 to 65535: %s", n+1, form)
		}
		list[n] = host
	}
	return list, nil
}

func database(path string, cluster bool) (int, error) {
	path = strings.Trim(path, "/")
	if path == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(path, 10, 16)
	if err != nil {
		return 0, errors.New("redis: the database in the URL is no number: " + form)
	}
	if cluster && n != 0 {
		return 0, errors.New("redis: a cluster has database 0 alone")
	}
	return int(n), nil
}

// query reads the parameters and sets up TLS. There is no way to leave a certificate unverified.
func (t *Target) query(u *url.URL, secure bool) error {
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil || u.Fragment != "" {
		return errors.New("redis: the URL is malformed behind the host: " + form)
	}
	for name := range q {
		if name != "ca_file" {
			return fmt.Errorf("redis: the URL has the unknown parameter %q; there is ca_file", name)
		}
	}
	file := q.Get("ca_file")
	if !secure {
		if file != "" {
			return errors.New("redis: ca_file is for rediss:// and rediss+cluster:// alone")
		}
		return nil
	}
	t.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	if file == "" {
		return nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("redis: read ca_file: %w", err)
	}
	t.TLS.RootCAs = x509.NewCertPool()
	if !t.TLS.RootCAs.AppendCertsFromPEM(pem) {
		return fmt.Errorf("redis: ca_file %s holds no certificate in PEM", file)
	}
	return nil
}

// String names the server without secrets.
func (t Target) String() string {
	scheme := "redis"
	if t.TLS != nil {
		scheme = "rediss"
	}
	if t.Cluster {
		scheme += "+cluster"
	}
	text := scheme + "://" + strings.Join(t.Addresses, ",")
	if t.Database != 0 {
		text += "/" + strconv.Itoa(t.Database)
	}
	return text
}

// options are the library's. It retries nothing: what a call costs is bounded by its caller, and the breaker decides when to ask again.
func (t Target) options() rueidis.ClientOption {
	return rueidis.ClientOption{
		InitAddress: t.Addresses, ForceSingleClient: !t.Cluster,
		Username: t.Username, Password: t.Password, SelectDB: t.Database, TLSConfig: t.TLS,
		ClientName: "promptd", ClientSetInfo: rueidis.DisableClientSetInfo,
		// A connection that does not answer a ping is closed after KeepAlive + ConnWriteTimeout, and what waits in it with it.
		Dialer: net.Dialer{Timeout: dialTimeout, KeepAlive: time.Second}, ConnWriteTimeout: time.Second,
		DisableRetry: true, DisableCache: true,
		PipelineMultiplex:  -1, // One connection to a server.
		ReadBufferEachConn: buffers, WriteBufferEachConn: buffers,
	}
}
