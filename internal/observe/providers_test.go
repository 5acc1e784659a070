package observe

import (
	"strings"
	"testing"
)

func TestProvidersAreReadWhenMetricsAreAskedFor(t *testing.T) {
	t.Parallel()
	m := NewMetrics(Build{})
	if got := scrape(t, m); strings.Contains(got, "provider_breaker_state") {
		t.Error("there are figures before there are providers")
	}
	list := []Account{{
		Provider: "a", InFlight: 3, Limit: 12, RetryBudget: 0.25, RetriesRefused: 4, Unsent: map[string]int64{"open": 7, "busy": 1}, CredentialsResting: 1, CredentialRests: 9,
		Models: []AccountModel{{Model: "m", Breaker: 2, P50: 0.5, P95: 1.5}, {Model: "n"}},
	}}
	m.WatchProviders(func() []Account { return list })
	got := scrape(t, m)
	for _, line := range []string{
		`provider_in_flight_requests{provider="a"} 3`, `provider_concurrency_limit{provider="a"} 12`, `provider_retry_budget_ratio{provider="a"} 0.25`,
		`provider_retries_refused_total{provider="a"} 4`, `provider_unsent_requests_total{provider="a",reason="open"} 7`,
		`provider_unsent_requests_total{provider="a",reason="busy"} 1`, `provider_credentials_resting{provider="a"} 1`, `provider_credential_rests_total{provider="a"} 9`,
		`provider_breaker_state{model="m",provider="a"} 2`, `provider_breaker_state{model="n",provider="a"} 0`,
		`provider_latency_seconds{model="m",provider="a",quantile="0.5"} 0.5`, `provider_latency_seconds{model="m",provider="a",quantile="0.95"} 1.5`,
	} {
		if !strings.Contains(got, line+"\n") {
			t.Errorf("%s is missing", line)
		}
	}
	if strings.Contains(got, `provider_latency_seconds{model="n"`) {
		t.Error("a latency that is not known is shown")
	}
	list = nil // A reload has taken it away.
	if got := scrape(t, m); strings.Contains(got, `provider="a"`) {
		t.Error("a provider that is gone is shown")
	}
}
