package provider_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/dialect/openai"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/provider"
)

func TestAccountsThatCannotWorkAreRefused(t *testing.T) {
	t.Parallel()
	models := []provider.Model{{Name: "m"}}
	for _, a := range []provider.Account{
		{Name: "svc", Models: models},
		{Name: "svc", BaseURL: "example.org/v1", Models: models},
		{Name: "svc", BaseURL: "ftp://example.org", Models: models},
		{Name: "svc", BaseURL: "http://", Models: models},
		{Name: "svc", BaseURL: "http://a b:" + secret + "@x", Models: models},
		{Name: "svc", BaseURL: "https://example.org"},
	} {
		a.Dialect = openai.New()
		if p, err := provider.New(a, nil); err == nil || !strings.Contains(err.Error(), "svc") || strings.Contains(err.Error(), secret) {
			t.Errorf("New(%q) gives %v, %v", a.BaseURL, p, err)
		}
	}
}

func pool(tb testing.TB, accounts ...provider.Account) *provider.Pool {
	tb.Helper()
	var list []*provider.Provider
	for _, a := range accounts {
		a.Dialect, a.BaseURL = openai.New(), "http://127.0.0.1:1"
		p, err := provider.New(a, nil)
		if err != nil {
			tb.Fatal(err)
		}
		list = append(list, p)
	}
	return provider.NewPool(list...)
}

func TestCandidatesKeepTheOrderOfTheConfiguration(t *testing.T) {
	t.Parallel()
	two := func(a, b string) []provider.Model { return []provider.Model{{Name: a}, {Name: b}} }
	p := pool(t, provider.Account{Name: "one", Models: two("x", "y")}, provider.Account{Name: "two", Models: two("y", "org/z")},
		provider.Account{Name: "local", Models: two("x", "small"), LastResort: true})
	for _, c := range []struct{ name, model, want, code string }{
		{"", "", "one/x one/y two/y two/org/z", ""},
		{"two", "", "two/y two/org/z", ""},
		{"", "y", "one/y two/y", ""},
		{"", "two/y", "two/y", ""},
		{"", "org/z", "two/org/z", ""},
		{"", "two/org/z", "two/org/z", ""},
		{"local", "", "local/x local/small", ""},
		{"", "x", "one/x local/x", ""},
		{"", "local/small", "local/small", ""},
		{"none", "", "", "unknown_provider"},
		{"", "none", "", "unknown_model"},
		{"one", "org/z", "", "unknown_model"},
		{"one", "two/y", "", "unknown_model"},
	} {
		list, err := p.Candidates(c.name, c.model)
		got := ""
		for _, k := range list {
			got += " " + k.Provider.Name() + "/" + k.Model.Name
		}
		if strings.TrimSpace(got) != c.want || (err != nil) != (c.code != "") {
			t.Errorf("Candidates(%q, %q) = %s, %v; want %s", c.name, c.model, got, err, c.want)
		}
		var f *fault.Fault
		if c.code != "" && (!errors.As(err, &f) || f.Code != fault.NotFound || f.Remediation == "") {
			t.Errorf("Candidates(%q, %q) fails with %+v", c.name, c.model, err)
		}
	}
}

func TestLastResortsAreCandidatesWhereThereIsNoOther(t *testing.T) {
	t.Parallel()
	p := pool(t, provider.Account{Name: "local", Models: []provider.Model{{Name: "small"}}, LastResort: true})
	if list, err := p.Candidates("", ""); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
	p.Set(nil)
	var f *fault.Fault
	if _, err := p.Candidates("", ""); !errors.As(err, &f) || f.Code != fault.ProviderError || !strings.Contains(f.Remediation, "OPENAI_API_KEY") {
		t.Errorf("without any provider: %v", err)
	}
}

func TestReloadExchangesAllProvidersAtOnce(t *testing.T) {
	t.Parallel()
	a := pool(t, provider.Account{Name: "a", Models: []provider.Model{{Name: "m"}}})
	before := a.Providers()
	a.Set(pool(t, provider.Account{Name: "b", Models: []provider.Model{{Name: "m"}}}).Providers())
	if len(before) != 1 || before[0].Name() != "a" || a.Providers()[0].Name() != "b" {
		t.Error("the list before the reload changed with it")
	}
}
