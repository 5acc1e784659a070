package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/promptd/promptd/internal/fault"
)

// level says how a finding stands to the program's work.
type level string

const (
	fine  level = "ok"
	note  level = "note"
	risky level = "warning"
	bad   level = "problem"
)

// finding is one thing that check or doctor looked at.
type finding struct {
	Area string `json:"area"`
	Is   level  `json:"level"`
	Text string `json:"text"`
	// Advice is what to do about it.
	Advice string `json:"advice,omitempty"`
}

// findings are what was found, in the order of looking.
type findings []finding

func (f *findings) add(area string, is level, advice, format string, args ...any) {
	*f = append(*f, finding{Area: area, Is: is, Text: fmt.Sprintf(format, args...), Advice: advice})
}

// says reports whether something was found in an area.
func (f findings) says(area string, is level) bool {
	return slices.ContainsFunc(f, func(one finding) bool { return one.Area == area && one.Is == is })
}

func (f findings) count(is level) int {
	n := 0
	for _, one := range f {
		if one.Is == is {
			n++
		}
	}
	return n
}

// report writes the findings with a verdict, and gives the error that sets the exit code: 1 where there is a problem.
func (f findings) report(out *printout, good, wrong string) error {
	problems := f.count(bad)
	var err error
	if out.json() {
		err = out.value(map[string]any{"usable": problems == 0, "findings": f})
	} else {
		err = f.print(out, good, wrong)
	}
	if err == nil && problems > 0 {
		err = exit(fault.ExitFailed)
	}
	return err
}

func (f findings) print(out *printout, good, wrong string) error {
	i := out.env.ink()
	p := printer{w: out.env.Stdout}
	width := 0
	for _, one := range f {
		width = max(width, len(one.Area))
	}
	for _, one := range f {
		mark := map[level]string{fine: i.good("ok      "), note: i.quiet("note    "), risky: i.warn("warning "), bad: i.bad("problem ")}[one.Is]
		area := one.Area + strings.Repeat(" ", width-len(one.Area))
		gap := strings.Repeat(" ", len("problem ")+width+2)
		p.line("%s%s  %s", mark, i.bold(area), strings.ReplaceAll(one.Text, "\n", "\n"+gap))
		if one.Advice != "" {
			p.line("%s→ %s", gap, one.Advice)
		}
	}
	switch problems, risks := f.count(bad), f.count(risky); {
	case problems > 0:
		p.line("%s", i.bad(wrong+" "+plural(problems, "problem")+"."))
	case risks > 0:
		p.line("%s", i.good(good)+" "+i.warn(plural(risks, "warning")+"."))
	default:
		p.line("%s", i.good(good))
	}
	return p.err
}
