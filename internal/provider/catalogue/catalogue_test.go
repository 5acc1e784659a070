package catalogue

import (
	"encoding/csv"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/sharedtest"
)

func load(tb testing.TB) *Catalogue {
	tb.Helper()
	c, err := Load()
	if err != nil {
		tb.Fatalf("Load() = %v", err)
	}
	return c
}

func TestEmbeddedFilesAreSound(t *testing.T) {
	t.Parallel()
	c := load(t)
	if n := len(c.Services()); n < 117 {
		t.Errorf("the catalogue has %d services, want at least 117", n)
	}
	modes := map[string]bool{"strict": true, "tool": true, "grammar": true, "json": true, "prompt": true}
	for _, s := range c.Services() {
		for _, m := range s.Modes {
			if !modes[m] {
				t.Errorf("service %s: mode %q is not one of the product's", s.Name, m)
			}
		}
		if strings.HasSuffix(s.BaseURL, "/") || !strings.HasPrefix(s.BaseURL, "http") {
			t.Errorf("service %s: base_url %q must be http(s) without a trailing slash", s.Name, s.BaseURL)
		}
		if s.DefaultModel == "" {
			continue
		}
		if _, ok := c.Model(s.Name, s.DefaultModel); !ok {
			t.Errorf("service %s: its default model %s is not in models.yaml", s.Name, s.DefaultModel)
		}
		if len(s.Variables)+len(s.Parts) == 0 {
			t.Errorf("service %s has a default model and no variable to be discovered by", s.Name)
		}
	}
	for _, s := range c.Services() {
		for _, m := range c.Models(s.Name) {
			if m.Price != nil && (m.Price.Input <= 0 || m.Price.Output <= 0) {
				t.Errorf("model %s of %s: a price of 0 is an unknown price and must be absent", m.Name, m.Service)
			}
		}
	}
}

func TestAddressesAreThoseOfTheSharedCatalogue(t *testing.T) {
	t.Parallel()
	f, err := os.Open(sharedtest.Dir(t, "data", "openai_compatible_catalogue.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	c, checked := load(t), 0
	for _, row := range rows[1:] {
		s, ok := c.Service(row[0])
		if !ok {
			continue
		}
		checked++
		// Where a service's own format is another, the OpenAI-compatible face stands among the deviations. A dialect adds the path of models itself.
		if s.BaseURL != row[3] && !strings.Contains(row[7], "OpenAI-compatible at "+s.BaseURL) && !strings.HasPrefix(row[3], s.BaseURL+"/models/") {
			t.Errorf("service %s: base_url %s, the shared catalogue has %s", s.Name, s.BaseURL, row[3])
		}
		for _, v := range s.Variables {
			if !strings.Contains(row[5], v) {
				t.Errorf("service %s: variable %s is not in %q", s.Name, v, row[5])
			}
		}
		if (s.Key == "optional") != (row[4] == "none" || strings.Contains(row[4], "when") || strings.HasPrefix(s.BaseURL, "http://127.0.0.1")) && s.Name != "ollama" {
			t.Errorf("service %s: key is %s, the shared catalogue has %q", s.Name, s.Key, row[4])
		}
		if s.AuthHeader != "" && !strings.HasPrefix(row[4], s.AuthHeader) || s.AuthHeader == "" && s.NeedsKey() && !strings.Contains(row[4], "Authorization: Bearer") {
			t.Errorf("service %s: auth_header is %q, the shared catalogue has %q", s.Name, s.AuthHeader, row[4])
		}
		for name, fact := range map[string]string{
			"max_tokens": "rename max_completion_tokens to max_tokens", "max_completion_tokens": "rename max_tokens to max_completion_tokens",
			"no_store": "force_store_false", "temperature_below_2": "temperature_max=1.99", "require_parameters": "require_parameters=true",
		} {
			if strings.Contains(row[7], fact) && !slices.Contains(s.Deviations, name) {
				t.Errorf("service %s: deviation %s is missing: %s", s.Name, name, row[7])
			}
		}
		for _, d := range s.Also {
			if !strings.Contains(row[2], d) {
				t.Errorf("service %s: also %s, the shared catalogue has %q", s.Name, d, row[2])
			}
		}
	}
	if checked < 117 {
		t.Errorf("only %d services were compared", checked)
	}
}

func TestAddressesWithPartsOfTheirOwnAreFound(t *testing.T) {
	t.Parallel()
	c := load(t)
	for address, want := range map[string]string{
		"https://acme.openai.azure.com/openai/v1":                                                                  "azure-openai",
		"https://acme.openai.azure.com/openai/v1/":                                                                 "azure-openai",
		"https://a.b.openai.azure.com/openai/v1":                                                                   "azure-openai",
		"https://a.example#.openai.azure.com/openai/v1":                                                            "",
		"https://a.example/.openai.azure.com/openai/v1":                                                            "",
		"https://a@b.openai.azure.com/openai/v1":                                                                   "",
		"https://europe-west1-aiplatform.googleapis.com/v1/projects/my-p/locations/europe-west1/publishers/google": "vertex-ai",
		"https://europe-west1-aiplatform.googleapis.com/v1/projects/my-p/locations//publishers/google":             "",
		"https://bedrock-runtime.us-east-1.amazonaws.com":                                                          "bedrock",
		"https://.openai.azure.com/openai/v1":                                                                      "",
		"https://acme.openai.azure.com.evil.example/openai/v1":                                                     "",
		"https://acme.openai.azure.com/openai/v1/more":                                                             "",
		"https://adb-12.3.azuredatabricks.net/serving-endpoints":                                                   "databricks",
		"https://api.cloudflare.com/client/v4/accounts/0af/ai/v1":                                                  "cloudflare",
		"https://api.cloudflare.com/client/v4/accounts/0af/or/ai/v1":                                               "",
		"https://bedrock-mantle.eu-central-1.api.aws/v1":                                                           "bedrock-mantle",
		"https://acct.snowflakecomputing.com/api/v2/cortex/v1":                                                     "snowflake",
		"https://{account}.snowflakecomputing.com.example/api/cortex":                                              "",
	} {
		if got, _ := c.At(address); got.Name != want {
			t.Errorf("At(%s) = %q, want %q", address, got.Name, want)
		}
	}
}

func TestLongInputsHaveTheirOwnPrice(t *testing.T) {
	t.Parallel()
	usd := func(s string) *USD {
		n, err := ParseUSD(s)
		if err != nil {
			t.Fatal(err)
		}
		return &n
	}
	plain := Price{Input: *usd("0.15"), CachedInput: usd("0.075"), Output: *usd("0.60")}
	uncached := Price{Input: *usd("0.075"), Output: *usd("0.30")}
	long := Price{Input: *usd("2"), CachedInput: usd("0.2"), Output: *usd("6"), Above: []Step{{Tokens: 200_000, Input: usd("4"), Output: usd("12")}, {Tokens: 400_000, CachedInput: usd("0.9")}}}
	for _, tc := range []struct {
		name  string
		price Price
		input int64
		want  string
	}{
		{"no steps", plain, 1 << 40, "0.15 0.075 0.6"},
		{"cached input without a price of its own costs as much as other input", uncached, 1, "0.075 0.075 0.3"},
		{"at the bound the ordinary price counts", long, 200_000, "2 0.2 6"},
		{"above the bound the whole call is dearer", long, 200_001, "4 0.2 12"},
		{"a later step changes what it names", long, 400_001, "4 0.9 12"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := tc.price.At(tc.input)
			if got := r.Input.String() + " " + r.CachedInput.String() + " " + r.Output.String(); got != tc.want {
				t.Errorf("At(%d) = %s, want %s", tc.input, got, tc.want)
			}
		})
	}
}

func TestParseUSDRefusesWhatIsNotExact(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", ".5", "1.", "-1", "+1", "1e3", "0.0000000001", "1,5", "99999999999999999999", "NaN"} {
		if got, err := ParseUSD(s); err == nil {
			t.Errorf("ParseUSD(%q) = %s, want an error", s, got)
		}
	}
}

func TestUnsoundFilesAreRefused(t *testing.T) {
	t.Parallel()
	const service = "- name: a\n  dialect: openai\n  base_url: https://a\n"
	for _, tc := range []struct{ name, services, models, want string }{
		{"unknown field of a service", service + "  colour: red", "[]", "no colour"},
		{"unknown field of a model", service, "- {service: a, name: m, tier: 1, colour: red}", "unknown field"},
		{"member twice", service + "  dialect: openai", "[]", "once"},
		{"another form of YAML", "- {name: a, dialect: openai, base_url: https://a}\n", "[]", "line 1"},
		{"a value below its name", "- name:\n    a", "[]", "line 1"},
		{"a member of nothing", "  name: a", "[]", "line 1"},
		{"no switch", service + "  logprobs: 1", "[]", "logprobs"},
		{"no list", service + "  modes: strict", "[]", "[a, b]"},
		{"an empty list", service + "  modes: []", "[]", "line 4"},
		{"a comment behind a value", service + "  title: a # b", "[]", "quotation marks"},
		{"a word that YAML takes for something else", service + "  title: null", "[]", "quotation marks"},
		{"a text that is not ended", service + "  title: \"a", "[]", "quotation marks"},
		{"service twice", service + service, "[]", "twice"},
		{"service without address", "- name: a\n  dialect: openai", "[]", "required"},
		{"model of no service", service, "- {service: b, name: m, tier: 1}", "no service"},
		{"model twice", service, "- {service: a, name: m, tier: 1}\n- {service: a, name: m, tier: 1}", "twice"},
		{"tier out of range", service, "- {service: a, name: m, tier: 4}", "tier"},
		{"inexact price", service, `- {service: a, name: m, tier: 1, price: {input: "1e-7", output: "1"}}`, "amount"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if _, err := parse([]byte(tc.services), []byte(tc.models), nil); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("parse() = %v, want an error with %q", err, tc.want)
			}
		})
	}
}

func TestServicesAreReadAsYAMLReadsThem(t *testing.T) {
	t.Parallel()
	var want []Service
	if err := strict(servicesYAML, &want); err != nil {
		t.Fatal(err)
	}
	got, err := readServices(servicesYAML)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) {
		t.Fatalf("%d services, YAML has %d", len(got), len(want))
	}
	for i := range want {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("got %+v, YAML has %+v", got[i], want[i])
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		load(b)
	}
}
