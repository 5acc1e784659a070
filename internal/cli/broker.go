package cli

import (
	"context"

	"github.com/promptd/promptd/internal/app"
	"github.com/promptd/promptd/internal/config"
)

// broker looks at the server that tells workers of work. promptd goes on without it, so its absence is a risk and no fault; with a URL that can't be read
// promptd does not start.
func (f *findings) broker(ctx context.Context, c *config.Config, offline bool) {
	if err := app.CheckBroker(c); err != nil {
		f.add("broker", bad, "Correct broker.url; its parts are in docs/guide/rabbitmq.md.", "%v", err)
		return
	}
	if offline {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	server, err := app.ReachBroker(ctx, c)
	switch {
	case err != nil:
		f.add("broker", risky, "Jobs are done without it, a little later. What to do about it is in docs/guide/rabbitmq.md.", "%v", err)
	case server != "":
		f.add("broker", fine, "", "%s", server)
	}
}
