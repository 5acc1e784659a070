package config

import (
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/provider/catalogue"
)

const robot = `{"type": "service_account", "project_id": "from-the-file", "private_key": "PRIVATE"}`

// clouded loads providers with the program's own catalogue and every form of credential.
func clouded(t *testing.T, yaml string, environ ...string) (*Loaded, error) {
	t.Helper()
	cat, err := catalogue.Load()
	if err != nil {
		t.Fatal(err)
	}
	a := adapters()
	a.Dialects = []string{"openai", "openai-responses", "gemini", "bedrock", "anthropic"}
	a.AuthTypes = []string{"bearer", "header", "sigv4", "google", "azure"}
	a.Profiles = append(a.Profiles, "openai:azure", "openai:groq")
	options := Options{Environ: environ, Adapters: a, Catalogue: cat, ReadFile: files(map[string]string{
		"promptd.yaml": yaml, "/run/robot.json": robot, "/run/strange.json": `"PRIVATE"`,
	})}
	if yaml != "" {
		options.File = "promptd.yaml"
	}
	return Load(options)
}

func TestTheAddressOfACloudIsMadeOfItsParts(t *testing.T) {
	t.Parallel()
	const vertex = "aiplatform.googleapis.com/v1/projects/"
	for name, c := range map[string]struct {
		yaml    string
		environ []string
		want    string
		auth    string
	}{
		"vertex, all said": {
			"providers: [{name: vertex-ai, auth: {project: p-1, location: europe-west4}}]", nil,
			"https://europe-west4-" + vertex + "p-1/locations/europe-west4/publishers/google", "google",
		},
		"vertex, everywhere": {
			"providers: [{name: vertex-ai, auth: {type: google, project: p-1, location: global}}]", nil,
			"https://" + vertex + "p-1/locations/global/publishers/google", "google",
		},
		"vertex, by variables": {
			"providers: [{name: vertex-ai}]",
			[]string{"GOOGLE_CLOUD_PROJECT=p-2", "GOOGLE_CLOUD_LOCATION=us-east5"},
			"https://us-east5-" + vertex + "p-2/locations/us-east5/publishers/google", "google",
		},
		"vertex, the project of the key": {
			"providers: [{name: vertex-ai, api_key: \"file:/run/robot.json\", auth: {location: us-east5}}]", nil,
			"https://us-east5-" + vertex + "from-the-file/locations/us-east5/publishers/google", "google",
		},
		"bedrock, keys": {
			"providers: [{name: bedrock, auth: {region: eu-west-1, access_key: a, secret_key: s}}]", nil,
			"https://bedrock-runtime.eu-west-1.amazonaws.com", "sigv4",
		},
		"bedrock, found": {"", []string{"AWS_BEARER_TOKEN_BEDROCK=k", "AWS_DEFAULT_REGION=eu-west-1"}, "https://bedrock-runtime.eu-west-1.amazonaws.com", "bearer"},
		"azure": {
			"providers: [{name: a, base_url: \"https://r.openai.azure.com/openai/v1\", api_key: k, models: [{name: d}]}]", nil,
			"https://r.openai.azure.com/openai/v1", "header",
		},
		"azure, older": {
			"providers: [{name: a, dialect: openai, base_url: \"https://r.openai.azure.com/openai/deployments/d\", api_key: k, auth: {type: azure, api_version: 2024-10-21}, models: [{name: d}]}]",
			nil, "https://r.openai.azure.com/openai/deployments/d", "azure",
		},
	} {
		l, err := clouded(t, c.yaml, c.environ...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(l.Warnings) > 0 {
			t.Errorf("%s: warned %v", name, l.Warnings)
		}
		if p := l.Config.Providers[0]; p.BaseURL != c.want || p.Auth.Type != c.auth {
			t.Errorf("%s: %s, type %s; want %s, type %s", name, p.BaseURL, p.Auth.Type, c.want, c.auth)
		}
	}
}

func TestWhatIsMissingOfACloudIsSaid(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		yaml    string
		environ []string
		want    string
	}{
		"vertex, nothing":     {"providers: [{name: vertex-ai}]", nil, "name location and project under auth, or set GOOGLE_CLOUD_LOCATION and GOOGLE_CLOUD_PROJECT"},
		"vertex, no location": {"providers: [{name: vertex-ai, auth: {project: p}}]", nil, "name location under auth, or set GOOGLE_CLOUD_LOCATION"},
		"bedrock, no region":  {"providers: [{name: bedrock, api_key: k}]", nil, "name region under auth, or set AWS_REGION"},
		"azure, no resource":  {"providers: [{name: azure-openai, api_key: k}]", nil, "; add a line with base_url:, such as https://{resource}.openai.azure.com/openai/v1"},
		"a strange host":      {"providers: [{name: vertex-ai, auth: {project: p, location: \"evil.example/\"}}]", nil, "name location under auth"},
		"a strange host, set": {"providers: [{name: bedrock, api_key: k}]", []string{"AWS_REGION=evil.example/x#"}, "name region under auth"},
		"a name mistyped":     {"providers: [{name: antropic, api_key: k}]", nil, "did you mean anthropic?"},
		"a name of one's own": {"providers: [{name: mine, dialect: gemini, api_key: k}]", nil, "such as https://generativelanguage.googleapis.com/v1beta"},
		"no file":             {"providers: [{name: vertex-ai, api_key: ya29.PRIVATE, auth: {project: p, location: global}}]", nil, "type google takes a file of credentials, and this is none"},
		"another file":        {"providers: [{name: vertex-ai, api_key: \"file:/run/strange.json\", auth: {project: p, location: global}}]", nil, "give the JSON file of a service account's key"},
		"many keys":           {"providers: [{name: vertex-ai, api_keys: [a, b], auth: {project: p, location: global}}]", nil, "type google takes one account"},
		"the usual file": {
			"providers: [{name: vertex-ai, auth: {project: p, location: global}}]",
			[]string{"GOOGLE_APPLICATION_CREDENTIALS=/nowhere.json"},
			"GOOGLE_APPLICATION_CREDENTIALS: ",
		},
	} {
		_, err := clouded(t, c.yaml, c.environ...)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "PRIVATE") {
			t.Errorf("%s: %v\nwant %q", name, err, c.want)
		}
	}
}

func TestWhatHasNoEffectIsSaid(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		yaml    string
		environ []string
		want    string
	}{
		"a version":         {"providers: [{name: groq, api_key: k, auth: {api_version: 2024-10-21}}]", nil, "has no effect with type bearer; it belongs to type azure"},
		"a project":         {"providers: [{name: groq, api_key: k, auth: {project: p}}]", nil, "has no effect with type bearer; it belongs to type google"},
		"found, no address": {"", []string{"AWS_BEARER_TOKEN_BEDROCK=k"}, "is set, but AWS Bedrock Converse is not used: its address is not known without region; set AWS_REGION"},
	} {
		l, err := clouded(t, c.yaml, c.environ...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		said := ""
		for _, w := range l.Warnings {
			said += w.String() + "\n"
		}
		if !strings.Contains(said, c.want) {
			t.Errorf("%s: warned %q, want %q", name, said, c.want)
		}
	}
}

func TestTheUsualFileOfCredentials(t *testing.T) {
	t.Parallel()
	l, err := clouded(t, "providers: [{name: vertex-ai, auth: {project: p, location: global}}]", "GOOGLE_APPLICATION_CREDENTIALS=/run/robot.json")
	if err != nil {
		t.Fatal(err)
	}
	if got := l.Config.Providers[0].APIKey.Reveal(); got != robot {
		t.Errorf("the credentials are %q", got)
	}
}
