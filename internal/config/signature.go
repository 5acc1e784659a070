package config

import (
	"net/url"
	"slices"
	"strings"
)

// completeSignature checks what a signature is made of, and takes the region from the address, where those of AWS's own services have it. A key beside it
// would be a second credential.
func (l *loader) completeSignature(p *Provider, path string) {
	if p.Auth.Region == "" {
		p.Auth.Region = regionOf(p.BaseURL)
	}
	for _, part := range [...]struct {
		key   string
		given bool
		hint  string
	}{
		{"access_key", p.Auth.AccessKey.IsSet(), "add access_key: env:AWS_ACCESS_KEY_ID under auth"},
		{"secret_key", p.Auth.SecretKey.IsSet(), "add secret_key: env:AWS_SECRET_ACCESS_KEY under auth"},
		{"region", p.Auth.Region != "", "add region: under auth, such as eu-central-1; the address does not say it"},
	} {
		if !part.given && !l.faulty(path+".auth."+part.key) {
			l.failAt(path+".auth", part.hint, "type sigv4 needs %s", part.key)
		}
	}
	if len(p.Credentials()) > 0 {
		l.failAt(path+".auth.type", "remove api_key, or use type bearer for it", "type sigv4 signs with access_key and secret_key, and takes no api_key")
	}
}

// regionOf is the label before amazonaws.com in an address, vpce left out; empty where there is none.
func regionOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	labels := strings.Split(strings.ToLower(u.Hostname()), ".")
	i := slices.Index(labels, "amazonaws")
	if i > 0 && labels[i-1] == "vpce" {
		i--
	}
	if i < 2 || !strings.Contains(labels[i-1], "-") {
		return ""
	}
	return labels[i-1]
}
