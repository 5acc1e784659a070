// Command testtotals runs go test and ends with the line "N passed, N failed, N skipped".
//
//	testtotals [-v] [-module DIR]... -- [go test flags and packages]
//
// It shows a line for each package, the whole output of each test that fails, and the reason of each that is skipped. Every test and every subtest
// counts. A package that fails without a failed test (it does not build, it panics, it runs out of time) counts as one failure. With several modules the
// flags that name packages are those of the first; the others run ./... with the same flags.
//
// It exits 0 only where go test did and at least one test passed.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("testtotals", flag.ContinueOnError)
	flags.SetOutput(stderr)
	var modules list
	flags.Var(&modules, "module", "a module's folder; may be given several times")
	verbose := flags.Bool("v", false, "show the output of tests that pass, too")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if len(modules) == 0 {
		modules = list{"."}
	}
	began := time.Now()
	sum := newSummary(stdout, *verbose)
	failed := false
	for n, dir := range modules {
		if err := testModule(dir, moduleArgs(flags.Args(), n == 0), sum, stderr); err != nil {
			fmt.Fprintf(stderr, "testtotals: go test in %s: %v\n", dir, err)
			failed = true
		}
	}
	sum.end(time.Since(began))
	if failed || sum.failed > 0 || sum.passed == 0 {
		return 1
	}
	return 0
}

// moduleArgs are the arguments for a module: those given for the first, the same flags and every package for the others.
func moduleArgs(args []string, first bool) []string {
	if first {
		return args
	}
	var kept []string
	for _, a := range args {
		if !strings.HasPrefix(a, "./") && !strings.HasPrefix(a, "github.com/") {
			kept = append(kept, a)
		}
	}
	return append(kept, "./...")
}

// testModule runs go test in a folder and feeds its events to the summary.
func testModule(dir string, args []string, sum *summary, stderr io.Writer) error {
	cmd := exec.Command("go", append([]string{"-C", dir, "test", "-json"}, args...)...)
	cmd.Stderr = stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("open its output: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start it: %w", err)
	}
	readErr := sum.read(out)
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && sum.failed > 0 {
		err = nil // The failures have been shown and counted.
	}
	return errors.Join(readErr, err)
}

// event is a line of go test -json.
type event struct {
	Action      string
	Package     string
	ImportPath  string
	Test        string
	Output      string
	Elapsed     float64
	FailedBuild string
}

// summary counts what tests did.
type summary struct {
	out                     io.Writer
	verbose                 bool
	passed, failed, skipped int

	// said holds the output of what has not ended, by package and test; build that of failed builds, by import path.
	said  map[[2]string]*strings.Builder
	build map[string]*strings.Builder
	// tests and bad count the tests of a package, and those of them that failed.
	tests, bad map[string]int
	skips      []string
	failures   []string
}

func newSummary(out io.Writer, verbose bool) *summary {
	return &summary{
		out: out, verbose: verbose, said: map[[2]string]*strings.Builder{}, build: map[string]*strings.Builder{},
		tests: map[string]int{}, bad: map[string]int{},
	}
}

// read takes every event of a run. A line that is no event is shown as it is.
func (s *summary) read(r io.Reader) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			var e event
			if json.Unmarshal([]byte(line), &e) != nil {
				fmt.Fprint(s.out, line)
			} else {
				s.take(e)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the events: %w", err)
		}
	}
}

func (s *summary) take(e event) {
	at := [2]string{e.Package, e.Test}
	switch e.Action {
	case "output":
		if s.said[at] == nil {
			s.said[at] = &strings.Builder{}
		}
		s.said[at].WriteString(e.Output)
	case "build-output":
		if s.build[e.ImportPath] == nil {
			s.build[e.ImportPath] = &strings.Builder{}
		}
		s.build[e.ImportPath].WriteString(e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			s.endPackage(e)
		} else {
			s.endTest(e)
		}
		delete(s.said, at)
	}
}

func (s *summary) endTest(e event) {
	s.tests[e.Package]++
	text := ""
	if b := s.said[[2]string{e.Package, e.Test}]; b != nil {
		text = b.String()
	}
	switch e.Action {
	case "pass":
		s.passed++
		if s.verbose {
			fmt.Fprint(s.out, text)
		}
	case "skip":
		s.skipped++
		s.skips = append(s.skips, e.Package+" "+e.Test+": "+reason(text))
	case "fail":
		s.failed++
		s.bad[e.Package]++
		s.failures = append(s.failures, e.Package+" "+e.Test)
		fmt.Fprint(s.out, text)
	}
}

func (s *summary) endPackage(e event) {
	text := ""
	if b := s.said[[2]string{e.Package, ""}]; b != nil {
		text = b.String()
	}
	switch {
	case e.Action == "fail" && s.bad[e.Package] == 0:
		s.failed++
		s.failures = append(s.failures, e.Package+" (the package)")
		if b := s.build[e.FailedBuild]; b != nil {
			fmt.Fprint(s.out, b.String())
		}
		s.unfinished(e.Package)
		fmt.Fprint(s.out, text)
		fallthrough
	case e.Action == "fail":
		fmt.Fprintf(s.out, "FAIL  %s  %.1fs\n", e.Package, e.Elapsed)
	case s.tests[e.Package] == 0:
		fmt.Fprintf(s.out, "none  %s\n", e.Package)
	default:
		fmt.Fprintf(s.out, "ok    %s  %.1fs  %d tests\n", e.Package, e.Elapsed, s.tests[e.Package])
	}
}

// unfinished shows what the tests said that never ended, which is where a panic or a time-out is told.
func (s *summary) unfinished(pkg string) {
	for at, b := range s.said {
		if at[0] == pkg && at[1] != "" {
			fmt.Fprint(s.out, b.String())
		}
	}
}

// reason is what a skipped test said last.
func reason(text string) string {
	why := "no reason given"
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "===") && !strings.HasPrefix(line, "---") {
			why = line
		}
	}
	return why
}

// end shows what was skipped and what failed, and the totals in the last line.
func (s *summary) end(took time.Duration) {
	for _, line := range s.skips {
		fmt.Fprintf(s.out, "skip  %s\n", line)
	}
	for _, line := range s.failures {
		fmt.Fprintf(s.out, "FAIL  %s\n", line)
	}
	fmt.Fprintf(s.out, "took %s\n%d passed, %d failed, %d skipped\n", took.Round(time.Second), s.passed, s.failed, s.skipped)
}
