package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/promptd/promptd/client"
)

func requestsCommand(env *Env) *cobra.Command {
	return group(&cobra.Command{
		Use: "requests", Short: "Look at the history of requests",
		Example: examples("promptd requests list --limit 10", "promptd requests show 0192…", "promptd requests delete 0192…"),
	}, requestsListCommand(env), requestsShowCommand(env), requestsDeleteCommand(env))
}

func requestsListCommand(env *Env) *cobra.Command {
	out, server := newPrintout(env), &remote{env: env}
	var from, to string
	f := client.Filter{}
	limit := 0
	cmd := &cobra.Command{
		Use: "list", Short: "List requests, the newest first", Args: cobra.NoArgs,
		Example: examples("promptd requests list", "promptd requests list --from 1h --validation failed", "promptd requests list --model gpt-4o-mini --limit 500 --output json"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if f.From, err = moment("--from", from); err != nil {
				return err
			}
			if f.To, err = moment("--to", to); err != nil {
				return err
			}
			const page = 500
			if limit < 1 {
				return usageError{fmt.Errorf("--limit: it must be at least 1")}
			}
			f.Limit = min(limit, page)
			c, err := server.client()
			if err != nil {
				return err
			}
			list := []client.Record{}
			for one, err := range c.Requests(cmd.Context(), f) {
				if err != nil {
					return err
				}
				if list = append(list, one); len(list) == limit {
					break
				}
			}
			if out.json() {
				return out.value(client.List[client.Record]{Data: list})
			}
			return requestTable(list).write(env.Stdout, env.ink())
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "begin: a date, a time, or how long ago such as 24h or 7d")
	cmd.Flags().StringVar(&to, "to", "", "end, as --from")
	cmd.Flags().StringVar(&f.Key, "key", "", "of this key (its id)")
	cmd.Flags().StringVar(&f.Provider, "provider", "", "of this provider")
	cmd.Flags().StringVar(&f.Model, "model", "", "of this model")
	cmd.Flags().StringVar(&f.Schema, "schema", "", "of this schema")
	cmd.Flags().StringVar(&f.ValidationStatus, "validation", "", "passed or failed")
	cmd.Flags().IntVar(&f.Status, "status", 0, "with this HTTP status")
	const usual = 50
	cmd.Flags().IntVar(&limit, "limit", usual, "how many at most")
	server.flag(cmd)
	out.flag(cmd)
	return cmd
}

func requestTable(list []client.Record) *table {
	t := &table{titles: []string{"REQUEST", "TIME", ">STATUS", "RESULT", "MODEL", ">TOKENS", ">COST USD", ">TOOK"}}
	for _, r := range list {
		result := r.ValidationStatus
		switch {
		case r.Cached:
			result += ", cached"
		case r.Coalesced:
			result += ", shared"
		case r.Code != "":
			result = r.Code
		}
		model := "-"
		if r.Provider != "" {
			model = r.Provider + "/" + r.Model
		}
		t.add(r.RequestID, when(r.CreatedAt), fmt.Sprint(r.Status), result, model, count(r.InputTokens+r.OutputTokens), costText(r.CostUSD), milliseconds(r.ProcessingTimeMS))
	}
	return t
}

func costText(n *json.Number) string {
	if n == nil {
		return "unknown"
	}
	return n.String()
}

func requestsShowCommand(env *Env) *cobra.Command {
	out, server := newPrintout(env), &remote{env: env}
	cmd := &cobra.Command{
		Use: "show ID", Short: "Show one request with its attempts and report", Args: cobra.ExactArgs(1),
		Example: examples("promptd requests show 0192…", "promptd requests show 0192… --output json"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := server.client()
			if err != nil {
				return err
			}
			r, err := c.Request(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if out.json() {
				return out.value(r)
			}
			return showRequest(env, r)
		},
	}
	server.flag(cmd)
	out.flag(cmd)
	return cmd
}

func showRequest(env *Env, r *client.Record) error {
	var b bytes.Buffer
	i := env.ink()
	fmt.Fprintf(&b, "request   %s\ntime      %s\nstatus    %d %s\n", r.RequestID, when(r.CreatedAt), r.Status, strings.TrimSpace(r.Code+" "+r.ValidationStatus))
	if r.Provider != "" {
		fmt.Fprintf(&b, "model     %s/%s %s\n", r.Provider, r.Model, r.DialectMode)
	}
	fmt.Fprintf(&b, "tokens    %s in, %s out\ncost      %s\ntook      %s, of it %s promptd's own\n", count(r.InputTokens), count(r.OutputTokens), costText(r.CostUSD),
		milliseconds(r.ProcessingTimeMS), milliseconds(r.OverheadMS))
	if len(r.Attempts) > 0 {
		b.WriteString(i.quiet("attempts") + "\n")
		writeAttempts(&b, r.Attempts)
	}
	if r.Validation != nil {
		for _, d := range r.Validation.Errors {
			writeDefect(&b, d)
		}
	}
	if r.Prompt != "" {
		fmt.Fprintf(&b, "%s\n%s\n", i.quiet("prompt"), strings.TrimRight(r.Prompt, "\n"))
	}
	if len(r.Answer) > 0 {
		b.WriteString(i.quiet("answer") + "\n")
		if json.Indent(&b, r.Answer, "", "  ") != nil {
			b.Write(r.Answer)
		}
		b.WriteByte('\n')
	}
	_, err := env.Stdout.Write(b.Bytes())
	return err
}

func requestsDeleteCommand(env *Env) *cobra.Command {
	out, server := newPrintout(env), &remote{env: env}
	cmd := &cobra.Command{
		Use: "delete ID", Short: "Remove one request with its texts from the history", Args: cobra.ExactArgs(1),
		Example: examples("promptd requests delete 0192…", "promptd requests delete 0192… --output json"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := server.client()
			if err != nil {
				return err
			}
			if err := c.DeleteRequest(cmd.Context(), args[0]); err != nil {
				return err
			}
			if out.json() {
				return out.value(map[string]any{"request_id": args[0], "deleted": true})
			}
			return out.line("Request %s is removed; the sums that it went into stay.", args[0])
		},
	}
	server.flag(cmd)
	out.flag(cmd)
	return cmd
}
