package doctest

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/cli"
)

// TestDocumentedCommandsExist asks the real command line for the help of every documented command: a command or flag that does not exist is a wrong use.
func TestDocumentedCommandsExist(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, b := range blocks(t) {
		if b.language != "sh" {
			continue
		}
		for _, args := range commands(b.text, "promptd") {
			seen++
			var out, errs strings.Builder
			code := cli.Main(append(args, "--help"), cli.Env{
				Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs,
				Signals: func(ctx context.Context) (context.Context, context.CancelFunc) { return context.WithCancel(ctx) },
			})
			if code != 0 {
				t.Errorf("%s:%d: promptd %s: exit code %d: %s", b.page, b.line, strings.Join(args, " "), code, errs.String())
			}
			if len(args) > 0 && !strings.HasPrefix(args[0], "-") && !strings.Contains(out.String(), "promptd "+args[0]) {
				t.Errorf("%s:%d: promptd %s: its help speaks of another command:\n%s", b.page, b.line, strings.Join(args, " "), out.String())
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d commands were found: is the pattern still right?", seen)
	}
}

func TestDocumentedMakeTargetsExist(t *testing.T) {
	t.Parallel()
	makefile := read(t, "Makefile")
	for _, b := range blocks(t) {
		if b.language != "sh" {
			continue
		}
		for _, args := range commands(b.text, "make") {
			for _, target := range args {
				if !strings.Contains(target, "=") && !strings.Contains(makefile, "\n"+target+":") {
					t.Errorf("%s:%d: the Makefile has no target %s", b.page, b.line, target)
				}
			}
		}
	}
}

// commands finds the calls of a program in a script, wherever a command may stand, with their arguments up to the first operator.
func commands(script, program string) (all [][]string) {
	script = strings.ReplaceAll(script, "\\\n", " ")
	start := regexp.MustCompile(`^(?:[A-Za-z0-9_./-]*/)?` + regexp.QuoteMeta(program) + `$`)
	assignment := regexp.MustCompile(`^[A-Z_]+=`)
	for line := range strings.Lines(script) {
		var current []string
		atStart, inside := true, false
		flush := func() {
			if inside {
				all = append(all, current)
			}
			current, inside, atStart = nil, false, true
		}
		for _, w := range words(line) {
			switch {
			case !w.quoted && slices.Contains([]string{"|", "&&", "||", ";", "&", "$(", ")"}, w.text):
				flush()
			case !w.quoted && inside && (strings.HasPrefix(w.text, "<") || strings.HasPrefix(w.text, ">") || strings.HasPrefix(w.text, "2>")):
				flush()
				atStart = false
			case atStart && start.MatchString(w.text):
				inside, atStart = true, false
			case inside:
				current = append(current, w.text)
			case !assignment.MatchString(w.text):
				atStart = false
			}
		}
		flush()
	}
	return all
}

// word is a word of a line of shell.
type word struct {
	text   string
	quoted bool
}

// words splits a line as a shell does, near enough for documentation: quotes, comments, operators and command substitution.
func words(line string) (all []word) {
	var text strings.Builder
	quoted := false
	flush := func() {
		if text.Len() > 0 || quoted {
			all = append(all, word{text.String(), quoted})
		}
		text.Reset()
		quoted = false
	}
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == ' ' || c == '\t' || c == '\n':
			flush()
		case c == '#' && text.Len() == 0 && !quoted:
			flush()
			return all
		case c == '\'' || c == '"':
			end := strings.IndexByte(line[i+1:], c)
			if end < 0 {
				end = len(line) - i - 1
			}
			inner := line[i+1 : min(i+1+end, len(line))]
			if at := strings.Index(inner, "$("); c == '"' && at >= 0 {
				flush()
				all = append(all, word{"$(", false})
				all = append(all, words(strings.TrimSuffix(inner[at+2:], ")"))...)
				all = append(all, word{")", false})
			} else {
				text.WriteString(inner)
				quoted = true
			}
			i += end + 1
		case strings.HasPrefix(line[i:], "$("):
			flush()
			all = append(all, word{"$(", false})
			i++
		case strings.HasPrefix(line[i:], "&&") || strings.HasPrefix(line[i:], "||"):
			flush()
			all = append(all, word{line[i : i+2], false})
			i++
		case c == '|' || c == ';' || c == ')' || c == '&':
			flush()
			all = append(all, word{string(c), false})
		default:
			text.WriteByte(c)
		}
	}
	flush()
	return all
}

func TestCommandsAreFoundWhereverTheyStand(t *testing.T) {
	t.Parallel()
	const script = `# promptd nothing
promptd serve --local &
KEY="$(promptd keys create --name a --output json | jq -r .key)"
cat text | bin/promptd analyze --schema 's x' - > out
export A=1 && A=2 promptd version
echo promptd usage
curl http://promptd/v1 # promptd cache
`
	var got []string
	for _, args := range commands(script, "promptd") {
		got = append(got, strings.Join(args, "|"))
	}
	want := []string{"serve|--local", "keys|create|--name|a|--output|json", "analyze|--schema|s x|-", "version"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
