package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// printout is the flag --output and the ways of writing that go with it.
type printout struct {
	env    *Env
	format output
}

func newPrintout(env *Env) *printout { return &printout{env: env, format: asText} }

// flag adds --output to a command.
func (o *printout) flag(cmd *cobra.Command) { outputFlag(cmd, &o.format) }

func (o *printout) json() bool { return o.format == asJSON }

// value writes JSON: one line, or indented where a person looks at it.
func (o *printout) value(v any) error {
	raw, ok := v.(json.RawMessage)
	if !ok {
		var err error
		if raw, err = encoded(v); err != nil {
			return err
		}
	}
	var b bytes.Buffer
	write := json.Compact
	if o.env.Terminal {
		write = func(dst *bytes.Buffer, src []byte) error { return json.Indent(dst, src, "", "  ") }
	}
	if err := write(&b, raw); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	b.WriteByte('\n')
	_, err := o.env.Stdout.Write(b.Bytes())
	return err
}

// encoded gives a value as one line of JSON without escapes for HTML.
func encoded(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("write the result: %w", err)
	}
	return bytes.TrimSpace(b.Bytes()), nil
}

// line writes a line for people.
func (o *printout) line(format string, args ...any) error {
	_, err := fmt.Fprintf(o.env.Stdout, format+"\n", args...)
	return err
}

// errInk is the ink of standard error.
func (e *Env) errInk() ink {
	on := *e
	on.Terminal = e.ErrTerminal
	return on.ink()
}

func (i ink) warn(s string) string { return i.paint("33", s) }

// table is an aligned table; columns whose title begins with > stand at the right.
type table struct {
	titles []string
	rows   [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// write writes the table; titles are dimmed where there is colour.
func (t *table) write(w io.Writer, i ink) error {
	widths := make([]int, len(t.titles))
	right := make([]bool, len(t.titles))
	titles := slices.Clone(t.titles)
	for n, title := range titles {
		titles[n], right[n] = strings.CutPrefix(title, ">")
		widths[n] = utf8.RuneCountInString(titles[n])
	}
	for _, row := range t.rows {
		for n, cell := range row {
			widths[n] = max(widths[n], utf8.RuneCountInString(cell))
		}
	}
	line := func(cells []string) string {
		var b strings.Builder
		for n, cell := range cells {
			if n > 0 {
				b.WriteString("  ")
			}
			pad := strings.Repeat(" ", widths[n]-utf8.RuneCountInString(cell))
			if right[n] {
				b.WriteString(pad + cell)
			} else {
				b.WriteString(cell + pad)
			}
		}
		return strings.TrimRight(b.String(), " ")
	}
	var b strings.Builder
	b.WriteString(i.quiet(line(titles)) + "\n")
	for _, row := range t.rows {
		b.WriteString(line(row) + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// when writes a time for people: local time to the minute, or a dash.
func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04")
}

// count writes a number with separators: 12,400.
func count(n int64) string {
	s := fmt.Sprintf("%d", n)
	first := 0
	if n < 0 {
		first = 1
	}
	for i := len(s) - 3; i > first; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// bytesText writes a size for people.
func bytesText(n int64) string {
	const unit = 1000
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	f, name := float64(n), ""
	for _, name = range []string{"kB", "MB", "GB", "TB"} {
		f /= unit
		if f < unit {
			break
		}
	}
	return fmt.Sprintf("%.1f %s", f, name)
}

// milliseconds writes a duration that the server gave in milliseconds.
func milliseconds(ms float64) string {
	d := time.Duration(ms * float64(time.Millisecond))
	switch {
	case d >= 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= time.Millisecond:
		return fmt.Sprintf("%.0f ms", ms)
	default:
		return fmt.Sprintf("%.2g ms", ms)
	}
}

// examples joins the lines of an example, indented as help shows them.
func examples(lines ...string) string { return "  " + strings.Join(lines, "\n  ") }
