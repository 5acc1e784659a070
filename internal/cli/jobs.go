package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/promptd/promptd/client"
	"github.com/promptd/promptd/internal/fault"
)

func jobsCommand(env *Env) *cobra.Command {
	j := &jobCommands{env}
	return group(&cobra.Command{
		Use: "jobs", Short: "Submit prompts that are answered later, and follow them to their end",
		Example: examples("promptd jobs submit --schema order.json --file orders.jsonl --wait", "promptd jobs list --status failed", "promptd jobs results 0199… > results.jsonl"),
	}, j.submit(), j.list(), j.show(), j.watch(), j.results(), j.cancel(), j.retry())
}

// jobCommands are the commands of jobs, which a server keeps and does.
type jobCommands struct{ env *Env }

// jobStates are the states that jobs are listed by.
func jobStates() []string {
	return []string{client.JobPending, client.JobProcessing, client.JobCompleted, client.JobCompletedWithErrors, client.JobFailed, client.JobCancelled, client.JobExpired}
}

func (j *jobCommands) list() *cobra.Command {
	var f client.JobFilter
	var from, to string
	const usual, page = 50, 500
	limit := usual
	cmd := &cobra.Command{
		Use: "list", Short: "List jobs, the newest first", Args: cobra.NoArgs,
		Example: examples("promptd jobs list", "promptd jobs list --status failed --from 7d", "promptd jobs list --output json"),
	}
	status := &choice{allowed: jobStates()}
	cmd.Flags().Var(status, "status", "those that stand so")
	cmd.Flags().StringVar(&from, "from", "", "those submitted from then on: a date, a time, or how long ago, such as 7d")
	cmd.Flags().StringVar(&to, "to", "", "those submitted before then")
	cmd.Flags().IntVar(&limit, "limit", usual, "how many at most")
	return calling(j.env, cmd, func(ctx context.Context, c *client.Client, out *printout, _ []string) (err error) {
		if limit < 1 {
			return usageError{errors.New("--limit: it must be at least 1")}
		}
		if f.From, err = moment("--from", from); err != nil {
			return err
		}
		if f.To, err = moment("--to", to); err != nil {
			return err
		}
		f.Status, f.Limit = status.value, min(limit, page)
		list, err := collect(c.Jobs(ctx, f), limit)
		switch {
		case err != nil:
			return err
		case out.json():
			raw := make([]json.RawMessage, len(list))
			for i := range list {
				raw[i] = list[i].Raw
			}
			return out.value(client.List[json.RawMessage]{Data: raw})
		case len(list) == 0 && (f.Status != "" || !f.From.IsZero() || !f.To.IsZero()):
			return out.line("No jobs match. promptd jobs list without --status, --from and --to lists all.")
		case len(list) == 0:
			return out.line("No jobs. promptd jobs submit makes one.")
		}
		t := &table{titles: []string{"ID", "SUBMITTED", "STATUS", ">PROMPTS", ">PASSED", ">FAILED", ">CANCELLED", "PRIORITY", "BEGINS", "ENDED"}}
		for i := range list {
			one := &list[i]
			begins := "-"
			if one.StartedAt.IsZero() && one.RunAt.After(time.Now()) {
				begins = when(one.RunAt)
			}
			p := one.Progress
			t.add(one.ID, when(one.CreatedAt), one.Status, count(int64(p.Total)), count(int64(p.Completed)), count(int64(p.Failed)), count(int64(p.Cancelled)), one.Priority, begins, when(one.CompletedAt))
		}
		return t.write(j.env.Stdout, j.env.ink())
	})
}

func (j *jobCommands) show() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show ID", Short: "Show a job, of one prompt with its result", Args: cobra.ExactArgs(1),
		Example: examples("promptd jobs show 0199…", "promptd jobs show 0199… --output json | jq .result.data"),
	}
	return calling(j.env, cmd, func(ctx context.Context, c *client.Client, out *printout, args []string) error {
		one, err := c.Job(ctx, args[0])
		if err != nil {
			return err
		}
		if out.json() {
			return out.value(one.Raw)
		}
		return j.details(one)
	})
}

// details shows a job to people.
func (j *jobCommands) details(one *client.Job) error {
	var b bytes.Buffer
	i := j.env.ink()
	fmt.Fprintf(&b, "job        %s\nstatus     %s\nprompts    %s\npriority   %s\n", one.ID, paintedStatus(i, one.Status), progressText(one.Progress), one.Priority)
	if one.Urgency == "low" {
		fmt.Fprintln(&b, "urgency    low: a provider's batch API may do it")
	}
	if one.Run > 1 {
		fmt.Fprintf(&b, "run        %d\n", one.Run)
	}
	for _, at := range []struct {
		title string
		time  time.Time
	}{{"submitted", one.CreatedAt}, {"begins", one.RunAt}, {"deadline", one.Deadline}, {"began", one.StartedAt}, {"ended", one.CompletedAt}, {"kept until", one.ExpiresAt}} {
		begun := !one.StartedAt.IsZero() || one.Final()
		if at.time.IsZero() || begun && (at.title == "begins" || at.title == "deadline") {
			continue
		}
		fmt.Fprintf(&b, "%-10s %s\n", at.title, when(at.time))
	}
	if m := string(one.Metadata); m != "" && m != "{}" {
		fmt.Fprintf(&b, "metadata   %s\n", m)
	}
	for _, t := range one.Tries {
		fmt.Fprintf(&b, "%s %s, by %s: %s\n", i.quiet("try"), when(t.StartedAt), t.Worker, tryText(&t))
	}
	switch {
	case one.Answer != nil:
		b.WriteByte('\n')
		if err := json.Indent(&b, one.Answer.Data, "", "  "); err != nil {
			return fmt.Errorf("write the data: %w", err)
		}
		b.WriteByte('\n')
	case one.Problem != nil:
		fmt.Fprintf(&b, "%s %s\n", i.bad("failed:"), failureText(one.Problem))
	case one.Batch && one.Progress.Ended() > 0:
		fmt.Fprintf(&b, "\npromptd jobs results %s reads the results.\n", one.ID)
	}
	_, err := j.env.Stdout.Write(b.Bytes())
	return err
}

func paintedStatus(i ink, status string) string {
	switch status {
	case client.JobCompleted:
		return i.good(status)
	case client.JobFailed, client.JobExpired:
		return i.bad(status)
	case client.JobCompletedWithErrors, client.JobCancelled:
		return i.warn(status)
	default:
		return status
	}
}

// progressText is a job's progress in words: 7 of 12 done, 1 failed.
func progressText(p client.JobProgress) string {
	text := fmt.Sprintf("%s of %s done", count(int64(p.Completed+p.Failed)), count(int64(p.Total)))
	if p.Failed > 0 {
		text += fmt.Sprintf(", %s failed", count(int64(p.Failed)))
	}
	if p.Cancelled > 0 {
		text += fmt.Sprintf(", %s cancelled", count(int64(p.Cancelled)))
	}
	return text
}

func tryText(t *client.JobTry) string {
	if t.Detail == "" {
		return t.Code
	}
	return t.Code + ": " + printable(t.Detail)
}

func failureText(e *client.Error) string {
	if e.Detail == "" {
		return e.Code
	}
	return printable(e.Detail) + " (" + e.Code + ")"
}

func (j *jobCommands) cancel() *cobra.Command {
	cmd := &cobra.Command{
		Use: "cancel ID", Short: "End a job at once; what has ended of it stays", Args: cobra.ExactArgs(1),
		Example: examples("promptd jobs cancel 0199…", "promptd jobs cancel 0199… --output json"),
	}
	return calling(j.env, cmd, func(ctx context.Context, c *client.Client, out *printout, args []string) error {
		one, err := c.CancelJob(ctx, args[0])
		if err != nil {
			return err
		}
		if out.json() {
			return out.value(one.Raw)
		}
		return out.line("Job %s is cancelled: %s.", one.ID, progressText(one.Progress))
	})
}

func (j *jobCommands) retry() *cobra.Command {
	var wait bool
	cmd := &cobra.Command{
		Use: "retry ID", Short: "Do again what failed or was cancelled of a job that is over", Args: cobra.ExactArgs(1),
		Example: examples("promptd jobs retry 0199…", "promptd jobs retry 0199… --wait"),
	}
	cmd.Flags().BoolVar(&wait, "wait", false, "follow the job to its end, as promptd jobs watch does")
	return calling(j.env, cmd, func(ctx context.Context, c *client.Client, out *printout, args []string) error {
		one, err := c.RetryJob(ctx, args[0])
		switch {
		case err != nil:
			return err
		case wait:
			return j.follow(ctx, c, out, one.ID)
		case out.json():
			return out.value(one.Raw)
		}
		return out.line("Job %s is in its run %d: %s. promptd jobs watch %s follows it.", one.ID, one.Run, progressText(one.Progress), one.ID)
	})
}

func (j *jobCommands) results() *cobra.Command {
	var q client.JobResultsQuery
	cmd := &cobra.Command{
		Use: "results ID", Short: "Write the results of a job, a line of JSON for each prompt", Args: cobra.ExactArgs(1),
		Long: "Write the results of a job to standard output, a line of JSON for each prompt that has ended, whatever --output says.\n" +
			"Each line holds id and status, result or error, and after: what --after goes on with in the same order. Connections that break are made again.",
		Example: examples("promptd jobs results 0199… > results.jsonl", "promptd jobs results 0199… --follow | jq -c 'select(.status == \"failed\") | .id'", "promptd jobs results 0199… --after 1200 >> results.jsonl"),
	}
	order := &choice{value: "number", allowed: []string{"number", "completed"}}
	cmd.Flags().BoolVarP(&q.Follow, "follow", "f", false, "wait for the rest, in the order of their ends, until the job is over")
	cmd.Flags().Var(order, "order", "the order of the prompts, or that of their ends")
	cmd.Flags().IntVar(&q.After, "after", 0, "go on behind the line that holds this")
	return calling(j.env, cmd, func(ctx context.Context, c *client.Client, _ *printout, args []string) error {
		switch {
		case q.After < 0:
			return usageError{errors.New("--after: it must not be negative")}
		case q.Follow && cmd.Flags().Changed("order") && order.value == "number":
			return usageError{errors.New("--follow gives results in the order of their ends: leave out --order number")}
		}
		q.ByEnd = order.value == "completed"
		for r, err := range c.JobResults(ctx, args[0], q) {
			if err != nil {
				return err
			}
			if _, err := j.env.Stdout.Write(append(r.Raw, '\n')); err != nil {
				return err
			}
		}
		return nil
	})
}

// ended gives the exit code of a job that is over: 3 where its single prompt had no valid answer, else 1. That a provider or a limit was in the way is no failure of
// this command's own call, which other codes are for.
func ended(one *client.Job) error {
	switch {
	case one.Status == client.JobCompleted:
		return nil
	case one.Problem != nil && exitOf(one.Problem) == fault.ExitInvalid:
		return exit(fault.ExitInvalid)
	default:
		return exit(fault.ExitFailed)
	}
}

// failed shows why the single prompt of a job has failed, and gives its exit code.
func (j *jobCommands) failed(one *client.Job) error {
	reportRemote(one.Problem, j.env.Stderr)
	return ended(one)
}
