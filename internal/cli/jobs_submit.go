package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/promptd/promptd/client"
)

// submission is the command jobs submit with its flags.
type submission struct {
	jobs   *jobCommands
	values parameters

	schema, template, format, file            string
	provider, model                           string
	timeout                                   time.Duration
	maxAttempts                               int
	webhook, secret, metadata, idempotencyKey string
	runAt, deadline                           string
	priority, urgency                         *choice
	wait                                      bool
}

func (j *jobCommands) submit() *cobra.Command {
	s := &submission{
		jobs: j, priority: &choice{allowed: []string{"low", "normal", "high"}}, urgency: &choice{allowed: []string{"low", "normal"}},
	}
	cmd := &cobra.Command{
		Use: "submit [TEXT|-]", Short: "Submit a job: a prompt, or a file with a prompt a line", Args: cobra.MaximumNArgs(1),
		Long: "Submit a job: a prompt, which is the argument or standard input, or with --file up to 50,000 prompts, each a line of JSON such as {\"id\": \"a\", \"prompt\": \"…\"}.\n" +
			"The id of the job goes to standard output. With --wait the job is followed to its end; of a single prompt the data is shown then.\n" +
			"An interrupt in --wait leaves the job running. The exit code of --wait is 0 where all prompts passed, else 1; 3 where the job has one prompt and no model gave a valid answer.",
		Example: examples(`promptd jobs submit --schema order.json "Two coffees, please."`,
			"promptd jobs submit --schema order@2 --file orders.jsonl --priority low --webhook https://example.com/hooks",
			"promptd jobs submit --schema order.json --file - --urgency low < orders.jsonl",
			"promptd jobs submit --template order --param message=@mail.txt --run-at 2h --wait"),
	}
	s.flags(cmd)
	return calling(j.env, cmd, func(ctx context.Context, c *client.Client, out *printout, args []string) error {
		return s.run(ctx, c, out, args)
	})
}

func (s *submission) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&s.schema, "schema", "s", "", "file with a JSON Schema, or the name of a registered one (default: the default result)")
	f.StringVar(&s.file, "file", "", "file with a prompt a line, as JSON; - is standard input")
	f.StringVarP(&s.template, "template", "t", "", "a registered template in place of the text, as name or name@version; lines of --file hold its parameters")
	s.values.flag(cmd)
	f.StringVarP(&s.format, "format", "f", "", "format of the data: json, yaml, xml or toon (default json)")
	f.StringVar(&s.provider, "provider", "", "use this provider alone")
	f.StringVarP(&s.model, "model", "m", "", "use this model alone, as name or provider/name")
	f.DurationVar(&s.timeout, "timeout", 0, "bound of each prompt, 100ms to 10m (default 10m)")
	f.IntVar(&s.maxAttempts, "max-attempts", 0, "calls to providers for each prompt at most, 1 to 10 (default 4)")
	f.StringVar(&s.webhook, "webhook", "", "who is told of the end: a URL, or the id of a registered webhook (default: those registered for the event)")
	f.StringVar(&s.secret, "webhook-secret", "", "a secret of your own for the URL of --webhook (default one is made and shown)")
	f.Var(s.priority, "priority", "a higher class goes first (default normal)")
	f.Var(s.urgency, "urgency", "low lets a provider's batch API do it at a lower price, within a day (default normal)")
	f.StringVar(&s.runAt, "run-at", "", "when it may begin: a time such as 2026-12-01T02:00:00Z, or how long from now, such as 2h or 3d")
	f.StringVar(&s.deadline, "deadline", "", "when it is given up where nothing of it has begun, written the same way (default a day after it may begin)")
	f.StringVar(&s.metadata, "metadata", "", "a JSON object of your own, which comes back with the job and its webhooks")
	f.StringVar(&s.idempotencyKey, "idempotency-key", "", "the same key and job is accepted once")
	f.BoolVar(&s.wait, "wait", false, "follow the job to its end")
}

func (s *submission) run(ctx context.Context, c *client.Client, out *printout, args []string) error {
	r, err := s.request(args)
	if err != nil {
		return err
	}
	made, err := s.send(ctx, c, r)
	if err != nil {
		return err
	}
	env, i := s.jobs.env, s.jobs.env.errInk()
	if made.Webhook != nil {
		fmt.Fprintf(env.Stderr, "Messages to %s are signed with this secret, which is shown this once:\n\n  %s\n\n", made.Webhook.URL, made.Webhook.Secret)
	}
	switch {
	case s.wait:
		return s.await(ctx, c, out, made.ID)
	case out.json():
		return out.value(made)
	}
	if err := out.line("%s", made.ID); err != nil {
		return err
	}
	fmt.Fprintln(env.Stderr, i.quiet("accepted: it is finished whatever fails on the way. promptd jobs watch "+made.ID+" follows it."))
	return nil
}

// request makes the job of flags and text, without the lines of a file.
func (s *submission) request(args []string) (r client.JobRequest, err error) {
	switch {
	case s.file != "" && (len(args) > 0 || len(s.values.given) > 0):
		return r, usageError{errors.New("--file holds the prompts: leave out the text and --param")}
	case s.secret != "" && !strings.Contains(s.webhook, "://"):
		return r, usageError{errors.New("--webhook-secret belongs to a URL in --webhook; a registered webhook has its own secret")}
	case s.maxAttempts < 0 || s.timeout < 0 || s.timeout > 0 && s.timeout < time.Millisecond:
		return r, usageError{errors.New("--max-attempts and --timeout: they must be positive")}
	}
	r.Format, r.IdempotencyKey, r.Priority, r.Urgency = s.format, s.idempotencyKey, s.priority.value, s.urgency.value
	if o := (client.Options{Provider: s.provider, Model: s.model, Timeout: s.timeout, MaxAttempts: s.maxAttempts}); o != (client.Options{}) {
		r.Options = &o
	}
	if s.webhook != "" {
		r.Webhook = &client.JobWebhook{ID: s.webhook}
		if strings.Contains(s.webhook, "://") {
			r.Webhook = &client.JobWebhook{URL: s.webhook, Secret: s.secret}
		}
	}
	if s.metadata != "" {
		if !json.Valid([]byte(s.metadata)) {
			return r, usageError{errors.New(`--metadata: it is no JSON; write an object such as {"order": 7}`)}
		}
		r.Metadata = json.RawMessage(s.metadata)
	}
	if r.RunAt, err = ahead("--run-at", s.runAt); err != nil {
		return r, err
	}
	if r.Deadline, err = ahead("--deadline", s.deadline); err != nil {
		return r, err
	}
	if r.Schema, err = schemaOf(s.schema); err != nil {
		return r, err
	}
	return r, s.fill(&r, args)
}

// fill puts the text in, or the template with its parameters.
func (s *submission) fill(r *client.JobRequest, args []string) (err error) {
	r.Template = s.template
	switch {
	case s.file != "":
		return nil
	case s.template == "" && len(s.values.given) > 0:
		return usageError{errors.New("--param belongs to a template: name it with --template")}
	case s.template != "" && len(args) > 0:
		return usageError{errors.New("--template stands for the text: give the text as one of the template's parameters with --param name=text")}
	case s.template != "":
		r.Parameters, err = s.values.values()
		return err
	}
	r.Prompt, err = (&analysis{env: s.jobs.env}).text(args)
	return err
}

// send submits the job, with the lines of its file as they are read.
func (s *submission) send(ctx context.Context, c *client.Client, r client.JobRequest) (*client.JobReceipt, error) {
	if s.file == "" {
		return c.Submit(ctx, r)
	}
	lines, done, err := s.jobs.env.input([]string{s.file})
	if err != nil {
		return nil, err
	}
	defer done()
	return c.SubmitStream(ctx, r, lines)
}

// await follows the job, and shows the data where it has a single prompt.
func (s *submission) await(ctx context.Context, c *client.Client, out *printout, id string) error {
	env := s.jobs.env
	last, err := s.jobs.wait(ctx, c, id, &jobView{out: env.Stderr, live: env.ErrTerminal, ink: env.errInk(), env: env})
	switch {
	case err != nil:
		return err
	case out.json():
		return errors.Join(out.value(last.Raw), ended(last))
	case last.Answer != nil:
		return (&analysis{env: env, out: out}).show(last.Answer)
	case last.Problem != nil:
		return s.jobs.failed(last)
	}
	if err := out.line("%s", last.ID); err != nil {
		return err
	}
	if last.Progress.Completed+last.Progress.Failed > 0 {
		fmt.Fprintln(env.Stderr, env.errInk().quiet("promptd jobs results "+last.ID+" reads the results."))
	}
	return ended(last)
}

// ahead reads a time to come: a date, a time, or how long from now.
func ahead(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := span(text); err == nil {
		return time.Now().Add(d), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usageError{fmt.Errorf("%s: %q is neither a date such as 2026-12-01, nor a time such as 2026-12-01T02:00:00Z, nor a while from now such as 2h", flag, text)}
}
