package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/promptd/promptd/client"
	"github.com/promptd/promptd/internal/fault"
)

func (j *jobCommands) watch() *cobra.Command {
	cmd := &cobra.Command{
		Use: "watch ID", Short: "Follow a job to its end", Args: cobra.ExactArgs(1),
		Long: "Follow a job to its end: on a terminal with a bar, otherwise by a line now and then; with --output json by the job as a line whenever it has changed.\n" +
			"Connections that break are made again. The exit code is 0 where all prompts passed, else 1; 3 where the job has one prompt and no model gave a valid answer.",
		Example: examples("promptd jobs watch 0199…", "promptd jobs watch 0199… --output json | jq -c .progress"),
	}
	return calling(j.env, cmd, func(ctx context.Context, c *client.Client, out *printout, args []string) error {
		return j.follow(ctx, c, out, args[0])
	})
}

// follow shows a job on standard output until it is over.
func (j *jobCommands) follow(ctx context.Context, c *client.Client, out *printout, id string) error {
	view := &jobView{env: j.env, out: j.env.Stdout, live: j.env.Terminal, ink: j.env.ink(), json: out.json()}
	last, err := j.wait(ctx, c, id, view)
	if err != nil {
		return err
	}
	if last.Problem != nil && !out.json() {
		return j.failed(last)
	}
	return ended(last)
}

// wait shows a job until it is over, and gives it. Who interrupts it is told how to come back.
func (j *jobCommands) wait(ctx context.Context, c *client.Client, id string, view *jobView) (last *client.Job, err error) {
	for one, err := range c.WatchJob(ctx, id) {
		if err == nil {
			last = one
			err = view.show(one, time.Now())
		}
		if err != nil && ctx.Err() != nil {
			view.leave()
			fmt.Fprintf(j.env.Stderr, "The job goes on. promptd jobs watch %s comes back to it, promptd jobs cancel %s ends it.\n", id, id)
			return nil, exit(fault.ExitFailed)
		}
		if err != nil {
			view.leave()
			return nil, err
		}
	}
	if last == nil {
		return nil, errors.New("the job was not heard of")
	}
	return last, nil
}

// jobView shows how a job gets on.
type jobView struct {
	env *Env
	out io.Writer
	ink ink
	// live draws a bar in place; json writes each state of the job as a line.
	live, json bool

	drawn  bool
	last   time.Time
	seen   []sample
	status string
}

// sample is how much had ended at a time.
type sample struct {
	at   time.Time
	done int
}

const (
	// linesApart is the least time between two lines about the same state, and rateOver how far back the rate looks.
	linesApart = 5 * time.Second
	rateOver   = 30 * time.Second
)

// show shows the job as it is now.
func (v *jobView) show(one *client.Job, now time.Time) error {
	var text string
	switch {
	case v.json:
		return (&printout{env: &Env{Stdout: v.out}}).value(one.Raw)
	case one.Final():
		text = v.erase() + paintedStatus(v.ink, one.Status) + ": " + progressText(one.Progress) + v.took(one) + "\n"
	case v.live:
		columns, _ := v.env.size()
		text = v.erase() + v.bar(one, now, columns-1)
		v.drawn = true
	case one.Status == v.status && now.Sub(v.last) < linesApart:
		v.note(one, now)
		return nil
	default:
		text = strings.Join(append([]string{one.Status, progressText(one.Progress)}, v.pace(one, now)...), " · ") + "\n"
	}
	v.status, v.last = one.Status, now
	_, err := io.WriteString(v.out, text)
	return err
}

func (v *jobView) took(one *client.Job) string {
	if one.StartedAt.IsZero() || one.CompletedAt.Before(one.StartedAt) {
		return ""
	}
	return v.ink.quiet(", in " + milliseconds(float64(one.CompletedAt.Sub(one.StartedAt).Microseconds())/1000))
}

// erase takes the bar away.
func (v *jobView) erase() string {
	if !v.drawn {
		return ""
	}
	v.drawn = false
	return "\r\x1b[K"
}

// leave ends the line of the bar, which stays.
func (v *jobView) leave() {
	if v.drawn {
		v.drawn = false
		_, _ = io.WriteString(v.out, "\n") //nolint:errcheck // What follows will tell.
	}
}

// bar is one line: a bar, counts, rate and what is left.
func (v *jobView) bar(one *client.Job, now time.Time, columns int) string {
	const width = 24
	p := one.Progress
	filled := 0
	if p.Total > 0 {
		filled = p.Ended() * width / p.Total
	}
	parts := []string{count(int64(p.Ended())) + "/" + count(int64(p.Total))}
	if one.Status == client.JobPending {
		parts = append(parts, one.Status)
	}
	if p.Failed > 0 {
		parts = append(parts, count(int64(p.Failed))+" failed")
	}
	parts = append(parts, v.pace(one, now)...)
	drawing := strings.Repeat("█", filled) + strings.Repeat("░", width-filled)
	text := " " + strings.Join(parts, " · ")
	if columns < width+len(text) { // What wraps could not be drawn over.
		return cut(strings.TrimSpace(text), columns)
	}
	return v.ink.good(drawing[:filled*len("█")]) + v.ink.quiet(drawing[filled*len("█"):]) + text
}

// pace is the rate of late and the time that the rest takes at it; nothing before both are known.
func (v *jobView) pace(one *client.Job, now time.Time) []string {
	v.note(one, now)
	first, done := v.seen[0], one.Progress.Ended()
	over := now.Sub(first.at)
	if over < time.Second || done <= first.done {
		return nil
	}
	rate := float64(done-first.done) / over.Seconds()
	left := time.Duration(float64(one.Progress.Total-done) / rate * float64(time.Second))
	text := fmt.Sprintf("%.1f/s", rate)
	if rate >= 10 {
		text = count(int64(rate+0.5)) + "/s"
	}
	return []string{text, left.Round(time.Second).String() + " left"}
}

// note remembers how much has ended, for as long as the rate looks back.
func (v *jobView) note(one *client.Job, now time.Time) {
	v.seen = append(v.seen, sample{now, one.Progress.Ended()})
	old := 0
	for old < len(v.seen)-2 && now.Sub(v.seen[old+1].at) >= rateOver {
		old++
	}
	v.seen = v.seen[old:]
}
