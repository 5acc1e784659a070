package cli

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/promptd/promptd/client"
	"github.com/promptd/promptd/internal/config"
)

// standing says how the providers do at a server that runs: the one that PROMPTD_SERVER names, else the one at the configured address on this machine. It wants the
// key in PROMPTD_API_KEY; without one there is nothing to say.
func (f *findings) standing(ctx context.Context, env *Env, c *config.Config) {
	address, key := env.Getenv("PROMPTD_SERVER"), env.Getenv("PROMPTD_API_KEY")
	if address == "" {
		_, port, err := net.SplitHostPort(c.Listen)
		if err != nil || port == "0" || c.TLS.Cert != "" {
			return // The certificate is not made out to the loopback address: the key would go to whoever listens there.
		}
		address = "http://" + net.JoinHostPort("127.0.0.1", port)
	}
	if key == "" {
		return
	}
	api, err := client.New(address, key, client.WithRetries(0))
	if err != nil {
		return
	}
	const patience = 2 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	list, err := api.Providers(ctx)
	if err != nil {
		return // That nobody listens, or that the key is no good, is said elsewhere.
	}
	for i := range list {
		f.stands(&list[i])
	}
}

// stands says how a provider does.
func (f *findings) stands(p *client.Provider) {
	var open, amiss []string
	calls, good, slowest := 0, 0.0, 0.0
	for _, m := range p.Standing {
		switch {
		case m.Breaker == "open":
			open = append(open, m.Model)
		case m.Breaker != "closed":
			amiss = append(amiss, m.Model+" is tried again after failures")
		case m.RestMS > 0:
			amiss = append(amiss, fmt.Sprintf("%s is left alone for %s", m.Model, time.Duration(m.RestMS*float64(time.Millisecond)).Round(time.Second/10)))
		}
		calls += m.Calls
		if m.SuccessShare != nil {
			good += *m.SuccessShare * float64(m.Calls)
		}
		if m.LatencyMS.P95 != nil {
			slowest = max(slowest, *m.LatencyMS.P95)
		}
	}
	if p.Limit > 0 && p.Limit < p.MaxConcurrency {
		amiss = append(amiss, fmt.Sprintf("%d of %d calls at once", p.Limit, p.MaxConcurrency))
	}
	if n := p.Credentials.Resting; n > 0 {
		amiss = append(amiss, fmt.Sprintf("%d of %s left alone", n, plural(p.Credentials.Total, "key")))
	}
	text := "no call of late"
	if calls > 0 {
		const percent = 100
		text = fmt.Sprintf("%s of late, %.1f%% good", plural(calls, "call"), percent*good/float64(calls))
	}
	if slowest > 0 {
		text += fmt.Sprintf(", 95th percentile %.0f ms", slowest)
	}
	text = strings.Join(append([]string{text}, amiss...), "; ")
	area := p.Name + " (live)"
	switch {
	case len(open) > 0:
		f.add(area, risky, "promptd requests list shows what the calls ended with; the server tries again by itself.", "%s; left alone after failures: %s", text, strings.Join(open, ", "))
	case p.Health == "degraded":
		f.add(area, note, "", "%s", text)
	default:
		f.add(area, fine, "", "%s", text)
	}
}
