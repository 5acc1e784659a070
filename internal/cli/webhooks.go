package cli

import (
	"context"
	"errors"
	"iter"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/promptd/promptd/client"
)

func webhooksCommand(env *Env) *cobra.Command {
	w := &webhookCommands{env}
	return group(&cobra.Command{
		Use: "webhooks", Short: "Register servers of yours that are told when jobs end",
		Example: examples("promptd webhooks create https://example.com/hooks", "promptd webhooks list", "promptd webhooks ping wh_01…"),
	}, w.list(), w.create(), w.change(), w.rotate(), w.ping(), w.delete())
}

// webhookCommands are the commands of webhooks, which a server keeps.
type webhookCommands struct{ env *Env }

// calling lets a command call a server.
func calling(env *Env, cmd *cobra.Command, run func(ctx context.Context, c *client.Client, out *printout, args []string) error) *cobra.Command {
	out, server := newPrintout(env), &remote{env: env}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := server.client()
		if err != nil {
			return err
		}
		return run(cmd.Context(), c, out, args)
	}
	server.flag(cmd)
	out.flag(cmd)
	return cmd
}

// collect reads a list up to a number.
func collect[T any](list iter.Seq2[T, error], most int) ([]T, error) {
	out := []T{}
	for one, err := range list {
		if err != nil {
			return nil, err
		}
		if out = append(out, one); len(out) == most {
			break
		}
	}
	return out, nil
}

func (w *webhookCommands) list() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "List webhooks, the newest first", Args: cobra.NoArgs,
		Example: examples("promptd webhooks list", "promptd webhooks list --output json"),
	}
	return calling(w.env, cmd, func(ctx context.Context, c *client.Client, out *printout, _ []string) error {
		list, err := collect(c.Webhooks(ctx), -1)
		switch {
		case err != nil:
			return err
		case out.json():
			return out.value(client.List[client.Webhook]{Data: list})
		case len(list) == 0:
			return out.line("There are no webhooks. promptd webhooks create URL registers one.")
		}
		t := &table{titles: []string{"ID", "URL", "EVENTS", "STATE", "MADE"}}
		for _, one := range list {
			t.add(one.ID, one.URL, eventsText(one.Events), webhookState(&one), when(one.CreatedAt))
		}
		return t.write(w.env.Stdout, w.env.ink())
	})
}

func eventsText(events []string) string {
	if len(events) == 0 {
		return "all"
	}
	return strings.Join(events, ",")
}

func webhookState(w *client.Webhook) string {
	if w.Enabled {
		return "enabled"
	}
	return "disabled: " + w.DisabledReason
}

func (w *webhookCommands) create() *cobra.Command {
	var events []string
	var secret string
	cmd := &cobra.Command{
		Use: "create URL", Short: "Register a webhook and show its secret, this once", Args: cobra.ExactArgs(1),
		Example: examples("promptd webhooks create https://example.com/hooks", "promptd webhooks create https://example.com/hooks --events job.failed,budget.alert"),
	}
	cmd.Flags().StringSliceVar(&events, "events", nil, "what it is told of: job.completed, job.completed_with_errors, job.failed, job.cancelled, job.expired, budget.alert (default all)")
	cmd.Flags().StringVar(&secret, "secret", "", "a secret of your own: whsec_ and 24 to 64 bytes in base64 (default one is made)")
	return calling(w.env, cmd, func(ctx context.Context, c *client.Client, out *printout, args []string) error {
		made, err := c.CreateWebhook(ctx, client.WebhookRequest{URL: args[0], Secret: secret, Events: events})
		if err != nil {
			return err
		}
		return w.secret(out, made, "A webhook of team "+made.Team+". Messages are signed with this secret, which is shown this once:")
	})
}

// secret shows a webhook with its secret.
func (w *webhookCommands) secret(out *printout, one *client.Webhook, title string) error {
	if out.json() {
		return out.value(one)
	}
	return out.line("%s\n\n  %s\n\nid       %s\nurl      %s\nevents   %s", title, one.Secret, one.ID, one.URL, eventsText(one.Events))
}

func (w *webhookCommands) change() *cobra.Command {
	var url string
	var events []string
	var enable, disable, all bool
	cmd := &cobra.Command{
		Use: "change ID", Short: "Change a webhook's URL or events, enable or disable it", Args: cobra.ExactArgs(1),
		Example: examples("promptd webhooks change wh_01… --enable", "promptd webhooks change wh_01… --url https://example.com/new --events job.failed"),
	}
	cmd.Flags().StringVar(&url, "url", "", "where messages go from now on, those that wait too")
	cmd.Flags().StringSliceVar(&events, "events", nil, "what it is told of, in place of what it was")
	cmd.Flags().BoolVar(&all, "all-events", false, "tell it of everything")
	cmd.Flags().BoolVar(&enable, "enable", false, "let deliveries go on")
	cmd.Flags().BoolVar(&disable, "disable", false, "stop deliveries")
	cmd.MarkFlagsMutuallyExclusive("enable", "disable")
	cmd.MarkFlagsMutuallyExclusive("events", "all-events")
	return calling(w.env, cmd, func(ctx context.Context, c *client.Client, out *printout, args []string) error {
		var change client.WebhookChange
		if url != "" {
			change.URL = &url
		}
		if all {
			events = []string{}
		}
		if events != nil {
			change.Events = &events
		}
		if enable || disable {
			change.Enabled = &enable
		}
		if change == (client.WebhookChange{}) {
			return usageError{errors.New("nothing is to be changed: give --url, --events, --all-events, --enable or --disable")}
		}
		now, err := c.ChangeWebhook(ctx, args[0], change)
		if err != nil {
			return err
		}
		if out.json() {
			return out.value(now)
		}
		return out.line("Webhook %s: %s, told of %s, %s.", now.ID, now.URL, eventsText(now.Events), webhookState(now))
	})
}

func (w *webhookCommands) rotate() *cobra.Command {
	var secret string
	cmd := &cobra.Command{
		Use: "rotate ID", Short: "Give a webhook another secret and show it, this once", Args: cobra.ExactArgs(1),
		Example: examples("promptd webhooks rotate wh_01…", "promptd webhooks rotate wh_01… --output json"),
	}
	cmd.Flags().StringVar(&secret, "secret", "", "a secret of your own: whsec_ and 24 to 64 bytes in base64 (default one is made)")
	return calling(w.env, cmd, func(ctx context.Context, c *client.Client, out *printout, args []string) error {
		one, err := c.RotateWebhook(ctx, args[0], secret)
		if err != nil {
			return err
		}
		return w.secret(out, one, "Another secret, shown this once. The one before signs too until "+when(one.PreviousUntil)+":")
	})
}

func (w *webhookCommands) ping() *cobra.Command {
	cmd := &cobra.Command{
		Use: "ping ID", Short: "Send a webhook a test message now, and show what it says", Args: cobra.ExactArgs(1),
		Long:    "Send a webhook a test message now, and show what it says. The exit code is 1 where it did not take the message.",
		Example: examples("promptd webhooks ping wh_01…", "promptd webhooks ping wh_01… --output json | jq .attempt"),
	}
	return calling(w.env, cmd, func(ctx context.Context, c *client.Client, out *printout, args []string) error {
		pong, err := c.PingWebhook(ctx, args[0])
		if err != nil {
			return err
		}
		if out.json() {
			err = out.value(pong)
		} else {
			err = w.pong(out, pong)
		}
		if err == nil && !pong.Delivered {
			return exit(1)
		}
		return err
	})
}

func (w *webhookCommands) pong(out *printout, pong *client.WebhookPing) error {
	a := &pong.Attempt
	word := w.env.ink().good("taken")
	if !pong.Delivered {
		word = w.env.ink().bad("not taken")
	}
	if err := out.line("%s: %s in %s (%s)", word, attemptText(a), milliseconds(a.DurationMS), pong.MessageID); err != nil || a.Answer == "" {
		return err
	}
	return out.line("%s", a.Answer)
}

// attemptText says in a few words what became of an attempt.
func attemptText(a *client.DeliveryAttempt) string {
	switch {
	case a.Error == "":
		return strconv.Itoa(a.Status)
	case a.Detail != "":
		return a.Detail
	default:
		return a.Error
	}
}

func (w *webhookCommands) delete() *cobra.Command {
	cmd := &cobra.Command{
		Use: "delete ID", Short: "Remove a webhook; what waits for it is not delivered", Args: cobra.ExactArgs(1),
		Example: examples("promptd webhooks delete wh_01…", "promptd webhooks delete wh_01… --output json"),
	}
	return calling(w.env, cmd, func(ctx context.Context, c *client.Client, out *printout, args []string) error {
		if err := c.DeleteWebhook(ctx, args[0]); err != nil {
			return err
		}
		if out.json() {
			return out.value(map[string]any{"id": args[0], "deleted": true})
		}
		return out.line("Webhook %s is deleted.", args[0])
	})
}
