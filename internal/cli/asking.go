package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/promptd/promptd/client"
	"github.com/promptd/promptd/internal/fault"
)

// With --missing ask an answer may hold questions. At a terminal the person there is asked; anywhere else the questions are shown, and the exit code says that
// there is no data.

// converse puts the questions of an answer to the person until there is data, or no more is said.
func (a *analysis) converse(ctx context.Context, c *client.Client, answer *client.Answer, in io.Reader) (*client.Answer, error) {
	lines := bufio.NewReader(in)
	for answer.ValidationStatus == client.NeedsInput && answer.State != "" {
		replies, err := a.put(answer.Questions, lines)
		if err != nil {
			return nil, err
		}
		if len(replies) == 0 {
			break
		}
		r := client.Request{State: answer.State, Answers: replies, ClientRequestID: a.requestID}
		if answer, err = a.ask(ctx, c, r); err != nil {
			return nil, err
		}
	}
	return answer, nil
}

// put asks one question after the other. One without a reply is left open; the end of the input leaves all others open.
func (a *analysis) put(questions []client.Question, in *bufio.Reader) (map[string]string, error) {
	i := a.env.errInk()
	replies := map[string]string{}
	for _, q := range questions {
		fmt.Fprintf(a.env.Stderr, "%s %s\n> ", printable(q.Question), i.quiet("("+printable(placeOf(q.Pointer))+")"))
		line, err := in.ReadString('\n')
		if text := strings.TrimSpace(line); text != "" {
			replies[q.Pointer] = text
		}
		switch {
		case errors.Is(err, io.EOF):
			fmt.Fprintln(a.env.Stderr)
			return replies, nil
		case err != nil:
			return nil, fmt.Errorf("read the reply: %w", err)
		}
	}
	return replies, nil
}

func placeOf(pointer string) string {
	if pointer == "" {
		return "the whole answer"
	}
	return pointer
}

// printable takes control characters out of what a model wrote, since it goes to a terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, text)
}

// unanswered shows the questions that nobody answered; the exit code is that of an answer that does not satisfy its schema.
func (a *analysis) unanswered(answer *client.Answer) error {
	switch {
	case a.out.json() && a.stream:
		return errors.Join(a.event("result", answer.Raw), exit(fault.ExitInvalid))
	case a.out.json():
		return errors.Join(a.out.value(answer.Raw), exit(fault.ExitInvalid))
	}
	fmt.Fprintln(a.env.Stderr, "promptd: the text does not say what the schema requires:")
	for _, q := range answer.Questions {
		fmt.Fprintf(a.env.Stderr, "  %s: %s\n", printable(placeOf(q.Pointer)), printable(q.Question))
	}
	fmt.Fprintln(a.env.Stderr, "Add it to the text; or keep the answer with --output json and go on with --state @FILE and the reply.")
	a.summary(answer)
	return exit(fault.ExitInvalid)
}

// goesOn makes the request that goes on with --state: the state itself, or @FILE with the state or the answer that holds it.
func (a *analysis) goesOn(r *client.Request, args []string) (err error) {
	if a.schema != "" || a.template != "" || len(a.values.given) > 0 || a.format != "" {
		return usageError{errors.New("--state holds schema, template and format: leave the others out")}
	}
	r.Options, r.Schema = nil, nil
	r.State = a.state
	if path, file := strings.CutPrefix(a.state, "@"); file {
		raw, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("read the state: %w", err)
		}
		r.State = stateOf(raw)
	}
	r.Prompt, err = a.text(args)
	return err
}

// stateOf takes the state out of an answer, or takes the text for one.
func stateOf(raw []byte) string {
	var answer struct{ State string }
	if err := json.Unmarshal(raw, &answer); err == nil && answer.State != "" {
		return answer.State
	}
	return string(bytes.TrimSpace(raw))
}
