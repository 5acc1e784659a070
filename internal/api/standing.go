package api

import (
	"math"
	"time"

	"github.com/promptd/promptd/internal/provider"
)

// Credentials are how an account's keys are.
type Credentials struct {
	Total   int `json:"total" doc:"Keys that are used in turn; 1 where the account has none or signs its calls."`
	Resting int `json:"resting" doc:"Those that are left alone now, if only for one model: refused, limited, or out of quota."`
}

// ModelStanding is how a model does of late.
type ModelStanding struct {
	Model        string     `json:"model"`
	Breaker      string     `json:"breaker" enum:"closed,half_open,open" doc:"open: no call is sent. half_open: the next call is a probe."`
	OpenUntil    *time.Time `json:"open_until" doc:"When an open breaker lets a probe through, null where it is not open."`
	RestMS       float64    `json:"rest_ms" doc:"How long the model is to be left alone because the service said so or has refused of late; 0 is not at all."`
	Calls        int        `json:"calls" doc:"Calls in the breaker's window that say something of the service."`
	SuccessShare *float64   `json:"success_share" doc:"Share of good ones among them, null where there are none."`
	Latency      Latency    `json:"latency_ms" doc:"What is usual of good calls. Those of minutes ago weigh little."`
	FirstToken   Latency    `json:"first_token_ms" doc:"The same until the first token, in streams."`
}

// Latency is what is usual, in milliseconds.
type Latency struct {
	P50 *float64 `json:"p50" doc:"Null where there was no good call yet."`
	P95 *float64 `json:"p95" doc:"Null where there was no good call yet."`
}

// stands describes how one of a provider's models stands.
func stands(model string, s provider.Standing) ModelStanding {
	out := ModelStanding{
		Model: model, Breaker: s.Breaker.String(), RestMS: millis(s.Rest), Calls: s.Calls, Latency: usual(s.Latency), FirstToken: usual(s.First),
	}
	if !s.OpenUntil.IsZero() {
		until := s.OpenUntil.UTC().Truncate(time.Millisecond)
		out.OpenUntil = &until
	}
	if s.Calls > 0 {
		const decimals = 1000
		share := math.Round(s.Success*decimals) / decimals
		out.SuccessShare = &share
	}
	return out
}

func usual(q provider.Quantiles) Latency {
	if q.P95 == 0 {
		return Latency{}
	}
	p50, p95 := millis(q.P50), millis(q.P95)
	return Latency{&p50, &p95}
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// healthOf sums up how the models of a provider stand: down where nobody could answer now, degraded where something is amiss.
func healthOf(models []provider.Standing, most int) string {
	const low = 0.9 // Of a service in order, fewer than one call in ten fails.
	open, amiss, seen := 0, false, false
	for _, s := range models {
		if s.Breaker == provider.Open {
			open++
		}
		seen = seen || s.Calls > 0 || s.Latency.P95 > 0
		amiss = amiss || s.Breaker != provider.Closed || s.Rest > 0 || s.Success < low || s.Limit < most
	}
	switch {
	case open == len(models):
		return "down"
	case amiss:
		return "degraded"
	case seen:
		return "healthy"
	default:
		return "unknown"
	}
}
