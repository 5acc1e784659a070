package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// liveView shows a value that grows on a terminal: each time in place of what was there.
type liveView struct {
	env   *Env
	lines int
}

func newLiveView(env *Env) *liveView { return &liveView{env: env} }

// size gives the terminal's columns and rows.
func (e *Env) size() (columns, rows int) {
	columns, rows = 80, 24
	if e.Size != nil {
		if c, r := e.Size(); c > 0 && r > 0 {
			columns, rows = c, r
		}
	}
	return columns, rows
}

// show draws a value. Lines are cut to the terminal's width, and of a value that is too long its end is shown: a line that wraps or has scrolled away
// could not be drawn over.
func (v *liveView) show(raw json.RawMessage) error {
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		return fmt.Errorf("show what has arrived: %w", err)
	}
	columns, rows := v.env.size()
	lines := strings.Split(b.String(), "\n")
	if most := max(rows-1, 1); len(lines) > most {
		lines = lines[len(lines)-most:]
	}
	var out strings.Builder
	out.WriteString(v.erase())
	i := v.env.ink()
	for _, line := range lines {
		out.WriteString(i.quiet(cut(line, columns-1)) + "\n")
	}
	v.lines = len(lines)
	_, err := v.env.Stdout.Write([]byte(out.String()))
	return err
}

// clear takes away what was drawn.
func (v *liveView) clear() {
	_, _ = v.env.Stdout.Write([]byte(v.erase())) //nolint:errcheck // The result that follows will tell.
	v.lines = 0
}

// erase goes back to where the drawing began and empties the rest of the screen.
func (v *liveView) erase() string {
	if v.lines == 0 {
		return ""
	}
	return fmt.Sprintf("\x1b[%dA\x1b[J", v.lines)
}

// cut shortens a line to a number of columns. Characters that take two columns count two.
func cut(line string, columns int) string {
	width := 0
	for at, r := range line {
		w := 1
		if r >= 0x1100 && utf8.RuneLen(r) >= 3 {
			w = 2
		}
		if width+w > columns {
			return line[:at]
		}
		width += w
	}
	return line
}
