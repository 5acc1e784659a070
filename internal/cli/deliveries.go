package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/promptd/promptd/client"
)

func deliveriesCommand(env *Env) *cobra.Command {
	return group(&cobra.Command{
		Use: "deliveries", Short: "Look at what was delivered to webhooks, and send it again",
		Example: examples("promptd deliveries list --status failed", "promptd deliveries show dlv_5f…", "promptd deliveries redeliver dlv_5f…"),
	}, deliveriesListCommand(env), deliveriesShowCommand(env), redeliverCommand(env))
}

func deliveriesListCommand(env *Env) *cobra.Command {
	var f client.DeliveryFilter
	const usual, page = 50, 500
	limit := usual
	cmd := &cobra.Command{
		Use: "list", Short: "List deliveries, the newest first", Args: cobra.NoArgs,
		Example: examples("promptd deliveries list", "promptd deliveries list --status failed --webhook wh_01…", "promptd deliveries list --job 0199… --output json"),
	}
	status := &choice{allowed: []string{"pending", "delivered", "failed"}}
	cmd.Flags().Var(status, "status", "those that stand so")
	cmd.Flags().StringVar(&f.Job, "job", "", "those of this job (its id)")
	cmd.Flags().StringVar(&f.Webhook, "webhook", "", "those to this webhook (its id)")
	cmd.Flags().StringVar(&f.Event, "event", "", "those of this event, such as job.failed")
	cmd.Flags().IntVar(&limit, "limit", usual, "how many at most")
	return calling(env, cmd, func(ctx context.Context, c *client.Client, out *printout, _ []string) error {
		if limit < 1 {
			return usageError{errors.New("--limit: it must be at least 1")}
		}
		f.Status, f.Limit = status.value, min(limit, page)
		list, err := collect(c.Deliveries(ctx, f), limit)
		switch {
		case err != nil:
			return err
		case out.json():
			return out.value(client.List[client.Delivery]{Data: list})
		case len(list) == 0:
			return out.line("No deliveries. Each event of a job makes one for each webhook that is told of it.")
		}
		t := &table{titles: []string{"ID", "TIME", "EVENT", "JOB", "STATUS", ">ATTEMPTS", "LAST", "NEXT", "URL"}}
		for i := range list {
			d := &list[i]
			t.add(d.ID, when(d.CreatedAt), d.Event, d.JobID, d.Status, count(int64(d.Attempts)), lastText(d), when(d.NextAt), d.URL)
		}
		return t.write(env.Stdout, env.ink())
	})
}

func deliveryStatus(env *Env, d *client.Delivery) string {
	switch d.Status {
	case "delivered":
		return env.ink().good(d.Status)
	case "failed":
		return env.ink().bad(d.Status)
	default:
		return d.Status
	}
}

// lastText is what happened last.
func lastText(d *client.Delivery) string {
	switch {
	case d.LastError != "" && d.LastError != "status":
		return d.LastError
	case d.LastStatus != 0:
		return fmt.Sprint(d.LastStatus)
	default:
		return "-"
	}
}

func deliveriesShowCommand(env *Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "show ID", Short: "Show one delivery with its attempts", Args: cobra.ExactArgs(1),
		Example: examples("promptd deliveries show dlv_5f…", "promptd deliveries show dlv_5f… --output json"),
	}
	return calling(env, cmd, func(ctx context.Context, c *client.Client, out *printout, args []string) error {
		d, err := c.Delivery(ctx, args[0])
		if err != nil {
			return err
		}
		if out.json() {
			return out.value(d)
		}
		return showDelivery(env, d)
	})
}

func showDelivery(env *Env, d *client.Delivery) error {
	var b bytes.Buffer
	i := env.ink()
	fmt.Fprintf(&b, "delivery  %s\nmessage   %s\nevent     %s\n", d.ID, d.MessageID, d.Event)
	for _, line := range []struct{ title, text string }{{"job", d.JobID}, {"webhook", d.WebhookID}, {"error", d.LastError}} {
		if line.text != "" {
			fmt.Fprintf(&b, "%-9s %s\n", line.title, line.text)
		}
	}
	fmt.Fprintf(&b, "url       %s\nstatus    %s\n", d.URL, deliveryStatus(env, d))
	if !d.NextAt.IsZero() {
		fmt.Fprintf(&b, "next      %s\n", when(d.NextAt))
	}
	for n := range d.Log {
		a := &d.Log[n]
		fmt.Fprintf(&b, "%s %s, after %s: %s\n", i.quiet(fmt.Sprintf("attempt %d", a.N)), when(a.At), milliseconds(a.DurationMS), attemptText(a))
		if a.Answer != "" {
			fmt.Fprintf(&b, "%s\n", i.quiet(a.Answer))
		}
	}
	_, err := env.Stdout.Write(b.Bytes())
	return err
}

func redeliverCommand(env *Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "redeliver ID", Short: "Send a delivery again: the same message, under the same webhook-id", Args: cobra.ExactArgs(1),
		Example: examples("promptd deliveries redeliver dlv_5f…", "promptd deliveries redeliver dlv_5f… --output json"),
	}
	return calling(env, cmd, func(ctx context.Context, c *client.Client, out *printout, args []string) error {
		d, err := c.Redeliver(ctx, args[0])
		if err != nil {
			return err
		}
		if out.json() {
			return out.value(d)
		}
		return out.line("Delivery %s is due: %s goes to %s again.", d.ID, d.MessageID, d.URL)
	})
}
