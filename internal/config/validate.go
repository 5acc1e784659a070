package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// validate checks what concerns more than one key, and what this program has.
func (l *loader) validate(c *Config) {
	l.validateServer(c)
	l.validateStores(c)
	l.validateRouting(c)
	l.warnInert(c)
}

func (l *loader) validateServer(c *Config) {
	if c.Auth.Mode == "none" && !Loopback(c.Listen) {
		l.failAt("auth.mode", "use keys, or listen on 127.0.0.1", "none is allowed only where listen is a loopback address, and it is %s", c.Listen)
	}
	if c.AdminListen != "" && c.AdminListen == c.Listen && !strings.HasSuffix(c.Listen, ":0") {
		l.failAt("admin_listen", "give it a port of its own", "is the same as listen")
	}
	if len(c.Roles) == 0 {
		l.failAt("roles", "", "there must be at least one role")
	}
	l.refuseTwice("roles", c.Roles)
	l.refuseTwice("cors.origins", c.CORS.Origins)
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		l.failAt("tls", "", "cert and key are given together or not at all")
	}
}

func (l *loader) refuseTwice(path string, values []string) {
	for i, v := range values {
		if slices.Contains(values[:i], v) {
			l.failAt(fmt.Sprintf("%s[%d]", path, i), "remove one of them", "%s is there twice", v)
		}
	}
}

func (l *loader) validateStores(c *Config) {
	a := l.options.Adapters
	if l.scheme("database.url", c.Database.URL, a.Databases, "sqlite:promptd.db") && c.Database.URL.Scheme() == "sqlite" {
		switch {
		case c.Database.URL.Opaque() == "" || strings.HasPrefix(c.Database.URL.Opaque(), "//"):
			l.failAt("database.url", "write it as sqlite:promptd.db", "does not name a file")
		case len(c.Database.ReplicaURLs) > 0:
			l.failAt("database.replica_urls", "", "SQLite has no replicas")
		}
	}
	l.scheme("cache.url", c.Cache.URL, a.Caches, "memory:")
	if c.State.URL.IsSet() {
		l.scheme("state.url", c.State.URL, a.Caches, "memory:")
	}
	l.scheme("broker.url", c.Broker.URL, a.Brokers, "embedded:")
}

// scheme checks that a URL names a store that this program has. Its errors show the scheme alone: the rest may hold a password.
func (l *loader) scheme(path string, u Locator, have []string, example string) bool {
	s := u.Scheme()
	switch {
	case s == "" || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789+-.") != "":
		l.failAt(path, "write it as "+example, "is not a URL")
	case !slices.Contains(have, s):
		l.failAt(path, "write it as "+example, "this version has no %s:; there is %s", s, and(suffixed(have)))
	default:
		return true
	}
	return false
}

func suffixed(schemes []string) []string {
	out := make([]string, len(schemes))
	for i, s := range schemes {
		out[i] = s + ":"
	}
	return out
}

func (l *loader) validateRouting(c *Config) {
	r := c.Routing
	if r.Retries.Base > r.Retries.Cap {
		l.failAt("routing.retries.base", "", "must not be longer than routing.retries.cap, and %s is longer than %s", r.Retries.Base, r.Retries.Cap)
	}
	if a := l.options.Adapters.Strategies; !slices.Contains(a, r.Strategy) {
		l.failAt("routing.strategy", "", "this version has no strategy %s; there is %s", r.Strategy, and(a))
	}
}

// warnInert says which given values have no effect in this version.
func (l *loader) warnInert(c *Config) {
	if len(l.options.Adapters.Inert) == 0 {
		return
	}
	l.inert(reflect.ValueOf(c).Elem(), "", "")
}

func (l *loader) inert(v reflect.Value, path, pattern string) {
	fresh := reflect.New(v.Type()).Elem()
	l.defaults(fresh)
	for _, f := range fieldsOf(v.Type()) {
		fv, at, as := v.Field(f.index), join(path, f.name), join(pattern, f.name)
		if slices.Contains(l.options.Adapters.Inert, as) {
			if _, given := l.origins[at]; given && !reflect.DeepEqual(fv.Interface(), fresh.Field(f.index).Interface()) {
				l.warn(Problem{Place: l.at(at), Path: at, Message: "has no effect in this version"})
			}
			continue
		}
		switch f.kind {
		case kindObject:
			l.inert(fv, at, as)
		case kindObjects:
			for i := range fv.Len() {
				l.inert(fv.Index(i), fmt.Sprintf("%s[%d]", at, i), as+"[]")
			}
		}
	}
}

func and(values []string) string {
	if len(values) < 2 {
		return oneOf(values)
	}
	return strings.Join(values[:len(values)-1], ", ") + " and " + values[len(values)-1]
}
