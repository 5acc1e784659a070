package config

import (
	"strings"
	"testing"
)

// signed loads a provider of type sigv4.
func signed(t *testing.T, address, auth, more string) (*Loaded, error) {
	t.Helper()
	a := adapters()
	a.AuthTypes = append(a.AuthTypes, "sigv4")
	yaml := "providers:\n  - name: aws\n    dialect: openai\n    base_url: " + address + "\n    auth: {type: sigv4" + auth + "}\n    models: [{name: m}]\n" + more
	return Load(Options{
		File: "promptd.yaml", Environ: []string{"A=access", "S=secret-value"}, Adapters: a, Catalogue: known(),
		ReadFile: files(map[string]string{"promptd.yaml": yaml}),
	})
}

func TestTheRegionIsInTheAddress(t *testing.T) {
	t.Parallel()
	const keys = ", access_key: env:A, secret_key: env:S"
	for address, want := range map[string]string{
		"https://bedrock-runtime.eu-central-1.amazonaws.com":            "eu-central-1",
		"https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com:443":  "us-gov-west-1",
		"https://bedrock-runtime.cn-north-1.amazonaws.com.cn":           "cn-north-1",
		"https://vpce-1-2.bedrock-runtime.us-east-1.vpce.amazonaws.com": "us-east-1",
	} {
		l, err := signed(t, address, keys, "")
		if err != nil {
			t.Errorf("%s: %v", address, err)
			continue
		}
		if got := l.Config.Providers[0].Auth.Region; got != want {
			t.Errorf("%s: the region is %q, want %q", address, got, want)
		}
	}
	for _, address := range [...]string{"https://gateway.example/bedrock", "https://amazonaws.com", "https://s3.amazonaws.com", "https://127.0.0.1:8080"} {
		if _, err := signed(t, address, keys, ""); err == nil || !strings.Contains(err.Error(), "type sigv4 needs region") {
			t.Errorf("%s: %v", address, err)
		}
		if l, err := signed(t, address, keys+", region: eu-west-1", ""); err != nil || l.Config.Providers[0].Auth.Region != "eu-west-1" {
			t.Errorf("%s with a region: %v", address, err)
		}
	}
}

func TestASignatureNeedsBothKeysAndNoOther(t *testing.T) {
	t.Parallel()
	const address = "https://bedrock-runtime.eu-central-1.amazonaws.com"
	for name, c := range map[string]struct{ auth, more, want string }{
		"nothing":      {"", "", "type sigv4 needs access_key"},
		"no secret":    {", access_key: env:A", "", "type sigv4 needs secret_key"},
		"no access":    {", secret_key: env:S", "", "type sigv4 needs access_key"},
		"an api key":   {", access_key: env:A, secret_key: env:S", "    api_key: env:S\n", "takes no api_key"},
		"not readable": {", access_key: env:A, secret_key: env:NOWHERE", "", "the variable NOWHERE is not set"},
	} {
		_, err := signed(t, address, c.auth, c.more)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret-value") {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
