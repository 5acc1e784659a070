package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/lint"
	"github.com/promptd/promptd/internal/value"
)

// schemaFiles gives the files that arguments name; many is set where they are several, or a directory.
func schemaFiles(args []string) (files []string, many bool, err error) {
	many = len(args) > 1
	for _, arg := range args {
		info, err := os.Stat(arg)
		switch {
		case arg == "-" && !many:
		case err != nil:
			return nil, many, fmt.Errorf("read a schema: %w", err)
		case info.IsDir():
			many = true
			below, err := filesBelow(arg)
			if err != nil {
				return nil, many, err
			}
			files = append(files, below...)
			continue
		}
		files = append(files, arg)
	}
	if many && len(files) == 0 {
		return nil, many, fmt.Errorf("there are no files *.json in %s", strings.Join(args, ", "))
	}
	return files, many, nil
}

// filesBelow gives the files *.json of a directory, in the order of their names; hidden directories are passed over.
func filesBelow(dir string) (files []string, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("read the directory %s: %w", dir, err)
		case d.IsDir() && path != dir && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case d.Type().IsRegular() && filepath.Ext(path) == ".json":
			files = append(files, path)
		}
		return nil
	})
	return files, err
}

// checkedFile is what came of one file.
type checkedFile struct {
	name   string
	report *lint.Report
	err    error
}

// checkMany checks files and writes a table, or JSON of everything; the exit code is 3 when one is refused, and 1 when one cannot be read.
func (e *Env) checkMany(ctx context.Context, o output, options schema.Options, profiles []lint.Profile, names []string) error {
	s := summary{env: e, profiles: profiles, json: o == asJSON}
	if err := s.begin(); err != nil {
		return err
	}
	for f := range checkFiles(ctx, options, profiles, names) {
		if err := s.add(f); err != nil {
			return err
		}
	}
	return s.end()
}

// checkFiles checks files on all cores and gives them in their order.
func checkFiles(ctx context.Context, o schema.Options, profiles []lint.Profile, names []string) func(func(checkedFile) bool) {
	return func(yield func(checkedFile) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		workers := min(runtime.GOMAXPROCS(0), len(names))
		pending := make(chan chan checkedFile, 4*workers) // Room for files that wait for a slow one before them.
		var wg sync.WaitGroup
		wg.Go(func() {
			defer close(pending)
			slots := make(chan struct{}, workers)
			for _, name := range names {
				done := make(chan checkedFile, 1)
				select {
				case pending <- done:
				case <-ctx.Done():
					return
				}
				slots <- struct{}{}
				wg.Go(func() {
					defer func() { <-slots }()
					done <- checkFile(ctx, name, o, profiles)
				})
			}
		})
		for done := range pending {
			if !yield(<-done) {
				break
			}
		}
		cancel()
		wg.Wait()
	}
}

func checkFile(ctx context.Context, name string, o schema.Options, profiles []lint.Profile) checkedFile {
	f := checkedFile{name: name}
	text, err := os.ReadFile(name)
	if err != nil {
		f.err = fmt.Errorf("read a schema: %w", err)
		return f
	}
	f.report, f.err = checkSchema(ctx, text, o, profiles)
	return f
}

// summary gathers what there is to say of many files.
type summary struct {
	env                    *Env
	profiles               []lint.Profile
	json                   bool
	total, refused, unread int
	table                  table
	problems               []string
}

func (s *summary) begin() error {
	if s.json {
		_, err := s.env.Stdout.Write([]byte(`{"files":[`))
		return err
	}
	s.table.titles = []string{"file", "draft", ">advice"}
	for _, p := range s.profiles {
		s.table.titles = append(s.table.titles, p.Name)
	}
	return nil
}

func (s *summary) add(f checkedFile) error {
	s.total++
	var refusal *fault.Fault
	switch {
	case f.err == nil:
	case errors.As(f.err, &refusal):
		s.refused++
	case errors.Is(f.err, context.Canceled):
		return f.err
	default:
		s.unread++
	}
	if s.json {
		return s.write(f)
	}
	row := []string{f.name}
	if f.err != nil {
		row = append(row, "refused", "-")
		for range s.profiles {
			row = append(row, "-")
		}
		s.problems = append(s.problems, problemText(f))
		s.table.add(row...)
		return nil
	}
	row = append(row, f.report.Schema.Draft().String(), strconv.Itoa(len(f.report.Advice)+f.report.More))
	for i := range f.report.Dialects {
		row = append(row, string(f.report.Dialects[i].Mode)+" "+enforcedShare(&f.report.Dialects[i]))
	}
	s.table.add(row...)
	return nil
}

// problemText says why a file has no report.
func problemText(f checkedFile) string {
	var refusal *fault.Fault
	if !errors.As(f.err, &refusal) {
		return f.name + ": " + f.err.Error()
	}
	where := ""
	if len(refusal.Entries) > 0 {
		where = place(refusal.Entries[0].Pointer) + ": "
	}
	return f.name + ": " + where + refusal.Detail
}

// write writes one file as an element of the JSON list.
func (s *summary) write(f checkedFile) error {
	var line []byte
	if s.total > 1 {
		line = append(line, ',')
	}
	line = value.AppendQuoted(append(line, "\n{\"file\":"...), f.name)
	var refusal *fault.Fault
	switch {
	case f.err == nil:
		line = f.report.Value().Append(append(line, `,"report":`...))
	case errors.As(f.err, &refusal):
		line = appendRefusal(append(line, `,"report":`...), refusal)
	default:
		line = value.AppendQuoted(append(line, `,"unreadable":`...), f.err.Error())
	}
	_, err := s.env.Stdout.Write(append(line, '}'))
	return err
}

func (s *summary) end() error {
	p := printer{w: s.env.Stdout}
	if s.json {
		p.line("\n]}")
	} else {
		if err := s.table.write(s.env.Stdout, s.env.ink()); err != nil {
			return err
		}
		for _, text := range s.problems {
			p.line("%s", text)
		}
		p.line("%s: %d accepted, %d refused", plural(s.total, "schema"), s.total-s.refused-s.unread, s.refused)
	}
	switch {
	case p.err != nil:
		return p.err
	case s.unread > 0:
		return exit(fault.ExitFailed)
	case s.refused > 0:
		return exit(fault.ExitInvalid)
	default:
		return nil
	}
}
