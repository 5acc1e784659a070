package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// output says how a command writes its answer: as text for people, or as JSON for scripts.
type output string

const (
	asText output = "text"
	asJSON output = "json"
)

// String, Set and Type make an output a flag.
func (o *output) String() string { return string(*o) }

// Set takes text or json.
func (o *output) Set(s string) error {
	switch output(s) {
	case asText, asJSON:
		*o = output(s)
		return nil
	default:
		return fmt.Errorf("unknown output %q: it is one of text, json", s)
	}
}

// Type is what help calls the flag's value.
func (o *output) Type() string { return "text|json" }

// outputFlag gives a command the flag --output.
func outputFlag(c *cobra.Command, o *output) {
	*o = asText
	c.Flags().Var(o, "output", "write text for people or JSON for scripts")
}

// choice is a flag that takes one of a few names.
type choice struct {
	value   string
	allowed []string
}

func (c *choice) String() string { return c.value }

func (c *choice) Set(s string) error {
	for _, a := range c.allowed {
		if s == a {
			c.value = s
			return nil
		}
	}
	return fmt.Errorf("unknown value %q: it is one of %v", s, c.allowed)
}

func (c *choice) Type() string {
	name := ""
	for i, a := range c.allowed {
		if i > 0 {
			name += "|"
		}
		name += a
	}
	return name
}

// ink colours text for people at a terminal; anywhere else it leaves it as it is.
type ink bool

func (e *Env) ink() ink {
	return ink(e.Terminal && e.Getenv("NO_COLOR") == "" && e.Getenv("TERM") != "dumb")
}

func (i ink) paint(code, s string) string {
	if !i {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (i ink) good(s string) string  { return i.paint("32", s) }
func (i ink) bad(s string) string   { return i.paint("31", s) }
func (i ink) bold(s string) string  { return i.paint("1", s) }
func (i ink) quiet(s string) string { return i.paint("2", s) }

// printer writes lines and remembers the first failure, so that a command checks once.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}
